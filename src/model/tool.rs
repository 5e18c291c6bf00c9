//! The short programs that init runs for the server, and what they may be told.
//!
//! Init checks every command against [`is_permitted`]: through an option of its
//! choice (`-c alias.x=!…`, `--exec-path`, `--upload-pack`) git would run any
//! program, outside every session.

/// Before every command: nothing is started that outlives it, and nobody reads
/// its output but us.
pub const GIT: [&str; 11] = [
    "git",
    "--no-pager",
    "--no-optional-locks",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "color.ui=false",
];

/// For a repository whose working tree is not where it says.
pub const HERE: [&str; 2] = ["--git-dir=.", "--work-tree=."];

/// Most words of a command, and most bytes of all of them.
const WORDS_MAX: usize = 64;
const BYTES_MAX: usize = 32 * 1024;

/// What each command may be told before a `--`. A word that ends in `=` stands
/// for all that begin so; what is no option is a name or a path to git.
const COMMANDS: [(&str, &[&str]); 10] = [
    ("config", &["--local", "--remove-section"]),
    ("for-each-ref", &["--format="]),
    (
        "log",
        &["--format=", "--no-show-signature", "--max-count=", "--not", "--branches", "--tags", "--remotes", "--glob="],
    ),
    ("ls-files", &["--error-unmatch"]),
    (
        "rev-parse",
        &[
            "--is-bare-repository",
            "--is-inside-git-dir",
            "--show-prefix",
            "--git-path",
            "--verify",
            "--quiet",
            "--absolute-git-dir",
        ],
    ),
    ("show-ref", &["--verify", "--quiet"]),
    ("status", &["--porcelain=", "-z", "--untracked-files=", "--ignore-submodules=", "--no-renames"]),
    ("submodule", &["--recursive"]),
    ("update-ref", &["-d"]),
    ("worktree", &["--quiet", "--no-track", "--track", "-b", "--force", "--porcelain"]),
];

/// Whether this is one of the commands that the server has a use for.
#[must_use]
pub fn is_permitted(argv: &[String]) -> bool {
    let bytes: usize = argv.iter().map(String::len).sum();
    if argv.len() > WORDS_MAX || bytes > BYTES_MAX || !begins_with(argv, &GIT) {
        return false;
    }
    let rest = &argv[GIT.len()..];
    let rest = if begins_with(rest, &HERE) { &rest[HERE.len()..] } else { rest };
    let Some((command, words)) = rest.split_first() else { return false };
    let Some((_, options)) = COMMANDS.iter().find(|(name, _)| name == command) else { return false };
    let first = words.first().map(String::as_str);
    match command.as_str() {
        // What `git submodule foreach` runs is a shell command.
        "submodule" if first != Some("status") => return false,
        // What is set there may name programs.
        "config" if !begins_with(words, &["--local", "--remove-section"]) => return false,
        _ => {}
    }
    let before = words.iter().take_while(|word| *word != "--");
    before.filter(|word| word.starts_with('-')).all(|word| options.iter().any(|option| is_it(word, option)))
}

fn is_it(word: &str, option: &str) -> bool {
    if option.ends_with('=') { word.starts_with(option) } else { word == option }
}

fn begins_with(words: &[String], start: &[&str]) -> bool {
    words.len() >= start.len() && words.iter().zip(start).all(|(word, other)| word == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(words: &[&str]) -> bool {
        let argv: Vec<String> = GIT.iter().chain(words).map(|word| (*word).to_owned()).collect();
        is_permitted(&argv)
    }

    #[test]
    fn what_the_server_asks_for_is_permitted() {
        assert!(permits(&["worktree", "list", "--porcelain"]));
        assert!(permits(&["worktree", "add", "--quiet", "--no-track", "-b", "x", "--", "/w/.worktrees/x", "abc"]));
        assert!(permits(&["--git-dir=.", "--work-tree=.", "log", "--format=%h %s", "--max-count=21", "HEAD", "--"]));
        assert!(permits(&["config", "--local", "--remove-section", "branch.x"]));
        assert!(permits(&["submodule", "status", "--recursive"]));
        assert!(permits(&["worktree", "remove", "--force", "--", "-c"]), "behind the dashes it is a path");
    }

    #[test]
    fn nothing_that_would_run_another_program_is_permitted() {
        for words in [
            &["-c", "alias.x=!sh", "x"][..],
            &["--exec-path=/tmp", "status"],
            &["--git-dir=.", "--work-tree=.", "-c", "alias.x=!sh", "x"],
            &["--git-dir=/tmp/x", "status"],
            &["submodule", "foreach", "sh"],
            &["submodule", "--recursive", "foreach", "sh"],
            &["submodule"],
            &["clone", "--upload-pack=sh", "x"],
            &["log", "--ext-diff", "-p"],
            &["log", "--output=/etc/passwd"],
            &["config", "--global", "x.y", "z"],
            &["config", "--local", "--edit"],
            &["config", "core.pager", "sh"],
            &["config", "--local", "core.pager", "sh"],
            &["grep", "-O", "sh"],
            &["x"],
            &[],
        ] {
            assert!(!permits(words), "{words:?}");
        }
        let bare = |words: &[&str]| is_permitted(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert!(!bare(&[]) && !bare(&["git", "status"]) && !bare(&["sh", "-c", "true"]));
    }

    #[test]
    fn a_command_without_end_is_not_permitted() {
        let words = vec!["x"; WORDS_MAX];
        assert!(!permits(&[&["log"], words.as_slice()].concat()));
        assert!(!permits(&["log", &"x".repeat(BYTES_MAX)]));
    }
}
