//! What init without an API says: next to nothing, in its log's form.

use super::alone::{Event, Voice};
use super::main_command::{End, MainCommand};

/// Log lines on standard error.
#[derive(Debug)]
pub struct Log {
    /// Whether to tell of every orphan reaped.
    pub warn_on_reap: bool,
}

impl Voice for Log {
    fn tell(&self, event: Event<'_>) {
        match event {
            Event::Reaped(pid, _, false) if self.warn_on_reap => {
                tracing::warn!(pid = pid.raw(), "Reaped a process that was left to init");
            }
            Event::Ended(main, End::Failed(failure)) => {
                tracing::error!(exitCode = main.exit_code(End::Failed(failure)), "{}", main.explain(failure));
            }
            Event::Ended(main, End::Ran(status)) => tracing::debug!(command = main.name, ?status, "Main command ended"),
            Event::Blocking(processes) => tracing::warn!(processes, "Killing what did not end in time"),
            _ => {}
        }
    }

    fn exit_code(&self, main: &MainCommand, end: End) -> u8 {
        main.exit_code(end)
    }
}
