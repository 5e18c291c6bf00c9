//! The state file as such: who may read it, when it changes, and what becomes
//! of one that can't be used.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::payload::{self, shell};
use crate::support::{Form, Quarterdeck, Setup, eventually};

/// A stopped one with three sessions in its file, each on a line of its own.
fn stopped() -> (Quarterdeck, Vec<u8>) {
    let mut quarterdeck = Quarterdeck::start();
    for name in ["a", "b", "c"] {
        quarterdeck.api().create(&json!({ "name": name, "command": ["cat"] }));
    }
    assert_eq!(quarterdeck.stop().code(), Some(0));
    let text = fs::read(quarterdeck.state_file()).expect("a state file");
    (quarterdeck, text)
}

/// Starts with this as the state file; the names of the sessions that are there
/// then, after a start and a stop that went as they should.
fn names_from(quarterdeck: &mut Quarterdeck, text: &[u8]) -> Vec<String> {
    fs::write(quarterdeck.state_file(), text).expect("a file");
    quarterdeck.start_again(&Setup::default());
    let list = quarterdeck.api().get("/api/sessions").json_of(200);
    let sessions = list["sessions"].as_array().expect("a list").iter();
    sessions.map(|session| session["name"].as_str().expect("a name").to_owned()).collect()
}

/// Files that were set aside, of this kind.
fn aside(dir: &Path, kind: &str) -> Vec<PathBuf> {
    let start = format!("sessions.json.{kind}-");
    let entries = fs::read_dir(dir).expect("the state directory").map(|entry| entry.expect("an entry").path());
    let is_one = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start));
    entries.filter(is_one).collect()
}

