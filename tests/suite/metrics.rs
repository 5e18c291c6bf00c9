//! `/metrics` is read by Prometheus' own parser, agrees with the API, and
//! tells how long a key takes to come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::metrics::{Family, Scrape};
use crate::support::{Api, Form, Quarterdeck, eventually, payload};

const KEYS: usize = 40;

/// Metrics and what `/api/resources` calls them.
const RESOURCES: [(&str, &str, f64); 12] = [
    ("quarterdeck_memory_used_bytes", "memoryUsedBytes", 1.0),
    ("quarterdeck_memory_limit_bytes", "memoryLimitBytes", 1.0),
    ("quarterdeck_memory_working_set_bytes", "memoryWorkingSetBytes", 1.0),
    ("quarterdeck_memory_cache_bytes", "memoryCacheBytes", 1.0),
    ("quarterdeck_memory_current_bytes", "memoryCurrentBytes", 1.0),
    ("quarterdeck_memory_swap_bytes", "memorySwapBytes", 1.0),
    ("quarterdeck_memory_pressure_ratio", "memoryPressureSome10", 100.0),
    ("quarterdeck_cpu_usage_ratio", "cpuPercent", 100.0),
    ("quarterdeck_pids", "pidsCurrent", 1.0),
    ("quarterdeck_oom_kills_total", "oomKills", 1.0),
    ("quarterdeck_zombie_processes", "zombieProcessCount", 1.0),
    ("quarterdeck_sessions_limit", "maxSessions", 1.0),
];

/// A session that gives back every byte as it is.
fn mirror(api: &Api) -> String {
    api.shell("stty raw -echo; printf ready; exec cat")
}

fn echoes(scrape: &Scrape) -> f64 {
    scrape.value("quarterdeck_echo_seconds_count", &[])
}

