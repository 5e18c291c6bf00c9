//! The client commands but attach, over the Unix socket.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::payload::{self, assert_same, shell};
use crate::support::quarterdeck::output_of;
use crate::support::{Quarterdeck, Seat, eventually, process};

/// What a command that has to succeed printed.
#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command that has to fail said, in one line.
#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("quarterdeck: ") && text.lines().count() == 1, "{text}");
    text
}

#[track_caller]
fn json_of(output: &Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap_or_else(|e| panic!("no JSON ({e}): {output:?}"))
}

#[test]
fn new_starts_what_it_is_told_where_it_is_told() {
    let quarterdeck = Quarterdeck::start();
    std::fs::create_dir(quarterdeck.dir().join("below")).expect("a directory");
    let mut client = quarterdeck.client(&["new", "--name", "one", "--cwd", "below", "-e", "A=1=2", "-e", "B"]);
    client.args(["--", "sh", "-c", "echo $A $B $PWD; exit 3", "--attach"]).env("B", "from here");
    assert_eq!(printed(&output_of(client)), "one\n");
    let session = quarterdeck.api().wait_for_exit("one");
    assert_eq!(session["exitCode"], 3);
    let expected = format!("1=2 from here {}/below\r\n", quarterdeck.dir().canonicalize().expect("a path").display());
    assert_eq!(printed(&quarterdeck.command(&["logs", "one"])), expected);
    let answer = json_of(&quarterdeck.command(&["new", "--json"]));
    assert_eq!(
        (&answer["session"]["name"], &answer["session"]["command"]),
        (&json!("session-1"), &json!(["/bin/bash"]))
    );
    assert!(refused(&quarterdeck.command(&["new", "--name", "one"])).contains("A session named one exists already"));
    let missing = refused(&quarterdeck.command(&["new", "--", "/no/such/program"]));
    assert!(missing.contains("No such file") && missing.contains("Check that the command exists"), "{missing}");
    assert_eq!(quarterdeck.command(&["new", "-e", "NOT_SET_HERE"]).status.code(), Some(2));
    assert_eq!(quarterdeck.command(&["new", "--existing-branch"]).status.code(), Some(2));
}

#[test]
fn the_limit_is_told_in_the_apis_words() {
    let quarterdeck = Quarterdeck::with(&["--max-sessions", "1"]);
    printed(&quarterdeck.command(&["new"]));
    let told = refused(&quarterdeck.command(&["new"]));
    assert!(told.contains("Maximum 1 sessions supported. Destroy a session to create a new one."), "{told}");
}

#[test]
fn ls_shows_each_session_in_a_line_and_the_apis_answer_as_json() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    assert_eq!(printed(&quarterdeck.command(&["ls"])).lines().count(), 1);
    api.create(&json!({ "name": "quiet", "command": ["sleep", "1000"] }));
    let escape = "\u{1b}[2J and 'quotes'";
    api.create(&json!({ "name": "ended", "command": ["sh", "-c", "exit 3", escape] }));
    api.wait_for_exit("ended");
    let used = |session: &Value| session["memoryBytes"].is_number() && session["cpuPercent"].is_number();
    api.wait_for("quiet", "measured", used);
    let text = printed(&quarterdeck.command(&["ls"]));
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAME", "STATUS", "PID", "MEMORY", "CPU", "IDLE", "COMMAND"]);
    let pid = api.session("quiet")["ptyPid"].to_string();
    assert_eq!(lines[1][..3], ["quiet", "active", pid.as_str()], "{text}");
    assert!(lines[1][3].ends_with(['K', 'M']) && lines[1][4].ends_with('%'), "{text}");
    assert_eq!(lines[1][6..], ["sleep", "1000"], "{text}");
    assert_eq!(lines[2][..6], ["ended", "error", "(3)", "-", "-", "-"], "{text}");
    assert!(text.contains("\\u{1b}[2J") && !text.contains('\u{1b}'), "{text:?}");
    assert_eq!(printed(&quarterdeck.command(&["ls", "--quiet"])), "quiet\nended\n");
    let answer = json_of(&quarterdeck.command(&["ls", "--json"]));
    let names: Vec<_> = answer["sessions"].as_array().expect("a list").iter().map(|s| s["name"].clone()).collect();
    assert_eq!(names, ["quiet", "ended"]);
    assert!(answer["generation"].is_number() && answer["sessions"][0]["workingDirectory"].is_string(), "{answer}");
}

