//! The server is killed between any two steps of what is done with a worktree:
//! there is a whole session afterwards, or nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::payload::shell;
use crate::support::repository::Repository;
use crate::support::{Quarterdeck, Setup, eventually};

const SLEEP: &str = "exec sleep 1000";

/// Starts a quarterdeck whose first server goes no further than `step`.
fn stopping_at(repository: &Repository, step: &str) -> Quarterdeck {
    let args = ["--workspace", &repository.arg()];
    Quarterdeck::launch(&Setup { args: &args, env: &[("QUARTERDECK_TEST_PAUSE", step)], ..Setup::default() })
}

/// Makes a request, and kills the server when that has come to its step.
fn kill_at_step(quarterdeck: &Quarterdeck, step: &str, method: &'static str, path: &'static str, body: &Value) {
    kill_at_step_after(quarterdeck, step, method, path, body, || {});
}

/// The same, with something that happens between the two.
fn kill_at_step_after(
    quarterdeck: &Quarterdeck,
    step: &str,
    method: &'static str,
    path: &'static str,
    body: &Value,
    meanwhile: impl FnOnce(),
) {
    let (api, text) = (quarterdeck.api(), body.to_string());
    let asked = std::thread::spawn(move || {
        let body: &[u8] = if method == "DELETE" { &[] } else { text.as_bytes() };
        api.try_call(method, path, Some("application/json"), body).is_ok()
    });
    let stopped = quarterdeck.log().wait_for_message("Stopped for a test");
    assert_eq!(stopped["step"], json!(step));
    meanwhile();
    quarterdeck.kill_server();
    assert!(!asked.join().expect("the client"), "the request was answered");
    wait_until_settled(quarterdeck);
}

