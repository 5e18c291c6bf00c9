//! Who runs as whom: the API server as a user of its own without any rights,
//! sessions and what is done in the workspace as `--session-user`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::payload::shell;
use crate::support::process::{descriptors, status};
use crate::support::quarterdeck::run;
use crate::support::repository::Repository;
use crate::support::{Quarterdeck, Setup, eventually};

/// The server's number where /etc/passwd has no name for it.
const SERVER: u32 = 64_321;

/// Users and groups of a container's own.
const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nagent:x:4000:4001::/home/agent:/bin/bash\n\
                      quarterdeck:x:4500:4500::/:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\ntty:x:5:\nagent:x:4001:\ndocker:x:4002:x,agent\nothers:x:4003:x\nquarterdeck:x:4500:\n";

fn is_root() -> bool {
    Uid::effective().is_root()
}

fn number_of(text: &str) -> u32 {
    text.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

/// Starts as PID 1 with those users.
fn with_users(dir: tempfile::TempDir, args: &[&str]) -> Quarterdeck {
    for (name, text) in [("passwd", PASSWD), ("group", GROUP)] {
        fs::write(dir.path().join(name), text).expect("a file");
    }
    let before = "for name in passwd group; do mount --bind \"$HOME/$name\" /etc/$name || exit; done";
    let state = dir.path().join("state").display().to_string();
    let args = [args, &["--state-dir", &state]].concat();
    Quarterdeck::launch_in(dir, &Setup { args: &args, before, pid1: true, ..Setup::default() })
}

fn temporary() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a directory")
}

/// Asserts that the present server has no rights, and nothing open but what it
/// needs.
#[track_caller]
fn assert_harmless(quarterdeck: &Quarterdeck, user: u32) {
    assert_eq!(quarterdeck.api().get("/health").status, 200, "before, it may not have started");
    let server = quarterdeck.server();
    let all = format!("{user}\t{user}\t{user}\t{user}");
    let no_rights = "0000000000000000".to_owned();
    for (field, expected) in [
        ("Uid", all.clone()),
        ("NoNewPrivs", "1".into()),
        ("Seccomp", "2".into()),
        ("CapInh", no_rights.clone()),
        ("CapPrm", no_rights.clone()),
        ("CapEff", no_rights.clone()),
        ("CapAmb", no_rights.clone()),
    ] {
        assert_eq!(status(server, field), expected, "{field}");
    }
    if is_root() {
        assert_eq!((status(server, "Gid"), status(server, "Groups")), (all, String::new()));
        assert_eq!(status(server, "CapBnd"), no_rights);
    }
    let stat = crate::support::process::stat(server).expect("the server");
    assert_eq!((stat.session, stat.tty), (server, 0), "a kernel session of its own");
    let state = quarterdeck.dir().canonicalize().expect("a path");
    for (number, target) in descriptors(server) {
        let text = target.display().to_string();
        let is_kernels = ["socket:", "anon_inode:", "/memfd:", "pipe:", "/proc/", "/sys/fs/cgroup/"];
        let is_expected = is_kernels.iter().any(|start| text.starts_with(start))
            || text.starts_with("/dev/null")
            || text.contains("/ptmx")
            || target.starts_with(&state);
        assert!(is_expected, "descriptor {number} is {text}");
    }
}

#[test]
fn the_server_has_no_rights_whichever_way_it_was_started() {
    let quarterdeck = Quarterdeck::start();
    quarterdeck.api().shell("exec sleep 1000");
    let user = if is_root() { SERVER } else { Uid::effective().as_raw() };
    assert_harmless(&quarterdeck, user);
    quarterdeck.kill_server();
    assert_harmless(&quarterdeck, user);
    let before = quarterdeck.server();
    quarterdeck.signal(Signal::SIGUSR2);
    eventually("another server is there", || (quarterdeck.server() != before).then_some(()));
    assert_harmless(&quarterdeck, user);
}

#[test]
fn the_server_runs_as_the_user_that_is_named_or_has_the_name() {
    if !is_root() {
        return the_server_has_no_rights_whichever_way_it_was_started();
    }
    let named = with_users(temporary(), &[]);
    assert_eq!(number_of(&status(named.server(), "Uid")), 4500);
    let told = with_users(temporary(), &["--server-user", "agent"]);
    assert_eq!(
        (status(told.server(), "Uid"), status(told.server(), "Groups")),
        ("4000\t4000\t4000\t4000".into(), String::new())
    );
    // Whoever sessions are would be the server.
    let taken = with_users(temporary(), &["--session-user", "quarterdeck"]);
    assert_eq!(number_of(&status(taken.server(), "Uid")), SERVER);
}

