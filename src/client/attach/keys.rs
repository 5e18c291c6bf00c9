//! What comes from the user's terminal: keys, among them those that detach, and
//! answers that the terminal gives by itself.

/// What to do with what was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Keys {
    /// Type it into the session.
    Type(Vec<u8>),
    /// Type it, and leave.
    Detach(Vec<u8>),
}

/// Looks for the detach keys.
///
/// The first key begins them and is held back. Twice it is the key itself,
/// once; followed by anything else it was meant, too. Within a bracketed paste
/// nothing is looked for.
#[derive(Debug)]
pub struct Watch {
    keys: Vec<u8>,
    /// How many of the keys have come, and as which bytes.
    matched: usize,
    held: Vec<u8>,
    /// Within a paste: its last bytes, which may begin its end.
    pasted: Option<Vec<u8>>,
}

const PASTE: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";

impl Watch {
    /// For these keys.
    pub fn new(keys: &[u8]) -> Self {
        Self { keys: keys.to_vec(), matched: 0, held: Vec::new(), pasted: None }
    }

    /// Takes what was read at once.
    pub fn take(&mut self, mut bytes: &[u8]) -> Keys {
        let mut typed = Vec::new();
        while !bytes.is_empty() {
            let (key, len) = self.next_key(bytes);
            let (sent, rest) = bytes.split_at(len);
            bytes = rest;
            match key {
                None => typed.extend_from_slice(sent),
                Some(key) if self.is_detach(key, sent, &mut typed) => return Keys::Detach(typed),
                Some(_) => {}
            }
        }
        Keys::Type(typed)
    }

    /// The next key as a byte, unless it is none that could detach, and the
    /// length of what stands for it.
    fn next_key(&mut self, bytes: &[u8]) -> (Option<u8>, usize) {
        if let Some(before) = self.pasted.take() {
            return (None, self.paste_on(before, bytes));
        }
        if bytes.starts_with(PASTE) {
            self.pasted = Some(Vec::new());
            self.matched = 0;
            return (None, PASTE.len());
        }
        match extended(bytes) {
            Some((key, len)) => (key, len),
            None => (Some(bytes[0]), 1),
        }
    }

    /// How many of the bytes are pasted, behind those of `before`.
    fn paste_on(&mut self, before: Vec<u8>, bytes: &[u8]) -> usize {
        let known = before.len();
        let mut all = before;
        all.extend_from_slice(bytes);
        if let Some(at) = all.windows(PASTE_END.len()).position(|window| window == PASTE_END) {
            return at + PASTE_END.len() - known;
        }
        self.pasted = Some(all.split_off(all.len().saturating_sub(PASTE_END.len() - 1)));
        bytes.len()
    }

    /// Whether `key`, which came as `sent`, is the last of the detach keys. What
    /// is no part of them is added to `typed`.
    fn is_detach(&mut self, key: u8, sent: &[u8], typed: &mut Vec<u8>) -> bool {
        if key == self.keys[self.matched] {
            self.matched += 1;
            if self.matched == self.keys.len() {
                self.matched = 0;
                self.held.clear();
                return true;
            }
            self.held.extend_from_slice(sent);
            return false;
        }
        // The first key again stands for itself, and what is held goes once.
        let is_again = self.matched == 1 && key == self.keys[0];
        self.matched = 0;
        typed.append(&mut self.held);
        if !is_again {
            if key == self.keys[0] {
                self.matched = 1;
                self.held.extend_from_slice(sent);
            } else {
                typed.extend_from_slice(sent);
            }
        }
        false
    }
}

/// A key in a form that programs can ask terminals for: kitty's
/// `CSI code ; modifiers u` or xterm's `CSI 27 ; modifiers ; code ~`. The byte it
/// would be otherwise, if it is a press of one that has one, and its length.
fn extended(bytes: &[u8]) -> Option<(Option<u8>, usize)> {
    let body = bytes.strip_prefix(b"\x1b[")?;
    let end = body.iter().position(|byte| !(b'0'..=b';').contains(byte))?;
    let text = std::str::from_utf8(&body[..end]).ok()?;
    let mut parts = text.split(';');
    let (code, modifiers) = match body[end] {
        b'u' => (parts.next()?, parts.next().unwrap_or("1")),
        b'~' if parts.next() == Some("27") => {
            let modifiers = parts.next()?;
            (parts.next()?, modifiers)
        }
        _ => return None,
    };
    let len = 2 + end + 1;
    let code: u8 = match code.split(':').next()?.parse() {
        Ok(code) => code,
        Err(_) => return Some((None, len)),
    };
    let mut modifiers = modifiers.split(':');
    let mask = modifiers.next()?.parse::<u16>().unwrap_or(1).saturating_sub(1);
    let is_press = modifiers.next().is_none_or(|event| event != "3");
    // Caps Lock and Num Lock are no keys that are held.
    let key = match mask & !(64 | 128) {
        0 => Some(code),
        4 => matches!(code.to_ascii_uppercase(), b'@'..=b'_').then(|| code.to_ascii_uppercase() & 0x1f),
        _ => None,
    };
    Some((key.filter(|_| is_press), len))
}