/// Waits until the present server has seen to what was left.
fn wait_until_settled(quarterdeck: &Quarterdeck) {
    let intents = quarterdeck.dir().join("worktrees");
    eventually("nothing is left to be seen to", || (files(&intents) == 0).then_some(()));
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn a_kill_at_any_step_of_making_one_leaves_a_whole_session_or_none() {
    for (step, is_made) in [("planned", false), ("intended", false), ("added", false), ("answered", true)] {
        let repository = Repository::new();
        let quarterdeck = stopping_at(&repository, step);
        let api = quarterdeck.api();
        let ask = json!({ "name": "s", "branch": "b", "command": shell(SLEEP) });
        kill_at_step(&quarterdeck, step, "POST", "/api/sessions", &ask);
        if is_made {
            let session = api.session("s");
            assert_eq!((&session["status"], &session["branch"]), (&json!("active"), &json!("b")), "{step}");
            assert!(repository.place("s").join("file").exists(), "{step}");
            api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
            repository.git(&["branch", "-d", "b"]);
        } else {
            api.get("/api/sessions/s").error(404, "NOT_FOUND");
        }
        repository.assert_untouched();
        api.create(&ask);
    }
}

#[test]
fn a_kill_at_any_step_of_deleting_one_leaves_neither_session_nor_worktree() {
    for step in ["to-be-deleted", "session-deleted"] {
        let repository = Repository::new();
        let quarterdeck = stopping_at(&repository, step);
        let api = quarterdeck.api();
        api.create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
        kill_at_step(&quarterdeck, step, "DELETE", "/api/sessions/s?deleteWorktree=true", &Value::Null);
        api.get("/api/sessions/s").error(404, "NOT_FOUND");
        assert!(!repository.place("s").exists(), "{step}");
        assert_eq!((repository.worktrees().len(), repository.branches().len()), (0, 2), "{step}");
    }
}

#[test]
fn a_deletion_that_a_kill_cut_off_loses_no_work_either() {
    for (step, is_session) in [("to-be-deleted", true), ("session-deleted", false)] {
        let repository = Repository::new();
        let quarterdeck = stopping_at(&repository, step);
        quarterdeck.api().create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
        let mine = repository.place("s").join("mine");
        let write = || fs::write(&mine, "").expect("a file");
        kill_at_step_after(&quarterdeck, step, "DELETE", "/api/sessions/s?deleteWorktree=true", &Value::Null, write);
        quarterdeck.log().wait_for("that it was kept", |entry| entry["reason"].to_string().contains("untracked"));
        assert_eq!(quarterdeck.api().get("/api/sessions/s").status == 200, is_session, "{step}");
        assert!(mine.exists(), "{step}");
    }
}

/// Git deletes a worktree with submodules by force only, so whether there is
/// work in it is for the next server to see.
#[test]
fn what_a_session_wrote_while_it_ended_is_kept_by_the_next_server() {
    let library = Repository::named("library");
    let repository = Repository::new();
    repository.git(&["submodule", "--quiet", "add", &library.arg(), "lib"]);
    repository.git(&["commit", "--quiet", "-m", "with a submodule"]);
    let step = "session-deleted";
    let quarterdeck = stopping_at(&repository, step);
    let api = quarterdeck.api();
    let script = "trap 'echo late >late; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let session = api.create(&json!({ "name": "s", "branch": "b", "command": shell(script) }));
    let id = session["id"].as_str().expect("an id");
    api.wait_for(id, "ready", |session| session["outputOffset"].as_u64() > Some(0));
    let place = repository.place("s");
    repository.git_at(&place, &["submodule", "--quiet", "update", "--init"]);
    kill_at_step(&quarterdeck, step, "DELETE", "/api/sessions/s?deleteWorktree=true", &Value::Null);
    quarterdeck.log().wait_for("that it was kept", |entry| entry["reason"].to_string().contains("untracked"));
    assert_eq!(fs::read_to_string(place.join("late")).expect("the file"), "late\n");
}

/// Git goes on when the server that asked is killed. The next server waits for
/// it, or it would take back what is not there yet.
#[test]
fn a_kill_while_git_works() {
    let repository = Repository::new();
    let [begun, go_on, done] = ["begun", "go-on", "done"].map(|name| repository.path().join(".git").join(name));
    let [a, b, c] = [&begun, &go_on, &done].map(|path| path.display());
    let wait = format!("touch '{a}'; until [ -e '{b}' ]; do sleep 0.01; done; echo words to nobody; touch '{c}'");
    repository.hook("post-checkout", &format!("[ -e '{a}' ] || {{ {wait}; }}"));
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    let ask = json!({ "name": "s", "branch": "b", "command": shell(SLEEP) });
    let first = {
        let (api, ask) = (quarterdeck.api(), ask.to_string());
        std::thread::spawn(move || {
            api.try_call("POST", "/api/sessions", Some("application/json"), ask.as_bytes()).is_ok()
        })
    };
    eventually("git is at work", || begun.exists().then_some(()));
    quarterdeck.kill_server();
    assert!(!first.join().expect("the client"), "the request was answered");
    // This waits for its turn.
    let second = std::thread::spawn(move || api.create(&ask));
    eventually("the next server is there", || {
        let health = quarterdeck.api().get("/api/health").json_of(200);
        (health["serverRestarts"] == json!(1)).then_some(())
    });
    assert!(repository.place("s").exists(), "it was taken from under git");
    fs::write(&go_on, "").expect("a file");
    let session = second.join().expect("a session");
    assert_eq!(session["worktreePath"], json!(repository.place("s")));
    quarterdeck.log().wait_for_message("Took back the worktree of a session that was not made");
    assert!(done.exists(), "git did not get to its end");
    assert_eq!((repository.worktrees().len(), repository.branches().len()), (1, 2));
}

/// Wherever between the steps, and in the middle of them.
#[test]
fn kills_at_random_moments_leave_whole_sessions_or_none() {
    const ROUNDS: usize = 25;
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let (mut whole, mut none) = (0, 0);
    for round in 0..ROUNDS {
        let ask = json!({ "name": "s", "branch": format!("b{round}"), "command": shell(SLEEP) }).to_string();
        let (makes, deletes) = (quarterdeck.api(), quarterdeck.api());
        let asked = std::thread::spawn(move || {
            let _ = makes.try_call("POST", "/api/sessions", Some("application/json"), ask.as_bytes());
            let _ = deletes.try_call("DELETE", "/api/sessions/s?deleteWorktree=true", None, &[]);
        });
        std::thread::park_timeout(Duration::from_micros(random.u64(..250_000)));
        quarterdeck.kill_server();
        asked.join().expect("the client");
        wait_until_settled(&quarterdeck);
        // What the client asked for after the kill is done by now, too.
        let is_session = quarterdeck.api().get("/api/sessions/s").status == 200;
        assert_eq!(repository.worktrees().len(), usize::from(is_session), "round {round}");
        assert_eq!(repository.place("s").exists(), is_session, "round {round}");
        if is_session {
            whole += 1;
            quarterdeck.api().delete("/api/sessions/s?deleteWorktree=true").json_of(200);
        } else {
            none += 1;
        }
        assert_eq!(repository.worktrees().len(), 0, "round {round}");
    }
    eprintln!("{whole} whole sessions, {none} times none");
}

#[test]
fn what_holds_work_is_kept_and_told() {
    let repository = Repository::new();
    // What a person, or a hook, put there before the server was killed.
    repository.hook("post-checkout", "echo mine >mine");
    let quarterdeck = stopping_at(&repository, "added");
    let ask = json!({ "name": "s", "branch": "b", "command": shell(SLEEP) });
    kill_at_step(&quarterdeck, "added", "POST", "/api/sessions", &ask);
    let kept = quarterdeck.log().wait_for_message(
        "The worktree of a session that was not made holds work and was kept; use it as the directory of a session, or \
         `git worktree remove` it",
    );
    assert_eq!((&kept["worktree"], &kept["why"]), (&json!(repository.place("s")), &json!("?? mine")));
    assert!(repository.place("s").join("mine").exists());
    assert_eq!(repository.branches(), ["b", "main"]);
    let session = quarterdeck.api().create(&json!({ "name": "s", "existingBranch": "b", "command": shell(SLEEP) }));
    assert_eq!(session["worktreePath"], json!(repository.place("s")));
}

/// A program that init is just starting may yet turn out not to be one.
#[test]
fn a_session_that_ended_meanwhile_is_a_session() {
    let repository = Repository::new();
    let quarterdeck = stopping_at(&repository, "answered");
    let ask = json!({ "name": "s", "branch": "b", "command": ["/no/such"] });
    kill_at_step(&quarterdeck, "answered", "POST", "/api/sessions", &ask);
    repository.assert_untouched();

    let quarterdeck = stopping_at(&repository, "answered");
    let ask = json!({ "name": "s", "branch": "b", "command": shell("exit 0") });
    kill_at_step(&quarterdeck, "answered", "POST", "/api/sessions", &ask);
    assert_eq!(quarterdeck.api().wait_for_exit("s")["status"], json!("stopped"));
    assert_eq!(repository.worktrees(), [repository.place("s")]);
}

#[test]
fn a_client_that_goes_away_changes_nothing() {
    use std::io::Write;
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let body = json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }).to_string();
    let mut stream = std::net::TcpStream::connect(quarterdeck.address()).expect("a connection");
    let head = "POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).expect("a request");
    eventually("it has begun", || (files(&quarterdeck.dir().join("worktrees")) > 0).then_some(()));
    drop(stream);
    eventually("the session is there", || (quarterdeck.api().get("/api/sessions/s").status == 200).then_some(()));
    wait_until_settled(&quarterdeck);
    assert_eq!(repository.worktrees(), [repository.place("s")]);
}

