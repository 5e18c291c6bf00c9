//! The limit is seen coming, said in words, and new sessions are refused in time.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::group::Group;
use crate::support::http::id_of;
use crate::support::quarterdeck::run;
use crate::support::{Api, Client, Form, Quarterdeck, Setup, eventually};

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 160 * MIB;

/// Keeps what it is told to take: each line is a number of KiB.
const HOG: &str = "$| = 1; print \"ready\\n\"; while (<STDIN>) { push @all, \"x\" x ($_ * 1024); print \"took\\n\" }";

/// A quarterdeck as PID 1 in a group with little memory.
struct Small {
    quarterdeck: Quarterdeck,
    api: Api,
    /// Dropped last: it must be empty by then.
    group: Group,
}

impl Small {
    fn start(args: &[&str]) -> Self {
        let group = Group::with_memory(LIMIT);
        let before = group.join();
        let quarterdeck = Quarterdeck::launch(&Setup { args, pid1: true, before: &before, ..Setup::default() });
        Self { api: quarterdeck.api(), quarterdeck, group }
    }

    fn state(&self) -> Value {
        self.api.get("/api/resources").json_of(200)
    }

    fn hog(&self) -> Hog<'_> {
        let id = self.api.run(&["perl", "-e", HOG].map(str::to_owned));
        let mut client = self.quarterdeck.connect(Form::Json);
        client.attach(&id);
        client.wait_until("the hog is there", |view| view.text(&id).contains("ready"));
        Hog { small: self, client, id, took: 0 }
    }
}

/// A session that fills memory as it is told.
struct Hog<'s> {
    small: &'s Small,
    client: Client,
    id: String,
    took: usize,
}

impl Hog<'_> {
    /// Takes memory until so much of the limit is used.
    fn fill_to(&mut self, percent: u64) {
        let used = self.small.state()["memoryUsedBytes"].as_u64().expect("a number");
        self.take((LIMIT * percent / 100).saturating_sub(used) / 1024);
    }

    fn take(&mut self, kib: u64) {
        self.took += 1;
        let (id, took) = (self.id.clone(), self.took);
        self.client.input(&id, &format!("{kib}\n"));
        self.client.wait_until("memory is taken", |view| view.text(&id).matches("took").count() == took);
    }

    fn end(mut self) -> Client {
        self.small.api.remove(&self.id);
        let id = self.id.clone();
        self.client.wait_until("it is gone", |view| {
            view.of_type("session.destroyed").any(|message| message["sessionId"] == json!(id))
        });
        self.client
    }
}

/// The next warning of this level, with its percentage as it stands in the text.
fn warning(client: &mut Client, level: &str) -> (Value, String) {
    client.wait_until("the level is told", |view| {
        view.of_type("resource.warning").any(|message| message["memoryLevel"] == json!(level))
    });
    let found = client.view.of_type("resource.warning").filter(|message| message["memoryLevel"] == json!(level)).last();
    let found = found.cloned().expect("a warning");
    let percent = format!("{:.0}%", found["memoryUsagePercent"].as_f64().expect("a number"));
    (found, percent)
}

fn sleeper() -> Value {
    json!({ "command": ["sleep", "1000"] })
}

#[test]
fn a_warning_offers_no_session_that_the_number_of_sessions_forbids() {
    let small = Small::start(&["--max-sessions", "1"]);
    let mut hog = small.hog();
    hog.fill_to(89);
    let (told, _) = warning(&mut hog.client, "warning");
    assert_eq!(told["isAcceptingNewSessions"], json!(false));
    assert_eq!(small.state()["isAcceptingNewSessions"], json!(false));
}

