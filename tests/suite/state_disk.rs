//! Disks that are full, read-only or not there: sessions go on, one warning
//! says what to do, and the state is saved again as soon as it can be.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::process;
use crate::support::scene::Guest;
use crate::support::{Quarterdeck, Setup, eventually};

const TROUBLE: &str = "The state of the sessions is not saved; they go on, but a restart of the container would not \
                       bring back what changes from now on";
const OVER: &str = "The state of the sessions is saved again";

/// Waits for the warning; its reason.
fn reason(quarterdeck: &Quarterdeck) -> String {
    let warned = quarterdeck.log().wait_for_message(TROUBLE);
    assert_eq!(warned["level"], json!("warn"));
    warned["reason"].as_str().expect("a reason").to_owned()
}

fn count(quarterdeck: &Quarterdeck, message: &str) -> usize {
    quarterdeck.log().entries().iter().filter(|entry| entry["message"] == message).count()
}

/// Asserts that sessions are made and ended as ever.
fn assert_sessions_work(quarterdeck: &Quarterdeck) {
    let api = quarterdeck.api();
    let id = api.shell("exit 5");
    assert_eq!(api.wait_for_exit(&id)["exitCode"], json!(5));
    api.remove(&id);
}

/// Runs shell commands where init sees them.
fn inside(quarterdeck: &Quarterdeck, script: &str) {
    let mut shell = Guest::command(quarterdeck).expect("namespaces: this test needs root, or user namespaces");
    let output = shell.args(["sh", "-c", script]).output().expect("nsenter(1)");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The state file as init sees it.
fn file_inside(quarterdeck: &Quarterdeck) -> PathBuf {
    let dir = quarterdeck.dir().strip_prefix("/").expect("an absolute path");
    PathBuf::from(format!("/proc/{}/root", quarterdeck.init)).join(dir).join("state/sessions.json")
}

/// Starts with a file system of its own for the state.
fn with_disk(options: &str) -> Quarterdeck {
    let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory");
    let state = dir.path().join("state");
    fs::create_dir(&state).expect("a directory");
    let before = format!("mount -t tmpfs -o {options} tmpfs {}", state.display());
    let args = ["--state-dir", &state.display().to_string()];
    Quarterdeck::launch_in(dir, &Setup { args: &args, before: &before, pid1: true, ..Setup::default() })
}

fn wait_for_names(quarterdeck: &Quarterdeck, names: &[&str]) {
    eventually(&format!("the file has {names:?}"), || {
        let file: Value = serde_json::from_slice(&fs::read(file_inside(quarterdeck)).ok()?).expect("a whole file");
        let sessions = file["sessions"].as_array().expect("a list").iter();
        (sessions.map(|session| session["name"].as_str().unwrap_or("")).collect::<Vec<_>>() == names).then_some(())
    });
}

#[test]
fn a_full_disk_costs_no_byte_of_what_is_saved_and_is_got_over() {
    let quarterdeck = with_disk("size=64k");
    let make = |name: &str| drop(quarterdeck.api().create(&json!({ "name": name, "command": ["cat"] })));
    make("before");
    wait_for_names(&quarterdeck, &["before"]);
    let state = quarterdeck.dir().join("state").display().to_string();
    inside(&quarterdeck, &format!("cat /dev/zero >{state}/filler 2>/dev/null; [ -s {state}/filler ]"));
    let before = fs::read(file_inside(&quarterdeck)).expect("the file");

    make("meanwhile");
    let reason = reason(&quarterdeck);
    assert!(reason.contains("No space left") && reason.contains("free space") && reason.contains(&state), "{reason}");
    assert_sessions_work(&quarterdeck);
    assert_eq!(fs::read(file_inside(&quarterdeck)).expect("the file"), before);
    assert!(!file_inside(&quarterdeck).with_file_name("sessions.json.new").exists(), "half a file is left");

    inside(&quarterdeck, &format!("rm {state}/filler"));
    quarterdeck.log().wait_for_message(OVER);
    wait_for_names(&quarterdeck, &["before", "meanwhile"]);
    assert_eq!((count(&quarterdeck, TROUBLE), count(&quarterdeck, OVER)), (1, 1));
}

#[test]
fn a_read_only_disk_is_told_at_the_start_and_got_over() {
    let quarterdeck = with_disk("ro");
    let reason = reason(&quarterdeck);
    assert!(reason.contains("Read-only file system") && reason.contains("--state-dir"), "{reason}");
    assert_sessions_work(&quarterdeck);
    quarterdeck.api().create(&json!({ "name": "kept", "command": ["cat"] }));
    inside(&quarterdeck, &format!("mount -o remount,rw {}", quarterdeck.dir().join("state").display()));
    quarterdeck.log().wait_for_message(OVER);
    wait_for_names(&quarterdeck, &["kept"]);
}

#[test]
fn a_directory_that_cannot_be_made_is_told_at_the_start_and_got_over() {
    let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory");
    let in_the_way = dir.path().join("no-directory");
    fs::write(&in_the_way, "").expect("a file");
    let state = in_the_way.join("state");
    let quarterdeck = Quarterdeck::with(&["--state-dir", &state.display().to_string()]);
    let reason = reason(&quarterdeck);
    assert!(reason.contains(&state.display().to_string()) && reason.contains("Not a directory"), "{reason}");
    assert_sessions_work(&quarterdeck);
    fs::remove_file(&in_the_way).expect("removed");
    quarterdeck.log().wait_for_message(OVER);
    eventually("there is a file", || state.join("sessions.json").exists().then_some(()));
}

#[test]
fn a_directory_that_is_removed_is_made_again_and_nothing_in_another_one_is_overwritten() {
    let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory");
    let (state, moved) = (dir.path().join("state"), dir.path().join("moved"));
    let file = state.join("sessions.json");
    let args = ["--state-dir", &state.display().to_string(), "--history", "0"];
    let quarterdeck = Quarterdeck::launch_in(dir, &Setup { args: &args, ..Setup::default() });
    let wait_for = |name: &str| {
        let is_in = || fs::read_to_string(&file).is_ok_and(|text| text.contains(name)).then_some(());
        eventually("the file tells of it", is_in);
    };
    wait_for("sessions");
    fs::remove_dir_all(&state).expect("removed");
    quarterdeck.api().create(&json!({ "name": "after-that", "command": ["cat"] }));
    wait_for("after-that");

    fs::rename(&state, &moved).expect("moved");
    fs::create_dir(&state).expect("another directory");
    fs::write(&file, "of another quarterdeck").expect("a file");
    quarterdeck.api().create(&json!({ "name": "in-its-place", "command": ["cat"] }));
    wait_for("in-its-place");
    let entries = fs::read_dir(&state).expect("a directory").map(|entry| entry.expect("an entry").path());
    let texts: Vec<String> = entries.map(|path| fs::read_to_string(path).expect("text")).collect();
    assert!(texts.iter().any(|text| text == "of another quarterdeck"), "{texts:?}");
}

fn limit_files_of_the_server(quarterdeck: &Quarterdeck, limit: &str) {
    assert!(process::set_limit(quarterdeck.server(), &format!("--fsize={limit}")), "{limit} was refused");
}

#[test]
fn a_limit_on_the_size_of_files_ends_nobody() {
    let quarterdeck = Quarterdeck::start();
    quarterdeck.wait_for_state("there is a file", <[Value]>::is_empty);
    limit_files_of_the_server(&quarterdeck, "1000:");
    let long = "x".repeat(3000);
    quarterdeck.api().create(&json!({ "name": "long", "command": ["cat"], "env": { "LONG": long } }));
    let reason = reason(&quarterdeck);
    assert!(reason.contains("File too large"), "{reason}");
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["serverRestarts"], json!(0));
    limit_files_of_the_server(&quarterdeck, "unlimited:");
    quarterdeck.log().wait_for_message(OVER);
    quarterdeck.wait_for_state("the long one is kept", |sessions| sessions.len() == 1);
}

