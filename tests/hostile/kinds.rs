//! The kinds of hostility, by name.

use std::fmt;
use std::str::FromStr;

/// What the double does until it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes that are no message, of every length.
    Garbage,
    /// No introduction, or a wrong one.
    Stranger,
    /// Says that it serves, then nothing that makes sense, again and again.
    FalseStart,
    /// Wishes as fast as they go, and never reads an answer.
    Deaf,
    /// Wishes as fast as they go, with all answers read.
    Flood,
    /// Messages that carry descriptors.
    Descriptors,
    /// Closes one half of the link and goes on with the other.
    HalfClosed,
    /// Nonsense in the pages it may write, and tries on those that it may not.
    Hints,
    /// Sessions of an earlier life that no life ever had.
    Restore,
    /// Sessions beyond the limit, with commands as large as they get.
    Greedy,
    /// Leaves processes behind that nobody asked for.
    Breeder,
    /// Any of these, changing all the time.
    Random,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Garbage,
        Self::Stranger,
        Self::FalseStart,
        Self::Deaf,
        Self::Flood,
        Self::Descriptors,
        Self::HalfClosed,
        Self::Hints,
        Self::Restore,
        Self::Greedy,
        Self::Breeder,
        Self::Random,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.to_string() == text).ok_or(())
    }
}

/// What the double is told: how to rage, and by which random numbers.
#[derive(Clone, Copy, Debug)]
pub struct Rage {
    pub kind: Kind,
    pub seed: u64,
}

impl fmt::Display for Rage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.seed)
    }
}

impl FromStr for Rage {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, seed) = text.trim().split_once(' ').ok_or(())?;
        Ok(Self { kind: kind.parse()?, seed: seed.parse().map_err(drop)? })
    }
}
