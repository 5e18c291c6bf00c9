//! Which sessions need a person, and which are stuck.
//!
//! A watcher for each running session reads its output beside the clients,
//! without a say in how fast it comes. What it finds out goes to init, which
//! keeps it with the session: the next server knows it too, and everybody
//! hears of it as of any other change.

pub mod foreground;
pub mod inbox;
pub mod judge;
pub mod observer;
mod watcher;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::model::id::SessionId;
use crate::model::session::Stage;
use crate::server::link::Link;
use crate::server::registry::{Registry, Snapshot};
use watcher::Watcher;

/// The task of one life of a session.
#[derive(Debug)]
struct Watched {
    life: u32,
    task: AbortHandle,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Watches every session that runs, until the container shuts down. A session
/// that is silent for `stuck_after` counts as stuck, if that is given.
pub async fn watch(registry: Arc<Registry>, link: Arc<Link>, stuck_after: Option<Duration>) {
    let mut snapshots = registry.subscribe();
    let mut watched: HashMap<SessionId, Watched> = HashMap::new();
    let mut is_new = false;
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        if snapshot.shutting_down.is_some() || snapshot.goodbye {
            return;
        }
        watched.retain(|id, watched| running_life(&snapshot, *id) == Some(watched.life));
        for entry in &snapshot.sessions {
            let id = entry.record.id;
            if let Some(life) = running_life(&snapshot, id).filter(|_| !watched.contains_key(&id)) {
                let watcher = Watcher::new(entry, Arc::clone(&link), stuck_after, is_new);
                let task = tokio::spawn(watcher.run()).abort_handle();
                watched.insert(id, Watched { life, task });
            }
        }
        // Those that come from now on start before our eyes.
        is_new = true;
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

fn running_life(snapshot: &Snapshot, id: SessionId) -> Option<u32> {
    let state = &snapshot.get(id)?.record.state;
    matches!(state.stage, Stage::Running { .. }).then_some(state.life)
}
