//! What happened in a session between two looks at its processes.
//!
//! A process that ended is gone with its figures, but its parent has them if
//! it waited for it (`cutime` and its kin of `proc_pid_stat(5)`). So what a
//! parent's waited-for children rose by, less what was known of the vanished
//! below it, is what they used since, and what those used that came and went
//! unseen. Of a process that init collected nothing is heard any more.

use std::collections::HashMap;

use super::blame::LOSS_MIN;
use super::process::{Spent, Stat};

/// Size of what one fault brings at least.
const PAGE: u64 = 4096;

/// A process of a session at one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its figures.
    pub stat: Stat,
    /// Its memory in bytes.
    pub memory: u64,
}

/// The processes of a session at one look, by their numbers.
pub type Members = HashMap<i32, Member>;

/// When a look was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In clock ticks after boot.
    pub ticks: u64,
    /// The latest number that a process or thread was given.
    pub last_pid: u64,
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// CPU time used, in clock ticks.
    pub ticks: u64,
    /// The memory of each process that is gone, as far as known: what it had
    /// at the look before, and what its faults since tell.
    pub losses: Vec<u64>,
}

/// Memory of all that live, in bytes. Pages that processes share count for
/// each of them.
#[must_use]
pub fn memory(members: &Members) -> u64 {
    members.values().map(|member| member.memory).sum()
}

/// How many live.
#[must_use]
pub fn count(members: &Members) -> usize {
    members.values().filter(|member| !member.stat.is_dead).count()
}

/// Compares two looks, made at these moments.
#[must_use]
pub fn compare((before, from): (&Members, Moment), (now, to): (&Members, Moment)) -> Change {
    // A number below the one before means that they began anew.
    let started = to.last_pid.checked_sub(from.last_pid).unwrap_or(u64::MAX).max(1);
    let mut change = Change::default();
    let mut gone = gone(before, now, &mut change.losses);
    for (pid, member) in now {
        let (old, known) = match before.get(pid).filter(|old| is_same(old, member)) {
            Some(old) => (old.stat, gone.remove(pid).unwrap_or_default()),
            None if member.stat.start >= from.ticks => {
                (Stat { own: Spent::default(), waited: Spent::default(), ..member.stat }, Gone::default())
            }
            // It was there before and was not seen: its past is not of now.
            None => continue,
        };
        let unseen = member.stat.waited.less(old.waited).less(known.spent);
        change.ticks += member.stat.own.less(old.own).ticks + unseen.ticks;
        // It was never seen with the memory that it has lost already.
        let is_new_and_ending = member.memory == 0 && !before.get(pid).is_some_and(|old| is_same(old, member));
        let own = if is_new_and_ending { credible(member.stat.own, started) } else { 0 };
        let loss = known.largest + credible(unseen, started) + own;
        if loss > 0 {
            change.losses.push(loss);
        }
    }
    change
}

/// The memory that faults speak of: many small programs have as many of them
/// as a large one, so only what makes a large one of each counts.
fn credible(unseen: Spent, started: u64) -> u64 {
    let bytes = unseen.faults.saturating_mul(PAGE);
    if bytes / started >= LOSS_MIN { bytes } else { 0 }
}

/// What is gone below one process that is still there.
#[derive(Clone, Copy, Debug, Default)]
struct Gone {
    spent: Spent,
    /// The largest of their memories, in bytes.
    largest: u64,
}

/// What is gone, by the nearest ancestor that is left; losses without one are
/// told at once.
fn gone(before: &Members, now: &Members, losses: &mut Vec<u64>) -> HashMap<i32, Gone> {
    let mut gone: HashMap<i32, Gone> = HashMap::new();
    for (pid, old) in before {
        let left = now.get(pid).filter(|member| is_same(old, member));
        if let Some(member) = left {
            // Its memory goes first, before it is a zombie.
            if member.memory == 0 && old.memory > 0 {
                losses.push(old.memory);
            }
            continue;
        }
        let Some(heir) = heir(old, before, now) else {
            losses.push(old.memory);
            continue;
        };
        let below = gone.entry(heir).or_default();
        below.spent = below.spent.plus(old.stat.own).plus(old.stat.waited);
        // All but the largest are losses of their own.
        let smaller = below.largest.min(old.memory);
        below.largest = below.largest.max(old.memory);
        if smaller > 0 {
            losses.push(smaller);
        }
    }
    gone
}

