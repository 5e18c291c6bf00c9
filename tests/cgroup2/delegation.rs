//! Init makes its container's group one that can be divided, or leaves it.

use std::fs;
use std::process::{Child, Command};

use serde_json::json;

use crate::container::{LIMIT, file, group, launch, members, of_session, start, start_after};
use crate::support::group::Group;
use crate::support::process::status;
use crate::support::{Quarterdeck, eventually};

const LEAF: &str = "quarterdeck-init";

fn controllers(group: &Group, file_name: &str) -> Vec<String> {
    let mut names: Vec<_> = file(group.dir(), file_name).split_whitespace().map(str::to_owned).collect();
    names.retain(|name| ["memory", "pids", "cpu"].contains(&name.as_str()));
    names.sort();
    names
}

/// Init and server are in the leaf, a session is in a group of its own, and
/// nobody is in the container's.
#[track_caller]
fn is_divided(group: &Group, quarterdeck: &Quarterdeck) {
    assert_eq!(controllers(group, "cgroup.subtree_control"), ["cpu", "memory", "pids"]);
    assert_eq!(members(group.dir()), [0; 0]);
    let leaf = members(&group.dir().join(LEAF));
    assert!(leaf.contains(&quarterdeck.init) && leaf.contains(&quarterdeck.server()), "{leaf:?}");
    let id = quarterdeck.api().shell("read line");
    assert_eq!(members(&of_session(group, &id)), [quarterdeck.leader(&id)]);
    quarterdeck.api().remove(&id);
}

fn warnings(quarterdeck: &Quarterdeck) -> Vec<serde_json::Value> {
    let is_about_tokens =
        |entry: &serde_json::Value| entry["message"].as_str().is_some_and(|m| m.contains("--no-auth"));
    let entries = quarterdeck.log().entries().into_iter();
    entries.filter(|entry| entry["level"] != "info" && !is_about_tokens(entry)).collect()
}

#[test]
fn init_moves_into_a_leaf_and_the_figures_stay_the_container_s() {
    let group = group();
    let quarterdeck = start(&group, &["--session-memory-max", "64MiB", "--session-pids-max", "20"]);
    is_divided(&group, &quarterdeck);
    let id = quarterdeck.api().shell("read line");
    // A thread counts as well, and the server has some for the disk.
    let all = || 2 + status(quarterdeck.server(), "Threads").parse::<u32>().expect("a number");
    let state = eventually("the session is counted", || {
        let state = quarterdeck.api().get("/api/resources").json_of(200);
        (state["pidsCurrent"] == json!(all())).then_some(state)
    });
    assert_eq!(file(group.dir(), "pids.current"), all().to_string(), "init, server and the leader of {id}");
    assert_eq!((&state["source"], &state["memoryLimitBytes"]), (&json!("cgroup2"), &json!(LIMIT)), "{state}");
    assert_eq!(warnings(&quarterdeck), [json!(null); 0]);
}

#[test]
fn whoever_is_there_before_is_moved_too_into_a_leaf_that_an_earlier_init_left() {
    let group = group();
    fs::create_dir(group.dir().join(LEAF)).expect("a group");
    let quarterdeck = start_after("sleep 1000 & sleep 1001 &", &group, &[]);
    is_divided(&group, &quarterdeck);
    assert!(members(&group.dir().join(LEAF)).len() >= 4);
}

#[test]
fn an_init_that_starts_in_the_leaf_of_the_one_before_divides_the_same_group() {
    let group = group();
    drop(start(&group, &[]));
    let leaf = group.dir().join(LEAF);
    let before = format!("echo $$ > {}/cgroup.procs", leaf.display());
    let args = ["--session-pids-max", "20"];
    let quarterdeck = launch(&before, &args);
    is_divided(&group, &quarterdeck);
    assert_eq!(quarterdeck.api().get("/api/resources").json_of(200)["memoryLimitBytes"], json!(LIMIT));
    assert_eq!(warnings(&quarterdeck), [json!(null); 0]);
}

/// A process outside of the container, ended when dropped.
struct Outsider(Child);

impl Outsider {
    fn in_group(group: &Group) -> Self {
        let child = Command::new("sleep").arg("1000").spawn().expect("sleep");
        fs::write(group.dir().join("cgroup.procs"), child.id().to_string()).expect("a member");
        Self(child)
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_group_shared_with_others_is_left_as_it_is_and_that_is_told() {
    let group = group();
    let outsider = Outsider::in_group(&group);
    let quarterdeck = start(&group, &["--session-memory-max", "64MiB"]);
    let told = quarterdeck.log().wait_for_message("The container's cgroup could not be divided");
    assert!(told["reason"].as_str().unwrap_or_default().contains("outside of this container"), "{told}");
    let warned = warnings(&quarterdeck);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0]["message"].as_str().unwrap_or_default().contains("--session-memory-max"), "{warned:?}");
    assert_eq!(controllers(&group, "cgroup.subtree_control"), [""; 0]);
    assert!(!group.dir().join(LEAF).exists());
    assert!(members(group.dir()).contains(&quarterdeck.init));
    // Its sessions have groups all the same, to be ended by.
    let id = quarterdeck.api().shell("read line");
    assert_eq!(members(&of_session(&group, &id)), [quarterdeck.leader(&id)]);
    drop(quarterdeck);
    drop(outsider);
}
