//! Terminal output cut into plain bytes and control sequences (ECMA-48), byte by
//! byte. What they mean is up to others.

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;

/// Longest sequence with parameters, and longest string, that is kept whole.
const CSI_MAX: usize = 256;
const STRING_MAX: usize = 256 * 1024;

/// What one more byte amounts to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A byte outside of any sequence.
    Plain(u8),
    /// A sequence is not yet complete, or was broken off.
    Nothing,
    /// A complete sequence.
    Sequence(&'a [u8]),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    Csi,
    /// An OSC, DCS, APC, PM or SOS string; the byte behind ESC that began it.
    Text(u8),
    /// The same behind an ESC, which may be the first half of its end.
    TextEscape(u8),
}

/// The cutter.
#[derive(Debug, Default)]
pub struct Cutter {
    state: State,
    held: Vec<u8>,
    /// The string is too long to be kept.
    is_overlong: bool,
}

impl Cutter {
    /// Whether no sequence is under way.
    pub fn is_at_rest(&self) -> bool {
        self.state == State::Ground
    }

    /// The beginning of the sequence that is under way, unless too much of it
    /// has come for that to be kept.
    pub fn under_way(&self) -> Option<&[u8]> {
        (!self.is_overlong).then_some(if self.is_at_rest() { &[] } else { &self.held })
    }

    /// Takes one byte.
    pub fn step(&mut self, byte: u8) -> Step<'_> {
        match (self.state, byte) {
            (State::Ground, ESC) => self.begin(),
            (State::Ground, _) => Step::Plain(byte),
            (_, CAN | SUB) => self.leave(),
            (State::Text(kind), ESC) => {
                self.state = State::TextEscape(kind);
                Step::Nothing
            }
            (State::Text(b']'), BEL) => self.complete(&[BEL]),
            (State::Text(_), _) => self.keep(byte),
            (State::TextEscape(_), b'\\') => self.complete(b"\x1b\\"),
            (State::TextEscape(_), _) => {
                self.begin();
                self.step(byte)
            }
            (_, ESC) => self.begin(),
            (State::Escape, b'[') => self.enter(byte, State::Csi),
            (State::Escape, b']' | b'P' | b'_' | b'^' | b'X') => self.enter(byte, State::Text(byte)),
            (State::Escape, 0x30..=0x7e) | (State::Csi, 0x40..=0x7e) => self.complete(&[byte]),
            (State::Escape | State::Csi, _) if self.held.len() < CSI_MAX => {
                self.held.push(byte);
                Step::Nothing
            }
            (State::Escape | State::Csi, _) => self.leave(),
        }
    }

    fn begin(&mut self) -> Step<'_> {
        self.leave();
        self.held.push(ESC);
        self.state = State::Escape;
        Step::Nothing
    }

    fn enter(&mut self, byte: u8, state: State) -> Step<'_> {
        self.held.push(byte);
        self.state = state;
        Step::Nothing
    }

    fn keep(&mut self, byte: u8) -> Step<'_> {
        if self.held.len() < STRING_MAX {
            self.held.push(byte);
        } else {
            self.is_overlong = true;
        }
        Step::Nothing
    }

    fn complete(&mut self, end: &[u8]) -> Step<'_> {
        self.state = State::Ground;
        if std::mem::take(&mut self.is_overlong) {
            return self.leave();
        }
        self.held.extend_from_slice(end);
        Step::Sequence(&self.held)
    }

    fn leave(&mut self) -> Step<'_> {
        self.state = State::Ground;
        self.held.clear();
        self.is_overlong = false;
        Step::Nothing
    }
}

/// A complete sequence in its parts.
#[derive(Debug, PartialEq, Eq)]
pub enum Sequence<'a> {
    /// `ESC [ private params intermediate final`
    Csi {
        /// `?`, `>`, `=`, `<` or 0.
        private: u8,
        /// The parameters as they stand.
        params: &'a str,
        /// The last intermediate byte, or 0.
        intermediate: u8,
        /// The final byte.
        action: u8,
    },
    /// `ESC ] number ; rest`
    Osc {
        /// The number, if there is one.
        number: Option<u16>,
        /// What follows it.
        rest: &'a [u8],
    },
    /// A DCS, APC, PM or SOS string.
    Text {
        /// The byte behind ESC.
        kind: u8,
        /// What it holds.
        body: &'a [u8],
    },
    /// `ESC intermediates final`
    Escape(&'a [u8]),
}

