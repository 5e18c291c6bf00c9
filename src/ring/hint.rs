//! What the readers tell the writer: one page the server may write.
//!
//! The writer treats it as a hint and clamps it: nonsense here can make a
//! session slower or lose it old bytes, never harm another.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::counters::{self, AtomicU64, Ordering};
use crate::sys::memfd::{self, Access, Mapping};

/// Value of the pace word that holds nothing back.
pub const FREE_RUN: u64 = u64::MAX;

const LEN: usize = 4096;
const PACE: usize = 0;
const WANT_WAKE: usize = 1;
const TYPED_AT: usize = 2;

/// The page, as either side sees it.
#[derive(Debug)]
pub struct Hint {
    map: Mapping,
}

impl Hint {
    /// Makes the page and its descriptor. It starts as "free run".
    ///
    /// # Errors
    /// What the memfd calls return.
    pub fn create() -> io::Result<(Self, OwnedFd)> {
        let fd = memfd::create("quarterdeck-hint", LEN)?;
        // A seal of the server's would keep its successors from mapping the page.
        memfd::seal_against_seals(&fd)?;
        let hint = Self::open(&fd)?;
        hint.set_pace(FREE_RUN);
        Ok((hint, fd))
    }

    /// Maps a page made elsewhere.
    ///
    /// # Errors
    /// `InvalidInput` if it is no such page, else what `mmap(2)` returns.
    pub fn open(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self { map: Mapping::new(fd, LEN, Access::Write)? })
    }

    fn pace_word(&self) -> &AtomicU64 {
        self.map.word(PACE)
    }

    /// Server: the offset of the fastest client, or [`FREE_RUN`].
    pub fn set_pace(&self, offset: u64) {
        self.pace_word().store(offset, Ordering::Release);
    }

    /// The last value set.
    #[must_use]
    pub fn pace(&self) -> u64 {
        self.pace_word().load(Ordering::Acquire)
    }

    /// Server: ask for one ring of the eventfd at the next publication. The
    /// caller then looks at the head again before it sleeps.
    pub fn want_wake(&self) {
        counters::wish(self.map.word(WANT_WAKE));
    }

    /// Server: a client typed at this moment, milliseconds since the epoch.
    pub fn set_typed_at(&self, now_ms: u64) {
        self.map.word(TYPED_AT).store(now_ms, Ordering::Relaxed);
    }

    /// When a client last typed.
    #[must_use]
    pub fn typed_at(&self) -> u64 {
        self.map.word(TYPED_AT).load(Ordering::Relaxed)
    }

    /// Init, after publishing: whether to ring; the wish is taken.
    #[must_use]
    pub fn take_wake(&self) -> bool {
        counters::take_wish(self.map.word(WANT_WAKE))
    }
}
