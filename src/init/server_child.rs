//! The API server as a child: start, restart with back-off, replacement.
//!
//! Three ways lead to another server. One that ended is started again. One that
//! shows no life is killed first: it holds a timer that it must keep pushing
//! ahead, and when the timer rings it gets a ping and the rest of
//! [`PATIENCE`] to answer. And one that is to be replaced on purpose goes on
//! until its successor has shown that it speaks the same language.

use std::collections::VecDeque;
use std::ffi::{CString, NulError};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::members::{is_dead, read_stat};
use super::server_process::{self, FromServer, Loss, ServerProcess};
use super::session::Ground;
use crate::link::codec::MESSAGE_MAX;
use crate::link::message::{LIFE_SIGN, ToServer, VERSION};
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::sys::poll::PollFlags;
use crate::sys::process::Pid;
use crate::sys::tag::Tag;
use crate::sys::timer;

/// This many ends within [`CRASH_WINDOW`] are no accident: wait before the next.
const CRASHES_MAX: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(10);
/// One that served for so long did not end because it can't work.
const WORKED: Duration = Duration::from_millis(300);
/// One that init had to end did work if it served for so long before.
const WORKED_WELL: Duration = Duration::from_secs(60);
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// SIGKILL as `wait(2)` tells it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is 9")]
const KILLED: u8 = libc::SIGKILL as u8;
/// Of `linux/sched.h`, in the flags of `proc_pid_stat(5)`.
const PF_EXITING: u32 = 4;
/// Longest wait when no process could be made: that passes by itself.
const SHORTAGE_MAX: Duration = Duration::from_millis(500);

/// Without a sign of life for so long, a server is replaced.
const PATIENCE: Duration = Duration::from_secs(10);
/// An answer that is late by this much more is late because init itself, and
/// so everybody, was stopped.
const FROZEN: Duration = Duration::from_secs(1);

/// The next server while the present one goes on.
#[derive(Debug)]
struct Candidate {
    process: ServerProcess,
    binary: OwnedFd,
    until: Instant,
}

/// The server process, and what init remembers about its predecessors.
#[derive(Debug)]
pub struct ServerChild {
    path: PathBuf,
    /// The file that is executed, whatever lies at the path by now.
    binary: OwnedFd,
    /// The one before, until a server of the present one has served.
    fallback: Option<OwnedFd>,
    process: Option<ServerProcess>,
    candidate: Option<Candidate>,
    /// Killed and not reaped yet; nobody counts their ends.
    retired: Vec<Pid>,
    /// Rings when the server shows no life; a new one for each server.
    alarm: Option<OwnedFd>,
    /// Until when a ping must be answered.
    answer_by: Option<Instant>,
    starts: u32,
    ends: VecDeque<Instant>,
    backoff: Duration,
    /// How long to wait when no process can be made, which is no server's fault.
    shortage: Duration,
    start_at: Option<Instant>,
    serving_since: Option<Instant>,
    /// Whether init ended the present server because of what it did.
    is_at_fault: bool,
    /// Whether it was told goodbye, after which it may end when it likes.
    is_last: bool,
    down_since: Option<Instant>,
    buffer: Vec<u8>,
}

