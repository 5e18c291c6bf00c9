//! `quarterdeck top`

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::api::Api;
use super::attach::signals::{self, Signals, Wish};
use super::attach::stdin::Stdin;
use super::attach::tty::{self, Hold};
use super::failure::Failure;
use super::session::Session;
use super::table::{Look, shorten};
use super::{list, output};
use crate::cli::client::TopArgs;
use crate::exit::Exit;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The alternate screen without a cursor, and back.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

const CTRL_C: u8 = 3;
const CTRL_Z: u8 = 26;

/// Shows the sessions and what they use, once or again and again.
pub async fn top(api: &Api, args: &TopArgs) -> Result<Exit, Failure> {
    let picture = Picture::take(api).await?;
    if args.common.json {
        output::print_json(picture.json().to_string().as_bytes())?;
        return Ok(Exit::Success);
    }
    if !io::stdout().is_terminal() {
        output::print_lines(picture.lines(output::look())?)?;
        return Ok(Exit::Success);
    }
    watch(api, picture).await
}

async fn watch(api: &Api, mut picture: Picture) -> Result<Exit, Failure> {
    let broken = |e: io::Error| Failure::new(format!("cannot use the terminal: {e}"));
    let mut signals = Signals::catch().map_err(broken)?;
    let stdin = if io::stdin().is_terminal() { Some(Stdin::open().map_err(broken)?) } else { None };
    let hold = Hold::take(true).map_err(broken)?;
    enter(&hold)?;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.reset();
    loop {
        draw(&picture)?;
        tokio::select! {
            _ = ticks.tick() => match Picture::take(api).await {
                Ok(new) => picture = new,
                // Of a server that ended meanwhile: the next one answers.
                Err(_) => drop(api.sockets.find().await?),
            },
            keys = keys(stdin.as_ref()) => match keys.first() {
                None | Some(b'q' | b'Q' | &CTRL_C) => return Ok(Exit::Success),
                Some(&CTRL_Z) => stop(&hold)?,
                Some(_) => {}
            },
            wish = signals.next() => match wish {
                Wish::End(number) => return Ok(Exit::Main(128 + number)),
                Wish::Resize => {}
                Wish::Stop => stop(&hold)?,
                Wish::Continue => resume(&hold)?,
            },
        }
    }
}

fn enter(hold: &Hold) -> Result<(), Failure> {
    hold.farewell(LEAVE.to_vec());
    output::print(ENTER)
}

/// SIGCONT follows, and with it [`resume`].
fn stop(hold: &Hold) -> Result<(), Failure> {
    hold.release();
    signals::stop();
    resume(hold)
}

fn resume(hold: &Hold) -> Result<(), Failure> {
    hold.make_raw().map_err(|e| Failure::new(format!("cannot use the terminal: {e}")))?;
    enter(hold)
}

async fn keys(stdin: Option<&Stdin>) -> Vec<u8> {
    match stdin {
        Some(stdin) => stdin.read().await,
        None => std::future::pending().await,
    }
}

/// Draws over what is there: nothing flickers.
fn draw(picture: &Picture) -> Result<(), Failure> {
    let look = output::look();
    let rows = tty::size().map_or(usize::MAX, |(_, rows)| rows.into());
    let mut text = String::from("\x1b[?2026h\x1b[H");
    for (at, line) in picture.lines(look)?.iter().take(rows).enumerate() {
        let _ = write!(text, "{}{line}\x1b[K", if at == 0 { "" } else { "\r\n" });
    }
    text.push_str("\x1b[J\x1b[?2026l");
    output::print(text.as_bytes())
}

/// What there is to show at one moment.
struct Picture {
    sessions: Value,
    resources: Value,
}

impl Picture {
    async fn take(api: &Api) -> Result<Self, Failure> {
        let sessions = api.get("/api/sessions").await?.json()?;
        Ok(Self { sessions, resources: api.get("/api/resources").await?.json()? })
    }

    fn json(&self) -> Value {
        json!({
            "sessions": self.sessions["sessions"],
            "generation": self.sessions["generation"],
            "resources": self.resources,
        })
    }

    fn lines(&self, look: Look) -> Result<Vec<String>, Failure> {
        let sessions = Session::list(self.sessions.clone())?;
        let head = self.head();
        let head = look.width.map_or_else(|| head.clone(), |width| shorten(&head, width));
        let table = list::lines(&sessions, OffsetDateTime::now_utc(), look);
        Ok([head, String::new()].into_iter().chain(table).collect())
    }

    fn head(&self) -> String {
        let number = |field: &str| self.resources[field].as_u64().unwrap_or(0);
        let percent = |field: &str| self.resources[field].as_f64().unwrap_or(0.0);
        let mut head = format!(
            "{}/{} sessions  memory {} of {} ({:.1}%)  cpu {:.1}%",
            number("sessionCount"),
            number("maxSessions"),
            list::size(number("memoryUsedBytes")),
            list::size(number("memoryLimitBytes")),
            percent("memoryUsagePercent"),
            percent("cpuPercent"),
        );
        match self.resources["memoryLevel"].as_str() {
            Some(level @ ("warning" | "critical")) => head.extend(["  memory is ", level]),
            _ if self.resources["isAcceptingNewSessions"] == false => head.push_str("  no new sessions"),
            _ => {}
        }
        head
    }
}
