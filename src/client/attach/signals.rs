//! The signals that matter to who holds a terminal.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// End; the signal's number.
    End(u8),
    /// The terminal has another size.
    Resize,
    /// Stop, as a shell's job.
    Stop,
    /// It goes on after having been stopped.
    Continue,
}

/// The signals, caught.
#[derive(Debug)]
pub struct Signals {
    caught: [(Signal, Wish); 7],
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    /// What `sigaction(2)` returns.
    pub fn catch() -> io::Result<Self> {
        let on = |kind, wish| Ok::<_, io::Error>((signal(kind)?, wish));
        let end = |number: i32| on(SignalKind::from_raw(number), Wish::End(u8::try_from(number).unwrap_or(0)));
        Ok(Self {
            caught: [
                end(libc::SIGTERM)?,
                end(libc::SIGINT)?,
                end(libc::SIGHUP)?,
                end(libc::SIGQUIT)?,
                on(SignalKind::window_change(), Wish::Resize)?,
                on(SignalKind::from_raw(libc::SIGTSTP), Wish::Stop)?,
                on(SignalKind::from_raw(libc::SIGCONT), Wish::Continue)?,
            ],
        })
    }

    /// The next one. May be dropped at any time.
    pub async fn next(&mut self) -> Wish {
        std::future::poll_fn(|context| {
            for (signal, wish) in &mut self.caught {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*wish);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Stops this process the way SIGTSTP would, and returns when it goes on.
pub fn stop() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}
