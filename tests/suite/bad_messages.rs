//! Wrong WebSocket messages: an error each, and the connection stays; what no
//! client should ever send closes it with the right code.

use serde_json::{Value, json};
use tungstenite::Message;

use crate::support::client::input_frame;
use crate::support::payload::shell;
use crate::support::{Bystander, Client, Form, Quarterdeck};

/// Sends, expects an error of this code, and that the connection stays.
#[track_caller]
fn refused(client: &mut Client, message: &str, code: &str) -> Value {
    client.send_raw(Message::text(message)).expect("a connection");
    let error = client.next_error();
    assert_eq!(error["code"], json!(code), "{message}: {error}");
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{message}: {error}");
    client.round_trip();
    error
}

#[test]
fn malformed_messages_get_an_error_and_the_connection_stays() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let id = quarterdeck.api().shell("exec sleep 1000");
    let typed = |fields: Value| {
        let mut fields = fields;
        fields["sessionId"] = json!(id);
        fields.to_string()
    };
    for form in [Form::Json, Form::Binary] {
        let mut client = quarterdeck.connect(form);
        client.attach(&id);
        for text in ["", "{", "nonsense", "[]", "7", "null", "\"text\"", "{}", r#"{"type":7}"#, r#"{"type":"dance"}"#] {
            refused(&mut client, text, "INVALID_REQUEST");
        }
        for text in [
            r#"{"type":"session.attach"}"#.to_owned(),
            r#"{"type":"session.attach","sessionId":7}"#.to_owned(),
            typed(json!({ "type": "terminal.input" })),
            typed(json!({ "type": "terminal.input", "data": 7 })),
            typed(json!({ "type": "terminal.resize", "cols": 80 })),
            typed(json!({ "type": "terminal.resize", "cols": 0, "rows": 24 })),
            typed(json!({ "type": "terminal.resize", "cols": 80, "rows": 1001 })),
            typed(json!({ "type": "terminal.ack", "offset": "far" })),
            typed(json!({ "type": "terminal.ack", "offset": -1 })),
        ] {
            refused(&mut client, &text, "INVALID_REQUEST");
        }
        refused(&mut client, &"x".repeat(1 << 20), "INVALID_REQUEST");
        client.close();
    }
    quarterdeck.api().remove(&id);
    bystander.check();
}

#[test]
fn attaching_wrongly_is_refused_and_leaves_nothing_attached() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let id = api.shell("printf text; exec sleep 1000");
    api.wait_for(&id, "at its prompt", |session| session["outputOffset"] == json!(4));
    let attach =
        |id: &str, offset: Value| json!({ "type": "session.attach", "sessionId": id, "offset": offset }).to_string();
    let detach = |id: &str| json!({ "type": "session.detach", "sessionId": id }).to_string();

    let mut client = quarterdeck.connect(Form::Json);
    refused(&mut client, &attach("00000000-0000-4000-8000-000000000000", json!(0)), "NOT_FOUND");
    refused(&mut client, &attach("../../etc", json!(0)), "NOT_FOUND");
    for offset in [json!(5), json!(u64::MAX)] {
        refused(&mut client, &attach(&id, offset), "OFFSET_OUT_OF_RANGE");
    }
    for offset in [json!("sometime"), json!(-1), json!(1.5), json!({})] {
        refused(&mut client, &attach(&id, offset), "INVALID_REQUEST");
    }
    refused(&mut client, &detach(&id), "NOT_ATTACHED");
    refused(&mut client, &detach("nobody"), "NOT_FOUND");

    client.attach(&id);
    client.wait_until("the text came", |view| view.text(&id) == "text");
    let error = refused(&mut client, &attach(&id, json!(0)), "ALREADY_ATTACHED");
    assert_eq!(error["sessionId"], json!(id));
    assert_eq!(client.view.text(&id), "text", "attached twice");
    assert_eq!(api.session(&id)["clients"], json!(1));

    client.send_raw(Message::text(detach(&id))).expect("a connection");
    client.round_trip();
    assert_eq!(api.session(&id)["clients"], json!(0));
    refused(&mut client, &detach(&id), "NOT_ATTACHED");
    client.close();
    api.remove(&id);
    bystander.check();
}

