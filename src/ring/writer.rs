//! The writing side: init fills the ring straight from the terminal.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::counters::{self, Ordering};
use super::hint::{FREE_RUN, Hint};
use super::layout::{Capacity, READ_MAX, word};
use crate::sys::eventfd;
use crate::sys::memfd::{self, Access, Mapping};

/// A ring, its hint page and the eventfd its readers sleep on.
#[derive(Debug)]
pub struct RingWriter {
    map: Mapping,
    capacity: Capacity,
    head: u64,
    paused: bool,
    hint: Hint,
    fds: RingFds,
}

/// The descriptors a reader needs.
#[derive(Debug)]
pub struct RingFds {
    /// The ring, sealed against writing.
    pub ring: OwnedFd,
    /// The hint page.
    pub hint: OwnedFd,
    /// Rung after a publication somebody asked to hear of.
    pub data: OwnedFd,
}

/// What one read from the terminal brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Filled {
    /// This many bytes, now published.
    Bytes(u64),
    /// Nothing now.
    Empty,
    /// The terminal is closed for good.
    Closed,
}

impl RingWriter {
    /// Makes an empty ring whose first byte will have the offset `base`.
    ///
    /// # Errors
    /// What the memfd and eventfd calls return, e.g. `ENOMEM`, `EMFILE`.
    pub fn create(capacity: Capacity, base: u64) -> io::Result<Self> {
        let ring = memfd::create("quarterdeck-ring", capacity.file_len())?;
        let map = Mapping::new(&ring, capacity.file_len(), Access::Write)?;
        memfd::seal_against_new_writers(&ring)?;
        for index in [word::BASE, word::RESERVED, word::HEAD] {
            map.word(index).store(base, Ordering::Relaxed);
        }
        let (hint, hint_fd) = Hint::create()?;
        let data = eventfd::create()?;
        Ok(Self { map, capacity, head: base, paused: false, hint, fds: RingFds { ring, hint: hint_fd, data } })
    }

    /// Ring, hint and eventfd, in the order of the link message.
    #[must_use]
    pub fn fds(&self) -> [BorrowedFd<'_>; 3] {
        [self.fds.ring.as_fd(), self.fds.hint.as_fd(), self.fds.data.as_fd()]
    }

    /// Bytes ever written.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Whether the next read could overwrite a byte that the fastest attached
    /// client has not had.
    ///
    /// When the answer is yes, the readers know that they must ring init once
    /// they make room.
    pub fn must_wait(&mut self) -> bool {
        if !self.outruns_pace() {
            self.set_paused(false);
            return false;
        }
        if self.paused {
            return true;
        }
        self.paused = true;
        counters::wish(self.map.word(word::PAUSED));
        // A reader may have made room between the first look and the wish.
        if self.outruns_pace() {
            return true;
        }
        self.set_paused(false);
        false
    }

    /// Forget what clients have not read: nobody is there to read it.
    pub fn run_free(&mut self) {
        self.hint.set_pace(FREE_RUN);
        self.set_paused(false);
    }

    /// When a client last typed, by the server's word, milliseconds since the
    /// epoch.
    #[must_use]
    pub fn typed_at(&self) -> u64 {
        self.hint.typed_at()
    }

    /// Whether [`Self::must_wait`] was the last word.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    fn outruns_pace(&self) -> bool {
        // Read once: it may change at any moment, to anything.
        let pace = self.hint.pace();
        pace != FREE_RUN && self.head - pace.min(self.head) + READ_MAX > self.capacity.bytes()
    }

    fn set_paused(&mut self, paused: bool) {
        if self.paused != paused {
            self.paused = paused;
            self.map.word(word::PAUSED).store(paused.into(), Ordering::Release);
        }
    }

    /// Reads once from `terminal` into the ring and publishes what came.
    ///
    /// # Errors
    /// What `readv(2)` returns, other than "nothing now" and "closed".
    pub fn fill_from(&mut self, terminal: impl AsFd, now_ms: u64) -> io::Result<Filled> {
        counters::reserve(self.map.word(word::RESERVED), self.head + READ_MAX);
        let got = self.map.read_into(terminal, self.capacity.pieces(self.head, READ_MAX));
        let filled = match got {
            Ok(0) => Filled::Closed,
            Ok(n) => Filled::Bytes(n as u64),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Filled::Empty,
            // A master whose last slave is closed answers EIO (pty(7)).
            Err(e) if e.raw_os_error() == Some(libc::EIO) => Filled::Closed,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Filled::Empty,
            Err(e) => return Err(e),
        };
        if let Filled::Bytes(n) = filled {
            self.head += n;
            self.map.word(word::LAST_OUTPUT).store(now_ms, Ordering::Relaxed);
            counters::publish(self.map.word(word::HEAD), self.head);
            self.wake_readers();
        }
        Ok(filled)
    }

    fn wake_readers(&self) {
        if self.hint.take_wake() {
            eventfd::ring(&self.fds.data);
        }
    }
}
