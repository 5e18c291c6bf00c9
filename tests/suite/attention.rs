//! Which sessions need a person, and which are stuck.

use std::fs;

use serde_json::{Value, json};

use crate::support::quarterdeck::BINARY;
use crate::support::{Api, Client, Form, Quarterdeck};

/// A session that says `sign` and then reads its terminal until it is typed to.
fn asks(api: &Api, sign: &str) -> String {
    api.shell(&format!("printf '{sign}'; read answer; echo got $answer; exec sleep 1000"))
}

fn wait_for_need(api: &Api, id: &str) -> String {
    let session = api.wait_for(id, "needs a person", |session| session["needsInput"] == json!(true));
    assert_eq!(session["status"], "waiting", "{session}");
    session["needsInputMessage"].as_str().unwrap_or_default().to_owned()
}

fn wait_for_nobody(api: &Api, id: &str) -> Value {
    let session = api.wait_for(id, "needs nobody", |session| session["needsInput"] == json!(false));
    assert!(session.get("needsInputMessage").is_none(), "{session}");
    session
}

/// Messages of a kind about a session.
fn heard(client: &Client, kind: &str, id: &str) -> Vec<Value> {
    client.view.of_type(kind).filter(|message| message["sessionId"] == id).cloned().collect()
}

#[test]
fn what_a_program_says_calls_a_person_once_it_waits() {
    let quarterdeck = Quarterdeck::with(&["--max-sessions", "8"]);
    let api = quarterdeck.api();
    let signs = [
        (r"\a", "Rang the bell"),
        (r"\033]2;my title\a\a", "Rang the bell: my title"),
        (r"\033]9;look here\033\\", "look here"),
        (r"\033]777;notify;Agent;asks you\a", "Agent: asks you"),
        (r"\033]99;;kitty asks\033\\", "kitty asks"),
        (r"\033]9;4;2;30\a", "Reports that its work has failed"),
        (r"\033]9;4;4\a", "Reports that its work is paused"),
    ];
    let asking = signs.map(|(sign, text)| (asks(&api, sign), text));
    for (id, text) in asking {
        assert_eq!(wait_for_need(&api, &id), text);
    }
}

#[test]
fn clients_hear_of_a_need_and_of_its_end() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let id = asks(&api, r"\033]9;which one?\a");
    client.wait_until("told of the need", |view| view.of_type("session.needsInput").next().is_some());
    assert_eq!(heard(&client, "session.needsInput", &id)[0]["message"], "which one?");
    client.wait_until("told of the status", |view| view.of_type("session.status").any(|m| m["status"] == "waiting"));

    client.input(&id, "this\n");
    client.wait_until("told of the end", |view| {
        view.of_type("session.status").last().is_some_and(|m| m["status"] == "active")
    });
    wait_for_nobody(&api, &id);
}

#[test]
fn a_terminals_own_report_is_no_answer() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id =
        api.shell(r"stty raw -echo; printf '\033]9;first\a'; head -c 3 >/dev/null; printf 'seen'; exec cat >/dev/null");
    wait_for_need(&api, &id);
    let focus = api.input(&id, b"\x1b[I");
    assert_eq!(focus.status, 200, "{focus}");
    api.wait_for(&id, "has had the report", |session| session["outputOffset"].as_u64() > Some(11));
    assert_eq!(wait_for_need(&api, &id), "first");
    assert_eq!(api.input(&id, b"y").status, 200);
    wait_for_nobody(&api, &id);
}

#[test]
fn who_rings_and_works_on_calls_nobody_yet() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let gate = quarterdeck.dir().join("gate");
    let wait = format!("perl -e 'until (-e q({})) {{ }}'", gate.display());
    let busy = api.shell(&format!(r"printf '\a'; {wait}; read answer; exec sleep 1000"));
    let other = asks(&api, r"\a");
    wait_for_need(&api, &other);
    assert_eq!(api.session(&busy)["status"], "active");
    fs::write(gate, "").expect("the gate opens");
    wait_for_need(&api, &busy);
}

#[test]
fn who_goes_on_alone_calls_nobody_any_more() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let program = r#"$| = 1; $SIG{USR1} = sub { 1 while 1 }; print "\a"; <STDIN>"#;
    let id = api.run(&["perl", "-e", program].map(str::to_owned));
    wait_for_need(&api, &id);
    let worked = api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "USR1" }));
    assert_eq!(worked.status, 200, "{worked}");
    wait_for_nobody(&api, &id);
}

