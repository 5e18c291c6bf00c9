//! Everything that can be in the way of a worktree: a clear error, and nothing
//! is left of what was begun.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::unistd::Uid;
use serde_json::{Value, json};

use crate::support::payload::shell;
use crate::support::repository::{Repository, executable};
use crate::support::{Api, Quarterdeck, Setup, process};

const SLEEP: &str = "exec sleep 1000";

/// Asks for a session `s` on the new branch `b`, which must be refused.
#[track_caller]
fn refused(api: &Api, status: u16, code: &str, words: &[&str]) -> Value {
    refused_for(api, &json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }), status, code, words)
}

#[track_caller]
fn refused_for(api: &Api, request: &Value, status: u16, code: &str, words: &[&str]) -> Value {
    let error = api.post("/api/sessions", request).error(status, code);
    let told = format!("{} {}", error["message"], error["suggestion"]);
    for word in words {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    assert!(error["suggestion"].as_str().is_some_and(|text| text.ends_with('.')), "{error}");
    assert_eq!(api.get("/api/sessions").json_of(200)["sessions"], json!([]));
    error
}

/// A `git` that runs these shell words before the real one.
fn wrapped_git(dir: &Path, words: &str) -> String {
    let real = std::env::split_paths(&std::env::var_os("PATH").expect("PATH"))
        .map(|dir| dir.join("git"))
        .find(|path| path.exists())
        .expect("git");
    executable(&dir.join("git"), &format!("{words}\nexec {} \"$@\"", real.display()));
    format!("{}:{}", dir.display(), std::env::var("PATH").expect("PATH"))
}

#[test]
fn a_workspace_that_has_no_use_for_worktrees() {
    let repository = Repository::empty("empty");
    let at = |path: &str| Quarterdeck::with(&["--workspace", path]);
    {
        let quarterdeck = at(&repository.arg());
        refused(&quarterdeck.api(), 409, "NO_COMMITS", &[&repository.arg(), "Commit something first"]);
        repository.git(&["commit", "--quiet", "--allow-empty", "-m", "first"]);
        quarterdeck.api().create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    }
    let bare = repository.path().with_extension("bare");
    repository.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let inside = repository.path().join(".git");
    for path in [bare, inside] {
        let quarterdeck = at(path.to_str().unwrap());
        refused(&quarterdeck.api(), 409, "BARE_REPOSITORY", &["Use a clone"]);
        assert!(!path.join(".worktrees").exists());
    }
    // Its directory is no repository, nor is any above it.
    let quarterdeck = Quarterdeck::start();
    let workspace = quarterdeck.dir().canonicalize().expect("a directory");
    let workspace = workspace.to_str().unwrap();
    refused(&quarterdeck.api(), 409, "NOT_A_REPOSITORY", &[workspace, "git init"]);
    // A session without a worktree is none the worse for it.
    let id = quarterdeck.api().shell(SLEEP);
    let done = quarterdeck.api().delete(&format!("/api/sessions/{id}?deleteWorktree=true&force=true")).json_of(200);
    assert_eq!(done, json!({ "success": true }));
}

#[test]
fn names_that_git_could_misunderstand_never_get_to_it() {
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    let branches = [
        "--upload-pack=x",
        "-b",
        "-",
        "--",
        "../x",
        "a/../../x",
        "/etc",
        "a b",
        "",
        "HEAD",
        "@{-1}",
        "x.lock",
        "\0",
        "a\nb",
    ];
    for branch in branches {
        for request in [
            json!({ "name": "s", "branch": branch }),
            json!({ "name": "s", "existingBranch": branch }),
            json!({ "name": "s", "branch": branch, "existingBranch": true }),
        ] {
            let error = refused_for(&api, &request, 400, "INVALID_REQUEST", &["can't be the name of a branch"]);
            assert!(error["message"].as_str().unwrap().contains(&format!("{branch:?}")), "{error}");
        }
    }
    for name in ["../x", "-b/c", "a b", ".", "..", "a/b"] {
        let error = api.post("/api/sessions", &json!({ "name": name, "branch": "b" })).error(400, "INVALID_NAME");
        assert!(error["suggestion"].is_string());
    }
    for cwd in ["..", "/", "/etc", "folder/../.."] {
        let request = json!({ "name": "s", "branch": "b", "cwd": cwd });
        refused_for(&api, &request, 400, "INVALID_REQUEST", &["not inside the session's worktree"]);
    }
    for request in [
        json!({ "existingBranch": true }),
        json!({ "branch": "a", "existingBranch": "b" }),
        json!({ "branch": true }),
        json!({ "existingBranch": 7 }),
    ] {
        refused_for(&api, &request, 400, "INVALID_REQUEST", &[]);
    }
    repository.assert_untouched();
    // A name that looks like an option is one of a session all the same.
    let session = api.create(&json!({ "name": "--force", "branch": "b", "command": shell(SLEEP) }));
    assert_eq!(session["worktreePath"], json!(repository.place("--force")));
    api.delete("/api/sessions/--force?deleteWorktree=true").json_of(200);
    assert_eq!(repository.worktrees().len(), 0);
}

/// What the model takes for a branch is what git takes for one.
#[test]
fn the_rules_for_branches_are_those_of_git() {
    let repository = Repository::new();
    let mut random = fastrand::Rng::with_seed(7);
    let pieces = [
        "a", "ä", "/", ".", "..", "-", "@", "{", "@{", ".lock", "~", "^", ":", "?", "*", "[", "\\", " ", "\t", "\x7f",
        "'", "HEAD",
    ];
    for _ in 0..400 {
        let text: String = (0..random.usize(1..5)).map(|_| pieces[random.usize(..pieces.len())]).collect();
        let ours = quarterdeck::model::worktree::BranchName::try_from(text.clone());
        // Git would make a branch of this name, and then take it for HEAD.
        if text == "@" {
            continue;
        }
        let gits =
            repository.command(repository.path(), &["check-ref-format", "--branch", &text]).output().expect("git");
        assert_eq!(ours.is_ok(), gits.status.success(), "{text:?}: {ours:?}, git says {gits:?}");
    }
}

#[test]
fn things_in_the_way_are_named_and_left_alone() {
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    let all = repository.path().join(".worktrees");
    let elsewhere = quarterdeck.dir().join("elsewhere");
    fs::create_dir(&elsewhere).expect("a directory");

    symlink(&elsewhere, &all).expect("a link");
    refused(&api, 409, "WORKTREE_PATH_TAKEN", &["A symbolic link is in the way", all.to_str().unwrap()]);
    fs::remove_file(&all).expect("a link");
    fs::write(&all, "").expect("a file");
    refused(&api, 409, "WORKTREE_PATH_TAKEN", &["A file is in the way", all.to_str().unwrap()]);
    fs::remove_file(&all).expect("a file");
    fs::create_dir(&all).expect("a directory");
    let place = repository.place("s");
    symlink(&elsewhere, &place).expect("a link");
    refused(&api, 409, "WORKTREE_PATH_TAKEN", &["A symbolic link", place.to_str().unwrap()]);
    fs::remove_file(&place).expect("a link");
    fs::create_dir(&place).expect("a directory");
    fs::write(place.join("mine"), "").expect("a file");
    refused(&api, 409, "WORKTREE_PATH_TAKEN", &["Something is in the way", place.to_str().unwrap()]);
    assert!(place.join("mine").exists());
    assert_eq!(fs::read_dir(&elsewhere).map(Iterator::count).ok(), Some(0), "git was led out of the workspace");
    fs::remove_file(place.join("mine")).expect("a file");

    // An empty directory is in nobody's way.
    api.create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    repository.git(&["branch", "-D", "b"]);

    // Where a branch would need a directory, and the other way round.
    repository.git(&["branch", "x"]);
    let request = json!({ "name": "s", "branch": "x/y", "command": shell(SLEEP) });
    refused_for(&api, &request, 409, "BRANCH_EXISTS", &["'refs/heads/x' exists"]);
    repository.git(&["branch", "-D", "x"]);

    let lock = repository.path().join(".git/refs/heads/b.lock");
    fs::write(&lock, "").expect("a file");
    let error = refused(&api, 409, "REPOSITORY_LOCKED", &["Another git", lock.to_str().unwrap(), "remove"]);
    assert_eq!(error["details"]["file"], json!(lock));
    fs::remove_file(&lock).expect("a file");
    repository.assert_untouched();
}

#[test]
fn a_worktree_whose_directory_is_gone() {
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    let ask = json!({ "name": "s", "existingBranch": "b", "command": shell(SLEEP) });
    api.create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    fs::remove_dir_all(repository.place("s")).expect("a directory");
    api.remove("s");
    api.create(&ask);
    assert!(repository.place("s").join("file").exists(), "it was made again");

    fs::remove_dir_all(repository.place("s")).expect("a directory");
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert_eq!(repository.worktrees().len(), 0);

    api.create(&ask);
    repository.git(&["worktree", "remove", "--force", repository.place("s").to_str().unwrap()]);
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);

    // Without its .git nobody knows what the rest is.
    api.create(&ask);
    fs::remove_file(repository.place("s").join(".git")).expect("a file");
    let error = api.delete("/api/sessions/s?deleteWorktree=true").error(409, "WORKTREE_BROKEN");
    assert!(error["suggestion"].as_str().unwrap().contains("repair"), "{error}");
    assert_eq!(api.session("s")["status"], json!("active"));
    assert!(repository.place("s").join("file").exists());
    api.remove("s");
    refused_for(&api, &ask, 409, "WORKTREE_BROKEN", &["repair", repository.place("s").to_str().unwrap()]);
}