#[test]
fn controls_for_a_session_that_is_not_there_or_has_ended_are_refused() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let api = quarterdeck.api();
    let id = api.run(&shell("exit 0"));
    api.wait_for_exit(&id);
    let mut client = quarterdeck.connect(Form::Json);
    let message = |kind: &str, id: &str, more: Value| {
        let mut message = more;
        message["type"] = json!(kind);
        message["sessionId"] = json!(id);
        message.to_string()
    };
    client.attach(&id);
    client.wait_for_exit(&id);
    refused(&mut client, &message("terminal.input", &id, json!({ "data": "late" })), "NOT_RUNNING");
    refused(&mut client, &message("terminal.interrupt", &id, json!({})), "NOT_RUNNING");
    for (kind, more) in [
        ("session.attach", json!({})),
        ("session.resume", json!({})),
        ("terminal.input", json!({ "data": "x" })),
        ("terminal.interrupt", json!({})),
        ("terminal.resize", json!({ "cols": 80, "rows": 24 })),
    ] {
        refused(&mut client, &message(kind, "nobody", more), "NOT_FOUND");
    }
    client.close();
    api.remove(&id);
    bystander.check();
}

#[test]
fn wrong_frame_kinds_get_an_error_and_the_connection_stays() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let id = quarterdeck.api().shell("exec sleep 1000");
    let good = input_frame(0, 1, b"x").to_vec();
    let with = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        frame
    };
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    let unknown = input_frame(client.view.terminal(&id).channel.unwrap() + 1, 1, b"x").to_vec();
    for frame in [vec![], vec![2], good[..15].to_vec(), with(0, 0), with(0, 1), with(0, 9), unknown] {
        client.send_raw(Message::binary(frame.clone())).expect("a connection");
        let error = client.next_error();
        assert!(error["code"].as_str().is_some_and(|code| !code.is_empty()), "{frame:?}: {error}");
        client.round_trip();
    }
    let mut simple = quarterdeck.connect(Form::Json);
    simple.attach(&id);
    simple.send_raw(Message::binary(good)).expect("a connection");
    assert_eq!(simple.next_error()["code"], json!("INVALID_REQUEST"));
    simple.round_trip();
    client.close();
    simple.close();
    quarterdeck.api().remove(&id);
    bystander.check();
}

/// Waits for the close and returns its code.
fn close_code(mut client: Client) -> Option<u16> {
    client.wait_until("the server closes", |view| view.closed.is_some());
    client.view.closed
}

#[test]
fn a_frame_above_a_mebibyte_closes_with_1009() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    for message in [Message::text("x".repeat((1 << 20) + 1)), Message::binary(vec![2; 2 << 20])] {
        let mut client = quarterdeck.connect(Form::Binary);
        // The server may close before it has read all of it.
        let _ = client.send_raw(message);
        assert_eq!(close_code(client), Some(1009));
    }
    bystander.check();
}

/// A frame with a zero mask: the payload stands in it as it is.
fn raw_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short payload");
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

#[test]
fn invalid_utf8_in_text_closes_with_1007() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    for text in [&b"\xff"[..], b"{\"type\":\"\xc3\"}", b"\xed\xa0\x80"] {
        let mut client = quarterdeck.connect(Form::Json);
        client.send_bytes(&raw_frame(0x81, text));
        assert_eq!(close_code(client), Some(1007), "{text:?}");
    }
    bystander.check();
}

#[test]
fn what_breaks_the_websocket_protocol_closes_with_1002() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let unmasked = vec![0x81, 2, b'{', b'}'];
    for bytes in [raw_frame(0x83, b"x"), raw_frame(0xf1, b"x"), raw_frame(0x80, b"x"), unmasked] {
        let mut client = quarterdeck.connect(Form::Json);
        client.send_bytes(&bytes);
        assert_eq!(close_code(client), Some(1002), "{bytes:?}");
    }
    bystander.check();
}

#[test]
fn an_unknown_subprotocol_or_a_plain_get_is_no_upgrade() {
    let quarterdeck = Quarterdeck::start();
    let bystander = Bystander::of(&quarterdeck);
    let reply = quarterdeck.api().get("/ws");
    assert!((400..500).contains(&reply.status), "{reply}");
    bystander.check();
}
