//! A command behind an init: ours by any of its names, or a real tini or
//! dumb-init, with what it says in files of a directory of its own.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use tempfile::TempDir;

use super::process::{children, marked, stat};
use super::{eventually, pid1};

const BINARY: &str = env!("CARGO_BIN_EXE_quarterdeck");

/// Which program stands before the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// `quarterdeck init --no-api`.
    Alone,
    /// Ours, called by this name.
    Named(&'static str),
    /// The real one of this name.
    Real(&'static str),
}

/// The real tini, and ours by each of its names.
pub const TINI: [Init; 3] = [Init::Real("tini"), Init::Named("tini"), Init::Named("docker-init")];
/// The same of dumb-init.
pub const DUMB_INIT: [Init; 2] = [Init::Real("dumb-init"), Init::Named("dumb-init")];

impl Init {
    fn command(self, dir: &Path) -> (PathBuf, &'static [&'static str]) {
        match self {
            Self::Alone => (BINARY.into(), &["init", "--no-api"]),
            Self::Named(name) => {
                let link = dir.join(name);
                symlink(BINARY, &link).expect("a symbolic link");
                (link, &[])
            }
            Self::Real(name) => {
                let path = ["/usr/bin", "/bin", "/sbin"].map(|dir| Path::new(dir).join(name));
                let found = path.into_iter().find(|path| path.exists());
                (found.unwrap_or_else(|| panic!("the real {name} is needed to compare with: install it")), &[])
            }
        }
    }
}

/// How to start it.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub init: Init,
    /// Its flags.
    pub flags: &'a [&'a str],
    pub env: &'a [(&'a str, &'a str)],
    /// As PID 1 of a namespace.
    pub first: bool,
    /// Shell commands that run before in the process that becomes init.
    pub before: &'a str,
    /// File for standard input, in the directory; none for /dev/null.
    pub input: Option<&'a [u8]>,
}

impl<'a> Start<'a> {
    pub fn of(init: Init, flags: &'a [&'a str]) -> Self {
        Self { init, flags, env: &[], first: false, before: "", input: None }
    }

    /// As PID 1.
    pub fn first(self) -> Self {
        Self { first: true, ..self }
    }

    /// Starts `command` behind it.
    pub fn run(self, command: &[&str]) -> Stead {
        let dir = tempfile::Builder::new().prefix("quarterdeck-").tempdir().expect("a temporary directory");
        let mut child = self.command(dir.path(), command);
        if self.first {
            pid1::contain(&mut child);
        }
        let (child, contained) = match child.spawn() {
            Ok(child) => (child, self.first),
            Err(_) if self.first && !Uid::effective().is_root() => {
                fs::remove_dir_all(dir.path()).and_then(|()| fs::create_dir(dir.path())).expect("an empty directory");
                (self.command(dir.path(), command).spawn().expect("the init starts"), false)
            }
            Err(e) => panic!("{:?} does not start: {e}", self.init),
        };
        let relay = i32::try_from(child.id()).expect("a process id");
        // A command that ends at once leaves no PID 1 to be found, and its
        // test does not ask for one.
        let pid = if contained { children(relay).pop().unwrap_or(relay) } else { relay };
        Stead { dir, child, pid, code: None }
    }

    fn command(&self, dir: &Path, words: &[&str]) -> Command {
        let (program, args) = self.init.command(dir);
        let mut command = if self.before.is_empty() {
            Command::new(program)
        } else {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &format!("{}; exec \"$0\" \"$@\"", self.before)]).arg(program);
            shell
        };
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        command.args(args).args(self.flags);
        if !words.is_empty() {
            command.arg("--").args(words);
        }
        command.env_clear().env("PATH", path).env("HOME", dir).env("LANG", "C").envs(self.env.iter().copied());
        let file = |name| Stdio::from(File::create(dir.join(name)).expect("a file"));
        let input = self.input.map_or_else(Stdio::null, |bytes| {
            fs::write(dir.join("input"), bytes).expect("a file");
            File::open(dir.join("input")).expect("a file").into()
        });
        with_default_signals(&mut command);
        command.current_dir(dir).stdin(input).stdout(file("out")).stderr(file("err"));
        command
    }
}

