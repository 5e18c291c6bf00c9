//! Options as `getopt_long(3)` reads them up to the first word that is none:
//! clusters, attached values, `--`, and abbreviations of long names.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An option a program knows.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its letter.
    pub letter: u8,
    /// Its long name; empty for none.
    pub name: &'static str,
    /// Whether a value follows.
    pub has_value: bool,
}

/// An option that was given, and its value if it has one.
pub type Given = (u8, Option<OsString>);

/// Something that is no option of the program, or not in this form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// No such option.
    Unknown(String),
    /// The beginning of several names.
    Ambiguous(String),
    /// Its value is missing.
    NoValue(String),
    /// A value for one that takes none.
    Value(String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(f, "there is no option {option}"),
            Self::Ambiguous(option) => write!(f, "{option} is the beginning of more than one option"),
            Self::NoValue(option) => write!(f, "option {option} needs a value"),
            Self::Value(option) => write!(f, "option {option} takes no value"),
        }
    }
}

/// The words of a command line, option by option.
#[derive(Debug)]
pub struct Options {
    known: &'static [Known],
    words: VecDeque<OsString>,
    /// What is left of a cluster such as `-vsg`.
    cluster: Vec<u8>,
}

impl Options {
    /// Begins with the word after the program's name.
    pub fn new(known: &'static [Known], words: impl IntoIterator<Item = OsString>) -> Self {
        Self { known, words: words.into_iter().collect(), cluster: Vec::new() }
    }

    /// What follows the options, once they are read.
    #[must_use]
    pub fn rest(self) -> Vec<OsString> {
        self.words.into()
    }

    fn short(&mut self) -> Result<Given, Mistake> {
        let letter = self.cluster.remove(0);
        let shown = || format!("-{}", char::from(letter));
        let known = self.known.iter().find(|known| known.letter == letter && letter != b':');
        let known = known.ok_or_else(|| Mistake::Unknown(shown()))?;
        if !known.has_value {
            return Ok((letter, None));
        }
        let attached = std::mem::take(&mut self.cluster);
        let value = if attached.is_empty() { self.words.pop_front() } else { Some(OsString::from_vec(attached)) };
        Ok((letter, Some(value.ok_or_else(|| Mistake::NoValue(shown()))?)))
    }

    fn long(&mut self, word: &[u8]) -> Result<Given, Mistake> {
        let (name, attached) = match word.iter().position(|byte| *byte == b'=') {
            Some(at) => (&word[..at], Some(OsString::from_vec(word[at + 1..].to_vec()))),
            None => (word, None),
        };
        let shown = || format!("--{}", String::from_utf8_lossy(name));
        let begins = |known: &&Known| !known.name.is_empty() && known.name.as_bytes().starts_with(name);
        let mut found = self.known.iter().filter(begins);
        let exact = self.known.iter().find(|known| !known.name.is_empty() && known.name.as_bytes() == name);
        let known = match (exact, found.next(), found.next()) {
            (Some(known), ..) | (None, Some(known), None) => known,
            (None, Some(_), Some(_)) => return Err(Mistake::Ambiguous(shown())),
            (None, None, _) => return Err(Mistake::Unknown(shown())),
        };
        let value = match (known.has_value, attached) {
            (false, Some(_)) => return Err(Mistake::Value(shown())),
            (false, None) => None,
            (true, Some(value)) => Some(value),
            (true, None) => Some(self.words.pop_front().ok_or_else(|| Mistake::NoValue(shown()))?),
        };
        Ok((known.letter, value))
    }
}

impl Iterator for Options {
    type Item = Result<Given, Mistake>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.cluster.is_empty() {
            return Some(self.short());
        }
        let first = self.words.front()?.as_bytes();
        if first.len() < 2 || first[0] != b'-' {
            return None;
        }
        let word = self.words.pop_front()?.into_vec();
        match word.strip_prefix(b"--") {
            Some([]) => None,
            // A program without long options reads the letters, `-` first.
            Some(name) if self.known.iter().any(|known| !known.name.is_empty()) => Some(self.long(name)),
            _ => {
                self.cluster = word[1..].to_vec();
                Some(self.short())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[
        Known { letter: b'v', name: "verbose", has_value: false },
        Known { letter: b'V', name: "version", has_value: false },
        Known { letter: b'r', name: "rewrite", has_value: true },
    ];
    const LETTERS: &[Known] = &[Known { letter: b's', name: "", has_value: false }];

    /// The options in short, e.g. `r1:2`, up to the first mistake, and the rest.
    fn read(known: &'static [Known], words: &[&str]) -> (Result<Vec<String>, Mistake>, Vec<String>) {
        let mut options = Options::new(known, words.iter().map(OsString::from));
        let shown = |(letter, value): Given| {
            format!("{}{}", char::from(letter), value.unwrap_or_default().into_string().unwrap())
        };
        let given = options.by_ref().map(|option| option.map(shown)).collect();
        (given, options.rest().into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn letters_and_names_with_and_without_values() {
        let words = ["-vVr1:2", "-r", "3:4", "--rewrite=5:6", "--rew", "7:8", "--verb", "-vr="];
        assert_eq!(read(KNOWN, &words).0.unwrap(), ["v", "V", "r1:2", "r3:4", "r5:6", "r7:8", "v", "v", "r="]);
    }

    #[test]
    fn the_command_begins_at_the_first_word_that_is_no_option() {
        for (words, rest) in [
            (&["-v", "sh", "-v"][..], &["sh", "-v"][..]),
            (&["-v", "--", "-v"], &["-v"]),
            (&["-v", "-", "-v"], &["-", "-v"]),
            (&["sh", "--", "-c"], &["sh", "--", "-c"]),
            (&["-r", "--", "sh"], &["sh"]),
            (&[""], &[""]),
            (&[], &[]),
        ] {
            assert_eq!(read(KNOWN, words).1, rest, "{words:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let mistake = |known, words: &[&str]| read(known, words).0.unwrap_err();
        assert_eq!(mistake(KNOWN, &["-vz"]), Mistake::Unknown("-z".into()));
        assert_eq!(mistake(KNOWN, &["-:"]), Mistake::Unknown("-:".into()));
        assert_eq!(mistake(KNOWN, &["--nope"]), Mistake::Unknown("--nope".into()));
        assert_eq!(mistake(KNOWN, &["--ver"]), Mistake::Ambiguous("--ver".into()));
        assert_eq!(mistake(KNOWN, &["-r"]), Mistake::NoValue("-r".into()));
        assert_eq!(mistake(KNOWN, &["--rewrite"]), Mistake::NoValue("--rewrite".into()));
        assert_eq!(mistake(KNOWN, &["--version=3"]), Mistake::Value("--version".into()));
        assert_eq!(mistake(LETTERS, &["--s"]), Mistake::Unknown("--".into()));
    }
}
