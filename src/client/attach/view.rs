//! From the session's output to what the user's terminal is shown.

use super::modes::{Modes, SHIFT_IN, SHIFT_OUT};
use super::old::{is_spent, is_spent_byte};
use super::vt::{Cutter, Step};

/// How much old output is shown when nobody asks for all of it.
pub const RECENT: u64 = 256 * 1024;

/// Showing starts at a line if one begins within this many bytes.
const LINE_SEARCH: u64 = 16 * 1024;

/// What is done with output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Followed, but not shown before this offset.
    Skipping(u64),
    /// Shown without what must not happen again.
    Old,
    /// Shown as it comes.
    Live,
}

/// The view of one session's output.
#[derive(Debug)]
pub struct View {
    stage: Stage,
    /// Where output stopped being old; once known.
    head: u64,
    cutter: Cutter,
    modes: Modes,
    was_cut: bool,
    ends_line: bool,
}

impl View {
    /// For output that starts now at `start`, and is old up to `head`. `recent`
    /// leaves out most of what is old.
    pub fn of(start: u64, head: u64, recent: bool) -> Self {
        let from = head.saturating_sub(RECENT);
        let stage = match recent && from > start {
            _ if start >= head => Stage::Live,
            true => Stage::Skipping(from),
            false => Stage::Old,
        };
        let (cutter, modes) = (Cutter::default(), Modes::default());
        Self { stage, head, cutter, modes, was_cut: start > 0, ends_line: true }
    }

    /// What to show of the output at `offset`; and whether the terminal is set
    /// otherwise than before.
    pub fn take(&mut self, offset: u64, bytes: Vec<u8>) -> (Vec<u8>, bool) {
        let (shown, is_changed) = match self.stage {
            Stage::Live => {
                let is_changed = self.follow(&bytes);
                (bytes, is_changed)
            }
            Stage::Skipping(_) | Stage::Old => self.choose(offset, &bytes),
        };
        if let Some(last) = shown.last() {
            self.ends_line = *last == b'\n';
        }
        (shown, is_changed)
    }

    /// Only looks for what sets the terminal; true if anything did.
    fn follow(&mut self, mut rest: &[u8]) -> bool {
        const ESC: u8 = 0x1b;
        let mut is_changed = false;
        loop {
            if self.cutter.is_at_rest() {
                let Some(at) = memchr::memchr3(ESC, SHIFT_OUT, SHIFT_IN, rest) else { return is_changed };
                rest = &rest[at..];
            }
            let Some((byte, behind)) = rest.split_first() else { return is_changed };
            rest = behind;
            match self.cutter.step(*byte) {
                Step::Plain(byte) => self.modes.plain(byte),
                Step::Sequence(sequence) => is_changed |= self.modes.apply(sequence),
                Step::Nothing => {}
            }
        }
    }

    fn choose(&mut self, offset: u64, bytes: &[u8]) -> (Vec<u8>, bool) {
        let (mut shown, mut is_changed) = (Vec::new(), false);
        for (at, byte) in (offset..).zip(bytes) {
            if self.stage == Stage::Old && at >= self.head {
                self.turn_live(&mut shown);
            }
            let step = self.cutter.step(*byte);
            match step {
                Step::Plain(byte) => self.modes.plain(byte),
                Step::Sequence(sequence) => is_changed |= self.modes.apply(sequence),
                Step::Nothing => {}
            }
            match (self.stage, step) {
                (Stage::Live, _) => shown.push(*byte),
                (Stage::Old, Step::Plain(byte)) if !is_spent_byte(byte) => shown.push(byte),
                (Stage::Old, Step::Sequence(sequence)) if !is_spent(sequence) => shown.extend_from_slice(sequence),
                (Stage::Old, _) => {}
                (Stage::Skipping(from), _) => self.skip(from, at, *byte, &mut shown),
            }
        }
        (shown, is_changed)
    }

    /// Old output ends in the middle of a sequence: its end is new, so the
    /// terminal gets all of it. Of one that is too long for that the rest is
    /// still left out.
    fn turn_live(&mut self, shown: &mut Vec<u8>) {
        if let Some(begun) = self.cutter.under_way() {
            shown.extend_from_slice(begun);
            self.stage = Stage::Live;
        }
    }

