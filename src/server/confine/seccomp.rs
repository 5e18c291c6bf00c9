//! System calls, `seccomp(2)`: a list of those that the server makes.
//!
//! What is not on the list answers `ENOSYS`, as on a kernel that does not have
//! it: a newer C library then falls back on an older call instead of ending the
//! server. What only somebody who took the server over would try ends it.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Reading, writing and waiting.
const DATA: &[c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_pipe2,
];

/// Connections that init listens for.
const SOCKETS: &[c_long] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
];

/// Files; which ones is Landlock's affair.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstatfs,
    libc::SYS_statfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fadvise64,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
];

/// Memory, threads and time.
const SELF: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
];

/// Names of calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Nothing of ours and nothing of the C library's has a use for these.
const HOSTILE: &[c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_open_tree,
    libc::SYS_open_by_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
];

#[cfg(target_arch = "x86_64")]
const OLD_HOSTILE: &[c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const OLD_HOSTILE: &[c_long] = &[];

/// `ioctl(2)` requests: is it a terminal, its groups and size, how much there is
/// to read.
#[allow(clippy::unnecessary_cast, reason = "the C library musl has another type for them")]
const IOCTLS: &[u64] = &[
    libc::TCGETS as u64,
    libc::TIOCGPGRP as u64,
    libc::TIOCGSID as u64,
    libc::TIOCGWINSZ as u64,
    libc::FIONREAD as u64,
    libc::FIOCLEX as u64,
];

/// `prctl(2)` options: names of threads and of memory.
const PRCTLS: &[i32] = &[libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];

/// `fcntl(2)` commands: copies of descriptors, and what they are.
const FCNTLS: &[i32] =
    &[libc::F_DUPFD, libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_GET_SEALS];

/// Whether, and how, a read or write waits or somebody is signalled instead.
const WAITS: i32 = libc::O_NONBLOCK | libc::O_ASYNC;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Restricts this thread and those it starts.
///
/// # Errors
/// What making or installing a filter returns.
pub fn restrict() -> Result<(), String> {
    // Both are made before the first is in force.
    let (deadly, allowed) = (deadly()?, allowed()?);
    for filter in [deadly, allowed] {
        seccompiler::apply_filter(&filter).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn arch() -> Result<TargetArch, String> {
    std::env::consts::ARCH.try_into().map_err(|_| format!("there is no filter for {}", std::env::consts::ARCH))
}

fn program(rules: Rules, otherwise: SeccompAction, action: SeccompAction) -> Result<BpfProgram, String> {
    let filter = SeccompFilter::new(rules, otherwise, action, arch()?).map_err(|e| e.to_string())?;
    filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())
}

fn deadly() -> Result<BpfProgram, String> {
    let rules = [HOSTILE, OLD_HOSTILE].concat().into_iter().map(|call| (call, Vec::new())).collect();
    program(rules, SeccompAction::Allow, SeccompAction::KillProcess)
}

fn allowed() -> Result<BpfProgram, String> {
    let always = [DATA, SOCKETS, FILES, SELF, OLD].concat();
    let mut rules: Rules = always.into_iter().map(|call| (call, Vec::new())).collect();
    let conditional = conditional().map_err(|e| e.to_string())?;
    rules.extend(conditional);
    let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    program(rules, missing, SeccompAction::Allow)
}

/// Calls of which only some uses are ours.
fn conditional() -> Result<Rules, seccompiler::BackendError> {
    use SeccompCmpArgLen::{Dword, Qword};
    let rule = |conditions| SeccompRule::new(conditions);
    let is = |at, value: u64| SeccompCondition::new(at, Dword, SeccompCmpOp::Eq, value);
    let has = |at, mask: u64, value: u64| SeccompCondition::new(at, Qword, SeccompCmpOp::MaskedEq(mask), value);
    let bits = |flags: i32| u64::from(flags.unsigned_abs());
    let own = u64::from(std::process::id());
    // A thread, and never a process. clone3(2), whose flags no filter can see,
    // answers that it does not exist.
    let thread = bits(libc::CLONE_THREAD | libc::CLONE_VM);
    // No memory that is code and was not so when this began.
    let code = bits(libc::PROT_EXEC);
    let any_of = |at, values: Vec<u64>| -> Result<Vec<_>, _> {
        values.into_iter().map(|value| rule(vec![is(at, value)?])).collect()
    };
    // Terminals and eventfds are open in init, too, which would wait for ever if
    // it had to wait for one of them.
    let mut fcntls = any_of(1, FCNTLS.iter().map(|command| bits(*command)).collect())?;
    fcntls.push(rule(vec![is(1, bits(libc::F_SETFL))?, has(2, bits(WAITS), bits(libc::O_NONBLOCK))?])?);
    Ok(Rules::from([
        (libc::SYS_fcntl, fcntls),
        (libc::SYS_clone, vec![rule(vec![has(0, thread, thread)?])?]),
        (libc::SYS_mmap, vec![rule(vec![has(2, code, 0)?])?]),
        (libc::SYS_mprotect, vec![rule(vec![has(2, code, 0)?])?]),
        // abort(3) signals its own thread.
        (libc::SYS_tgkill, vec![rule(vec![is(0, own)?])?]),
        // Its own limits, which it can only lower.
        (libc::SYS_prlimit64, vec![rule(vec![is(0, 0)?])?, rule(vec![is(0, own)?])?]),
        (libc::SYS_ioctl, any_of(1, IOCTLS.to_vec())?),
        (libc::SYS_prctl, any_of(0, PRCTLS.iter().map(|option| bits(*option)).collect())?),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_can_be_made_and_no_call_is_in_both() {
        assert!(deadly().is_ok() && allowed().is_ok());
        let mut all = [DATA, SOCKETS, FILES, SELF, OLD, HOSTILE, OLD_HOSTILE].concat();
        all.extend(conditional().unwrap().into_keys());
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_thread_under_the_filters_starts_threads_and_no_processes() {
        let confined = std::thread::spawn(|| {
            restrict().unwrap();
            let inner = std::thread::spawn(|| 7).join().unwrap();
            let file = std::fs::read("/proc/self/stat").is_ok();
            (inner, file, std::net::TcpListener::bind("127.0.0.1:0").unwrap_err().raw_os_error())
        });
        assert_eq!(confined.join().unwrap(), (7, true, Some(libc::ENOSYS)));
    }
}