/// Asserts that exactly this was set aside, and that the log names both files.
#[track_caller]
fn assert_set_aside(quarterdeck: &Quarterdeck, kind: &str, text: &[u8]) {
    let found = aside(quarterdeck.dir(), kind);
    let [path] = &found[..] else { panic!("one file expected: {found:?}") };
    assert_eq!(fs::read(path).expect("the file set aside"), text);
    let warned = quarterdeck.log().wait_for("a warning", |entry| entry["setAside"].is_string());
    assert_eq!(warned["level"], json!("warn"));
    assert_eq!(warned["setAside"], json!(path.display().to_string()));
    assert_eq!(warned["file"], json!(quarterdeck.state_file().display().to_string()));
    assert!(warned["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{warned}");
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_file_torn_anywhere_is_set_aside_and_what_is_whole_in_it_is_kept() {
    let (mut quarterdeck, text) = stopped();
    let line_ends: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').collect();
    // The comma behind a session is not part of it.
    let ends = [line_ends[1] - 1, line_ends[2] - 1, line_ends[3]];
    let near_line_ends = line_ends.iter().flat_map(|at| [at - 2, at - 1, *at, at + 1]);
    let spread = (0..8).map(|n| n * text.len() / 8);
    let mut positions: Vec<usize> = near_line_ends.chain(spread).chain([1]).collect();
    positions.sort_unstable();
    positions.dedup();
    for length in positions.into_iter().filter(|length| *length < text.len() - 1) {
        let torn = &text[..length];
        let names = names_from(&mut quarterdeck, torn);
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(names, ["a", "b", "c"][..whole], "torn at {length}");
        assert_set_aside(&quarterdeck, "damaged", torn);
        let id = id_of(&quarterdeck.api().create(&json!({ "name": "new", "command": ["cat"] })));
        eventually("another file is there", || fs::read(quarterdeck.state_file()).ok().filter(|now| now != torn));
        quarterdeck.wait_for_state("it is written again", |sessions| sessions.len() == names.len() + 1);
        quarterdeck.api().remove(&id);
        assert_eq!(quarterdeck.stop().code(), Some(0));
    }
    assert_eq!(names_from(&mut quarterdeck, &text), ["a", "b", "c"]);
}

#[test]
fn one_damaged_session_costs_no_other() {
    let (mut quarterdeck, text) = stopped();
    let damaged = String::from_utf8(text).expect("text").replace("\"name\":\"b\"", "\"name\":\"b/\"");
    assert_eq!(names_from(&mut quarterdeck, damaged.as_bytes()), ["a", "c"]);
    quarterdeck.wait_for_state("it is sound again", |sessions| sessions.len() == 2);
    assert_set_aside(&quarterdeck, "damaged", damaged.as_bytes());
}

#[test]
fn a_session_that_init_does_not_take_costs_no_other_and_is_not_lost() {
    let (mut quarterdeck, text) = stopped();
    let mut file: Value = serde_json::from_slice(&text).expect("JSON");
    file["sessions"][1]["outputOffset"] = json!(u64::MAX);
    let text = file.to_string();
    assert_eq!(names_from(&mut quarterdeck, text.as_bytes()), ["a", "c"]);
    quarterdeck.wait_for_state("the others are kept", |sessions| sessions.len() == 2);
    assert_set_aside(&quarterdeck, "damaged", text.as_bytes());
}

#[test]
fn a_file_of_a_later_version_is_kept_for_that_version() {
    let mut quarterdeck = stopped().0;
    let text = br#"{"version":2,"sessions":{"a":"new form"}}"#;
    assert_eq!(names_from(&mut quarterdeck, text), [""; 0]);
    quarterdeck.wait_for_state("there is one of this version", <[Value]>::is_empty);
    assert_set_aside(&quarterdeck, "newer", text);
}

#[test]
fn a_file_nested_without_end_ends_nobody() {
    let mut quarterdeck = stopped().0;
    let text = format!("{{\"version\":1,\"more\":{}", "[{\"a\":".repeat(50_000));
    assert_eq!(names_from(&mut quarterdeck, text.as_bytes()), [""; 0]);
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["serverRestarts"], json!(0));
    assert_set_aside(&quarterdeck, "damaged", text.as_bytes());
}

#[test]
fn something_else_in_the_files_place_is_set_aside_and_not_waited_for() {
    let (mut quarterdeck, _) = stopped();
    let path = quarterdeck.state_file();
    let pipe = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let directory = |path: &Path| fs::create_dir(path).expect("a directory");
    for make in [&pipe as &dyn Fn(&Path), &directory] {
        fs::remove_file(&path).expect("removed");
        make(&path);
        quarterdeck.start_again(&Setup::default());
        assert_eq!(quarterdeck.api().get("/api/sessions").json_of(200)["sessions"], json!([]));
        quarterdeck.wait_for_state("there is a file", <[Value]>::is_empty);
        assert_eq!(quarterdeck.stop().code(), Some(0));
    }
    assert_eq!(aside(quarterdeck.dir(), "damaged").len(), 2);
}

#[test]
fn it_is_for_us_alone() {
    let home = tempfile::tempdir().expect("a directory");
    let state = home.path().join("new/state");
    let quarterdeck = Quarterdeck::with(&["--state-dir", &state.display().to_string()]);
    quarterdeck.api().create(&json!({ "command": ["cat"], "env": { "KEY": "secret" } }));
    let file = state.join("sessions.json");
    eventually("it is written", || fs::read_to_string(&file).ok().filter(|text| text.contains("secret")));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    // The server has a user of its own where init is root, and gets in by its group.
    let expected = if Uid::effective().is_root() { 0o770 } else { 0o700 };
    assert_eq!((mode(&file), mode(&state)), (0o600, expected));
}

/// What would be another if the file had been written again.
fn version_of(path: &Path) -> (u64, i64, i64) {
    let file = fs::metadata(path).expect("a state file");
    (file.ino(), file.mtime(), file.mtime_nsec())
}

#[test]
fn output_and_clients_alone_never_write_it() {
    let quarterdeck = Quarterdeck::start();
    let written = payload::text(1, 3 << 20);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let script = format!("stty raw -echo; read go; cat {}; printf END; exec cat", path.display());
    let id = quarterdeck.api().shell(&script);
    quarterdeck.wait_for_state("it is there", |sessions| sessions.len() == 1);
    let before = version_of(&quarterdeck.state_file());

    let mut client = quarterdeck.connect(Form::Acked);
    client.attach(&id);
    client.input(&id, "\n");
    client.wait_until("all of it came", |view| view.bytes(&id).ends_with(b"END"));
    quarterdeck.api().post("/api/sweep", &json!({})).json_of(200);
    assert_eq!(version_of(&quarterdeck.state_file()), before);

    // A change that counts is written, so one that was going to be would be by now.
    quarterdeck.api().post(&format!("/api/sessions/{id}/resize"), &json!({ "cols": 99, "rows": 9 })).json_of(200);
    let saved = quarterdeck.wait_for_state("the size is kept", |sessions| {
        sessions.first().is_some_and(|session| session["cols"] == json!(99))
    });
    assert_ne!(version_of(&quarterdeck.state_file()), before);
    assert!(saved[0]["outputOffset"].as_u64() >= Some(3 << 20), "{saved:?}");
}

#[test]
fn many_changes_share_a_write() {
    let quarterdeck = Quarterdeck::start();
    let id = id_of(&quarterdeck.api().create(&json!({ "command": shell("exec cat") })));
    let mut versions = std::collections::BTreeSet::new();
    let begin = std::time::Instant::now();
    for cols in 100..300 {
        quarterdeck.api().post(&format!("/api/sessions/{id}/resize"), &json!({ "cols": cols, "rows": 9 })).json_of(200);
        versions.insert(version_of(&quarterdeck.state_file()));
    }
    let fifths = begin.elapsed().as_millis() / 200;
    assert!(versions.len() as u128 <= fifths + 3, "{} files in {fifths} fifths of a second", versions.len());
    quarterdeck.wait_for_state("the last change is kept", |sessions| {
        sessions.first().is_some_and(|session| session["cols"] == json!(299))
    });
}