#[test]
fn levels_are_told_and_new_sessions_refused_until_memory_is_freed() {
    let small = Small::start(&[]);
    let idle = id_of(&small.api.create(&json!({ "command": ["true"] })));
    small.api.wait_for_exit(&idle);
    let echo = small.api.shell("exec cat");
    let mut hog = small.hog();
    assert_eq!(hog.client.view.of_type("resource.warning").count(), 0);

    hog.fill_to(89);
    let (told, percent) = warning(&mut hog.client, "warning");
    assert_eq!(told["message"], json!(format!("High memory usage ({percent}). Consider closing idle sessions.")));
    assert_eq!(told["isAcceptingNewSessions"], json!(true));
    let log = small.quarterdeck.log();
    let line = log.wait_for_message(&format!("Memory usage high: {percent}"));
    assert_eq!((&line["level"], &line["sessionCount"]), (&json!("warn"), &json!(3)));
    assert_eq!(line["memoryUsagePercent"], told["memoryUsagePercent"]);
    assert!(line["memoryUsedBytes"].as_u64().is_some_and(|used| used > LIMIT * 87 / 100), "{line}");
    assert_eq!(small.api.get("/ready").status, 200);
    assert_eq!(small.state()["memoryLevel"], json!("warning"));

    hog.fill_to(96);
    // Known to the very next request, whether or not it was told already.
    let error = small.api.post("/api/sessions", &sleeper()).error(503, "RESOURCE_EXHAUSTED");
    assert_eq!((&error["type"], &error["message"]), (&json!("resource"), &json!("Maximum resource capacity reached")));
    let details = error["details"].as_str().expect("words").to_owned();
    let figure =
        details.strip_prefix("Memory usage is at ").and_then(|d| d.strip_suffix("%. Cannot create new sessions."));
    assert!(figure.and_then(|f| f.parse::<u32>().ok()).is_some_and(|f| (93..=100).contains(&f)), "{details}");
    assert_eq!(error["suggestion"], json!("Close idle sessions before creating new ones."));
    let (told, percent) = warning(&mut hog.client, "critical");
    let text = format!("Memory critical ({percent}). Cannot create new sessions until memory is freed.");
    assert_eq!((&told["message"], &told["isAcceptingNewSessions"]), (&json!(text), &json!(false)));
    log.wait_for_message(&format!("Memory critical: {percent}, blocking new sessions"));
    small.api.post(&format!("/api/sessions/{idle}/resume"), &json!({})).error(503, "RESOURCE_EXHAUSTED");
    hog.client.send(&json!({ "type": "session.resume", "sessionId": idle }));
    assert_eq!(hog.client.next_error()["code"], json!("RESOURCE_EXHAUSTED"));
    let ready = small.api.get("/ready").json_of(503);
    assert!(ready["reason"].as_str().is_some_and(|why| why.contains("Cannot create new sessions")), "{ready}");
    let state = small.state();
    assert_eq!((&state["memoryLevel"], &state["isAcceptingNewSessions"]), (&json!("critical"), &json!(false)));
    // Sessions of today go on, and newcomers learn the level at once.
    let mut newcomer = small.quarterdeck.connect(Form::Binary);
    let greeting = newcomer.view.of_type("resource.state").next().cloned().expect("a state");
    assert_eq!(greeting["memoryLevel"], json!("critical"));
    newcomer.attach(&echo);

    newcomer.input(&echo, "still here\n");
    newcomer.wait_until("it echoes", |view| view.text(&echo).contains("still here"));

    let mut client = hog.end();
    let (told, percent) = warning(&mut client, "normal");
    assert_eq!(told["message"], json!(format!("Memory usage back to normal ({percent}).")));
    assert_eq!(told["isAcceptingNewSessions"], json!(true));
    log.wait_for_message(&format!("Memory usage recovered: {percent}"));
    small.api.create(&sleeper());
    assert_eq!(small.api.get("/ready").status, 200);
}

#[test]
fn page_cache_raises_no_alarm() {
    let small = Small::start(&[]);
    // Four times the limit once, then a part of it until the kernel holds it for active.
    let script = format!(
        "truncate -s {} big; cat big big > /dev/null; for n in 1 2 3 4 5; do head -c {} big > /dev/null; done; echo read; exec cat",
        4 * LIMIT,
        LIMIT * 8 / 10
    );
    let id = small.api.shell(&script);
    let mut client = small.quarterdeck.connect(Form::Json);
    client.attach(&id);
    let mut fullest = 0;
    client.wait_until("all is read", |view| {
        let state = small.state();
        fullest = fullest.max(state["memoryCurrentBytes"].as_u64().unwrap_or(0));
        assert_eq!(state["memoryLevel"], json!("normal"), "{state}");
        view.text(&id).contains("read")
    });
    assert!(fullest > LIMIT * 87 / 100, "the raw counter saw only {fullest} of {LIMIT}");
    small.api.create(&sleeper());
    client.round_trip();
    assert_eq!(client.view.of_type("resource.warning").count(), 0);
}

