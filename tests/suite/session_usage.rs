//! What each session uses, and whom the kernel killed.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::group::Group;
use crate::support::scene::{Guest, mark};
use crate::support::{Api, Form, Quarterdeck, Setup, process};

const MIB: f64 = 1_048_576.0;

/// A perl program that touches so many MiB and waits.
fn holder(mib: u32) -> String {
    format!("vec($x, {mib} << 20, 8) = 1; sleep 1000")
}

/// One that takes memory until it is killed.
const HOG: &str = "while (1) { vec($x, $n += 1 << 20, 8) = 1 }";

/// As PID 1 with 96 MiB of memory. Under version 2 each session has a group in
/// this one, and its figures are the group's. The group comes first: it is
/// empty only after the program has ended.
fn limited() -> (Group, Quarterdeck) {
    let group = Group::with_memory(96 << 20);
    let quarterdeck = Quarterdeck::launch(&Setup { pid1: true, before: &group.join(), ..Setup::default() });
    (group, quarterdeck)
}

/// Waits until one of the session's figures is as wanted.
#[track_caller]
fn wait_for(api: &Api, id: &str, field: &str, wanted: impl Fn(f64) -> bool) -> Value {
    api.wait_for(id, &format!("with {field} as wanted"), |session| session[field].as_f64().is_some_and(&wanted))
}

#[test]
fn memory_is_what_the_sessions_programs_have_touched() {
    let (_group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let quiet = api.shell("sleep 1000");
    let full = api.run(&["perl", "-e", &holder(50)].map(str::to_owned));
    let session = wait_for(&api, &full, "memoryBytes", |bytes| (47.0..55.0).contains(&(bytes / MIB)));
    assert_eq!(session["processCount"], json!(1));
    wait_for(&api, &quiet, "memoryBytes", |bytes| (0.01..5.0).contains(&(bytes / MIB)));
    api.post(&format!("/api/sessions/{full}/signal"), &json!({ "signal": "KILL" })).json_of(200);
    let ended = api.wait_for_exit(&full);
    for field in ["memoryBytes", "cpuPercent", "processCount", "oomKills"] {
        assert_eq!(ended[field], Value::Null, "{field} of a session that has ended");
    }
}

/// CPU time that a process has used, in seconds.
fn cpu_seconds(pid: i32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}

#[test]
fn cpu_is_what_the_session_gets() {
    let (_group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let idle = api.shell("sleep 1000");
    let busy = api.shell("while :; do :; done");
    let (leader, start) = (quarterdeck.leader(&busy), Instant::now());
    let before = cpu_seconds(leader);
    // A loaded machine gives less than a core, and not the same all the time.
    let share = || (cpu_seconds(leader) - before) / start.elapsed().as_secs_f64() * 100.0;
    let session = wait_for(&api, &busy, "cpuPercent", |percent| percent > 1.0 && percent > share() / 2.0);
    let told = session["cpuPercent"].as_f64().unwrap();
    assert!(told < 150.0, "one thread uses one core at most: {told}");
    assert!((told * 10.0 - (told * 10.0).round()).abs() < 1e-6, "one decimal: {told}");
    wait_for(&api, &idle, "cpuPercent", |percent| percent < 1.0);
}

#[test]
fn cpu_of_programs_that_come_and_go_counts() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let api = quarterdeck.api();
    // Each runs far shorter than the time between two looks.
    let script = "while :; do perl -e 'for (1..100000) { $x += $_ }'; done";
    let id = api.shell(script);
    wait_for(&api, &id, "cpuPercent", |percent| percent > 2.0);
}

#[test]
fn processes_are_counted_as_they_come_and_go() {
    let (_group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let id = api.shell("sleep 1000 & a=$!; sleep 1000 & b=$!; read line; kill $a $b; read line");
    wait_for(&api, &id, "processCount", |count| count == 3.0);
    api.input(&id, b"\n").json_of(200);
    wait_for(&api, &id, "processCount", |count| count == 1.0);
}

#[test]
fn who_left_the_terminal_and_the_family_still_counts() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let api = quarterdeck.api();
    let neighbour = api.shell("sleep 1000");
    // Nothing of the session is left on it but its tag.
    let daemon = format!("setsid -f env -i perl -e '{}' </dev/null >/dev/null 2>&1", holder(30));
    let id = api.shell(&format!("{daemon}; read line"));
    api.wait_for(&id, "counted with the one that left", |session| {
        session["processCount"] == json!(2) && session["memoryBytes"].as_f64().is_some_and(|bytes| bytes > 28.0 * MIB)
    });
    let neighbour = wait_for(&api, &neighbour, "memoryBytes", |bytes| bytes < 5.0 * MIB);
    assert!(neighbour["processCount"].as_u64().is_some_and(|count| count <= 2), "{neighbour}");
}

#[test]
fn figures_come_again_after_a_restart_of_the_server_and_are_no_news() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let api = quarterdeck.api();
    let id = api.shell("sleep 1000 & wait");
    wait_for(&api, &id, "cpuPercent", |percent| percent < 5.0);
    let generation = || api.get("/api/sessions").json_of(200)["generation"].as_u64().expect("a generation");
    let before = generation();
    wait_for(&api, &id, "cpuPercent", |percent| percent < 1.0);
    assert_eq!(generation(), before, "figures change all the time");
    quarterdeck.kill_server();
    let session = wait_for(&api, &id, "cpuPercent", |percent| percent < 5.0);
    assert_eq!(session["processCount"], json!(2));
}