/// Whether these bytes are nothing but what a terminal sends by itself: the
/// answer to a question, or that it got or lost the focus.
pub fn is_report(bytes: &[u8]) -> bool {
    match bytes {
        [0x1b, b'[', b'I' | b'O'] => true,
        [0x1b, b'[', body @ .., end] => {
            let is_answer = matches!(end, b'R' | b'c' | b'n' | b't' | b'y') || (*end == b'u' && body.starts_with(b"?"));
            is_answer && body.iter().all(|byte| matches!(byte, b'0'..=b'?' | b'$'))
        }
        [0x1b, b']' | b'P' | b'_', .., 0x07] | [0x1b, b']' | b'P' | b'_', .., 0x1b, b'\\'] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn watch() -> Watch {
        Watch::new(&[0x1d, b'd'])
    }

    fn typed(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let (mut watch, mut all) = (watch(), Vec::new());
        for piece in pieces {
            match watch.take(piece) {
                Keys::Type(bytes) => all.extend(bytes),
                Keys::Detach(bytes) => {
                    all.extend(bytes);
                    return (all, true);
                }
            }
        }
        (all, false)
    }

    #[test]
    fn the_keys_detach_at_once_or_one_by_one() {
        assert_eq!(typed(&[b"ab\x1dd"]), (b"ab".to_vec(), true));
        assert_eq!(typed(&[b"a", b"\x1d", b"d", b"never"]), (b"a".to_vec(), true));
        assert_eq!(typed(&[b"d\x1d"]), (b"d".to_vec(), false), "the first key waits for the second");
    }

    #[test]
    fn the_first_key_twice_is_typed_once() {
        assert_eq!(typed(&[b"\x1d\x1d"]), (b"\x1d".to_vec(), false));
        assert_eq!(typed(&[b"\x1d\x1dd"]), (b"\x1dd".to_vec(), false));
        assert_eq!(typed(&[b"\x1d\x1d\x1dd"]), (b"\x1d".to_vec(), true));
    }

    #[test]
    fn another_key_behind_the_first_is_typed_with_it() {
        assert_eq!(typed(&[b"\x1dx"]), (b"\x1dx".to_vec(), false));
        assert_eq!(typed(&[b"\x1dx\x1dd"]), (b"\x1dx".to_vec(), true));
    }

    #[test]
    fn longer_keys_work_too() {
        let mut watch = Watch::new(&[16, 17, b'x']);
        assert_eq!(watch.take(&[16, 17]), Keys::Type(Vec::new()));
        assert_eq!(watch.take(&[16, 17]), Keys::Type(vec![16, 17]));
        assert_eq!(watch.take(b"x"), Keys::Detach(Vec::new()));
    }

    #[test]
    fn keys_in_the_forms_of_kitty_and_xterm_detach() {
        assert_eq!(typed(&[b"\x1b[93;5u", b"d"]), (Vec::new(), true));
        assert_eq!(typed(&[b"\x1b[93;69:1u", b"\x1b[100u"]), (Vec::new(), true));
        assert_eq!(typed(&[b"\x1b[27;5;93~d"]), (Vec::new(), true));
        assert_eq!(typed(&[b"\x1b[93;5u\x1b[93;5:3ud"]), (b"\x1b[93;5:3u".to_vec(), true), "a release is no key");
        assert_eq!(typed(&[b"\x1b[97;5u\x1b[A\x1b[15~"]), (b"\x1b[97;5u\x1b[A\x1b[15~".to_vec(), false));
    }

    #[test]
    fn nothing_in_a_paste_detaches() {
        let paste = b"\x1b[200~a\x1dd\x1b[201~";
        assert_eq!(typed(&[paste]), (paste.to_vec(), false));
        for cut in 6..=paste.len() {
            let (first, second) = paste.split_at(cut);
            assert_eq!(typed(&[first, second, b"\x1dd"]), (paste.to_vec(), true), "cut at {cut}");
        }
    }

    #[test]
    fn answers_are_told_from_keys() {
        for answer in [
            &b"\x1b[?62;22c"[..],
            b"\x1b[12;40R",
            b"\x1b[0n",
            b"\x1b[?2026;2$y",
            b"\x1b[?1u",
            b"\x1b[I",
            b"\x1b[8;24;80t",
            b"\x1b]11;rgb:0/0/0\x07",
            b"\x1bP>|xterm\x1b\\",
        ] {
            assert!(is_report(answer), "{}", answer.escape_ascii());
        }
        for key in [&b"a"[..], b"\x1b", b"\x1b[A", b"\x1b[15~", b"\x1bOP", b"\x1b[97;5u", b"c", b"\x1b[<0;1;1M"] {
            assert!(!is_report(key), "{}", key.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn without_the_first_key_everything_is_typed(bytes in prop::collection::vec(0u8..=0x1a, 0..50)) {
            prop_assert_eq!(typed(&[&bytes]), (bytes, false));
        }

        #[test]
        fn any_bytes_are_survived(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let _ = typed(&pieces);
        }
    }
}