#[test]
fn a_limit_that_is_lowered_counts_at_once() {
    let small = Small::start(&[]);
    let mut hog = small.hog();
    hog.fill_to(60);
    small.group.limit_memory(LIMIT * 63 / 100);
    small.api.post("/api/sessions", &sleeper()).error(503, "RESOURCE_EXHAUSTED");
    small.group.limit_memory(LIMIT * 2);
    small.api.create(&sleeper());
    hog.end();
}

#[test]
fn a_new_server_knows_at_once() {
    let small = Small::start(&[]);
    let mut hog = small.hog();
    hog.fill_to(96);
    small.quarterdeck.kill_server();
    let refused = eventually("a new server answers", || {
        small.api.try_call("POST", "/api/sessions", Some("application/json"), sleeper().to_string().as_bytes()).ok()
    });
    refused.error(503, "RESOURCE_EXHAUSTED");
    hog.client.reconnect(Form::Json);
    hog.client.wait_until("the level is told, in the greeting or as a change", |view| {
        let mut told = view.messages.iter().rev().filter(|m| m["memoryLevel"].is_string());
        told.next().is_some_and(|message| message["memoryLevel"] == json!("critical"))
    });
    hog.end();
}

#[test]
fn steady_growth_is_foretold() {
    let small = Small::start(&[]);
    let mut hog = small.hog();
    hog.fill_to(20);
    let (id, step) = (hog.id.clone(), LIMIT / 1024 / 400);
    let state = eventually("the end is foretold", || {
        hog.client.input(&id, &format!("{step}\n"));
        std::thread::park_timeout(std::time::Duration::from_millis(250));
        Some(small.state()).filter(|state| state["limitReachedInSeconds"].is_u64())
    });
    assert!(state["limitReachedInSeconds"].as_u64().is_some_and(|s| (20..600).contains(&s)), "{state}");
    hog.end();
}

#[test]
fn the_past_is_remembered() {
    let small = Small::start(&[]);
    let samples = eventually("two seconds are remembered", || {
        let history = small.api.get("/api/resources/history?seconds=60").json_of(200);
        history["samples"].as_array().filter(|samples| samples.len() > 1).cloned()
    });
    for sample in &samples {
        let used = sample["memoryUsedBytes"].as_u64().expect("a number");
        assert!(used > 0 && used < LIMIT && sample["memoryUsagePercent"].as_f64().is_some(), "{sample}");
        assert!(sample["cpuPercent"].as_f64().is_some() && sample["sessionCount"] == json!(0), "{sample}");
    }
    assert!(samples.windows(2).all(|pair| pair[0]["time"].as_str() < pair[1]["time"].as_str()), "{samples:?}");
    small.api.get("/api/resources/history?seconds=ages").error(400, "INVALID_REQUEST");
}

#[test]
fn everything_raw_is_shown() {
    let small = Small::start(&[]);
    let state = small.state();
    assert_eq!(state["memoryLimitBytes"], json!(LIMIT));
    assert_eq!((&state["warnPercent"], &state["criticalPercent"]), (&json!(87.0), &json!(93.0)));
    let number = |name: &str| state[name].as_u64().unwrap_or_else(|| panic!("{name}: {state}"));
    assert_eq!(number("memoryUsedBytes"), number("memoryCurrentBytes") - number("memoryCacheBytes"));
    assert!(number("memoryWorkingSetBytes") <= number("memoryCurrentBytes"));
    assert!(number("memoryWorkingSetBytes") >= number("memoryUsedBytes"));
    assert!(state["source"] == json!("cgroup1") || state["source"] == json!("cgroup2"), "{state}");
    assert_eq!((&state["sessionCount"], &state["maxSessions"]), (&json!(0), &json!(4)));
    assert_eq!((&state["oomKills"], &state["isAcceptingNewSessions"]), (&json!(0), &json!(true)));
    assert!(state["cpuPercent"].as_f64().is_some() && state["sampledAt"].as_str().is_some(), "{state}");
}

