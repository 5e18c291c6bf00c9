//! The keys that leave a session, as they are given: `ctrl-],d`.

use std::fmt;
use std::str::FromStr;

/// A sequence of keys, each the byte that a terminal sends for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

impl DetachKeys {
    /// The bytes, at least one.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for DetachKeys {
    fn default() -> Self {
        Self(vec![0x1d, b'd'])
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        keys.map(Self).ok_or_else(|| {
            "give single characters or ctrl- and a letter or one of @ [ \\ ] ^ _, with commas between, such as ctrl-],d"
                .into()
        })
    }
}

fn key(text: &str) -> Option<u8> {
    let (text, mask) = match text.strip_prefix("ctrl-").or_else(|| text.strip_prefix('^')) {
        Some(rest) if !rest.is_empty() => (rest, true),
        _ => (text, false),
    };
    let &[byte] = text.as_bytes() else { return None };
    match byte.to_ascii_uppercase() {
        control @ b'@'..=b'_' if mask => Some(control & 0x1f),
        _ if mask => None,
        _ => (0x20..0x7f).contains(&byte).then_some(byte),
    }
}

impl fmt::Display for DetachKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match *key {
                control @ 0..0x20 => write!(f, "{comma}ctrl-{}", char::from(control | 0x40).to_ascii_lowercase())?,
                plain => write!(f, "{comma}{}", char::from(plain))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_written_alike() {
        for (text, bytes) in
            [("ctrl-],d", &[0x1d, b'd'][..]), ("ctrl-p,ctrl-q", &[16, 17]), ("~,.", b"~."), ("^", b"^")]
        {
            let keys: DetachKeys = text.parse().unwrap();
            assert_eq!((keys.bytes(), keys.to_string().as_str()), (bytes, text));
        }
        assert_eq!("^a".parse(), Ok(DetachKeys(vec![1])));
        assert_eq!("ctrl-A".parse(), Ok(DetachKeys(vec![1])));
        assert_eq!(DetachKeys::default().to_string(), "ctrl-],d");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "ctrl-", "ctrl-1", "ab", "a,", "ä", "ctrl-],\u{7f}"] {
            assert!(text.parse::<DetachKeys>().is_err(), "{text:?}");
        }
    }
}
