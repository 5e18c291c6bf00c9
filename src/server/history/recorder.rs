//! What of a session is recorded, and the task that waits for it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::History;
use super::store::{About, Limits, Store};
use super::timing::{Allowance, Pending};
use crate::logging::unix_millis;
use crate::model::session::{ExitStatus, Record};
use crate::server::characters::complete_prefix;
use crate::server::session::{Read, Session};

/// How long to leave a disk alone that did not take what was written.
const RETRY: Duration = Duration::from_secs(5);

/// `TERM` of a session that names none.
const TERMINAL: &str = "xterm-256color";

fn about(record: Record) -> About {
    let terminal = record.spec.env.iter().rev().find(|(name, _)| name == "TERM").map(|(_, value)| value.clone());
    About {
        name: record.name.as_str().to_owned(),
        command: record.spec.command,
        terminal: terminal.unwrap_or_else(|| TERMINAL.to_owned()),
        size: record.state.size,
    }
}

/// Records all that has come since the last time, as far as it can still be had;
/// how many bytes that took on disk.
///
/// # Errors
/// What reading the ring or writing the files returns.
pub fn record(store: &mut Store, session: &Session, limits: Limits, is_last: bool) -> io::Result<u64> {
    let (about, head, oldest) = (about(session.record()), session.head(), session.ring_oldest());
    if store.end().is_some_and(|end| end > head) {
        // Offsets only ever grow, so these are files of another ring.
        store.clear()?;
    }
    // More than fits would only be written to be dropped.
    let kept = head.saturating_sub(limits.total / 4 * 3);
    let mut at = store.end().unwrap_or(oldest);
    if at < oldest || at < kept {
        at = session.ring_safe_oldest().max(kept);
    }
    let mut written = 0;
    while let Some(exit) = session.end_after(store.told_exit_of) {
        let end = exit.drained_at.unwrap_or(head);
        written += copy(store, session, &about, &mut at, end.min(head), (limits.batch(), true))?;
        if at == end && !store.is_over {
            let status = match exit.status {
                ExitStatus::Code(code) => i32::from(code),
                ExitStatus::Signal(signal) => 128 + i32::from(signal),
            };
            store.finish(status, exit.at)?;
        }
        store.told_exit_of = exit.life;
    }
    written += copy(store, session, &about, &mut at, head, (limits.batch(), is_last))?;
    Ok(written)
}

/// Copies from `at` up to `end`, to the last byte or only whole characters.
fn copy(
    store: &mut Store,
    session: &Session,
    about: &About,
    at: &mut u64,
    end: u64,
    (batch, is_all): (usize, bool),
) -> io::Result<u64> {
    let mut written = 0;
    let mut buffer = vec![0; batch.min(usize::try_from(end.saturating_sub(*at)).unwrap_or(batch))];
    while *at < end {
        let len = buffer.len().min(usize::try_from(end - *at).unwrap_or(usize::MAX));
        let n = match session.read_at(*at, &mut buffer[..len])? {
            Read::Bytes(n) => n,
            // Overtaken while writing: go on with what there is.
            Read::Gap(_) => {
                *at = session.ring_safe_oldest().max(*at);
                continue;
            }
        };
        let is_end = is_all && *at + n as u64 >= end;
        let whole = if is_end { n } else { complete_prefix(&buffer[..n]) };
        if whole == 0 {
            break;
        }
        written += store.append(*at, &buffer[..whole], about, unix_millis())?;
        *at += whole as u64;
    }
    Ok(written)
}

/// Waits for output and has it recorded, for as long as the session is there.
pub async fn run(session: Arc<Session>, history: Arc<History>) {
    let mut allowance = Allowance::new(history.total(), Instant::now());
    // What was seen when everything was recorded.
    let mut seen = None;
    loop {
        session.want_wake();
        let now = session.recordable();
        if seen.as_ref() == Some(&now) {
            session.recorder_woken().await;
            continue;
        }
        gather(&session, &history, &mut allowance).await;
        let now = session.recordable();
        match history.record(&session, false).await {
            Ok(bytes) => {
                allowance.spend(bytes);
                seen = Some(now);
            }
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Lets output come until it is time to write it.
async fn gather(session: &Session, history: &History, allowance: &mut Allowance) {
    let start = Instant::now();
    loop {
        let (_, recorded) = history.range();
        let quiet = unix_millis().saturating_sub(session.last_output_ms());
        let oldest = session.ring_oldest();
        let pending = Pending {
            bytes: session.head().saturating_sub(recorded.max(oldest)),
            capacity: session.ring_capacity(),
            is_overrun: recorded < oldest,
            waiting: start.elapsed(),
            quiet: Duration::from_millis(quiet),
        };
        let wait = allowance.wait(pending, Instant::now());
        if wait.is_zero() {
            return;
        }
        tokio::time::sleep(wait).await;
    }
}
