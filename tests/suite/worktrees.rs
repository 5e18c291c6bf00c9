//! Sessions with a git worktree of their own, on real repositories.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::http::id_of;
use crate::support::payload::shell;
use crate::support::repository::{Repository, write};
use crate::support::{Form, Quarterdeck, eventually};

const SLEEP: &str = "exec sleep 1000";

fn start(repository: &Repository) -> Quarterdeck {
    Quarterdeck::with(&["--workspace", &repository.arg()])
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Waits until no note is left of what was done, which is when the state file
/// has it.
#[track_caller]
fn assert_settles(quarterdeck: &Quarterdeck) {
    let notes = || fs::read_dir(quarterdeck.dir().join("worktrees")).map_or(0, Iterator::count);
    eventually("nothing is to be seen to", || (notes() == 0).then_some(()));
}

#[test]
fn a_session_works_on_a_new_branch_in_a_directory_of_its_own() {
    let repository = Repository::new();
    let quarterdeck = start(&repository);
    let api = quarterdeck.api();
    let script = "pwd; git branch --show-current; cat file folder/inner; pwd >seen; exec sleep 1000";
    let session = api.create(&json!({ "name": "fix", "branch": "feature/fix", "command": shell(script) }));
    let place = repository.place("fix");
    assert_eq!(session["branch"], json!("feature/fix"));
    assert_eq!(session["worktreePath"], json!(place));
    assert_eq!(session["workingDirectory"], json!(place));
    assert_eq!(api.session("fix")["branch"], json!("feature/fix"));
    let mut client = quarterdeck.connect(Form::Json);
    let id = id_of(&session);
    client.attach(&id);
    let wanted = format!("{}\r\nfeature/fix\r\none\r\ntwo\r\n", place.display());
    client.wait_until("the program printed where it is", |view| view.text(&id) == wanted);
    assert_eq!(repository.worktrees(), std::slice::from_ref(&place));
    assert_settles(&quarterdeck);

    let second = api.create(&json!({ "branch": "other", "cwd": "folder", "command": shell(SLEEP) }));
    assert_eq!(second["name"], json!("session-1"));
    assert_eq!(second["workingDirectory"], json!(repository.place("session-1").join("folder")));
    assert_eq!(repository.git(&["status", "--porcelain"]), "", "the workspace's own status");
    let exclude = text(&repository.path().join(".git/info/exclude"));
    assert_eq!(exclude.lines().filter(|line| *line == "/.worktrees/").count(), 1, "{exclude}");

    let plain = api.create(&json!({ "command": shell(SLEEP) }));
    assert_eq!((&plain["branch"], &plain["worktreePath"]), (&Value::Null, &Value::Null));
    assert_eq!(plain["workingDirectory"], json!(repository.path()));
    for name in ["fix", "session-1", "session-2"] {
        api.remove(name);
    }
    assert!(place.join("seen").exists(), "a deleted session's worktree stays unless that is asked for");
    assert_eq!(repository.worktrees().len(), 2);
}

#[test]
fn a_worktree_that_holds_work_is_deleted_by_force_only() {
    let repository = Repository::new();
    let quarterdeck = start(&repository);
    let api = quarterdeck.api();
    let place = repository.place("work");
    let refused = |reason: &str| {
        let error = api.delete("/api/sessions/work?deleteWorktree=true").error(409, "WORKTREE_DIRTY");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(reason) && message.contains(place.to_str().unwrap()), "{message}");
        assert_eq!(error["details"]["worktreePath"], json!(place));
        assert_eq!(api.session("work")["status"], json!("active"), "the session goes on");
        error["details"].clone()
    };
    api.create(&json!({ "name": "work", "branch": "work", "command": shell(SLEEP) }));

    fs::write(place.join("file"), "changed\n").expect("a file");
    fs::write(place.join("nëw file"), "").expect("a file");
    let details = refused("2 changed or untracked files");
    let changes = json!([{ "status": " M", "path": "file" }, { "status": "??", "path": "nëw file" }]);
    assert_eq!((&details["changes"], &details["changeCount"]), (&changes, &json!(2)));
    assert_eq!(details["sessionRemoved"], json!(false));

    repository.git_at(&place, &["add", "."]);
    repository.git_at(&place, &["commit", "--quiet", "-m", "kept by the branch"]);
    repository.git_at(&place, &["checkout", "--quiet", "--detach"]);
    repository.git_at(&place, &["commit", "--quiet", "--allow-empty", "-m", "on no branch"]);
    let details = refused("1 commit on no branch");
    let commit = details["commits"][0].as_str().expect("a commit");
    assert!(commit.ends_with(" on no branch"), "{commit}");

    repository.git_at(&place, &["checkout", "--quiet", "work"]);
    repository.write(".git/info/exclude", "ignored\n/.worktrees/\n");
    fs::write(place.join("ignored"), "").expect("a file");
    let done = api.delete("/api/sessions/work?deleteWorktree=true").json_of(200);
    assert_eq!(done, json!({ "success": true }));
    assert!(!place.exists());
    assert_eq!(repository.branches(), ["main", "work"], "the branch stays, with its commit");
    assert_eq!(repository.git(&["log", "-1", "--format=%s", "work"]), "kept by the branch");
    api.get("/api/sessions/work").error(404, "NOT_FOUND");

    api.create(&json!({ "name": "work", "existingBranch": "work", "command": shell(SLEEP) }));
    fs::write(place.join("file"), "changed again\n").expect("a file");
    refused("1 changed or untracked file");
    api.delete("/api/sessions/work/cleanup?deleteWorktree=true&force=true").json_of(200);
    assert!(!place.exists());
    assert_eq!(repository.worktrees().len(), 0);
    assert_settles(&quarterdeck);
}

