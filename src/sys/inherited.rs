//! What this process was started with, noted before anything changes it.
//!
//! The language runtime ignores SIGPIPE, catches SIGSEGV and SIGBUS and opens
//! /dev/null for closed standard descriptors before `main` begins. A program
//! that stands in for us is to start with none of that, so a constructor looks
//! first: the dynamic linker, or the C library's start code in a static binary,
//! calls what `.init_array` lists before the runtime.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Linux has signals 1 to 64.
pub(super) const SIGNALS: i32 = 64;

/// The C library's `struct sigaction` can't name signals 32 and 33, the kernel's
/// can: handler, flags, restorer, mask.
pub(super) type KernelAction = [u64; 4];

static MASK: AtomicU64 = AtomicU64::new(0);
static IGNORED: AtomicU64 = AtomicU64::new(0);
static CLOSED: AtomicU32 = AtomicU32::new(0);

// Miri runs constructors but knows none of these system calls.
#[cfg_attr(not(miri), used)]
#[cfg_attr(not(miri), unsafe(link_section = ".init_array"))]
#[cfg_attr(miri, allow(dead_code))]
static NOTE: extern "C" fn() = note;

/// Signal state and standard descriptors as a process starts with them. After
/// exec a signal is at its default or ignored, never caught (`execve(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Blocked signals; bit 0 is signal 1.
    pub mask: u64,
    /// Ignored signals, likewise.
    pub ignored: u64,
    /// Which of the descriptors 0, 1 and 2 are closed; bit 0 is descriptor 0.
    pub closed: u32,
}

/// What this process was started with.
#[must_use]
pub fn inherited() -> Inherited {
    Inherited {
        mask: MASK.load(Ordering::Relaxed),
        ignored: IGNORED.load(Ordering::Relaxed),
        closed: CLOSED.load(Ordering::Relaxed),
    }
}

/// Runs once, before the runtime and on the only thread.
extern "C" fn note() {
    let mut mask = 0u64;
    // SAFETY: with no new set the kernel only writes the eight bytes of ours.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, ptr::null::<u64>(), &raw mut mask, 8) };
    MASK.store(mask, Ordering::Relaxed);
    let mut ignored = 0;
    for signal in 1..=SIGNALS {
        let mut action: KernelAction = [0; 4];
        // SAFETY: with no new action the kernel only writes its own form of a
        // sigaction, at most 32 bytes, into ours.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, ptr::null::<u64>(), action.as_mut_ptr(), 8) };
        if action[0] == libc::SIG_IGN as u64 {
            ignored |= 1 << (signal - 1);
        }
    }
    IGNORED.store(ignored, Ordering::Relaxed);
    let mut closed = 0;
    for fd in 0..3 {
        // SAFETY: fcntl(2) with integers; a closed number fails with EBADF.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            closed |= 1 << fd;
        }
    }
    CLOSED.store(closed, Ordering::Relaxed);
}

/// The environment, entry by entry as it came, also what is no `NAME=value`.
#[must_use]
pub fn environment() -> Vec<CString> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    let mut all = Vec::new();
    // SAFETY: the C library's variable, which nothing here ever changes.
    let mut at = unsafe { environ };
    while !at.is_null() {
        // SAFETY: a null-terminated array, not left before its null.
        let entry = unsafe { *at };
        if entry.is_null() {
            break;
        }
        // SAFETY: each entry is a C string that lives as long as the process.
        all.push(unsafe { CStr::from_ptr(entry) }.to_owned());
        // SAFETY: the null was not reached, so there is a next element.
        at = unsafe { at.add(1) };
    }
    all
}