#[test]
fn a_user_that_cannot_be_had_ends_the_start_with_1_and_words() {
    let dir = temporary();
    let at = dir.path().display().to_string();
    let start = |flags: &[&str]| {
        let socket = format!("{at}/api.sock");
        let place = ["init", "--no-auth", "--listen", "127.0.0.1:0", "--socket", &socket, "--state-dir", &at];
        let output = run([&place[..], &["--workspace", &at], flags].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (flags, words) in [
        (["--session-user", "ghost"], "no user ghost"),
        (["--server-user", "ghost"], "no user ghost"),
        (["--session-user", "root:ghosts"], "no group ghosts"),
        (["--session-user", "4294967295:7"], "--session-user"),
        (["--session-user", "4000"], "4000:4000"),
    ] {
        let (code, text) = start(&flags);
        assert!(code == Some(1) && text.contains(words) && text.contains(flags[0]), "{flags:?}: {code:?} {text}");
    }
    let (code, text) = start(&["--session-user", "7:7", "--server-user", "7"]);
    assert_eq!(code, Some(1), "{text}");
    for flags in [["--session-user", "a:b:c"], ["--server-user", "a:b"], ["--server-user", ""]] {
        let (code, text) = start(&flags);
        assert!(code == Some(2) && text.contains(flags[0]), "{flags:?}: {code:?} {text}");
    }
}

#[test]
fn without_the_right_to_be_another_user_it_starts_and_says_so_unless_that_was_asked_for() {
    let before = "exec setpriv --bounding-set=-all --inh-caps=-all \"$0\" \"$@\"";
    let before = if is_root() { before } else { "" };
    let quarterdeck = Quarterdeck::launch(&Setup { before, ..Setup::default() });
    let note = quarterdeck.log().wait_for_message(
        "The API server runs as init's own user, without capabilities: sessions of that user can end it and read its \
         files, also the state directory",
    );
    assert!(note["reason"].as_str().is_some_and(|reason| reason.contains("CAP_")), "{note}");
    assert_eq!(quarterdeck.api().get("/health").status, 200, "before, it may not have given up anything");
    let server = quarterdeck.server();
    assert_eq!((status(server, "NoNewPrivs"), status(server, "Seccomp")), ("1".into(), "2".into()));
    let id = quarterdeck.api().shell("echo works");
    quarterdeck.api().wait_for_exit(&id);
    assert_eq!(quarterdeck.api().output(&id), b"works\r\n");
    let at = quarterdeck.dir().display().to_string();
    for flag in ["--server-user", "--session-user"] {
        let words = ["init", "--no-auth", "--listen", "127.0.0.1:0", "--state-dir", &at, flag, "7:7"];
        let words = words.map(|word| if flag == "--server-user" && word == "7:7" { "7" } else { word });
        let mut command = std::process::Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", crate::support::quarterdeck::BINARY]).args(words);
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(std::process::Stdio::null());
        let output = if is_root() { crate::support::quarterdeck::output_of(command) } else { run(words) };
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && text.contains("CAP_") && text.contains(flag), "{text}");
    }
}

#[test]
fn a_session_is_its_user_in_every_respect() {
    if !is_root() {
        return without_the_right_to_be_another_user_it_starts_and_says_so_unless_that_was_asked_for();
    }
    let dir = temporary();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a way in");
    let quarterdeck = with_users(dir, &["--session-user", "agent"]);
    let api = quarterdeck.api();
    let script = "id -u; id -g; id -G; echo $HOME $SHELL $USER $LOGNAME; stat -c '%u %g %a' $(tty); \
                  grep -Ec '^Cap(Prm|Eff):.*[1-9a-f]' /proc/self/status; : </dev/tty && echo tty";
    let id = id_of(&api.create(&json!({ "command": ["/bin/bash", "-c", script] })));
    api.wait_for_exit(&id);
    let text = String::from_utf8(api.output(&id)).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let expected = ["4000", "4001", "4001 4002", "/home/agent /bin/bash agent agent", "4000 5 620", "0", "tty"];
    assert_eq!(lines, expected);

    // A directory counts as its rights do.
    let closed = quarterdeck.dir().join("closed");
    fs::create_dir(&closed).expect("a directory");
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).expect("a mode");
    let request = json!({ "command": ["true"], "cwd": closed });
    let error = api.post("/api/sessions", &request).error(422, "SPAWN_FAILED");
    assert_eq!((error["details"]["stage"].as_str(), error["details"]["errno"].as_i64()), (Some("chdir"), Some(13)));

    // It ends as any other does, whatever it does to be overlooked.
    let id = api.run(&shell("trap '' HUP TERM; setsid sleep 1000 & exec sleep 1000"));
    api.remove(&id);
    // Those that have been reaped since they were listed are not there.
    let is_agents = |pid: &i32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|about| about.uid() == 4000);
    eventually("nothing of it is left", || {
        let left: Vec<i32> =
            crate::support::process::children(quarterdeck.init).into_iter().filter(is_agents).collect();
        left.is_empty().then_some(())
    });
}

