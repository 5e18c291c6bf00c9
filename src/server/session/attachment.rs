//! A client's place in a session's output: attaching, moving on, leaving.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::Notify;

use super::past::{Found, Past};
use super::{Read, Session, lock};
use crate::server::pace::{ClientId, LINGER, Say};

/// What a client's place in the stream starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Everything that is still there.
    Oldest,
    /// Only what comes from now on.
    Live,
    /// From this byte.
    At(u64),
}

/// An offset that no byte has yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeyondHead {
    /// The present head.
    pub head: u64,
}

impl Session {
    /// Attaches a client.
    ///
    /// # Errors
    /// [`BeyondHead`] for an offset that no byte has yet.
    pub fn attach(self: &Arc<Self>, start: Start, say: Say, wake: Arc<Notify>) -> Result<Attachment, BeyondHead> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let (oldest, head) = (self.oldest(), self.ring.head());
        let (asked, offset) = match start {
            Start::Live => (head, head),
            Start::Oldest => {
                let safe = self.safe_oldest();
                (safe, safe)
            }
            Start::At(offset) if offset > head => return Err(BeyondHead { head }),
            Start::At(offset) if offset < oldest => (offset, self.safe_oldest()),
            Start::At(offset) => (offset, offset),
        };
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let pace = {
            let mut places = lock(&self.places);
            places.join(id, self.needed_in_ring(offset), offset, say, Arc::clone(&wake));
            places.pace(now)
        };
        self.set_pace(pace);
        Ok(Attachment {
            session: Arc::clone(self),
            id,
            asked,
            offset,
            oldest,
            head,
            is_detached: false,
            past: Past::default(),
            wake,
        })
    }
}

/// A client's place in a session's output. Dropping it leaves the session, and
/// keeps the place for a moment unless the client detached on purpose.
#[derive(Debug)]
pub struct Attachment {
    /// The session.
    pub session: Arc<Session>,
    id: ClientId,
    /// The offset the client asked for.
    pub asked: u64,
    /// The offset it starts at.
    pub offset: u64,
    /// The oldest offset at that moment.
    pub oldest: u64,
    /// The head at that moment.
    pub head: u64,
    is_detached: bool,
    past: Past,
    wake: Arc<Notify>,
}

impl Attachment {
    /// Copies output from `offset` on, from the ring or from disk.
    ///
    /// # Errors
    /// What reading the ring returns.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<Found> {
        if offset >= self.session.ring.oldest()
            && let Read::Bytes(n) = self.session.ring.read_at(offset, buffer)?
        {
            self.past = Past::default();
            return Ok(Found::Bytes(n));
        }
        Ok(self.past.read_at(&self.session, offset, buffer, &self.wake))
    }

    /// Whether the next output is still on its way from disk.
    #[must_use]
    pub fn is_fetching(&self) -> bool {
        self.past.is_waiting()
    }

    /// The client was sent everything below `sent` and says that it has everything
    /// below `acked`.
    pub fn acked(&self, acked: u64, sent: u64) {
        self.moved(acked, sent);
    }

    /// The client was sent everything below `sent` and acknowledges nothing. What
    /// waits in the sockets between is lost to it if the connection breaks, so
    /// half of the ring is kept readable behind it.
    pub fn sent(&self, sent: u64) {
        self.moved(sent.saturating_sub(self.session.ring.capacity() / 2), sent);
    }

    /// The client lost its place and goes on at `offset`.
    pub fn resumed(&self, offset: u64) {
        self.moved(self.session.needed_in_ring(offset), offset);
    }

    fn moved(&self, place: u64, sent: u64) {
        let pace = {
            let mut places = lock(&self.session.places);
            places.moved(self.id, place, sent);
            places.pace(Instant::now())
        };
        self.session.set_pace(pace);
    }

    /// Leaves on purpose: the place is not held.
    pub fn detach(mut self) {
        self.is_detached = true;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let now = Instant::now();
        let hold = (!self.is_detached).then(|| now + LINGER);
        let pace = {
            let mut places = lock(&self.session.places);
            places.leave(self.id, hold);
            places.pace(now)
        };
        self.session.set_pace(pace);
    }
}