#[test]
fn what_a_session_writes_while_it_ends_is_not_lost() {
    let repository = Repository::new();
    let quarterdeck = start(&repository);
    let api = quarterdeck.api();
    let script = "trap 'echo late >late; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let session = api.create(&json!({ "name": "late", "branch": "late", "command": shell(script) }));
    api.wait_for(&id_of(&session), "ready", |session| session["outputOffset"].as_u64() > Some(0));
    let error = api.delete("/api/sessions/late?deleteWorktree=true").error(409, "WORKTREE_DIRTY");
    assert_eq!(error["details"]["sessionRemoved"], json!(true), "{error}");
    assert_eq!(error["details"]["changes"], json!([{ "status": "??", "path": "late" }]));
    api.get("/api/sessions/late").error(404, "NOT_FOUND");
    assert_eq!(text(&repository.place("late").join("late")), "late\n");
    assert_settles(&quarterdeck);
}

#[test]
fn an_existing_branch_is_checked_out_and_a_worktree_of_it_used_again() {
    let repository = Repository::new();
    repository.git(&["branch", "there"]);
    let quarterdeck = start(&repository);
    let api = quarterdeck.api();
    let error = api.post("/api/sessions", &json!({ "branch": "there" })).error(409, "BRANCH_EXISTS");
    assert!(error["suggestion"].as_str().unwrap().contains("existingBranch"), "{error}");

    let place = repository.place("a");
    let forms = [
        json!({ "name": "a", "existingBranch": "there", "command": shell(SLEEP) }),
        json!({ "name": "a", "branch": "there", "existingBranch": true, "command": shell(SLEEP) }),
        json!({ "name": "a", "branch": "there", "existingBranch": "there", "command": shell(SLEEP) }),
    ];
    for (round, form) in forms.iter().enumerate() {
        let session = api.create(form);
        assert_eq!((&session["branch"], &session["worktreePath"]), (&json!("there"), &json!(place)));
        // Work of an earlier session is still there.
        assert_eq!(place.join("note").exists(), round > 0);
        fs::write(place.join("note"), "").expect("a file");
        api.remove("a");
    }
    // A program that can't be started takes nothing with it either.
    api.post("/api/sessions", &json!({ "name": "a", "existingBranch": "there", "command": ["/no/such"] }))
        .error(422, "SPAWN_FAILED");
    assert!(place.join("note").exists());

    let error = api.post("/api/sessions", &json!({ "name": "b", "existingBranch": "there" }));
    let error = error.error(409, "BRANCH_CHECKED_OUT");
    assert_eq!(error["details"]["worktreePath"], json!(place));
    let error = api.post("/api/sessions", &json!({ "name": "b", "existingBranch": "main" }));
    let error = error.error(409, "BRANCH_CHECKED_OUT");
    assert!(error["message"].as_str().unwrap().contains(&repository.arg()), "{error}");
    api.post("/api/sessions", &json!({ "existingBranch": "nowhere" })).error(404, "BRANCH_NOT_FOUND");
    assert_eq!(repository.worktrees(), [place]);
}

#[test]
fn a_branch_of_a_remote_is_followed() {
    let origin = Repository::named("origin");
    origin.git(&["branch", "shared"]);
    let repository = Repository::new();
    for remote in ["one", "two"] {
        repository.git(&["remote", "add", remote, &origin.arg()]);
    }
    repository.git(&["fetch", "--quiet", "one"]);
    let quarterdeck = start(&repository);
    let api = quarterdeck.api();
    let ask = json!({ "name": "s", "existingBranch": "shared", "command": shell(SLEEP) });
    api.create(&ask);
    let place = repository.place("s");
    assert_eq!(repository.git_at(&place, &["rev-parse", "--abbrev-ref", "HEAD@{upstream}"]), "one/shared");
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);

    // A start that fails takes the branch back, with what it followed.
    repository.git(&["branch", "-D", "shared"]);
    let failing = json!({ "name": "s", "existingBranch": "shared", "command": ["/no/such"] });
    api.post("/api/sessions", &failing).error(422, "SPAWN_FAILED");
    repository.assert_untouched();
    let config = text(&repository.path().join(".git/config"));
    assert!(!config.contains("shared\"]"), "{config}");

    repository.git(&["fetch", "--quiet", "two"]);
    let error = api.post("/api/sessions", &ask).error(409, "BRANCH_AMBIGUOUS");
    assert!(error["message"].as_str().unwrap().contains("one, two"), "{error}");
}

