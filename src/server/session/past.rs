//! Reading on where the ring no longer reaches: a client's way through the history.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::{Session, lock};
use crate::ring::reader::Read;
use crate::server::history::FETCH_MAX;

/// What a read at an offset found, in the ring or on disk.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// This many bytes were copied.
    Bytes(usize),
    /// The bytes at the offset are gone.
    Gone,
    /// They are being fetched; the client is woken.
    Later,
}

/// What the disk gave, once it did.
type Slot = Mutex<Option<Option<Vec<u8>>>>;

/// A client's piece of the history.
#[derive(Debug, Default)]
pub(super) struct Past {
    fetch: Option<Arc<Slot>>,
    piece: Option<(u64, Vec<u8>)>,
}

impl Past {
    /// Whether the disk has not answered yet.
    pub fn is_waiting(&self) -> bool {
        self.fetch.as_ref().is_some_and(|slot| lock(slot).is_none())
    }

    /// Copies from `offset` on, which is the same until something was found.
    pub fn read_at(&mut self, session: &Session, offset: u64, buffer: &mut [u8], wake: &Arc<Notify>) -> Found {
        if let Some(n) = self.copy(offset, buffer) {
            return Found::Bytes(n);
        }
        match self.fetch.take() {
            None => self.begin(session, offset, wake),
            Some(slot) => {
                let answer = lock(&slot).take();
                match answer {
                    None => {
                        self.fetch = Some(slot);
                        Found::Later
                    }
                    Some(None) => Found::Gone,
                    Some(Some(bytes)) => {
                        self.piece = Some((offset, bytes));
                        self.copy(offset, buffer).map_or(Found::Gone, Found::Bytes)
                    }
                }
            }
        }
    }

    fn copy(&self, offset: u64, buffer: &mut [u8]) -> Option<usize> {
        let (start, bytes) = self.piece.as_ref()?;
        let skip = usize::try_from(offset.checked_sub(*start)?).ok()?;
        let rest = bytes.get(skip..).filter(|rest| !rest.is_empty())?;
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Some(n)
    }

    fn begin(&mut self, session: &Session, offset: u64, wake: &Arc<Notify>) -> Found {
        self.piece = None;
        let Some(history) = session.history.as_ref().filter(|history| covers(history.range(), offset)) else {
            return Found::Gone;
        };
        let slot = Arc::new(Slot::default());
        let (answer, wake) = (Arc::clone(&slot), Arc::clone(wake));
        let asked = history.fetch(offset, FETCH_MAX, move |bytes| {
            *lock(&answer) = Some(bytes);
            wake.notify_one();
        });
        if asked.is_err() {
            return Found::Gone;
        }
        self.fetch = Some(slot);
        Found::Later
    }
}

fn covers((from, to): (u64, u64), offset: u64) -> bool {
    (from..to).contains(&offset)
}

impl Session {
    /// What the history holds in front of the ring: nothing unless the two meet.
    fn past(&self) -> Option<(u64, u64)> {
        let range = self.history.as_ref()?.range();
        (range.0 < range.1 && range.1 >= self.ring.oldest() && range.1 <= self.ring.head()).then_some(range)
    }

    /// The oldest offset that can be read, in the ring or on disk.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        let oldest = self.ring.oldest();
        self.past().map_or(oldest, |(from, _)| from.min(oldest))
    }

    /// The first offset that is safe to read from: while output may go on, a
    /// little above the ring's oldest, unless the disk has what is before.
    #[must_use]
    pub fn safe_oldest(&self) -> u64 {
        match self.past() {
            Some((from, _)) if from < self.ring.oldest() => from,
            _ => self.ring_safe_oldest(),
        }
    }

    /// Where to go on after `offset` turned out to be gone.
    #[must_use]
    pub fn next_readable(&self, offset: u64) -> u64 {
        let next = self.safe_oldest();
        if next > offset { next } else { self.ring_safe_oldest().max(offset) }
    }

    /// From where on everything a client at `offset` has yet to read must stay in
    /// the ring: what is recorded need not.
    pub(super) fn needed_in_ring(&self, offset: u64) -> u64 {
        let oldest = self.ring.oldest();
        if offset >= oldest {
            return offset;
        }
        let recorded = self.history.as_ref().map_or(0, |history| history.range().1);
        recorded.max(self.ring_safe_oldest()).min(self.ring.head())
    }

    /// Reads up to `len` bytes from `offset` on, from disk and on into the ring;
    /// fewer where they end. Nothing if the first of them is gone.
    ///
    /// # Errors
    /// What reading the ring returns.
    pub async fn read(&self, offset: u64, len: usize) -> io::Result<Option<Vec<u8>>> {
        let (wake, mut past, mut found) = (Arc::new(Notify::new()), Past::default(), Vec::new());
        while found.len() < len {
            let at = offset + found.len() as u64;
            let start = found.len();
            let in_ring = at >= self.ring.oldest();
            found.resize(if in_ring { len } else { len.min(start + FETCH_MAX) }, 0);
            let got = match self.ring.read_at(at, &mut found[start..])? {
                Read::Bytes(n) => {
                    found.truncate(start + n);
                    break;
                }
                Read::Gap(_) => past.read_at(self, at, &mut found[start..], &wake),
            };
            found.truncate(start + if let Found::Bytes(n) = got { n } else { 0 });
            match got {
                Found::Bytes(_) => {}
                Found::Later => wake.notified().await,
                Found::Gone if start == 0 => return Ok(None),
                Found::Gone => break,
            }
        }
        Ok(Some(found))
    }
}
