//! Output on disk: older than the ring, and older than the container.
//!
//! Each session's output is recorded as asciicast v3, so that other tools can play
//! it, and exactly, so that a client reads on from the files into the ring without a
//! seam. Recording is a cursor in the ring that slows nobody.
//!
//! - [`cast`]: bytes to lines and back; [`segment`]: one file; [`store`]: a session's
//!   folder; [`timing`]: when to write. They know nothing of sessions.
//! - [`recorder`]: what of a session is written, and the task that waits for output.
//! - [`keeper`]: the thread that does it, and what concerns all sessions.

pub mod cast;
pub mod keeper;
pub mod recorder;
pub mod segment;
pub mod store;
pub mod timing;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::model::id::SessionId;
use crate::server::session::{Session, lock};
use keeper::Keeper;
use store::Store;

/// Most output fetched from disk in one go.
pub const FETCH_MAX: usize = 256 * 1024;

/// One session's history.
#[derive(Debug)]
pub struct History {
    keeper: Arc<Keeper>,
    id: SessionId,
    /// What can be read, as of the last thing done: from, to.
    range: Mutex<(u64, u64)>,
    /// Only used on the keeper's thread; opened there.
    store: Mutex<Option<Store>>,
    is_removed: AtomicBool,
}

impl History {
    fn new(keeper: Arc<Keeper>, id: SessionId) -> Self {
        Self { keeper, id, range: Mutex::default(), store: Mutex::default(), is_removed: AtomicBool::new(false) }
    }

    /// What can be read: from, to.
    #[must_use]
    pub fn range(&self) -> (u64, u64) {
        *lock(&self.range)
    }

    /// Bytes kept of the session.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.keeper.limits.total
    }

    /// Looks at what is there.
    pub async fn open(self: &Arc<Self>) {
        let opened = self.call(|history| history.with_store(|_| Ok(()))).await;
        self.note(opened.as_ref().copied());
    }

    /// Records what has come; how many bytes that took on disk. All of it, even the
    /// beginning of a character, if `is_last`.
    ///
    /// # Errors
    /// What the file system returns; the rest is recorded next time.
    pub async fn record(self: &Arc<Self>, session: &Arc<Session>, is_last: bool) -> io::Result<u64> {
        let session = Arc::clone(session);
        let limits = self.keeper.limits;
        let done = self
            .call(move |history| history.with_store(|store| recorder::record(store, &session, limits, is_last)))
            .await;
        self.note(done.as_ref().map(|_| ()));
        done
    }

    /// A session that is deleted meanwhile is no trouble, and would stay one for ever.
    fn note(&self, outcome: Result<(), &io::Error>) {
        if !self.is_removed.load(Ordering::Relaxed) {
            self.keeper.note(self.id, outcome);
        }
    }

    /// Fetches output from `offset` on and passes it to `done`; nothing if it can't
    /// be had.
    ///
    /// # Errors
    /// What starting the thread returns; `done` is not called then.
    pub fn fetch(
        self: &Arc<Self>,
        offset: u64,
        max: usize,
        done: impl FnOnce(Option<Vec<u8>>) + Send + 'static,
    ) -> io::Result<()> {
        let history = Arc::clone(self);
        let job = move || {
            let found = history.with_store(|store| store.read(offset, max));
            if let Err(error) = &found
                && !history.is_removed.load(Ordering::Relaxed)
            {
                let id = history.id;
                tracing::warn!(sessionId = %id, offset, %error, "Recorded output cannot be read; going on behind it");
            }
            done(found.ok().flatten());
        };
        self.keeper.run(job).inspect_err(|error| {
            tracing::warn!(sessionId = %self.id, %error, "Recorded output cannot be read now: no thread can be started");
        })
    }

    /// Removes it for good.
    pub fn remove(self: &Arc<Self>) {
        self.is_removed.store(true, Ordering::Relaxed);
        let history = Arc::clone(self);
        let removed = self.keeper.run(move || {
            *lock(&history.store) = None;
            *lock(&history.range) = (0, 0);
            history.keeper.forget(history.id);
            let dir = history.keeper.dir_of(history.id);
            match fs::remove_dir_all(&dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(dir = %dir.display(), %error, "The history of a deleted session cannot be removed");
                }
                _ => {}
            }
        });
        // Without a thread, the next start finds it.
        drop(removed);
    }

    /// Does something on the keeper's thread.
    async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = oneshot::channel();
        let history = Arc::clone(self);
        self.keeper.run(move || drop(sender.send(work(&history))))?;
        receiver.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn with_store<T>(&self, work: impl FnOnce(&mut Store) -> io::Result<T>) -> io::Result<T> {
        if self.is_removed.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.keeper.own()?;
        let mut store = lock(&self.store);
        let store = match &mut *store {
            Some(store) => store,
            None => {
                let dir = self.keeper.dir_of(self.id);
                store.insert(Store::open(dir, self.keeper.limits, self.keeper.goes_on)?)
            }
        };
        let done = work(store);
        *lock(&self.range) = store.range();
        done
    }
}
