//! Input, interrupts, sizes and heartbeats over the WebSocket.

use serde_json::json;

use crate::support::http::id_of;
use crate::support::payload::{assert_same, shell};
use crate::support::{Api, Client, Form, Quarterdeck};

/// A session that echoes what it reads, ready.
fn echo(api: &Api) -> String {
    let id = api.shell("stty raw -echo; printf R; exec cat");
    api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(1));
    id
}

/// A program that prints its size first and after each change of it.
fn size_watcher(api: &Api) -> String {
    let script = "$| = 1; $SIG{WINCH} = sub { print `stty size` }; print `stty size`; sleep 1 while 1";
    id_of(&api.create(&json!({ "command": ["perl", "-e", script], "cols": 100, "rows": 30 })))
}

#[test]
fn a_resize_is_seen_by_the_program_and_told_to_the_others() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = size_watcher(&api);
    let mut actor = quarterdeck.connect(Form::Json);
    actor.attach(&id);
    let mut other = quarterdeck.connect(Form::Binary);
    other.attach(&id);
    assert_eq!(other.view.terminal(&id).attached[0]["cols"], json!(100));
    actor.wait_until("its first size", |view| view.text(&id) == "30 100\r\n");

    actor.send(&json!({ "type": "terminal.resize", "sessionId": id, "cols": 133, "rows": 44 }));
    actor.wait_until("SIGWINCH arrived", |view| view.text(&id) == "30 100\r\n44 133\r\n");
    other.wait_until("told of the size", |view| view.terminals[&id].sizes == [(133, 44)]);

    let resized = api.post(&format!("/api/sessions/{id}/resize"), &json!({ "cols": 1, "rows": 1000 }));
    assert_eq!(resized.status, 200, "{resized}");
    actor.wait_until("SIGWINCH arrived again", |view| view.text(&id).ends_with("44 133\r\n1000 1\r\n"));
    other.wait_until("told again", |view| view.terminals[&id].sizes == [(133, 44), (1, 1000)]);
    let session = api.session(&id);
    assert_eq!((session["cols"].clone(), session["rows"].clone()), (json!(1), json!(1000)));
}

#[test]
fn an_interrupt_is_what_ctrl_c_does() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    // The foreground job gets it, the shell above it does not.
    let id = api.run(&["bash", "--norc", "-i"].map(str::to_owned));
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.input(&id, "perl -e '$|=1; print qq(ru).qq(nning\\n); sleep 1000'\n");
    client.wait_until("the job runs", |view| view.text(&id).contains("running"));
    client.send(&json!({ "type": "terminal.interrupt", "sessionId": id }));
    client.input(&id, "echo ended with $?; exit\n");
    client.wait_for_exit(&id);
    assert!(client.view.text(&id).contains("ended with 130"), "{}", client.view.text(&id));
}

#[test]
fn signals_reach_the_foreground_or_the_whole_session() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell(
        "trap 'echo leader got it' USR1; (trap 'echo child got it; exit' USR1; echo ready; while :; do sleep 0.05; done) & \
         while :; do wait; done",
    );
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("ready", |view| view.text(&id).contains("ready"));
    let sent = api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "USR1", "scope": "session" }));
    assert_eq!(sent.status, 200, "{sent}");
    client.wait_until("both got it", |view| {
        view.text(&id).contains("leader got it") && view.text(&id).contains("child got it")
    });
    let sent = api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "SIGKILL" }));
    assert_eq!(sent.status, 200, "{sent}");
    assert_eq!(client.wait_for_exit(&id)["signal"], json!("SIGKILL"));
}

#[test]
fn input_arrives_in_order_and_whole() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = echo(&api);
    let mut typed = b"R".to_vec();
    for form in [Form::Json, Form::Binary] {
        let mut client = quarterdeck.connect(form);
        client.attach(&id);
        for n in 0..500 {
            let line = format!("{form:?} line {n} ü€🦀\n");
            client.input(&id, &line);
            typed.extend_from_slice(line.as_bytes());
        }
        client.wait_until("all came back", |view| view.bytes(&id).len() >= typed.len());
        assert_same(client.view.bytes(&id), &typed);
    }
    // More than the terminal takes in one go, while its output is read.
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach_with(&id, json!({ "offset": "live" }));
    let much = crate::support::payload::binary(8, 1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| api.input(&id, &much).json_of(200));
        client.wait_until("a mebibyte came back", |view| view.bytes(&id).len() >= much.len());
    });
    assert_same(client.view.bytes(&id), &much);
}

#[test]
fn binary_input_is_acknowledged_once_written() {
    let quarterdeck = Quarterdeck::start();
    let id = echo(&quarterdeck.api());
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    for _ in 0..20 {
        client.input(&id, "x");
    }
    let all: Vec<_> = (1..=20).collect();
    client.wait_until("all input is acknowledged", |view| view.terminals[&id].input_acks.last() == Some(&20));
    let acks = &client.view.terminal(&id).input_acks;
    assert!(acks.is_sorted() && acks.iter().all(|ack| all.contains(ack)), "{acks:?}");
}

#[test]
fn a_program_that_does_not_read_holds_up_only_its_own_input() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let deaf = api.shell("stty raw -echo; printf R; exec sleep 1000");
    let id = echo(&api);
    let mut typist = quarterdeck.connect(Form::Binary);
    typist.attach(&deaf);
    typist.attach(&id);
    typist.wait_until("both are ready", |view| view.bytes(&deaf) == b"R" && view.bytes(&id) == b"R");
    for _ in 0..16 {
        typist.input(&deaf, &"never read ".repeat(1000));
    }
    let mut other = quarterdeck.connect(Form::Json);
    other.attach(&id);
    other.input(&id, "still here");
    other.wait_until("the other session answers", |view| view.text(&id) == "Rstill here");
    api.remove(&deaf);
    typist.round_trip();
}

#[test]
fn heartbeats_come_back() {
    let quarterdeck = Quarterdeck::start();
    let mut client = quarterdeck.connect(Form::Json);
    client.round_trip();
    client.round_trip();
}

#[test]
fn the_root_path_is_the_same_endpoint_for_an_upgrade() {
    let quarterdeck = Quarterdeck::start();
    let id = echo(&quarterdeck.api());
    for form in [Form::Json, Form::Binary] {
        let mut client = Client::connect_at(quarterdeck.address(), "/", form).expect("an upgrade at /");
        client.wait_until("greeted", |view| view.of_type("session.list").count() == 1);
        client.attach(&id);
        client.wait_until("the output came", |view| view.bytes(&id) == b"R");
    }
}

#[test]
fn everybody_is_told_of_sessions_that_come_change_and_go() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let greeting = client.view.of_type("session.list").next().cloned().unwrap();
    assert_eq!(greeting["sessions"], json!([]));
    assert!(greeting["generation"].is_u64(), "{greeting}");
    let id = id_of(&api.create(&json!({ "name": "watched", "command": shell("head -c 1; exit 3") })));
    client.wait_until("told of the new session", |view| {
        view.of_type("session.created").any(|message| message["session"]["name"] == json!("watched"))
    });
    let _ = api.input(&id, b"\n").json_of(200);
    client.wait_until("told of its end", |view| {
        view.of_type("session.status")
            .any(|message| message["sessionId"] == json!(id) && message["status"] == json!("error"))
    });
    api.remove(&id);
    client.wait_until("told of its removal", |view| {
        view.of_type("session.destroyed").any(|message| message["sessionId"] == json!(id))
    });
    client.attach_fails(&id, "NOT_FOUND");
}
