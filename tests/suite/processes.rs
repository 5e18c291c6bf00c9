//! Who runs in a session: `GET /api/sessions/{id}/processes`.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::scene::mark;
use crate::support::{Api, Quarterdeck, Scene, eventually, payload, process};

fn list(api: &Api, id: &str) -> Value {
    api.get(&format!("/api/sessions/{id}/processes")).json_of(200)
}

/// Asks until the list has so many, among them these command lines, asleep:
/// between fork and exec a process has its parent's, and then it runs a moment.
#[track_caller]
fn list_of(api: &Api, id: &str, count: u64, commands: &[&str]) -> Vec<Value> {
    let answer = eventually(&format!("{count} processes are told of, with {commands:?}"), || {
        let answer = list(api, id);
        let has = |command: &&str| {
            list_in(&answer).iter().any(|process| process["command"] == **command && process["state"] == "sleeping")
        };
        (answer["count"] == json!(count) && commands.iter().all(has)).then_some(answer)
    });
    assert_eq!(answer["truncated"], json!(false));
    list_in(&answer).to_vec()
}

fn list_in(answer: &Value) -> &[Value] {
    answer["processes"].as_array().expect("a list")
}

/// The one with this command line.
#[track_caller]
fn named<'a>(processes: &'a [Value], command: &str) -> &'a Value {
    let is_it = |process: &&Value| process["command"] == command;
    processes.iter().find(is_it).unwrap_or_else(|| panic!("no {command} in {processes:?}"))
}

#[test]
fn the_tree_has_everybody_of_the_session_behind_their_parents() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let scene = Scene::around(&quarterdeck);
    let api = &scene.api;
    let marks = [mark(), mark(), mark()];
    let [orphan, child, grandchild] = [&marks[0], &marks[1], &marks[2]];
    let sleeps = marks.each_ref().map(|mark| format!("sleep {mark}"));
    // The orphan has neither parent nor terminal nor environment.
    let script = format!(
        "(env -i /usr/bin/setsid sleep {orphan} &)\n sleep {child} & bash -c 'sleep {grandchild}; true' 'x\u{1b}[2J\u{202e}'; true"
    );
    let id = api.shell(&script);
    let processes = list_of(api, &id, 5, &sleeps.each_ref().map(String::as_str));
    let pids: Vec<i64> = processes.iter().filter_map(|process| process["pid"].as_i64()).collect();
    let leader = &processes[0];
    assert_eq!((leader["pid"].as_i64(), &leader["parentPid"]), (api.session(&id)["ptyPid"].as_i64(), &json!(1)));
    for (at, process) in processes.iter().enumerate() {
        let parent = process["parentPid"].as_i64().expect("a number");
        assert!(parent == 1 || pids[..at].contains(&parent), "{process} stands before its parent");
        assert!(process["memoryBytes"].as_u64().is_some_and(|bytes| bytes > 0), "{process}");
    }
    let inner = named(&processes, &sleeps[2]);
    assert_eq!((&inner["state"], &inner["isForeground"]), (&json!("sleeping"), &json!(true)));
    let middle = processes.iter().find(|process| process["pid"] == inner["parentPid"]).expect("its parent");
    assert_eq!(middle["parentPid"], leader["pid"]);
    let words = middle["command"].as_str().expect("a text");
    assert!(words.ends_with("x\u{fffd}[2J\u{fffd}"), "control characters are no text: {words:?}");
    let lost = named(&processes, &sleeps[0]);
    assert_eq!((&lost["parentPid"], &lost["isForeground"]), (&json!(1), &json!(false)));
    let real = process::with_argument(child).into_iter().find_map(process::inner_pid);
    assert_eq!(named(&processes, &sleeps[1])["pid"], json!(real));
    api.remove(&id);
    scene.check();
}

#[test]
fn times_states_and_cpu_are_those_of_the_processes() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let before = SystemTime::now() - Duration::from_secs(1);
    let id =
        api.shell("sleep 1000 & until grep -q sleep /proc/$!/comm; do :; done; kill -STOP $!; while :; do :; done");
    assert_eq!(list(&api, &id)["processes"][0]["cpuPercent"], Value::Null, "nobody has looked before");
    let of = |processes: Vec<Value>, wanted: &dyn Fn(&Value) -> bool| processes.into_iter().find(wanted);
    eventually("the child is stopped", || {
        let processes = list_of(&api, &id, 2, &[]);
        of(processes, &|process| process["command"] == "sleep 1000" && process["state"] == "stopped")
    });
    let busy = eventually("the loop's share is told", || {
        let processes = list_of(&api, &id, 2, &[]);
        of(processes, &|process| process["state"] == "running" && process["cpuPercent"].as_f64() > Some(1.0))
    });
    assert!(busy["cpuPercent"].as_f64().is_some_and(|cpu| cpu < 150.0), "{busy}");
    let started = humantime::parse_rfc3339(busy["startedAt"].as_str().expect("a time")).expect("a time");
    assert!(before < started && started < SystemTime::now() + Duration::from_secs(1), "{busy}");
}

#[test]
fn of_very_many_the_nearest_are_told_and_all_are_counted() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("for i in $(seq 520); do sleep 1000 & done; echo started; read line");
    let answer = eventually("521 processes are counted", || {
        Some(list(&api, &id)).filter(|answer| answer["count"] == json!(521))
    });
    assert_eq!(answer["truncated"], json!(true));
    let processes = list_in(&answer);
    assert_eq!(processes.len(), 500);
    let leader = &processes[0]["pid"];
    assert!(processes[1..].iter().all(|process| process["parentPid"] == *leader));
}

#[test]
fn an_ended_session_has_none_and_an_unknown_one_is_not_found() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.run(&payload::shell("exit 0"));
    api.wait_for_exit(&id);
    assert!(list_of(&api, &id, 0, &[]).is_empty());
    api.get("/api/sessions/nobody/processes").error(404, "NOT_FOUND");
}
