//! `quarterdeck attach`: a person at a terminal, in a session.

use std::io::Write;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::http::id_of;
use crate::support::payload::{self, assert_same};
use crate::support::quarterdeck::output_of;
use crate::support::scene::mark;
use crate::support::seat::DETACH;
use crate::support::{Quarterdeck, Seat, eventually, heavy, process};

/// A shell that a person talks to, without bracketed paste around its prompts.
const BASH: [&str; 6] = ["env", "TERM=dumb", "PS1=ready> ", "bash", "--norc", "--noprofile"];

fn bash(quarterdeck: &Quarterdeck) -> String {
    id_of(&quarterdeck.api().create(&json!({ "name": "shell", "command": BASH })))
}

/// A program that sets the terminal as an editor does, and waits.
const EDITOR: &str =
    r"printf '\033[?1049h\033[?25l\033[?1h\033=\033[?1000h\033[?1006h\033[?2004h\033[>1uediting'; read line";

/// What leaves nothing of that.
const UNDONE: [&str; 8] =
    ["\x1b[<1u", "\x1b[?1049l", "\x1b[?25h", "\x1b[?1l", "\x1b[?1000l", "\x1b[?1006l", "\x1b[?2004l", "\x1b>"];

#[test]
fn a_person_types_and_gets_the_exit_code() {
    let quarterdeck = Quarterdeck::start();
    bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("ready> ");
    seat.terminal.type_text("echo $((6 * 7))\r");
    seat.terminal.wait_for("\n42\r\n");
    // Ctrl-C and Ctrl-Z go to the program.
    let mark = mark();
    seat.terminal.type_text(&format!("sleep {mark}\r"));
    // The shell hands it the terminal, and lets it go on, a moment after it says so.
    let runs = || {
        let sleeps = |pid: &i32| process::arguments(*pid)[0] == "sleep";
        let stat = process::stat(process::with_argument(&mark).into_iter().find(sleeps)?)?;
        (stat.state == 'S' && stat.foreground == stat.group).then_some(())
    };
    eventually("sleep is in the foreground", runs);
    seat.terminal.type_text("\x1a");
    seat.terminal.wait_for("Stopped");
    seat.terminal.wait_for("ready> ");
    seat.terminal.type_text("fg\r");
    eventually("sleep is in the foreground again", runs);
    seat.terminal.type_text("\x03");
    seat.terminal.wait_for("ready> ");
    seat.terminal.type_text("exit 3\r");
    seat.terminal.wait_for("[shell: ended with code 3]");
    seat.ends_with(3);
}

#[test]
fn a_session_that_a_signal_ends_gives_128_and_its_number() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &[&id]);
    seat.terminal.wait_for("ready> ");
    assert!(quarterdeck.command(&["kill", "-s", "KILL", "shell"]).status.success());
    seat.terminal.wait_for("[shell: ended by SIGKILL]");
    seat.ends_with(137);
    // One that has ended already is shown, and gives its code again.
    Seat::run(&quarterdeck, &["attach", "shell"]).ends_with(137);
}

#[test]
fn the_session_has_the_size_of_the_terminal() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let mut seat = Seat::sized(&quarterdeck, &["attach", "shell"], 101, 33);
    let size = |wanted: (u16, u16)| {
        let is_it = |session: &serde_json::Value| (session["cols"] == wanted.0) && (session["rows"] == wanted.1);
        quarterdeck.api().wait_for(&id, &format!("{wanted:?}"), is_it);
    };
    size((101, 33));
    seat.terminal.resize(120, 44);
    size((120, 44));
    seat.terminal.wait_for("ready> ");
    seat.terminal.type_text("stty size\r");
    seat.terminal.wait_for("44 120");
    seat.detach();
    // Nobody makes a session that is only looked at smaller.
    let mut reader = Seat::sized(&quarterdeck, &["attach", "--read-only", "shell"], 20, 5);
    reader.terminal.wait_for("44 120");
    reader.terminal.type_text("exit 9\r");
    reader.detach();
    size((120, 44));
    assert_eq!(quarterdeck.api().session(&id)["status"], "active");
}

