//! The log: JSON lines with flat camelCase fields.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Quarterdeck, Setup, eventually};

/// Asserts what holds for every line.
#[track_caller]
fn check(entry: &Value) {
    let Some(fields) = entry.as_object() else { panic!("not a JSON object: {entry}") };
    let time = entry["timestamp"].as_str().unwrap_or_default();
    assert!(time.len() == 24 && &time[10..11] == "T" && &time[19..20] == "." && time.ends_with('Z'), "time: {entry}");
    let level = entry["level"].as_str().unwrap_or_default();
    assert!(["error", "warn", "info", "debug"].contains(&level), "level: {entry}");
    assert!(entry["message"].as_str().is_some_and(|text| !text.is_empty()), "message: {entry}");
    for (name, value) in fields {
        let camel =
            name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(camel && !value.is_object() && !value.is_array(), "field {name}: {entry}");
    }
}

/// A life with something to say in it.
fn live(quarterdeck: &mut Quarterdeck) {
    let api = quarterdeck.api();
    let id = api.shell("exit 3");
    api.wait_for_exit(&id);
    api.remove(&id);
    quarterdeck.kill_server();
    eventually("the next server answers", || (api.get("/health").status == 200).then_some(()));
    quarterdeck.stop();
}

#[test]
fn every_line_is_json_with_time_level_message_and_flat_fields() {
    let mut quarterdeck = Quarterdeck::with(&["--log-level", "debug"]);
    live(&mut quarterdeck);
    let entries = quarterdeck.log().entries();
    assert!(entries.len() >= 5, "{entries:?}");
    entries.iter().for_each(check);
}

#[test]
fn log_files_hold_json_lines_too() {
    let logs = tempfile::tempdir().expect("a temporary directory");
    let path = logs.path().display().to_string();
    let mut quarterdeck = Quarterdeck::with(&["--log-dir", &path]);
    live(&mut quarterdeck);
    let files: Vec<_> = std::fs::read_dir(logs.path()).expect("the directory").map(|e| e.unwrap().path()).collect();
    assert!(!files.is_empty(), "no log file");
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).expect("a log file")).collect();
    assert!(text.lines().count() >= 1, "empty log files");
    for line in text.lines() {
        check(&serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    }
}

#[test]
fn the_level_holds_back_what_matters_less() {
    let setup = Setup { args: &["--log-level", "error"], silent: true, ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup);
    quarterdeck.kill_server();
    assert_eq!(quarterdeck.command(&["health"]).status.code(), Some(0));
    quarterdeck.stop();
    let entries = quarterdeck.log().entries();
    assert!(entries.iter().all(|entry| entry["level"] == "error"), "{entries:?}");
}

#[test]
fn the_log_tells_of_the_killed_server() {
    let mut quarterdeck = Quarterdeck::start();
    live(&mut quarterdeck);
    quarterdeck.log().wait_for("the death of the server", |entry| {
        entry["level"] == "warn" && entry["message"].as_str().unwrap_or_default().contains("API server ended")
    });
}

#[test]
fn secrets_given_to_sessions_are_not_logged() {
    let mut quarterdeck = Quarterdeck::with(&["--log-level", "debug"]);
    let api = quarterdeck.api();
    let id = api.run(&["sh".into(), "-c".into(), "read line".into()]);
    let _ = api.input(&id, b"typed-secret\n").json_of(200);
    api.wait_for_exit(&id);
    api.create(&serde_json::json!({ "command": ["true"], "env": { "KEY": "env-secret" } }));
    quarterdeck.stop();
    let log = quarterdeck.log().lines().join("\n");
    assert!(!log.contains("typed-secret") && !log.contains("env-secret"), "{log}");
}

/// What logrotate does: the file is moved away, then the program is told.
#[test]
fn after_hup_a_log_file_that_was_moved_away_is_begun_anew() {
    let logs = tempfile::tempdir().expect("a temporary directory");
    let path = logs.path().display().to_string();
    let quarterdeck = Quarterdeck::with(&["--log-dir", &path]);
    let files = || {
        let entries =
            std::fs::read_dir(logs.path()).expect("the directory").map(|entry| entry.expect("an entry").path());
        entries.filter(|path| path.extension().is_some_and(|end| end == "log")).collect::<Vec<_>>()
    };
    let [file] = &eventually("there is a file", || Some(files()).filter(|files| files.len() == 1))[..] else {
        panic!("one file expected")
    };
    let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    eventually("it has lines", || read(file).contains("API server started").then_some(()));
    let moved = logs.path().join("moved-away");
    std::fs::rename(file, &moved).expect("renamed");
    quarterdeck.signal(Signal::SIGHUP);
    // A day may have ended in between, and then the new file has another name.
    eventually("the new file has lines", || {
        files().iter().any(|file| read(file).contains("Log files opened again")).then_some(())
    });
    let before = read(&moved);
    assert!(before.contains("API server started") && !before.contains("Log files opened again"), "{before}");
    quarterdeck.kill_server();
    eventually("the next server writes there too", || {
        files().iter().any(|file| read(file).contains("API server started")).then_some(())
    });
    assert_eq!(read(&moved), before);
}

#[test]
fn hup_without_log_files_changes_nothing() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    assert_eq!(api.get("/health").status, 200);
    quarterdeck.signal(Signal::SIGHUP);
    quarterdeck.log().wait_for("a word about it", |entry| {
        entry["message"].as_str().is_some_and(|text| text.contains("logging to stderr only"))
    });
    assert_eq!(api.get("/api/health").json_of(200)["serverRestarts"], serde_json::json!(0));
}