/// Starts `command` with no signal ignored: a shell ignores some for what runs in
/// its background, and glibc's `posix_spawn(3)` the signals 32 and 33.
#[allow(unsafe_code)]
pub fn with_default_signals(command: &mut Command) {
    let default = [0u64; 4];
    let reset = move || {
        for number in 1..=64 {
            // SAFETY: the kernel reads an all-zero sigaction of its own form.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), std::ptr::null::<u64>(), 8) };
        }
        Ok(())
    };
    // SAFETY: one system call for each, between fork and exec.
    unsafe { command.pre_exec(reset) };
}

/// A running init with its command.
pub struct Stead {
    dir: TempDir,
    child: Child,
    /// Process id of the init, as this test sees it.
    pub pid: i32,
    code: Option<i32>,
}

impl Stead {
    /// The init's only child.
    pub fn main(&self) -> i32 {
        eventually("the init has a child", || children(self.pid).first().copied())
    }

    /// A file in the directory both were started in; empty if it is not there.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join(name)).unwrap_or_default()).into_owned()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Waits until the file holds this text.
    #[track_caller]
    pub fn wait_for(&self, name: &str, text: &str) {
        eventually(&format!("{name} holds {text:?}"), || self.read(name).contains(text).then_some(()));
    }

    /// Sends the init any signal.
    #[allow(unsafe_code)]
    pub fn signal(&self, number: i32) {
        // SAFETY: kill(2) with integers; nix has no real-time signals.
        assert_eq!(unsafe { libc::kill(self.pid, number) }, 0, "the init is there to be signalled");
    }

    /// Waits for the end; 128 plus the number stands for a signal that killed
    /// the init itself.
    pub fn wait(&mut self) -> i32 {
        let status = eventually("the init ends", || self.child.try_wait().expect("waitpid"));
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        self.code = Some(code);
        code
    }

    /// `S`, `T`, or `Z`, or `-` when it is gone.
    pub fn state(pid: i32) -> char {
        stat(pid).map_or('-', |stat| stat.state)
    }
}

impl Drop for Stead {
    fn drop(&mut self) {
        // Whatever was started below it, also what it has left behind.
        let mark = format!("HOME={}", self.dir.path().display());
        eventually("nothing of this test is left", || {
            let left = marked(&mark);
            for (pid, _) in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            left.is_empty().then_some(())
        });
        if self.code.is_none() {
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- out\n{}\n--- err\n{}\n---", self.read("out"), self.read("err"));
        }
    }
}

/// Runs `command` behind an init to its end and gives code, output and errors.
pub fn run(start: Start<'_>, command: &[&str]) -> (i32, String, String) {
    let mut stead = start.run(command);
    (stead.wait(), stead.read("out"), stead.read("err"))
}

/// A command that writes the number of each signal it gets, one a line, into
/// the file `signals`, in the order they arrive in, and ends on none.
pub fn recorder() -> [&'static str; 3] {
    ["perl", "-e", RECORDER]
}

const RECORDER: &str = r#"
use POSIX; use IO::Handle;
open my $o, '>>', 'signals'; $o->autoflush(1);
my $all = POSIX::SigSet->new;
$all->fillset;
for my $n (1 .. 31, 34 .. 64) {
  next if $n == SIGKILL or $n == SIGSTOP or $n == SIGCHLD;
  POSIX::sigaction($n, POSIX::SigAction->new(sub { print $o "$n\n" }, $all)) or die "no $n";
}
print $o "ready\n";
select undef, undef, undef, 3600 while 1;
"#;

/// Every signal that a process can catch and that is not about its children.
pub fn catchable() -> impl Iterator<Item = i32> {
    (1..=31).chain(34..=64).filter(|n| ![libc::SIGKILL, libc::SIGSTOP, libc::SIGCHLD].contains(n))
}