#[test]
fn detaching_leaves_the_session_and_attaching_again_shows_it() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("ready> ");
    seat.terminal.type_text("X=kept; echo be''fore\r");
    seat.terminal.wait_for("before\r\n");
    seat.detach();
    seat.terminal.wait_for("[shell: detached]");
    quarterdeck.api().wait_for(&id, "without clients", |session| session["clients"] == json!(0));
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("before\r\n");
    seat.terminal.type_text("echo $X\r");
    seat.terminal.wait_for("kept\r\n");
    // The first key twice is the key itself: readline shows it behind Ctrl-V.
    seat.terminal.type_text("\x16\x1d\x1d");
    seat.terminal.wait_for("^]");
    seat.detach();
}

#[test]
fn what_was_typed_before_the_detach_keys_arrives() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &["--detach-keys", "ctrl-p,ctrl-q", "shell"]);
    seat.terminal.wait_for("ready> ");
    seat.terminal.type_text(&format!("{DETACH}\x15exit 5\r\x10\x11"));
    seat.ends_with(0);
    assert_eq!(quarterdeck.api().wait_for_exit(&id)["exitCode"], 5);
}

#[test]
fn several_people_share_a_session() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let mut one = Seat::sized(&quarterdeck, &["attach", "shell"], 100, 30);
    one.terminal.wait_for("ready> ");
    let mut two = Seat::sized(&quarterdeck, &["attach", "shell"], 90, 20);
    two.terminal.wait_for("ready> ");
    quarterdeck.api().wait_for(&id, "sized by the second", |session| session["cols"] == 90);
    one.terminal.type_text("echo one is he''re\r");
    for seat in [&mut one, &mut two] {
        seat.terminal.wait_for("one is here\r\n");
    }
    // A key before the client has heard of the other's size changes nothing.
    eventually("it is sized by who types", || {
        one.terminal.type_text(":\r");
        one.terminal.wait_for("ready> ");
        (quarterdeck.api().session(&id)["cols"] == 100).then_some(())
    });
    two.terminal.type_text("exit 4\r");
    for seat in [&mut one, &mut two] {
        seat.ends_with(4);
    }
}

#[test]
fn kill_9_of_the_server_loses_and_doubles_nothing() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let written = payload::ascii(11, 12 << 20);
    let path = payload::file(quarterdeck.dir(), "payload", &written);
    let id = quarterdeck.api().run(&payload::stream(&path));
    let mut seat = Seat::attach(&quarterdeck, &[&id]);
    seat.terminal.wait_for("R");
    let before = seat.terminal.bytes().len();
    seat.terminal.type_text("!");
    for part in 1..=4 {
        eventually("more is shown", || (seat.terminal.bytes().len() > part * (2 << 20)).then_some(()));
        quarterdeck.kill_server();
    }
    let status = seat.wait();
    assert_eq!(status.code(), Some(7), "{}", quarterdeck.log().lines().join("\n"));
    assert_same(&seat.terminal.bytes()[before..][..written.len()], &written);
    assert!(String::from_utf8_lossy(&seat.terminal.bytes()[before + written.len()..]).contains("ended with code 7"));
}

#[test]
fn what_is_typed_while_the_server_is_away_arrives_once() {
    let quarterdeck = Quarterdeck::start();
    bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("ready> ");
    for round in 0..5 {
        quarterdeck.kill_server();
        seat.terminal.type_text(&format!("echo round''-{round}\r"));
        seat.terminal.wait_for(&format!("round-{round}\r\n"));
    }
    seat.terminal.type_text("history -w /dev/stdout | grep -c 'round.*-[0-9]'\r");
    seat.terminal.wait_for("\n6\r\n");
    seat.detach();
}

#[test]
fn a_server_that_stays_away_is_told_and_waited_for() {
    let quarterdeck = Quarterdeck::start();
    bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("ready> ");
    // A stopped init starts no other server.
    quarterdeck.signal(Signal::SIGSTOP);
    eventually("init is stopped", || process::stat(quarterdeck.init).filter(|stat| stat.state == 'T'));
    quarterdeck.kill_server();
    seat.terminal.type_text("echo ty''ped\r");
    seat.terminal.wait_for("quarterdeck does not answer");
    quarterdeck.signal(Signal::SIGCONT);
    seat.terminal.wait_for("typed\r\n");
    seat.detach();
}

