//! Output that is known beforehand: the program that prints it in a session, and
//! the check of what arrived. Both follow the same generator.

use std::collections::VecDeque;
use std::io::Write;
use std::thread;
use std::time::Duration;

use rustix::termios::{self, OptionalActions};

/// A program's output, in the pieces and with the pauses it comes in.
#[derive(Clone, Debug)]
pub struct Generator {
    seed: u64,
    random: fastrand::Rng,
    line: u64,
    left: u32,
}

impl Generator {
    pub fn new(seed: u64, pieces: u32) -> Self {
        Self { seed, random: fastrand::Rng::with_seed(seed), line: 0, left: pieces }
    }
}

impl Iterator for Generator {
    type Item = (Vec<u8>, Duration);

    /// The next piece, and the pause behind it. No two lines are equal, so that
    /// a piece that is missing, doubled or moved shows.
    fn next(&mut self) -> Option<(Vec<u8>, Duration)> {
        self.left = self.left.checked_sub(1)?;
        // Mostly small and sometimes a burst: about 150 kB/s.
        let lines = if self.random.u32(..40) == 0 { 4000 } else { self.random.u64(1..60) };
        let mut bytes = Vec::new();
        for _ in 0..lines {
            let word = ["ascii", "Grüße", "日本語", "🦀𝄞", "\u{1b}[31mred\u{1b}[0m"][self.random.usize(..5)];
            bytes.extend_from_slice(
                format!("{:x} {} {word} {:x}\n", self.seed, self.line, self.random.u64(..)).as_bytes(),
            );
            self.line += 1;
        }
        Some((bytes, Duration::from_millis(self.random.u64(1..80))))
    }
}

/// Prints it, as the program of a session.
pub fn print(seed: u64, pieces: u32) -> std::io::Result<()> {
    // Otherwise the terminal would turn each newline into two bytes.
    let mut terminal = termios::tcgetattr(std::io::stdin())?;
    terminal.make_raw();
    termios::tcsetattr(std::io::stdin(), OptionalActions::Now, &terminal)?;
    let mut out = std::io::stdout().lock();
    for (bytes, pause) in Generator::new(seed, pieces) {
        out.write_all(&bytes)?;
        out.flush()?;
        thread::sleep(pause);
    }
    Ok(())
}

/// Compares output with what it must be, as it comes.
pub struct Check {
    generator: Generator,
    expected: VecDeque<u8>,
    /// Bytes that were right so far.
    pub sound: u64,
}

impl Check {
    pub fn new(seed: u64, pieces: u32) -> Self {
        Self { generator: Generator::new(seed, pieces), expected: VecDeque::new(), sound: 0 }
    }

    /// Takes the next bytes; an error says where they differ.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        while self.expected.len() < bytes.len() {
            let Some((piece, _)) = self.generator.next() else { break };
            self.expected.extend(piece);
        }
        let wanted: Vec<u8> = self.expected.drain(..bytes.len().min(self.expected.len())).collect();
        if bytes == wanted {
            self.sound += bytes.len() as u64;
            return Ok(());
        }
        let differs = bytes.iter().zip(&wanted).position(|(seen, wanted)| seen != wanted);
        let at = differs.unwrap_or(wanted.len());
        let around = |bytes: &[u8]| String::from_utf8_lossy(&bytes[at..bytes.len().min(at + 80)]).into_owned();
        let (offset, seen, wanted) = (self.sound + at as u64, around(bytes), around(&wanted));
        Err(format!("from byte {offset} on: came {seen:?}, printed was {wanted:?}"))
    }

    /// Whether everything came.
    pub fn is_complete(&self) -> bool {
        self.expected.is_empty() && self.generator.left == 0
    }
}
