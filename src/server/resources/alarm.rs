//! The kernel's own word that memory is short, where it gives one.
//!
//! Version 2 of `cgroups(7)` tells of reclaim and kills in `memory.events`, and
//! of time lost to them by a trigger on `memory.pressure`; both by `poll(2)`
//! with `POLLPRI`. Where neither exists, sampling has to do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use tokio::io::Interest;

use crate::sys::watched::{self, Watched};

/// Triggers to ask for, in microseconds of a window; without `CAP_SYS_RESOURCE`
/// a window must be a multiple of two seconds.
const TRIGGERS: [&str; 2] = ["some 100000 1000000", "some 200000 2000000"];

/// What may ring.
#[derive(Debug)]
pub struct Alarm {
    events: Option<Events>,
    pressure: Option<Watched>,
}

/// `memory.events`: changed once, it stays ready until it is read.
#[derive(Debug)]
struct Events {
    file: File,
    watched: Watched,
}

impl Alarm {
    /// Sets what can be set in the group at `dir`.
    #[must_use]
    pub fn set(dir: Option<&Path>) -> Self {
        let events = dir.and_then(|dir| Events::watch(&dir.join("memory.events")).ok());
        let pressure = dir.and_then(|dir| watch_pressure(&dir.join("memory.pressure")));
        Self { events, pressure }
    }

    /// Waits until one of them rings; for ever where there is none.
    pub async fn rings(&mut self) {
        let Self { events, pressure } = self;
        tokio::select! {
            () = ready(events.as_ref().map(|events| &events.watched)) => {}
            () = ready(pressure.as_ref()) => {}
        }
        if let Some(events) = events {
            events.acknowledge();
        }
    }
}

impl Events {
    fn watch(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let watched = watched::watch(OwnedFd::from(file.try_clone()?), Interest::PRIORITY)?;
        let events = Self { file, watched };
        events.acknowledge();
        Ok(events)
    }

    fn acknowledge(&self) {
        // What it says is read with the next sample.
        let _ = self.file.read_at(&mut [0; 512], 0);
    }
}

fn watch_pressure(path: &Path) -> Option<Watched> {
    TRIGGERS.iter().find_map(|trigger| {
        let mut file = OpenOptions::new().read(true).write(true).open(path).ok()?;
        file.write_all(trigger.as_bytes()).ok()?;
        watched::watch(file.into(), Interest::PRIORITY).ok()
    })
}

async fn ready(watched: Option<&Watched>) {
    let Some(watched) = watched else { return std::future::pending().await };
    match watched.ready(Interest::PRIORITY).await {
        Ok(mut guard) => guard.clear_ready(),
        // The runtime is on its way out.
        Err(_) => std::future::pending().await,
    }
}
