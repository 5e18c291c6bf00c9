//! The double of a server that was taken over: what it knows and can do.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fastrand::Rng;
use quarterdeck::link::codec;
use quarterdeck::link::message::{LIFE_SIGN, Request, ToInit, ToServer, VERSION};
use quarterdeck::model::id::SessionId;
use quarterdeck::model::session::Record;
use quarterdeck::sys::{seqpacket, service, timer};

use crate::attacks;
use crate::kinds::Rage;
use crate::rig;

/// Sessions with such a name are to be whole afterwards: ending those is what any
/// client may do, and shows nothing.
pub const SPARED: &str = "keep-";

/// A session that init told of.
pub struct Known {
    pub record: Record,
    /// Ring, hint, data eventfd, and the terminal if it is open.
    pub fds: Vec<OwnedFd>,
}

/// The hostile server.
pub struct Double {
    pub link: OwnedFd,
    pub rng: Rng,
    pub sessions: Vec<Known>,
    alarm: Option<OwnedFd>,
    pushed: Instant,
    number: u64,
    acts: u64,
    buffer: Vec<u8>,
}

/// Rages until init kills it.
pub fn run(rage: &Rage) -> ExitCode {
    let Some(link) = service::take_link() else { return ExitCode::from(2) };
    // One that is started again does something else.
    let seed = rage.seed ^ u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut double = Double {
        link,
        rng: Rng::with_seed(seed),
        sessions: Vec::new(),
        alarm: None,
        pushed: Instant::now(),
        number: 0,
        acts: 0,
        buffer: vec![0; codec::MESSAGE_MAX],
    };
    attacks::rage(rage.kind, &mut double);
    ExitCode::SUCCESS
}

impl Double {
    /// Speaks as an honest server until init has told everything.
    pub fn greet(&mut self) {
        let _ = seqpacket::send(&self.link, &codec::introduction(VERSION), &[]);
        while self.take_one(Duration::from_secs(5)).is_some_and(|message| message != ToServer::HelloDone) {}
    }

    /// Takes one message, and waits for it as long as that.
    pub fn take_one(&mut self, patience: Duration) -> Option<ToServer> {
        let until = Instant::now() + patience;
        loop {
            self.show_life();
            if let Ok((n, fds)) = seqpacket::receive(&self.link, &mut self.buffer) {
                let message = codec::decode(&self.buffer[..n]).ok()?;
                self.note(&message, fds);
                return Some(message);
            }
            if Instant::now() >= until {
                return None;
            }
            std::thread::park_timeout(Duration::from_micros(200));
        }
    }

    /// Takes all that is there.
    pub fn take_all(&mut self) {
        while self.take_one(Duration::ZERO).is_some() {}
    }

    fn note(&mut self, message: &ToServer, fds: Vec<OwnedFd>) {
        match message {
            ToServer::Hello { .. } => self.alarm = fds.into_iter().nth(1),
            ToServer::Session(record) => {
                if let Err(error) = record.spec.check() {
                    rig::tell_breach(&format!("a session was made that no client may ask for: {error}"));
                }
                self.sessions.retain(|known| known.record.id != record.id);
                self.sessions.push(Known { record: (**record).clone(), fds });
            }
            ToServer::Removed(id) => self.sessions.retain(|known| known.record.id != *id),
            _ => {}
        }
    }

    /// Init is not to find out by its alarm that something is wrong.
    pub fn show_life(&mut self) {
        if self.pushed.elapsed() > LIFE_SIGN / 10 {
            self.pushed = Instant::now();
            self.alarm.iter().for_each(|alarm| drop(timer::push(alarm, LIFE_SIGN)));
        }
    }

    /// Sends any bytes; false if that could not be done now.
    pub fn send_bytes(&mut self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> bool {
        self.show_life();
        self.count_act();
        seqpacket::send(self.link.as_fd(), bytes, fds).is_ok()
    }

    pub fn send(&mut self, message: &ToInit) -> bool {
        codec::encode(message).is_ok_and(|bytes| self.send_bytes(&bytes, &[]))
    }

    pub fn wish(&mut self, request: Request) -> bool {
        self.number += 1;
        self.send(&ToInit::Request(self.number, request))
    }

    /// Some session that may be ended: not one that is to be whole afterwards.
    pub fn victim(&mut self) -> Option<SessionId> {
        let may_end = |known: &&Known| !known.record.name.as_str().starts_with(SPARED);
        let all: Vec<SessionId> = self.sessions.iter().filter(may_end).map(|known| known.record.id).collect();
        self.rng.choice(all)
    }

    /// Any session.
    pub fn anybody(&mut self) -> Option<SessionId> {
        let all: Vec<SessionId> = self.sessions.iter().map(|known| known.record.id).collect();
        self.rng.choice(all)
    }

    pub fn noise(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// Counts what was done, and says so now and then.
    pub fn count_act(&mut self) {
        self.acts += 1;
        if self.acts.is_power_of_two() || self.acts.is_multiple_of(1000) {
            rig::tell_acts(self.acts);
        }
    }

    /// Waits for the end.
    pub fn linger(&mut self) -> ! {
        loop {
            self.show_life();
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}
