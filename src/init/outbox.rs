//! What waits to be sent to a server that is busy, and how much that may be.
//!
//! A server that does not read its answers gets no more of its wishes granted:
//! above the mark nothing is read from it, so what piles up is bounded by what
//! happens by itself. One that takes nothing for a while is of no use.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// Above any of these the server's wishes are not read.
const MARK: Amount = Amount { messages: 256, bytes: 512 * 1024, fds: 64 };

/// What may wait at all, beside the greeting.
const MAX: Amount = Amount { messages: 8192, bytes: 8 * 1024 * 1024, fds: 1024 };

/// How long a server may leave messages waiting without taking one.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    messages: usize,
    bytes: usize,
    fds: usize,
}

impl Amount {
    fn of(waiting: &Waiting) -> Self {
        Self { messages: 1, bytes: waiting.bytes.len(), fds: waiting.fds.len() }
    }

    fn plus(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes, fds: self.fds + other.fds }
    }

    fn minus(self, other: Self) -> Self {
        Self { messages: self.messages - other.messages, bytes: self.bytes - other.bytes, fds: self.fds - other.fds }
    }

    fn exceeds(self, other: Self) -> bool {
        self.messages > other.messages || self.bytes > other.bytes || self.fds > other.fds
    }
}

/// A message that did not fit the socket's queue yet.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
    is_greeting: bool,
}

/// The messages that wait.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: VecDeque<Waiting>,
    /// Of the greeting, which is as large as what there is to tell.
    greeting: Amount,
    /// Of all the rest.
    others: Amount,
    /// When the server last took a message, while some wait.
    taken_at: Option<Instant>,
}

impl Outbox {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether so much waits that the server is to read before it says more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.others.exceeds(MARK)
    }

    /// Until when the server must have taken something.
    #[must_use]
    pub fn patience_ends(&self) -> Option<Instant> {
        self.taken_at.map(|at| at + PATIENCE)
    }

    /// Begins to wait anew: it was not the server that kept us.
    pub fn forgive(&mut self, now: Instant) {
        self.taken_at = self.taken_at.map(|_| now);
    }

    /// Keeps a message.
    ///
    /// # Errors
    /// Why the server it is for is of no use any more.
    pub fn push(
        &mut self,
        bytes: Vec<u8>,
        fds: &[BorrowedFd<'_>],
        is_greeting: bool,
        now: Instant,
    ) -> Result<(), String> {
        let fds = fds.iter().map(|fd| fd.try_clone_to_owned()).collect::<Result<_, _>>();
        let fds = fds.map_err(|error| format!("no descriptor can be sent to it: {error}"))?;
        let waiting = Waiting { bytes, fds, is_greeting };
        let sum = self.sum(is_greeting);
        *sum = sum.plus(Amount::of(&waiting));
        if self.others.exceeds(MAX) {
            return Err("it does not read its messages".into());
        }
        self.taken_at.get_or_insert(now);
        self.waiting.push_back(waiting);
        Ok(())
    }

    /// Sends with `send` as much as that takes.
    ///
    /// # Errors
    /// What `send` returns, other than that its queue is full.
    pub fn flush(
        &mut self,
        now: Instant,
        mut send: impl FnMut(&[u8], &[BorrowedFd<'_>]) -> io::Result<()>,
    ) -> io::Result<()> {
        while let Some(first) = self.waiting.front() {
            let fds: Vec<BorrowedFd<'_>> = first.fds.iter().map(AsFd::as_fd).collect();
            match send(&first.bytes, &fds) {
                Ok(()) => self.take_first(now),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn take_first(&mut self, now: Instant) {
        let Some(first) = self.waiting.pop_front() else { return };
        let sum = self.sum(first.is_greeting);
        *sum = sum.minus(Amount::of(&first));
        self.taken_at = (!self.waiting.is_empty()).then_some(now);
    }

    fn sum(&mut self, is_greeting: bool) -> &mut Amount {
        if is_greeting { &mut self.greeting } else { &mut self.others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(_: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    /// What one after the other adds until there is no more room.
    fn fill(outbox: &mut Outbox, len: usize, fds: &[BorrowedFd<'_>]) -> usize {
        (0..).take_while(|_| outbox.push(vec![0; len], fds, false, Instant::now()).is_ok()).count()
    }

    #[test]
    fn it_is_bounded_by_bytes_by_messages_and_by_descriptors() {
        assert_eq!(fill(&mut Outbox::default(), 1, &[]), MAX.messages);
        assert_eq!(fill(&mut Outbox::default(), 128 * 1024, &[]), 64);
        let null = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(fill(&mut Outbox::default(), 1, &[null.as_fd(); 8]), 128);
    }

    #[test]
    fn a_greeting_may_be_as_large_as_it_is() {
        let mut outbox = Outbox::default();
        for _ in 0..100 {
            outbox.push(vec![0; 128 * 1024], &[], true, Instant::now()).unwrap();
        }
        assert!(!outbox.is_full());
        assert_eq!(fill(&mut outbox, 128 * 1024, &[]), 64);
        assert!(outbox.is_full());
    }

    #[test]
    fn it_is_full_long_before_it_is_at_its_end_and_not_for_ever() {
        let mut outbox = Outbox::default();
        let now = Instant::now();
        for _ in 0..MARK.messages {
            outbox.push(vec![0], &[], false, now).unwrap();
        }
        assert!(!outbox.is_full());
        outbox.push(vec![0], &[], false, now).unwrap();
        assert!(outbox.is_full());
        outbox.flush(now, refuse).unwrap();
        assert!(outbox.is_full());
        let mut sent = 0;
        outbox
            .flush(now, |_, _| {
                sent += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!((sent, outbox.is_full(), outbox.is_empty()), (MARK.messages + 1, false, true));
        assert_eq!((outbox.others, outbox.greeting), (Amount::default(), Amount::default()));
    }

    #[test]
    fn patience_runs_from_the_last_message_that_was_taken() {
        let mut outbox = Outbox::default();
        let start = Instant::now();
        assert_eq!(outbox.patience_ends(), None);
        outbox.push(vec![0], &[], false, start).unwrap();
        outbox.push(vec![0], &[], false, start + PATIENCE).unwrap();
        assert_eq!(outbox.patience_ends(), Some(start + PATIENCE));
        let (later, mut takes) = (start + PATIENCE / 2, 1);
        let one = |_: &[u8], _: &[BorrowedFd<'_>]| {
            takes -= 1;
            if takes < 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        outbox.flush(later, one).unwrap();
        assert_eq!(outbox.patience_ends(), Some(later + PATIENCE));
        outbox.flush(later, |_, _| Ok(())).unwrap();
        assert_eq!(outbox.patience_ends(), None);
    }
}