#[test]
fn resources_are_those_of_the_api() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let mut open: BTreeSet<_> = RESOURCES.map(|(name, ..)| name).into();
    // Most of them move all the time, so each must be seen once between two
    // readings of the API.
    eventually("every figure was seen to agree", || {
        let before = api.get("/api/resources").json_of(200);
        let scrape = Scrape::of(&api);
        let after = api.get("/api/resources").json_of(200);
        for (name, field, unit) in RESOURCES {
            let (Some(one), Some(other)) = (before[field].as_f64(), after[field].as_f64()) else {
                assert!(before[field].is_null() && scrape.get(name, &[]).is_none(), "{name} is made up");
                open.remove(name);
                continue;
            };
            // The API rounds to a tenth, and tells what is not known as 0.
            let told = (scrape.get(name, &[]).unwrap_or(0.0) * unit * 10.0).round() / 10.0;
            if (one.min(other)..=one.max(other)).contains(&told) {
                open.remove(name);
            }
        }
        open.is_empty().then_some(())
    });
    let uptime = || api.get("/api/health").json_of(200)["uptimeSeconds"].as_f64().expect("seconds");
    let (before, scrape, after) = (uptime(), Scrape::of(&api), uptime());
    assert!((before..after + 1.0).contains(&scrape.value("quarterdeck_uptime_seconds", &[])), "{before} to {after}");
    assert_eq!(scrape.value("quarterdeck_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
}

#[test]
fn levels_follow_the_thresholds_and_refusals_are_counted() {
    // Less than the server alone needs.
    let args = ["--memory-limit", "1MiB", "--warn-percent", "50", "--critical-percent", "80"];
    let quarterdeck = Quarterdeck::with(&args);
    let api = quarterdeck.api();
    let scrape = eventually("memory is critical", || {
        let scrape = Scrape::of(&api);
        (scrape.value("quarterdeck_memory_level", &[("level", "critical")]) == 1.0).then_some(scrape)
    });
    let by_level = |name, level| scrape.get(name, &[("level", level)]);
    assert_eq!(["normal", "warning"].map(|level| by_level("quarterdeck_memory_level", level)), [Some(0.0); 2]);
    let thresholds =
        ["normal", "warning", "critical"].map(|level| by_level("quarterdeck_memory_threshold_ratio", level));
    assert_eq!(thresholds, [None, Some(0.5), Some(0.8)]);
    assert_eq!(scrape.value("quarterdeck_accepting_new_sessions", &[]), 0.0);
    assert_eq!(scrape.value("quarterdeck_memory_limit_bytes", &[]), f64::from(1 << 20));

    let refused = |code| Scrape::of(&api).value("quarterdeck_refused_requests_total", &[("code", code)]);
    assert_eq!(refused("RESOURCE_EXHAUSTED"), 0.0, "there before it is needed");
    let _ = api.post("/api/sessions", &json!({})).error(503, "RESOURCE_EXHAUSTED");
    assert_eq!(refused("RESOURCE_EXHAUSTED"), 1.0);
    let _ = api.get("/api/sessions/nobody").error(404, "NOT_FOUND");
    assert_eq!(refused("NOT_FOUND"), 1.0);
    quarterdeck.connect(Form::Json).attach_fails("nobody", "NOT_FOUND");
    assert_eq!(refused("NOT_FOUND"), 2.0, "over the WebSocket as well");
}

#[test]
fn sessions_are_those_of_the_api() {
    let quarterdeck = Quarterdeck::with(&["--max-sessions", "3", "--scrollback", "128KiB"]);
    let api = quarterdeck.api();
    assert_eq!(Scrape::of(&api).family("quarterdeck_session_clients").samples.len(), 0);
    let ended = ["seq 40000; exit 0", "exit 3"].map(|script| api.shell(script));
    for id in &ended {
        api.wait_for(id, "complete", |session| session["outputComplete"] == json!(true));
    }
    let id =
        id_of(&api.create(&json!({ "name": "Odd-1-", "command": payload::shell("stty -echo; printf ready; cat") })));
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the program is ready", |view| view.text(&id) == "ready");
    client.attach_with(&ended[0], json!({ "offset": 0 }));
    client.wait_for_exit(&ended[0]);
    api.input(&id, b"12345").json_of(200);

    let scrape = Scrape::of(&api);
    for session in api.get("/api/sessions").json_of(200)["sessions"].as_array().expect("sessions") {
        let told = |name| scrape.get(name, &[("id", &id_of(session)), ("name", session["name"].as_str()?)]);
        let number = |field: &str| session[field].as_f64().expect("a number");
        assert_eq!(told("quarterdeck_session_output_bytes_total"), Some(number("outputOffset")));
        let retained = number("outputOffset") - number("oldestOffset");
        assert_eq!(told("quarterdeck_session_retained_bytes"), Some(retained));
        assert_eq!(told("quarterdeck_session_clients"), Some(number("clients")));
    }
    eventually("the processes are counted as the API counts them", || {
        let (session, scrape) = (api.session(&id), Scrape::of(&api));
        let told = |name| scrape.get(name, &[("id", &id)]);
        let fields = ["memoryBytes", "processCount"].map(|field| session[field].as_f64());
        let same = fields == ["quarterdeck_session_memory_bytes", "quarterdeck_session_processes"].map(told);
        let cpu = told("quarterdeck_session_cpu_usage_ratio").map(|ratio| (ratio * 1000.0).round() / 10.0);
        (same && fields.iter().all(Option::is_some) && cpu.is_some() && cpu == session["cpuPercent"].as_f64())
            .then_some(())
    });
    assert_eq!(scrape.value("quarterdeck_session_oom_kills_total", &[("id", &id)]), 0.0);
    let with_status = |status| scrape.value("quarterdeck_sessions", &[("status", status)]);
    assert_eq!(["active", "stopped", "error"].map(with_status), [1.0; 3]);
    assert_eq!(scrape.value("quarterdeck_sessions_limit", &[]), 3.0);
    assert_eq!(scrape.value("quarterdeck_accepting_new_sessions", &[]), 0.0, "there are as many as may be");
    assert_eq!(scrape.value("quarterdeck_websocket_connections", &[]), 1.0);
    assert_eq!(scrape.value("quarterdeck_input_bytes_total", &[]), 5.0);
    assert_eq!(scrape.value("quarterdeck_gaps_total", &[]), 1.0);
    assert_eq!(client.view.terminal(&ended[0]).gaps.len(), 1);
    let printed = client.view.bytes(&ended[0]).len();
    assert!(scrape.value("quarterdeck_websocket_sent_bytes_total", &[]) > printed as f64, "{printed} bytes printed");
}

#[test]
fn each_key_typed_alone_is_one_echo() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let (mut total, mut typing) = (0.0, Duration::ZERO);
    for form in [Form::Json, Form::Binary] {
        let id = mirror(&api);
        let mut client = quarterdeck.connect(form);
        client.attach(&id);
        client.wait_until("the program is ready", |view| view.text(&id) == "ready");
        let mut onlooker = quarterdeck.connect(form);
        onlooker.attach(&id);
        assert_eq!(echoes(&Scrape::of(&api)), total, "output that nobody asked for is no echo");
        let start = Instant::now();
        for n in 1..=KEYS {
            client.input(&id, "x");
            client.wait_until("the key came back", |view| view.bytes(&id).len() == "ready".len() + n);
        }
        // Behind the last byte comes the count, and then the answer to this.
        client.round_trip();
        typing += start.elapsed();
        total += KEYS as f64;
        let scrape = Scrape::of(&api);
        assert_eq!(echoes(&scrape), total, "who only looks on has no echo");
        let sum = scrape.value("quarterdeck_echo_seconds_sum", &[]);
        assert!(sum > 0.0 && sum < typing.as_secs_f64(), "{sum} s of {typing:?} that the client saw");
    }
}

