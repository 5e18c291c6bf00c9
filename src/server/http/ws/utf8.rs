//! Bytes to text without losing one: a character split between reads is held
//! back, an invalid byte becomes U+FFFD, and offsets stay exact.

use crate::server::characters::complete_prefix;

/// The decoder of one stream.
#[derive(Debug, Default)]
pub struct Utf8 {
    /// The start of a character whose rest has not come; at most 3 bytes.
    held: Vec<u8>,
}

/// Decoded text and the offset of its first byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// The text; never empty.
    pub text: String,
    /// Byte offset in the session's output.
    pub offset: u64,
}

impl Utf8 {
    /// Decodes `bytes`, whose first is at `offset` and follows what was pushed
    /// before.
    pub fn push(&mut self, bytes: &[u8], offset: u64) -> Option<Piece> {
        let offset = offset - self.held.len() as u64;
        self.held.extend_from_slice(bytes);
        let complete = complete_prefix(&self.held);
        let text = String::from_utf8_lossy(&self.held[..complete]).into_owned();
        self.held.drain(..complete);
        (!text.is_empty()).then_some(Piece { text, offset })
    }

    /// Gives out what was held: the stream ends or jumps at `offset`.
    pub fn flush(&mut self, offset: u64) -> Option<Piece> {
        if self.held.is_empty() {
            return None;
        }
        let offset = offset - self.held.len() as u64;
        let text = String::from_utf8_lossy(&self.held).into_owned();
        self.held.clear();
        Some(Piece { text, offset })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(chunks: &[&[u8]]) -> (String, Vec<u64>) {
        let (mut utf8, mut text, mut offsets, mut at) = (Utf8::default(), String::new(), Vec::new(), 0);
        for chunk in chunks {
            if let Some(piece) = utf8.push(chunk, at) {
                text.push_str(&piece.text);
                offsets.push(piece.offset);
            }
            at += chunk.len() as u64;
        }
        if let Some(piece) = utf8.flush(at) {
            text.push_str(&piece.text);
            offsets.push(piece.offset);
        }
        (text, offsets)
    }

    #[test]
    fn a_character_split_at_every_position_arrives_whole() {
        let all = "aä€😀z".as_bytes();
        for cut in 0..=all.len() {
            let (text, _) = decode(&[&all[..cut], &all[cut..]]);
            assert_eq!(text, "aä€😀z", "cut at {cut}");
        }
    }

    #[test]
    fn the_offset_is_that_of_the_first_byte() {
        let (text, offsets) = decode(&[b"ab\xf0\x9f", b"\x98\x80c"]);
        assert_eq!((text.as_str(), offsets), ("ab😀c", vec![0, 2]));
    }

    #[test]
    fn invalid_bytes_are_not_held_back() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"\xff", 0).unwrap().text, "\u{fffd}");
        assert_eq!(utf8.push(b"\x80\x80\x80\x80", 1).unwrap().text, "\u{fffd}".repeat(4));
        assert_eq!(utf8.push(b"\xe2\x82", 5), None);
        assert_eq!(utf8.flush(7), Some(Piece { text: "\u{fffd}".into(), offset: 5 }));
    }

    proptest! {
        #[test]
        fn cuts_never_change_the_text(bytes in prop::collection::vec(any::<u8>(), 0..200), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            let (text, _) = decode(&chunks);
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned());
        }

        #[test]
        fn any_text_survives_any_cuts(text in ".{0,80}", at in any::<prop::sample::Index>()) {
            let cut = at.index(text.len() + 1);
            let bytes = text.as_bytes();
            prop_assert_eq!(decode(&[&bytes[..cut], &bytes[cut..]]).0, text);
        }
    }
}
