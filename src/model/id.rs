//! Identifiers: the session's id, and the rules for its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest session name, in characters.
pub const NAME_MAX: usize = 50;

/// A session's identity: a random UUID (version 4), never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Makes a new id from the kernel's random source, `getrandom(2)`.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// 48 of its random bits, for marks too small for all of it.
    #[must_use]
    pub fn short_bits(self) -> u64 {
        // The last group of a version 4 UUID is random throughout.
        self.0.as_u64_pair().1 & 0xffff_ffff_ffff
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A session's name: 1 to [`NAME_MAX`] letters, digits and dashes.
///
/// The set is small on purpose: a name may become part of a path, a branch
/// and a shell prompt, and none of them needs quoting for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub struct SessionName(String);

/// Why a text can't be a session name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No character at all.
    #[error("the name is empty; use 1 to {NAME_MAX} letters, digits or dashes, or leave it out")]
    Empty,
    /// More than [`NAME_MAX`] characters.
    #[error("the name has {0} characters; at most {NAME_MAX} are allowed")]
    TooLong(usize),
    /// A character that is no ASCII letter, digit or dash.
    #[error("the name contains {0:?}; only letters, digits and dashes are allowed")]
    BadCharacter(char),
}

impl SessionName {
    /// The name given to the session in slot `number` when the caller names none.
    #[must_use]
    pub fn numbered(number: usize) -> Self {
        Self(format!("session-{number}"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(NameError::BadCharacter(bad));
        }
        if text.len() > NAME_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        Ok(Self(text))
    }
}

impl From<SessionName> for String {
    fn from(name: SessionName) -> Self {
        name.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Result<SessionName, NameError> {
        SessionName::try_from(text.to_owned())
    }

    #[test]
    fn names_of_letters_digits_and_dashes_are_taken() {
        for good in ["a", "session-1", "A-Z-09", &"x".repeat(NAME_MAX)] {
            assert_eq!(name(good).map(String::from), Ok(good.to_owned()));
        }
    }

    #[test]
    fn other_names_are_refused_with_the_reason() {
        assert_eq!(name(""), Err(NameError::Empty));
        assert_eq!(name("../etc"), Err(NameError::BadCharacter('.')));
        assert_eq!(name("a/b"), Err(NameError::BadCharacter('/')));
        assert_eq!(name("a b"), Err(NameError::BadCharacter(' ')));
        assert_eq!(name("ä"), Err(NameError::BadCharacter('ä')));
        assert_eq!(name("nul\0"), Err(NameError::BadCharacter('\0')));
        assert_eq!(name(&"x".repeat(51)), Err(NameError::TooLong(51)));
    }

    #[test]
    fn ids_are_version_4_and_differ() {
        let (a, b) = (SessionId::random(), SessionId::random());
        assert_ne!(a, b);
        assert_eq!(a.0.get_version_num(), 4);
        assert_eq!(a.to_string().parse::<SessionId>(), Ok(a));
    }
}
