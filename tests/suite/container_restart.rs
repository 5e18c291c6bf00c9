//! The container ends, politely or not, and is started again in the same
//! state directory: its sessions are known and can be resumed.

use std::fs;

use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::payload::shell;
use crate::support::{Api, Form, Quarterdeck, Setup};

/// How a container may end.
const ENDS: [fn(&mut Quarterdeck); 2] =
    [|quarterdeck| assert_eq!(quarterdeck.stop().code(), Some(0)), |quarterdeck| quarterdeck.kill()];

/// Makes four sessions, one of which has ended.
fn four(quarterdeck: &Quarterdeck) -> Vec<Value> {
    let api = quarterdeck.api();
    fs::create_dir_all(quarterdeck.dir().join("a place, ä")).expect("a directory");
    let show = "printf '%s|%s|%s|%s\\n' \"$PWD\" \"$COLOUR\" \"$QUARTERDECK_SESSION_NAME\" \"$(stty size)\"; exec cat";
    let asked = [
        json!({ "name": "with-everything", "command": shell(show), "cwd": "a place, ä",
                "env": { "COLOUR": "blue \"and\"\nred" }, "cols": 101, "rows": 33 }),
        json!({ "command": shell("exit 3") }),
        json!({}),
        json!({ "name": "plain", "command": shell(show) }),
    ];
    let ids: Vec<String> = asked.iter().map(|request| id_of(&api.create(request))).collect();
    api.wait_for_exit(&ids[1]);
    quarterdeck.wait_for_state("there are four sessions and one has ended", |sessions| {
        sessions.len() == 4 && sessions.iter().any(|session| session["lastExit"]["exitCode"] == json!(3))
    });
    ids.iter().map(|id| api.session(id)).collect()
}

fn list(api: &Api) -> Vec<Value> {
    api.get("/api/sessions").json_of(200)["sessions"].as_array().expect("a list").clone()
}

/// What a session is, whatever happened to it.
fn identity(session: &Value) -> Value {
    let fields = ["id", "name", "command", "workingDirectory", "cols", "rows", "createdAt", "startedAt"];
    fields.iter().map(|field| session[field].clone()).collect()
}

#[test]
fn sessions_come_back_idle_with_all_that_they_are() {
    for end in ENDS {
        let mut quarterdeck = Quarterdeck::start();
        let before = four(&quarterdeck);
        end(&mut quarterdeck);
        quarterdeck.start_again(&Setup::default());
        let after = list(&quarterdeck.api());
        assert_eq!(after.iter().map(identity).collect::<Vec<_>>(), before.iter().map(identity).collect::<Vec<_>>());
        for session in &after {
            assert_eq!((&session["status"], &session["ptyPid"]), (&json!("idle"), &Value::Null), "{session}");
            assert!(session["lastActivity"].as_str() >= session["createdAt"].as_str(), "{session}");
            assert_eq!(session["outputComplete"], json!(true), "{session}");
        }
        assert_eq!(after[1]["exitCode"], json!(3));
    }
}

#[test]
fn a_resumed_session_runs_in_the_place_it_ran_in() {
    for end in ENDS {
        let mut quarterdeck = Quarterdeck::start();
        let before = four(&quarterdeck);
        end(&mut quarterdeck);
        quarterdeck.start_again(&Setup::default());
        let api = quarterdeck.api();
        for session in &before {
            let resumed = api.post(&format!("/api/sessions/{}/resume", id_of(session)), &json!({})).json_of(200);
            assert_eq!((&resumed["session"]["id"], &resumed["session"]["name"]), (&session["id"], &session["name"]));
        }
        let mut client = quarterdeck.connect(Form::Json);
        let place = quarterdeck.dir().join("a place, ä").display().to_string();
        for (at, shown) in [
            (0, format!("{place}|blue \"and\"\r\nred|with-everything|33 101")),
            (3, format!("{}||plain|24 80", quarterdeck.dir().display())),
        ] {
            let id = id_of(&before[at]);
            client.attach(&id);
            client.wait_until("it shows its place", |view| view.text(&id).contains(&shown));
            assert_eq!(api.session(&id)["status"], json!("active"));
        }
        api.wait_for(&id_of(&before[1]), "over again", |session| session["status"] == json!("error"));
    }
}