#[test]
fn a_session_that_lost_a_process_for_want_of_memory_says_so_and_lives_on() {
    let (group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let mut clients = [quarterdeck.connect(Form::Json), quarterdeck.connect(Form::Binary)];
    let neighbour = api.run(&["perl", "-e", &holder(10)].map(str::to_owned));
    let id = api.shell(&format!("read line; perl -e '{HOG}'; echo over; read line; exit 3"));
    wait_for(&api, &neighbour, "memoryBytes", |bytes| bytes > 9.0 * MIB);
    api.input(&id, b"\n").json_of(200);
    if group.is_divisible() {
        // The kernel ends a session with a group of its own as a whole.
        assert_eq!(api.wait_for_exit(&id)["signal"], json!("SIGKILL"));
        wait_for(&api, &id, "oomKills", |kills| kills >= 2.0);
        assert_eq!(api.session(&neighbour)["oomKills"], Value::Null);
        return;
    }
    for client in &mut clients {
        let view = client.wait_until("told of the kill", |view| view.of_type("session.warning").next().is_some());
        let warnings: Vec<_> = view.of_type("session.warning").cloned().collect();
        let message = "The kernel killed a process of this session: out of memory.";
        let expected = json!({ "type": "session.warning", "sessionId": id, "message": message, "severity": "warning" });
        assert_eq!(warnings, [expected]);
    }
    let session = api.session(&id);
    assert_eq!((&session["status"], &session["oomKills"]), (&json!("active"), &json!(1)));
    assert_eq!(api.session(&neighbour)["oomKills"], Value::Null);
    let line = quarterdeck.log().wait_for_message("The kernel killed a process of a session: out of memory");
    assert_eq!((&line["sessionId"], &line["level"]), (&json!(id), &json!("warn")));
    api.input(&id, b"\n").json_of(200);
    assert_eq!(api.wait_for_exit(&id)["exitCode"], json!(3), "it went on after the kill");
}

#[test]
fn a_session_whose_program_was_killed_for_want_of_memory_counts_it() {
    let (group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let neighbour = api.run(&["perl", "-e", &holder(10)].map(str::to_owned));
    let id = api.run(&["perl", "-e", HOG].map(str::to_owned));
    assert_eq!(api.wait_for_exit(&id)["signal"], json!("SIGKILL"));
    // With a group of its own the kernel kills all in it, and counts the first victim twice.
    let most = if group.is_divisible() { 2.0 } else { 1.0 };
    wait_for(&api, &id, "oomKills", |kills| (1.0..=most).contains(&kills));
    client.round_trip();
    let told = client.wait_until("up to date", |_| true).of_type("session.warning").count();
    assert_eq!(told, 0, "its end says enough");
    assert_eq!(api.session(&neighbour)["oomKills"], Value::Null);
}

#[test]
fn nobody_is_blamed_for_a_process_of_no_session() {
    let (group, quarterdeck) = limited();
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let id = api.shell("while :; do sleep 0.01; done");
    wait_for(&api, &id, "processCount", |count| count > 0.0);
    let Some(mut hog) = Guest::command(&quarterdeck) else { return };
    // Where init has divided the group, processes may only be in its parts.
    let dir = group.dir().display();
    let join =
        format!("for dir in {dir}/quarterdeck-init {dir}; do echo $$ >$dir/cgroup.procs && break; done 2>/dev/null");
    let script = format!("{join}; exec perl -e '{HOG}' {}", mark());
    let status = hog.args(["sh", "-c", &script]).status().expect("nsenter(1)");
    assert!(!status.success(), "the hog ended well");
    let message = "The kernel killed a process because memory ran out, and no session is known to have lost one";
    let line = quarterdeck.log().wait_for_message(message);
    assert_eq!(line["kills"], json!(1));
    client.round_trip();
    assert_eq!(client.wait_until("up to date", |_| true).of_type("session.warning").count(), 0);
    assert_eq!(api.session(&id)["oomKills"], Value::Null);
    assert!(process::is_alive(quarterdeck.leader(&id)));
}
