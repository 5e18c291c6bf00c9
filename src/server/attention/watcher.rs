//! The watcher of one life of a session.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::foreground;
use super::inbox::Event;
use super::judge::{Foreground, Judge};
use super::observer::Observer;
use crate::link::message::ToInit;
use crate::logging::unix_millis;
use crate::model::attention::Attention;
use crate::model::session::Stage;
use crate::server::link::Link;
use crate::server::registry::Entry;
use crate::server::session::{Read, Session};

/// Output is read in pieces of so many bytes.
const PIECE: usize = 32 * 1024;

/// After a read the next one comes no sooner, so that watching a flood costs
/// little; the ring holds many times what comes in between.
const REST: Duration = Duration::from_millis(20);

/// A program that printed within this time is not waiting yet.
const QUIET: Duration = Duration::from_millis(200);

/// Reads along.
#[derive(Debug)]
pub struct Watcher {
    session: Arc<Session>,
    link: Arc<Link>,
    stuck_after: Option<Duration>,
    life: u32,
    leader: i32,
    /// The last output, key, or beginning of this life, whichever came last. By a
    /// clock that nobody sets and that stands still with a sleeping machine.
    last_sign: Instant,
    /// The last output.
    last_output: Instant,
    observer: Observer,
    judge: Judge,
    offset: u64,
    next_look: Option<Instant>,
    /// What init knows.
    told: Attention,
}

impl Watcher {
    /// Begins with the first byte of a life that `is_new`, else with what comes
    /// now: what was printed before, an earlier server has seen.
    #[must_use]
    pub fn new(entry: &Entry, link: Arc<Link>, stuck_after: Option<Duration>, is_new: bool) -> Self {
        let state = &entry.record.state;
        let leader = match state.stage {
            Stage::Running { pid } => i32::try_from(pid).unwrap_or_default(),
            Stage::Starting | Stage::Ended | Stage::Idle { .. } => 0,
        };
        let told = state.attention.clone();
        let began = state.last_exit.and_then(|exit| exit.drained_at).unwrap_or(0);
        // What an earlier server saw is known by the wall clock only.
        let last_output = entry.session.last_output_ms();
        let last_sign = last_output.max(state.started_at.unwrap_or_else(unix_millis));
        Self {
            offset: if is_new { began.max(entry.session.oldest()) } else { entry.session.head() },
            session: Arc::clone(&entry.session),
            link,
            stuck_after,
            life: state.life,
            leader,
            last_sign: instant_of(last_sign),
            last_output: instant_of(last_output),
            observer: Observer::default(),
            judge: Judge::resume(told.need.clone(), told.is_told),
            next_look: None,
            told,
        }
    }

    /// Watches until somebody ends the task.
    pub async fn run(mut self) {
        loop {
            // Before the look at the head, so that no output falls between.
            let session = Arc::clone(&self.session);
            let output = session.output();
            tokio::pin!(output);
            output.as_mut().enable();
            let had_any = self.read();
            // Also beside output that never pauses.
            self.take_news();
            self.tell().await;
            if had_any {
                tokio::time::sleep(REST).await;
                continue;
            }
            session.want_wake();
            if session.head() > self.offset {
                continue;
            }
            let alarm = self.alarm();
            tokio::select! {
                () = output => {}
                () = session.inbox.filled() => {}
                () = tokio::time::sleep_until(alarm.into()) => self.look(),
            }
        }
    }

    /// Reads what there is, up to the ring's head of this moment; whether there
    /// was anything.
    fn read(&mut self) -> bool {
        let head = self.session.head();
        let had_any = head > self.offset;
        if had_any {
            self.last_output = Instant::now();
            self.last_sign = self.last_output;
        }
        let mut buffer = vec![0; if had_any { PIECE } else { 0 }];
        while self.offset < head {
            match self.session.read_at(self.offset, &mut buffer) {
                Ok(Read::Bytes(0)) | Err(_) => break,
                Ok(Read::Bytes(n)) => {
                    let now = Instant::now();
                    let judge = &mut self.judge;
                    self.observer.read(&buffer[..n], |sign| judge.heard(sign, now));
                    self.offset += n as u64;
                }
                Ok(Read::Gap(oldest)) => {
                    self.observer.reset();
                    self.offset = oldest;
                }
            }
        }
        had_any
    }

    fn take_news(&mut self) {
        for event in self.session.inbox.take() {
            match event {
                Event::Typed => {
                    self.last_sign = Instant::now();
                    self.judge.typed(self.last_sign);
                }
                Event::Told(word) => self.judge.told(word),
            }
        }
    }

    /// When to look at the program next, or at the clock.
    fn alarm(&mut self) -> Instant {
        let now = Instant::now();
        self.next_look = match (self.judge.next_look(), self.next_look) {
            (None, _) => None,
            (Some(pause), before) => Some(before.unwrap_or(now + pause).min(now + pause)),
        };
        let stuck = self.until_stuck().filter(|left| !left.is_zero()).map(|left| now + left);
        let far = now + Duration::from_secs(3600);
        [self.next_look, stuck].into_iter().flatten().min().unwrap_or(far)
    }

    fn look(&mut self) {
        if self.next_look.is_some_and(|at| at <= Instant::now()) {
            self.next_look = None;
            self.judge.looked(self.foreground());
        }
    }

    fn foreground(&self) -> Foreground {
        match self.session.foreground_group() {
            Some(group) if self.last_output.elapsed() >= QUIET => foreground::look(self.leader, group),
            _ => Foreground::Unclear,
        }
    }

    /// How long the program may stay silent until it counts as stuck.
    fn until_stuck(&self) -> Option<Duration> {
        self.stuck_after.map(|after| after.saturating_sub(self.last_sign.elapsed()))
    }

    fn attention(&self) -> Attention {
        let need = self.judge.need().map(str::to_owned);
        // Who waits for a person is not stuck.
        let is_stuck = need.is_none() && self.until_stuck().is_some_and(|left| left.is_zero());
        Attention { need, is_told: self.judge.is_told(), is_stuck }
    }

    async fn tell(&mut self) {
        let attention = self.attention();
        if attention == self.told {
            return;
        }
        let news = ToInit::Attention(self.session.id(), self.life, attention.clone());
        // Without a link this server ends anyway.
        if self.link.send(&news).await.is_ok() {
            self.told = attention;
        }
    }
}

/// The moment of a time in the past, in milliseconds since the epoch; now if it
/// is none, or was before the machine started.
fn instant_of(millis: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_millis(unix_millis().saturating_sub(millis))).unwrap_or(now)
}