    /// Showing starts behind a line, or behind the first sequence or byte once
    /// none was found.
    fn skip(&mut self, from: u64, at: u64, byte: u8, shown: &mut Vec<u8>) {
        let is_line = byte == b'\n' || at >= from + LINE_SEARCH && byte < 0x80;
        if at >= from && self.cutter.is_at_rest() && is_line || at + 1 >= self.head {
            self.was_cut = true;
            shown.extend(self.modes.redo().into_bytes());
            self.stage = Stage::Old;
        }
    }

    /// Whether a full-screen program's picture may not be whole.
    pub fn may_be_torn(&self) -> bool {
        self.was_cut && self.modes.is_alternate()
    }

    /// Bytes are missing from here on.
    pub fn gap(&mut self) {
        self.cutter = Cutter::default();
        self.was_cut = true;
    }

    /// How the terminal is set now.
    pub fn modes(&self) -> &Modes {
        &self.modes
    }

    /// Whether the cursor is at the beginning of a line, as far as one can tell.
    pub fn ends_line(&self) -> bool {
        self.ends_line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(view: &mut View, mut offset: u64, pieces: &[&[u8]]) -> String {
        let mut shown = Vec::new();
        for piece in pieces {
            shown.extend(view.take(offset, piece.to_vec()).0);
            offset += piece.len() as u64;
        }
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn old_questions_are_left_out_and_new_ones_asked() {
        let old = b"a\x1b[6nb\x07\x1b]52;c;x\x07";
        let mut view = View::of(0, old.len() as u64, true);
        assert_eq!(show(&mut view, 0, &[old, b"c\x1b[6n\x07"]), "abc\x1b[6n\x07");
    }

    #[test]
    fn a_sequence_across_the_head_is_shown_whole() {
        for cut in 0..=4 {
            let (old, new) = b"\x1b[6n".split_at(cut);
            let mut view = View::of(0, cut as u64, false);
            let expected = if cut == 4 { "" } else { "\x1b[6n" };
            assert_eq!(show(&mut view, 0, &[old, new]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn of_much_output_the_last_lines_are_shown_in_the_modes_they_were_written_in() {
        let mut output = b"\x1b[?1049h\x1b[?1000h".to_vec();
        let line = b"0123456789 a line of the old days\r\n";
        while output.len() < 600_000 {
            output.extend_from_slice(line);
        }
        let mut view = View::of(0, output.len() as u64, true);
        let shown = show(&mut view, 0, &[&output]);
        let start = "\x1b[?1049h\x1b[2J\x1b[H\x1b[?1000h0123456789";
        assert!(shown.starts_with(start), "{:?}", &shown[..80]);
        assert!((RECENT - 1000..=RECENT).contains(&(shown.len() as u64)));
        assert!(view.may_be_torn() && view.ends_line());
    }

    #[test]
    fn output_without_lines_is_shown_all_the_same() {
        let output = vec![b'x'; 600_000];
        let shown = show(&mut View::of(0, 600_000, true), 0, &[&output]);
        assert!(shown.len() > 200_000);
        let one = show(&mut View::of(0, 1, true), 0, &[b"x"]);
        assert_eq!(one, "x");
    }

    proptest! {
        #[test]
        fn live_output_is_shown_byte_by_byte(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(View::of(5, 5, true).take(5, bytes.clone()).0, bytes);
        }

        #[test]
        fn cuts_change_nothing(
            bytes in prop::collection::vec(prop_oneof![Just(0x1b), Just(b'['), Just(b']'), Just(7), Just(b'n'), any::<u8>()], 0..100),
            cut in any::<prop::sample::Index>(),
            head in any::<prop::sample::Index>(),
        ) {
            let (cut, head) = (cut.index(bytes.len() + 1), head.index(bytes.len() + 1) as u64);
            let whole = View::of(0, head, false).take(0, bytes.clone()).0;
            let mut view = View::of(0, head, false);
            let mut parts = view.take(0, bytes[..cut].to_vec()).0;
            parts.extend(view.take(cut as u64, bytes[cut..].to_vec()).0);
            prop_assert_eq!(parts, whole);
        }
    }
}
