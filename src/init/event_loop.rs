//! The loop. Order within one turn: signals and reaping, the link, starts,
//! terminals with a byte budget each, timers.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use super::directories::Directories;
use super::inspection::Inspector;
use super::lifecycle::{Input, Phase};
use super::listeners::Listeners;
use super::main_command::{MainCommand, Order};
use super::oom_kills::KillCount;
use super::people::tag_of;
use super::reaped::{REAPED_A_TURN, Reaped};
use super::separation::Separation;
use super::server_child::ServerChild;
use super::server_process::FromServer;
use super::session::Ground;
use super::shutdown::Shutdown;
use super::sweep::Sweeper;
use super::table::Table;
use super::token::Token;
use super::tools::Tools;
use crate::config::Config;
use crate::exit::Exit;
use crate::link::message::{HeldDirectories, ToInit, ToServer, VERSION};
use crate::logging::unix_millis;
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::sys::poll::{self, PollFd, PollFlags};
use crate::sys::signals::{Meaning, Signals};
use crate::sys::tag::Tag;
use crate::sys::{eventfd, pages, rights, spawn};

/// Messages taken from the server in one turn, and how long that may take: some
/// start a process.
const MESSAGES_A_TURN: usize = 64;
const MESSAGES_TIME: Duration = Duration::from_millis(2);

/// How long after a key somebody is still typing, in milliseconds.
const TYPING: u64 = 300;

/// How long a session's unread output is kept for clients of a server that is
/// gone, before the program may outrun them.
const SERVER_PATIENCE: Duration = Duration::from_secs(30);

/// The whole state of PID 1.
#[derive(Debug)]
pub struct Init {
    pub(super) config: Config,
    pub(super) table: Table,
    pub(super) server: ServerChild,
    pub(super) shutdown: Shutdown,
    /// What sessions start with.
    pub(super) ground: Ground,
    /// The program that the container is for, if there is one.
    pub(super) main: Option<MainCommand>,
    /// Whether a signal has asked for the end.
    pub(super) is_end_asked: bool,
    /// Whether the sessions of the state file are all in the table; from then
    /// on the table is the truth.
    pub(super) is_restored: bool,
    /// How init ends.
    pub(super) exit: Exit,
    signals: Signals,
    listeners: Listeners,
    /// What clients must show.
    token: Token,
    directories: Directories,
    /// Whether the present server can't use the state directory.
    has_state_trouble: bool,
    /// Rung by the server when it made room in a ring.
    nudge: OwnedFd,
    pub(super) inspector: Inspector,
    pub(super) sweeper: Sweeper,
    pub(super) tools: Tools,
    /// The kernel's count of those killed in the container because memory ran
    /// out.
    pub(super) oom_kills: Option<KillCount>,
    /// Whether more children may have ended than one turn collects. No further
    /// SIGCHLD tells of them.
    has_more_ended: bool,
}

/// What a descriptor that became ready is to us.
#[derive(Clone, Copy, Debug)]
enum Source {
    Signals,
    Nudge,
    Link,
    Candidate,
    Alarm,
    Report(SessionId),
    Terminal(SessionId),
}

impl Init {
    /// Puts the parts together.
    ///
    /// The main command, if there is one, is the first thing that starts.
    ///
    /// # Errors
    /// No descriptor left, no process for the main command, or /proc does not
    /// tell which program this is.
    pub fn new(
        mut config: Config,
        signals: Signals,
        listeners: Listeners,
        token: Token,
        directories: Directories,
        separation: Separation,
    ) -> Result<Self, String> {
        let now = Instant::now();
        let notify_socket = listeners.notify.as_ref().map(|(_, path)| path.clone());
        let ground = Ground::prepare(config.session_limits, notify_socket, separation);
        rights::forbid_inspection().map_err(|e| format!("init cannot be kept from being inspected: {e}"))?;
        let start = |main| MainCommand::start(Order::as_started(main), ground.limit, ground.oom_score);
        let main =
            config.main.take().map(start).transpose().map_err(|failure| format!("the main command: {failure}"))?;
        Ok(Self {
            main,
            is_end_asked: false,
            is_restored: false,
            exit: Exit::Success,
            inspector: Inspector::new(),
            sweeper: Sweeper::new(now, config.sweep_interval),
            tools: Tools::new(),
            server: ServerChild::new(now).map_err(|e| format!("the API server's program: {e}"))?,
            oom_kills: KillCount::of_container(Path::new("/")),
            ground,
            config,
            table: Table::default(),
            shutdown: Shutdown::Up,
            signals,
            listeners,
            token,
            directories,
            has_state_trouble: false,
            nudge: eventfd::create().map_err(|e| format!("an eventfd: {e}"))?,
            has_more_ended: false,
        })
    }

