//! The container and what is known about it, and the API as somebody uses it
//! who knows that the server may be killed at any moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ledger::{Ledger, Promise, Tracked};
use crate::rig::Rig;
use crate::support::http::{Api, Reply};
use crate::watch;
use crate::who;

/// No request may take longer than this, whatever is broken on purpose.
const REQUEST_MAX: Duration = Duration::from_secs(30);
/// Requests refused because something was short on purpose are counted.
pub const REFUSALS: &str = "refusals for want of something";
/// Between one try and the next.
const RETRY: Duration = Duration::from_millis(50);

/// What all threads of a run share.
pub struct World {
    pub rig: Rig,
    pub ledger: Ledger,
    pub seed: u64,
    /// Set for each reader whose connection is to fail.
    pub cuts: [AtomicBool; crate::readers::READERS],
    api: Api,
    next: AtomicU64,
}

/// What came of a request.
enum Answer {
    Reply(Reply),
    /// The run is over.
    Over,
}

impl World {
    pub fn new(rig: Rig, ledger: Ledger, seed: u64) -> Self {
        let api = rig.api();
        Self { rig, ledger, seed, cuts: Default::default(), api, next: AtomicU64::new(1) }
    }

    /// A marker nobody has.
    pub fn marker(&self) -> String {
        format!("{}{}", who::prefix(), self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A generator of its own for everybody who asks with a number of their own.
    pub fn random(&self, number: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_add(number.wrapping_mul(0x2545_f491_4f6c_dd1d)))
    }

    /// Asks until there is an answer that is not an effect of a fault: a
    /// connection that died with its server, or a shortage made on purpose.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let asked = Instant::now();
        let kind = (!body.is_null()).then_some("application/json");
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        loop {
            let tried = Instant::now();
            match self.api.try_call(method, path, kind, &bytes) {
                Ok(reply) if reply.status >= 500 || matches!(reply.status, 422 | 429) => {
                    if !self.ledger.excuses.is_starved(tried) {
                        self.ledger.broken(Promise::ApiAnswers, &format!("with nothing short: {reply}"));
                    }
                    self.ledger.count(Promise::ApiAnswers, REFUSALS, 1);
                }
                Ok(reply) => return Answer::Reply(reply),
                Err(error) if asked.elapsed() > REQUEST_MAX => {
                    let evidence = format!("{method} {path}: no answer in {:?}: {error}", asked.elapsed());
                    self.ledger.broken(Promise::ApiAnswers, &evidence);
                }
                Err(_) => {}
            }
            if self.ledger.pause(RETRY) {
                return Answer::Over;
            }
        }
    }

    /// Asks and gives the JSON of a good answer; None if the run is over.
    fn json(&self, method: &str, path: &str, body: &Value, good: &[u16]) -> Option<(u16, Value)> {
        let Answer::Reply(reply) = self.ask(method, path, body) else { return None };
        if !good.contains(&reply.status) {
            self.ledger.broken(Promise::SessionsKept, &format!("unexpected: {reply}"));
            return None;
        }
        Some((reply.status, serde_json::from_slice(&reply.body).unwrap_or_default()))
    }

    /// All sessions as the API lists them, asked once.
    pub fn listed(&self) -> Option<Vec<Value>> {
        let reply = self.api.try_call("GET", "/api/sessions", None, &[]).ok()?;
        let body: Value = serde_json::from_slice(&reply.body).ok()?;
        body["sessions"].as_array().cloned()
    }

    /// Whether a connection that is made now has no answer in this time.
    pub fn unanswered(&self, time: Duration) -> bool {
        let start = Instant::now();
        watch::ask_health(&self.rig.address, &|| start.elapsed() > time).is_err() && start.elapsed() > time
    }

    /// What `GET /api/health` tells, asked once.
    pub fn health(&self) -> Option<Value> {
        let reply = self.api.try_call("GET", "/api/health", None, &[]).ok()?;
        serde_json::from_slice(&reply.body).ok()
    }

    /// Makes a session whose processes have `marker` and returns its id; None if
    /// the run is over.
    pub fn create(&self, marker: &str, command: &[String], tracked: Tracked) -> Option<String> {
        self.ledger.enter(marker, tracked);
        // A conflict: the server that made it was killed before it could say so.
        let request = json!({ "name": marker, "command": command });
        self.json("POST", "/api/sessions", &request, &[201, 409])?;
        self.settle(marker, &format!("/api/sessions/{marker}"))
    }

    /// Learns who a session is whose program was just started.
    fn settle(&self, marker: &str, path: &str) -> Option<String> {
        loop {
            let (_, body) = self.json("GET", path, &Value::Null, &[200])?;
            let (session, leader) = (&body["session"], body["session"]["ptyPid"].as_i64());
            if leader.is_some() || session["status"] != "active" {
                let id = session["id"].as_str().map(str::to_owned);
                self.ledger.change(marker, |entry| {
                    (entry.id, entry.leader, entry.in_motion) = (id.clone(), leader, false);
                });
                return id;
            }
            if self.ledger.pause(RETRY) {
                return None;
            }
        }
    }

    /// Whether nobody has this id any more, or soon nobody will.
    pub fn is_deleted(&self, id: &str) -> bool {
        !self.ledger.sessions().values().any(|tracked| tracked.id.as_deref() == Some(id) && !tracked.in_motion)
    }

    /// Ends a session by the API and forgets it. Nothing may be left of it.
    pub fn delete(&self, marker: &str) -> bool {
        let Some(id) = self.ledger.change(marker, |entry| {
            entry.in_motion = true;
            entry.ends = None;
            entry.id.clone()
        }) else {
            return false;
        };
        // A second try finds nothing where the first was carried out.
        let gone = self.json("DELETE", &format!("/api/sessions/{id}"), &Value::Null, &[200, 404]).is_some();
        if gone {
            self.ledger.change(marker, |entry| {
                entry.id = None;
                entry.dead_since = entry.dead_since.or_else(|| Some(Instant::now()));
            });
        }
        gone
    }

    /// Starts an ended session's program again.
    pub fn resume(&self, marker: &str) -> bool {
        let Some(id) = self.ledger.change(marker, |entry| {
            (entry.in_motion, entry.dead_since, entry.told_by) = (true, None, None);
            entry.id.clone()
        }) else {
            return false;
        };
        // A second try finds it running where the first was carried out.
        let path = format!("/api/sessions/{id}");
        self.json("POST", &format!("{path}/resume"), &json!({}), &[200, 409]).is_some()
            && self.settle(marker, &path).is_some()
    }

    /// Waits until the census saw the end of this session's program.
    pub fn wait_for_end(&self, marker: &str, patience: Duration) -> bool {
        self.ledger.wait_until(patience, || self.ledger.session(marker).dead_since.is_some())
    }
}
