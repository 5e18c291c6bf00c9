//! Whose size the session has.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::keys::is_report;
use super::tty;
use super::wire::Command;

/// How long a program gets to see the size it is shown in between.
const REDRAW: Duration = Duration::from_millis(60);

/// The sizes of the session and of the user's terminal.
#[derive(Debug)]
pub struct Sizes {
    /// The session's, as far as we know.
    session: (u16, u16),
    commands: UnboundedSender<Command>,
    /// Whether ours counts at all.
    counts: bool,
}

impl Sizes {
    /// For who has a say, or has none.
    pub fn new(commands: UnboundedSender<Command>, counts: bool) -> Self {
        Self { session: (0, 0), commands, counts }
    }

    fn ours(&self) -> Option<(u16, u16)> {
        tty::size().filter(|_| self.counts)
    }

    fn ask(&self, (cols, rows): (u16, u16)) {
        // A wire that is gone has told why.
        let _ = self.commands.send(Command::Resize(cols, rows));
    }

    /// The session has this size now.
    pub fn told(&mut self, size: (u16, u16)) {
        self.session = size;
    }

    /// Gives the session our size; whether that changes it.
    pub fn take(&mut self) -> bool {
        let Some(ours) = self.ours() else { return false };
        self.ask(ours);
        std::mem::replace(&mut self.session, ours) != ours
    }

    /// Of several clients the one that is typed at has the right size. What the
    /// terminal says by itself counts for nothing: two of them, each answering
    /// what the program asks after each change, would never come to rest.
    pub fn claim(&mut self, typed: &[u8]) {
        if self.session != (0, 0) && self.ours().is_some_and(|ours| ours != self.session) && !is_report(typed) {
            self.take();
        }
    }

    /// Lets the program draw again: it is shown another size for a moment.
    pub fn redraw(&self) {
        let Some((cols, rows)) = self.ours().filter(|(_, rows)| *rows > 1) else { return };
        self.ask((cols, rows - 1));
        let commands = self.commands.downgrade();
        tokio::spawn(async move {
            tokio::time::sleep(REDRAW).await;
            if let (Some(commands), Some((cols, rows))) = (commands.upgrade(), tty::size()) {
                let _ = commands.send(Command::Resize(cols, rows));
            }
        });
    }
}
