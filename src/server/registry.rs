//! What the server knows of the sessions: one writer, immutable snapshots.
//!
//! The task that reads the link is the only one that changes anything. Everybody
//! else reads a snapshot, or waits for one beyond a generation.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::history::keeper::Keeper;
use super::history::recorder;
use super::link::Received;
use super::metrics::Metrics;
use super::session::Session;
use crate::link::message::ToServer;
use crate::model::id::SessionId;
use crate::model::session::Record;
use crate::model::sweep::{Cleaned, Totals};

/// Between two looks at who stalls.
const PACE_INTERVAL: Duration = Duration::from_secs(1);

/// News of killed processes kept for connections that are busy.
const NEWS_MAX: usize = 256;

/// One session at one generation.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record of that moment.
    pub record: Arc<Record>,
    /// The session itself.
    pub session: Arc<Session>,
    /// End when the last snapshot with the session is gone.
    _tasks: Arc<Tasks>,
}

/// The tasks that wake a session's clients and record its output.
#[derive(Debug)]
struct Tasks(Vec<tokio::task::AbortHandle>);

impl Tasks {
    fn start(session: &Arc<Session>) -> Self {
        let pump = tokio::spawn(Session::pump(Arc::clone(session)));
        let recorder = session.history().map(|history| recorder::run(Arc::clone(session), Arc::clone(history)));
        let recorder = recorder.map(tokio::spawn);
        Self([Some(pump), recorder].iter().flatten().map(tokio::task::JoinHandle::abort_handle).collect())
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// All sessions at one generation.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with every change, also over restarts of the server.
    pub generation: u64,
    /// Oldest first.
    pub sessions: Vec<Entry>,
    /// The container's grace in milliseconds, once it shuts down.
    pub shutting_down: Option<u64>,
    /// Nothing more will come.
    pub goodbye: bool,
    /// The latest processes that the sweep has killed, each with the
    /// generation that brought the news.
    pub cleaned: VecDeque<(u64, Arc<Cleaned>)>,
}

impl Snapshot {
    /// The session with this id or, failing that, this name.
    #[must_use]
    pub fn find(&self, id_or_name: &str) -> Option<&Entry> {
        let id = id_or_name.parse::<SessionId>().ok();
        let by_id = id.and_then(|id| self.get(id));
        by_id.or_else(|| self.sessions.iter().find(|e| e.record.name.as_str() == id_or_name))
    }

    fn note(&mut self, cleaned: Cleaned) {
        self.cleaned.push_back((self.generation, Arc::new(cleaned)));
        while self.cleaned.len() > NEWS_MAX {
            self.cleaned.pop_front();
        }
    }

    /// The session with this id.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Entry> {
        self.sessions.iter().find(|e| e.record.id == id)
    }
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    snapshots: watch::Sender<Arc<Snapshot>>,
    nudge: Arc<OwnedFd>,
    /// Keeps output on disk, unless none is to be kept.
    keeper: Option<Arc<Keeper>>,
    totals: Mutex<Totals>,
    connections: AtomicUsize,
    connection_closed: Notify,
    /// What this server counts.
    pub metrics: Arc<Metrics>,
    /// Rings when somebody asked for a whole look at the resources.
    pub cycle_asked: Notify,
    /// Rings when log files may have been moved away.
    pub logs_moved: Notify,
}

/// Counts an open WebSocket while it lives.
#[derive(Debug)]
pub struct ConnectionGuard(Arc<Registry>);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
        self.0.connection_closed.notify_waiters();
    }
}

impl Registry {
    /// An empty registry of the server after `restarts` others. The generation
    /// starts above any of theirs, and stays exact in a JSON number.
    #[must_use]
    pub fn new(restarts: u32, nudge: OwnedFd, keeper: Option<Arc<Keeper>>) -> Self {
        let generation = (u64::from(restarts) << 32) + 1;
        let (snapshots, _) = watch::channel(Arc::new(Snapshot { generation, ..Snapshot::default() }));
        Self {
            snapshots,
            nudge: Arc::new(nudge),
            keeper,
            totals: Mutex::default(),
            connections: AtomicUsize::new(0),
            connection_closed: Notify::new(),
            metrics: Arc::default(),
            cycle_asked: Notify::new(),
            logs_moved: Notify::new(),
        }
    }

    /// The present snapshot.
    #[must_use]
    pub fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// What init has done so far, as of the last sweep.
    pub fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Snapshots as they come.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// Whether init said goodbye.
    #[must_use]
    pub fn has_goodbye(&self) -> bool {
        self.snapshots.borrow().goodbye
    }