#[test]
fn tables_fit_the_terminal() {
    let quarterdeck = Quarterdeck::start();
    let long = "x".repeat(300);
    quarterdeck.api().create(&json!({ "name": "n".repeat(50), "command": ["sh", "-c", "sleep 1000", long] }));
    for cols in [60, 80, 200] {
        let mut seat = Seat::sized(&quarterdeck, &["ls"], cols, 24);
        seat.ends_with(0);
        let shown = seat.terminal.shown();
        let lines: Vec<String> = shown.lines().map(plain).collect();
        assert_eq!(lines.len(), 2, "{shown}");
        assert!(lines.iter().all(|line| line.chars().count() <= cols.into()), "{cols}: {shown}");
        assert_eq!(lines[1].chars().count(), usize::from(cols), "all of it is used: {shown}");
        assert!(lines[1].ends_with('…'), "{shown}");
    }
    let whole = printed(&quarterdeck.command(&["ls"]));
    assert!(whole.contains(&long) && whole.contains(&"n".repeat(50)), "a pipe has no width: {whole}");
}

/// Without colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn send_types_words_or_what_comes_in() {
    let quarterdeck = Quarterdeck::start();
    let echo = "stty -echo; while read line; do echo \"<$line>\"; done";
    let id = id_of(&quarterdeck.api().create(&json!({ "name": "echo", "command": shell(echo) })));
    let says = |wanted: &str| {
        let has = || String::from_utf8_lossy(&quarterdeck.api().output(&id)).ends_with(wanted).then_some(());
        eventually(&format!("it says {wanted:?}"), has);
    };
    printed(&quarterdeck.command(&["send", "echo", "--enter", "two", "words"]));
    says("<two words>\r\n");
    printed(&quarterdeck.command(&["send", "--enter", &id, "--", "--dashes"]));
    says("<--dashes>\r\n");
    let mut client = quarterdeck.client(&["send", "echo", "-"]);
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the client");
    child.stdin.take().expect("a pipe").write_all("gräßlich\nlast".as_bytes()).expect("the client reads");
    assert!(child.wait().expect("waitpid").success());
    says("<gräßlich>\r\n");
    assert_eq!(json_of(&quarterdeck.command(&["send", "echo", "--enter", "--json"]))["bytesWritten"], 1);
    says("<last>\r\n");
    assert!(refused(&quarterdeck.command(&["send", "nobody", "x"])).contains("`quarterdeck ls`"));
    printed(&quarterdeck.command(&["kill", "-s", "KILL", "echo"]));
    quarterdeck.api().wait_for_exit(&id);
    assert!(refused(&quarterdeck.command(&["send", "echo", "x"])).contains("The session is not running"));
}