#[test]
fn another_life_of_the_session_is_not_taken_for_the_same() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("ready> ");
    seat.signal(Signal::SIGSTOP);
    seat.wait_for_stop();
    quarterdeck.kill_server();
    assert!(quarterdeck.command(&["kill", "-s", "KILL", "shell"]).status.success());
    quarterdeck.api().wait_for_exit(&id);
    assert!(quarterdeck.command(&["resume", "shell"]).status.success());
    seat.signal(Signal::SIGCONT);
    seat.terminal.wait_for("The session was started again while quarterdeck was away");
    seat.ends_with(1);
}

#[test]
fn any_end_puts_the_terminal_back() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell(EDITOR);
    let ways: [(&str, i32); 5] = [("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131), ("keys", 0)];
    for (way, code) in ways {
        let mut seat = Seat::attach(&quarterdeck, &[&id]);
        seat.terminal.wait_for("editing");
        match way.parse::<Signal>().or_else(|_| format!("SIG{way}").parse()) {
            Ok(signal) => seat.signal(signal),
            Err(_) => seat.terminal.type_text(DETACH),
        }
        seat.ends_with(code);
        for undone in UNDONE {
            seat.terminal.wait_for_anywhere_behind("editing", undone);
        }
    }
    // The program's own end, by a signal that leaves it no time to clean up.
    let mut seat = Seat::attach(&quarterdeck, &[&id]);
    seat.terminal.wait_for("editing");
    quarterdeck.command(&["kill", "--signal", "9", &id]);
    seat.ends_with(137);
    for undone in UNDONE {
        seat.terminal.wait_for_anywhere_behind("editing", undone);
    }
}

#[test]
fn the_end_of_the_container_puts_the_terminal_back() {
    let mut quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell(EDITOR);
    let mut seat = Seat::attach(&quarterdeck, &[&id]);
    seat.terminal.wait_for("editing");
    quarterdeck.stop();
    seat.ends_with(143);
    seat.terminal.wait_for_anywhere_behind("editing", "\x1b[?1049l");
}

#[test]
fn a_stop_gives_the_terminal_back_until_it_goes_on() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell(EDITOR);
    // With job control, as in a shell: a leader of a session is not stopped.
    let mut seat = Seat::run(&quarterdeck, &["attach", &id]);
    seat.terminal.wait_for("editing");
    for _ in 0..2 {
        seat.signal(Signal::SIGTSTP);
        seat.wait_for_stop();
        assert_eq!(seat.terminal.modes(), seat.modes);
        seat.terminal.wait_for("\x1b[?1049l");
        seat.signal(Signal::SIGCONT);
        seat.terminal.wait_for("\x1b[?1049h");
        eventually("the terminal is held again", || (seat.terminal.modes() != seat.modes).then_some(()));
    }
    seat.terminal.type_text("\r");
    seat.ends_with(0);
}

#[test]
fn old_questions_are_not_asked_again() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell(
        r"stty -echo; printf '\033[6n\033[c\033]52;c;eA==\007\a\033[31mold'; read a; printf '\033[6nnew'; read b; exit 6",
    );
    quarterdeck.api().wait_for(&id, "at its question", |session| session["outputOffset"].as_u64() > Some(25));
    let mut seat = Seat::attach(&quarterdeck, &[&id]);
    seat.terminal.wait_for("\x1b[31mold");
    assert_eq!(seat.terminal.shown(), "\x1b[31mold");
    seat.terminal.type_text("\r");
    seat.terminal.wait_for("\x1b[6nnew");
    seat.terminal.type_text("\x1b[1;1R\r");
    seat.ends_with(6);
}

#[test]
fn of_much_output_the_last_is_shown_and_all_if_wanted() {
    let quarterdeck = Quarterdeck::start();
    let id = quarterdeck.api().shell(
        r"stty raw; printf '\033[?2004hfirst\n'; i=0; while [ $i -lt 40000 ]; do echo a line $i; i=$((i+1)); done; read x",
    );
    quarterdeck.api().wait_for(&id, "quiet", |session| session["outputOffset"].as_u64() > Some(500_000));
    eventually("all is out", || quarterdeck.api().output(&id).ends_with(b"a line 39999\n").then_some(()));
    let mut recent = Seat::attach(&quarterdeck, &[&id]);
    recent.terminal.wait_for("a line 39999\n");
    let shown = recent.terminal.shown();
    assert!(!shown.contains("first") && shown.starts_with("\x1b[?2004ha line "), "{:?}", &shown[..40]);
    recent.detach();
    let mut whole = Seat::attach(&quarterdeck, &["--from", "oldest", &id]);
    whole.terminal.wait_for("first");
    whole.terminal.wait_for("a line 39999\n");
    whole.detach();
    let mut live = Seat::attach(&quarterdeck, &["--from", "live", &id]);
    quarterdeck.api().wait_for(&id, "attached to", |session| session["clients"] == json!(1));
    live.detach();
    assert!(!live.terminal.shown().contains("a line"), "{}", live.terminal.shown());
}

