//! `fork(2)` to `execve(2)`: the one place where a process is made.
//!
//! The caller is single-threaded, and still the child does as little as it can
//! before exec: everything it needs is prepared by the parent, and it makes
//! only async-signal-safe calls (`signal-safety(7)`), allocates nothing, and
//! ends in exec or `_exit`. A failure travels as stage and errno over a
//! close-on-exec pipe; the pipe's end-of-file means that the kernel accepted
//! the program.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use rustix::pipe::{PipeFlags, pipe_with};

use crate::model::spec::{SpawnFailure, SpawnStage};
use crate::sys::inherited::Inherited;
use crate::sys::oom::OomScore;
use crate::sys::place::{Place, close_again, take};
use crate::sys::process::Pid;
use crate::sys::rights::{self, Identity};
use crate::sys::service::DescriptorLimit;
use crate::sys::signals;
use crate::sys::tag::Tag;

/// Everything a child needs, in the form the kernel wants it.
#[derive(Debug)]
pub struct Program {
    /// Paths to try in order, as `execvp(3)` would along PATH.
    pub candidates: Vec<CString>,
    /// Program name and arguments.
    pub argv: Vec<CString>,
    /// `NAME=value`.
    pub envp: Vec<CString>,
    /// Directory to start in, if not the parent's.
    pub cwd: Option<CString>,
    /// Limit of open descriptors to start with.
    pub limit: DescriptorLimit,
    /// What it and all its descendants are known by.
    pub marks: Marks,
    /// Who it is to be, if not the parent's user.
    pub user: Option<Identity>,
}

/// What a process passes on to its descendants without knowing.
#[derive(Debug, Default)]
pub struct Marks {
    /// The tag.
    pub tag: Option<Tag>,
    /// Its place in the order of those who are killed for memory.
    pub oom_score: Option<OomScore>,
    /// The cgroup (version 2) to be born in.
    pub cgroup: Option<OwnedFd>,
}

/// Which descriptors the child keeps.
#[derive(Clone, Copy, Debug)]
pub enum Stdio<'fd> {
    /// A terminal as 0, 1 and 2; it becomes the controlling terminal.
    Terminal(BorrowedFd<'fd>),
    /// Null as 0, the second one as 1 and 2, or the parent's stderr, and the
    /// first as 3; without any capability or way to get one.
    Service(BorrowedFd<'fd>, Option<BorrowedFd<'fd>>),
    /// Null as 0, and these as 1 and 2; in a kernel session of its own, so that
    /// it leads a process group and nothing it runs can ask at a terminal.
    Tool(BorrowedFd<'fd>, BorrowedFd<'fd>),
    /// All that this process has and that is not close-on-exec, with signals,
    /// umask and closed descriptors as given: a program in our stead.
    Own(Inherited, Place),
}

/// A child between fork and exec.
#[derive(Debug)]
pub struct Child {
    /// Its process id.
    pub pid: Pid,
    /// Readable when the outcome is known, see [`outcome`].
    pub report: OwnedFd,
}

/// First descriptor number a [`Stdio::Service`] child finds its link at.
pub const SERVICE_FD: RawFd = 3;

/// Runs a script that names no interpreter, as `execvp(3)` does.
const SHELL: &CStr = c"/bin/sh";

/// What a login shell starts with.
const UMASK: libc::mode_t = 0o022;

/// Of `linux/sched.h`; the child starts in the cgroup of `clone_args`.
const CLONE_INTO_CGROUP: u64 = 1 << 33;

