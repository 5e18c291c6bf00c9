//! Recorded output as lines of asciicast v3, and back: pure.
//!
//! The format (docs.asciinema.org/manual/asciicast/v3) is text, one JSON value a
//! line, and a terminal's bytes need not be text. Comments, which players skip,
//! carry what the format has no place for:
//!
//! ```text
//! {"version":3,"term":{"cols":80,"rows":24,"type":"xterm-256color"},…}   first line
//! # offset 1024 at 1700000000123        where and when the next event's first byte was
//! [0.123,"o","text"]                    output, whole characters
//! # bytes 61ff62                        the exact bytes of the next event …
//! [0.0,"o","a\ufffdb"]                  … which shows them as a terminal would
//! [1.5,"r","100x40"]                    a new size
//! [0.0,"x","0"]                         the program's exit status; nothing follows
//! ```

use serde::{Deserialize, Serialize};

use crate::model::spec::TerminalSize;

/// Most bytes in one event.
const EVENT_BYTES: usize = 4096;

/// Most bytes in an event that is not all text, and so takes up to five times that:
/// a byte that is none costs little, and many of them make no more events than need be.
const EXACT_BYTES: usize = 256;

/// Highest offset that is believed; below it, numbers in JSON are exact.
pub const OFFSET_MAX: u64 = 1 << 53;

/// What a file says about itself.
#[derive(Clone, Debug, Serialize)]
pub struct Header<'a> {
    version: u8,
    term: Term<'a>,
    timestamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    title: &'a str,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Term<'a> {
    cols: u16,
    rows: u16,
    #[serde(rename = "type")]
    kind: &'a str,
}

impl<'a> Header<'a> {
    /// Of a recording that begins now.
    #[must_use]
    pub fn new(size: TerminalSize, kind: &'a str, now_ms: u64, command: &[String], title: &'a str) -> Self {
        Self {
            version: 3,
            term: Term { cols: size.cols(), rows: size.rows(), kind },
            timestamp: now_ms / 1000,
            command: shlex::try_join(command.iter().map(String::as_str)).ok(),
            title,
        }
    }

    /// The line.
    pub fn write(&self, out: &mut Vec<u8>) {
        json(out, self);
        out.push(b'\n');
    }
}

/// Appends `value` as JSON.
fn json(out: &mut Vec<u8>, value: &impl Serialize) {
    // Neither strings nor the header can fail to be JSON, nor a vector to be
    // written to.
    let _ = serde_json::to_writer(out, value);
}

/// Writes events, each timed from the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoder {
    last_ms: u64,
}

impl Encoder {
    /// An encoder whose last event was at this time.
    #[must_use]
    pub fn after(last_ms: u64) -> Self {
        Self { last_ms }
    }

    fn event(&mut self, out: &mut Vec<u8>, now_ms: u64, code: char, text: &str) {
        let pause = now_ms.saturating_sub(self.last_ms);
        self.last_ms = self.last_ms.max(now_ms);
        out.extend_from_slice(format!("[{}.{:03},\"{code}\",", pause / 1000, pause % 1000).as_bytes());
        json(out, &text);
        out.extend_from_slice(b"]\n");
    }

    /// Says where the next output begins.
    pub fn offset(&self, out: &mut Vec<u8>, offset: u64, now_ms: u64) {
        out.extend_from_slice(format!("# offset {offset} at {now_ms}\n").as_bytes());
    }

    /// Output, exactly.
    pub fn output(&mut self, out: &mut Vec<u8>, now_ms: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(piece_len(bytes));
            if let Ok(text) = std::str::from_utf8(piece) {
                self.event(out, now_ms, 'o', text);
            } else {
                out.extend_from_slice(format!("# bytes {}\n", hex(piece)).as_bytes());
                self.event(out, now_ms, 'o', &String::from_utf8_lossy(piece));
            }
            bytes = rest;
        }
    }

    /// A new size.
    pub fn resize(&mut self, out: &mut Vec<u8>, now_ms: u64, size: TerminalSize) {
        self.event(out, now_ms, 'r', &format!("{}x{}", size.cols(), size.rows()));
    }

    /// Something a player can jump to.
    pub fn marker(&mut self, out: &mut Vec<u8>, now_ms: u64, text: &str) {
        self.event(out, now_ms, 'm', text);
    }

    /// The end of the program.
    pub fn exit(&mut self, out: &mut Vec<u8>, now_ms: u64, status: i32) {
        self.event(out, now_ms, 'x', &status.to_string());
    }
}