/// Owners of everything below a directory, but for its own.
fn owners(dir: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let about = fs::symlink_metadata(&path).expect("a file");
        found.push((path.display().to_string(), about.uid()));
        if about.is_dir() {
            owners(&path, found);
        }
    }
}

#[test]
fn everything_in_the_workspace_is_done_with_the_rights_of_a_session() {
    if !is_root() {
        return a_session_is_its_user_in_every_respect();
    }
    let dir = temporary();
    let repository = Repository::new();
    let mut all = Vec::new();
    owners(repository.path(), &mut all);
    for path in all.into_iter().map(|(path, _)| path).chain([repository.arg()]) {
        chown(path, Some(4000), Some(4001)).expect("a gift");
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("a way in");
    let quarterdeck = with_users(dir, &["--session-user", "agent", "--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    let made = json!({ "name": "s", "branch": "b", "command": shell("touch mine; exec sleep 1000") });
    let id = id_of(&api.create(&made));
    eventually("it works there", || repository.place("s").join("mine").exists().then_some(()));
    let mut found = Vec::new();
    owners(repository.path(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    assert_eq!(found.iter().filter(|(_, owner)| *owner != 4000).collect::<Vec<_>>(), Vec::<&(String, u32)>::new());
    fs::remove_file(repository.place("s").join("mine")).expect("removed");
    let deleted: Value = api.delete(&format!("/api/sessions/{id}?deleteWorktree=true")).json_of(200);
    assert_eq!(deleted, json!({ "success": true }));
    assert!(!repository.place("s").exists());
}

#[test]
fn the_state_is_kept_below_a_closed_directory_and_over_a_change_of_the_servers_user() {
    let outer = temporary();
    fs::set_permissions(outer.path(), Permissions::from_mode(0o700)).expect("a mode");
    let state = outer.path().join("state").display().to_string();
    let args = ["--state-dir", state.as_str()];
    let as_init = Uid::effective().to_string();
    let other = if is_root() { "7" } else { as_init.as_str() };
    let users = [None, Some(as_init.as_str()), None, Some(other)];
    let mut quarterdeck = Quarterdeck::launch(&Setup { args: &args, ..Setup::default() });
    quarterdeck.api().create(&json!({ "name": "kept", "command": shell("echo hello") }));
    quarterdeck.api().wait_for_exit("kept");
    for user in users {
        eventually("it is kept", || {
            let text = fs::read_to_string(Path::new(&state).join("sessions.json")).ok()?;
            text.contains("kept").then_some(())
        });
        assert_eq!(quarterdeck.stop().code(), Some(0));
        let flags: Vec<&str> = user.map_or(args.to_vec(), |user| [&args[..], &["--server-user", user]].concat());
        quarterdeck.start_again(&Setup { args: &flags, ..Setup::default() });
        let list = quarterdeck.api().get("/api/sessions").json_of(200);
        assert_eq!(list["sessions"][0]["name"], json!("kept"), "{user:?}: {list}");
        assert_eq!(quarterdeck.api().output("kept"), b"hello\r\n", "{user:?}");
        let other = fs::metadata(&state).expect("a directory").permissions().mode() & 0o007;
        assert_eq!(other, 0);
    }
}
