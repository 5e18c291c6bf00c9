//! The table of sessions, as `ls` and `top` show it.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::session::Session;
use super::table::{self, Cell, Column, Look, Side};

const fn words(title: &'static str) -> Column {
    Column { title, side: Side::Left, shrinks: true }
}

const fn figure(title: &'static str) -> Column {
    Column { title, side: Side::Right, shrinks: false }
}

const COLUMNS: [Column; 7] = [
    words("NAME"),
    Column { title: "STATUS", side: Side::Left, shrinks: false },
    figure("PID"),
    figure("MEMORY"),
    figure("CPU"),
    figure("IDLE"),
    words("COMMAND"),
];

/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// The lines, the titles first.
#[must_use]
pub fn lines(sessions: &[Session], now: OffsetDateTime, look: Look) -> Vec<String> {
    let rows: Vec<Vec<Cell>> = sessions.iter().map(|session| row(session, now)).collect();
    table::lines(&COLUMNS, &rows, look)
}

fn row(session: &Session, now: OffsetDateTime) -> Vec<Cell> {
    let or_nothing = |text: Option<String>| Cell::new(text.as_deref().unwrap_or(NOTHING));
    vec![
        Cell::new(&session.name),
        Cell::new(&status(session)).coloured(colour(&session.status)),
        or_nothing(session.pty_pid.map(|pid| pid.to_string())),
        or_nothing(session.memory_bytes.map(size)),
        or_nothing(session.cpu_percent.map(|percent| format!("{percent:.1}%"))),
        or_nothing(age(&session.last_activity, now)),
        Cell::new(&command(&session.command)),
    ]
}

/// The status, and for an end that was none of its own how it came about.
fn status(session: &Session) -> String {
    match (&session.signal, session.exit_code) {
        _ if session.status != "error" => session.status.clone(),
        (Some(signal), _) => format!("error ({signal})"),
        (None, Some(code)) => format!("error ({code})"),
        (None, None) => session.status.clone(),
    }
}

fn colour(status: &str) -> Option<&'static str> {
    match status {
        "active" => Some("32"),
        "waiting" => Some("1;33"),
        "error" => Some("31"),
        "idle" | "stopped" => Some("2"),
        _ => None,
    }
}

/// The command as one could type it.
fn command(words: &[String]) -> String {
    // Quoting fails for words with a null byte, which no command has.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

/// A size in at most seven cells.
#[must_use]
pub fn size(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec_short().to_string()
}

/// How long ago something was, in one unit.
fn age(time: &str, now: OffsetDateTime) -> Option<String> {
    let then = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    let seconds = (now - then).whole_seconds().max(0);
    Some(match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn ages_are_told_in_one_unit() {
        let now = datetime!(2026-03-02 12:00:00.500 UTC);
        let told = |time| age(time, now);
        assert_eq!(told("2026-03-02T11:59:55.000Z").as_deref(), Some("5s"));
        assert_eq!(told("2026-03-02T11:58:00.000Z").as_deref(), Some("2m"));
        assert_eq!(told("2026-03-01T12:00:00.000Z").as_deref(), Some("1d"));
        assert_eq!(told("2026-03-02T12:00:09.000Z").as_deref(), Some("0s"), "clocks differ");
        assert_eq!(told("yesterday"), None);
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(0), "0B");
        assert_eq!(size(1_572_864), "1.5M");
    }
}
