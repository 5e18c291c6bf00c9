//! The API server is killed; the sessions do not even notice.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::support::payload::{self, READY, assert_same};
use crate::support::process::stat;
use crate::support::trace::Trace;
use crate::support::{Client, Form, Quarterdeck, eventually, heavy, patience};

const KILLS: usize = 25;
const SESSIONS: usize = 4;
const EACH: usize = 6 << 20;

/// Reads to the end through however many connections it takes, counting bytes.
fn follow(client: &mut Client, form: Form, id: &str, progress: &AtomicUsize) {
    let start = Instant::now();
    while !client.view.exited(id) {
        assert!(start.elapsed() < patience() * 2, "{id} stands still at {}", client.view.bytes(id).len());
        let before = client.view.bytes(id).len();
        if client.pump().is_err() {
            client.reconnect(form);
        }
        assert!(client.view.faults.is_empty(), "{:?}", client.view.faults);
        progress.fetch_add(client.view.bytes(id).len() - before, Ordering::Relaxed);
    }
}

/// Connects again and again while servers come and go: the socket that
/// listens is always there.
fn knock(address: &str, is_over: &AtomicBool) {
    let mut knocks = 0;
    while !is_over.load(Ordering::Relaxed) {
        TcpStream::connect(address).unwrap_or_else(|e| panic!("connection {knocks} was refused: {e}"));
        knocks += 1;
        thread::park_timeout(Duration::from_millis(2));
    }
    assert!(knocks > KILLS, "only {knocks} connections were tried");
}

#[test]
fn kills_of_the_server_at_random_moments_under_load_lose_nothing() {
    let _alone = heavy();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let quarterdeck = Quarterdeck::start();
    let forms = [Form::Json, Form::Binary, Form::Acked, Form::Json];
    let (progress, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let sessions: Vec<_> = (0..SESSIONS)
        .map(|n| {
            let written = payload::text(n as u64, EACH);
            let path = payload::file(quarterdeck.dir(), &format!("payload-{n}"), &written);
            (quarterdeck.api().run(&payload::stream(&path)), written)
        })
        .collect();
    let mut clients: Vec<_> = forms.iter().map(|form| quarterdeck.connect(*form)).collect();
    for (client, (id, _)) in clients.iter_mut().zip(&sessions) {
        client.attach(id);
        client.begin(id);
    }
    thread::scope(|scope| {
        for ((client, (id, written)), form) in clients.iter_mut().zip(&sessions).zip(forms) {
            let progress = &progress;
            scope.spawn(move || {
                follow(client, form, id, progress);
                let terminal = client.view.terminal(id);
                assert_eq!(terminal.exits.last().map(|exit| exit["exitCode"].clone()), Some(json!(7)));
                assert_eq!(terminal.gaps, []);
                assert_same(&terminal.bytes[READY.len()..], written);
            });
        }
        scope.spawn(|| knock(quarterdeck.address(), &is_over));
        // By progress and not by time, so that every kill hits the load.
        let mut moments: Vec<_> = (0..KILLS).map(|_| random.usize(..SESSIONS * EACH * 9 / 10)).collect();
        moments.sort_unstable();
        for due in moments {
            eventually("the clients got further", || (progress.load(Ordering::Relaxed) >= due).then_some(()));
            quarterdeck.kill_server();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let health = quarterdeck.api().get("/api/health").json_of(200);
    assert_eq!(health["serverRestarts"], json!(KILLS));
    assert_eq!(health["sessionCount"], json!(SESSIONS));
}

#[test]
fn sessions_keep_everything_when_the_server_is_killed() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let ended = api.shell("printf done; exit 3");
    api.wait_for(&ended, "drained", |session| session["outputComplete"] == json!(true));
    let living = api.create(&json!({
        "name": "living", "command": payload::shell("stty raw -echo; printf here; exec cat"), "cols": 101, "rows": 33,
    }));
    let id = crate::support::http::id_of(&living);
    api.wait_for(&id, "running", |session| session["outputOffset"] == json!(4));
    let lasting = |id: &str| {
        let mut session = api.session(id);
        // Measured anew by each server.
        let fields = session.as_object_mut().expect("an object");
        fields.retain(|name, _| !["memoryBytes", "cpuPercent", "processCount"].contains(&name.as_str()));
        session
    };
    let before = [lasting(&ended), lasting(&id)];

    quarterdeck.kill_server();
    assert_eq!([lasting(&ended), lasting(&id)], before);
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&ended);
    client.attach(&id);
    client.wait_for_exit(&ended);
    assert_eq!(client.view.text(&ended), "done");
    client.input(&id, " and there");
    client.wait_until("the old session answers", |view| view.text(&id) == "here and there");
}

#[test]
fn requests_made_while_no_server_runs_wait_and_succeed() {
    let quarterdeck = Quarterdeck::start();
    for round in 1..=3 {
        quarterdeck.kill_server();
        let id = quarterdeck.api().shell("exit 0");
        quarterdeck.api().wait_for_exit(&id);
        quarterdeck.api().remove(&id);
        let health = quarterdeck.api().get("/api/health").json_of(200);
        assert_eq!(health["serverRestarts"], json!(round));
    }
}

#[test]
fn what_init_counted_a_new_server_tells_at_once() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id = api.shell("exit 0");
    api.wait_for_exit(&id);
    api.post("/api/sweep", &json!({})).json_of(200);
    let counters = || {
        let health = api.get("/api/health").json_of(200);
        ["sweepCount", "reapedProcessCount", "sweptProcessCount"].map(|name| health[name].as_u64())
    };
    let before = counters();
    assert!(before[0] >= Some(1) && before[1] >= Some(1), "{before:?}");
    quarterdeck.kill_server();
    let after = counters();
    // The killed server is counted too.
    assert!(after[0] == before[0] && after[1] > before[1] && after[2] == before[2], "{before:?}, then {after:?}");
}

#[test]
fn an_exit_while_no_server_runs_is_told_by_the_next_one() {
    let quarterdeck = Quarterdeck::start();
    let api = quarterdeck.api();
    let id =
        api.shell("stty raw -echo; printf R; head -c 1 >/dev/null; until [ -e dead ]; do :; done; printf last; exit 9");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.begin(&id);
    quarterdeck.kill_server();
    std::fs::write(quarterdeck.dir().join("dead"), "").expect("a file");
    client.reconnect(Form::Json);
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(9));
    assert_eq!(client.view.text(&id), "Rlast");
}

