//! Init without an API: a main command, its signals, its end, and orphans to
//! reap. One process, one thread, one descriptor to wait for, no timer until
//! the end.

use std::time::{Duration, Instant};

use super::drain;
use super::main_command::{End, MainCommand};
use super::reaped::REAPED_A_TURN;
use super::shutdown::{Shutdown, Step, World};
use crate::exit::Exit;
use crate::model::session::ExitStatus;
use crate::model::signal::Signal;
use crate::sys::poll::{self, PollFd, PollFlags};
use crate::sys::process::{self, Pid};
use crate::sys::signals::{Meaning, Signals};
use crate::sys::{pages, reap};

/// Something to tell whoever reads standard error.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The main command was forked.
    Started(Pid),
    /// A signal came.
    Arrived(Signal),
    /// A signal was passed on as this one, or dropped.
    Forwarded(Signal, Option<Signal>),
    /// Someone was reaped; true for the main command.
    Reaped(Pid, ExitStatus, bool),
    /// The main command ended.
    Ended(&'a MainCommand, End),
    /// These did not end in time and are killed.
    Blocking(&'a str),
    /// This process is about to stop itself.
    Suspending,
}

/// Who tells, in the words of the program that init stands in for.
pub trait Voice {
    /// Tells of an event, or keeps quiet about it.
    fn tell(&self, event: Event<'_>);

    /// The exit code that stands for the main command's end.
    fn exit_code(&self, main: &MainCommand, end: End) -> u8;
}

/// What differs between the programs that init stands in for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// How long everybody else may take at the end; none ends at once.
    pub drain: Option<Duration>,
    /// Stops itself after passing on a terminal's stop signal.
    pub suspends: bool,
    /// Sends the main command's group a TERM once that has ended.
    pub ends_group: bool,
}

/// The whole state.
#[derive(Debug)]
pub struct Alone<V> {
    signals: Signals,
    main: MainCommand,
    habits: Habits,
    voice: V,
    shutdown: Shutdown,
    /// Whether a signal has asked for the end.
    is_end_asked: bool,
    /// Whether more children may have ended than one turn collects.
    has_more_ended: bool,
    code: u8,
}

impl<V: Voice> Alone<V> {
    /// Takes over a main command that was just forked.
    pub fn new(signals: Signals, main: MainCommand, habits: Habits, voice: V) -> Self {
        if let Some(pid) = main.pid() {
            voice.tell(Event::Started(pid));
        }
        Self {
            signals,
            main,
            habits,
            voice,
            shutdown: Shutdown::Up,
            is_end_asked: false,
            has_more_ended: false,
            code: 0,
        }
    }

    /// Waits, forwards and reaps until the main command has ended.
    #[must_use]
    pub fn run(mut self) -> Exit {
        pages::give_back_unused_code();
        while !self.is_done() {
            let pressing = self.has_more_ended.then_some(Duration::ZERO);
            let timeout =
                pressing.or_else(|| self.shutdown.deadline().map(|at| at.saturating_duration_since(Instant::now())));
            // Fails only for want of memory; then the next round may be luckier.
            let _ = poll::wait(&mut [PollFd::new(&self.signals, PollFlags::IN)], timeout);
            while let Some(signal) = self.signals.take() {
                self.take(signal);
            }
            if self.has_more_ended {
                self.reap_all();
            }
        }
        Exit::Main(self.code)
    }

    fn take(&mut self, signal: Signal) {
        self.voice.tell(Event::Arrived(signal));
        if signal == Signal::CHLD {
            return self.reap_all();
        }
        let has_main = self.main.pid().is_some();
        // QUIT is the main command's affair: many write a dump on it and go on.
        let asks_end = Meaning::of(signal) == Some(Meaning::Shutdown) && !(has_main && signal == Signal::QUIT);
        let is_repeated = asks_end && std::mem::replace(&mut self.is_end_asked, true);
        if has_main {
            let sent = self.main.forward(signal);
            self.voice.tell(Event::Forwarded(signal, sent));
            if self.habits.suspends && matches!(signal.number(), libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU) {
                self.voice.tell(Event::Suspending);
                process::signal_own(Signal::STOP);
            }
        } else if is_repeated {
            let step = self.shutdown.ask(Instant::now(), Duration::ZERO);
            self.act(step);
        }
    }

    fn reap_all(&mut self) {
        for _ in 0..REAPED_A_TURN {
            let Some((pid, status)) = reap::next() else {
                self.has_more_ended = false;
                return;
            };
            let is_main = self.main.pid() == Some(pid);
            self.voice.tell(Event::Reaped(pid, status, is_main));
            if is_main {
                self.main_ended(pid, status);
            }
        }
        self.has_more_ended = true;
    }

    fn main_ended(&mut self, pid: Pid, status: ExitStatus) {
        let end = self.main.ended(status);
        self.voice.tell(Event::Ended(&self.main, end));
        self.code = self.voice.exit_code(&self.main, end);
        if self.habits.ends_group {
            let _ = process::kill_group(pid, Signal::TERM);
        }
        self.shutdown.ask(Instant::now(), self.habits.drain.unwrap_or_default());
    }

    fn is_done(&mut self) -> bool {
        if self.main.pid().is_some() {
            return false;
        }
        if self.habits.drain.is_none() {
            return true;
        }
        loop {
            let others = self.shutdown.minds_others() && drain::anybody_left(None);
            let world = World { leaders: false, others, server: false };
            let step = self.shutdown.advance(Instant::now(), world);
            if step == Step::None {
                return self.shutdown == Shutdown::Done;
            }
            self.act(step);
        }
    }

    fn act(&self, step: Step) {
        match step {
            Step::EndOthers if drain::anybody_left(None) => drain::ask_everybody(None),
            Step::KillOthers => {
                if let Some(names) = drain::kill_everybody(None) {
                    self.voice.tell(Event::Blocking(&names));
                }
            }
            Step::KillAgain => drop(drain::kill_everybody(None)),
            _ => {}
        }
    }
}