#[test]
fn spaces_and_letters_of_all_kinds_are_no_matter() {
    let repository = Repository::named("näme with  spaces 'and' \"quotes\" $(x) 日本 [a]*?");
    let inner = repository.path().join("wörk space");
    write(&inner.join("inside"), "");
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "-m", "second"]);
    let quarterdeck = Quarterdeck::with(&["--workspace", inner.to_str().unwrap()]);
    let api = quarterdeck.api();
    let session =
        api.create(&json!({ "name": "s", "branch": "zweig/ä-日本;$(touch${IFS}x)`y`'", "command": shell(SLEEP) }));
    let place = inner.join(".worktrees/s");
    assert_eq!(session["worktreePath"], json!(place));
    assert_eq!(repository.worktrees(), std::slice::from_ref(&place));
    assert_eq!(repository.git_at(&place, &["branch", "--show-current"]), "zweig/ä-日本;$(touch${IFS}x)`y`'");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    fs::write(place.join("ä b"), "").expect("a file");
    let error = api.delete("/api/sessions/s?deleteWorktree=true").error(409, "WORKTREE_DIRTY");
    assert_eq!(error["details"]["changes"][0]["path"], json!("ä b"));
    api.delete("/api/sessions/s?deleteWorktree=true&force=true").json_of(200);
    assert!(!place.exists());
}

#[test]
fn submodules_are_looked_into_before_they_go() {
    let library = Repository::named("library");
    let repository = Repository::new();
    repository.git(&["submodule", "--quiet", "add", &library.arg(), "lib with space"]);
    repository.git(&["commit", "--quiet", "-m", "with a submodule"]);
    let quarterdeck = start(&repository);
    let api = quarterdeck.api();
    let ask = json!({ "name": "s", "branch": "s", "command": shell(SLEEP) });
    let existing = json!({ "name": "s", "existingBranch": "s", "command": shell(SLEEP) });
    let place = repository.place("s");
    let lib = place.join("lib with space");
    api.create(&ask);
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert!(!place.exists());

    api.create(&existing);
    repository.git_at(&place, &["submodule", "--quiet", "update", "--init"]);
    fs::write(lib.join("file"), "changed").expect("a file");
    api.delete("/api/sessions/s?deleteWorktree=true").error(409, "WORKTREE_DIRTY");
    repository.git_at(&lib, &["commit", "--quiet", "-a", "-m", "only here"]);
    let only_here = repository.git_at(&lib, &["rev-parse", "HEAD"]);
    repository.git_at(&lib, &["branch", "kept", &only_here]);
    repository.git_at(&lib, &["checkout", "--quiet", "HEAD~1"]);
    assert_eq!(repository.git_at(&place, &["status", "--porcelain"]), "");
    let error = api.delete("/api/sessions/s?deleteWorktree=true").error(409, "WORKTREE_DIRTY");
    let commit = error["details"]["commits"][0].as_str().expect("a commit");
    assert!(commit.starts_with("lib with space: ") && commit.ends_with("only here"), "{commit}");
    repository.git_at(&lib, &["push", "--quiet", "origin", "kept"]);
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert!(!place.exists());
}

#[test]
fn two_who_want_the_same_branch_at_once_get_one_session() {
    let repository = Repository::new();
    let quarterdeck = start(&repository);
    let asked = |body: Value| {
        let api = quarterdeck.api();
        std::thread::spawn(move || api.post("/api/sessions", &body))
    };
    let both = ["a", "b"].map(|name| asked(json!({ "name": name, "branch": "same", "command": shell(SLEEP) })));
    let mut statuses: Vec<_> = both.into_iter().map(|thread| thread.join().expect("an answer").status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(repository.worktrees().len(), 1);

    let both = ["x", "y"].map(|branch| asked(json!({ "name": "one", "branch": branch, "command": shell(SLEEP) })));
    let mut statuses: Vec<_> = both.into_iter().map(|thread| thread.join().expect("an answer").status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!((repository.worktrees().len(), repository.branches().len()), (2, 3));

    // Without names, each gets one of its own, also beside sessions without.
    let bodies = [json!({ "branch": "p", "command": shell(SLEEP) }), json!({ "command": shell(SLEEP) })];
    let answers = bodies.map(asked).map(|thread| thread.join().expect("an answer").json_of(201));
    let mut names = answers.map(|answer| answer["session"]["name"].as_str().expect("a name").to_owned());
    names.sort();
    assert_eq!(names, ["session-1", "session-2"]);
    let full = quarterdeck.api().post("/api/sessions", &json!({ "branch": "full" })).error(409, "MAX_SESSIONS");
    assert_eq!(full["message"], json!("Maximum 4 sessions supported. Destroy a session to create a new one."));
    assert!(!repository.branches().contains(&"full".to_owned()));
}
