//! Asking the scheduler for latency, `sched_setattr(2)`.

/// `struct sched_attr`, first published version (48 bytes).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Children start with the default slice again.
const RESET_ON_FORK: u64 = 1;

/// The shortest slice the kernel takes, in nanoseconds.
const SLICE: u64 = 100_000;

/// Asks for short turns on the processor, for this thread.
///
/// Moving a key's echo takes microseconds; a program that floods uses whole
/// slices of some milliseconds. With a short slice the scheduler (EEVDF, Linux
/// 6.12 and later) lets this thread in as soon as it wakes; its share of the
/// processor stays the same, so nobody is treated unfairly and no privilege is
/// needed. Older kernels ignore the wish, and a refusal changes nothing.
pub fn prefer_short_slices() {
    let mut attr = SchedAttr::default();
    let size = u32::try_from(size_of::<SchedAttr>()).unwrap_or(48);
    // SAFETY: the kernel writes at most `size` bytes into our own structure.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size, 0) };
    if got != 0 {
        return;
    }
    attr.size = size;
    attr.flags |= RESET_ON_FORK;
    attr.runtime = SLICE;
    // SAFETY: the kernel only reads the structure, whose size it is told.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
}