#[test]
fn a_screen_that_takes_nothing_keeps_nobody_from_leaving() {
    let quarterdeck = Quarterdeck::start();
    // What leaves the alternate screen is on its way when the user leaves.
    let script = r"printf '\033[?1049h'; read a; yes 'a flood' | head -c 100000; printf '\033[?1049l'; exec sleep 1000";
    let id = quarterdeck.api().shell(script);
    let mut seat = Seat::attach(&quarterdeck, &[&id]);
    seat.terminal.wait_for("\x1b[?1049h");
    seat.terminal.type_text("\r");
    // Nobody reads on, and what the terminal itself holds fills up.
    quarterdeck.api().wait_for(&id, "done", |session| session["outputOffset"].as_u64() > Some(110_000));
    let (mut before, mut equal) = (process::written(seat.pid()), 0);
    eventually("the client is stuck", || {
        let now = process::written(seat.pid());
        equal = if std::mem::replace(&mut before, now) == now { equal + 1 } else { 0 };
        (equal == 100).then_some(())
    });
    seat.terminal.type_text(DETACH);
    seat.ends_with(0);
    let shown = seat.terminal.shown();
    assert!(shown.len() < 100_000, "all of it was shown: {}", shown.len());
    seat.terminal.wait_for_anywhere_behind("a flood", "\x1b[?1049l");
}

#[test]
fn without_a_terminal_it_pipes() {
    let quarterdeck = Quarterdeck::start();
    let id =
        quarterdeck.api().shell("stty -echo; printf up; read a; echo got $a; read b; printf '\\033[6n'; exit ${#b}");
    quarterdeck.api().wait_for(&id, "silent", |session| session["outputOffset"] == json!(2));
    let mut client = quarterdeck.client(&["attach", &id]);
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client");
    child.stdin.take().expect("a pipe").write_all(b"one\nfour\n").expect("the client reads");
    let output = child.wait_with_output().expect("the client ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "upgot one\r\n\x1b[6n");
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn more_is_piped_than_a_program_reads_at_once() {
    let quarterdeck = Quarterdeck::start();
    let input = payload::ascii(5, 3 << 20);
    let id = quarterdeck.api().shell(&format!("stty raw -echo; head -c {} | sha256sum", input.len()));
    let path = payload::file(quarterdeck.dir(), "input", &input);
    let mut client = quarterdeck.client(&["attach", &id]);
    client.stdin(std::fs::File::open(path).expect("a file"));
    let output = output_of(client);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(&payload::digest(&input)), "{output:?}");
}

#[test]
fn what_cannot_be_attached_to_is_told_in_words() {
    let quarterdeck = Quarterdeck::start();
    let id = bash(&quarterdeck);
    let told = |args: &[&str], env: &[(&str, &str)]| {
        let mut client = quarterdeck.client(args);
        let output = output_of({
            client.envs(env.iter().copied());
            client
        });
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(told(&["attach", "nobody"], &[]).contains("There is no session \"nobody\""));
    assert!(told(&["attach", "shell"], &[("QUARTERDECK_SESSION_ID", &id)]).contains("that of session shell itself"));
    assert_eq!(quarterdeck.command(&["attach", "--detach-keys", "nope", "shell"]).status.code(), Some(2));
    let mut seat = Seat::attach(&quarterdeck, &["shell"]);
    seat.terminal.wait_for("ready> ");
    quarterdeck.api().remove(&id);
    // Its end by the deletion comes first.
    let code = seat.wait().code();
    assert!(matches!(code, Some(129 | 137 | 143)), "{code:?} {}", seat.terminal.shown());
}
