//! Keeps the state file like the sessions: reads it once, then follows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::content::Saved;
use super::disk::{Disk, Silent};
use super::store::{Loaded, Store, Trouble};
use crate::link::message::{Request, ToInit};
use crate::model::session::Record;
use crate::server::link::{Link, RequestError};
use crate::server::registry::{Registry, Snapshot};
use crate::server::view::last_activity_ms;
use crate::server::worktree::Worktrees;

/// Least time between two writes; changes within it share the next one.
const PAUSE: Duration = Duration::from_millis(200);

/// Between two tries while the file can't be used.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(15);

/// A server that was killed for this one may hold the directory for a moment.
const PREDECESSOR: Duration = Duration::from_millis(20);
const PREDECESSOR_TRIES: u32 = 100;

/// A disk that takes longer for a file of some kilobytes does not answer.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// The one task that uses the store.
#[derive(Debug)]
pub struct Keeper {
    link: Arc<Link>,
    registry: Arc<Registry>,
    worktrees: Arc<Worktrees>,
    disk: Disk<Store>,
    /// Whether init knows all sessions of the file.
    is_restored: bool,
    /// Whether this server has read the file. Before, it may hold sessions that
    /// nobody knows, and is not written.
    is_read: bool,
    knows_all: bool,
    /// What the file says, as far as that is known.
    written: Option<Vec<Saved>>,
    trouble: Option<Trouble>,
    /// Whether the server before this one had some, and told of it.
    had_trouble: bool,
    retry: Duration,
}

impl Keeper {
    /// A keeper of `store` that has done nothing yet.
    #[must_use]
    pub fn new(
        store: Store,
        link: Arc<Link>,
        registry: Arc<Registry>,
        worktrees: Arc<Worktrees>,
        is_restored: bool,
        had_trouble: bool,
    ) -> Self {
        Self {
            link,
            registry,
            worktrees,
            disk: Disk::new(store, DISK_PATIENCE),
            is_restored,
            is_read: false,
            knows_all: false,
            written: None,
            trouble: None,
            had_trouble,
            retry: RETRY_FIRST,
        }
    }

    /// Reads the file, and offers init its sessions unless that is done. To be
    /// called before the first connection is accepted.
    pub async fn begin(&mut self) {
        let mut outcome = self.read().await;
        for _ in 0..PREDECESSOR_TRIES {
            if !outcome.as_ref().is_err_and(Trouble::is_held_by_another) {
                break;
            }
            tokio::time::sleep(PREDECESSOR).await;
            outcome = self.read().await;
        }
        self.note(outcome.err());
    }

    /// Whether every session there ever was and that is not deleted is known: a
    /// file that was set aside tells of others, and a person may bring them back.
    #[must_use]
    pub fn knows_all(&self) -> bool {
        self.knows_all
    }

