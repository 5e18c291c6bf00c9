//! What this server counts while it lives, and how metrics are written.

pub mod connections;
pub mod echo;
pub mod histogram;
pub mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use connections::Connections;
use histogram::Histogram;

/// Codes that are shown before they first occur: an increase from nothing to
/// one is no increase to Prometheus, and these are what alerts ask for.
const EXPECTED_CODES: [&str; 9] = [
    "DESCRIPTORS_EXHAUSTED",
    "INIT_UNAVAILABLE",
    "MAX_SESSIONS",
    "RATE_LIMITED",
    "REQUEST_TIMEOUT",
    "RESOURCE_EXHAUSTED",
    "SHUTTING_DOWN",
    "TASKS_EXHAUSTED",
    "TOO_MANY_CONNECTIONS",
];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of this server; they begin at zero with each one.
#[derive(Debug)]
pub struct Metrics {
    /// Bytes that sessions' terminals took as input.
    pub input_bytes: Counter,
    /// Bytes of WebSocket messages handed to sockets.
    pub sent_bytes: Counter,
    /// Gaps that clients were told of.
    pub gaps: Counter,
    /// What becomes of connections.
    pub connections: Connections,
    /// From a key to what followed.
    pub echo: Histogram,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            input_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            gaps: Counter::default(),
            connections: Connections::default(),
            echo: Histogram::default(),
            refusals: Mutex::new(EXPECTED_CODES.map(|code| (code, 0)).into()),
        }
    }
}

impl Metrics {
    /// Counts a request that was answered with an error of this code.
    pub fn refused(&self, code: &'static str) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// How many requests were refused with which code.
    #[must_use]
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
