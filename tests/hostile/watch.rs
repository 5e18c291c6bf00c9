//! What must hold while a hostile server rages.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::support::{Quarterdeck, process};

/// A child of init that has ended is reaped before so long. On a busy machine
/// this measures the machine.
const REAPED_WITHIN: Duration = Duration::from_secs(5);

/// Looks at init until `time` is over; what it found. At no time, however short, may
/// it have `growth_max` KiB of memory more than before.
pub fn watch(qd: &Quarterdeck, time: Duration, growth_max: u64) -> Found {
    let start = Instant::now();
    let mut found = Found { memory_before: memory(qd.init, "VmRSS:"), ..Found::default() };
    let mut dead: HashMap<i32, Instant> = HashMap::new();
    while start.elapsed() < time {
        // The most it ever had, as the kernel remembers it.
        found.memory_most = memory(qd.init, "VmHWM:");
        assert!(found.memory_most < found.memory_before + growth_max, "{found:?} KiB");
        let zombies: Vec<i32> = process::children(qd.init)
            .into_iter()
            .filter(|pid| process::stat(*pid).is_some_and(|stat| stat.state == 'Z'))
            .collect();
        dead.retain(|pid, _| zombies.contains(pid));
        for pid in zombies {
            let since = *dead.entry(pid).or_insert_with(Instant::now);
            found.reaped_within = found.reaped_within.max(since.elapsed());
            assert!(since.elapsed() < REAPED_WITHIN, "{pid} has ended and is not reaped");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    found
}

/// A figure of `/proc/PID/status`, in KiB.
fn memory(pid: i32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("init runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the figure");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// The measures of one rage.
#[derive(Debug, Default)]
pub struct Found {
    pub memory_before: u64,
    pub memory_most: u64,
    pub reaped_within: Duration,
}