#[test]
fn an_echo_takes_as_long_as_the_program_does() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("stty -echo; printf ready; while read -r line; do sleep 0.3; echo done; done");
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    client.wait_until("the program is ready", |view| view.text(&id) == "ready");
    client.input(&id, "silent");
    client.input(&id, "\n");
    client.wait_until("the answer came", |view| view.text(&id).contains("done"));
    api.input(&id, b"typed elsewhere\n").json_of(200);
    client.wait_until("the answer to another came", |view| view.text(&id).matches("done").count() == 2);
    client.round_trip();
    let scrape = Scrape::of(&api);
    assert_eq!(echoes(&scrape), 1.0, "both pieces wait for one answer; what others type is theirs");
    assert_eq!(scrape.value("quarterdeck_echo_seconds_bucket", &[("le", "0.25")]), 0.0);
    assert!(scrape.value("quarterdeck_echo_seconds_sum", &[]) >= 0.3);
}

#[test]
fn what_was_printed_before_a_key_is_no_echo() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("stty -echo; printf %8000s end; exec cat");
    api.wait_for(&id, "silent", |session| session["outputOffset"] == json!(8000));
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach_with(&id, json!({ "window": 1024 }));
    client.input(&id, "x");
    client.round_trip();
    while client.view.bytes(&id).len() < 8000 {
        let seen = client.view.bytes(&id).len();
        client.send(&json!({ "type": "terminal.ack", "sessionId": id, "offset": seen }));
        client.wait_until("more came", |view| view.bytes(&id).len() > seen);
    }
    client.round_trip();
    assert_eq!(echoes(&Scrape::of(&api)), 0.0);
}

/// The rows of the table in the documentation: type, labels, and who counts.
fn documented() -> BTreeMap<String, [String; 3]> {
    let document = include_str!("../../docs/metrics.md");
    let rows = document.lines().filter(|line| line.starts_with("| `quarterdeck_"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.replace('`', "").trim().to_owned()).collect::<Vec<_>>());
    cells
        .map(|row| match &row[..] {
            [_, name, kind, labels, counts, _, _] => (name.clone(), [kind.clone(), labels.clone(), counts.clone()]),
            _ => panic!("not a row of five columns: {row:?}"),
        })
        .collect()
}

#[test]
fn the_documentation_names_what_there_is() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    mirror(&api);
    let documented = documented();
    let scrape = Scrape::of(&api);
    let names: BTreeSet<_> = scrape.0.iter().map(|family| &family.name).collect();
    assert_eq!(names, documented.keys().collect());
    for Family { name, kind, samples, .. } in &scrape.0 {
        let [documented_kind, labels, counts] = &documented[name];
        assert_eq!(kind, documented_kind, "{name}");
        assert_eq!(kind == "gauge", counts.is_empty(), "{name}");
        let labels: BTreeSet<_> = labels.split(", ").filter(|label| !label.is_empty()).collect();
        for sample in samples {
            let told: BTreeSet<_> = sample.labels.keys().map(String::as_str).filter(|label| *label != "le").collect();
            assert_eq!(told, labels, "{name}");
        }
    }
    let document = include_str!("../../docs/metrics.md");
    for word in document.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let known = documented.keys().any(|name| [name.as_str(), &format!("{name}_bucket")].contains(&word));
        assert!(known || !word.starts_with("quarterdeck_"), "{word} is no metric");
    }
}

#[test]
fn only_the_servers_own_counters_begin_again_with_a_new_server() {
    let quarterdeck = Quarterdeck::with(&["--max-sessions", "1"]);
    let api = quarterdeck.api();
    let id = mirror(&api);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("the program is ready", |view| view.text(&id) == "ready");
    client.input(&id, "x");
    client.wait_until("the key came back", |view| view.text(&id) == "readyx");
    client.round_trip();
    let _ = api.post("/api/sessions", &json!({})).error(409, "MAX_SESSIONS");
    let swept: Value = api.post("/api/sweep", &json!({})).json_of(200);
    assert!(swept["examined"].as_u64() > Some(0), "{swept}");

    let before = eventually("the sweep is counted", || {
        Some(Scrape::of(&api)).filter(|scrape| scrape.value("quarterdeck_sweeps_total", &[]) > 0.0)
    });
    client.cut();
    quarterdeck.kill_server();
    let after = Scrape::of(&api);
    assert_eq!(after.value("quarterdeck_server_restarts_total", &[]), 1.0);
    for (name, [kind, _, counts]) in documented() {
        for sample in before.family(&name).samples.iter().filter(|_| kind == "counter") {
            let labels: Vec<_> = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let now = after.value(&name, &labels);
            if counts == "server" {
                assert_eq!(now, 0.0, "{sample:?}");
            } else {
                assert!(now >= sample.value, "{sample:?} went back to {now}");
            }
        }
    }
    let moved = |name| before.value(name, &[]) > 0.0;
    assert!(moved("quarterdeck_input_bytes_total") && moved("quarterdeck_websocket_sent_bytes_total"));
    assert_eq!(before.value("quarterdeck_refused_requests_total", &[("code", "MAX_SESSIONS")]), 1.0);
    assert_eq!([echoes(&before), echoes(&after)], [1.0, 0.0]);
    assert_eq!(after.value("quarterdeck_session_output_bytes_total", &[("id", &id)]), 6.0);
}
