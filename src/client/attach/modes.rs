//! How the program has set the terminal: to undo it at the end, and to set it
//! so where the output that did it is not shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::vt::{Sequence, numbers};

/// DEC modes that a terminal starts with.
const ON: [u16; 2] = [7, 25];

/// The others that are undone: keys, cursor, screen, mouse, focus, paste,
/// synchronised output, reports of colours and size. The alternate screens are
/// not among them, they have an order.
const OFF: [u16; 21] =
    [1, 5, 6, 9, 45, 66, 69, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2004, 2026, 2027, 2031, 2048];

/// To the second character set, and back.
pub const SHIFT_OUT: u8 = 0x0e;
/// See [`SHIFT_OUT`].
pub const SHIFT_IN: u8 = 0x0f;

const ALTERNATE: [u16; 3] = [47, 1047, 1049];

/// The state of a terminal, as far as output sets it and a shell would mind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// DEC modes that are not as they start.
    private: BTreeMap<u16, bool>,
    /// The mode that entered the alternate screen.
    alternate: Option<u16>,
    /// kitty's keyboard flags, pushed on the main and the alternate screen.
    keyboard: [Vec<u16>; 2],
    /// xterm's modifyOtherKeys.
    other_keys: u16,
    insert: bool,
    keypad: bool,
    /// The designation of G0, unless ASCII.
    charset: Option<u8>,
    shifted: bool,
    /// The shape of the cursor.
    cursor: u16,
    /// Top and bottom of the scrolling region.
    region: Option<(u16, u16)>,
    /// Colours that were set: 4 for the palette, 10 to 19 for the others.
    colours: BTreeMap<u16, ()>,
    link: bool,
}

impl Modes {
    /// Whether the alternate screen is shown.
    pub fn is_alternate(&self) -> bool {
        self.alternate.is_some()
    }

    /// A byte outside of sequences.
    pub fn plain(&mut self, byte: u8) {
        match byte {
            SHIFT_OUT => self.shifted = true,
            SHIFT_IN => self.shifted = false,
            _ => {}
        }
    }

    /// A complete sequence; true if it changed anything.
    pub fn apply(&mut self, bytes: &[u8]) -> bool {
        if is_drawing(bytes) {
            return false;
        }
        let before = self.clone();
        match Sequence::parse(bytes) {
            Sequence::Csi { private, params, intermediate, action } => self.csi(private, params, intermediate, action),
            Sequence::Osc { number, rest } => self.osc(number, rest),
            Sequence::Text { .. } => {}
            Sequence::Escape(rest) => match rest {
                b"c" => *self = Self::default(),
                b"=" => self.keypad = true,
                b">" => self.keypad = false,
                [b'(', set] => self.charset = Some(*set).filter(|set| *set != b'B'),
                _ => {}
            },
        }
        *self != before
    }

    fn csi(&mut self, private: u8, params: &str, intermediate: u8, action: u8) {
        let first = numbers(params).next().unwrap_or(0);
        match (private, intermediate, action) {
            (b'?', 0, b'h' | b'l') => numbers(params).for_each(|mode| self.set(mode, action == b'h')),
            (0, 0, b'h' | b'l') if numbers(params).any(|mode| mode == 4) => self.insert = action == b'h',
            (b'>', 0, b'u') => self.flags().push(first),
            (b'=', 0, b'u') => {
                let flags = self.flags();
                flags.pop();
                flags.push(first);
            }
            (b'<', 0, b'u') => {
                let flags = self.flags();
                flags.truncate(flags.len().saturating_sub(first.max(1).into()));
            }
            (b'>', 0, b'm') if first == 4 => self.other_keys = numbers(params).nth(1).unwrap_or(0),
            (b'>', 0, b'n') if first == 4 => self.other_keys = 0,
            (0, b' ', b'q') => self.cursor = first,
            (0, 0, b'r') => {
                let mut edges = numbers(params);
                let (top, bottom) = (first.max(1), edges.nth(1).unwrap_or(0));
                self.region = (top > 1 || bottom > 0).then_some((top, bottom));
            }
            (0, b'!', b'p') => self.soften(),
            _ => {}
        }
    }

    /// DECSTR, which leaves the screen and the mouse alone.
    fn soften(&mut self) {
        for mode in [1, 6, 66, 69] {
            self.private.remove(&mode);
        }
        self.private.retain(|mode, _| !ON.contains(mode));
        (self.insert, self.keypad, self.charset, self.shifted, self.region) = (false, false, None, false, None);
    }

    fn set(&mut self, mode: u16, on: bool) {
        if ALTERNATE.contains(&mode) {
            self.alternate = on.then_some(mode);
        } else if ON.contains(&mode) == on {
            self.private.remove(&mode);
        } else if ON.contains(&mode) || OFF.contains(&mode) {
            self.private.insert(mode, on);
        }
    }

    fn flags(&mut self) -> &mut Vec<u16> {
        &mut self.keyboard[usize::from(self.alternate.is_some())]
    }

    fn osc(&mut self, number: Option<u16>, rest: &[u8]) {
        let is_question = rest.split(|byte| *byte == b';').any(|value| value == b"?");
        match number {
            Some(colour @ (4 | 10..=19)) if !is_question => drop(self.colours.insert(colour, ())),
            Some(reset @ (104 | 110..=119)) => drop(self.colours.remove(&(reset - 100))),
            Some(8) => self.link = rest.iter().skip_while(|byte| **byte != b';').count() > 1,
            _ => {}
        }
    }

