//! Which session did the kernel kill a process of?
//!
//! The container's counter only says that somebody was killed. A session's own
//! group says it of the session, and init knows of a killed first process. For
//! the rest the memory tells: the kernel kills who has most, so of those who
//! are gone the largest is the likely one.

use std::time::Instant;

use crate::model::id::SessionId;

/// What is smaller, in bytes, was not killed for its memory.
pub const LOSS_MIN: u64 = 1 << 20;

/// A process that a session lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Whose it was.
    pub session: SessionId,
    /// When it was missed.
    pub at: Instant,
    /// Its memory in bytes, as far as known.
    pub bytes: u64,
}

/// What speaks for one session or another.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Kills that a session's own group has counted.
    pub counted: Vec<(SessionId, u64)>,
    /// Sessions whose first process the kernel killed.
    pub leaders: Vec<SessionId>,
    /// Processes lost by sessions that have no group of their own.
    pub losses: Vec<Loss>,
    /// Memory of the largest process that they still have, in bytes.
    pub largest_left: u64,
}

impl Evidence {
    /// Whether each of so many kills has somebody who surely lost it: while
    /// somebody is larger than who is gone, that one may be about to go.
    #[must_use]
    pub fn is_enough(&self, kills: u64) -> bool {
        let counted: u64 = self.counted.iter().map(|(_, counted)| counted).sum();
        let losses = self.losses.iter().filter(|loss| loss.bytes >= self.largest_left.max(LOSS_MIN)).count();
        counted.saturating_add((self.leaders.len() + losses) as u64) >= kills
    }
}

/// Who lost how many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// By session, each once.
    pub sessions: Vec<(SessionId, u64)>,
    /// Kills that nobody can be told to have lost.
    pub nobodys: u64,
}

impl Verdict {
    fn give(&mut self, session: SessionId, kills: u64) {
        match self.sessions.iter_mut().find(|(id, _)| *id == session) {
            Some((_, count)) => *count += kills,
            None => self.sessions.push((session, kills)),
        }
    }
}

/// Shares out `kills`; losses that stand for one are taken out of the evidence.
pub fn decide(kills: u64, evidence: &mut Evidence) -> Verdict {
    let (mut verdict, mut left) = (Verdict::default(), kills);
    for (session, counted) in std::mem::take(&mut evidence.counted) {
        verdict.give(session, counted);
        left = left.saturating_sub(counted);
    }
    // A first process whose group counted is counted there.
    let leaders = std::mem::take(&mut evidence.leaders);
    let uncounted = leaders.iter().filter(|id| verdict.sessions.iter().all(|(given, _)| given != *id));
    for session in uncounted.copied().collect::<Vec<_>>() {
        let one = left.min(1);
        if one > 0 {
            verdict.give(session, one);
        }
        left -= one;
    }
    evidence.losses.sort_unstable_by_key(|loss| std::cmp::Reverse(loss.bytes));
    while left > 0 && evidence.losses.first().is_some_and(|loss| loss.bytes >= LOSS_MIN) {
        verdict.give(evidence.losses.remove(0).session, 1);
        left -= 1;
    }
    // The kernel can kill a group as a whole, and init removes it afterwards.
    match leaders.last() {
        Some(session) if left > 0 => verdict.give(*session, left),
        _ => verdict.nobodys = left,
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn ids<const N: usize>() -> [SessionId; N] {
        std::array::from_fn(|_| SessionId::random())
    }

    fn loss(session: SessionId, bytes: u64) -> Loss {
        Loss { session, at: Instant::now(), bytes }
    }

    #[test]
    fn a_sessions_own_counter_is_believed_first() {
        let [a, b, c] = ids();
        let mut evidence = Evidence {
            counted: vec![(a, 2)],
            leaders: vec![a, b],
            losses: vec![loss(c, 500 * MIB)],
            ..Evidence::default()
        };
        let verdict = decide(3, &mut evidence);
        assert_eq!(verdict, Verdict { sessions: vec![(a, 2), (b, 1)], nobodys: 0 });
        assert_eq!(evidence.losses.len(), 1, "it may yet stand for another kill");
    }

    #[test]
    fn the_largest_losses_are_the_likely_ones() {
        let [a, b, c] = ids();
        let losses = vec![loss(a, 2 * MIB), loss(b, 90 * MIB), loss(c, 30 * MIB), loss(b, 40 * MIB)];
        let mut evidence = Evidence { losses, ..Evidence::default() };
        assert!(evidence.is_enough(4) && !evidence.is_enough(5));
        evidence.largest_left = 35 * MIB;
        assert!(evidence.is_enough(2) && !evidence.is_enough(3));
        assert_eq!(decide(1, &mut evidence).sessions, [(b, 1)]);
        assert_eq!(decide(2, &mut evidence).sessions, [(b, 1), (c, 1)]);
        let left: Vec<_> = evidence.losses.iter().map(|loss| (loss.session, loss.bytes)).collect();
        assert_eq!(left, [(a, 2 * MIB)]);
    }

    #[test]
    fn nobody_is_blamed_for_a_small_process_that_ended() {
        let [a] = ids();
        let mut evidence = Evidence { losses: vec![loss(a, MIB / 2)], ..Evidence::default() };
        assert!(!evidence.is_enough(1));
        assert_eq!(decide(1, &mut evidence), Verdict { sessions: vec![], nobodys: 1 });
        assert_eq!(decide(0, &mut evidence), Verdict::default());
    }

    #[test]
    fn a_group_killed_as_a_whole_is_its_leaders() {
        let [a, b] = ids();
        let mut evidence = Evidence { leaders: vec![a], losses: vec![loss(b, 80 * MIB)], ..Evidence::default() };
        assert_eq!(decide(5, &mut evidence).sessions, [(a, 4), (b, 1)]);
        let mut evidence = Evidence { leaders: vec![a, b], ..Evidence::default() };
        assert_eq!(decide(1, &mut evidence).sessions, [(a, 1)]);
    }
}
