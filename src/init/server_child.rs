//! The API server as a child: start, link, restart with back-off.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::link::codec::{self, MESSAGE_MAX};
use crate::link::message::{ToInit, ToServer};
use crate::model::signal::Signal;
use crate::sys::process::{self, Pid};
use crate::sys::service::DescriptorLimit;
use crate::sys::{seqpacket, spawn};

/// Messages that may wait for a server that is busy. One that lets more pile up
/// is not busy but stuck, and is replaced.
const OUTBOX_MAX: usize = 8192;

/// This many ends within [`CRASH_WINDOW`] are no accident: wait before the next.
const CRASHES_MAX: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(10);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// A message that did not fit the socket's queue yet.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

/// The server process, and what init remembers about its predecessors.
#[derive(Debug)]
pub struct ServerChild {
    program: PathBuf,
    limit: DescriptorLimit,
    pid: Option<Pid>,
    link: Option<OwnedFd>,
    report: Option<OwnedFd>,
    outbox: VecDeque<Waiting>,
    starts: u32,
    ends: VecDeque<Instant>,
    backoff: Duration,
    start_at: Option<Instant>,
    down_since: Option<Instant>,
    is_end_wanted: bool,
    buffer: Vec<u8>,
}

/// What reading the link gave.
#[derive(Debug)]
pub enum FromServer {
    /// A message.
    Message(ToInit),
    /// Nothing now.
    Nothing,
    /// The server closed its end, or talks nonsense.
    Broken(String),
}

impl ServerChild {
    /// A child that is to be started at once.
    pub fn new(now: Instant, limit: DescriptorLimit) -> io::Result<Self> {
        Ok(Self {
            program: std::env::current_exe()?,
            limit,
            pid: None,
            link: None,
            report: None,
            outbox: VecDeque::new(),
            starts: 0,
            ends: VecDeque::new(),
            backoff: BACKOFF_FIRST,
            start_at: Some(now),
            down_since: None,
            is_end_wanted: false,
            buffer: vec![0; MESSAGE_MAX],
        })
    }

    /// The process id, while it is not reaped.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Since when no server has run, if none does.
    #[must_use]
    pub fn down_since(&self) -> Option<Instant> {
        self.down_since
    }

    /// When the next start is due.
    #[must_use]
    pub fn start_at(&self) -> Option<Instant> {
        self.start_at
    }

    /// How many servers were started before the present one.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// Starts no more servers.
    pub fn retire(&mut self) {
        self.start_at = None;
    }

    /// The server accepts connections: it works.
    pub fn is_serving(&mut self) {
        self.down_since = None;
        self.backoff = BACKOFF_FIRST;
    }

    /// Forks and executes this binary as `server`. A failure is tried again
    /// later, with back-off.
    pub fn start(&mut self, now: Instant) -> bool {
        self.start_at = None;
        match self.try_start() {
            Ok(()) => {
                self.starts += 1;
                true
            }
            Err(reason) => {
                tracing::error!(%reason, "Starting the API server failed");
                self.schedule(now, true);
                false
            }
        }
    }

    fn try_start(&mut self) -> Result<(), String> {
        let (ours, theirs) = seqpacket::pair().map_err(|e| format!("no link: {e}"))?;
        let program = self.program().map_err(|e| format!("no program: {e}"))?;
        let child = spawn::spawn(&program, spawn::Stdio::Service(theirs.as_fd()))
            .map_err(|f| format!("{}: {}", f.stage, io::Error::from_raw_os_error(f.errno)))?;
        self.pid = Some(child.pid);
        self.report = Some(child.report);
        self.link = Some(ours);
        self.outbox.clear();
        Ok(())
    }