#[test]
fn a_worktree_that_others_hold_is_not_deleted() {
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    let place = repository.place("s");
    let at = place.to_str().unwrap();
    api.create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    repository.git(&["worktree", "lock", "--reason", "on a stick", at]);
    for query in ["deleteWorktree=true", "deleteWorktree=true&force=true"] {
        let error = api.delete(&format!("/api/sessions/s?{query}")).error(409, "WORKTREE_LOCKED");
        assert!(error["message"].as_str().unwrap().contains("on a stick"), "{error}");
    }
    repository.git(&["worktree", "unlock", at]);
    api.create(&json!({ "name": "guest", "cwd": place.join("folder"), "command": shell(SLEEP) }));
    let error = api.delete("/api/sessions/s?deleteWorktree=true").error(409, "WORKTREE_IN_USE");
    assert_eq!(error["details"]["session"], json!("guest"));
    api.remove("guest");
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert!(!place.exists());
}

#[test]
fn a_start_that_fails_leaves_neither_worktree_nor_branch() {
    let repository = Repository::new();
    repository.hook("post-checkout", "echo generated >generated");
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    for (request, stage) in [
        (json!({ "name": "s", "branch": "b", "command": ["/no/such"] }), "exec"),
        (json!({ "name": "s", "branch": "b", "command": shell(SLEEP), "cwd": "no/such" }), "chdir"),
    ] {
        let error = refused_for(&api, &request, 422, "SPAWN_FAILED", &[]);
        assert_eq!(error["details"]["stage"], json!(stage));
        repository.assert_untouched();
        assert_eq!(fs::read_dir(quarterdeck.dir().join("worktrees")).map(Iterator::count).ok(), Some(0));
    }
}

