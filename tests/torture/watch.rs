//! The promises that are looked at all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::excuse::ANSWER;
use crate::ledger::{End, Promise, Tracked};
use crate::rig::STOP_GRACE;
use crate::support::process::{children, stat};
use crate::who;
use crate::world::World;

/// A dead child of init is reaped within this time.
const ZOMBIE_MAX: Duration = Duration::from_secs(1);
/// Everything of a session is gone this long after its leader: HUP, TERM, the
/// grace, KILL, and time for the kernel to carry it out.
const LEFTOVER_MAX: Duration = Duration::from_secs(2).saturating_add(STOP_GRACE);
/// Slower answers are in the history, in milliseconds.
const NOTEWORTHY: u64 = 300;
const ROUND: Duration = Duration::from_millis(50);
/// How bash ends when it cannot fork, and how long ago it may have tried at first.
const FORKLESS: End = End::Code(254);
const FORKLESS_AFTER: Duration = Duration::from_secs(20);
const NAP: Duration = Duration::from_millis(20);
/// A pause that took this much longer than asked is a stall of the machine.
const OVERSLEPT: Duration = Duration::from_millis(30);

/// Zombies and what dead sessions left.
pub fn processes(world: &World) {
    let mut zombies = Zombies::new();
    let mut seen = BTreeSet::new();
    loop {
        zombies = look_for_zombies(world, &zombies);
        let marked = who::marked();
        world.ledger.record(Promise::NothingLeftBehind, "processes at most", marked.len() as u64);
        let sessions = world.ledger.sessions();
        for process in &marked {
            if seen.insert(process.pid) {
                world.ledger.count(Promise::NothingLeftBehind, "processes followed", 1);
            }
            let Some(dead) = sessions.get(&process.marker).and_then(|tracked| tracked.dead_since) else { continue };
            if dead.elapsed() > LEFTOVER_MAX + world.ledger.excuses.stalled_since(dead) && process.lives() {
                let evidence = format!(
                    "session {} ended {:?} ago, but there is {}",
                    process.marker,
                    dead.elapsed(),
                    who::describe(process.pid)
                );
                world.ledger.broken(Promise::NothingLeftBehind, &evidence);
            }
        }
        if world.ledger.pause(ROUND) {
            return;
        }
    }
}

/// Pauses all the time, and takes what is beyond that as stalls.
pub fn machine(world: &World) {
    loop {
        let start = Instant::now();
        let is_over = world.ledger.pause(NAP);
        let over = start.elapsed().saturating_sub(NAP);
        if over > OVERSLEPT {
            world.ledger.excuses.stall(over);
        }
        if is_over {
            return;
        }
    }
}

/// Process id and start time of each, and when it was first seen.
type Zombies = BTreeMap<(i32, u64), Instant>;

fn look_for_zombies(world: &World, known: &Zombies) -> Zombies {
    let mut now = Zombies::new();
    for pid in children(world.rig.init) {
        let (Some(state), Some(start)) = (stat(pid).map(|stat| stat.state), who::start_time(pid)) else { continue };
        if state != 'Z' {
            continue;
        }
        let since = known.get(&(pid, start)).copied().unwrap_or_else(Instant::now);
        if since.elapsed() > ZOMBIE_MAX + world.ledger.excuses.stalled_since(since) {
            let evidence = format!("unreaped for {:?}: {}", since.elapsed(), who::describe(pid));
            world.ledger.broken(Promise::NoZombies, &evidence);
        }
        now.insert((pid, start), since);
    }
    world.ledger.count(Promise::NoZombies, "looks at init's children", 1);
    now
}

/// Asks for the health again and again.
pub fn health(world: &World) {
    let excuses = &world.ledger.excuses;
    loop {
        let asked = Instant::now();
        let mut why = String::new();
        let is_late = || Instant::now() > excuses.due(asked) + excuses.stalled_since(asked);
        while let Err(error) = ask_health(&world.rig.address, &is_late) {
            why = error;
            if is_late() {
                let server = world.rig.server().map_or("no server runs".to_owned(), who::describe);
                let evidence = format!("GET /health: no answer for {:?} ({why}); {server}", asked.elapsed());
                return world.ledger.broken(Promise::ApiAnswers, &evidence);
            }
            if world.ledger.pause(Duration::from_millis(5)) {
                return;
            }
        }
        world.ledger.count(Promise::ApiAnswers, "answers", 1);
        let millis = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
        let what = match (excuses.is_silenced(asked), why.is_empty()) {
            (true, _) => "ms at most where a fault withheld the answer",
            (false, true) => "ms at most",
            (false, false) => "ms at most when the asked server was killed",
        };
        world.ledger.record(Promise::ApiAnswers, what, millis);
        if millis > NOTEWORTHY {
            world.ledger.note(format!("GET /health: answered after {millis} ms {why}"));
        }
        if world.ledger.pause(ROUND) {
            return;
        }
    }
}

