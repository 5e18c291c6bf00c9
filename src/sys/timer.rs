//! An alarm that somebody else keeps pushing ahead, `timerfd_create(2)`.
//!
//! Both processes hold the same timer. The one that is watched sets it anew
//! again and again, and the other is woken only when that has stopped: no
//! wake-ups for as long as all is well.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

/// Makes a timer that is off, on the monotonic clock, and closed on exec.
///
/// # Errors
/// What `timerfd_create(2)` returns, e.g. `EMFILE`.
pub fn create() -> io::Result<OwnedFd> {
    Ok(timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?)
}

/// Makes `timer` readable after `time`, and not before, whatever was set.
///
/// # Errors
/// What `timerfd_settime(2)` returns: `timer` is none.
pub fn push(timer: impl AsFd, time: Duration) -> io::Result<()> {
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let value = Timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: zero, it_value: value })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll::{PollFd, PollFlags, wait};

    #[test]
    fn it_rings_when_nobody_pushes_it() {
        let timer = create().unwrap();
        let is_over = |patience| {
            let mut fds = [PollFd::new(&timer, PollFlags::IN)];
            wait(&mut fds, patience).unwrap();
            !fds[0].revents().is_empty()
        };
        push(&timer, Duration::from_secs(60)).unwrap();
        assert!(!is_over(Some(Duration::ZERO)));
        push(&timer, Duration::from_millis(1)).unwrap();
        assert!(is_over(None));
        push(&timer, Duration::from_secs(60)).unwrap();
        assert!(!is_over(Some(Duration::ZERO)));
    }
}