    /// Whether init knows the sessions of the container's earlier life.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.is_restored
    }

    /// Follows the registry until the container ends, and saves a last time.
    pub async fn run(mut self) {
        let mut snapshots = self.registry.subscribe();
        loop {
            let now = Arc::clone(&snapshots.borrow_and_update());
            let outcome = self.follow(&now).await;
            let has_written = outcome.as_ref().is_ok_and(|written| *written);
            self.note(outcome.err());
            if now.goodbye {
                return self.take_leave();
            }
            if self.trouble.is_some() {
                // Only init can make the directory, or let this process in.
                let _ = self.link.send(&ToInit::StateTrouble).await;
                pause(&mut snapshots, &now, self.retry).await;
                self.retry = (self.retry * 2).min(RETRY_MAX);
            } else if has_written {
                pause(&mut snapshots, &now, PAUSE).await;
            } else if snapshots.changed().await.is_err() {
                return;
            }
        }
    }

    fn take_leave(&self) {
        match &self.trouble {
            None => tracing::info!("State saved"),
            Some(trouble) => tracing::error!(reason = %trouble, "The state of the sessions could not be saved"),
        }
    }

    /// Brings the file up to this snapshot; true if it had to be written.
    async fn follow(&mut self, now: &Snapshot) -> Result<bool, Trouble> {
        if !self.is_read {
            self.read().await?;
        }
        let sessions = Self::sessions(now);
        if !self.is_read {
            return Ok(false);
        }
        let is_stale = self.is_stale(&sessions);
        if is_stale {
            let saved = sessions.clone();
            self.on_disk(move |store| store.save(&saved)).await?;
            self.written = Some(sessions);
        }
        let written = self.written.as_deref().unwrap_or_default();
        self.worktrees.saved(written.iter().map(|saved| saved.id).collect());
        Ok(is_stale)
    }

    fn sessions(now: &Snapshot) -> Vec<Saved> {
        let saved = now.sessions.iter().map(|entry| {
            let session = &entry.session;
            Saved::of(&entry.record, last_activity_ms(&entry.record, session.last_output_ms()), session.head())
        });
        saved.flatten().collect()
    }

    fn is_stale(&self, sessions: &[Saved]) -> bool {
        let Some(written) = &self.written else { return true };
        written.len() != sessions.len() || written.iter().zip(sessions).any(|(a, b)| a.differs(b))
    }

    async fn read(&mut self) -> Result<(), Trouble> {
        let Loaded { sessions, is_sound } = self.on_disk(Store::load).await?;
        if !self.is_restored {
            // Without init this server is about to end, and the next one reads
            // the file again.
            let Ok(refused) = self.offer(&sessions).await else { return Ok(()) };
            // A file that says all tells of every session, also that there are none.
            if !is_sound && self.rebuild(&sessions).await.is_err() {
                return Ok(());
            }
            if let Some(reason) = refused {
                let taken = self.registry.now().sessions.len();
                self.on_disk(move |store| {
                    store.set_copy_aside(&reason, taken);
                    Ok(())
                })
                .await?;
            }
            if self.link.send(&ToInit::Restored).await.is_err() {
                return Ok(());
            }
            self.is_restored = true;
        }
        self.is_read = true;
        self.knows_all = is_sound && !self.on_disk(|store| Ok(store.has_set_aside())).await.unwrap_or(true);
        self.written = is_sound.then_some(sessions);
        Ok(())
    }

    /// Offers init every session, and tells what it refused, which must not be
    /// lost either.
    async fn offer(&self, sessions: &[Saved]) -> Result<Option<String>, RequestError> {
        let mut refused = None;
        for saved in sessions {
            if let Err(reason) = self.offer_one(saved.record(), self.output_end(saved).await).await? {
                refused.get_or_insert(reason);
            }
        }
        if !sessions.is_empty() {
            tracing::info!(sessionCount = self.registry.now().sessions.len(), "Sessions restored; they can be resumed");
        }
        Ok(refused)
    }

    /// The inner error is why init refused it.
    async fn offer_one(&self, record: Record, output_end: u64) -> Result<Result<(), String>, RequestError> {
        let name = record.name.clone();
        match self.link.wish(Request::Restore { record: Box::new(record), output_end }).await {
            Ok(_) => Ok(Ok(())),
            Err(RequestError::Unavailable) => Err(RequestError::Unavailable),
            Err(error) => Ok(Err(format!("the session {name} was not taken: {error:?}"))),
        }
    }

    /// Makes sessions of worktrees that the file, which is damaged or not there,
    /// tells nothing of.
    async fn rebuild(&self, sessions: &[Saved]) -> Result<(), RequestError> {
        let records = self.worktrees.rebuild(|name| sessions.iter().any(|saved| saved.name == *name)).await;
        for record in records {
            let (name, worktree) = (record.name.clone(), record.spec.cwd.clone());
            match self.offer_one(record, 0).await? {
                Ok(()) => tracing::warn!(%name, worktree, "A session was rebuilt from its worktree; it can be resumed"),
                Err(reason) => tracing::warn!(worktree, reason, "A session could not be rebuilt from its worktree"),
            }
        }
        Ok(())
    }

    /// Where a session's output goes on: behind every byte it is known to have
    /// written, in the state or in the history.
    async fn output_end(&self, saved: &Saved) -> u64 {
        let id = saved.id;
        match self.on_disk(move |store| store.recorded_end(id)).await {
            Ok(end) => end.max(saved.output_offset),
            Err(reason) => {
                tracing::warn!(sessionId = %id, %reason, "The recorded output of a session cannot be read");
                saved.output_offset
            }
        }
    }

    /// One warning when it begins, a word when it is over.
    fn note(&mut self, trouble: Option<Trouble>) {
        match &trouble {
            Some(trouble) if self.trouble.as_ref() != Some(trouble) => tracing::warn!(
                reason = %trouble,
                "The state of the sessions is not saved; they go on, but a restart of the container would not bring \
                 back what changes from now on"
            ),
            None if self.trouble.is_some() || self.had_trouble => {
                tracing::info!("The state of the sessions is saved again");
            }
            _ => {}
        }
        self.had_trouble = false;
        if trouble.is_none() {
            self.retry = RETRY_FIRST;
        }
        self.trouble = trouble;
    }

    /// Has something done with the store.
    async fn on_disk<T, W>(&self, work: W) -> Result<T, Trouble>
    where
        T: Send + 'static,
        W: FnOnce(&mut Store) -> Result<T, Trouble> + Send + 'static,
    {
        self.disk.work(work).await.unwrap_or_else(|Silent| Err(Trouble::silent()))
    }
}

/// Waits for so long, or until the container's end gets closer.
async fn pause(snapshots: &mut watch::Receiver<Arc<Snapshot>>, now: &Snapshot, time: Duration) {
    let end = |snapshot: &Snapshot| (snapshot.shutting_down.is_some(), snapshot.goodbye);
    let nearer = snapshots.wait_for(|snapshot| end(snapshot) != end(now));
    let _ = tokio::time::timeout(time, nearer).await;
}
