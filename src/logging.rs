//! Log lines: one JSON object, or one readable line, per event.
//!
//! Both processes use the same subscriber. It writes each line to standard
//! error in one `write(2)` that never waits; a line the reader has no room for
//! is counted and the count is told with the next line that fits. The server
//! may add rolling files, which need a thread of their own, so init has none.

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};

use crate::model::settings::{LogFormat, LogLevel};
use crate::sys::log_fd::{LINE_MAX, LogFd};

/// Days of log files kept.
const FILES_KEPT: usize = 7;

const ISO_MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A moment as ISO 8601 in UTC with milliseconds.
#[must_use]
pub fn iso_time(unix_millis: u64) -> String {
    let nanos = i128::from(unix_millis) * 1_000_000;
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(ISO_MILLIS).unwrap_or_default()
}

/// The moment that [`iso_time`] wrote; none before the epoch.
#[must_use]
pub fn parse_iso_time(text: &str) -> Option<u64> {
    let moment = PrimitiveDateTime::parse(text, ISO_MILLIS).ok()?.assume_utc();
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Milliseconds since the Unix epoch, now.
#[must_use]
pub fn unix_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Starts logging to standard error for this process.
pub fn start(level: LogLevel, format: LogFormat) {
    install(Lines { level: level_of(level), format, stderr: LogFd::stderr(), dropped: AtomicU64::new(0), file: None });
}

/// Starts logging to standard error and to daily files in `dir`. The guard
/// flushes the files when dropped.
///
/// # Errors
/// What creating the directory or the first file returns.
pub fn start_with_files(level: LogLevel, format: LogFormat, dir: &Path) -> Result<(LogFiles, WorkerGuard), String> {
    let files = LogFiles { dir: dir.to_owned(), file: Arc::new(Mutex::new(open_files(dir)?)) };
    let (file, guard) = tracing_appender::non_blocking(files.clone());
    let file = Some(Mutex::new(file));
    install(Lines { level: level_of(level), format, stderr: LogFd::stderr(), dropped: AtomicU64::new(0), file });
    Ok((files, guard))
}

fn open_files(dir: &Path) -> Result<RollingFileAppender, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("cannot create the log directory {}: {e}", dir.display()))?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("quarterdeck")
        .filename_suffix("log")
        .max_log_files(FILES_KEPT)
        .build(dir)
        .map_err(|e| format!("cannot write log files in {}: {e}", dir.display()))
}

/// The daily files, wherever their directory is now.
#[derive(Clone, Debug)]
pub struct LogFiles {
    dir: PathBuf,
    file: Arc<Mutex<RollingFileAppender>>,
}

impl LogFiles {
    /// Opens today's file anew: the one that was written so far may have been
    /// moved away.
    ///
    /// # Errors
    /// What failed; the file is written on wherever it is now.
    pub fn reopen(&self) -> Result<(), String> {
        let file = open_files(&self.dir)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }
}

impl Write for LogFiles {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

fn install(lines: Lines) {
    // Fails only when a subscriber is set already: tests share one process.
    let _ = tracing::subscriber::set_global_default(lines);
}

fn level_of(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
    }
}

struct Lines {
    level: Level,
    format: LogFormat,
    stderr: LogFd,
    dropped: AtomicU64,
    file: Option<Mutex<NonBlocking>>,
}

impl Lines {
    fn write(&self, level: Level, fields: Map<String, Value>) {
        let time = iso_time(unix_millis());
        let json = json_line(&time, level, fields.clone());
        if let Some(file) = &self.file
            && let Ok(mut file) = file.lock()
        {
            let _ = file.write_all(&json);
        }
        let line = match self.format {
            LogFormat::Json => json,
            LogFormat::Text => text_line(&time, level, fields),
        };
        self.to_stderr(line);
    }

    fn to_stderr(&self, line: Vec<u8>) {
        let missed = self.dropped.swap(0, Ordering::Relaxed);
        if missed > 0 {
            let mut fields = Map::new();
            fields.insert("message".into(), "Log lines dropped: standard error was not read fast enough".into());
            fields.insert("count".into(), missed.into());
            let told = json_line(&iso_time(unix_millis()), Level::WARN, fields);
            if self.stderr.write_line(&told).is_err() {
                self.dropped.fetch_add(missed + 1, Ordering::Relaxed);
                return;
            }
        }
        if self.stderr.write_line(&bounded(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A line above the bound is cut and still ends in a newline.
fn bounded(mut line: Vec<u8>) -> Vec<u8> {
    if line.len() > LINE_MAX {
        line.truncate(LINE_MAX - 1);
        line.push(b'\n');
    }
    line
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn json_line(time: &str, level: Level, mut fields: Map<String, Value>) -> Vec<u8> {
    let message = fields.remove("message").unwrap_or_default();
    let mut object = Map::new();
    object.insert("timestamp".into(), time.into());
    object.insert("level".into(), level_name(level).into());
    object.insert("message".into(), message);
    object.append(&mut fields);
    let mut line = Value::Object(object).to_string().into_bytes();
    line.push(b'\n');
    line
}

fn text_line(time: &str, level: Level, mut fields: Map<String, Value>) -> Vec<u8> {
    let message = fields.remove("message").unwrap_or_default();
    let clock = time.get(11..23).unwrap_or(time);
    let mut line = format!("{clock} {:<5} {}", level_name(level), message.as_str().unwrap_or_default());
    for (name, value) in &fields {
        line.push_str(&format!(" {name}={value}"));
    }
    line.push('\n');
    line.into_bytes()
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        self.write(*event.metadata().level(), fields.0);
    }

    // No spans: a line says all it needs by itself.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("message".into(), "Hello \"you\"\n".into());
        fields.insert("sessionId".into(), "x".into());
        fields
    }

    #[test]
    fn a_json_line_is_one_flat_object() {
        let line = json_line("T", Level::WARN, fields());
        assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
        let value: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(value["level"], "warn");
        assert_eq!(value["message"], "Hello \"you\"\n");
        assert_eq!(value["sessionId"], "x");
        assert_eq!(value["timestamp"], "T");
    }

    #[test]
    fn times_have_milliseconds_and_end_in_z() {
        assert_eq!(iso_time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_time(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn a_written_time_is_read_again() {
        for millis in [0, 1, 1_700_000_000_123, 253_402_300_799_999] {
            assert_eq!(parse_iso_time(&iso_time(millis)), Some(millis));
        }
        for text in ["", "1969-12-31T23:59:59.999Z", "2023-11-14T22:13:20Z", "2023-02-30T00:00:00.000Z", "now"] {
            assert_eq!(parse_iso_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_huge_line_is_cut_to_one_write() {
        let line = bounded(vec![b'x'; LINE_MAX * 2]);
        assert_eq!((line.len(), line.last()), (LINE_MAX, Some(&b'\n')));
    }
}
