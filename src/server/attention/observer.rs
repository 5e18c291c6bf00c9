//! What programs say to the terminal besides text: bells, notifications,
//! progress, titles, prompts.
//!
//! An observer of the stream, not an emulator: it follows escape sequences as
//! far as ECMA-48 delimits them and looks only into operating system commands
//! (OSC). Text costs one search for the next control byte.

/// Longest operating system command that is looked into, in bytes.
const COMMAND_MAX: usize = 4096;

/// Longest text that is passed on, in characters.
const TEXT_MAX: usize = 200;

const BEL: u8 = 0x07;
const CAN: u8 = 0x18;
const SUB: u8 = 0x1a;
const ESC: u8 = 0x1b;

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// BEL outside a sequence.
    Bell,
    /// A notification: OSC 9 (iTerm2), OSC 777 (rxvt), OSC 99 (kitty).
    Notification(String),
    /// OSC 9;4 (ConEmu): how far the work is.
    Progress(Progress),
    /// OSC 0 or 2: the window's title.
    Title(String),
    /// OSC 133;C: the shell runs a command.
    CommandStarted,
    /// OSC 133;D: it has ended, with this code if the shell says so.
    CommandEnded(Option<i32>),
}

/// The state of a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No bar: nothing is going on, or nothing any more.
    None,
    /// Work goes on.
    Working,
    /// Work has failed.
    Failed,
    /// Work waits.
    Paused,
}

/// Where in the stream the next byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In text.
    #[default]
    Text,
    /// Behind ESC.
    Escape,
    /// In an operating system command; ends with BEL or ST.
    Command,
    /// In a device control string, or one of the three that nobody uses (SOS,
    /// PM, APC); ends with ST.
    String,
    /// Behind an ESC within a command.
    CommandEscape,
    /// Behind an ESC within a string.
    StringEscape,
}

/// Reads one session's output, in any pieces.
#[derive(Debug, Default)]
pub struct Observer {
    place: Place,
    command: Vec<u8>,
    is_too_long: bool,
    notification: kitty::Parts,
}

impl Observer {
    /// Forgets a sequence that has begun: bytes are missing from here on.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes the next bytes and hands every sign in them to `tell`.
    pub fn read(&mut self, bytes: &[u8], mut tell: impl FnMut(Sign)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Within a sequence each byte may count; in text, and in the body
            // of a string, only control bytes do.
            let skip = match self.place {
                Place::Text => memchr::memchr2(ESC, BEL, rest),
                Place::Command => memchr::memchr3(ESC, BEL, CAN, rest),
                Place::String => memchr::memchr3(ESC, CAN, SUB, rest),
                Place::Escape | Place::CommandEscape | Place::StringEscape => Some(0),
            };
            let (body, from) = rest.split_at(skip.unwrap_or(rest.len()));
            if self.place == Place::Command {
                self.collect(body);
            }
            let Some((byte, after)) = from.split_first() else { return };
            rest = after;
            if let Some(sign) = self.step(*byte) {
                tell(sign);
            }
        }
    }

    fn step(&mut self, byte: u8) -> Option<Sign> {
        let (place, sign) = match (self.place, byte) {
            (Place::Text, BEL) => (Place::Text, Some(Sign::Bell)),
            (Place::Text | Place::Escape, ESC) => (Place::Escape, None),
            (Place::Escape, b']') => {
                self.begin_command();
                (Place::Command, None)
            }
            (Place::Escape, b'P' | b'X' | b'^' | b'_') => (Place::String, None),
            (Place::Escape, BEL) => (Place::Escape, Some(Sign::Bell)),
            (Place::Text | Place::Escape, _) => (Place::Text, None),

            (Place::Command, BEL) | (Place::CommandEscape, b'\\') => (Place::Text, self.end_command()),
            (Place::Command, ESC) => (Place::CommandEscape, None),
            (Place::String, ESC) => (Place::StringEscape, None),
            (Place::Command | Place::String | Place::StringEscape, _) => (Place::Text, None),
            // A sequence within the command cancels it, as in xterm.
            (Place::CommandEscape, _) => {
                self.place = Place::Escape;
                return self.step(byte);
            }
        };
        self.place = place;
        sign
    }

    fn begin_command(&mut self) {
        self.command.clear();
        self.is_too_long = false;
    }

    fn collect(&mut self, body: &[u8]) {
        // SUB cancels as CAN does; it is too rare to search for by itself.
        if body.contains(&SUB) || self.command.len() + body.len() > COMMAND_MAX {
            self.is_too_long = true;
        }
        if !self.is_too_long {
            self.command.extend_from_slice(body);
        }
    }

    fn end_command(&mut self) -> Option<Sign> {
        if self.is_too_long {
            return None;
        }
        let command = std::mem::take(&mut self.command);
        let text = String::from_utf8_lossy(&command);
        let (number, rest) = text.split_once(';').unwrap_or((&text, ""));
        match number {
            "0" | "2" => Some(Sign::Title(plain(rest))),
            "9" => Some(conemu(rest)),
            "99" => self.notification.take(rest).map(|text| Sign::Notification(plain(&text))),
            "133" => prompt(rest),
            "777" => urxvt(rest),
            _ => None,
        }
    }
}

