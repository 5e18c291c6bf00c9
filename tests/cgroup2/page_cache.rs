//! Memory that holds only what is on a disk anyway is free memory.

use serde_json::json;

use crate::container::{file, start};
use crate::support::group::Group;
use crate::support::{Form, Quarterdeck};

/// Small, because the emulated disk is slow.
const LIMIT: u64 = 96 << 20;

fn number(quarterdeck: &Quarterdeck, name: &str) -> u64 {
    let state = quarterdeck.api().get("/api/resources").json_of(200);
    assert_eq!(state["memoryLevel"], json!("normal"), "{state}");
    state[name].as_u64().unwrap_or_else(|| panic!("no {name}: {state}"))
}

#[test]
fn files_that_fill_the_memory_raise_no_alarm_even_if_the_kernel_holds_them_for_active() {
    let group = Group::with_memory(LIMIT);
    let quarterdeck = start(&group, &[]);
    let hot = LIMIT * 7 / 10;
    let script = format!(
        "truncate -s {} big; cat big >/dev/null; for n in 1 2 3; do head -c {hot} big >/dev/null; done; echo read; read line",
        2 * LIMIT
    );
    let id = quarterdeck.api().shell(&script);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.wait_until("all is read", |view| view.text(&id).contains("read"));
    let current: u64 = file(group.dir(), "memory.current").parse().expect("a number");
    assert!(current > LIMIT * 87 / 100, "the raw counter saw only {current} of {LIMIT}");
    assert!(number(&quarterdeck, "memoryCurrentBytes") > LIMIT * 87 / 100);
    assert!(number(&quarterdeck, "memoryWorkingSetBytes") > LIMIT / 2, "the hot part is active");
    assert!(number(&quarterdeck, "memoryUsedBytes") < LIMIT / 2);
    assert_eq!(client.view.of_type("resource.warning").count(), 0);
    quarterdeck.api().create(&json!({ "command": ["sleep", "1000"] }));
}
