//! What the program says on stderr.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::Value;

use super::patience;

#[derive(Default)]
struct Lines {
    read: Vec<String>,
    ended: bool,
}

/// The log of one running program, collected by a thread of its own so that
/// the program never waits for its reader.
pub struct Log {
    lines: Arc<(Mutex<Lines>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Log {
    /// Collects `source` until its end.
    pub fn follow(source: impl Read + Send + 'static) -> Self {
        let lines = Arc::new((Mutex::new(Lines::default()), Condvar::new()));
        let shared = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            let (lines, changed) = &*shared;
            for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.lock().unwrap_or_else(PoisonError::into_inner).read.push(line);
                changed.notify_all();
            }
            lines.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            changed.notify_all();
        });
        Self { lines, reader: Some(reader) }
    }

    /// Everything so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.0.lock().unwrap_or_else(PoisonError::into_inner).read.clone()
    }

    /// Everything so far, as JSON; lines that are none come back as text.
    pub fn entries(&self) -> Vec<Value> {
        let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.clone()));
        self.lines().iter().map(parse).collect()
    }

    /// Waits for the first line that `wanted` accepts.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        let (lines, changed) = &*self.lines;
        let mut held = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = 0;
        loop {
            while seen < held.read.len() {
                if let Ok(entry) = serde_json::from_str(&held.read[seen])
                    && wanted(&entry)
                {
                    return entry;
                }
                seen += 1;
            }
            let left = patience().saturating_sub(start.elapsed());
            assert!(!held.ended && !left.is_zero(), "{what} is not in the log:\n{}", held.read.join("\n"));
            held = changed.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for the line with this message.
    pub fn wait_for_message(&self, message: &str) -> Value {
        self.wait_for(&format!("the message {message:?}"), |entry| entry["message"] == message)
    }

    /// Waits until nobody can write to the log any more.
    pub fn wait_for_end(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