#[test]
fn a_need_outlives_the_server() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = asks(&api, r"\033]9;still here?\a");
    wait_for_need(&api, &id);
    quarterdeck.kill_server();
    assert_eq!(wait_for_need(&api, &id), "still here?");
    assert_eq!(api.input(&id, b"yes\n").status, 200);
    wait_for_nobody(&api, &id);
}

#[test]
fn an_end_leaves_no_need_behind() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = asks(&api, r"\a");
    wait_for_need(&api, &id);
    let killed = api.post(&format!("/api/sessions/{id}/signal"), &json!({ "signal": "KILL", "scope": "session" }));
    assert_eq!(killed.status, 200, "{killed}");
    assert_eq!(wait_for_nobody(&api, &id)["status"], "error");
}

#[test]
fn silence_for_a_long_time_is_told_and_output_ends_it() {
    let quarterdeck = Quarterdeck::with(&["--stuck-after", "300ms"]);
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let id = api.shell("echo begin; read line; while :; do echo busy; sleep 0.05; done");
    api.wait_for(&id, "stuck", |session| session["isStuck"] == json!(true) && session["status"] == "active");
    client.wait_until("told", |view| view.of_type("session.status").any(|m| m["isStuck"] == json!(true)));
    assert_eq!(api.input(&id, b"\n").status, 200);
    api.wait_for(&id, "stuck no more", |session| session["isStuck"] == json!(false));
}

#[test]
fn nobody_is_stuck_who_needs_a_person_or_without_a_limit() {
    let quarterdeck = Quarterdeck::with(&["--stuck-after", "300ms"]);
    let api = quarterdeck.api();
    let (asking, silent) = (asks(&api, r"\a"), api.shell("exec sleep 1000"));
    wait_for_need(&api, &asking);
    api.wait_for(&silent, "stuck", |session| session["isStuck"] == json!(true));
    assert_eq!(api.session(&asking)["isStuck"], json!(false));
}

/// A shell that runs what it is told in lines of input, with our binary at hand.
fn told_shell(api: &Api) -> String {
    let id = api.shell("stty -echo; printf R; while IFS= read -r line; do eval \"$line\"; echo \"[$?]\"; done");
    api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(1));
    id
}

fn tell(api: &Api, id: &str, line: &str) {
    assert_eq!(api.input(id, format!("{line}\n").as_bytes()).status, 200);
}

#[test]
fn a_program_that_speaks_for_itself_is_believed() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = told_shell(&api);
    tell(&api, &id, &format!("{BINARY} notify --needs-input 'Which one?'"));
    assert_eq!(wait_for_need(&api, &id), "Which one?");
    // What another session says is not about this one, and a bell is nothing to a program that speaks.
    let other = told_shell(&api);
    tell(&api, &other, &format!("{BINARY} notify --status waiting"));
    assert_eq!(wait_for_need(&api, &other), "Waits for input");
    assert_eq!(wait_for_need(&api, &id), "Which one?");
    tell(&api, &id, &format!("printf '\\a'; {BINARY} notify --status active; printf '\\a'"));
    wait_for_nobody(&api, &id);
}

#[test]
fn a_word_is_heard_beside_output_that_never_pauses() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell(&format!("yes & read go; {BINARY} notify --needs-input 'Stop this?'; wait"));
    api.wait_for(&id, "in full flood", |session| session["outputOffset"].as_u64() > Some(1 << 20));
    tell(&api, &id, "go");
    assert_eq!(wait_for_need(&api, &id), "Stop this?");
}

#[test]
fn the_notify_socket_serves_nothing_else_and_nobody_without_a_ticket() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = told_shell(&api);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    let forged = format!("QUARTERDECK_NOTIFY_TOKEN=00000000000000000000000000000000 {BINARY} notify --status waiting");
    let lines = [
        (forged.as_str(), "does not say of which session"),
        (&format!("env -u QUARTERDECK_NOTIFY_TOKEN {BINARY} notify --status waiting"), "not inside a session"),
        (&format!("{BINARY} ls --socket $QUARTERDECK_NOTIFY_SOCKET"), "Nothing is served at /api/sessions"),
        (&format!("{BINARY} notify"), "--needs-input"),
    ];
    for (line, answer) in lines {
        tell(&api, &id, line);
        client.wait_until(answer, |view| view.text(&id).contains(answer));
    }
    assert_eq!(api.session(&id)["needsInput"], json!(false));
}