    /// Turns until the end.
    #[must_use]
    pub fn run(mut self) -> Exit {
        pages::give_back_unused_code();
        while self.shutdown != Shutdown::Done {
            let ready = match self.wait() {
                Ok(ready) => ready,
                Err(error) => {
                    // poll(2) fails only for want of memory; the next turn may
                    // be luckier, and PID 1 must not end for it.
                    tracing::error!(%error, "Waiting for events failed");
                    Vec::new()
                }
            };
            self.turn(&ready);
        }
        tracing::info!("Shutdown complete");
        self.exit
    }

    /// Sleeps until something is ready or due.
    fn wait(&mut self) -> io::Result<Vec<Source>> {
        let now = Instant::now();
        let wanted: Vec<bool> = self.table.iter_mut().map(|session| session.wants_output(now)).collect();
        let timeout = self.next_deadline().map(|at| at.saturating_duration_since(now));
        let mut sources = vec![Source::Signals, Source::Nudge];
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN), PollFd::new(&self.nudge, PollFlags::IN)];
        if let Some((link, flags)) = self.server.link() {
            sources.push(Source::Link);
            fds.push(PollFd::from_borrowed_fd(link, flags));
        }
        let others = [(Source::Candidate, self.server.candidate_link()), (Source::Alarm, self.server.alarm())];
        for (source, fd) in others {
            if let Some(fd) = fd {
                sources.push(source);
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            }
        }
        for (session, wants_output) in self.table.iter().zip(wanted) {
            if let Some(report) = &session.report {
                sources.push(Source::Report(session.record.id));
                fds.push(PollFd::new(report, PollFlags::IN));
            }
            if let (true, Some(master)) = (wants_output, &session.master) {
                sources.push(Source::Terminal(session.record.id));
                fds.push(PollFd::new(master, PollFlags::IN));
            }
        }
        poll::wait(&mut fds, timeout)?;
        let ready = sources.into_iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        Ok(ready.map(|(source, _)| source).collect())
    }

    fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.table.iter().flat_map(|s| [s.deadline, s.rest_until]).flatten();
        let patience = self.patience_ends().filter(|_| self.table.iter().any(|s| s.ring.is_paused()));
        let now = Instant::now();
        let inspection = self.inspector.due(now).into_iter().chain(self.sweeper.deadline(now));
        let reaping = self.has_more_ended.then_some(now);
        sessions
            .chain(reaping)
            .chain(inspection)
            .chain(self.server.deadline())
            .chain(self.tools.deadline())
            .chain(self.shutdown.deadline())
            .chain(patience)
            .min()
    }

    fn patience_ends(&self) -> Option<Instant> {
        self.server.down_since().map(|since| since + SERVER_PATIENCE)
    }

    fn turn(&mut self, ready: &[Source]) {
        let mut terminals = Vec::new();
        for source in ready {
            match source {
                Source::Signals => self.take_signals(),
                Source::Nudge => drop(eventfd::drain(&self.nudge)),
                Source::Link => self.take_messages(),
                Source::Candidate => self.hear_candidate(),
                Source::Alarm => self.server.ask_for_life(Instant::now()),
                Source::Report(id) => self.take_report(*id),
                Source::Terminal(id) => terminals.push(*id),
            }
        }
        let now_ms = unix_millis();
        let typing = self.typing(now_ms);
        for id in terminals {
            let yields = typing.iter().any(|other| *other != id);
            self.take_output(id, now_ms, yields);
        }
        self.take_timers(Instant::now());
    }

    /// The sessions somebody types in. That is the server's word, and can at
    /// worst slow a flood down.
    fn typing(&self, now_ms: u64) -> Vec<SessionId> {
        let recent = now_ms.saturating_sub(TYPING)..=now_ms;
        let typed = self.table.iter().filter(|session| recent.contains(&session.ring.typed_at()));
        typed.map(|session| session.record.id).collect()
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.take() {
            let meaning = Meaning::of(signal);
            let is_main_told = meaning != Some(Meaning::Child) && self.forward(signal);
            match meaning {
                Some(Meaning::Child) => self.reap_all(),
                // With a main command QUIT is its affair alone.
                Some(Meaning::Shutdown) if is_main_told && signal == Signal::QUIT => {}
                Some(Meaning::Shutdown) => self.ask_shutdown(),
                Some(Meaning::Replace) if self.shutdown.has_begun() => {}
                Some(Meaning::Replace) => self.server.renew(Instant::now(), &self.ground),
                Some(Meaning::Sweep) => {
                    self.inspector.want_sweep(None);
                    self.server.send(&ToServer::Cycle, &[]);
                }
                Some(Meaning::Hangup) => self.hang_up(),
                None => {}
            }
        }
    }

    /// What may have been changed on disk: the log files, the token.
    fn hang_up(&mut self) {
        self.server.send(&ToServer::ReopenLogs, &[]);
        if let Some(token) = self.token.renew() {
            self.server.send(&ToServer::TokenChanged(token), &[]);
        }
    }

    pub(super) fn reap_all(&mut self) {
        // The tag tells whose orphan it was, and is gone with it; nobody asks
        // unless a session is ending.
        let is_clearing = self.table.iter().any(|s| matches!(s.machine.phase, Phase::Clearing(..)));
        let reaped: Vec<Reaped> = std::iter::from_fn(|| Reaped::next(is_clearing)).take(REAPED_A_TURN).collect();
        self.has_more_ended = reaped.len() == REAPED_A_TURN;

        for Reaped { pid, status, tag } in reaped {
            self.sweeper.totals.reaped += 1;
            if self.server.was_retired(pid) {
                continue;
            }
            if self.server.pid() == Some(pid) {
                self.server_ended(status);
            } else if let Some(id) = self.table.led_by(pid) {
                self.leader_exited(id, status);
            } else if self.is_main(pid) {
                self.main_ended(status);
            } else if !self.tool_ended(pid, status) {
                self.warn_of_orphan(pid);
                if is_clearing {
                    self.orphan_reaped(tag);
                }
            }
        }
        self.check_victims();
    }

    /// Without a tag it may have been anybody's.
    fn orphan_reaped(&mut self, tag: Option<Tag>) {
        for id in self.table.ids() {
            let Some(session) = self.table.get_mut(id) else { continue };
            if tag.is_none_or(|tag| tag == tag_of(id)) {
                session.died += 1;
                self.feed(id, Input::OrphanReaped);
            }
        }
    }

    fn server_ended(&mut self, status: crate::model::session::ExitStatus) {
        // It never starts anything; but one that is not itself any more may have.
        if self.server.is_at_fault() && self.sweeper.is_on() {
            self.inspector.want_sweep(None);
        }
        self.server.ended(Instant::now(), status);
        self.forget_askers();
        if self.shutdown.has_begun() {
            self.server.retire();
        } else {
            tracing::warn!(?status, "The API server ended; sessions go on and a new one starts");
        }
    }

    /// The requests of a server that is gone have nobody to answer to any more.
    fn forget_askers(&mut self) {
        self.inspector.forget_askers();
        self.sweeper.forget_askers();
        self.tools.forget_askers();
        for session in self.table.iter_mut() {
            session.starter = None;
            session.resumer = None;
            session.removers.clear();
        }
    }

    fn hear_candidate(&mut self) {
        if self.server.hear_candidate(Instant::now()) {
            self.forget_askers();
            self.greet();
        }
    }

    fn take_messages(&mut self) {
        self.server.flush();
        let until = Instant::now() + MESSAGES_TIME;
        for _ in 0..MESSAGES_A_TURN {
            if !self.server.is_heard() || Instant::now() >= until {
                return;
            }
            match self.server.receive() {
                FromServer::Introduced(VERSION) => self.greet(),
                FromServer::Introduced(other) => {
                    self.server.replace(&format!("it speaks link version {other}, this init {VERSION}"));
                    return;
                }
                FromServer::Message(ToInit::Restored) => self.is_restored = true,
                FromServer::Message(ToInit::Serving) => {
                    if self.server.is_serving(Instant::now()) {
                        tracing::info!(restarts = self.server.restarts(), "API server ready");
                    }
                }
                FromServer::Message(ToInit::StateTrouble) => {
                    self.has_state_trouble = true;
                    if !self.shutdown.has_begun() && self.directories.look_again(Instant::now()) {
                        return self.server.replace("its directory is another one now");
                    }
                }
                FromServer::Message(ToInit::Pong) => self.server.take_pong(),
                FromServer::Message(ToInit::OomKills(kills)) => {
                    if let Some(count) = &mut self.oom_kills {
                        count.account_to(kills);
                    }
                }
                FromServer::Message(ToInit::Attention(id, life, attention)) => self.note_attention(id, life, attention),
                FromServer::Message(ToInit::Request(number, request)) => self.decide(number, request),
                FromServer::Nothing => return,
                FromServer::Closed => {
                    if self.shutdown.has_begun() {
                        self.server.hang_up();
                    } else {
                        self.server.dismiss();
                    }
                    return;
                }
                FromServer::Broken(reason) => {
                    if self.shutdown.has_begun() {
                        self.server.hang_up();
                    } else {
                        self.server.replace(&reason);
                    }
                    return;
                }
            }
        }
    }

    fn take_report(&mut self, id: SessionId) {
        let Some(session) = self.table.get_mut(id) else { return };
        let Some(report) = &session.report else { return };
        match spawn::outcome(report) {
            spawn::Outcome::Pending => {}
            spawn::Outcome::Started => {
                session.report = None;
                self.feed(id, Input::Accepted);
            }
            spawn::Outcome::Failed(failure) => {
                session.report = None;
                self.start_failed(id, failure);
            }
        }
    }

    /// The outcome of fork and exec comes before what the program did next.
    pub(super) fn settle_report(&mut self, id: SessionId) {
        self.take_report(id);
    }

    fn take_output(&mut self, id: SessionId, now_ms: u64, yields: bool) {
        let Some(session) = self.table.get_mut(id) else { return };
        if session.take_output(now_ms, yields) {
            session.close_terminal();
            self.feed(id, Input::TerminalClosed);
        }
    }

    fn take_timers(&mut self, now: Instant) {
        if self.has_more_ended {
            self.reap_all();
        }

        self.server.advance(now, &self.ground);
        self.tools.advance(now);
        if self.patience_ends().is_some_and(|at| at <= now) {
            self.table.iter_mut().filter(|s| s.ring.is_paused()).for_each(|s| s.ring.run_free());
        }
        for id in self.table.ids() {
            let due = self.table.get_mut(id).is_some_and(|s| s.deadline.is_some_and(|at| at <= now));
            if due {
                self.feed(id, Input::TimeOver);
            }
        }
        self.sweep_on(now);
        self.inspect();
        self.advance_shutdown(now);
    }

    /// Tells a new server everything there is to know.
    fn greet(&mut self) {
        let [state, log] = self.directories.fds();
        let hello = ToServer::Hello {
            version: VERSION,
            restarts: self.server.restarts(),
            unix: self.listeners.unix_sockets(),
            is_restored: self.is_restored,
            token: self.token.now().cloned(),
            directories: HeldDirectories {
                state: state.is_some(),
                log: log.is_some(),
                had_trouble: std::mem::take(&mut self.has_state_trouble),
            },
            settings: Box::new(self.config.settings.clone()),
        };
        // The server can't be without its descriptors; it is started again.
        let alarm = match self.server.fresh_alarm() {
            Ok(alarm) => alarm,
            Err(error) => return self.server.replace(&format!("there is no timer to watch it by: {error}")),
        };
        let mut fds = vec![self.nudge.as_fd(), alarm.as_fd(), self.listeners.tcp.as_fd()];
        let unix = [&self.listeners.unix, &self.listeners.notify].into_iter().flatten();
        fds.extend(unix.map(|(fd, _)| fd.as_fd()));
        fds.extend([state, log].into_iter().flatten());
        self.server.greet(&hello, &fds);
        for session in self.table.iter() {
            self.server.greet(&ToServer::Session(Box::new(session.record.clone())), &session.fds());
        }
        // Counters that began again with each server would go backwards.
        self.server.greet(&ToServer::Swept(self.sweeper.totals), &[]);
        self.server.greet(&ToServer::HelloDone, &[]);
        if self.shutdown.has_begun() {
            self.server.send(&ToServer::ShuttingDown { grace_ms: self.grace_ms() }, &[]);
        }
    }
}