#[test]
fn what_was_deleted_while_nothing_could_be_saved_does_not_come_back_with_the_next_server() {
    let mut quarterdeck = Quarterdeck::start();
    for name in ["stays", "goes"] {
        quarterdeck.api().create(&json!({ "name": name, "command": ["cat"] }));
    }
    quarterdeck.stop();
    quarterdeck.start_again(&Setup::default());
    assert_eq!(quarterdeck.api().get("/health").status, 200);
    limit_files_of_the_server(&quarterdeck, "10:");
    quarterdeck.api().remove("goes");
    reason(&quarterdeck);
    assert!(fs::read_to_string(quarterdeck.state_file()).expect("the file").contains("goes"));
    quarterdeck.kill_server();
    quarterdeck.wait_for_state("it is gone", |sessions| sessions.len() == 1);
    let list = quarterdeck.api().get("/api/sessions").json_of(200);
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(1), "{list}");
}

#[test]
fn a_state_that_was_not_saved_until_the_end_is_an_error() {
    let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory");
    let unwritable = dir.path().join("file");
    fs::write(&unwritable, "").expect("a file");
    let args = ["--state-dir", &unwritable.display().to_string()];
    let mut quarterdeck = Quarterdeck::launch_in(dir, &Setup { args: &args, ..Setup::default() });
    reason(&quarterdeck);
    assert_eq!(quarterdeck.stop().code(), Some(0));
    let lost = "The state of the sessions could not be saved";
    assert_eq!(quarterdeck.log().wait_for_message(lost)["level"], json!("error"));
}
