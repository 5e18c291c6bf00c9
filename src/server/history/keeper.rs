//! The thread that does the reading and writing, for all sessions.
//!
//! A disk may take its time, so nothing of this happens on the server's own thread.
//! It is started when there is something to do for it, and again if that failed:
//! a container may have no process to spare.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::History;
use super::store::{self, Limits};
use crate::model::id::SessionId;
use crate::server::session::lock;

/// A thread that writes small files needs little of a stack.
const STACK: usize = 256 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// The history of all sessions.
#[derive(Debug)]
pub struct Keeper {
    root: PathBuf,
    /// How much of each session is kept.
    pub limits: Limits,
    /// Whether what the files end with is of this container's life.
    pub goes_on: bool,
    jobs: Mutex<Option<Sender<Job>>>,
    /// Held while this server lives: nobody else writes here.
    lock: Mutex<Option<File>>,
    /// Sessions whose history can't be written now.
    failing: Mutex<HashSet<SessionId>>,
}

/// Where the history of all sessions is.
#[must_use]
pub fn root(state_dir: &Path) -> PathBuf {
    state_dir.join("history")
}

/// Offset behind the last byte that the history of session `id` holds; 0 if there
/// is none.
///
/// # Errors
/// What reading it returns.
pub fn end_of(state_dir: &Path, id: SessionId) -> io::Result<u64> {
    store::end_of(&root(state_dir).join(id.to_string()))
}

impl Keeper {
    /// Keeps `total` bytes for each session in `state_dir`. `goes_on` says that an
    /// earlier server of this container wrote there.
    #[must_use]
    pub fn new(state_dir: &Path, total: u64, goes_on: bool) -> Arc<Self> {
        Arc::new(Self {
            root: root(state_dir),
            limits: Limits::of(total),
            goes_on,
            jobs: Mutex::default(),
            lock: Mutex::default(),
            failing: Mutex::default(),
        })
    }

    /// The history of one session.
    #[must_use]
    pub fn history(self: &Arc<Self>, id: SessionId) -> Arc<History> {
        Arc::new(History::new(Arc::clone(self), id))
    }

    /// Where the history of session `id` is.
    #[must_use]
    pub fn dir_of(&self, id: SessionId) -> PathBuf {
        self.root.join(id.to_string())
    }

    /// Has the thread do something; not if there can be no thread now.
    ///
    /// # Errors
    /// What starting the thread returns.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut jobs = lock(&self.jobs);
        let sender = match &*jobs {
            Some(sender) => sender,
            None => {
                let (sender, receiver) = channel();
                thread::Builder::new().name("qd-history".into()).stack_size(STACK).spawn(move || work(&receiver))?;
                jobs.insert(sender)
            }
        };
        // The thread ends when the sender does.
        let _ = sender.send(Box::new(job));
        Ok(())
    }

    /// Makes sure that no other server writes here. Called on the thread.
    ///
    /// # Errors
    /// What making and locking the folder returns, `WouldBlock` while another has it.
    pub fn own(&self) -> io::Result<()> {
        let mut held = lock(&self.lock);
        if held.is_some() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
        let dir = File::open(&self.root)?;
        match dir.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::Error::other("another quarterdeck uses this directory")),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        *held = Some(dir);
        Ok(())
    }

    /// Takes the folder now, while there are descriptors and room for it. What
    /// stands against that is told when there is something to record.
    pub fn take_place(self: &Arc<Self>) {
        let keeper = Arc::clone(self);
        let taken = self.run(move || drop(keeper.own()));
        drop(taken);
    }

    /// Removes the history of all sessions but these.
    pub fn forget_others(self: &Arc<Self>, known: HashSet<SessionId>) {
        let keeper = Arc::clone(self);
        let forgotten = self.run(move || {
            if let Err(error) = keeper.own().and_then(|()| keeper.remove_others(&known)) {
                tracing::warn!(dir = %keeper.root.display(), %error, "The history of sessions that are gone cannot be removed");
            }
        });
        // Without a thread it stays until the next start.
        drop(forgotten);
    }

    fn remove_others(&self, known: &HashSet<SessionId>) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let id = entry.file_name().to_str().and_then(|name| name.parse::<SessionId>().ok());
            if id.is_some_and(|id| !known.contains(&id)) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Tells once when recording stops working, and once when it works again.
    pub fn note(&self, id: SessionId, outcome: Result<(), &io::Error>) {
        let mut failing = lock(&self.failing);
        match outcome {
            Err(error) => {
                if failing.is_empty() {
                    tracing::warn!(
                        sessionId = %id, dir = %self.root.display(), %error,
                        "The output of sessions cannot be recorded; what no longer fits in memory will be missing from \
                         the history. Make room in the state directory or make it writable, or leave the history out \
                         with --history 0"
                    );
                }
                failing.insert(id);
            }
            Ok(()) => {
                if failing.remove(&id) && failing.is_empty() {
                    tracing::info!(dir = %self.root.display(), "The output of sessions is recorded again");
                }
            }
        }
    }

    /// The session is gone, and so is its trouble.
    pub fn forget(&self, id: SessionId) {
        lock(&self.failing).remove(&id);
    }
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job();
    }
}
