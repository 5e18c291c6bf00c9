//! The scenes: for each kind of hostility what holds meanwhile and afterwards.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::double::SPARED;
use crate::kinds::{Kind, Rage};
use crate::rig::Berth;
use crate::support::{Quarterdeck, Setup, eventually, process};
use crate::watch::watch;

/// Lines that the session writes whose output is compared, as fast as a person reads
/// and in one burst in the end. All of it fits the ring.
const LINES: u32 = 60_000;

const MAX_SESSIONS: usize = 6;

/// What init holds for its work, and the rings that sessions fill, 4 MiB each, in KiB.
const GROWTH_MAX: u64 = 64 * 1024;

type Scene = Box<dyn FnOnce() + Send>;

/// Every scene with its name.
pub fn all() -> Vec<(String, Scene)> {
    let mut all: Vec<(String, Scene)> = Vec::new();
    for kind in Kind::ALL {
        all.push((format!("rage_{}", kind.to_string().to_lowercase()), Box::new(move || rages(kind))));
    }
    all.push(("from_the_first_server_on".into(), Box::new(rages_from_the_start)));
    all.push(("main_command_ends_as_it_would".into(), Box::new(main_command_ends)));
    all
}

/// How long one kind rages.
fn time() -> Duration {
    let told = std::env::var("QUARTERDECK_HOSTILE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(told.unwrap_or(2))
}

fn seed(scene: &str) -> u64 {
    let told = std::env::var("QUARTERDECK_HOSTILE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = told.unwrap_or_else(|| fastrand::u64(..));
    println!("{scene}: QUARTERDECK_HOSTILE_SEED={seed}");
    seed
}

fn start(berth: &Berth, args: &[&str]) -> Quarterdeck {
    let max = MAX_SESSIONS.to_string();
    let args = [&["--max-sessions", &max, "--sweep-interval", "2s"], args].concat();
    Quarterdeck::launch(&Setup { args: &args, binary: Some(&berth.binary()), ..Setup::default() })
}

fn rages(kind: Kind) {
    let (berth, seed) = (Berth::new(), seed(&kind.to_string()));
    let qd = start(&berth, &[]);
    // A line every few milliseconds, and the rest when it is told to end.
    let script = format!(
        "trap 'go=1' USR1; n=0; go=; while [ $n -lt {LINES} ]; do n=$((n+1)); echo line $n; \
         [ \"$go\" ] || sleep 0.002; done; echo the end; while :; do sleep 0.1; done"
    );
    let lines = keep(&qd, "lines", &script);
    // Leaves an orphan to init all the time.
    let orphans = keep(&qd, "orphans", "while :; do (sleep 0.02 & ) ; sleep 0.02; done");

    berth.tell(Rage { kind, seed });
    qd.kill_server();
    let found = watch(&qd, time(), growth_max(kind));
    let (servers, acts) = berth.acts();
    println!("{kind}: {servers} servers did {acts} acts; {found:?}");
    assert!(acts >= least_acts(kind), "that was no rage");
    assert_eq!(berth.breach(), None);

    let begun = Instant::now();
    be_served_again(&qd, &berth);
    if std::env::var_os("QUARTERDECK_HOSTILE_LOG").is_some() {
        println!("{}", qd.log().lines().join("\n"));
    }
    println!("{kind}: served again after {:?}", begun.elapsed());
    whole(&qd, &lines);
    let sessions = sessions(&qd);
    assert!(sessions.len() <= MAX_SESSIONS, "{sessions:#?}");
    assert!(sessions.iter().any(|session| session["id"] == orphans.as_str()), "{sessions:#?}");
    sensible_log(&qd, kind);
    nobody_else(&qd);
    assert!(!berth.has_run(), "a tool ran a program of the server's choice");
    end_while_raging(qd, &berth, Rage { kind, seed });
}

/// Most memory that init may take meanwhile, in KiB. What waits for one that does not
/// read is stopped at half a MiB; the rest is the output of sessions.
fn growth_max(kind: Kind) -> u64 {
    if kind == Kind::Deaf { 12 * 1024 } else { GROWTH_MAX }
}

/// What a rage of two seconds amounts to on a busy machine; a server that is ended
/// for its first word comes again a few times.
fn least_acts(kind: Kind) -> u64 {
    match kind {
        Kind::Breeder => 1,
        Kind::Garbage | Kind::Stranger | Kind::FalseStart | Kind::Descriptors | Kind::HalfClosed => 5,
        Kind::Deaf | Kind::Flood | Kind::Hints | Kind::Restore | Kind::Greedy | Kind::Random => 100,
    }
}

/// TERM ends all of it in time, whatever the server does.
fn end_while_raging(mut qd: Quarterdeck, berth: &Berth, rage: Rage) {
    berth.tell(rage);
    qd.kill_server();
    watch(&qd, Duration::from_millis(300), GROWTH_MAX);
    let begun = Instant::now();
    assert_eq!(qd.stop().code(), Some(0), "exit code after TERM");
    // 8 s of grace, of which a server that says nothing gets 3 s, and some for a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?} to end", begun.elapsed());
    let log = qd.log().lines().join("\n");
    assert!(!log.contains("panicked"), "{log}");
    process::wait_until_none_marked(&qd.mark());
}

/// The first server of all may bring sessions back, and does so without sense.
fn rages_from_the_start() {
    let (berth, seed) = (Berth::new(), seed("from the first server on"));
    berth.tell(Rage { kind: Kind::Restore, seed });
    let qd = start(&berth, &[]);
    println!("{:?}", watch(&qd, time(), GROWTH_MAX));
    be_served_again(&qd, &berth);
    let sessions = sessions(&qd);
    assert!(!sessions.is_empty() && sessions.len() <= 1024, "{} sessions", sessions.len());
    for session in &sessions {
        let times = ["1970-01-01T00:00:00.000Z", "2023-11-14T22:13:20.000Z"];
        assert!(session["createdAt"].as_str().is_some_and(|time| times.contains(&time)), "{session}");
        assert_eq!(session["status"], "idle", "{session}");
    }
    sensible_log(&qd, Kind::Restore);
}

fn main_command_ends() {
    let (berth, seed) = (Berth::new(), seed("main command"));
    berth.tell(Rage { kind: Kind::Random, seed });
    let seconds = time().as_secs();
    let mut qd = start(&berth, &["--", "/bin/sh", "-c", &format!("sleep {seconds}; exit 7")]);
    watch(&qd, time() / 2, GROWTH_MAX);
    assert_eq!(qd.wait().code(), Some(7));
    process::wait_until_none_marked(&qd.mark());
}

fn keep(qd: &Quarterdeck, name: &str, script: &str) -> String {
    let name = format!("{SPARED}{name}");
    let session = qd.api().create(&json!({ "name": name, "command": ["/bin/sh", "-c", script] }));
    session["id"].as_str().expect("an id").to_owned()
}

fn sessions(qd: &Quarterdeck) -> Vec<Value> {
    qd.api().get("/api/sessions").json_of(200)["sessions"].as_array().expect("sessions").clone()
}

/// An honest server follows, at once and not after the back-off.
fn be_served_again(qd: &Quarterdeck, berth: &Berth) {
    berth.calm();
    qd.signal(Signal::SIGUSR2);
    eventually("an honest server answers", || {
        let reply = qd.api().try_call("GET", "/health", None, &[]).ok()?;
        (reply.status == 200).then_some(())
    });
}

/// Every byte is there, in order, through all that was done meanwhile.
fn whole(qd: &Quarterdeck, id: &str) {
    kill(Pid::from_raw(qd.leader(id)), Signal::SIGUSR1).expect("the session's program runs");
    let expected: String = (1..=LINES).map(|n| format!("line {n}\r\n")).chain(["the end\r\n".to_owned()]).collect();
    qd.api().wait_for(id, "done", |session| session["outputOffset"].as_u64() >= Some(expected.len() as u64));
    let output = qd.api().output(id);
    let differs = output.iter().zip(expected.as_bytes()).position(|(a, b)| a != b);
    assert_eq!((differs, output.len()), (None, expected.len()), "the output differs");
}

/// Servers were replaced with a reason, and not in a busy loop.
fn sensible_log(qd: &Quarterdeck, kind: Kind) {
    let log = qd.log().lines();
    assert!(!log.iter().any(|line| line.contains("panicked")), "{}", log.join("\n"));
    let starts = log.iter().filter(|line| line.contains("Replacing the API server\"")).count();
    // Five at once, then with waits that double from 5 ms to 30 s; a rage of minutes has
    // servers that served well between.
    let most = 5 + 14 + usize::try_from(time().as_secs() / 10).expect("seconds");
    assert!(starts <= most, "{starts} servers were replaced, at most {most} in such a time");
    let is_nonsense =
        matches!(kind, Kind::Garbage | Kind::Stranger | Kind::FalseStart | Kind::Descriptors | Kind::HalfClosed);
    assert!(!is_nonsense || starts > 0, "no word of {kind}:\n{}", log.join("\n"));
}

/// Nobody is there who is not init, the server, or of a session.
fn nobody_else(qd: &Quarterdeck) {
    eventually("nobody is left of the hostile server", || {
        let server = qd.server();
        let strangers: Vec<i32> = process::children(qd.init)
            .into_iter()
            .filter(|pid| *pid != server && process::stat(*pid).is_some_and(|stat| stat.state != 'Z'))
            .filter(|pid| {
                let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                let marker = b"QUARTERDECK_SESSION_ID=";
                !environment.windows(marker.len()).any(|window| window == marker)
            })
            .collect();
        strangers.is_empty().then_some(())
    });
}
