//! Everybody else at the end: asked once, waited for, named, killed.

use procfs::process::Process;

use super::members::{Blow, Member};
use super::scan::everybody;
use crate::model::signal::Signal;
use crate::sys::process::Pid;
use crate::sys::reap;

/// How many of those who block the end are named in one log line.
const NAMED_MAX: usize = 20;

/// Longest command shown for each, in characters.
const COMMAND_MAX: usize = 80;

/// Whether anybody but the server is below this process.
///
/// Whoever is has an ancestor among our children, so as a rule /proc need not
/// be read to know.
#[must_use]
pub fn anybody_left(server: Option<Pid>) -> bool {
    reap::has_children_besides(server).unwrap_or_else(|| !everybody(server).is_empty())
}

/// Asks everybody but the server to end. A stopped process is continued, or it
/// would never hear of it.
pub fn ask_everybody(server: Option<Pid>) {
    for member in everybody(server) {
        member.strike(Blow::Signal(Signal::TERM));
        member.strike(Blow::Signal(Signal::CONT));
    }
}

/// Kills everybody but the server. Returns who that was, for people to read.
#[must_use]
pub fn kill_everybody(server: Option<Pid>) -> Option<String> {
    let members = everybody(server);
    let names = names(&members);
    members.into_iter().for_each(|member| member.strike(Blow::Signal(Signal::KILL)));
    names
}

/// `12 sleep 100, 13 sh -c ...`
fn names(members: &[Member]) -> Option<String> {
    let mut pids: Vec<Pid> = members.iter().map(|member| member.pid()).collect();
    pids.sort_by_key(|pid| pid.raw());
    let named: Vec<String> = pids.iter().take(NAMED_MAX).map(|pid| format!("{pid} {}", command(*pid))).collect();
    let more = pids.len().saturating_sub(NAMED_MAX);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    if named.is_empty() { None } else { Some(named.join(", ") + &rest) }
}

fn command(pid: Pid) -> String {
    let process = Process::new(pid.raw());
    let words = process.and_then(|process| process.cmdline()).unwrap_or_default();
    words.join(" ").chars().take(COMMAND_MAX).collect()
}
