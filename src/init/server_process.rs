//! One API server process: its start, its link, what waits to be sent to it.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::session::Ground;
use crate::link::codec;
use crate::link::message::{ToInit, ToServer};
use crate::model::signal::Signal;
use crate::sys::process::{self, Pid};
use crate::sys::spawn::Marks;
use crate::sys::{seqpacket, spawn};

/// Messages that may wait for a server that is busy. One that lets more pile up
/// is not busy but stuck.
const OUTBOX_MAX: usize = 8192;

/// A message that did not fit the socket's queue yet.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// A running server, or one that has ended and is not reaped yet.
#[derive(Debug)]
pub struct ServerProcess {
    pid: Pid,
    link: Option<OwnedFd>,
    report: OwnedFd,
    outbox: VecDeque<Waiting>,
    is_introduced: bool,
}

/// What reading the link gave.
#[derive(Debug)]
pub enum FromServer {
    /// A message.
    Message(ToInit),
    /// The first message: the link version it speaks.
    Introduced(u16),
    /// Nothing now.
    Nothing,
    /// The server closed its end, or talks nonsense.
    Broken(String),
    /// It has closed its end, most likely by ending.
    Closed,
}

impl ServerProcess {
    /// Forks and executes `binary` as `server`. The file is held open, so that it
    /// is the same one however often it is started; `path` is for a system
    /// without /proc.
    ///
    /// # Errors
    /// What failed, in words.
    pub fn start(binary: &OwnedFd, path: &Path, ground: &Ground) -> Result<Self, String> {
        let (ours, theirs) = seqpacket::pair().map_err(|e| format!("no link: {e}"))?;
        let program = program(binary, path, ground).map_err(|e| format!("no program: {e}"))?;
        let child = spawn::spawn(&program, spawn::Stdio::Service(theirs.as_fd()))
            .map_err(|f| format!("{}: {}", f.stage, io::Error::from_raw_os_error(f.errno)))?;
        Ok(Self {
            pid: child.pid,
            report: child.report,
            link: Some(ours),
            outbox: VecDeque::new(),
            is_introduced: false,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it has said which language it speaks, so that it can be told
    /// anything.
    #[must_use]
    pub fn is_introduced(&self) -> bool {
        self.is_introduced
    }

    /// The link, and whether messages wait to be sent.
    #[must_use]
    pub fn link(&self) -> Option<(BorrowedFd<'_>, bool)> {
        self.link.as_ref().map(|link| (link.as_fd(), !self.outbox.is_empty()))
    }

    /// Why the program was never executed, if it was not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        match spawn::outcome(&self.report) {
            spawn::Outcome::Failed(f) => Some(format!("{}: {}", f.stage, io::Error::from_raw_os_error(f.errno))),
            spawn::Outcome::Pending | spawn::Outcome::Started => None,
        }
    }

    /// Signals the process.
    pub fn signal(&self, signal: Signal) {
        let _ = process::kill(self.pid, signal);
    }

    /// Stops listening to it.
    pub fn hang_up(&mut self) {
        self.link = None;
        self.outbox.clear();
    }

    /// Sends a message now or, when the server is busy, later.
    ///
    /// # Errors
    /// Why this server is of no use any more.
    pub fn send(&mut self, message: &ToServer, fds: &[BorrowedFd<'_>]) -> Result<(), String> {
        // Before the greeting, which tells everything, nothing else may come.
        let Some(link) = self.link.as_ref().filter(|_| self.is_introduced) else { return Ok(()) };
        let bytes = match codec::encode(message) {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::error!(%error, "A message to the API server was dropped");
                return Ok(());
            }
        };
        if self.outbox.is_empty() {
            match seqpacket::send(link, &bytes, fds) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                sent => return missed(sent),
            }
        }
        let fds = fds.iter().map(|fd| fd.try_clone_to_owned()).collect::<Result<_, _>>();
        let fds = fds.map_err(|error| format!("no descriptor can be sent to it: {error}"))?;
        if self.outbox.len() == OUTBOX_MAX {
            return Err("it does not read its messages".into());
        }
        self.outbox.push_back(Waiting { bytes, fds });
        Ok(())
    }

    /// Sends what waited, as far as it fits.
    ///
    /// # Errors
    /// Why this server is of no use any more.
    pub fn flush(&mut self) -> Result<(), String> {
        let Some(link) = &self.link else { return Ok(()) };
        while let Some(first) = self.outbox.front() {
            let fds: Vec<BorrowedFd<'_>> = first.fds.iter().map(AsFd::as_fd).collect();
            match seqpacket::send(link, &first.bytes, &fds) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                failed => {
                    self.outbox.clear();
                    return missed(failed);
                }
            }
        }
        Ok(())
    }

    /// Reads one message. Descriptors that come with it are closed: init takes
    /// none from the server.
    pub fn receive(&mut self, buffer: &mut [u8]) -> FromServer {
        let Some(link) = &self.link else { return FromServer::Nothing };
        let n = match seqpacket::receive(link, buffer) {
            Ok((0, _)) => return FromServer::Closed,

            Ok((n, _)) => n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return FromServer::Nothing,
            Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return FromServer::Closed,
            Err(error) => return FromServer::Broken(error.to_string()),
        };
        if !self.is_introduced {
            self.is_introduced = true;
            return match codec::read_introduction(&buffer[..n]) {
                Some(version) => FromServer::Introduced(version),
                None => FromServer::Broken("it does not introduce itself".into()),
            };
        }
        match codec::decode(&buffer[..n]) {
            Ok(message) => FromServer::Message(message),
            Err(error) => FromServer::Broken(error.to_string()),
        }
    }
}

/// A server that missed one message knows other sessions than there are. If it is
/// gone, its end is reaped soon, and the next one is told everything anew.
fn missed(sent: io::Result<()>) -> Result<(), String> {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected};
    match sent {
        Err(error) if !matches!(error.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotConnected) => {
            Err(format!("it missed a message: {error}"))
        }
        _ => Ok(()),
    }
}

fn program(binary: &OwnedFd, path: &Path, ground: &Ground) -> Result<spawn::Program, std::ffi::NulError> {
    let held = CString::new(format!("/proc/self/fd/{}", binary.as_raw_fd()))?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    // The server gets the token over the link.
    let public = std::env::vars_os().filter(|(name, _)| !name.as_bytes().starts_with(b"QUARTERDECK_TOKEN"));
    let envp = public.map(|(name, value)| CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')));
    Ok(spawn::Program {
        candidates: vec![held, path],
        argv: vec![c"quarterdeck".into(), c"server".into()],
        envp: envp.collect::<Result<_, _>>()?,
        cwd: None,
        limit: ground.limit,
        marks: Marks { oom_score: ground.server_oom_score(), ..Marks::default() },
    })
}
