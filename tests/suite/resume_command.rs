//! What a resume runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::payload::shell;
use crate::support::{Quarterdeck, Setup};

/// Starts with a program named `name` on PATH that shows the words it was
/// started with.
fn with_program(name: &str, args: &[&str]) -> Quarterdeck {
    let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory");
    let program = dir.path().join(name);
    fs::write(&program, "#!/bin/sh\necho \"$(basename \"$0\") $*.\"\n").expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    Quarterdeck::launch_in(dir, &Setup { args, env: &[("PATH", &path)], ..Setup::default() })
}

/// Runs it to its end and again, and gives what both lives printed.
fn two_lives(quarterdeck: &Quarterdeck, request: &Value) -> String {
    let api = quarterdeck.api();
    let session = api.create(request);
    let id = id_of(&session);
    let drained = |session: &Value| session["outputComplete"] == json!(true);
    api.wait_for(&id, "over", drained);
    let resumed = api.post(&format!("/api/sessions/{id}/resume"), &json!({})).json_of(200);
    assert_eq!(resumed["session"]["command"], session["command"], "the command stays the one it was made with");
    api.wait_for(&id, "over again", drained);
    let output = api.get(&format!("/api/sessions/{id}/output")).bytes_of(200);
    String::from_utf8(output).expect("text").replace("\r\n", " ")
}

#[test]
fn claude_goes_on_where_it_was() {
    let quarterdeck = with_program("claude", &["--session-command", "claude --model 'big one'"]);
    let said = two_lives(&quarterdeck, &json!({}));
    assert_eq!(said, "claude --model big one. claude --model big one --continue. ");
    let said = two_lives(&quarterdeck, &json!({ "command": ["claude", "hello"] }));
    assert_eq!(said, "claude hello. claude hello. ", "somebody asked for exactly this");
}

#[test]
fn another_session_command_runs_as_it_is() {
    let quarterdeck = with_program("agent", &["--session-command", "agent 1"]);
    assert_eq!(two_lives(&quarterdeck, &json!({})), "agent 1. agent 1. ");
}

#[test]
fn the_flag_replaces_the_session_command_alone() {
    let quarterdeck =
        with_program("agent", &["--session-command", "agent 1", "--resume-command", "agent --last '2 3'"]);
    assert_eq!(two_lives(&quarterdeck, &json!({})), "agent 1. agent --last 2 3. ");
    let said = two_lives(&quarterdeck, &json!({ "command": shell("echo own") }));
    assert_eq!(said, "own own ");
}

#[test]
fn it_is_known_after_a_restart_of_the_container_too() {
    let mut quarterdeck = Quarterdeck::start();
    let id = id_of(&quarterdeck.api().create(&json!({ "name": "made-by-default" })));
    quarterdeck.stop();
    let env = [("QUARTERDECK_RESUME_COMMAND", "sh -c 'echo again; exit 6'")];
    quarterdeck.start_again(&Setup { env: &env, ..Setup::default() });
    let api = quarterdeck.api();
    api.post(&format!("/api/sessions/{id}/resume"), &json!({})).json_of(200);
    let ended = api.wait_for_exit(&id);
    assert_eq!((&ended["exitCode"], &ended["command"]), (&json!(6), &json!(["/bin/bash"])));
}