#[test]
fn hooks_run_as_a_user_expects_and_may_fail() {
    let repository = Repository::new();
    repository.hook("post-checkout", "pwd >hooked; tty >>hooked; env >>hooked; exit 3");
    let env = [("GIT_DIR", "/nowhere"), ("GIT_WORK_TREE", "/nowhere"), ("GIT_INDEX_FILE", "/x"), ("LC_ALL", "de_DE")];
    let secret = [("QUARTERDECK_LOG_LEVEL", "info")];
    let env: Vec<_> = env.into_iter().chain(secret).collect();
    let quarterdeck =
        Quarterdeck::launch(&Setup { args: &["--workspace", &repository.arg()], env: &env, ..Setup::default() });
    let api = quarterdeck.api();
    api.create(&json!({ "name": "s", "branch": "b", "command": shell(SLEEP) }));
    let place = repository.place("s");
    let told = fs::read_to_string(place.join("hooked")).expect("the hook ran");
    assert!(told.starts_with(&format!("{}\nnot a tty\n", place.display())), "{told}");
    for line in told.lines() {
        assert!(
            !line.contains("nowhere") && !line.starts_with("QUARTERDECK") && !line.starts_with("LC_ALL=de"),
            "{line}"
        );
    }
    let log = quarterdeck.log().wait_for_message("A hook of the repository failed in a new worktree");
    assert_eq!(log["worktree"], json!(place));
}