#[test]
fn kill_signals_the_session_or_its_foreground() {
    let quarterdeck = Quarterdeck::start();
    let script = "trap 'echo got INT' INT; (trap 'echo child got USR1; exit' USR1; echo up; while :; do sleep 1; done) & \
                  wait; while :; do wait; done";
    let id = id_of(&quarterdeck.api().create(&json!({ "name": "s", "command": shell(script) })));
    let says = |wanted: &str| {
        let has = || String::from_utf8_lossy(&quarterdeck.api().output(&id)).contains(wanted).then_some(());
        eventually(&format!("it says {wanted:?}"), has);
    };
    says("up");
    printed(&quarterdeck.command(&["kill", "--foreground", "--signal", "int", "s"]));
    says("got INT");
    let output = quarterdeck.command(&["kill", "nobody", "s"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nobody"), "{output:?}");
    assert_eq!(quarterdeck.api().wait_for_exit(&id)["signal"], "SIGTERM", "the other one all the same");
    assert!(refused(&quarterdeck.command(&["kill", "s"])).contains("not running"));
    assert_eq!(quarterdeck.command(&["kill", "-s", "LOUD", "s"]).status.code(), Some(2));
}

#[test]
fn rm_ends_and_forgets_resume_starts_again() {
    let quarterdeck = Quarterdeck::start();
    let once = shell("[ -e ran ] && exec sleep 1000; touch ran; exit 4");
    quarterdeck.api().create(&json!({ "name": "twice", "command": once }));
    assert_eq!(quarterdeck.api().wait_for_exit("twice")["exitCode"], 4);
    printed(&quarterdeck.command(&["resume", "twice"]));
    assert_eq!(quarterdeck.api().session("twice")["status"], "active");
    assert!(refused(&quarterdeck.command(&["resume", "twice"])).contains("running already"));
    let pid = quarterdeck.leader("twice");
    assert_eq!(json_of(&quarterdeck.command(&["rm", "twice", "--json"])), json!({ "success": true }));
    assert!(!process::is_alive(pid));
    assert!(refused(&quarterdeck.command(&["rm", "twice"])).contains("There is no session"));
    assert_eq!(quarterdeck.command(&["rm", "--force", "twice"]).status.code(), Some(2), "force what?");
}

#[test]
fn resume_and_new_attach_at_once() {
    let quarterdeck = Quarterdeck::start();
    let mut seat =
        Seat::sized(&quarterdeck, &["new", "-a", "-n", "here", "--", "sh", "-c", "stty size; exit 5"], 91, 17);
    seat.terminal.wait_for("17 91");
    seat.ends_with(5);
    let mut seat = Seat::sized(&quarterdeck, &["resume", "--attach", "here"], 91, 17);
    seat.terminal.wait_for("17 91");
    seat.ends_with(5);
}

#[test]
fn logs_prints_every_byte_that_is_kept() {
    let quarterdeck = Quarterdeck::with(&["--scrollback", "128KiB"]);
    let written = payload::binary(3, 200_000);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let id = quarterdeck.api().run(&payload::cat(&path));
    quarterdeck.api().wait_for_exit(&id);
    let output = quarterdeck.command(&["logs", &id]);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.len() >= 100_000 && written.ends_with(&output.stdout), "{} bytes", output.stdout.len());
    let answer = json_of(&quarterdeck.command(&["logs", "--json", &id]));
    assert_eq!(answer["nextOffset"], json!(written.len()));
    assert_eq!(answer["offset"], json!(written.len() - output.stdout.len()));
}

#[test]
fn logs_follows_until_the_session_ends() {
    let quarterdeck = Quarterdeck::start();
    let written = payload::ascii(8, 3 << 20);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let id = quarterdeck.api().run(&payload::stream(&path));
    let mut client = quarterdeck.client(&["logs", "-f", &id]);
    let child = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the client");
    quarterdeck.api().wait_for(&id, "followed", |session| session["clients"] == json!(1));
    quarterdeck.kill_server();
    assert!(quarterdeck.command(&["send", &id, "!"]).status.success());
    let output = child.wait_with_output().expect("the client ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_same(&output.stdout, &[payload::READY, &written].concat());
}

#[test]
fn logs_on_a_terminal_do_nothing_a_second_time() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell("printf 'a\\033[6n\\033[?25l\\ab'");
    quarterdeck.api().wait_for_exit(&id);
    let mut seat = Seat::run(&quarterdeck, &["logs", &id]);
    seat.ends_with(0);
    assert_eq!(seat.terminal.shown(), "a\x1b[?25lb\x1b[?25h\x1b[m");
    let mut seat = Seat::run(&quarterdeck, &["logs", "--raw", &id]);
    seat.ends_with(0);
    assert_eq!(seat.terminal.shown(), "a\x1b[6n\x1b[?25l\x07b");
}

#[test]
fn top_shows_what_is_used_and_gives_the_screen_back() {
    let quarterdeck = Quarterdeck::start();
    quarterdeck.api().create(&json!({ "name": "quiet", "command": ["sleep", "1000"] }));
    let text = printed(&quarterdeck.command(&["top"]));
    assert!(text.contains("1/4 sessions") && text.contains("memory") && text.contains("quiet"), "{text}");
    let answer = json_of(&quarterdeck.command(&["top", "--json"]));
    assert_eq!((&answer["resources"]["sessionCount"], &answer["sessions"][0]["name"]), (&json!(1), &json!("quiet")));
    for key in ["q", "\x03"] {
        let mut seat = Seat::run(&quarterdeck, &["top"]);
        seat.terminal.wait_for("\x1b[?1049h");
        seat.terminal.wait_for("quiet");
        quarterdeck.kill_server();
        quarterdeck.api().create(&json!({ "name": "another", "command": ["sleep", "1000"] }));
        seat.terminal.wait_for("another");
        seat.terminal.type_text(key);
        seat.ends_with(0);
        assert!(seat.terminal.shown().ends_with("\x1b[?25h\x1b[?1049l"), "{:?}", seat.terminal.shown());
        quarterdeck.api().remove("another");
    }
}

#[test]
fn without_a_running_quarterdeck_each_command_says_so() {
    let mut quarterdeck = Quarterdeck::start();
    quarterdeck.stop();
    for command in ["ls", "new", "attach x", "send x y", "resume x", "top", "logs x", "health"] {
        let words: Vec<&str> = command.split(' ').collect();
        let told = refused(&quarterdeck.command(&words));
        assert!(told.contains("no running quarterdeck found") && told.contains("--socket"), "{command}: {told}");
    }
}

#[test]
fn a_reader_that_has_enough_ends_a_command_without_a_word() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().run(&shell("exec yes 'a flood'"));
    let mut client = quarterdeck.client(&["logs", "-f", &id]);
    let mut child = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the client");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the client ends");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(1), 0), "{output:?}");
}
