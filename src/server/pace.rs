//! How far the clients of one session are, and what the program may not outrun.
//!
//! The fastest client sets the pace: while it keeps up, the program is slowed
//! rather than allowed to overwrite what that client has not had. The others
//! may fall behind; they get a gap. A client that stops moving altogether
//! does not keep up and loses its say, and one that may only look has none. A
//! client whose connection broke keeps its place for a moment, so that coming
//! back by offset loses nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::ring::hint::FREE_RUN;

/// A client that has unread output and takes none for this long is stalled.
const STALL: Duration = Duration::from_secs(30);

/// How long the place of a broken connection is held.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long the places of a dead server's clients are held.
pub const LINGER_AFTER_RESTART: Duration = Duration::from_secs(30);

/// One attachment of one connection.
pub type ClientId = u64;

/// Whether a program waits for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Say {
    /// It may use the session, and a program that outruns it is held back.
    Has,
    /// It may only look: holding a program back would be more.
    HasNone,
}

/// Everybody's place in one session's output.
#[derive(Debug, Default)]
pub struct Places {
    clients: HashMap<ClientId, Client>,
    held: Vec<Held>,
}

#[derive(Debug)]
struct Client {
    /// What the program may not outrun for this client.
    place: u64,
    /// What was handed to its socket.
    sent: u64,
    say: Say,
    behind_since: Option<Instant>,
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct Held {
    offset: u64,
    until: Instant,
}

impl Places {
    /// Adds a client that has everything below `sent` and needs what is from
    /// `place` on kept; `wake` is notified of new output.
    pub fn join(&mut self, id: ClientId, place: u64, sent: u64, say: Say, wake: Arc<Notify>) {
        self.clients.insert(id, Client { place, sent, say, behind_since: None, wake });
    }

    /// Removes a client; its place is held until then, if a time is given.
    pub fn leave(&mut self, id: ClientId, hold_until: Option<Instant>) {
        let left = self.clients.remove(&id).filter(|client| client.say == Say::Has);
        if let (Some(client), Some(until)) = (left, hold_until) {
            self.held.push(Held { offset: client.place, until });
        }
    }

    /// Holds a place nobody of today has had.
    pub fn hold(&mut self, offset: u64, until: Instant) {
        self.held.push(Held { offset, until });
    }

    /// A client was sent everything below `sent`, and everything from `place` on
    /// must stay readable for it. Neither ever moves back.
    pub fn moved(&mut self, id: ClientId, place: u64, sent: u64) {
        if let Some(client) = self.clients.get_mut(&id)
            && (place > client.place || sent > client.sent)
        {
            client.place = client.place.max(place);
            client.sent = client.sent.max(sent);
            client.behind_since = None;
        }
    }

    /// How many clients are attached.
    #[must_use]
    pub fn count(&self) -> usize {
        self.clients.len()
    }

    /// Tells every client that there is something new.
    pub fn wake_all(&self) {
        self.clients.values().for_each(|client| client.wake.notify_one());
    }

    /// Forgets held places whose time is over and notices who stalls: who takes
    /// nothing although there is something, or although the program waits for it.
    pub fn tick(&mut self, now: Instant, head: u64, program_waits: bool) {
        self.held.retain(|held| held.until > now);
        for client in self.clients.values_mut() {
            if client.sent >= head && !program_waits {
                client.behind_since = None;
            } else {
                client.behind_since.get_or_insert(now);
            }
        }
    }

    /// The offset the program may not outrun, or [`FREE_RUN`].
    #[must_use]
    pub fn pace(&self, now: Instant) -> u64 {
        let keeps_up = |c: &&Client| c.behind_since.is_none_or(|since| now.duration_since(since) < STALL);
        let waited_for = self.clients.values().filter(|client| client.say == Say::Has);
        let clients = waited_for.filter(keeps_up).map(|client| client.place);
        let held = self.held.iter().filter(|held| held.until > now).map(|held| held.offset);
        clients.chain(held).max().unwrap_or(FREE_RUN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(offsets: &[u64]) -> Places {
        let mut places = Places::default();
        for (id, offset) in offsets.iter().enumerate() {
            places.join(id as u64, *offset, *offset, Say::Has, Arc::default());
        }
        places
    }

    #[test]
    fn the_fastest_sets_the_pace() {
        let now = Instant::now();
        assert_eq!(places(&[]).pace(now), FREE_RUN);
        assert_eq!(places(&[5, 9, 2]).pace(now), 9);
    }

    #[test]
    fn who_may_only_look_holds_nothing_back() {
        let (mut places, now) = (places(&[5]), Instant::now());
        places.join(7, 9, 9, Say::HasNone, Arc::default());
        assert_eq!((places.count(), places.pace(now)), (2, 5));
        places.leave(0, None);
        assert_eq!(places.pace(now), FREE_RUN);
        places.leave(7, Some(now + LINGER));
        assert_eq!(places.pace(now), FREE_RUN);
    }

    #[test]
    fn a_place_never_moves_back() {
        let mut places = places(&[5]);
        places.moved(0, 3, 3);
        assert_eq!(places.pace(Instant::now()), 5);
    }

    #[test]
    fn a_stalled_client_loses_its_say_until_it_moves() {
        let (mut places, start) = (places(&[5]), Instant::now());
        places.tick(start, 10, false);
        assert_eq!(places.pace(start), 5);
        let later = start + STALL;
        places.tick(later, 10, false);
        assert_eq!(places.pace(later), FREE_RUN);
        places.moved(0, 6, 8);
        assert_eq!(places.pace(later), 6);
    }

    #[test]
    fn a_client_that_has_everything_never_stalls() {
        let (mut places, start) = (places(&[5]), Instant::now());
        places.moved(0, 7, 10);
        places.tick(start, 10, false);
        places.tick(start + STALL * 2, 10, false);
        assert_eq!(places.pace(start + STALL * 2), 7);
    }

    #[test]
    fn a_client_that_takes_all_and_acknowledges_nothing_cannot_hold_the_program_for_ever() {
        let (mut places, start) = (places(&[5]), Instant::now());
        places.moved(0, 5, 10);
        places.tick(start, 10, true);
        places.tick(start + STALL, 10, true);
        assert_eq!(places.pace(start + STALL), FREE_RUN);
    }

    #[test]
    fn a_broken_connections_place_is_held_for_a_while_and_a_detached_ones_not() {
        let (mut places, now) = (places(&[5, 7]), Instant::now());
        places.leave(1, None);
        places.leave(0, Some(now + LINGER));
        assert_eq!((places.count(), places.pace(now)), (0, 5));
        places.tick(now + LINGER, 10, false);
        assert_eq!(places.pace(now + LINGER), FREE_RUN);
    }
}
