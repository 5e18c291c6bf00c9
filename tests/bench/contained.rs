//! A program as PID 1 of namespaces of its own, and the load it is put under.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

/// Longest wait for what a load tells.
const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with the load program and the FIFO that it tells its figures to.
pub struct Bench {
    dir: tempfile::TempDir,
    fifo: File,
}

impl Bench {
    /// Compiles the load program.
    pub fn prepare() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/load.c");
        let compiled =
            Command::new("cc").args(["-O2", "-static", "-o"]).arg(dir.path().join("load")).arg(source).status();
        assert!(compiled.expect("cc(1)").success(), "the load program does not compile");
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
        // Open for writing too, or it would be at its end whenever nobody writes.
        let fifo = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).expect("a FIFO");
        Self { dir, fifo }
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The load program with this work to do.
    pub fn load(&self, work: &str) -> [String; 2] {
        let (program, fifo) = (self.path("load"), self.path("fifo"));
        [program.display().to_string(), format!("{work} {}", fifo.display())]
    }

    /// The next figures that the load tells.
    pub fn told<const N: usize>(&mut self) -> [u64; N] {
        let mut bytes = vec![0; N * 8];
        let (mut filled, until) = (0, Instant::now() + PATIENCE);
        while filled < bytes.len() {
            match self.fifo.read(&mut bytes[filled..]) {
                Ok(n) => filled += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_micros(500)),
                Err(e) => panic!("the FIFO: {e}"),
            }
            assert!(Instant::now() < until, "the load told nothing within {PATIENCE:?}");
        }
        let (numbers, _) = bytes.as_chunks::<8>();
        std::array::from_fn(|n| u64::from_ne_bytes(numbers[n]))
    }
}

/// PID 1 of its own PID and mount namespaces, killed when dropped.
pub struct Contained {
    pid: Pid,
    /// When it was executed, on the monotonic clock.
    pub executed: u64,
    is_gone: bool,
}

impl Contained {
    /// Executes a command as PID 1. Needs root.
    #[allow(unsafe_code)]
    pub fn start(command: &[String]) -> Self {
        let words: Vec<CString> = command.iter().map(|word| CString::new(word.as_str()).expect("no NUL")).collect();
        let mut argv: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
        argv.push(std::ptr::null());
        let null = File::options().read(true).write(true).open("/dev/null").expect("/dev/null");
        let (mut clock, clock_of_child) = std::io::pipe().expect("a pipe");
        let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::SIGCHLD;
        // SAFETY: as fork(2), in a process with one thread.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
        if pid == 0 {
            become_first(&null, clock_of_child, &argv);
        }
        drop(clock_of_child);
        assert!(pid > 0, "namespaces need root: {}", std::io::Error::last_os_error());
        let mut executed = [0; 8];
        clock.read_exact(&mut executed).expect("the child says when it executes");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id"));
        Self { pid, executed: u64::from_ne_bytes(executed), is_gone: false }
    }

    /// Sends TERM and waits until the whole namespace is gone.
    pub fn terminate(mut self) -> Duration {
        let begin = Instant::now();
        kill(self.pid, Signal::SIGTERM).expect("PID 1");
        waitpid(self.pid, None).expect("its end");
        self.is_gone = true;
        begin.elapsed()
    }

    /// Resident memory in KiB, to the page: all of it, and the anonymous part.
    /// Its child may run before it has finished its own start, so this waits
    /// until it sleeps.
    pub fn resident(&self) -> (u64, u64) {
        let sleeps = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("PID 1 lives");
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
        };
        while !sleeps() {
            std::thread::sleep(Duration::from_micros(500));
        }

        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).expect("PID 1 lives");
        let kib = |name: &str| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        (kib("Rss:"), kib("Anonymous:"))
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        if !self.is_gone {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Nanoseconds on the monotonic clock.
#[allow(unsafe_code)]
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the struct that it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The child's way from clone to exec: system calls only.
#[allow(unsafe_code)]
fn become_first(null: &File, mut clock: std::io::PipeWriter, argv: &[*const libc::c_char]) -> ! {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let none: Option<&str> = None;
    let is_ready = mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .and_then(|()| mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none));
    for fd in 0..3 {
        // SAFETY: both are open descriptors.
        unsafe { libc::dup2(null.as_raw_fd(), fd) };
    }
    if is_ready.is_ok() && clock.write_all(&now().to_ne_bytes()).is_ok() {
        // SAFETY: argv ends with a null pointer and its strings live.
        unsafe { libc::execv(argv[0], argv.as_ptr()) };
    }
    // SAFETY: ends the process without running what belongs to the parent.
    unsafe { libc::_exit(125) }
}
