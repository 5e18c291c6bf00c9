//! Sessions that leave things behind, and sessions that end in every way.

use std::time::Duration;

use crate::ledger::{End, Promise, Tracked};
use crate::who;
use crate::world::World;

/// How many of these sessions there are at once.
pub const FAMILIES: usize = 3;

/// Ordinary users whose processes some sessions are.
pub const USERS: [u32; 2] = [54_321, 54_322];

/// How long a family may take to make its children.
const GROWN_UP: Duration = Duration::from_secs(3);

/// How long init may take to tell the end of a program.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts each child it is told, waits, and ends as told. Every process has the
/// marker, "$0", in its argument vector: a sleep gets it as its name.
const SCRIPT: &str = r#"
hold='exec -a "$0" sleep 100000'
hop() { sleep .02; hop & exit; }
children=$1 seconds=$2 end=$3
for child in $children; do
  case $child in
    child) (eval "$hold") & ;;
    orphan) (eval "$hold" &) ;;
    nohup) nohup bash -c "$hold" "$0" >/dev/null 2>&1 & ;;
    setsid) setsid bash -c "$hold" "$0" & ;;
    daemon) setsid bash -c "($hold) &" "$0" ;;
    cleared) env -i setsid bash -c "($hold) &" "$0" ;;
    deaf) (trap '' HUP TERM INT; eval "$hold") & ;;
    deaf-daemon) (trap '' HUP TERM INT; setsid bash -c "($hold) &" "$0") ;;
    stopped) (kill -STOP $BASHPID; eval "$hold") & ;;
    hopper) hop & ;;
  esac
done
while :; do
  (exec -a "$0" sleep "$seconds") & wait $!
  case $end in
    stay) ;;
    [0-9]*) exit "$end" ;;
    *) kill -s "$end" $$ ;;
  esac
done
"#;

const CHILDREN: [&str; 10] =
    ["child", "orphan", "nohup", "setsid", "daemon", "cleared", "deaf", "deaf-daemon", "stopped", "hopper"];

/// Signals that end a shell, with the names the API gives them.
const SIGNALS: [(&str, &str); 6] = [
    ("TERM", "SIGTERM"),
    ("KILL", "SIGKILL"),
    ("HUP", "SIGHUP"),
    ("USR1", "SIGUSR1"),
    ("SEGV", "SIGSEGV"),
    ("ABRT", "SIGABRT"),
];

/// Runs one family after the other until the run is over.
pub fn raise(world: &World, number: usize) {
    let mut random = world.random(200 + number as u64);
    while !world.ledger.is_over() {
        let some = random.choose_multiple(CHILDREN, random.clone().usize(1..5)).join(" ");
        let user = random.bool().then(|| USERS[random.usize(..USERS.len())]);
        let (end, wanted) = pick_end(&mut random);
        let seconds = format!("{}.{}", random.u32(0..3), random.u32(1..10));
        let marker = world.marker();
        let script = [SCRIPT, &marker, &some, &seconds, &end];
        let tracked = Tracked { user, ends: Some(wanted), ..Tracked::default() };
        if world.create(&marker, &command(user, &script), tracked).is_none() {
            return;
        }
        world.ledger.count(Promise::NothingLeftBehind, "families raised", 1);
        let is_as_told = match end.as_str() {
            "stay" => {
                stay(world, &marker, &some, Duration::from_millis(random.u64(200..3000)));
                true
            }
            _ => ends(world, &marker) && (random.u32(..4) > 0 || (world.resume(&marker) && ends(world, &marker))),
        };
        if !is_as_told {
            return world.ledger.missed(Promise::ExitsRight, &format!("{marker} ({some}) did not end with {end}"));
        }
        world.delete(&marker);
    }
}

/// Lets a family live for a while. What it had then it must have afterwards.
fn stay(world: &World, marker: &str, children: &str, time: Duration) {
    // The others are made and end all the time, or have no name of their own yet.
    let wanted = children.split(' ').filter(|child| !matches!(*child, "hopper" | "stopped")).count();
    let holders = || {
        let mut marked = who::marked();
        marked.retain(|process| process.marker == marker && process.line.trim_end().ends_with(" 100000"));
        marked.retain(|process| process.line.starts_with(marker));
        marked
    };
    // Where forks fail a child may never be made.
    let is_whole = world.ledger.wait_until(GROWN_UP, || holders().len() == wanted);
    let before = holders();
    world.ledger.pause(time);
    let after = holders();
    if !is_whole || world.ledger.session(marker).is_hit {
        return;
    }
    match before.iter().find(|process| after.iter().all(|other| other.pid != process.pid)) {
        Some(gone) => {
            let evidence = format!("{marker} ({children}) lives, but nobody killed {}", gone.brief());
            world.ledger.broken(Promise::LivingSpared, &evidence);
        }
        None => world.ledger.count(Promise::LivingSpared, "families found whole", 1),
    }
}

/// Whether it ends in time.
fn ends(world: &World, marker: &str) -> bool {
    world.wait_for_end(marker, PATIENCE)
}

fn pick_end(random: &mut fastrand::Rng) -> (String, Vec<End>) {
    match random.u32(..3) {
        0 => ("stay".to_owned(), Vec::new()),
        1 => {
            let code = random.u8(..);
            (code.to_string(), vec![End::Code(code.into())])
        }
        _ => {
            let (short, long) = SIGNALS[random.usize(..SIGNALS.len())];
            (short.to_owned(), vec![End::Signal(long)])
        }
    }
}

/// `bash -c`, as this user.
pub fn command(user: Option<u32>, script: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(user) = user {
        // Groups stay: an ordinary session user could not shed them either.
        words.extend(["setpriv".to_owned(), format!("--reuid={user}"), format!("--regid={user}")]);
        words.push("--keep-groups".to_owned());
    }
    words.extend(["bash".to_owned(), "-c".to_owned()]);
    words.extend(script.iter().map(|word| (*word).to_owned()));
    words
}
