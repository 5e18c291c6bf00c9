//! The token that lets clients in.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// Longest token, in bytes.
pub const TOKEN_MAX: usize = 512;

/// Shorter ones can be guessed by somebody who has time.
pub const TOKEN_GOOD: usize = 16;

/// Random bytes of a token that we make.
const RANDOM_BYTES: usize = 32;

/// A token, as a header and the fragment of an address can carry it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Secret(String);

/// Why a text can't be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No character at all.
    #[error("the token is empty; give 1 to {TOKEN_MAX} visible ASCII characters")]
    Empty,
    /// More than [`TOKEN_MAX`] bytes.
    #[error("the token has {0} bytes; at most {TOKEN_MAX} are allowed")]
    TooLong(usize),
    /// A space, a control or a character that is not ASCII.
    #[error("the token holds a character that is not visible ASCII; a header can't carry it")]
    BadCharacter,
}

impl Secret {
    /// A new one, from `getrandom(2)`.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub fn random() -> std::io::Result<Self> {
        let mut bytes = [0; RANDOM_BYTES];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
        }
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it may be short enough to be guessed.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < TOKEN_GOOD
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.len() {
            0 => Err(SecretError::Empty),
            len if len > TOKEN_MAX => Err(SecretError::TooLong(len)),
            _ if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err(SecretError::BadCharacter),
            _ => Ok(Self(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        text.parse()
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}

/// Nothing that is logged may admit anybody.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_token_fits_an_address_and_is_never_the_same() {
        let (one, other) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_eq!(one.reveal().len(), 43);
        assert!(one.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert!(one != other && !one.is_short());
    }

    #[test]
    fn what_a_header_cannot_carry_is_no_token() {
        assert_eq!("".parse::<Secret>(), Err(SecretError::Empty));
        assert_eq!("x".repeat(513).parse::<Secret>(), Err(SecretError::TooLong(513)));
        for text in ["a b", "a\n", "a\0", "ä", "\x7f"] {
            assert_eq!(text.parse::<Secret>(), Err(SecretError::BadCharacter), "{text:?}");
        }
        assert!("p".parse::<Secret>().unwrap().is_short());
    }

    #[test]
    fn it_does_not_show_itself() {
        let secret: Secret = "open-sesame".parse().unwrap();
        assert!(!format!("{secret:?}").contains("sesame"));
    }
}
