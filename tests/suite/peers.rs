//! Who may use the Unix socket.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use nix::unistd::Uid;
use serde_json::Value;

use crate::support::{Quarterdeck, Setup};

const NOBODY: u32 = 65534;

/// Asks as another user for the list of sessions: status line and JSON.
///
/// The kernel has users for each thread; only the C library pretends that a
/// process has one.
fn ask_as(user: u32, socket: &Path) -> io::Result<(String, Value)> {
    let ask = || {
        #[allow(unsafe_code)]
        // SAFETY: changes this thread's effective user and nothing else.
        let done = unsafe { libc::syscall(libc::SYS_setresuid, -1, user, -1) };
        assert_eq!(done, 0, "root may become anybody");
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(b"GET /api/sessions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        Ok((head.lines().next().unwrap_or_default().to_owned(), serde_json::from_str(body).expect("JSON")))
    };
    thread::scope(|scope| scope.spawn(ask).join().expect("the thread"))
}

#[test]
fn the_socket_is_for_its_owner_alone() {
    let quarterdeck = Quarterdeck::start();
    let socket = quarterdeck.dir().join("api.sock");
    assert_eq!(fs::metadata(&socket).expect("a socket").permissions().mode() & 0o777, 0o600);
    assert!(quarterdeck.command(&["ls"]).status.success());
    // Only root can be somebody else here.
    if !Uid::effective().is_root() {
        return;
    }
    fs::set_permissions(quarterdeck.dir(), Permissions::from_mode(0o755)).expect("a way in");
    let kept_out = ask_as(NOBODY, &socket).expect_err("the mode keeps others out");
    assert_eq!(kept_out.kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_socket_that_was_opened_to_all_still_refuses_strangers() {
    let quarterdeck = Quarterdeck::start();
    let socket = quarterdeck.dir().join("api.sock");
    fs::set_permissions(quarterdeck.dir(), Permissions::from_mode(0o755)).expect("a way in");
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).expect("a way in");
    assert!(quarterdeck.command(&["ls"]).status.success());
    if !Uid::effective().is_root() {
        return;
    }
    for server in 0..2 {
        let (status, body) = ask_as(NOBODY, &socket).expect("an answer");
        assert_eq!(status, "HTTP/1.1 403 Forbidden", "server {server}");
        assert_eq!(body["code"], "PEER_NOT_ALLOWED", "server {server}");
        assert_eq!(ask_as(0, &socket).expect("an answer").0, "HTTP/1.1 200 OK", "server {server}");
        quarterdeck.kill_server();
    }
}

#[test]
fn init_of_an_ordinary_user_serves_that_user_and_root() {
    if !Uid::effective().is_root() {
        return the_socket_is_for_its_owner_alone();
    }
    // A copy: the way to the one that was built may be closed to that user.
    let before = format!(
        "chown {NOBODY} \"$HOME\" && cp \"$0\" \"$HOME/quarterdeck\" && \
         exec setpriv --reuid {NOBODY} --clear-groups \"$HOME/quarterdeck\" \"$@\""
    );
    let quarterdeck = Quarterdeck::launch(&Setup { before: &before, ..Setup::default() });
    let socket = quarterdeck.dir().join("api.sock");
    fs::set_permissions(quarterdeck.dir(), Permissions::from_mode(0o755)).expect("a way in");
    for user in [NOBODY, 0] {
        assert_eq!(ask_as(user, &socket).expect("an answer").0, "HTTP/1.1 200 OK", "user {user}");
    }
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).expect("a way in");
    assert_eq!(ask_as(NOBODY - 1, &socket).expect("an answer").0, "HTTP/1.1 403 Forbidden");
}
