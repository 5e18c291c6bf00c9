//! An API server that somebody has taken over: what it tries then comes to
//! nothing. Needs a binary with the rehearsal in it, which release builds do not
//! have.

use nix::unistd::Uid;
use serde_json::json;

use crate::support::{Quarterdeck, Setup};

/// Starts a server that tries this once it is confined.
fn trying(act: &str) -> Quarterdeck {
    let env = [("QUARTERDECK_TEST_TAKEN_OVER", act)];
    Quarterdeck::launch(&Setup { env: &env, ..Setup::default() })
}

/// What came of an attempt that the server outlived.
#[track_caller]
fn outcome(act: &str) -> String {
    let quarterdeck = trying(act);
    let tried = quarterdeck.log().wait_for_message("Tried for a test");
    assert_eq!(quarterdeck.api().get("/health").status, 200);
    tried["outcome"].as_str().expect("an outcome").to_owned()
}

/// Whether this kernel has Landlock.
#[allow(unsafe_code)]
fn has_landlock() -> bool {
    const CREATE_RULESET: libc::c_long = 444;
    // SAFETY: asks for the version and creates nothing.
    let version = unsafe { libc::syscall(CREATE_RULESET, std::ptr::null::<u8>(), 0_usize, 1_u32) };
    version > 0
}

#[test]
fn it_reads_and_writes_no_file_but_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = dir.path().join("open");
    std::fs::write(&open, "for everybody").expect("a file");
    let new = format!("/tmp/quarterdeck-taken-over-{}", std::process::id());
    let denied = "Permission denied (os error 13)";
    if Uid::effective().is_root() {
        assert_eq!(outcome("read:/etc/shadow"), denied);
    }
    if !has_landlock() {
        let quarterdeck = Quarterdeck::start();
        let note = "The API server's files are not confined by Landlock; the rights of its user are its only limit";
        quarterdeck.log().wait_for_message(note);
        return;
    }
    for act in [
        "read:/etc/passwd".to_owned(),
        "list:/etc".to_owned(),
        format!("read:{}", open.display()),
        format!("write:{new}"),
        format!("link:{new}"),
    ] {
        // The kernel may refuse a link to a file of somebody else before that.
        let came_of_it = outcome(&act);
        assert!([denied, "Operation not permitted (os error 1)"].contains(&came_of_it.as_str()), "{act}: {came_of_it}");
    }
    assert!(!std::path::Path::new(&new).exists());
    assert_eq!(outcome("read:/proc/meminfo"), "it was let", "else the rest proves nothing");
}

#[test]
fn it_connects_to_nobody_and_starts_no_process() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let missing = "Function not implemented (os error 38)";
    for act in
        [format!("connect:{address}"), "listen:127.0.0.1:0".into(), "unix:/run/x".into(), "fork:/bin/true".into()]
    {
        assert_eq!(outcome(&act), missing, "{act}");
    }
}

#[test]
fn it_can_have_init_wait_for_nothing_they_share() {
    let missing = "Function not implemented (os error 38)";
    assert_eq!([outcome("wait"), outcome("wait-by-request")], [missing; 2]);
    assert_eq!(outcome("not-wait"), "it was let", "else the rest proves nothing");
}

#[test]
fn what_only_an_intruder_would_do_ends_it_and_the_next_one_serves() {
    for act in ["exec:/bin/true", "user", "signal"] {
        let quarterdeck = trying(act);
        let ended = quarterdeck.log().wait_for_message("The API server ended; sessions go on and a new one starts");
        assert_eq!(ended["status"], json!(format!("Signal({})", libc::SIGSYS)), "{act}: {ended}");
        let health = quarterdeck.api().get("/api/health").json_of(200);
        assert_eq!(health["serverRestarts"], json!(1), "{act}");
        let tried = quarterdeck.log().entries().iter().any(|entry| entry["message"] == "Tried for a test");
        assert!(!tried, "{act} came back");
    }
}