/// How much of `bytes` the next event takes: text up to what is none, or a little
/// of that.
fn piece_len(bytes: &[u8]) -> usize {
    let limit = bytes.len().min(EVENT_BYTES);
    match std::str::from_utf8(&bytes[..limit]) {
        Ok(_) => limit,
        Err(e) if e.valid_up_to() >= EXACT_BYTES => e.valid_up_to(),
        Err(_) => limit.min(EXACT_BYTES),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
    text.as_bytes().chunks(2).map(pair).collect()
}

/// The comment that says where output begins: offset, and time in milliseconds.
#[must_use]
pub fn read_offset(line: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(line.strip_prefix(b"# offset ")?).ok()?;
    let (offset, at) = text.split_once(" at ")?;
    let offset = offset.parse().ok().filter(|offset| *offset <= OFFSET_MAX)?;
    Some((offset, at.parse().ok()?))
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Output.
    Output(Vec<u8>),
    /// The next output begins here, and was at this time.
    Offset(u64, u64),
    /// The exact bytes of the next output; nothing without it.
    Bytes,
    /// The end of the program.
    Exit,
    /// Nothing about output.
    Other,
}

/// A line that can't have been written by us whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

#[derive(Deserialize)]
struct Event(#[allow(dead_code, reason = "the shape is checked")] f64, char, String);

/// Reads lines, which need not start at the first.
#[derive(Debug, Default)]
pub struct Decoder {
    exact: Option<Vec<u8>>,
}

impl Decoder {
    /// Reads one line, without its line feed.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn line(&mut self, line: &[u8]) -> Result<Line, Damaged> {
        if let Some(text) = line.strip_prefix(b"# bytes ") {
            let text = std::str::from_utf8(text).map_err(|_| Damaged)?;
            self.exact = Some(unhex(text).ok_or(Damaged)?);
            return Ok(Line::Bytes);
        }
        if line.starts_with(b"# offset ") {
            let (offset, at) = read_offset(line).ok_or(Damaged)?;
            self.exact = None;
            return Ok(Line::Offset(offset, at));
        }
        if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"{") {
            return Ok(Line::Other);
        }
        let Event(_, code, text) = serde_json::from_slice(line).map_err(|_| Damaged)?;
        Ok(match code {
            'o' => Line::Output(self.exact.take().unwrap_or_else(|| text.into_bytes())),
            'x' => Line::Exit,
            _ => Line::Other,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(text: &[u8]) -> Vec<u8> {
        let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
        for line in text.split(|byte| *byte == b'\n') {
            if let Line::Output(more) = decoder.line(line).unwrap() {
                bytes.extend(more);
            }
        }
        bytes
    }

    fn encoded(pieces: &[Vec<u8>]) -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::after(1000), Vec::new());
        for (at, piece) in pieces.iter().enumerate() {
            encoder.offset(&mut out, at as u64, 2000);
            encoder.output(&mut out, 2000 + at as u64, piece);
        }
        out
    }

    /// As the specification has it: comments, or arrays of a time of at least
    /// 0, a code and a text.
    fn is_asciicast(text: &[u8]) -> bool {
        std::str::from_utf8(text).unwrap().lines().filter(|line| !line.starts_with('#')).all(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let event = event.as_array().unwrap();
            event.len() == 3 && event[0].as_f64().unwrap() >= 0.0 && event[1].is_string() && event[2].is_string()
        })
    }

    #[test]
    fn the_header_has_what_the_specification_asks_for() {
        let mut out = Vec::new();
        let command = ["sh".to_owned(), "-c".to_owned(), "echo 'a b'".to_owned()];
        Header::new(TerminalSize::new(101, 33).unwrap(), "xterm-256color", 1_700_000_000_999, &command, "one")
            .write(&mut out);
        let header: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            header,
            serde_json::json!({
                "version": 3,
                "term": { "cols": 101, "rows": 33, "type": "xterm-256color" },
                "timestamp": 1_700_000_000,
                "command": "sh -c \"echo 'a b'\"",
                "title": "one",
            })
        );
        assert!(out.ends_with(b"\n"));
    }

    #[test]
    fn events_look_as_in_the_specification() {
        let (mut encoder, mut out) = (Encoder::after(1000), Vec::new());
        encoder.offset(&mut out, 77, 1248);
        encoder.output(&mut out, 1248, b"\x1b[1mHi\r\n");
        encoder.resize(&mut out, 3298, TerminalSize::new(90, 30).unwrap());
        encoder.output(&mut out, 3298, b"a\xffb");
        encoder.marker(&mut out, 3298, "here");
        // A clock that was set back makes no negative time.
        encoder.exit(&mut out, 3000, 1);
        let lines = [
            "# offset 77 at 1248",
            r#"[0.248,"o","\u001b[1mHi\r\n"]"#,
            r#"[2.050,"r","90x30"]"#,
            "# bytes 61ff62",
            "[0.000,\"o\",\"a\u{fffd}b\"]",
            r#"[0.000,"m","here"]"#,
            "[0.000,\"x\",\"1\"]\n",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), lines.join("\n"));
    }

    #[test]
    fn a_character_is_not_split_between_events() {
        let bytes = "é".repeat(EVENT_BYTES).into_bytes();
        let mut shifted = b"a".to_vec();
        shifted.extend(&bytes);
        for bytes in [bytes, shifted] {
            let out = encoded(std::slice::from_ref(&bytes));
            assert!(!String::from_utf8(out.clone()).unwrap().contains("# bytes"));
            assert_eq!(decode(&out), bytes);
        }
    }

    #[test]
    fn lines_that_are_not_whole_are_damaged() {
        for line in
            ["[0.1,\"o\",\"ab", "# offset 12", "# offset 99999999999999999 at 1", "# bytes 6", "# bytes zz", "\0\0"]
        {
            assert_eq!(Decoder::default().line(line.as_bytes()), Err(Damaged), "{line:?}");
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..5000),
            ".{0,2000}".prop_map(String::into_bytes),
            prop::collection::vec(0u8..32, 0..5000),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_cut_anywhere_come_back_identical(pieces in prop::collection::vec(bytes(), 0..6)) {
            let out = encoded(&pieces);
            prop_assert!(is_asciicast(&out));
            prop_assert_eq!(decode(&out), pieces.concat());
        }

        #[test]
        fn arbitrary_lines_never_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Decoder::default().line(&line);
        }

        #[test]
        fn a_cut_event_is_damaged(bytes in bytes(), cut in any::<prop::sample::Index>()) {
            prop_assume!(!bytes.is_empty());
            let out = encoded(&[bytes]);
            for line in out.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"[")) {
                prop_assert_eq!(Decoder::default().line(&line[..cut.index(line.len() - 1) + 1]), Err(Damaged));
            }
        }
    }
}
