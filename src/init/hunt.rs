//! Catching what runs away: a chain of processes in which each forks the next
//! and ends is gone from the place where a scan saw it before the scan is over.
//!
//! The kernel hands out process ids in order and tells the last one
//! (`proc_loadavg(5)`), so the newest link of the chain is found there, and
//! killed within microseconds of being born.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use crate::model::signal::Signal;
use crate::sys::pidfd::Pidfd;
use crate::sys::process::Pid;
use crate::sys::tag::Tag;

/// How far behind the newest process the hunt begins.
const HEAD_START: i32 = 16;
/// Processes looked at between two looks at the newest id.
const STEP: i32 = 64;

/// Kills every new process with this tag until `until`.
pub fn newborn(tag: Tag, until: Instant) {
    let Ok(loadavg) = File::open("/proc/loadavg") else { return };
    let Some(newest) = last_pid(&loadavg) else { return };
    let mut seen = (newest - HEAD_START).max(1);
    while Instant::now() < until {
        let Some(newest) = last_pid(&loadavg) else { return };
        if newest < seen {
            // The numbers began anew.
            seen = newest - 1;
        }
        for pid in seen.max(newest - STEP) + 1..=newest {
            kill_if_tagged(pid, tag);
        }
        // The newest again: it may not have been there yet.
        seen = newest - 1;
    }
}

fn kill_if_tagged(pid: i32, tag: Tag) {
    let Some(pid) = Pid::new(pid) else { return };
    let Ok(handle) = Pidfd::open(pid) else { return };
    if Tag::worn_by(pid) == Some(tag) {
        let _ = handle.signal(Signal::KILL);
    }
}

fn last_pid(loadavg: &File) -> Option<i32> {
    let mut bytes = [0; 128];
    let n = loadavg.read_at(&mut bytes, 0).ok()?;
    std::str::from_utf8(&bytes[..n]).ok()?.split_whitespace().last()?.parse().ok()
}
