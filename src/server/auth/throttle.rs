//! Who shows wrong tokens is answered ever later.
//!
//! For each address a few answers may be on their way; while that many are, no
//! further token of that address is even looked at. So the answers' delay is a
//! limit on guesses, whether or not their sender waits for them. A right token
//! is never delayed, and other addresses never notice. Behind a reverse proxy
//! all have one address: then a flood of wrong tokens keeps new logins waiting,
//! but nobody out who is logged in, since cookies are not slowed.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Mistakes of a person, answered at once.
const FREE: u32 = 3;

/// The first delay; it doubles with each further wrong token.
const DELAY_FIRST: Duration = Duration::from_millis(250);
const DELAY_MAX: Duration = Duration::from_secs(4);

/// Late answers on their way to one address.
const WAITING_MAX: usize = 4;

/// After so long without a wrong token they are forgotten.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// Addresses that are remembered; some 200 KiB.
const ADDRESSES_MAX: usize = 1024;

/// Late answers on their way to all addresses together.
const ALL_WAITING_MAX: usize = 256;

/// Wrong tokens, by address.
#[derive(Debug, Default)]
pub struct Throttle {
    addresses: HashMap<IpAddr, Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
    /// When the answers on their way are due.
    due: VecDeque<Instant>,
}

/// Come again after this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany(pub Duration);

impl Throttle {
    /// Whether a token of this address may be looked at now.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn admit(&mut self, address: IpAddr, now: Instant) -> Result<(), TooMany> {
        let Some(failures) = self.addresses.get_mut(&group(address)) else { return Ok(()) };
        failures.settle(now);
        match failures.due.front() {
            Some(first) if failures.due.len() >= WAITING_MAX => Err(TooMany(first.duration_since(now))),
            _ => Ok(()),
        }
    }

    /// Notes a wrong token, and says how late to answer.
    ///
    /// # Errors
    /// [`TooMany`]: so many wait that this one is to be sent away.
    pub fn note_failure(&mut self, address: IpAddr, now: Instant) -> Result<Duration, TooMany> {
        let waiting: usize = self.addresses.values().map(|failures| failures.due.len()).sum();
        self.make_room(now);
        let new = || Failures { count: 0, last: now, due: VecDeque::new() };
        let failures = self.addresses.entry(group(address)).or_insert_with(new);
        failures.settle(now);
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
        let delay = delay(failures.count);
        if delay.is_zero() {
            return Ok(delay);
        }
        failures.due.push_back(now + delay);
        if waiting >= ALL_WAITING_MAX { Err(TooMany(delay)) } else { Ok(delay) }
    }

    /// Forgets what is old and, if that is not enough, what is oldest.
    fn make_room(&mut self, now: Instant) {
        if self.addresses.len() < ADDRESSES_MAX {
            return;
        }
        self.addresses.retain(|_, failures| now.duration_since(failures.last) < MEMORY);
        while self.addresses.len() >= ADDRESSES_MAX {
            let Some(oldest) = self.addresses.iter().min_by_key(|(_, failures)| failures.last) else { return };
            let oldest = *oldest.0;
            self.addresses.remove(&oldest);
        }
    }
}

impl Failures {
    fn settle(&mut self, now: Instant) {
        self.due.retain(|due| *due > now);
        if now.duration_since(self.last) >= MEMORY {
            self.count = 0;
        }
    }
}

fn delay(count: u32) -> Duration {
    match count.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(doublings) => DELAY_FIRST.saturating_mul(1 << doublings.min(10)).min(DELAY_MAX),
    }
}

/// One network of IPv6 is one home, with more addresses than we could remember.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn delays_double_up_to_some_seconds() {
        let delays: Vec<u128> = (1..=10).map(|count| delay(count).as_millis()).collect();
        assert_eq!(delays, [0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(delay(u32::MAX), DELAY_MAX);
    }

    #[test]
    fn guesses_per_time_are_limited_whether_or_not_the_sender_waits() {
        let (mut throttle, start) = (Throttle::default(), Instant::now());
        let mut guesses = 0;
        for millis in 0..60_000 {
            let now = start + Duration::from_millis(millis);
            if throttle.admit(address(1), now).is_ok() {
                guesses += 1;
                let _ = throttle.note_failure(address(1), now);
            }
        }
        assert!((20..90).contains(&guesses), "{guesses} guesses in a minute");
    }

    #[test]
    fn other_addresses_do_not_notice() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        while throttle.admit(address(1), now).is_ok() {
            let _ = throttle.note_failure(address(1), now);
        }
        assert_eq!(throttle.admit(address(2), now), Ok(()));
        assert_eq!(throttle.note_failure(address(2), now), Ok(Duration::ZERO));
    }

    #[test]
    fn it_is_forgotten_after_a_while() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..9 {
            let _ = throttle.note_failure(address(1), now);
        }
        assert_eq!(throttle.note_failure(address(1), now + MEMORY), Ok(Duration::ZERO));
    }

    #[test]
    fn memory_is_bounded_by_any_number_of_addresses() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..5000u32 {
            let _ = throttle.note_failure(IpAddr::from(n.to_be_bytes()), now + Duration::from_millis(n.into()));
        }
        assert_eq!(throttle.addresses.len(), ADDRESSES_MAX);
        assert!(throttle.addresses.contains_key(&IpAddr::from(4999u32.to_be_bytes())));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let group_of = |text: &str| group(text.parse().unwrap());
        assert_eq!(group_of("2001:db8::1"), group_of("2001:db8::ffff:1"));
        assert_ne!(group_of("2001:db8::1"), group_of("2001:db8:0:1::1"));
        assert_eq!(group_of("::ffff:10.0.0.1"), address(1));
    }
}
