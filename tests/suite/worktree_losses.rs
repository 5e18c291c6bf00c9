//! Work that git itself would let go with a worktree.

use std::fs;

use serde_json::{Value, json};

use crate::support::Quarterdeck;
use crate::support::http::Api;
use crate::support::payload::shell;
use crate::support::repository::Repository;

const SLEEP: &str = "exec sleep 1000";

fn start(repository: &Repository) -> (Quarterdeck, Api) {
    let quarterdeck = Quarterdeck::with(&["--workspace", &repository.arg()]);
    let api = quarterdeck.api();
    api.create(&json!({ "name": "s", "branch": "s", "command": shell(SLEEP) }));
    (quarterdeck, api)
}

/// The first commit that is named in a refusal, after which the session goes on.
#[track_caller]
fn refused(api: &Api) -> (Value, Value) {
    let error = api.delete("/api/sessions/s?deleteWorktree=true").error(409, "WORKTREE_DIRTY");
    assert_eq!(api.session("s")["status"], json!("active"));
    (error["details"]["changes"].clone(), error["details"]["commits"].clone())
}

#[track_caller]
fn assert_commit(commits: &Value, prefix: &str, subject: &str) {
    let commit = commits[0].as_str().unwrap_or_default();
    assert!(commit.starts_with(prefix) && commit.ends_with(subject), "{commits}");
}

/// Git refuses to guess whether HEAD is the file or the commit.
#[test]
fn commits_beside_a_file_named_head() {
    let repository = Repository::new();
    repository.write("HEAD", "a file\n");
    repository.git(&["add", "HEAD"]);
    repository.git(&["commit", "--quiet", "-m", "a file named HEAD"]);
    let (_quarterdeck, api) = start(&repository);
    let place = repository.place("s");
    repository.git_at(&place, &["checkout", "--quiet", "--detach"]);
    repository.git_at(&place, &["commit", "--quiet", "--allow-empty", "-m", "only here"]);
    assert_commit(&refused(&api).1, "", "only here");
}

/// A submodule that is not checked out any more still has its repository.
#[test]
fn commits_of_a_submodule_that_is_put_away() {
    let (one, two) = (Repository::named("one"), Repository::named("two"));
    let repository = Repository::new();
    repository.git(&["branch", "without"]);
    for library in [&one, &two] {
        let name = library.path().file_name().and_then(|name| name.to_str()).expect("a name");
        repository.git(&["submodule", "--quiet", "add", &library.arg(), name]);
    }
    repository.git(&["commit", "--quiet", "-m", "with submodules"]);
    let (_quarterdeck, api) = start(&repository);
    let place = repository.place("s");
    repository.git_at(&place, &["submodule", "--quiet", "update", "--init"]);
    let two = place.join("two");
    repository.git_at(&two, &["checkout", "--quiet", "-b", "kept"]);
    repository.git_at(&two, &["commit", "--quiet", "--allow-empty", "-m", "only here"]);
    repository.git_at(&two, &["checkout", "--quiet", "HEAD~1"]);
    repository.git_at(&place, &["submodule", "--quiet", "deinit", "--force", "two"]);
    assert_commit(&refused(&api).1, "two: ", "only here");
    // And where no submodule is left in sight.
    repository.git_at(&place, &["submodule", "--quiet", "deinit", "--force", "--all"]);
    repository.git_at(&place, &["checkout", "--quiet", "without"]);
    assert_commit(&refused(&api).1, "two: ", "only here");
}

/// Agents make worktrees of their own, in directories that are ignored.
#[test]
fn work_in_a_worktree_within() {
    let repository = Repository::new();
    repository.write(".gitignore", ".agent/\n");
    repository.git(&["add", "."]);
    repository.git(&["commit", "--quiet", "-m", "ignore"]);
    let (_quarterdeck, api) = start(&repository);
    let place = repository.place("s");
    let inner = place.join(".agent/inner");
    repository.git_at(&place, &["worktree", "add", "--quiet", "-b", "inner", ".agent/inner"]);
    fs::write(inner.join("new"), "").expect("a file");
    assert_eq!(refused(&api).0, json!([{ "status": "??", "path": ".agent/inner/new" }]));
    fs::remove_file(inner.join("new")).expect("the file");
    repository.git_at(&inner, &["checkout", "--quiet", "--detach"]);
    repository.git_at(&inner, &["commit", "--quiet", "--allow-empty", "-m", "only here"]);
    assert_commit(&refused(&api).1, ".agent/inner/: ", "only here");
    repository.git_at(&inner, &["checkout", "--quiet", "inner"]);
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert!(!place.exists());
}

/// Its commits are in the main repository, but nothing else knows them.
#[test]
fn commits_of_a_worktree_that_was_removed_by_hand() {
    let repository = Repository::new();
    let (_quarterdeck, api) = start(&repository);
    let place = repository.place("s");
    repository.git_at(&place, &["checkout", "--quiet", "--detach"]);
    repository.git_at(&place, &["commit", "--quiet", "--allow-empty", "-m", "only here"]);
    let commit = repository.git_at(&place, &["rev-parse", "HEAD"]);
    fs::remove_dir_all(&place).expect("the worktree");
    assert_commit(&refused(&api).1, "", "only here");
    repository.git(&["branch", "kept", &commit]);
    api.delete("/api/sessions/s?deleteWorktree=true").json_of(200);
    assert_eq!(repository.worktrees().len(), 0);
}