    /// What makes a terminal as new of one that is set like this. It moves the
    /// cursor only where it leaves the alternate screen.
    pub fn undo(&self) -> String {
        let mut text = String::new();
        let [main, alternate] = &self.keyboard;
        if self.private.contains_key(&2026) {
            text.push_str("\x1b[?2026l");
        }
        if self.region.is_some() {
            text.push_str("\x1b7\x1b[r\x1b8");
        }
        if let Some(mode) = self.alternate {
            pop(&mut text, alternate.len());
            let _ = write!(text, "\x1b[?{mode}l");
        }
        pop(&mut text, main.len());
        for (mode, on) in self.private.iter().filter(|(mode, _)| **mode != 2026) {
            let _ = write!(text, "\x1b[?{mode}{}", if *on { 'l' } else { 'h' });
        }
        for (is_set, undo) in [
            (self.other_keys != 0, "\x1b[>4m"),
            (self.insert, "\x1b[4l"),
            (self.keypad, "\x1b>"),
            (self.charset.is_some(), "\x1b(B"),
            (self.shifted, "\x0f"),
            (self.cursor != 0, "\x1b[0 q"),
            (self.link, "\x1b]8;;\x1b\\"),
        ] {
            text.push_str(if is_set { undo } else { "" });
        }
        for colour in self.colours.keys() {
            let _ = write!(text, "\x1b]{}\x1b\\", colour + 100);
        }
        text.push_str("\x1b[m");
        text
    }

    /// What makes a terminal set like this of a new one.
    pub fn redo(&self) -> String {
        let mut text = String::new();
        let [main, alternate] = &self.keyboard;
        push(&mut text, main);
        if let Some(mode) = self.alternate {
            let _ = write!(text, "\x1b[?{mode}h\x1b[2J\x1b[H");
            push(&mut text, alternate);
        }
        if let Some((top, bottom)) = self.region {
            let bottom = if bottom == 0 { String::new() } else { bottom.to_string() };
            let _ = write!(text, "\x1b7\x1b[{top};{bottom}r\x1b8");
        }
        for (mode, on) in self.private.iter().filter(|(mode, _)| **mode != 2026) {
            let _ = write!(text, "\x1b[?{mode}{}", if *on { 'h' } else { 'l' });
        }
        if self.other_keys != 0 {
            let _ = write!(text, "\x1b[>4;{}m", self.other_keys);
        }
        if let Some(set) = self.charset {
            let _ = write!(text, "\x1b({}", char::from(set));
        }
        if self.cursor != 0 {
            let _ = write!(text, "\x1b[{} q", self.cursor);
        }
        for (is_set, redo) in [(self.insert, "\x1b[4h"), (self.keypad, "\x1b="), (self.shifted, "\x0e")] {
            text.push_str(if is_set { redo } else { "" });
        }
        text
    }
}

/// Whether a sequence only draws: colours and the cursor, nearly all there are.
fn is_drawing(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [_, b'[', b'0'..=b'9' | b';' | b':', .., b'A'..=b'H' | b'J' | b'K' | b'm' | b'd' | b'X']
            | [_, b'[', b'A'..=b'H' | b'J' | b'K' | b'm']
    )
}

fn pop(text: &mut String, depth: usize) {
    if depth > 0 {
        let _ = write!(text, "\x1b[<{depth}u");
    }
}

fn push(text: &mut String, flags: &[u16]) {
    for flags in flags {
        let _ = write!(text, "\x1b[>{flags}u");
    }
}

#[cfg(test)]
mod tests {
    use super::super::vt::{Cutter, Step};
    use super::*;

    fn set_by(output: &str) -> Modes {
        let (mut cutter, mut modes) = (Cutter::default(), Modes::default());
        for byte in output.bytes() {
            match cutter.step(byte) {
                Step::Plain(byte) => modes.plain(byte),
                Step::Sequence(sequence) => drop(modes.apply(sequence)),
                Step::Nothing => {}
            }
        }
        modes
    }

    /// What full-screen programs set: vim, less, tmux, Claude Code, htop.
    const PROGRAMS: [&str; 5] = [
        "\x1b[?1049h\x1b[22;0t\x1b[?1h\x1b=\x1b[?2004h\x1b[1;24r\x1b[?12h\x1b[?25l\x1b[>4;2m\x1b[2 q\x1b]11;#112233\x07",
        "\x1b[?1049h\x1b[?1h\x1b=\x1b[?1000h\x1b[?1006h",
        "\x1b[?1049h\x1b[?1h\x1b=\x1b[?1002;1006h\x1b(B\x1b[?69h\x1b[3;10r\x0e\x1b(0",
        "\x1b[?2004h\x1b[?1004h\x1b[>1u\x1b[?25l\x1b[?2026h\x1b]8;;https://x\x1b\\",
        "\x1b[?47h\x1b[>5u\x1b[4h\x1b[?7l",
    ];

    #[test]
    fn undoing_leaves_nothing_set() {
        for output in PROGRAMS {
            let modes = set_by(output);
            assert_ne!(modes, Modes::default(), "{output:?}");
            let after = set_by(&(output.to_owned() + &modes.undo()));
            assert_eq!(after, Modes::default(), "{output:?}");
        }
    }

    #[test]
    fn redoing_sets_the_same() {
        for output in PROGRAMS {
            let mut modes = set_by(output);
            // Not set again: they belong to what is being written just then.
            modes.private.remove(&2026);
            (modes.link, modes.colours) = (false, BTreeMap::new());
            assert_eq!(set_by(&modes.redo()), modes, "{output:?}");
        }
    }

    #[test]
    fn a_program_that_cleans_up_leaves_nothing_to_undo() {
        let output = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[>1u\x1b[<u\x1b[?2004l\x1b[?25h\x1b[?1049l";
        assert_eq!(set_by(output).undo(), "\x1b[m");
        assert_eq!(set_by(&(PROGRAMS[0].to_owned() + "\x1bc")), Modes::default());
    }
}
