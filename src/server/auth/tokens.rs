//! Tokens that were made for less than everything: what they are for, and the
//! digests they are known by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::rights::{Grant, Who};
use crate::model::id::{SessionId, SessionName};
use crate::model::secret::Secret;

/// Most tokens there may be.
pub const TOKENS_MAX: usize = 256;

/// What the text of a token begins with, so that scanners for secrets know it.
const PREFIX: &str = "qd_";

/// A token's name; no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TokenId(u32);

impl TokenId {
    /// A new one.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub fn random() -> std::io::Result<Self> {
        let digest = digest(Secret::random()?.reveal());
        Ok(Self(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_id = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        u32::from_str_radix(text, 16).ok().filter(|_| is_id).map(Self).ok_or(())
    }
}

/// A token, without what it admits by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    /// Its name.
    pub id: TokenId,
    digest: [u8; 32],
    /// Whether it may only look.
    pub is_read_only: bool,
    /// The one session it is for.
    pub session: Option<(SessionId, SessionName)>,
    /// Milliseconds since the Unix epoch.
    pub created_at: u64,
    /// Likewise; none: it does not end by itself.
    pub expires_at: Option<u64>,
}

/// What a new token is to be for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Whether it may only look.
    pub is_read_only: bool,
    /// The one session it is for.
    pub session: Option<(SessionId, SessionName)>,
    /// In milliseconds from now on.
    pub lasts: Option<u64>,
}

impl Guest {
    /// A new token: what is kept of it, and its text, which is not.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub fn make(wish: Wish, now: u64) -> std::io::Result<(Self, String)> {
        let id = TokenId::random()?;
        let text = format!("{PREFIX}{id}_{}", Secret::random()?.reveal());
        let guest = Self {
            id,
            digest: digest(&text),
            is_read_only: wish.is_read_only,
            session: wish.session,
            created_at: now,
            expires_at: wish.lasts.map(|lasts| now.saturating_add(lasts)),
        };
        Ok((guest, text))
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// What it may do.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant {
            who: Who::Guest(self.id),
            is_read_only: self.is_read_only,
            session: self.session.as_ref().map(|(id, _)| *id),
            expires_at: self.expires_at,
            generation: None,
        }
    }
}

/// The digest by which a token is known. It is made of 256 random bits, so there
/// is nothing to slow down.
#[must_use]
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Compares in a time that depends neither on the contents nor on the length of
/// what was shown.
#[must_use]
pub fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

/// The token that this text is.
#[must_use]
pub fn find<'a>(all: &'a [Guest], text: &str) -> Option<&'a Guest> {
    let shown = digest(text);
    let id: TokenId = text.strip_prefix(PREFIX)?.split('_').next()?.parse().ok()?;
    all.iter().find(|guest| guest.id == id).filter(|guest| is_same(&guest.digest, &shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(lasts: Option<u64>) -> (Guest, String) {
        Guest::make(Wish { is_read_only: true, session: None, lasts }, 1000).unwrap()
    }

    #[test]
    fn a_token_is_found_by_all_of_its_text_and_by_nothing_else() {
        let (one, text) = guest(None);
        let (other, _) = guest(None);
        let all = [other, one.clone()];
        assert_eq!(find(&all, &text), Some(&one));
        for wrong in [&text[..text.len() - 1], &format!("{text}x"), &text[3..], "qd_", &format!("qd_{}_", one.id), ""] {
            assert_eq!(find(&all, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_text_is_not_kept() {
        let (guest, text) = guest(Some(5));
        let kept = serde_json::to_string(&guest).unwrap();
        assert!(!kept.contains(text.rsplit('_').next().unwrap()));
        assert_eq!(serde_json::from_str::<Guest>(&kept).unwrap(), guest);
    }

    #[test]
    fn it_ends_when_its_time_is_over() {
        let (guest, _) = guest(Some(5));
        assert!(!guest.is_expired(1004) && guest.is_expired(1005));
    }
}
