//! What undoes what the program did to the user's terminal, at any moment.
//!
//! What was received is not yet written, and may never be. So what undoes
//! everything received is said behind what undoes everything written.

use std::collections::VecDeque;

use super::tty::Hold;

/// The farewell as of each offset that matters.
#[derive(Debug, Default)]
pub struct Farewell {
    written: Vec<u8>,
    /// Behind which offset what will be needed, oldest first.
    later: VecDeque<(u64, Vec<u8>)>,
}

impl Farewell {
    /// Behind the output up to `offset` this is needed.
    pub fn received(&mut self, offset: u64, undo: Vec<u8>, hold: &Hold) {
        self.later.push_back((offset, undo));
        self.hand_over(hold);
    }

    /// The output up to `offset` is written.
    pub fn written(&mut self, offset: u64, hold: &Hold) {
        let passed = self.later.iter().take_while(|(end, _)| *end <= offset).count();
        let latest = self.later.drain(..passed).next_back();
        if let Some((_, undo)) = latest {
            self.written = undo;
            self.hand_over(hold);
        }
    }

    /// Tells the terminal's holder, who has it said even in a panic.
    pub fn hand_over(&self, hold: &Hold) {
        let latest = self.later.back().map_or(&[][..], |(_, undo)| undo);
        hold.farewell([&self.written, latest].concat());
    }
}
