//! What a login may do.

use super::tokens::TokenId;
use crate::model::id::SessionId;

/// What a route or a message asks for; each has one, in one table
/// (`http/rights.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing: it holds no secret, or is where one logs in.
    Open,
    /// To look at what one may see.
    Look,
    /// To look at what tells of every session.
    LookAtAll,
    /// To type into a session, and what else its user does.
    Use,
    /// To make and delete sessions, and to clean up.
    Manage,
    /// To give others a way in.
    Admit,
}

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Root, or the user that init runs as, on the Unix socket.
    Owner,
    /// Anybody, because no token is asked for.
    Anybody,
    /// Who has the container's token.
    Holder,
    /// Who has a token that was made for less.
    Guest(TokenId),
}

/// A login, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who it is.
    pub who: Who,
    /// Whether it may only look.
    pub is_read_only: bool,
    /// The one session it is for.
    pub session: Option<SessionId>,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at: Option<u64>,
    /// It ends when the container's token is no longer the one of this number.
    pub generation: Option<u64>,
}

impl Grant {
    /// For the Unix socket.
    pub const OWNER: Self = Self::unlimited(Who::Owner);

    /// For everybody.
    pub const ANYBODY: Self = Self::unlimited(Who::Anybody);

    const fn unlimited(who: Who) -> Self {
        Self { who, is_read_only: false, session: None, expires_at: None, generation: None }
    }

    /// For the container's token.
    #[must_use]
    pub fn holder(generation: u64) -> Self {
        Self { generation: Some(generation), ..Self::unlimited(Who::Holder) }
    }

    /// Whether it may do this at all, be it only in its own session.
    #[must_use]
    pub fn may(&self, right: Right) -> bool {
        match right {
            Right::Open | Right::Look => true,
            Right::LookAtAll => self.session.is_none(),
            Right::Use => !self.is_read_only,
            Right::Manage => !self.is_read_only && self.session.is_none(),
            Right::Admit => !matches!(self.who, Who::Guest(_)),
        }
    }

    /// Whether it may know of a session.
    #[must_use]
    pub fn sees(&self, session: SessionId) -> bool {
        self.session.is_none_or(|own| own == session)
    }

    /// Whether it may know of what concerns this session, or none.
    #[must_use]
    pub fn sees_news_of(&self, session: Option<SessionId>) -> bool {
        match (self.session, session) {
            (None, _) => true,
            (Some(own), about) => about == Some(own),
        }
    }

    /// What it may do, in words.
    #[must_use]
    pub fn in_words(&self) -> &'static str {
        match (self.session.is_some(), self.is_read_only) {
            (true, true) => "This token may only look, and only at the session it was made for",
            (true, false) => "This token may only be used for the session it was made for, not to make or delete any",
            (false, true) => "This token may only look, not type, make or change anything",
            (false, false) => "This token may not make or remove other tokens",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_token_may_just_what_it_is_for() {
        use Right::{Admit, Look, LookAtAll, Manage, Open, Use};
        let guest = Grant::unlimited(Who::Guest(TokenId::random().unwrap()));
        let one = SessionId::random();
        let kinds: [(Grant, &[Right]); 6] = [
            (Grant::OWNER, &[Open, Look, LookAtAll, Use, Manage, Admit]),
            (Grant::holder(1), &[Open, Look, LookAtAll, Use, Manage, Admit]),
            (guest.clone(), &[Open, Look, LookAtAll, Use, Manage]),
            (Grant { is_read_only: true, ..guest.clone() }, &[Open, Look, LookAtAll]),
            (Grant { session: Some(one), ..guest.clone() }, &[Open, Look, Use]),
            (Grant { session: Some(one), is_read_only: true, ..guest }, &[Open, Look]),
        ];
        for (grant, wanted) in kinds {
            let has: Vec<Right> =
                [Open, Look, LookAtAll, Use, Manage, Admit].into_iter().filter(|right| grant.may(*right)).collect();
            assert_eq!(has, wanted, "{grant:?}");
        }
    }

    #[test]
    fn a_session_token_hears_of_its_own_session_alone() {
        let (own, other) = (SessionId::random(), SessionId::random());
        let grant = Grant { session: Some(own), ..Grant::ANYBODY };
        assert!(grant.sees(own) && !grant.sees(other));
        assert!(grant.sees_news_of(Some(own)) && !grant.sees_news_of(Some(other)) && !grant.sees_news_of(None));
        assert!(Grant::ANYBODY.sees(other) && Grant::ANYBODY.sees_news_of(None));
    }
}