#[test]
fn sessions_come_back_with_their_worktrees() {
    let repository = Repository::new();
    let place = repository.place("s");
    let setup = Setup { args: &["--workspace", &repository.arg()], pid1: true, ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup);
    let again = |quarterdeck: &mut Quarterdeck| {
        quarterdeck.kill();
        quarterdeck.start_again(&setup);
        let session = quarterdeck.api().session("s");
        ["branch", "worktreePath", "workingDirectory", "status"].map(|field| session[field].clone())
    };
    let idle = |branch: Value| [branch, json!(place), json!(place), json!("idle")];
    quarterdeck.api().create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    quarterdeck.wait_for_state("it is saved", |sessions| sessions.len() == 1);
    assert_eq!(again(&mut quarterdeck), idle(json!("b")));
    quarterdeck.api().post("/api/sessions/s/resume", &json!({})).json_of(200);

    // As if its branch was just being put onto another one.
    repository.git_at(&place, &["checkout", "--quiet", "--detach"]);
    for damage in [None, Some("{"), Some("")] {
        quarterdeck.wait_for_state("it is saved", |sessions| sessions.len() == 1);
        quarterdeck.kill();
        match damage {
            None => fs::remove_file(quarterdeck.state_file()).expect("a state file"),
            Some(text) => fs::write(quarterdeck.state_file(), text).expect("a state file"),
        }
        quarterdeck.start_again(&setup);
        assert_eq!(again(&mut quarterdeck), idle(Value::Null), "{damage:?}");
        let sessions = quarterdeck.api().get("/api/sessions").json_of(200)["sessions"].as_array().map(Vec::len);
        assert_eq!(sessions, Some(1), "the workspace itself is no session");
    }
    repository.git_at(&place, &["checkout", "--quiet", "b"]);
    quarterdeck.kill();
    fs::remove_file(quarterdeck.state_file()).expect("a state file");
    quarterdeck.start_again(&setup);
    assert_eq!(again(&mut quarterdeck), idle(json!("b")));
    let resumed = quarterdeck.api().post("/api/sessions/s/resume", &json!({})).json_of(200);
    assert_eq!(resumed["session"]["command"], json!(["/bin/bash"]));
    quarterdeck.api().delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert!(!place.exists());

    // A file that says that there are none is believed.
    quarterdeck.api().create(&json!({ "name": "s", "existingBranch": "b", "command": shell(SLEEP) }));
    quarterdeck.api().remove("s");
    quarterdeck.wait_for_state("it is deleted", <[Value]>::is_empty);
    quarterdeck.kill();
    quarterdeck.start_again(&setup);
    quarterdeck.api().get("/api/sessions/s").error(404, "NOT_FOUND");
    assert!(place.exists());
}

