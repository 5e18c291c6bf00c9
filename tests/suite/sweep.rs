//! The sweep: it finds what no session's end has caught, and touches nobody
//! else.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::support::process::{self, inner_pid, is_alive, stat, with_argument};
use crate::support::quarterdeck::Setup;
use crate::support::scene::{Guest, mark};
use crate::support::{Api, Form, Quarterdeck, Scene, eventually};

const MARKER: &str = "QUARTERDECK_SESSION_ID";

/// A parent that never waits for its child, which has ended.
const NEGLECT: &str = "perl -e 'fork or exit; sleep' $MARK &";

#[track_caller]
fn sweep(api: &Api) -> Value {
    let swept = api.post("/api/sweep", &json!({})).json_of(200);
    for number in ["examined", "elapsedMs"] {
        assert!(swept[number].is_u64(), "{number} in {swept}");
    }
    swept
}

/// Asserts that a sweep ends nobody.
#[track_caller]
fn sweeps_nobody(api: &Api) {
    assert_eq!(sweep(api)["killed"], json!([]));
}

fn zombies_told(api: &Api) -> Value {
    api.get("/api/health").json_of(200)["zombieProcessCount"].take()
}

/// The id of a session that was there once.
fn gone(api: &Api) -> String {
    let id = api.shell("read line");
    api.remove(&id);
    id
}

/// The orphan of a process that came in from outside, below init now. None
/// where nothing can come in from outside, because init has no namespace of
/// its own: the orphans of others are not its own then.
fn orphan_from_outside(quarterdeck: &Quarterdeck, carries: Option<&str>, command: &str) -> Option<(i32, String)> {
    let mark = mark();
    let marker = carries.map(|id| format!("{MARKER}={id}"));
    let script = format!("{command} {mark} & exit");
    let mut enter = Guest::command(quarterdeck)?;
    enter.arg("env").arg("-i").arg("PATH=/usr/bin:/bin").args(marker).args(["/bin/sh", "-c", &script]);
    assert!(enter.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("nsenter(1)").success());
    // Before that it is still setsid(1), or whatever else prepares the ground.
    let is_sleep = |pid: i32| process::arguments(pid).first().is_some_and(|name| name == "sleep");
    let is_adopted = |pid: &i32| is_sleep(*pid) && stat(*pid).is_some_and(|stat| stat.parent == quarterdeck.init);
    let pid = eventually("init has adopted it, and it sleeps", || with_argument(&mark).into_iter().find(is_adopted));
    Some((pid, mark))
}

/// Makes a leftover of a session that is gone, has it swept, and checks all
/// that is told about it.
#[track_caller]
fn a_leftover_is_swept(args: &[&str], command: &str, start: impl Fn(&Quarterdeck)) {
    let quarterdeck = Quarterdeck::as_pid1(args);
    let scene = Scene::around(&quarterdeck);
    let mut clients = [Form::Json, Form::Acked].map(|form| quarterdeck.connect(form));
    let id = gone(&scene.api);
    if let Some((pid, _)) = orphan_from_outside(&quarterdeck, Some(&id), command) {
        let told = inner_pid(pid).expect("it lives");
        start(&quarterdeck);
        eventually("the leftover is gone, and reaped", || stat(pid).is_none().then_some(()));
        let log = |text: &str| quarterdeck.log().wait_for_message(text);
        let detected = log(&format!("Zombie process detected: PID {told}"));
        assert_eq!((&detected["level"], &detected["pid"]), (&json!("warn"), &json!(told)), "{detected}");
        assert_eq!(detected["sessionId"], json!(id), "{detected}");
        let cleaned = log(&format!("Zombie process cleaned: PID {told}"));
        assert_eq!((&cleaned["level"], &cleaned["pid"]), (&json!("info"), &json!(told)), "{cleaned}");
        assert!(cleaned["elapsedMs"].is_u64(), "{cleaned}");
        assert_eq!(log(&format!("Cleaned up zombie process for session {id}"))["level"], json!("warn"));
        for client in &mut clients {
            let is_it = |message: &&Value| message["pid"] == json!(told) && message["sessionId"] == json!(id);
            let view = client.wait_until("it is told", |view| view.of_type("process.cleaned").any(|m| is_it(&m)));
            assert_eq!(view.of_type("process.cleaned").count(), 1, "{:?}", view.messages);
            let message = view.of_type("process.cleaned").find(is_it).expect("the message");
            assert!(message["command"].as_str().is_some_and(|text| text.contains("sleep")), "{message}");
            assert!(message["reason"].as_str().is_some_and(|text| !text.is_empty()), "{message}");
        }
    }
    clients.iter_mut().for_each(super::support::Client::close);
    scene.check();
}