/// OSC 9 is iTerm2's notification, and `ConEmu`'s family of numbered commands.
fn conemu(text: &str) -> Sign {
    let (number, rest) = text.split_once(';').unwrap_or((text, ""));
    if number != "4" {
        return Sign::Notification(plain(text));
    }
    Sign::Progress(match rest.split(';').next() {
        Some("1" | "3") => Progress::Working,
        Some("2") => Progress::Failed,
        Some("4") => Progress::Paused,
        _ => Progress::None,
    })
}

/// OSC 777;notify;title;body
fn urxvt(text: &str) -> Option<Sign> {
    let text = text.strip_prefix("notify;")?;
    let (title, body) = text.split_once(';').unwrap_or((text, ""));
    let text = if body.is_empty() { title.to_owned() } else { format!("{title}: {body}") };
    Some(Sign::Notification(plain(&text)))
}

/// OSC 133, the marks of `FinalTerm`: C before a command's output, D behind it.
fn prompt(text: &str) -> Option<Sign> {
    let mut parts = text.split(';');
    match parts.next()? {
        "C" => Some(Sign::CommandStarted),
        "D" => Some(Sign::CommandEnded(parts.next().and_then(|code| code.parse().ok()))),
        _ => None,
    }
}

/// Text for people: no control characters, no more than fits a line or two.
#[must_use]
pub fn plain(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(TEXT_MAX).collect::<String>().trim().to_owned()
}

