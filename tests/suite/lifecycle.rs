//! Beginning, end and resumption of sessions.

use serde_json::json;

use crate::support::http::{id_of, pid_of};
use crate::support::payload::{self, assert_same, shell};
use crate::support::process::{children, marked, wait_until_none_marked};
use crate::support::{Form, Quarterdeck, eventually};

#[test]
fn the_exit_comes_after_the_last_byte() {
    let quarterdeck = Quarterdeck::start();
    for (n, form) in [Form::Json, Form::Binary, Form::Acked].into_iter().enumerate() {
        let written = payload::text(n as u64, 2 << 20);
        let path = payload::file(quarterdeck.dir(), "payload", &written);
        let id = quarterdeck.api().run(&payload::stream(&path));
        let mut client = quarterdeck.connect(form);
        client.attach(&id);
        client.begin(&id);
        // The view itself fails on output behind the exit.
        let exit = client.wait_for_exit(&id);
        assert_eq!(exit["offset"], json!(written.len() + 1));
        assert_same(&client.view.bytes(&id)[1..], &written);
        client.round_trip();
        assert_eq!(client.view.terminal(&id).exits.len(), 1);
        quarterdeck.api().remove(&id);
    }
}

#[test]
fn a_resumed_session_counts_its_offsets_on() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let created = api.create(&json!({
        "name": "again", "cols": 90, "rows": 20, "env": { "WORD": "life" },
        "command": shell("stty raw -echo; printf \"$WORD of $(stty size). \"; exit 5"),
    }));
    let id = id_of(&created);
    let life = "life of 20 90. ";
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    for n in 1..=3 {
        client.wait_until("this life ended", |view| view.terminals[&id].exits.len() == n);
        assert_eq!(client.view.text(&id), life.repeat(n));
        let exit = client.view.terminal(&id).exits[n - 1].clone();
        assert_eq!((exit["exitCode"].clone(), exit["offset"].clone()), (json!(5), json!(life.len() * n)));
        client.view.terminal(&id).expect_new_life();
        if n == 1 {
            let session = api.post("/api/sessions/again/resume", &json!({})).json_of(200)["session"].clone();
            assert_eq!(session["id"], json!(id));
        } else if n == 2 {
            client.send(&json!({ "type": "session.resume", "sessionId": id }));
        }
    }
    let session = api.session(&id);
    assert_eq!(session["outputOffset"], json!(life.len() * 3));
    assert_eq!(session["createdAt"], created["createdAt"]);
}

#[test]
fn two_resumes_at_once_start_one_process() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("echo started >> log; read line");
    let _ = api.input(&id, b"\n").json_of(200);
    api.wait_for_exit(&id);
    let path = format!("/api/sessions/{id}/resume");
    let replies: Vec<_> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| api.post(&path, &json!({})));
        [ask(), ask()].into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let mut refused = 0;
    for reply in replies {
        if reply.status == 200 {
            assert_eq!(reply.json_of(200)["session"]["id"], json!(id));
        } else {
            reply.error(409, "ALREADY_RUNNING");
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    let log = eventually("the second life wrote its line", || {
        std::fs::read_to_string(quarterdeck.dir().join("log")).ok().filter(|log| log.lines().count() >= 2)
    });
    assert_eq!(log, "started\nstarted\n");
    assert_eq!(children(quarterdeck.init).len(), 2, "more than the server and one session");
}

#[test]
fn a_running_session_is_not_resumed() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("exec sleep 1000");
    let pid = pid_of(&api.session(&id));
    api.post(&format!("/api/sessions/{id}/resume"), &json!({})).error(409, "ALREADY_RUNNING");
    let mut client = quarterdeck.connect(Form::Json);
    client.send(&json!({ "type": "session.resume", "sessionId": id }));
    assert_eq!(client.next_error()["code"], json!("ALREADY_RUNNING"));
    assert_eq!(pid_of(&api.session(&id)), pid);
}

#[test]
fn delete_ends_children_too_and_those_who_ignore_term_after_the_grace() {
    let quarterdeck = Quarterdeck::with(&["--stop-grace", "300ms"]);
    let api = quarterdeck.api();
    let id = api.shell(
        "sleep 1001 & setsid sleep 1002 & (trap '' TERM HUP; exec sleep 1003) & (trap '' TERM HUP; setsid sleep 1004) & \
         trap '' TERM HUP; echo ready; while :; do sleep 0.1; done",
    );
    let mark = format!("QUARTERDECK_SESSION_ID={id}");
    eventually("all children run", || {
        let names: String = marked(&mark).into_iter().map(|(_, name)| name).collect();
        (1001..=1004).all(|n| names.contains(&format!("sleep {n}"))).then_some(())
    });
    api.remove(&id);
    assert_eq!(marked(&mark), []);
    api.get(&format!("/api/sessions/{id}")).error(404, "NOT_FOUND");
    assert_eq!(children(quarterdeck.init).len(), 1, "somebody was not reaped");
}

#[test]
fn when_the_program_ends_nothing_of_its_session_stays() {
    let quarterdeck = Quarterdeck::with(&["--stop-grace", "300ms"]);
    let api = quarterdeck.api();
    let id =
        api.shell("(trap '' HUP TERM; exec sleep 1001) & setsid sleep 1002 & nohup sleep 1003 >/dev/null & exit 6");
    let session = api.wait_for_exit(&id);
    assert_eq!(session["exitCode"], json!(6));
    wait_until_none_marked(&format!("QUARTERDECK_SESSION_ID={id}"));
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(6));
}

#[test]
fn a_session_is_found_by_id_by_name_and_by_its_aliases() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let session = api.create(&json!({ "name": "My-Name-1", "command": shell("exec sleep 1000") }));
    let id = id_of(&session);
    let keys = ["id", "name", "status", "command", "workingDirectory", "cols", "rows", "createdAt", "lastActivity"];
    let more = ["needsInput", "isStuck", "outputOffset", "oldestOffset", "clients", "ptyPid", "startedAt"];
    for key in keys.iter().chain(&more) {
        assert!(!session[key].is_null(), "no {key} in {session}");
    }
    let parts: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!((parts, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"), "no UUID v4: {id}");
    for path in [&id, "My-Name-1", &format!("{id}/status"), "My-Name-1/status"] {
        assert_eq!(api.session(path)["id"], json!(id));
    }
    for time in ["createdAt", "startedAt", "lastActivity"] {
        let text = session[time].as_str().unwrap_or_default();
        assert!(text.len() == 24 && text.ends_with('Z') && &text[19..20] == ".", "{time}: {text}");
    }
    api.remove("My-Name-1");
    let second = id_of(&api.create(&json!({ "name": "My-Name-1", "command": ["sleep", "1000"] })));
    assert_ne!(second, id);
    assert_eq!(api.delete(&format!("/api/sessions/{second}/cleanup")).json_of(200), json!({ "success": true }));
}

#[test]
fn names_left_out_are_the_lowest_free_numbers() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let make = || api.create(&json!({ "command": ["sleep", "1000"] }))["name"].as_str().unwrap().to_owned();
    assert_eq!([make(), make(), make()], ["session-1", "session-2", "session-3"]);
    api.remove("session-2");
    assert_eq!([make(), make()], ["session-2", "session-4"]);
}
