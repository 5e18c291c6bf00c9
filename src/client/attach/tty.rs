//! The user's terminal, and how to leave it as it was found.
//!
//! What has to be put back is kept in one place for the whole process, because
//! it must also happen when something panics. It is done once, by whoever comes
//! first.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// How long a terminal that takes nothing is waited for.
const STUCK: Timespec = Timespec { tv_sec: 0, tv_nsec: 300_000_000 };

/// What has to be put back.
static BEFORE: Mutex<Before> = Mutex::new(Before { modes: None, farewell: Vec::new() });

struct Before {
    /// How standard input was set, while it is set otherwise.
    modes: Option<Termios>,
    /// What undoes what was written to the terminal.
    farewell: Vec<u8>,
}

fn before() -> MutexGuard<'static, Before> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Columns and rows of the terminal that the output goes to, or the keys come
/// from. None while there is no terminal, or it has no size yet, as that of
/// `docker exec` for a moment.
pub fn size() -> Option<(u16, u16)> {
    let size = if io::stdout().is_terminal() { tcgetwinsize(stdout()) } else { tcgetwinsize(stdin()) }.ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (size.ws_col.min(1000), size.ws_row.min(1000)))
}

/// The user's terminal in our hands. Dropping it puts everything back.
#[derive(Debug)]
pub struct Hold(());

impl Hold {
    /// Takes the terminal, as far as there is one.
    ///
    /// # Errors
    /// What reading and changing its modes returns.
    pub fn take(raw: bool) -> io::Result<Self> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let tell = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                put_back();
                tell(info);
            }));
        });
        let hold = Self(());
        if raw {
            hold.make_raw()?;
        }
        Ok(hold)
    }

    /// Every key comes as it is typed and nothing is made of it. Reading never
    /// waits, so that a terminal read by somebody else too can't stop us.
    ///
    /// # Errors
    /// What reading and changing the modes returns.
    pub fn make_raw(&self) -> io::Result<()> {
        if !io::stdin().is_terminal() {
            return Ok(());
        }
        let found = tcgetattr(stdin())?;
        let mut raw = found.clone();
        raw.make_raw();
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        before().modes.get_or_insert(found);
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(())
    }

    /// What to write to the terminal at the end.
    pub fn farewell(&self, bytes: Vec<u8>) {
        before().farewell = bytes;
    }

    /// Puts everything back for now.
    pub fn release(&self) {
        put_back();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        put_back();
    }
}

fn put_back() {
    let (modes, farewell) = {
        let mut before = before();
        (before.modes.take(), std::mem::take(&mut before.farewell))
    };
    if !farewell.is_empty() && io::stdout().is_terminal() && takes_output() {
        // A terminal that is gone needs nothing put back.
        let mut out = io::stdout();
        let _ = out.write_all(&farewell).and_then(|()| out.flush());
    }
    if let Some(modes) = modes {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
    }
}

/// Whether the terminal takes something soon; one that was stopped may not.
fn takes_output() -> bool {
    let out = stdout();
    let mut fds = [PollFd::new(&out, PollFlags::OUT)];
    poll(&mut fds, Some(&STUCK)).is_ok_and(|ready| ready > 0)
}