/// Forks and starts `program`.
///
/// # Errors
/// The stage that failed in the parent. Failures in the child come from
/// [`outcome`].
pub fn spawn(program: &Program, stdio: Stdio<'_>) -> Result<Child, SpawnFailure> {
    let at = |stage| move |e: io::Error| SpawnFailure { stage, errno: e.raw_os_error().unwrap_or(libc::EIO) };
    let (report, child_report) =
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|e| at(SpawnStage::Resources)(e.into()))?;
    let null = match stdio {
        Stdio::Service(..) | Stdio::Tool(..) => Some(open_null().map_err(at(SpawnStage::Resources))?),
        Stdio::Terminal(_) | Stdio::Own(..) => None,
    };
    let mut script = script(&program.argv);
    let prepared = Prepared {
        argv: pointers(&program.argv),
        envp: pointers(&program.envp),
        script: Cell::from_mut(script.as_mut_slice()).as_slice_of_cells(),
        program,
        stdio,
        null: null.as_ref().map_or(-1, AsRawFd::as_raw_fd),
        report: child_report.as_raw_fd(),
    };
    let cgroup = program.marks.cgroup.as_ref();
    let _lent = program.marks.oom_score.and_then(OomScore::lend);
    let born_in_cgroup = cgroup.and_then(clone_into);
    // SAFETY: this process has one thread (init's design), so the child is a
    // whole copy in which no lock can be held by a thread that is gone.
    let forked = born_in_cgroup.unwrap_or_else(|| unsafe { libc::fork() });
    if forked == 0 && born_in_cgroup.is_none() {
        cgroup.map(move_into);
    }
    match forked {
        0 => prepared.become_program(),
        -1 => Err(at(SpawnStage::Fork)(io::Error::last_os_error())),
        pid => match Pid::new(pid) {
            Some(pid) => Ok(Child { pid, report }),
            None => Err(SpawnFailure { stage: SpawnStage::Fork, errno: libc::EIO }),
        },
    }
}

/// Moves the calling process; it waits until all processors agree, which
/// [`clone_into`] spares it.
fn move_into(cgroup: &OwnedFd) {
    // SAFETY: openat(2) of a constant path below a descriptor of ours.
    let file = unsafe { libc::openat(cgroup.as_raw_fd(), c"cgroup.procs".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC) };
    // SAFETY: write(2) of a constant; 0 means the writer. Without the right to
    // it the program still starts.
    unsafe { libc::write(file, c"0".as_ptr().cast(), 1) };
}

/// `clone3(2)` as a fork into a cgroup; none where it is not to be had: before
/// Linux 5.7, under a seccomp profile that does not know or allow it, for a
/// cgroup that takes no processes.
fn clone_into(cgroup: &OwnedFd) -> Option<libc::pid_t> {
    // SAFETY: all zero is a valid clone_args: no flags, no stack of its own.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = CLONE_INTO_CGROUP;
    args.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    args.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    // SAFETY: as for fork(2): without CLONE_VM the child is a copy of this
    // process, which has one thread. It does not run the C library's fork
    // handlers, and makes no call that would need them before it execs.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    libc::pid_t::try_from(pid).ok().filter(|pid| *pid >= 0)
}

/// What became of a child, once its report is readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not known yet.
    Pending,
    /// The kernel accepted the program (or the child was killed before, which
    /// its exit status then tells).
    Started,
    /// A step failed; the child ends by itself.
    Failed(SpawnFailure),
}

/// Reads a child's report without waiting.
#[must_use]
pub fn outcome(report: &OwnedFd) -> Outcome {
    let mut bytes = [0u8; 5];
    match rustix::io::read(report, &mut bytes) {
        Ok(5) => {
            let stage = SpawnStage::ALL.get(usize::from(bytes[0])).copied().unwrap_or(SpawnStage::Exec);
            let errno = i32::from_ne_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
            Outcome::Failed(SpawnFailure { stage, errno })
        }
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Outcome::Pending,
        Ok(_) | Err(_) => Outcome::Started,
    }
}

/// Closes `fd` in a child made for it, so that whatever closing it waits for, it
/// is not this process that waits. The child is reaped like any other.
pub fn close_elsewhere(fd: OwnedFd) {
    let Ok((gone, here)) = pipe_with(PipeFlags::CLOEXEC) else { return };
    // SAFETY: as in spawn: this process has one thread.
    if unsafe { libc::fork() } != 0 {
        // Where no process can be made it is closed here.
        return drop(fd);
    }
    drop(here);
    // The end of file comes when the parent has closed its `fd`, so that the
    // one of this child is the last.
    let _ = rustix::io::read(&gone, &mut [0u8; 1]);
    // SAFETY: as in `become_program`. The kernel closes what is open.
    unsafe { libc::_exit(0) }
}

fn open_null() -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC;
    Ok(rustix::fs::open("/dev/null", flags, 0.into())?)
}

