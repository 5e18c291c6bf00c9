//! What a browser keeps of a login: not the token, but a statement that we can
//! check without having kept it, so that it survives our end.
//!
//! The key is made from the container's token. With another token every
//! cookie is void.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::tokens::TokenId;
use crate::model::address::Origin;
use crate::model::secret::Secret;

/// How long a login lasts, in milliseconds: 30 days.
pub const LIFE: u64 = 30 * 24 * 3600 * 1000;

/// Longest value that is looked at, in bytes.
const VALUE_MAX: usize = 1024;

const KEY_USE: &[u8] = b"quarterdeck login cookie, version 1";

/// What a cookie says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The token it was made for; none for the container's own.
    pub guest: Option<TokenId>,
    /// When, in milliseconds since the Unix epoch.
    pub issued_at: u64,
    /// The page that showed the token.
    pub origin: Option<Origin>,
}

/// Seals cookies and opens them.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// The key that goes with this token.
    #[must_use]
    pub fn of(token: &Secret) -> Self {
        let mut derived = keyed(token.reveal().as_bytes());
        derived.update(KEY_USE);
        Self(keyed(&derived.finalize().into_bytes()))
    }

    /// The cookie's value.
    #[must_use]
    pub fn seal(&self, login: &Login) -> String {
        // Our own plain types can always be encoded.
        let statement = postcard::to_stdvec(login).unwrap_or_default();
        let mac = self.0.clone().chain_update(&statement).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&statement), URL_SAFE_NO_PAD.encode(mac))
    }

    /// What a value says, if we have sealed it. Compared in constant time.
    #[must_use]
    pub fn open(&self, value: &str) -> Option<Login> {
        let (statement, mac) = value.split_once('.').filter(|_| value.len() <= VALUE_MAX)?;
        let (statement, mac) = (URL_SAFE_NO_PAD.decode(statement).ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
        self.0.clone().chain_update(&statement).verify_slice(&mac).ok()?;
        postcard::from_bytes(&statement).ok()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[allow(clippy::expect_used, reason = "HMAC takes a key of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("a key of any length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(token: &str) -> Key {
        Key::of(&token.parse().unwrap())
    }

    fn login() -> Login {
        Login { guest: None, issued_at: 5, origin: Some("http://localhost:8080".parse().unwrap()) }
    }

    #[test]
    fn what_was_sealed_is_read_with_the_same_token_alone() {
        let value = key("one").seal(&login());
        assert_eq!(key("one").open(&value), Some(login()));
        assert_eq!(key("two").open(&value), None);
        assert!(!value.contains("one"));
    }

    #[test]
    fn no_changed_character_passes() {
        let value = key("one").seal(&login());
        for at in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key("one").open(std::str::from_utf8(&changed).unwrap()), None, "at {at}");
        }
        for cut in ["", ".", &value[..value.len() - 1], value.split_once('.').unwrap().0] {
            assert_eq!(key("one").open(cut), None, "{cut}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_refused(value in ".{0,200}") {
            prop_assert_eq!(key("one").open(&value), None);
        }
    }
}