#[test]
fn what_ended_with_the_container_says_so_and_what_was_killed_with_it_says_nothing() {
    for (end, is_known) in ENDS.into_iter().zip([true, false]) {
        let mut quarterdeck = Quarterdeck::start();
        let id = id_of(&four(&quarterdeck)[3]);
        end(&mut quarterdeck);
        quarterdeck.start_again(&Setup::default());
        let session = quarterdeck.api().session(&id);
        let reason = session["exitReason"].as_str();
        assert_eq!(reason.is_some_and(|text| text.starts_with("stopped with the container")), is_known, "{session}");
        assert_eq!(session["signal"].is_string(), is_known, "{session}");
    }
}

#[test]
fn who_attaches_to_an_idle_session_hears_of_its_end_and_may_resume_it() {
    let mut quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = id_of(&api.create(&json!({ "command": shell("[ -e there ] && echo back; touch there; exit 4") })));
    api.wait_for_exit(&id);
    quarterdeck.stop();
    quarterdeck.start_again(&Setup::default());
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(4));
    client.view.terminals.get_mut(&id).expect("attached").expect_new_life();
    client.send(&json!({ "type": "session.resume", "sessionId": id }));
    client.wait_until("the next life is over", |view| view.terminals[&id].exits.len() == 2);
    assert!(client.view.text(&id).ends_with("back\r\n"));
}

#[test]
fn a_second_restart_changes_nothing() {
    let mut quarterdeck = Quarterdeck::start();
    four(&quarterdeck);
    quarterdeck.stop();
    quarterdeck.start_again(&Setup::default());
    let first = list(&quarterdeck.api());
    for end in ENDS {
        end(&mut quarterdeck);
        quarterdeck.start_again(&Setup::default());
        assert_eq!(list(&quarterdeck.api()), first);
    }
}

#[test]
fn a_deleted_session_does_not_come_back() {
    for end in ENDS {
        let mut quarterdeck = Quarterdeck::start();
        let sessions = four(&quarterdeck);
        quarterdeck.api().remove(&id_of(&sessions[0]));
        quarterdeck.kill_server();
        assert_eq!(list(&quarterdeck.api()).len(), 3);
        quarterdeck.wait_for_state("three are left", |sessions| sessions.len() == 3);
        end(&mut quarterdeck);

        quarterdeck.start_again(&Setup::default());
        quarterdeck.api().remove("plain");
        // The server that comes now reads a file that may still have it.
        quarterdeck.kill_server();
        let names: Vec<Value> = list(&quarterdeck.api()).iter().map(|session| session["name"].clone()).collect();
        assert_eq!(names, [json!("session-1"), json!("session-2")]);
        quarterdeck.wait_for_state("two are left", |sessions| sessions.len() == 2);
    }
}

#[test]
fn the_sessions_of_before_count_towards_the_limit_and_are_all_there() {
    let mut quarterdeck = Quarterdeck::start();
    let sessions = four(&quarterdeck);
    quarterdeck.stop();
    quarterdeck.start_again(&Setup { args: &["--max-sessions", "2"], ..Setup::default() });
    let api = quarterdeck.api();
    assert_eq!(list(&api).len(), 4);
    for session in &sessions[..3] {
        api.post("/api/sessions", &json!({})).error(409, "MAX_SESSIONS");
        api.remove(&id_of(session));
    }
    api.create(&json!({}));
    api.post(&format!("/api/sessions/{}/resume", id_of(&sessions[3])), &json!({})).json_of(200);
}

#[test]
fn a_directory_that_is_gone_is_told_in_words_and_the_session_stays_as_it_is() {
    let mut quarterdeck = Quarterdeck::start();
    let id = id_of(&four(&quarterdeck)[0]);
    quarterdeck.stop();
    let (place, elsewhere) = (quarterdeck.dir().join("a place, ä"), quarterdeck.dir().join("elsewhere"));
    fs::rename(&place, &elsewhere).expect("renamed");
    quarterdeck.start_again(&Setup::default());
    let api = quarterdeck.api();
    let before = api.session(&id);
    let resume = || api.post(&format!("/api/sessions/{id}/resume"), &json!({}));
    let error = resume().error(422, "SPAWN_FAILED");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(message.contains(&place.display().to_string()) && message.contains("No such file"), "{error}");
    assert_eq!(error["details"]["stage"], json!("chdir"));
    assert_eq!(api.session(&id), before);
    fs::rename(&elsewhere, &place).expect("renamed");
    resume().json_of(200);
}
