//! The text of the state file, and reading it however damaged it is.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use crate::logging::{iso_time, parse_iso_time};
use crate::model::attention::{Attention, Ticket};
use crate::model::id::{SessionId, SessionName};
use crate::model::session::{Exit, ExitStatus, Record, Stage, State, UnixMillis};
use crate::model::signal::Signal;
use crate::model::spec::{SessionSpec, TerminalSize};
use crate::model::worktree::{BranchName, Worktree};

/// Of the form described here.
const VERSION: u64 = 1;

/// A session in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// Identity.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    command: Vec<String>,
    #[serde(default)]
    is_session_command: bool,
    working_directory: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worktree_path: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    cols: u32,
    #[serde(default)]
    rows: u32,
    created_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Moment>,
    #[serde(default)]
    last_activity: Moment,
    /// How often its program was started.
    #[serde(default)]
    life: u32,
    /// Whether its program ran until the container ended: for people who read
    /// the file, as `life` and `lastExit` say the same.
    #[serde(default)]
    was_running: bool,
    /// Bytes ever written, as of the last change.
    #[serde(default)]
    pub output_offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_exit: Option<SavedExit>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedExit {
    life: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    at: Moment,
    #[serde(default)]
    requested: bool,
    #[serde(default)]
    at_shutdown: bool,
    #[serde(default)]
    out_of_memory: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_offset: Option<u64>,
}

/// A time as people read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moment(UnixMillis);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&iso_time(self.0))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_iso_time(&text).map(Self).ok_or_else(|| de::Error::custom(format!("{text:?} is no time")))
    }
}

impl Saved {
    /// What is to be saved of a session, whose latest output came at
    /// `last_activity` or which did something else then. None before its
    /// program has ever run: its creator may yet hear that it can't.
    pub fn of(record: &Record, last_activity: UnixMillis, output_offset: u64) -> Option<Self> {
        let state = &record.state;
        let is_known = state.life > 0 || matches!(state.stage, Stage::Idle { .. });
        is_known.then(|| Self {
            id: record.id,
            name: record.name.clone(),
            command: record.spec.command.clone(),
            is_session_command: record.spec.is_session_command,
            working_directory: record.spec.cwd.clone(),
            branch: record.worktree.as_ref().and_then(|worktree| worktree.branch.clone()).map(String::from),
            worktree_path: record.worktree.as_ref().map(|worktree| worktree.path.clone()),
            env: record.spec.env.iter().cloned().collect(),
            cols: state.size.cols().into(),
            rows: state.size.rows().into(),
            created_at: Moment(record.created_at),
            started_at: state.started_at.map(Moment),
            last_activity: Moment(last_activity),
            life: state.life,
            was_running: state.last_exit.is_none_or(|exit| exit.life < state.life || exit.at_shutdown),
            output_offset,
            last_exit: state.last_exit.as_ref().map(SavedExit::of),
        })
    }

    /// Whether more than time and output tells the two apart.
    pub fn differs(&self, other: &Self) -> bool {
        let mut other = other.clone();
        other.last_activity = self.last_activity;
        other.output_offset = self.output_offset;
        *self != other
    }

    /// The session as init takes it in.
    pub fn record(&self) -> Record {
        let spec = SessionSpec {
            command: self.command.clone(),
            cwd: self.working_directory.clone(),
            env: self.env.clone().into_iter().collect(),
            is_session_command: self.is_session_command,
        };
        let state = State {
            size: TerminalSize::new(self.cols, self.rows).unwrap_or(TerminalSize::DEFAULT),
            life: self.life,
            started_at: self.started_at.map(|Moment(at)| at),
            stage: Stage::Idle { last_activity: self.last_activity.0 },
            last_exit: self.last_exit.as_ref().and_then(SavedExit::exit),
            attention: Attention::default(),
        };
        let (id, name, created_at) = (self.id, self.name.clone(), self.created_at.0);
        let branch = self.branch.clone().and_then(|text| BranchName::try_from(text).ok());
        let worktree = self.worktree_path.clone().map(|path| Worktree { branch, path });
        // No process of the earlier life can show its ticket any more.
        Record { id, name, spec, worktree, created_at, ticket: Ticket::random(), state }
    }

    fn check(&self) -> Result<(), String> {
        self.record().spec.check().map_err(|e| e.to_string())
    }
}

