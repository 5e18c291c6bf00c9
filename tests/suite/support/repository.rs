//! A git repository to work in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A repository with one commit, in a directory of its own.
pub struct Repository {
    home: TempDir,
    path: PathBuf,
}

impl Repository {
    pub fn new() -> Self {
        Self::named("repository")
    }

    /// With a directory of this name.
    pub fn named(name: &str) -> Self {
        let this = Self::empty(name);
        this.write("file", "one\n");
        this.write("folder/inner", "two\n");
        this.git(&["add", "."]);
        this.git(&["commit", "--quiet", "-m", "first"]);
        this
    }

    /// Without any commit.
    pub fn empty(name: &str) -> Self {
        let home = tempfile::Builder::new().prefix("quarterdeck-git-").tempdir().expect("a temporary directory");
        // Git tells real paths.
        let path = home.path().canonicalize().expect("a real path").join(name);
        fs::create_dir(&path).expect("a directory");
        let this = Self { home, path };
        this.git(&["init", "--quiet", "--initial-branch=main"]);
        this
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as a flag's value.
    pub fn arg(&self) -> String {
        self.path.to_str().expect("a path in UTF-8").to_owned()
    }

    /// Where the worktree of the session `name` belongs.
    pub fn place(&self, name: &str) -> PathBuf {
        self.path.join(".worktrees").join(name)
    }

    pub fn write(&self, file: &str, text: &str) {
        write(&self.path.join(file), text);
    }

    /// Makes a hook.
    pub fn hook(&self, name: &str, script: &str) {
        executable(&self.path.join(".git/hooks").join(name), script);
    }

    /// Git in the repository, which has to succeed; what it printed.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        self.git_at(&self.path, args)
    }

    /// The same in another directory.
    #[track_caller]
    pub fn git_at(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.command(dir, args).output().expect("git");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {args:?} in {}: {errors}", dir.display());
        String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
    }

    /// Git with nobody's settings.
    pub fn command(&self, dir: &Path, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        git.args(["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "protocol.file.allow=always"]);
        git.args(args).current_dir(dir).env_clear().env("PATH", path).env("HOME", self.home.path()).env("LC_ALL", "C");
        git.stdin(Stdio::null());
        git
    }

    /// Directories of all worktrees but the main one.
    pub fn worktrees(&self) -> Vec<PathBuf> {
        let text = self.git(&["worktree", "list", "--porcelain"]);
        text.lines().filter_map(|line| line.strip_prefix("worktree ")).skip(1).map(PathBuf::from).collect()
    }

    pub fn branches(&self) -> Vec<String> {
        let text = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
        text.lines().map(str::to_owned).collect()
    }

    /// Asserts that there is the main worktree and its branch, and nothing else.
    #[track_caller]
    pub fn assert_untouched(&self) {
        assert_eq!(self.worktrees(), Vec::<PathBuf>::new());
        assert_eq!(self.branches(), ["main"]);
        let left: Vec<_> = fs::read_dir(self.path.join(".worktrees"))
            .map(|entries| entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
            .unwrap_or_default();
        assert_eq!(left, Vec::<PathBuf>::new());
    }
}

/// Writes a file and the directories above it.
pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
    fs::write(path, text).expect("a file");
}

/// Makes a shell script.
pub fn executable(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    write(path, &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("permissions");
}