    fn program(&self) -> Result<spawn::Program, std::ffi::NulError> {
        let path = CString::new(self.program.as_os_str().as_bytes())?;
        let envp =
            std::env::vars_os().map(|(name, value)| CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')));
        Ok(spawn::Program {
            candidates: vec![path],
            argv: vec![c"quarterdeck".into(), c"server".into()],
            envp: envp.collect::<Result<_, _>>()?,
            cwd: None,
            limit: self.limit,
        })
    }

    /// The server was reaped.
    pub fn ended(&mut self, now: Instant) {
        if let Some(spawn::Outcome::Failed(failure)) = self.report.take().as_ref().map(spawn::outcome) {
            let reason = io::Error::from_raw_os_error(failure.errno);
            tracing::error!(program = %self.program.display(), stage = %failure.stage, %reason, "The API server could not be executed");
        }
        self.pid = None;
        self.link = None;
        self.outbox.clear();
        self.down_since.get_or_insert(now);
        if std::mem::take(&mut self.is_end_wanted) {
            self.start_at = Some(now);
            return;
        }
        self.ends.push_back(now);
        while self.ends.len() > CRASHES_MAX {
            self.ends.pop_front();
        }
        let is_crowded = self.ends.len() == CRASHES_MAX
            && self.ends.front().is_some_and(|first| now.duration_since(*first) <= CRASH_WINDOW);
        // A wait longer than the first means that no server has served since.
        self.schedule(now, is_crowded || self.backoff > BACKOFF_FIRST);
    }

    fn schedule(&mut self, now: Instant, is_failing: bool) {
        if !is_failing {
            self.start_at = Some(now);
            return;
        }
        tracing::warn!(
            waitMs = u64::try_from(self.backoff.as_millis()).unwrap_or(u64::MAX),
            recentEnds = self.ends.len(),
            "The API server keeps ending: waiting before the next start; sessions go on"
        );
        self.start_at = Some(now + self.backoff);
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }

    /// Signals the server process.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _ = process::kill(pid, signal);
        }
    }

    /// The link, and whether messages wait to be sent.
    #[must_use]
    pub fn link(&self) -> Option<(BorrowedFd<'_>, bool)> {
        self.link.as_ref().map(|link| (link.as_fd(), !self.outbox.is_empty()))
    }

    /// Sends a message now or, when the server is busy, later.
    pub fn send(&mut self, message: &ToServer, fds: &[BorrowedFd<'_>]) {
        let Some(link) = &self.link else { return };
        let bytes = match codec::encode(message) {
            Ok(bytes) => bytes,
            Err(error) => return tracing::error!(%error, "A message to the API server was dropped"),
        };
        if self.outbox.is_empty() {
            match seqpacket::send(link, &bytes, fds) {
                Ok(()) => return,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // The peer is gone: its end is reaped soon, and the next server
                // is told everything anew.
                Err(_) => return,
            }
        }
        let fds = fds.iter().map(|fd| fd.try_clone_to_owned()).collect::<Result<_, _>>();
        match fds {
            Ok(fds) if self.outbox.len() < OUTBOX_MAX => self.outbox.push_back(Waiting { bytes, fds }),
            Ok(_) => self.replace("it does not read its messages"),
            Err(error) => self.replace(&format!("no descriptor can be sent to it: {error}")),
        }
    }

    /// Sends what waited, as far as it fits.
    pub fn flush(&mut self) {
        let Some(link) = &self.link else { return };
        while let Some(first) = self.outbox.front() {
            let fds: Vec<BorrowedFd<'_>> = first.fds.iter().map(AsFd::as_fd).collect();
            match seqpacket::send(link, &first.bytes, &fds) {
                Ok(()) => drop(self.outbox.pop_front()),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.outbox.clear(),
            }
        }
    }

    /// Ends this server because somebody wants another one.
    pub fn renew(&mut self) {
        tracing::info!("Replacing the API server, as SIGUSR2 asked");
        self.is_end_wanted = self.pid.is_some();
        self.signal(Signal::KILL);
        self.hang_up();
    }

    /// Ends a server that does not do its work; the next one starts from scratch.
    pub fn replace(&mut self, reason: &str) {
        tracing::error!(reason, "Replacing the API server");
        self.signal(Signal::KILL);
        self.link = None;
        self.outbox.clear();
    }

    /// Reads one message. Descriptors that come with it are closed: init takes
    /// none from the server.
    pub fn receive(&mut self) -> FromServer {
        let Some(link) = &self.link else { return FromServer::Nothing };
        match seqpacket::receive(link, &mut self.buffer) {
            Ok((0, _)) => FromServer::Broken("it closed the link".into()),
            Ok((n, _)) => match codec::decode(&self.buffer[..n]) {
                Ok(message) => FromServer::Message(message),
                Err(error) => FromServer::Broken(error.to_string()),
            },
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => FromServer::Nothing,
            Err(error) => FromServer::Broken(error.to_string()),
        }
    }

    /// Stops listening to a server that closed its end; its exit is reaped.
    pub fn hang_up(&mut self) {
        self.link = None;
        self.outbox.clear();
    }
}
