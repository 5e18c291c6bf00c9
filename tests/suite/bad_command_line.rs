//! Wrong command lines: one clear line on stderr and the right exit code.

use std::net::TcpListener;
use std::process::Output;

use tempfile::TempDir;

use crate::support::Quarterdeck;
use crate::support::quarterdeck::{missing, run, run_with};

/// `init` with what every start here needs and `args`.
fn init(dir: &TempDir, args: &[&str], env: &[(&str, &str)]) -> Output {
    let at = dir.path().display().to_string();
    let socket = format!("{at}/api.sock");
    let mut all = vec!["init", "--no-auth", "--socket", &socket, "--state-dir", &at];
    for (flag, value) in [("--listen", "127.0.0.1:0"), ("--workspace", at.as_str())] {
        if !args.contains(&flag) {
            all.extend([flag, value]);
        }
    }
    all.extend(args);
    run_with(all, env).expect("the binary starts")
}

/// Asserts the exit code and that stderr is exactly one line, and returns it.
#[track_caller]
fn one_line(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.ends_with('\n') && text.lines().count() == 1 && text.len() > 10, "not one line: {text:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    text
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn unknown_flags_and_wrong_values_end_with_2_and_one_line() {
    let dir = temporary();
    let wrong: [(&[&str], &str); 15] = [
        (&["--nope"], "--nope"),
        (&["--max-sessions", "0"], "--max-sessions"),
        (&["--max-sessions", "1025"], "--max-sessions"),
        (&["--max-sessions", "four"], "--max-sessions"),
        (&["--max-sessions"], "--max-sessions"),
        (&["--scrollback", "banana"], "--scrollback"),
        (&["--scrollback=-1"], "--scrollback"),
        (&["--stop-grace", "soon"], "--stop-grace"),
        (&["--shutdown-grace", "8 parsecs"], "--shutdown-grace"),
        (&["--log-level", "loud"], "--log-level"),
        (&["--log-format", "xml"], "--log-format"),
        (&["--listen", "nowhere"], "--listen"),
        (&["--listen", "127.0.0.1:99999"], "--listen"),
        (&["--listen", ""], "--listen"),
        (&["--no-auth=maybe"], "--no-auth"),
    ];
    for (args, named) in wrong {
        let line = one_line(&init(&dir, args, &[]), 2);
        assert!(line.contains(named), "{args:?}: {line}");
    }
}

#[test]
fn wrong_environment_variables_end_with_2_and_one_line() {
    let dir = temporary();
    for (name, value) in [("QUARTERDECK_MAX_SESSIONS", "0"), ("QUARTERDECK_LOG_LEVEL", "loud")] {
        let line = one_line(&init(&dir, &[], &[(name, value)]), 2);
        assert!(line.contains(value), "{name}: {line}");
    }
}

#[test]
fn a_missing_workspace_ends_with_2_and_names_it() {
    let dir = temporary();
    let missing = missing(dir.path()).display().to_string();
    let line = one_line(&init(&dir, &["--workspace", &missing], &[]), 2);
    assert!(line.contains(&missing), "{line}");
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let file = file.display().to_string();
    let line = one_line(&init(&dir, &["--workspace", &file], &[]), 2);
    assert!(line.contains(&file), "{line}");
}

#[test]
fn a_port_in_use_ends_with_1_and_names_it() {
    let dir = temporary();
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = holder.local_addr().expect("an address").to_string();
    let output = init(&dir, &["--listen", &address], &[]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
}

#[test]
fn a_flag_wins_over_its_variable() {
    let setup = crate::support::Setup {
        args: &["--max-sessions", "7"],
        env: &[("QUARTERDECK_MAX_SESSIONS", "3")],
        ..Default::default()
    };
    let quarterdeck = Quarterdeck::launch(&setup);
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["maxSessions"], serde_json::json!(7));
    let setup = crate::support::Setup { env: &[("QUARTERDECK_MAX_SESSIONS", "3")], ..Default::default() };
    let quarterdeck = Quarterdeck::launch(&setup);
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["maxSessions"], serde_json::json!(3));
}

#[test]
fn unknown_commands_end_with_2_and_one_line() {
    let line = one_line(&run(["dance"]), 2);
    assert!(line.contains("dance"), "{line}");
}

#[test]
fn the_server_refuses_to_run_by_hand() {
    let output = run(["server"]);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{output:?}");
    let line = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(line.contains("init"), "what to do instead is missing: {line}");
}

#[test]
fn help_and_version_are_there_for_each_command() {
    for command in [&["--help"][..], &["init", "--help"], &["health", "--help"]] {
        let output = run(command.iter().copied());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("Usage"), "{command:?}: {output:?}");
    }
    let output = run(["--version"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), concat!("quarterdeck ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn health_says_by_its_exit_code_whether_the_server_lives() {
    let mut quarterdeck = Quarterdeck::start();
    assert_eq!(quarterdeck.command(&["health"]).status.code(), Some(0));
    quarterdeck.kill_server();
    assert_eq!(quarterdeck.command(&["health"]).status.code(), Some(0), "it waits for the next server");
    quarterdeck.stop();
    one_line(&quarterdeck.command(&["health"]), 1);
}