impl SavedExit {
    fn of(exit: &Exit) -> Self {
        let (exit_code, signal) = match exit.status {
            ExitStatus::Code(code) => (Some(code), None),
            ExitStatus::Signal(number) => (None, Signal::try_from(number).ok().map(|signal| signal.to_string())),
        };
        Self {
            life: exit.life,
            exit_code,
            signal,
            at: Moment(exit.at),
            requested: exit.requested,
            at_shutdown: exit.at_shutdown,
            out_of_memory: exit.out_of_memory,
            output_offset: exit.drained_at,
        }
    }

    /// None if it does not say how the program ended.
    fn exit(&self) -> Option<Exit> {
        let signal = || self.signal.as_ref()?.parse::<Signal>().ok().map(|signal| ExitStatus::Signal(signal.into()));
        Some(Exit {
            life: self.life,
            status: self.exit_code.map(ExitStatus::Code).or_else(signal)?,
            at: self.at.0,
            requested: self.requested,
            at_shutdown: self.at_shutdown,
            out_of_memory: self.out_of_memory,
            drained_at: self.output_offset,
        })
    }
}

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// Understood to the last byte.
    Whole(Vec<Saved>),
    /// Not, for this reason; the sessions that could be made out all the same.
    Damaged(Vec<Saved>, String),
    /// Of a later form.
    Newer(u64),
}

/// The file's text, a line for each session: so that damage to one of them can
/// be told from the others.
pub fn to_text(sessions: &[Saved]) -> Vec<u8> {
    let lines: Vec<String> = sessions.iter().filter_map(|session| serde_json::to_string(session).ok()).collect();
    let end = if lines.is_empty() { "" } else { "\n" };
    format!("{{\"version\":{VERSION},\"sessions\":[{end}{}{end}]}}\n", lines.join(",\n")).into_bytes()
}

/// Reads a file's text. Any bytes at all give an answer.
pub fn parse(text: &[u8]) -> Content {
    let reason = match serde_json::from_slice::<Value>(text) {
        Ok(Value::Object(file)) => match (file.get("version").and_then(Value::as_u64), file.get("sessions")) {
            (Some(version), _) if version > VERSION => return Content::Newer(version),
            (Some(VERSION), Some(Value::Array(entries))) => return sorted_out(entries.iter().map(read_entry)),
            (Some(VERSION), _) => "it has no list of sessions".into(),
            _ => "it does not say its version".into(),
        },
        Ok(_) => "it is no JSON object".into(),
        Err(_) if text.is_empty() => "it is empty".into(),
        Err(error) => error.to_string(),
    };
    let good = text.split(|byte| *byte == b'\n').filter_map(read_line);
    Content::Damaged(without_doubles(good.collect()).0, reason)
}

fn read_entry(entry: &Value) -> Result<Saved, String> {
    let saved = Saved::deserialize(entry).map_err(|e| e.to_string())?;
    saved.check().map(|()| saved)
}

/// A session on a line of its own in a file that as a whole makes no sense.
fn read_line(line: &[u8]) -> Option<Saved> {
    let line = line.trim_ascii();
    let entry = serde_json::from_slice(line.strip_suffix(b",").unwrap_or(line)).ok()?;
    read_entry(&entry).ok()
}

fn sorted_out(entries: impl Iterator<Item = Result<Saved, String>>) -> Content {
    let (mut good, mut bad) = (Vec::new(), None);
    for (at, entry) in entries.enumerate() {
        match entry {
            Ok(saved) => good.push(saved),
            Err(reason) => drop(bad.get_or_insert(format!("session {} of it: {reason}", at + 1))),
        }
    }
    let (good, double) = without_doubles(good);
    match bad.or_else(|| double.map(|name| format!("it has two sessions with the name or the id of {name}"))) {
        None => Content::Whole(good),
        Some(reason) => Content::Damaged(good, reason),
    }
}

/// The first of each id and name, and the name of one that was left out.
fn without_doubles(sessions: Vec<Saved>) -> (Vec<Saved>, Option<SessionName>) {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    let is_first = |saved: &Saved| ids.insert(saved.id) & names.insert(saved.name.clone());
    let (first, doubles): (Vec<Saved>, Vec<Saved>) = sessions.into_iter().partition(is_first);
    (first, doubles.into_iter().next().map(|saved| saved.name))
}

#[cfg(test)]
mod tests;