#[test]
fn a_server_that_hangs_is_replaced() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let api = quarterdeck.api();
    let id = api.shell("stty raw -echo; printf R; exec cat");
    api.wait_for(&id, "ready", |session| session["outputOffset"] == json!(1));
    let stopped = quarterdeck.server();
    kill(Pid::from_raw(stopped), Signal::SIGSTOP).expect("the server");
    // This waits in the backlog until somebody takes it.
    assert_eq!(api.get("/api/health").json_of(200)["serverRestarts"], json!(1));
    assert_ne!(quarterdeck.server(), stopped);
    let replaced = quarterdeck.log().wait_for_message("Replacing the API server");
    assert_eq!(replaced["level"], json!("error"), "{replaced}");
    let mut client = quarterdeck.connect(Form::Json);
    client.attach(&id);
    client.input(&id, "alive");
    client.wait_until("the session answers", |view| view.text(&id) == "Ralive");
}

#[test]
fn a_server_that_was_stopped_for_a_moment_goes_on() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let server = Pid::from_raw(quarterdeck.server());
    kill(server, Signal::SIGSTOP).expect("the server");
    let answer = thread::scope(|scope| {
        let asking = scope.spawn(|| quarterdeck.api().get("/api/health").json_of(200));
        eventually("it has stopped", || stat(server.as_raw()).filter(|stat| stat.state == 'T'));
        kill(server, Signal::SIGCONT).expect("the server");
        asking.join().expect("an answer")
    });
    assert_eq!(answer["serverRestarts"], json!(0));
}

/// Its end is told as what it was, and not as a fault that was found.
#[test]
fn a_kill_is_no_error_of_ours() {
    let quarterdeck = Quarterdeck::start();
    let restarts = || {
        let health = quarterdeck.api().try_call("GET", "/api/health", None, &[]).ok();
        health.map(|health| health.json_of(200)["serverRestarts"].clone())
    };
    for round in 1..=10 {
        quarterdeck.kill_server();
        eventually("the next server answers", || (restarts() == Some(json!(round))).then_some(()));
    }
    let errors: Vec<_> =
        quarterdeck.log().entries().into_iter().filter(|entry| entry["level"] == json!("error")).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// That there was no room for a process is no server's fault, and is over with
/// the first that could be made: a later one that hangs is replaced at once.
#[test]
fn a_time_without_room_for_processes_delays_no_later_start() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let failing = without_forks(&quarterdeck);
    quarterdeck.kill_server();
    // As many as a wait that doubled each time would have made a long one.
    eventually("starts have failed", || (failed_starts(&quarterdeck) > 8).then_some(()));
    drop(failing);
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["serverRestarts"], json!(1));
    kill(Pid::from_raw(quarterdeck.server()), Signal::SIGSTOP).expect("the server");
    assert_eq!(quarterdeck.api().get("/api/health").json_of(200)["serverRestarts"], json!(2));
    let entries = quarterdeck.log().entries();
    let waits: Vec<_> = entries.iter().filter(|entry| entry["recentEnds"].is_number()).collect();
    assert!(waits.is_empty(), "it waited before a start: {waits:#?}");
}

fn failed_starts(quarterdeck: &Quarterdeck) -> usize {
    let entries = quarterdeck.log().entries();
    entries.iter().filter(|entry| entry["message"] == json!("Starting the API server failed")).count()
}

/// Every fork of init fails until this is dropped.
fn without_forks(quarterdeck: &Quarterdeck) -> Trace {
    let how = ["--trace=clone,clone3,fork,vfork", "--inject=clone,clone3,fork,vfork:error=EAGAIN"];
    Trace::attach(quarterdeck.init, quarterdeck.dir(), &how)
}