impl ServerChild {
    /// A child that is to be started at once.
    ///
    /// # Errors
    /// /proc does not tell which program this is, or it can't be opened.
    pub fn new(now: Instant) -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let binary = File::open("/proc/self/exe").or_else(|_| File::open(&path))?.into();
        Ok(Self {
            path,
            binary,
            fallback: None,
            process: None,
            candidate: None,
            retired: Vec::new(),
            alarm: None,
            answer_by: None,
            starts: 0,
            ends: VecDeque::new(),
            backoff: BACKOFF_FIRST,
            shortage: BACKOFF_FIRST,
            start_at: Some(now),
            serving_since: None,
            is_at_fault: false,
            is_last: false,
            down_since: None,
            buffer: vec![0; MESSAGE_MAX],
        })
    }

    /// The paths by which the server's program is executed.
    ///
    /// # Errors
    /// A path with a NUL byte, which no kernel gives out.
    pub fn candidates(&self) -> Result<Vec<CString>, NulError> {
        server_process::candidates(&self.binary, &self.path)
    }

    /// The process id, while it is not reaped.
    #[must_use]
    pub fn pid(&self) -> Option<Pid> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    /// Whether init ended the present server because of what it did.
    #[must_use]
    pub fn is_at_fault(&self) -> bool {
        self.is_at_fault
    }

    /// Since when no server has served, if none does.
    #[must_use]
    pub fn down_since(&self) -> Option<Instant> {
        self.down_since
    }

    /// When something is due: a start, or the end of a wait.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let candidate = self.candidate.as_ref().map(|candidate| candidate.until);
        [self.start_at, self.answer_by, candidate, self.taking_by()].into_iter().flatten().min()
    }

    /// Until when the server must have taken one of the messages that wait for it.
    fn taking_by(&self) -> Option<Instant> {
        self.process.as_ref()?.outbox().patience_ends()
    }

    /// By what everything is known that servers start.
    pub fn tags(&self) -> impl Iterator<Item = Tag> {
        let candidate = self.candidate.as_ref().map(|candidate| &candidate.process);
        self.process.iter().chain(candidate).map(ServerProcess::tag)
    }

    /// How many servers were started before the present one.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// Takes leave of the server. One that is still starting could not hear it,
    /// serves nobody, and would only be waited for.
    pub fn take_leave(&mut self) {
        self.retire();
        self.is_last = true;
        match &self.process {
            Some(process) if !process.is_introduced() => process.signal(Signal::KILL),
            _ => self.send(&ToServer::Goodbye, &[]),
        }
    }

    /// Starts no more servers.
    pub fn retire(&mut self) {
        self.start_at = None;
        self.refuse("the container ends");
    }

    /// The server accepts connections: it works. False if it has said so before.
    pub fn is_serving(&mut self, now: Instant) -> bool {
        self.down_since = None;
        self.fallback = None;
        let is_first = self.serving_since.is_none();
        self.serving_since.get_or_insert(now);
        is_first
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Instant, ground: &Ground) {
        if self.start_at.is_some_and(|at| at <= now) {
            self.start(now, ground);
        }
        if self.candidate.as_ref().is_some_and(|candidate| candidate.until <= now) {
            self.refuse("it does not introduce itself");
        }
        if let Some(until) = self.taking_by().filter(|until| *until <= now) {
            match &mut self.process {
                Some(process) if now.duration_since(until) > FROZEN => process.outbox_mut().forgive(now),
                _ => return self.replace("it has taken none of its messages for 10 s"),
            }
        }
        let Some(until) = self.answer_by.filter(|until| *until <= now) else { return };
        if now.duration_since(until) > FROZEN {
            self.answer_by = Some(now + PATIENCE);
            return;
        }
        self.replace("it has shown no life for 10 s");
    }

    fn start(&mut self, now: Instant, ground: &Ground) {
        self.start_at = None;
        match ServerProcess::start(&self.binary, &self.path, ground) {
            Ok(process) => self.take_over(process),
            Err(reason) => {
                let wait = self.shortage;
                let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::error!(%reason, waitMs = milliseconds, "Starting the API server failed");
                self.start_at = Some(now + wait);
                self.shortage = (wait * 2).min(SHORTAGE_MAX);
            }
        }
    }

    fn take_over(&mut self, process: ServerProcess) {
        self.starts += 1;
        self.shortage = BACKOFF_FIRST;
        self.process = Some(process);
        self.serving_since = None;
        self.is_at_fault = false;
        // Without an alarm a server that hangs is not noticed, which is better
        // than no server.
        self.alarm = timer::create().ok();
        self.expect_life();
    }

    fn expect_life(&mut self) {
        self.answer_by = None;
        self.alarm.iter().for_each(|alarm| drop(timer::push(alarm, LIFE_SIGN)));
    }

    /// The timer that rings when the server shows no life.
    #[must_use]
    pub fn alarm(&self) -> Option<BorrowedFd<'_>> {
        // While an answer is waited for, it has rung already.
        self.alarm.as_ref().filter(|_| self.answer_by.is_none()).map(AsFd::as_fd)
    }

    /// The alarm rang.
    pub fn ask_for_life(&mut self, now: Instant) {
        self.answer_by = Some(now + PATIENCE.saturating_sub(LIFE_SIGN));
        self.send(&ToServer::Ping, &[]);
    }

    /// The timer for the greeting, set anew.
    ///
    /// # Errors
    /// No descriptor was left to make the timer or a copy of it.
    pub fn fresh_alarm(&mut self) -> io::Result<OwnedFd> {
        self.expect_life();
        self.alarm.as_ref().ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// The server answered a ping.
    pub fn take_pong(&mut self) {
        self.expect_life();
    }

    /// Whether this child was a server that was put away before it ended.
    pub fn was_retired(&mut self, pid: Pid) -> bool {
        if self.candidate.as_ref().is_some_and(|candidate| candidate.process.pid() == pid) {
            let failure = self.candidate.as_ref().and_then(|candidate| candidate.process.failure());
            self.refuse(&failure.unwrap_or_else(|| "it ended".into()));
        }
        let before = self.retired.len();
        self.retired.retain(|retired| *retired != pid);
        self.retired.len() != before
    }

    /// The server was reaped.
    pub fn ended(&mut self, now: Instant, status: ExitStatus) {
        if let Some(reason) = self.process.as_ref().and_then(ServerProcess::failure) {
            tracing::error!(program = %self.path.display(), %reason, "The API server could not be executed");
        }
        self.forget_process(now);
        // One that served until somebody killed it was not at fault, however
        // short its life was.
        let is_killed = status == ExitStatus::Signal(KILLED);
        let served = self.serving_since.take().map(|since| now.duration_since(since));
        if let (None, Some(before)) = (served, self.fallback.take()) {
            tracing::error!(
                program = %self.path.display(),
                ?status,
                "The new API server ended before it served; going back to the program before it"
            );
            self.binary = before;
            self.start_at = Some(now);
            return;
        }
        let has_worked = served.is_some_and(|time| match self.is_at_fault {
            true => time >= WORKED_WELL,
            false => is_killed || time >= WORKED,
        });
        if has_worked {
            self.backoff = BACKOFF_FIRST;
        }
        self.ends.push_back(now);
        while self.ends.len() > CRASHES_MAX {
            self.ends.pop_front();
        }
        let is_crowded = self.ends.len() == CRASHES_MAX
            && self.ends.front().is_some_and(|first| now.duration_since(*first) <= CRASH_WINDOW);
        // A wait longer than the first means that no server has worked since.
        if is_crowded || self.backoff > BACKOFF_FIRST {
            self.wait_for(now, self.backoff);
        } else {
            self.start_at = Some(now);
        }
    }

    fn forget_process(&mut self, now: Instant) {
        self.process = None;
        self.alarm = None;
        self.answer_by = None;
        self.down_since.get_or_insert(now);
    }

    fn wait_for(&mut self, now: Instant, wait: Duration) {
        tracing::warn!(
            waitMs = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            recentEnds = self.ends.len(),
            "The API server keeps ending: waiting before the next start; sessions go on"
        );
        self.start_at = Some(now + wait);
        self.backoff = (self.backoff * 2).min(BACKOFF_MAX);
    }

    /// Signals the server process.
    pub fn signal(&self, signal: Signal) {
        self.process.iter().for_each(|process| process.signal(signal));
    }

    /// The link, and for what to watch it.
    #[must_use]
    pub fn link(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let process = self.process.as_ref()?;
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.is_heard());
        flags.set(PollFlags::OUT, !process.outbox().is_empty());
        Some((process.link()?, flags))
    }

    /// Whether what the server says is read: not while it reads nothing itself.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.outbox().is_full())
    }

    /// The link of the server that may come next.
    #[must_use]
    pub fn candidate_link(&self) -> Option<BorrowedFd<'_>> {
        self.candidate.as_ref()?.process.link()
    }

    /// Sends a message now or, when the server is busy, later.
    pub fn send(&mut self, message: &ToServer, fds: &[BorrowedFd<'_>]) {
        let sent = self.process.as_mut().map_or(Ok(()), |process| process.send(message, fds, false));
        self.note_loss(sent);
    }

    /// Sends a part of the greeting, of which there is as much as there is.
    pub fn greet(&mut self, message: &ToServer, fds: &[BorrowedFd<'_>]) {
        let sent = self.process.as_mut().map_or(Ok(()), |process| process.send(message, fds, true));
        self.note_loss(sent);
    }

    /// Sends what waited, as far as it fits.
    pub fn flush(&mut self) {
        let sent = self.process.as_mut().map_or(Ok(()), ServerProcess::flush);
        self.note_loss(sent);
    }

    fn note_loss(&mut self, sent: Result<(), Loss>) {
        match sent {
            Ok(()) => {}
            Err(Loss::Missed(reason)) => self.replace(&reason),
            Err(Loss::Deaf) if self.is_last => self.hang_up(),
            Err(Loss::Deaf) => self.dismiss(),
        }
    }

    /// Reads one message.
    pub fn receive(&mut self) -> FromServer {
        let Some(process) = &mut self.process else { return FromServer::Nothing };
        process.receive(&mut self.buffer)
    }

    /// Starts a successor from what lies at the program's path now. The present
    /// server goes on until that one has introduced itself.
    pub fn renew(&mut self, now: Instant, ground: &Ground) {
        if self.candidate.is_some() {
            return tracing::warn!("Another API server is being started already");
        }
        tracing::info!(program = %self.path.display(), "Replacing the API server, as SIGUSR2 asked");
        // Opening a pipe that lies there would wait for somebody to write to it.
        let binary = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&self.path).map(OwnedFd::from);
        let started = binary
            .map_err(|e| e.to_string())
            .and_then(|binary| ServerProcess::start(&binary, &self.path, ground).map(|process| (binary, process)));
        match started {
            Ok((binary, process)) => self.candidate = Some(Candidate { process, binary, until: now + PATIENCE }),
            Err(reason) => self.tell_refusal(&reason),
        }
    }

    /// Takes in what the candidate says; true when it is the server now.
    pub fn hear_candidate(&mut self, now: Instant) -> bool {
        let Some(candidate) = &mut self.candidate else { return false };
        match candidate.process.receive(&mut self.buffer) {
            FromServer::Introduced(VERSION) => {}
            FromServer::Introduced(other) => {
                self.refuse(&format!("it speaks link version {other}, this init {VERSION}; restart the container"));
                return false;
            }
            FromServer::Nothing => return false,
            FromServer::Message(_) => return self.refuse("it spoke before it was greeted"),
            FromServer::Broken(reason) => return self.refuse(&reason),
            FromServer::Closed => return self.refuse("it closed the link"),
        }
        let Some(Candidate { process, binary, .. }) = self.candidate.take() else { return false };
        if let Some(before) = self.process.take() {
            before.signal(Signal::KILL);
            self.retired.push(before.pid());
        }
        self.forget_process(now);
        self.start_at = None;
        let before = std::mem::replace(&mut self.binary, binary);
        self.fallback.get_or_insert(before);
        self.take_over(process);
        true
    }

    /// Puts the candidate away; always false, for it is not the server.
    pub fn refuse(&mut self, reason: &str) -> bool {
        if let Some(candidate) = self.candidate.take() {
            candidate.process.signal(Signal::KILL);
            self.retired.push(candidate.process.pid());
            self.tell_refusal(reason);
        }
        false
    }

    fn tell_refusal(&self, reason: &str) {
        tracing::error!(
            program = %self.path.display(),
            reason,
            "The new API server was refused; the present one goes on"
        );
    }

    /// Ends a server that does not do its work; the next one starts from scratch.
    pub fn replace(&mut self, reason: &str) {
        tracing::error!(reason, "Replacing the API server");
        self.is_at_fault = true;
        self.end();
    }

    /// Makes sure that a server which closed its end is over. Most likely it is, and
    /// why is told when it is reaped.
    pub fn dismiss(&mut self) {
        if self.pid().is_some_and(runs_on) {
            return self.replace("it closed the link and runs on");
        }
        self.end();
    }

    fn end(&mut self) {
        self.signal(Signal::KILL);
        self.hang_up();
    }

    /// Stops listening to a server that closed its end; its exit is reaped.
    pub fn hang_up(&mut self) {
        self.alarm = None;
        self.answer_by = None;
        self.process.iter_mut().for_each(ServerProcess::hang_up);
    }
}

/// Whether a process is not even ending: its descriptors close before it is a zombie.
fn runs_on(pid: Pid) -> bool {
    read_stat(pid.raw()).is_some_and(|stat| !is_dead(&stat) && stat.flags & PF_EXITING == 0)
}
