//! What somebody would try who had taken this process over, for tests. Not in
//! release builds.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::OFlags;

/// `ACT` or `ACT:ARGUMENT`, tried once, by the first server only: the next one is
/// to show what became of it.
const VARIABLE: &str = "QUARTERDECK_TEST_TAKEN_OVER";

/// Tries what a test asks for, and says what came of it.
pub fn rehearse(restarts: u32) {
    if !cfg!(debug_assertions) || restarts > 0 {
        return;
    }
    let Ok(asked) = std::env::var(VARIABLE) else { return };
    let (act, argument) = asked.split_once(':').unwrap_or((&asked, ""));
    let outcome = attempt(act, argument).map_or_else(|error| error.to_string(), |()| "it was let".into());
    tracing::warn!(act, argument, outcome, "Tried for a test");
}

fn attempt(act: &str, argument: &str) -> io::Result<()> {
    match act {
        "read" => fs::read(argument).map(drop),
        "list" => fs::read_dir(argument).map(drop),
        "write" => fs::write(argument, "taken over"),
        "link" => fs::hard_link("/etc/passwd", argument),
        "connect" => TcpStream::connect(argument).map(drop),
        "listen" => TcpListener::bind(argument).map(drop),
        "unix" => std::os::unix::net::UnixStream::connect(argument).map(drop),
        "fork" => Command::new(argument).status().map(drop),
        "exec" => Err(Command::new(argument).exec()),
        "user" => Ok(rustix::thread::set_thread_uid(rustix::fs::Uid::ROOT)?),
        "wait" => {
            let (_ours, theirs) = rustix::pipe::pipe()?;
            Ok(rustix::fs::fcntl_setfl(&theirs, OFlags::empty())?)
        }
        "wait-by-request" => {
            let (_ours, theirs) = rustix::pipe::pipe()?;
            Ok(rustix::io::ioctl_fionbio(&theirs, false)?)
        }
        "not-wait" => {
            let (_ours, theirs) = rustix::pipe::pipe()?;
            Ok(rustix::fs::fcntl_setfl(&theirs, OFlags::NONBLOCK)?)
        }
        "signal" => {
            let init = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
            Ok(rustix::process::test_kill_process(init)?)
        }
        _ => Err(io::Error::other("there is no such act")),
    }
}