#[test]
fn a_sweep_on_request_ends_a_leftover_and_answers_what_it_did() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let scene = Scene::around(&quarterdeck);
    let id = gone(&scene.api);
    if let Some((pid, _)) = orphan_from_outside(&quarterdeck, Some(&id), "setsid sleep") {
        let told = inner_pid(pid).expect("it lives");
        let mut swept = sweep(&scene.api);
        let killed = swept["killed"].take();
        assert_eq!(killed.as_array().map(Vec::len), Some(1), "{killed}");
        assert_eq!((&killed[0]["pid"], &killed[0]["sessionId"]), (&json!(told), &json!(id)), "{killed}");
        assert!(killed[0]["command"].as_str().is_some_and(|text| text.contains("sleep")), "{killed}");
        assert!(killed[0]["reason"].as_str().is_some_and(|text| !text.is_empty()), "{killed}");
        assert!(swept["examined"].as_u64() >= Some(4), "init, server, two sessions' and the leftover: {swept}");
        eventually("the leftover is gone, and reaped", || stat(pid).is_none().then_some(()));
        sweeps_nobody(&scene.api);
    }
    scene.check();
}

#[test]
fn a_leftover_is_swept_by_itself_after_a_while() {
    a_leftover_is_swept(&["--sweep-interval", "1s"], "setsid sleep", |_| {});
}

#[test]
fn a_leftover_is_swept_when_a_signal_asks_for_it() {
    a_leftover_is_swept(&[], "setsid sleep", |quarterdeck| quarterdeck.signal(Signal::SIGUSR1));
}

#[test]
fn a_leftover_that_ignores_signals_is_swept_too() {
    let command = "trap '' HUP TERM INT; setsid sleep";
    a_leftover_is_swept(&["--stop-grace", "200ms"], command, |quarterdeck| drop(sweep(&quarterdeck.api())));
}

#[test]
fn who_came_from_outside_stays_whatever_it_carries() {
    let quarterdeck = Quarterdeck::as_pid1(&["--stop-grace", "200ms"]);
    let scene = Scene::around(&quarterdeck);
    let (living, _) = scene.start("");
    let dead = gone(&scene.api);
    // A shell, as `docker exec` starts it, with a child.
    let script = "sleep $0 & wait";
    let guests: Vec<_> = [&living, &dead]
        .into_iter()
        .map(|id| Guest::enter(&quarterdeck, &[(MARKER, id)], &["sh", "-c", script, &mark()]))
        .collect();
    let children = eventually("both have their child", || {
        let children: Vec<_> = guests.iter().flat_map(|guest| process::children(guest.pid)).collect();
        (children.len() == guests.len()).then_some(children)
    });
    let orphan = orphan_from_outside(&quarterdeck, None, "setsid sleep");
    sweeps_nobody(&scene.api);
    scene.api.remove(&living);
    sweeps_nobody(&scene.api);
    assert!(children.iter().all(|pid| is_alive(*pid)), "a child of a process from outside was ended");
    assert!(orphan.is_none_or(|(pid, _)| is_alive(pid)), "an orphan that belongs to no session was ended");
    guests.into_iter().for_each(Guest::check);
    scene.check();
}

/// Opens the terminal with the number `$n` of another instance of devpts (the
/// host's is one), and becomes sleep(1) on it.
const ELSEWHERE: &str =
    r#"unshare --mount sh -c 'mount -t devpts -o newinstance,ptmxmode=0666 devpts /mnt && exec perl -e "$0" $n "$1"'"#;
const OPEN_TERMINAL: &str = r#"use POSIX; my ($n, @masters) = shift; $^F = 1000; my $at = "";
until ($at eq $n) { open my $m, "+<", "/mnt/ptmx" or die; push @masters, $m; my $number = pack "i", 0;
  ioctl $m, 0x80045430, $number or die; $at = unpack "i", $number }
my $unlock = pack "i", 0; ioctl $masters[-1], 0x40045431, $unlock or die;
POSIX::setsid; open my $terminal, "+<", "/mnt/$n" or die; exec "sleep", @ARGV;"#;

#[test]
fn a_terminal_of_the_same_number_in_another_devpts_is_not_the_sessions() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let scene = Scene::around(&quarterdeck);
    let (id, _) = scene.start("");
    let terminal = stat(quarterdeck.leader(&id)).expect("it lives").tty;
    let command = format!("n={} {ELSEWHERE} '{OPEN_TERMINAL}'", terminal & 0xff);
    let orphan = orphan_from_outside(&quarterdeck, None, &command);
    if let Some((pid, _)) = &orphan {
        eventually("it is on its own terminal", || (stat(*pid)?.tty == terminal).then_some(()));
    }
    scene.api.remove(&id);
    assert!(orphan.as_ref().is_none_or(|(pid, _)| is_alive(*pid)), "an orphan on another terminal was ended");
    scene.check();
}

