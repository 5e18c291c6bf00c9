//! One API server process: its start, its link, what waits to be sent to it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

use super::outbox::Outbox;
use super::people::tag_of;
use super::session::Ground;
use crate::link::codec;
use crate::link::message::{ToInit, ToServer};
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::sys::log_fd::LogFd;
use crate::sys::process::{self, Pid};
use crate::sys::spawn::Marks;
use crate::sys::tag::Tag;
use crate::sys::{seqpacket, spawn};

/// A running server, or one that has ended and is not reaped yet.
#[derive(Debug)]
pub struct ServerProcess {
    pid: Pid,
    tag: Tag,
    link: Option<OwnedFd>,
    report: OwnedFd,
    outbox: Outbox,
    is_introduced: bool,
}

/// Why nothing more can be sent to a server.
#[derive(Debug)]
pub enum Loss {
    /// It does not listen any more, most likely because it ended.
    Deaf,
    /// It knows other sessions than there are, or soon will.
    Missed(String),
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.hang_up();
    }
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
        let tag = tag_of(SessionId::random());
        let program = program(binary, path, ground, tag).map_err(|e| format!("no program: {e}"))?;
        // Another user may not open standard error anew, so as to never wait for
        // its reader.
        let log = LogFd::open();
        let stdio = spawn::Stdio::Service(theirs.as_fd(), log.as_ref().map(AsFd::as_fd));
        let child = spawn::spawn(&program, stdio)
            .map_err(|f| format!("{}: {}", f.stage, io::Error::from_raw_os_error(f.errno)))?;
        Ok(Self {
            pid: child.pid,
            tag,
            report: child.report,
            link: Some(ours),
            outbox: Outbox::default(),
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

    /// What it and everything it ever starts is known by. It never starts
    /// anything, unless it is not itself any more.
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// The link.
    #[must_use]
    pub fn link(&self) -> Option<BorrowedFd<'_>> {
        self.link.as_ref().map(AsFd::as_fd)
    }

    /// What waits to be sent.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// What waits to be sent, to change.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
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
        self.outbox = Outbox::default();
        // With the link goes what is still in its queue. The descriptors of a
        // hostile server may be such that closing them takes for ever.
        if let Some(link) = self.link.take()
            && !seqpacket::shut_down(&link)
        {
            spawn::close_elsewhere(link);
        }
    }

    /// Sends a message now or, when the server is busy, later.
    ///
    /// # Errors
    /// Why this server is of no use any more.
    pub fn send(&mut self, message: &ToServer, fds: &[BorrowedFd<'_>], is_greeting: bool) -> Result<(), Loss> {
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
                sent => return sent.map_err(|e| loss(&e)),
            }
        }
        self.outbox.push(bytes, fds, is_greeting, Instant::now()).map_err(Loss::Missed)
    }

    /// Sends what waited, as far as it fits.
    ///
    /// # Errors
    /// Why this server is of no use any more.
    pub fn flush(&mut self) -> Result<(), Loss> {
        let Some(link) = &self.link else { return Ok(()) };
        let sent = self.outbox.flush(Instant::now(), |bytes, fds| seqpacket::send(link, bytes, fds));
        sent.map_err(|e| loss(&e))
    }

    /// Reads one message. Init takes no descriptors from the server.
    pub fn receive(&mut self, buffer: &mut [u8]) -> FromServer {
        let Some(link) = &self.link else { return FromServer::Nothing };
        let n = match seqpacket::receive_plain(link, buffer) {
            Ok(0) => return FromServer::Closed,
            Ok(n) => n,
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

fn loss(error: &io::Error) -> Loss {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotConnected};
    match error.kind() {
        BrokenPipe | ConnectionRefused | ConnectionReset | NotConnected => Loss::Deaf,
        _ => Loss::Missed(format!("it missed a message: {error}")),
    }
}

/// The file that is held open first, then what lies at the path.
pub fn candidates(binary: &OwnedFd, path: &Path) -> Result<Vec<CString>, std::ffi::NulError> {
    let held = CString::new(format!("/proc/self/fd/{}", binary.as_raw_fd()))?;
    Ok(vec![held, CString::new(path.as_os_str().as_bytes())?])
}

fn program(binary: &OwnedFd, path: &Path, ground: &Ground, tag: Tag) -> Result<spawn::Program, std::ffi::NulError> {
    // The server gets the token over the link.
    let public = std::env::vars_os().filter(|(name, _)| !name.as_bytes().starts_with(b"QUARTERDECK_TOKEN"));
    let envp = public.map(|(name, value)| CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')));
    Ok(spawn::Program {
        candidates: candidates(binary, path)?,
        argv: vec![c"quarterdeck".into(), c"server".into()],
        envp: envp.collect::<Result<_, _>>()?,
        cwd: None,
        limit: ground.limit,
        marks: Marks { tag: Some(tag), oom_score: ground.server_oom_score(), ..Marks::default() },
        user: ground.separation.server.clone(),
    })
}
