//! The actors of the suite. Each cleans up after itself when dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub mod attack;
mod bystander;
pub mod client;
pub mod group;
pub mod http;
pub mod log;
pub mod metrics;
pub mod payload;
pub mod pid1;
pub mod process;
pub mod quarterdeck;
pub mod repository;
pub mod scene;
pub mod seat;
pub mod stead;
pub mod terminal;
pub mod trace;
pub mod view;

pub use bystander::Bystander;
pub use client::{Client, Form};
pub use http::Api;
pub use quarterdeck::{Quarterdeck, Setup};
pub use scene::Scene;
pub use seat::Seat;

/// How long anything may take before a test gives up. No test waits this long
/// when all is well; it only bounds a hang, so it is generous. A slow machine
/// may need more: QUARTERDECK_TEST_PATIENCE gives the seconds.
pub fn patience() -> Duration {
    let told = std::env::var("QUARTERDECK_TEST_PATIENCE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(told.unwrap_or(60))
}

/// Looks again and again until `condition` gives a value.
///
/// For things nobody announces: what /proc says, whether a port answers.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < patience(), "waited {:?} in vain until {what}", patience());
        thread::park_timeout(Duration::from_millis(3));
    }
}

/// Held by tests that stream much: beside each other they would measure the
/// machine and not the program.
pub fn heavy() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}