#[test]
fn what_belongs_to_a_living_session_stays_whatever_it_carries() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let scene = Scene::around(&quarterdeck);
    let dead = gone(&scene.api);
    let script = "env -i setsid sleep $MARK & setsid sleep $MARK & (sleep $MARK &)";
    let (id, mark) = scene.start(&format!("env {MARKER}={dead} setsid sleep $MARK & {script}"));
    let members = eventually("all are there", || Some(with_argument(&mark)).filter(|members| members.len() == 4));
    let orphan = orphan_from_outside(&quarterdeck, Some(&id), "setsid sleep");
    sweeps_nobody(&scene.api);
    sweeps_nobody(&scene.api);
    assert!(members.iter().all(|pid| is_alive(*pid)), "a member of a living session was ended");
    assert!(orphan.is_none_or(|(pid, _)| is_alive(pid)), "a process with the mark of a living session was ended");
    scene.api.remove(&id);
    scene.check();
}

/// Started in a session of another quarterdeck, init and the server carry the
/// marker of a session that this init does not have.
#[test]
fn inside_the_session_of_another_one_nobody_is_swept() {
    let foreign = "7d444840-9dc0-11d1-b245-5ffdce74fad2";
    let quarterdeck = Quarterdeck::launch(&Setup { env: &[(MARKER, foreign)], pid1: true, ..Setup::default() });
    let scene = Scene::around(&quarterdeck);
    sweeps_nobody(&scene.api);
    sweeps_nobody(&scene.api);
    scene.check();
}

#[test]
fn a_zombie_whose_parent_does_not_wait_is_reported_and_its_parent_stays() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let scene = Scene::around(&quarterdeck);
    assert_eq!(zombies_told(&scene.api), json!(0));
    let (id, mark) = scene.start(NEGLECT);
    let (parent, zombie) = eventually("the child has ended", || {
        let parent = with_argument(&mark).pop()?;
        let is_dead = |pid: &i32| stat(*pid).is_some_and(|stat| stat.state == 'Z');
        Some((parent, process::children(parent).into_iter().find(is_dead)?))
    });
    let told = inner_pid(zombie).expect("it is there");
    let swept = sweep(&scene.api);
    assert_eq!((&swept["killed"], swept["zombies"].as_array().map(Vec::len)), (&json!([]), Some(1)), "{swept}");
    let reported = &swept["zombies"][0];
    assert_eq!((&reported["pid"], &reported["parentPid"]), (&json!(told), &json!(inner_pid(parent))), "{swept}");
    assert_eq!((&reported["command"], &reported["sessionId"]), (&json!("perl"), &json!(id)), "{swept}");
    let entry = quarterdeck.log().wait_for_message(&format!("Zombie process detected: PID {told}"));
    assert_eq!((&entry["level"], &entry["pid"], &entry["sessionId"]), (&json!("warn"), &json!(told), &json!(id)));
    assert_eq!(zombies_told(&scene.api), json!(1));
    eventually("it has got older", || (sweep(&scene.api)["zombies"][0]["ageSeconds"].as_f64()? >= 1.0).then_some(()));
    assert!(is_alive(parent), "the parent of a zombie was ended");
    kill(Pid::from_raw(parent), Signal::SIGKILL).expect("the parent");
    eventually("the zombie is reaped", || stat(zombie).is_none().then_some(()));
    assert_eq!(sweep(&scene.api)["zombies"], json!([]));
    eventually("the count is down", || (zombies_told(&scene.api) == json!(0)).then_some(()));
    scene.api.remove(&id);
    scene.check();
}

#[test]
fn a_sweep_is_asked_for_with_post_only() {
    let quarterdeck = Quarterdeck::start();
    for method in ["GET", "PUT", "DELETE"] {
        let reply = quarterdeck.api().try_call(method, "/api/sweep", None, &[]).expect("an answer");
        assert_eq!(reply.headers.get("allow").and_then(|value| value.to_str().ok()), Some("POST"), "{reply}");
        reply.error(405, "METHOD_NOT_ALLOWED");
    }
}

#[test]
fn a_sweep_of_thousands_disturbs_nobody() {
    let _alone = super::support::heavy();
    let quarterdeck = Quarterdeck::as_pid1(&["--sweep-interval", "1s"]);
    let scene = Scene::around(&quarterdeck);
    let (id, mark) = scene.start("perl -e 'for (1 .. 2000) { fork or do { sleep; exit } } sleep' $MARK &");
    eventually("thousands are there", || (with_argument(&mark).len() == 2001).then_some(()));
    let swept = sweep(&scene.api);
    assert!(swept["examined"].as_u64() > Some(2000), "{swept}");
    assert_eq!((&swept["killed"], &swept["zombies"]), (&json!([]), &json!([])));
    assert_eq!(with_argument(&mark).len(), 2001);
    scene.api.remove(&id);
    scene.check();
}

/// A sweep that is asked for while another one is on its way is answered too.
#[test]
fn many_who_ask_for_a_sweep_at_once_are_all_answered() {
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    let scene = Scene::around(&quarterdeck);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| sweeps_nobody(&scene.api));
        }
    });
    scene.check();
}