/// The nearest ancestor that is left: it has, or will have, what was used.
fn heir(of: &Member, before: &Members, now: &Members) -> Option<i32> {
    let mut pid = of.stat.parent;
    // Numbers read one after the other could form a ring.
    for _ in 0..before.len() {
        let ancestor = before.get(&pid)?;
        if now.get(&pid).is_some_and(|member| is_same(ancestor, member)) {
            return Some(pid);
        }
        pid = ancestor.stat.parent;
    }
    None
}

/// A number may be given to another process.
fn is_same(a: &Member, b: &Member) -> bool {
    a.stat.start == b.stat.start
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A process that started at 10: parent, own ticks, ticks of its children.
    fn member(parent: i32, own: u64, waited: u64) -> Member {
        let spent = |ticks| Spent { ticks, faults: 0 };
        let stat = Stat {
            parent,
            group: 1,
            kernel_session: 1,
            terminal: 0,
            foreground: -1,
            state: 'S',
            is_dead: false,
            threads: 1,
            start: 10,
            resident: 1,
            own: spent(own),
            waited: spent(waited),
        };
        Member { stat, memory: MIB }
    }

    fn members(list: &[(i32, Member)]) -> Members {
        list.iter().copied().collect()
    }

    /// What changed since 100 ticks after boot, while so many were started.
    fn change(before: &[(i32, Member)], now: &[(i32, Member)], started: u64) -> Change {
        let from = Moment { ticks: 100, last_pid: 7 };
        compare((&members(before), from), (&members(now), Moment { ticks: 200, last_pid: 7 + started }))
    }

    fn ticks(before: &[(i32, Member)], now: &[(i32, Member)]) -> u64 {
        change(before, now, 1).ticks
    }

    fn losses(before: &[(i32, Member)], now: &[(i32, Member)]) -> Vec<u64> {
        let mut losses = change(before, now, 1).losses;
        losses.sort_unstable();
        losses
    }

    fn started_at(start: u64, mut member: Member) -> Member {
        member.stat.start = start;
        member
    }

    #[test]
    fn what_each_used_since_adds_up() {
        let before = [(2, member(1, 50, 0)), (3, member(2, 7, 0))];
        assert_eq!(ticks(&before, &before), 0);
        assert_eq!(ticks(&before, &[(2, member(1, 51, 0)), (3, member(2, 17, 0))]), 11);
    }

    #[test]
    fn a_newcomer_counts_whole_and_one_that_was_overlooked_not() {
        let before = [(2, member(1, 50, 0))];
        assert_eq!(ticks(&before, &[before[0], (3, started_at(100, member(2, 7, 2)))]), 9);
        assert_eq!(ticks(&before, &[before[0], (3, started_at(99, member(2, 7, 2)))]), 0);
    }

    #[test]
    fn an_ended_childs_last_time_is_counted_once() {
        let before = [(2, member(1, 50, 5)), (3, member(2, 30, 4))];
        assert_eq!(ticks(&before, &[(2, member(1, 50, 5 + 30 + 4 + 6))]), 6);
        // Nobody waited for it: what was known is known, the rest is lost.
        assert_eq!(ticks(&before, &[(2, member(1, 50, 5))]), 0);
        // It came and went between the looks.
        assert_eq!(ticks(&before[..1], &[(2, member(1, 50, 5 + 8))]), 8);
    }

    #[test]
    fn a_whole_branch_that_ended_is_counted_by_who_is_left() {
        let before = [(2, member(1, 50, 0)), (3, member(2, 30, 0)), (4, member(3, 20, 0))];
        assert_eq!(ticks(&before, &[(2, member(1, 50, 30 + 20 + 3))]), 3);
        // The middle one ended, and init has the last.
        assert_eq!(ticks(&before, &[(2, member(1, 50, 31)), (4, member(1, 22, 0))]), 3);
    }

    #[test]
    fn a_number_given_anew_is_another_process() {
        let before = [(2, member(1, 50, 0)), (3, member(2, 30, 0))];
        assert_eq!(ticks(&before, &[(2, member(1, 50, 30)), (3, started_at(150, member(2, 4, 0)))]), 4);
    }

    #[test]
    fn a_ring_of_parents_ends() {
        let before = [(2, member(3, 1, 0)), (3, member(2, 1, 0))];
        assert_eq!(ticks(&before, &[]), 0);
    }

    #[test]
    fn the_gone_are_losses_and_the_ended_too() {
        let large = Member { memory: 90 * MIB, ..member(2, 3, 0) };
        let before = [(2, member(1, 50, 0)), (3, large), (4, member(2, 0, 0))];
        assert_eq!(losses(&before, &before), [0; 0]);
        assert_eq!(losses(&before, &before[..1]), [MIB, 90 * MIB]);
        assert_eq!(losses(&before, &[]), [MIB, MIB, 90 * MIB]);
        let mut ended = Member { memory: 0, ..large };
        ended.stat.is_dead = true;
        assert_eq!(losses(&before, &[before[0], (3, ended), before[2]]), [90 * MIB]);
        assert_eq!(losses(&[before[0], (3, ended)], &before[..1]), [0; 0], "it was told before");
    }

    #[test]
    fn faults_tell_of_what_was_never_seen() {
        let before = [(2, member(1, 50, 0))];
        let mut parent = before[0].1;
        parent.stat.waited.faults = 5000;
        assert_eq!(losses(&before, &[(2, parent)]), [5000 * PAGE]);
        let seen = (3, Member { memory: 20 * MIB, ..member(2, 0, 0) });
        assert_eq!(losses(&[before[0], seen], &[(2, parent)]), [20 * MIB + 5000 * PAGE], "it grew and was killed");
    }

    #[test]
    fn who_is_seen_only_while_it_ends_is_a_loss() {
        let before = [(2, member(1, 50, 0))];
        let mut ending = started_at(150, Member { memory: 0, ..member(2, 3, 0) });
        ending.stat.own.faults = 5000;
        assert_eq!(losses(&before, &[before[0], (3, ending)]), [5000 * PAGE]);
        let seen = (3, Member { memory: 20 * MIB, ..ending });
        assert_eq!(losses(&[before[0], seen], &[before[0], (3, ending)]), [20 * MIB]);
    }

    #[test]
    fn many_small_programs_make_no_large_one() {
        let before = [(2, member(1, 50, 0))];
        let mut parent = before[0].1;
        parent.stat.waited.faults = 20 * 100;
        let losses = |started| change(&before, &[(2, parent)], started).losses;
        assert_eq!(losses(20), [0; 0]);
        assert_eq!(losses(2), [2000 * PAGE]);
        let (from, to) = (Moment { ticks: 100, last_pid: 7 }, Moment { ticks: 200, last_pid: 3 });
        let anew = compare((&members(&before), from), (&members(&[(2, parent)]), to));
        assert_eq!(anew.losses, [0; 0], "nobody knows how many were started");
    }

    #[test]
    fn only_the_living_count() {
        let mut ended = Member { memory: 0, ..member(2, 0, 0) };
        ended.stat.is_dead = true;
        let all = members(&[(2, member(1, 0, 0)), (3, member(2, 0, 0)), (4, ended)]);
        assert_eq!((count(&all), memory(&all)), (2, 2 * MIB));
    }
}