#[test]
fn a_limit_of_ones_own_is_taken_where_it_is_lower() {
    let group = Group::with_memory(LIMIT);
    let before = group.join();
    for (given, taken) in [("100MiB", 100 * MIB), ("1TiB", LIMIT)] {
        let args = ["--memory-limit", given];
        let quarterdeck = Quarterdeck::launch(&Setup { args: &args, before: &before, ..Setup::default() });
        let state = quarterdeck.api().get("/api/resources").json_of(200);
        assert_eq!(state["memoryLimitBytes"], json!(taken), "{given}");
        let started = quarterdeck.log().wait_for_message("Resource monitoring started");
        assert_eq!((&started["memoryLimitBytes"], &started["checkIntervalMs"]), (&json!(taken), &json!(30_000)));
    }
}

#[test]
fn thresholds_can_be_set_and_are_checked() {
    let small = Small::start(&["--warn-percent", "40.5", "--critical-percent", "50"]);
    let mut hog = small.hog();
    let thresholds = |state: &Value| (state["warnPercent"].as_f64(), state["criticalPercent"].as_f64());
    assert_eq!(thresholds(&small.state()), (Some(40.5), Some(50.0)));
    let greeting = hog.client.view.of_type("resource.state").next().expect("a state on connect");
    assert_eq!(thresholds(greeting), (Some(40.5), Some(50.0)));
    hog.fill_to(53);
    small.api.post("/api/sessions", &sleeper()).error(503, "RESOURCE_EXHAUSTED");
    warning(&mut hog.client, "critical");
    hog.end();
    let refused = run(["init", "--warn-percent", "93"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("--warn-percent 93 must be below --critical-percent 93"), "{said}");
}

#[test]
fn a_cycle_runs_on_sigusr1_and_the_monitor_ends_with_the_container() {
    let mut quarterdeck = Quarterdeck::with(&["--monitor-interval", "24h", "--log-level", "debug"]);
    let cycles = |quarterdeck: &Quarterdeck| {
        let entries = quarterdeck.log().entries();
        entries.iter().filter(|entry| entry["message"] == json!("Resources checked")).count()
    };
    quarterdeck.log().wait_for_message("Resource monitoring started");
    assert_eq!(cycles(&quarterdeck), 0);
    quarterdeck.signal(Signal::SIGUSR1);
    eventually("a cycle", || (cycles(&quarterdeck) == 1).then_some(()));

    quarterdeck.stop();
    quarterdeck.log().wait_for_message("Resource monitoring stopped");
}

#[test]
fn with_hardly_a_task_left_no_session_is_taken() {
    let group = Group::with_tasks(40);
    let before = group.join();
    let quarterdeck = Quarterdeck::launch(&Setup { pid1: true, before: &before, ..Setup::default() });
    let api = quarterdeck.api();
    let crowd = api.shell("for n in $(seq 33); do sleep 1000 & done; exec cat");
    let error = eventually("the tasks are used up", || {
        let reply = api.post("/api/sessions", &json!({ "name": "more", "command": ["sleep", "1000"] }));
        if reply.status == 201 {
            api.remove("more");
            return None;
        }
        Some(reply.error(503, "TASKS_EXHAUSTED"))
    });
    let details = error["details"].as_str().expect("words");
    assert!(details.contains(" of 40 processes and threads exist"), "{details}");
    assert!(api.get("/ready").json_of(503)["reason"].as_str().is_some_and(|why| why.contains(" of 40 processes")));
    let state = api.get("/api/resources").json_of(200);
    assert_eq!((&state["pidsMax"], &state["isAcceptingNewSessions"]), (&json!(40), &json!(false)));
    api.remove(&crowd);
    api.create(&sleeper());
}

#[test]
fn with_hardly_a_descriptor_left_no_session_is_taken() {
    // Connections have a limit of their own; sessions that are there count, too.
    let args = ["--max-sessions", "100"];
    let quarterdeck = Quarterdeck::launch(&Setup { args: &args, before: "ulimit -n 120", ..Setup::default() });
    let api = quarterdeck.api();
    let mut ids = Vec::new();
    let error = loop {
        let reply = api.post("/api/sessions", &sleeper());
        if reply.status != 201 {
            break reply.error(503, "DESCRIPTORS_EXHAUSTED");
        }
        ids.push(id_of(&reply.json_of(201)["session"]));
    };
    assert!(error["details"].as_str().is_some_and(|words| words.contains(" of 120 file descriptors")), "{error}");
    assert_eq!(api.get("/ready").status, 503);
    ids.drain(..2).for_each(|id| api.remove(&id));
    eventually("there is room again", || (api.get("/ready").status == 200).then_some(()));
    api.create(&sleeper());
}