/// OSC 99 of kitty, whose notifications may come in parts and encoded.
mod kitty {
    use base64::Engine;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );

    /// What has come of a notification.
    #[derive(Debug, Default)]
    pub struct Parts {
        title: String,
        body: String,
    }

    /// Longest text that is put together, in bytes.
    const LEN_MAX: usize = 1024;

    impl Parts {
        /// Takes `metadata;payload`; the whole text once it is complete.
        pub fn take(&mut self, command: &str) -> Option<String> {
            let (metadata, payload) = command.split_once(';')?;
            let value = |key: &str| {
                metadata.split(':').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
            };
            let payload = if value("e") == Some("1") { decoded(payload) } else { payload.to_owned() };
            let part = match value("p").unwrap_or("title") {
                "title" => &mut self.title,
                "body" => &mut self.body,
                // Icons, buttons, queries and what may come yet.
                _ => return None,
            };
            if part.len() + payload.len() <= LEN_MAX {
                part.push_str(&payload);
            }
            if value("d") == Some("0") {
                return None;
            }
            let Self { title, body } = std::mem::take(self);
            let texts: Vec<String> = [title, body].into_iter().filter(|text| !text.is_empty()).collect();
            (!texts.is_empty()).then(|| texts.join(": "))
        }
    }

    /// Base64, with or without its padding; what is none of it is no text.
    fn decoded(text: &str) -> String {
        let bytes = LENIENT.decode(text).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signs(pieces: &[&[u8]]) -> Vec<Sign> {
        let (mut observer, mut signs) = (Observer::default(), Vec::new());
        for piece in pieces {
            observer.read(piece, |sign| signs.push(sign));
        }
        signs
    }

    fn said(text: &str) -> Vec<Sign> {
        signs(&[text.as_bytes()])
    }

    fn notified(text: &str) -> Vec<Sign> {
        vec![Sign::Notification(text.into())]
    }

    #[test]
    fn a_bell_is_one_only_outside_a_sequence() {
        assert_eq!(said("a\x07b"), [Sign::Bell]);
        assert_eq!(said("\x1b]0;title\x07"), [Sign::Title("title".into())]);
        assert_eq!(said("\x1bPdevice\x07control\x1b\\\x07"), [Sign::Bell]);
        assert_eq!(said("\x1b[31mred\x07"), [Sign::Bell]);
    }

    #[test]
    fn notifications_of_three_kinds_are_read() {
        assert_eq!(said("\x1b]9;Claude needs you\x1b\\"), notified("Claude needs you"));
        assert_eq!(said("\x1b]777;notify;Claude;needs you\x07"), notified("Claude: needs you"));
        assert_eq!(said("\x1b]777;notify;alone\x07"), notified("alone"));
        assert_eq!(said("\x1b]99;;hello\x07"), notified("hello"));
        let parts = "\x1b]99;i=1:d=0;Hello\x1b\\\x1b]99;i=1:p=body;wor\x1b\\";
        assert_eq!(said(parts), notified("Hello: wor"));
        assert_eq!(said("\x1b]99;e=1;SGVsbG8=\x07"), notified("Hello"));
        assert_eq!(said("\x1b]99;p=icon;gibberish\x07"), []);
    }

    #[test]
    fn progress_is_no_notification() {
        let progress = |text: &str| said(&format!("\x1b]9;4;{text}\x07"));
        assert_eq!(progress("1;50"), [Sign::Progress(Progress::Working)]);
        assert_eq!(progress("3"), [Sign::Progress(Progress::Working)]);
        assert_eq!(progress("2;50"), [Sign::Progress(Progress::Failed)]);
        assert_eq!(progress("4;"), [Sign::Progress(Progress::Paused)]);
        assert_eq!(progress("0"), [Sign::Progress(Progress::None)]);
    }

    #[test]
    fn the_shells_marks_are_read() {
        let marks = "\x1b]133;A\x07$ \x1b]133;B\x07make\r\n\x1b]133;C\x07...\x1b]133;D;2\x07\x1b]133;D\x07";
        assert_eq!(said(marks), [Sign::CommandStarted, Sign::CommandEnded(Some(2)), Sign::CommandEnded(None)]);
    }

    #[test]
    fn a_command_that_is_cancelled_or_endless_says_nothing() {
        assert_eq!(said("\x1b]9;half\x18\x07"), [Sign::Bell]);
        assert_eq!(said("\x1b]9;half\x1a;rest\x07"), []);
        assert_eq!(said("\x1b]9;half\x1b[0m\x07"), [Sign::Bell]);
        assert_eq!(said(&format!("\x1b]9;{}\x07\x07", "x".repeat(COMMAND_MAX))), [Sign::Bell]);
        assert_eq!(said("\x1b]9;a\x1b]9;b\x07"), notified("b"));
    }

    #[test]
    fn text_for_people_is_short_and_printable() {
        assert_eq!(said("\x1b]9;a\nb\u{85}c\x07"), notified("a b c"));
        assert_eq!(plain(&"é".repeat(1000)).chars().count(), TEXT_MAX);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(
            parts in prop::collection::vec(prop::sample::select(vec![
                "text", "\x07", "\x1b", "]9;", "]99;d=0;", "]99;;", "]133;D;1", "]777;notify;a;b", "\\", "é", "\x18", "\x1a", "P", "[0m",
            ]), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let whole = parts.concat().into_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            at.extend([0, whole.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
            prop_assert_eq!(signs(&pieces), signs(&[&whole]));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            for sign in signs(&[&bytes]) {
                if let Sign::Notification(text) | Sign::Title(text) = sign {
                    prop_assert!(text.chars().count() <= TEXT_MAX);
                    prop_assert!(!text.chars().any(char::is_control));
                }
            }
        }
    }
}