/// The state file did not get to know of it, so no later container would.
#[test]
fn a_session_that_was_never_saved_leaves_nothing_behind() {
    let repository = Repository::new();
    let setup = Setup { args: &["--workspace", &repository.arg()], pid1: true, ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup);
    quarterdeck.wait_for_state("there are no sessions", <[Value]>::is_empty);
    let in_the_way = quarterdeck.state_file().with_extension("json.new");
    fs::create_dir(&in_the_way).expect("a directory");
    quarterdeck.api().create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    quarterdeck.log().wait_for("the state is not saved", |entry| entry["reason"].to_string().contains("cannot write"));
    quarterdeck.kill();
    assert_eq!(repository.worktrees(), [repository.place("s")]);
    fs::remove_dir(&in_the_way).expect("a directory");
    quarterdeck.start_again(&setup);
    wait_until_settled(&quarterdeck);
    quarterdeck.api().get("/api/sessions/s").error(404, "NOT_FOUND");
    repository.assert_untouched();
}

#[test]
fn what_a_killed_container_had_begun_is_taken_back() {
    let repository = Repository::new();
    let begun = repository.path().join(".git/begun");
    // Killed in the middle of the checkout: a filter is slow with one file.
    repository.write(".gitattributes", "file filter=slow\n");
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "-m", "slow"]);
    repository.git(&["config", "filter.slow.smudge", &format!("touch '{}'; sleep 1000", begun.display())]);
    let setup = Setup { args: &["--workspace", &repository.arg()], pid1: true, ..Setup::default() };
    let mut quarterdeck = Quarterdeck::launch(&setup);
    let api = quarterdeck.api();
    let body = json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }).to_string();
    let asked = std::thread::spawn(move || {
        api.try_call("POST", "/api/sessions", Some("application/json"), body.as_bytes()).is_ok()
    });
    eventually("git is at work", || begun.exists().then_some(()));
    quarterdeck.kill();
    assert!(!asked.join().expect("the client"), "the request was answered");
    assert!(repository.place("s").exists());
    assert_eq!(files(&quarterdeck.dir().join("worktrees")), 1);
    quarterdeck.start_again(&setup);
    wait_until_settled(&quarterdeck);
    quarterdeck.api().get("/api/sessions/s").error(404, "NOT_FOUND");
    repository.assert_untouched();
}