/// A null-terminated array of pointers into `strings`.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

/// `sh PATH ARG...`, null-terminated, with the path still to come.
fn script(argv: &[CString]) -> Vec<*const c_char> {
    let args = argv.iter().skip(1).map(|s| s.as_ptr());
    [SHELL.as_ptr(), ptr::null()].into_iter().chain(args).chain([ptr::null()]).collect()
}

/// The child's view: raw numbers and pointers only.
struct Prepared<'a> {
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    /// What to run if the candidate that is put into it is a script that names
    /// no interpreter.
    script: &'a [Cell<*const c_char>],
    program: &'a Program,
    stdio: Stdio<'a>,
    null: RawFd,
    report: RawFd,
}

impl Prepared<'_> {
    /// Runs in the child; never returns to the copy of the parent's code.
    fn become_program(&self) -> ! {
        let (stage, errno) = match self.try_become_program() {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        let position = SpawnStage::ALL.iter().position(|s| *s == stage).unwrap_or(0);
        let code = errno.to_ne_bytes();
        #[allow(clippy::cast_possible_truncation, reason = "there are nine stages")]
        let bytes = [position as u8, code[0], code[1], code[2], code[3]];
        // SAFETY: write(2) of five bytes of our own stack.
        unsafe { libc::write(self.report, bytes.as_ptr().cast(), bytes.len()) };
        // SAFETY: _exit(2) ends the child without running the parent's atexit
        // handlers or flushing its buffers a second time.
        unsafe { libc::_exit(127) }
    }

    fn try_become_program(&self) -> Result<std::convert::Infallible, (SpawnStage, c_int)> {
        match self.stdio {
            Stdio::Terminal(slave) => {
                new_session()?;
                self.take_terminal(slave.as_raw_fd())?;
            }
            Stdio::Service(link, log) => {
                new_session()?;
                self.take_service(link.as_raw_fd(), log.map_or(2, |log| log.as_raw_fd()))?;
            }
            Stdio::Tool(output, errors) => {
                new_session()?;
                duplicate(self.null, 0)?;
                duplicate(output.as_raw_fd(), 1)?;
                duplicate(errors.as_raw_fd(), 2)?;
                self.close_from(3)?;
            }
            Stdio::Own(inherited, place) => {
                take(place).map_err(|errno| (SpawnStage::Session, errno))?;
                close_again(inherited.closed);
            }
        }
        // setrlimit(2): one system call, no memory. Lowering can't fail.
        let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, self.program.limit.0);
        // Both as far as the rights allow; one system call, and three.
        let _ = self.program.marks.tag.map(Tag::wear);
        let _ = self.program.marks.oom_score.map(OomScore::wear);
        self.take_rights()?;
        if let Stdio::Own(inherited, _) = self.stdio {
            signals::restore(&inherited);
        } else {
            signals::restore(&Inherited::default());
            // SAFETY: umask(2) takes an integer and can't fail.
            unsafe { libc::umask(UMASK) };
        }
        if let Some(cwd) = &self.program.cwd {
            // SAFETY: a C string prepared by the parent.
            check(SpawnStage::WorkingDirectory, unsafe { libc::chdir(cwd.as_ptr()) })?;
        }
        Err((SpawnStage::Exec, self.exec()))
    }

    /// Makes `slave` the controlling terminal and the only open descriptors.
    fn take_terminal(&self, slave: RawFd) -> Result<(), (SpawnStage, c_int)> {
        // SAFETY: TIOCSCTTY takes an integer; 0 means not to steal it.
        check(SpawnStage::ControllingTerminal, unsafe { libc::ioctl(slave, libc::TIOCSCTTY, 0) })?;
        duplicate(slave, 0)?;
        duplicate(slave, 1)?;
        duplicate(slave, 2)?;
        self.close_from(3)
    }

    /// Becomes the user it is to be. A service keeps nothing that it could use
    /// against the parent, whoever it is.
    fn take_rights(&self) -> Result<(), (SpawnStage, c_int)> {
        let refused = |e: io::Error| (SpawnStage::User, e.raw_os_error().unwrap_or(libc::EPERM));
        let is_service = matches!(self.stdio, Stdio::Service(..));
        if is_service {
            rights::forbid_core_files();
            rights::bound_capabilities();
        }
        if let Some(user) = &self.program.user {
            user.assume().map_err(refused)?;
        }
        if is_service { rights::drop_capabilities().map_err(refused) } else { Ok(()) }
    }

    fn take_service(&self, link: RawFd, log: RawFd) -> Result<(), (SpawnStage, c_int)> {
        // Both may sit at a number that is about to be overwritten.
        // SAFETY: fcntl(2) with integers.
        let high = check(SpawnStage::Descriptors, unsafe { libc::fcntl(link, libc::F_DUPFD_CLOEXEC, 10) })?;
        // SAFETY: as above.
        let log = check(SpawnStage::Descriptors, unsafe { libc::fcntl(log, libc::F_DUPFD_CLOEXEC, 10) })?;
        duplicate(self.null, 0)?;
        duplicate(log, 1)?;
        duplicate(log, 2)?;
        duplicate(high, SERVICE_FD)?;
        self.close_from(SERVICE_FD + 1)
    }

    /// Marks everything from `first` on close-on-exec, the report included,
    /// which thereby tells the parent of a successful exec.
    fn close_from(&self, first: RawFd) -> Result<(), (SpawnStage, c_int)> {
        const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
        let first = libc::c_uint::try_from(first).unwrap_or(0);
        // SAFETY: close_range(2) with three integers; by number, because the
        // wrapper is missing in older C libraries.
        let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) };
        if done == 0 {
            return Ok(());
        }
        // Linux before 5.11, or a seccomp profile that does not know the call.
        // SAFETY: sysconf takes an integer.
        let limit = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) }.clamp(256, 65_536);
        for fd in RawFd::try_from(first).unwrap_or(0)..RawFd::try_from(limit).unwrap_or(256) {
            // SAFETY: fcntl(2) with integers; a number that is not open fails
            // with EBADF, which is fine.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        Ok(())
    }

    /// Tries the candidates as `execvp(3)` does; returns only the errno.
    fn exec(&self) -> c_int {
        let mut best = libc::ENOENT;
        for path in &self.program.candidates {
            // SAFETY: null-terminated arrays of C strings that the parent made
            // and this copy of its memory keeps alive.
            unsafe { libc::execve(path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
            match errno() {
                libc::ENOTDIR if self.program.candidates.len() == 1 => return libc::ENOTDIR,
                libc::ENOENT | libc::ENOTDIR => {}
                libc::EACCES => best = libc::EACCES,
                // The API server is no script, whatever lies at its path.
                libc::ENOEXEC if !matches!(self.stdio, Stdio::Service(..)) => {
                    self.script[1].set(path.as_ptr());
                    // SAFETY: as above; the shell's path is a constant, and a
                    // cell is laid out as what is in it.
                    unsafe { libc::execve(SHELL.as_ptr(), self.script.as_ptr().cast(), self.envp.as_ptr()) };
                    return libc::ENOEXEC;
                }
                other => return other,
            }
        }
        best
    }
}

fn new_session() -> Result<(), (SpawnStage, c_int)> {
    // SAFETY: setsid(2) takes nothing. The child is no group leader yet.
    check(SpawnStage::Session, unsafe { libc::setsid() }).map(drop)
}

fn duplicate(from: RawFd, to: RawFd) -> Result<(), (SpawnStage, c_int)> {
    if from == to {
        // SAFETY: fcntl(2) with integers: dup2(2) would leave close-on-exec set.
        return check(SpawnStage::Descriptors, unsafe { libc::fcntl(to, libc::F_SETFD, 0) }).map(drop);
    }
    // SAFETY: dup2(2) with two integers.
    check(SpawnStage::Descriptors, unsafe { libc::dup2(from, to) }).map(drop)
}

fn check(stage: SpawnStage, result: c_int) -> Result<c_int, (SpawnStage, c_int)> {
    if result == -1 { Err((stage, errno())) } else { Ok(result) }
}

fn errno() -> c_int {
    // SAFETY: takes nothing; the pointer is always valid.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: the C library's errno of this, the only thread.
    unsafe { *location }
}