/// One try on a connection of its own; it ends when `is_late`.
pub fn ask_health(address: &str, is_late: &impl Fn() -> bool) -> Result<(), String> {
    let mut stream = TcpStream::connect(address).map_err(|e| format!("connecting: {e}"))?;
    stream.set_read_timeout(Some(Duration::from_millis(100))).map_err(|e| e.to_string())?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(|e| format!("asking: {e}"))?;
    let mut answer = [0; 12];
    let mut have = 0;
    while have < answer.len() {
        match stream.read(&mut answer[have..]) {
            Ok(0) => return Err("the connection was closed".to_owned()),
            Ok(n) => have += n,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && !is_late() => {}
            Err(e) => return Err(format!("waiting: {e}")),
        }
    }
    if &answer[..] == b"HTTP/1.1 200" { Ok(()) } else { Err(String::from_utf8_lossy(&answer).into_owned()) }
}

/// Compares the API's list with the sessions there are, and what it tells about
/// their ends with what they were told to do.
pub fn census(world: &World) {
    loop {
        let before = world.ledger.sessions();
        let asked = Instant::now();
        if let Some(listed) = world.listed() {
            compare(world, &before, &listed, asked);
        }
        if world.ledger.pause(Duration::from_millis(100)) {
            return;
        }
    }
}

fn compare(world: &World, before: &BTreeMap<String, Tracked>, listed: &[Value], asked: Instant) {
    let after = world.ledger.sessions();
    for (marker, tracked) in &after {
        // Whatever changed while the list was made cannot be judged by it.
        let is_same = before.get(marker).is_some_and(|old| old.version == tracked.version);
        let Some(id) = tracked.id.as_ref().filter(|_| is_same && !tracked.in_motion) else { continue };
        match listed.iter().find(|session| session["id"] == id.as_str()) {
            Some(session) => judge(world, marker, tracked, session, asked),
            None => world.ledger.broken(Promise::SessionsKept, &format!("{marker} {id} is not in the list")),
        }
    }
    let names: Vec<_> = listed.iter().filter_map(|session| session["name"].as_str()).collect();
    for name in names {
        if !after.contains_key(name) {
            world.ledger.broken(Promise::SessionsKept, &format!("nobody made {name}, which is in the list"));
        }
    }
    world.ledger.count(Promise::SessionsKept, "lists compared", 1);
}

/// What matters here of a session as the API shows it.
fn brief(session: &Value) -> String {
    let fields = ["id", "status", "ptyPid", "exitCode", "signal", "exitReason", "startedAt", "lastActivity"];
    fields.map(|field| format!("{field} {}", session[field])).join(", ")
}

fn judge(world: &World, marker: &str, tracked: &Tracked, session: &Value, asked: Instant) {
    let ledger = &world.ledger;
    if matches!(session["status"].as_str(), Some("active" | "waiting")) {
        if let Some(by) = tracked.told_by
            && asked > by + ledger.excuses.stalled_since(by - ANSWER)
        {
            ledger.broken(
                Promise::ExitsRight,
                &format!("its leader was killed, but {marker} is shown as {}", brief(session)),
            );
        }
        return;
    }
    if tracked.dead_since.is_some() {
        return;
    }
    let seen = (session["exitCode"].as_i64(), session["signal"].as_str());
    let is_shell_without_forks = FORKLESS.is(seen) && ledger.excuses.is_starved(asked - FORKLESS_AFTER);
    if let Some(ends) = &tracked.ends
        && !is_shell_without_forks
        && !ends.iter().any(|end| end.is(seen))
    {
        ledger.broken(
            Promise::ExitsRight,
            &format!("{marker} must end with one of {ends:?}, and is shown as {}", brief(session)),
        );
    }
    ledger.count(Promise::ExitsRight, "ends", 1);
    ledger.change(marker, |entry| {
        // Resumed or deleted meanwhile: then this end is history.
        if !entry.in_motion && entry.version == tracked.version + 1 {
            entry.dead_since = Some(Instant::now());
        }
    });
}
