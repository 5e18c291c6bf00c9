//! What a session wants of people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names the socket in a session's environment at which it can say what it
/// needs.
pub const NOTIFY_SOCKET: &str = "QUARTERDECK_NOTIFY_SOCKET";

/// Holds the session's [`Ticket`] in its environment.
pub const NOTIFY_TOKEN: &str = "QUARTERDECK_NOTIFY_TOKEN";

/// Longest text of a need, in bytes.
pub const NEED_MAX: usize = 800;

/// What is known of it. Init keeps it, so that it outlives the server that
/// found it out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What a person is needed for, if one is.
    pub need: Option<String>,
    /// Whether the program speaks for itself, so that nothing is guessed.
    pub is_told: bool,
    /// Whether it runs and has been silent for a long time.
    pub is_stuck: bool,
}

impl Attention {
    /// Whether it is small enough to be kept.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.need.as_ref().is_none_or(|need| need.len() <= NEED_MAX)
    }
}

/// By what a process proves of which session it is, to say what that session
/// needs and nothing else: 122 random bits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket(Uuid);

impl Ticket {
    /// A new one, from `getrandom(2)`.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Compares in a time that does not depend on where the two differ.
    #[must_use]
    pub fn admits(self, shown: Self) -> bool {
        std::hint::black_box(self.0.as_u128() ^ shown.0.as_u128()) == 0
    }

    /// The text that the session's environment holds.
    #[must_use]
    pub fn reveal(self) -> String {
        self.0.simple().to_string()
    }
}

impl FromStr for Ticket {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// Nothing that is logged may admit anybody.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_from_what_it_reveals_and_not_shown_otherwise() {
        let ticket = Ticket::random();
        let read: Ticket = ticket.reveal().parse().unwrap();
        assert!(ticket.admits(read));
        assert!(!ticket.admits(Ticket::random()));
        assert!(!format!("{ticket:?}").contains(&ticket.reveal()));
    }

    #[test]
    fn an_endless_need_is_not_kept() {
        let attention = |len| Attention { need: Some("x".repeat(len)), ..Attention::default() };
        assert!(Attention::default().is_sound() && attention(NEED_MAX).is_sound());
        assert!(!attention(NEED_MAX + 1).is_sound());
    }
}