#[test]
fn a_hook_that_never_ends_is_ended() {
    let repository = Repository::new();
    repository.hook("post-checkout", "trap '' TERM HUP; while :; do sleep 0.1; done");
    let env = [("QUARTERDECK_TEST_TOOL_TIME", "500")];
    let quarterdeck =
        Quarterdeck::launch(&Setup { args: &["--workspace", &repository.arg()], env: &env, ..Setup::default() });
    refused(&quarterdeck.api(), 422, "GIT_TIMEOUT", &["git worktree add", "hook"]);
    repository.assert_untouched();
    let hooks = process::with_argument(repository.path().join(".git/hooks/post-checkout").to_str().unwrap());
    assert_eq!(hooks, Vec::<i32>::new());
}

#[test]
fn without_git_or_where_it_does_not_trust() {
    let repository = Repository::new();
    let dir = tempfile::tempdir().expect("a directory");
    let args = ["--workspace", &repository.arg()];
    {
        let empty = dir.path().join("empty");
        let path = empty.to_str().unwrap();
        let quarterdeck = Quarterdeck::launch(&Setup { args: &args, env: &[("PATH", path)], ..Setup::default() });
        refused(&quarterdeck.api(), 422, "GIT_MISSING", &["Git is not installed", "Install git"]);
    }
    {
        // Git's own way to test this.
        let path = wrapped_git(&dir.path().join("a"), "export GIT_TEST_ASSUME_DIFFERENT_OWNER=1");
        let quarterdeck = Quarterdeck::launch(&Setup { args: &args, env: &[("PATH", &path)], ..Setup::default() });
        refused(&quarterdeck.api(), 409, "REPOSITORY_NOT_TRUSTED", &["safe.directory", &repository.arg()]);
    }
    {
        let path = wrapped_git(&dir.path().join("b"), "case \"$*\" in *worktree\\ add*) kill -9 $$;; esac");
        let quarterdeck = Quarterdeck::launch(&Setup { args: &args, env: &[("PATH", &path)], ..Setup::default() });
        refused(&quarterdeck.api(), 422, "GIT_FAILED", &["git worktree add", "was killed"]);
    }
    {
        let words =
            "case \"$*\" in *worktree\\ add*) head -c 300000 /dev/zero >&2; echo 'fatal: odd' >&2; exit 9;; esac";
        let path = wrapped_git(&dir.path().join("c"), words);
        let quarterdeck = Quarterdeck::launch(&Setup { args: &args, env: &[("PATH", &path)], ..Setup::default() });
        refused(&quarterdeck.api(), 422, "GIT_FAILED", &["git worktree add"]);
    }
    repository.assert_untouched();
}

#[test]
fn what_cannot_be_written() {
    if !Uid::effective().is_root() {
        let repository = Repository::new();
        let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
        let api = quarterdeck.api();
        let mode = |mode| fs::set_permissions(repository.path(), fs::Permissions::from_mode(mode)).expect("a mode");
        mode(0o555);
        refused(&api, 422, "NOT_PERMITTED", &["does not allow"]);
        mode(0o755);
        repository.assert_untouched();
    }
    let repository = Repository::new();
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    fs::write(quarterdeck.dir().join("worktrees"), "").expect("a file");
    refused(&quarterdeck.api(), 503, "STATE_UNAVAILABLE", &["worktrees/s.", "--state-dir"]);
    repository.assert_untouched();
}

/// The workspace is a file system of its own with room for the repository, and
/// not for another copy of its file.
#[test]
fn a_full_disk() {
    let repository = Repository::new();
    let big = "x".repeat(1 << 20);
    let noise: String = (0..1 << 20).map(|_| fastrand::alphanumeric()).collect();
    repository.write("big", &(big + &noise));
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "-m", "big"]);
    let args = ["--workspace", "/mnt"];
    let before = format!("mount -t tmpfs -o size=4m none /mnt && cp -a '{}/.' /mnt", repository.arg());
    let quarterdeck = Quarterdeck::launch(&Setup { args: &args, pid1: true, before: &before, ..Setup::default() });
    if !quarterdeck.contained {
        return;
    }
    let api = quarterdeck.api();
    refused(&api, 503, "DISK_FULL", &["The disk is full", "big", "Free space"]);
    let script = "cd /mnt; ls -A .worktrees; git worktree list | wc -l; git --no-pager branch --list b; exit 0";
    let id = api.shell(script);
    api.wait_for(&id, "done", |session| session["outputComplete"] == json!(true));
    let output = api.get(&format!("/api/sessions/{id}/output")).bytes_of(200);
    assert_eq!(String::from_utf8_lossy(&output), "1\r\n", "nothing is left of it");
}