    /// Counts a connection as long as the guard lives.
    #[must_use]
    pub fn connection(self: &Arc<Self>) -> ConnectionGuard {
        self.connections.fetch_add(1, Ordering::Relaxed);
        ConnectionGuard(Arc::clone(self))
    }

    /// How many WebSockets are open.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns when no WebSocket is open.
    pub async fn all_connections_closed(&self) {
        loop {
            let closed = self.connection_closed.notified();
            if self.connection_count() == 0 {
                return;
            }
            closed.await;
        }
    }

    /// Takes over one message; true once the greeting is complete.
    pub fn take(&self, (message, fds): Received) -> bool {
        match message {
            ToServer::Session(record) => self.put(*record, fds),
            ToServer::Changed(id, state) => {
                let Some(entry) = self.now().get(id).cloned() else { return false };
                entry.session.change(state);
                self.publish(|next| refresh(next, id));
            }
            ToServer::Removed(id) => {
                if let Some(history) = self.now().get(id).and_then(|entry| entry.session.history().cloned()) {
                    history.remove();
                }
                self.publish(|next| next.sessions.retain(|e| e.record.id != id));
            }
            ToServer::ShuttingDown { grace_ms } => self.publish(|next| next.shutting_down = Some(grace_ms)),
            ToServer::Goodbye => self.publish(|next| next.goodbye = true),
            ToServer::Cleaned(cleaned) => self.publish(|next| next.note(cleaned)),
            ToServer::Swept(totals) => *self.totals() = totals,
            ToServer::HelloDone => return true,
            ToServer::Cycle => self.cycle_asked.notify_one(),
            ToServer::ReopenLogs => self.logs_moved.notify_one(),
            // Handled by the link before it gets here, or not expected twice.
            ToServer::Reply(..)
            | ToServer::ToolStarted(_)
            | ToServer::TokenChanged(_)
            | ToServer::Ping
            | ToServer::Hello { .. } => {}
        }
        false
    }

    fn put(&self, record: Record, fds: Vec<OwnedFd>) {
        let id = record.id;
        if let Some(entry) = self.now().get(id) {
            if let Err(error) = entry.session.renew(record, fds) {
                tracing::error!(sessionId = %id, %error, "A resumed session's terminal can't be used");
            }
            return self.publish(|next| refresh(next, id));
        }
        let history = self.keeper.as_ref().map(|keeper| keeper.history(id));
        let opened = Session::open(record.clone(), fds, Arc::clone(&self.nudge), Arc::clone(&self.metrics), history);
        match opened {
            Ok(session) => {
                let session = Arc::new(session);
                let tasks = Arc::new(Tasks::start(&session));
                self.publish(|next| next.sessions.push(Entry { record: Arc::new(record), session, _tasks: tasks }));
            }
            Err(error) => tracing::error!(sessionId = %id, %error, "A session's descriptors can't be used"),
        }
    }

    /// Looks at what is on disk of the sessions there are, and removes what is there
    /// of others if these are known to be all.
    pub async fn open_histories(&self, are_all: bool) {
        let Some(keeper) = &self.keeper else { return };
        let now = self.now();
        keeper.take_place();
        if are_all {
            keeper.forget_others(now.sessions.iter().map(|entry| entry.record.id).collect());
        }
        for history in now.sessions.iter().filter_map(|entry| entry.session.history()) {
            history.open().await;
        }
    }

    /// Records what is not recorded yet, to the last byte.
    pub async fn finish_histories(&self) {
        for entry in &self.now().sessions {
            if let Some(history) = entry.session.history() {
                // What failed was told.
                let _ = history.record(&entry.session, true).await;
            }
        }
    }

    fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut next = (*self.now()).clone();
        next.generation += 1;
        change(&mut next);
        self.snapshots.send_replace(Arc::new(next));
    }
}

fn refresh(snapshot: &mut Snapshot, id: SessionId) {
    if let Some(entry) = snapshot.sessions.iter_mut().find(|e| e.record.id == id) {
        entry.record = Arc::new(entry.session.record());
    }
}

/// Looks once a second who stalls and whose held place is over.
pub async fn keep_pace(registry: Arc<Registry>) {
    let mut ticks = tokio::time::interval(PACE_INTERVAL);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        for entry in &registry.now().sessions {
            entry.session.keep_pace(now);
        }
    }
}