impl<'a> Sequence<'a> {
    /// Takes a complete sequence apart.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Self {
        match bytes {
            [ESC, b'[', body @ .., action] => Self::csi(body, *action),
            [ESC, b']', body @ ..] => Self::osc(without_end(body)),
            [ESC, kind @ (b'P' | b'_' | b'^' | b'X'), body @ ..] => Self::Text { kind: *kind, body: without_end(body) },
            [_, rest @ ..] => Self::Escape(rest),
            [] => Self::Escape(bytes),
        }
    }

    fn csi(body: &'a [u8], action: u8) -> Self {
        let (private, body) = match body {
            [mark @ b'<'..=b'?', rest @ ..] => (*mark, rest),
            _ => (0, body),
        };
        let end = body.iter().position(|byte| !(b'0'..=b';').contains(byte)).unwrap_or(body.len());
        let (params, rest) = body.split_at(end);
        let params = std::str::from_utf8(params).unwrap_or_default();
        Self::Csi { private, params, intermediate: rest.last().copied().unwrap_or(0), action }
    }

    fn osc(body: &'a [u8]) -> Self {
        let digits = body.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(body.len());
        let (number, rest) = body.split_at(digits);
        let number = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
        Self::Osc { number, rest: rest.strip_prefix(b";").unwrap_or(rest) }
    }
}

fn without_end(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"\x1b\\").or_else(|| body.strip_suffix(&[BEL])).unwrap_or(body)
}

/// The numbers of a parameter text; a missing one is 0.
pub fn numbers(params: &str) -> impl Iterator<Item = u16> + '_ {
    params.split([';', ':']).map(|number| number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pieces, sequences in angle brackets.
    fn cut(bytes: &[u8]) -> String {
        let (mut cutter, mut shown) = (Cutter::default(), String::new());
        for byte in bytes {
            match cutter.step(*byte) {
                Step::Plain(byte) => shown.push(byte.into()),
                Step::Nothing => {}
                Step::Sequence(sequence) => {
                    shown.push_str(&format!("<{}>", String::from_utf8_lossy(sequence).escape_default()));
                }
            }
        }
        shown
    }

    #[test]
    fn sequences_are_cut_out() {
        assert_eq!(cut(b"a\x1b[1;2mb"), "a<\\u{1b}[1;2m>b");
        assert_eq!(cut(b"\x1b]0;title\x07x\x1b]2;t\x1b\\y"), "<\\u{1b}]0;title\\u{7}>x<\\u{1b}]2;t\\u{1b}\\\\>y");
        assert_eq!(cut(b"\x1bP+q544e\x1b\\z\x1b(Bz"), "<\\u{1b}P+q544e\\u{1b}\\\\>z<\\u{1b}(B>z");
        assert_eq!(cut(b"\x1bPa\x07b\x1b\\z"), "<\\u{1b}Pa\\u{7}b\\u{1b}\\\\>z", "BEL ends an OSC only");
    }

    #[test]
    fn what_is_broken_off_is_left_out() {
        assert_eq!(cut(b"\x1b[1\x18a\x1b]0;t\x1ab"), "ab");
        assert_eq!(cut(b"\x1b]0;t\x1b[mx"), "<\\u{1b}[m>x", "an ESC that ends no string begins another sequence");
        assert_eq!(cut(b"\x1b[3\x1b[mx"), "<\\u{1b}[m>x");
    }

    #[test]
    fn a_string_without_end_takes_no_memory() {
        let mut cutter = Cutter::default();
        for byte in b"\x1bPq".iter().chain(std::iter::repeat_n(&b'~', 2 * STRING_MAX)) {
            assert_eq!(cutter.step(*byte), Step::Nothing);
        }
        assert!(cutter.held.len() <= STRING_MAX && cutter.under_way().is_none());
        assert_eq!(cutter.step(ESC), Step::Nothing);
        assert_eq!(cutter.step(b'\\'), Step::Nothing);
        assert_eq!(cutter.step(b'x'), Step::Plain(b'x'));
    }

    #[test]
    fn sequences_are_taken_apart() {
        assert_eq!(
            Sequence::parse(b"\x1b[?2026$p"),
            Sequence::Csi { private: b'?', params: "2026", intermediate: b'$', action: b'p' }
        );
        assert_eq!(Sequence::parse(b"\x1b]11;?\x07"), Sequence::Osc { number: Some(11), rest: b"?" });
        assert_eq!(Sequence::parse(b"\x1b_Gi=1\x1b\\"), Sequence::Text { kind: b'_', body: b"Gi=1" });
        assert_eq!(Sequence::parse(b"\x1b(0"), Sequence::Escape(b"(0"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut cutter = Cutter::default();
            for byte in &bytes {
                if let Step::Sequence(sequence) = cutter.step(*byte) {
                    let _ = Sequence::parse(sequence);
                }
            }
            prop_assert!(cutter.under_way().is_some_and(|held| bytes.ends_with(held) || held.len() <= bytes.len()));
        }
    }
}
