//! Who is connected, what each connection is about, and who has to go when
//! there is no place left.
//!
//! A connection that has asked for nothing yet costs its client nothing, so
//! thousands of them must not keep anybody out. Who has most of them loses the
//! oldest, so that one who comes with a single request gets to send it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::allowance::Peer;
use crate::server::metrics::Metrics;
use crate::server::metrics::connections::{Cut, Full, Gate};

/// How long the head of a request may take, from its first byte; for the first
/// request from the connection's beginning.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a connection may be without a request. Longer than proxies keep
/// theirs (60 s), so that they don't send one into a closing connection.
const IDLE_TIME: Duration = Duration::from_secs(75);

/// How long a client may take for an answer, from its question on, as long as
/// there is something to send to it.
const ANSWER_TIME: Duration = Duration::from_secs(600);

/// What a connection is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head of a request has not all come.
    Head,
    /// Its body has not all come.
    Body,
    /// It is being answered.
    Busy,
    /// Nothing is asked.
    Idle,
    /// It is a WebSocket.
    Upgraded,
}

/// The conduct of one connection: told by who reads it and who answers it,
/// looked at by who needs its place.
#[derive(Debug)]
pub struct Conduct {
    standing: Mutex<(Phase, Instant)>,
    /// Who reads the socket and has no deadline now.
    reader: Mutex<Option<Waker>>,
    /// Rings when the place is needed for another.
    pub evicted: Notify,
}

impl Conduct {
    fn new(now: Instant) -> Self {
        Self { standing: Mutex::new((Phase::Head, now)), reader: Mutex::default(), evicted: Notify::new() }
    }

    fn now(&self) -> MutexGuard<'_, (Phase, Instant)> {
        lock(&self.standing)
    }

    fn begin(&self, phase: Phase) {
        *self.now() = (phase, Instant::now());
    }

    /// Bytes came.
    pub fn received(&self) {
        if self.now().0 == Phase::Idle {
            self.begin(Phase::Head);
        }
    }

    /// Bytes were taken by the client.
    pub fn sent(&self) {
        let mut now = self.now();
        if now.0 == Phase::Idle {
            now.1 = Instant::now();
        }
    }

    /// A request's head is there, and its body as well if `whole`.
    pub fn asked(&self, whole: bool) {
        self.begin(if whole { Phase::Busy } else { Phase::Body });
    }

    /// The body is there, or nobody waits for it any more.
    pub fn has_body(&self) {
        if self.now().0 == Phase::Body {
            self.begin(Phase::Busy);
        }
    }

    /// The answer is given.
    pub fn answered(&self) {
        if self.now().0 == Phase::Upgraded {
            return;
        }
        self.begin(Phase::Idle);
        // From now on there is a deadline.
        if let Some(reader) = lock(&self.reader).take() {
            reader.wake();
        }
    }

    /// It goes on as a WebSocket.
    pub fn upgraded(&self) {
        self.begin(Phase::Upgraded);
    }

    /// When waiting for the client ends, and what that will have been; never
    /// while the client waits for us.
    pub fn deadline(&self) -> Option<(Instant, Cut)> {
        let (phase, since) = *self.now();
        match phase {
            Phase::Head => Some((since + HEAD_TIME, Cut::SlowHead)),
            Phase::Idle => Some((since + IDLE_TIME, Cut::Idle)),
            Phase::Body | Phase::Busy | Phase::Upgraded => None,
        }
    }

    /// Whether the client has had long enough to take the answer to a request.
    pub fn is_answer_overdue(&self) -> bool {
        let (phase, since) = *self.now();
        phase == Phase::Busy && since.elapsed() >= ANSWER_TIME
    }

    /// Wakes the reader once there is a deadline.
    pub fn call(&self, reader: &Waker) {
        if self.now().0 != Phase::Upgraded {
            *lock(&self.reader) = Some(reader.clone());
        }
    }

    /// Whether a request is on its way.
    fn is_asking(&self) -> bool {
        matches!(self.now().0, Phase::Head | Phase::Body)
    }

    /// Whether nothing is asked.
    fn is_idle(&self) -> bool {
        self.now().0 == Phase::Idle
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places at one gate.
#[derive(Debug)]
pub struct Seats {
    gate: Gate,
    most: usize,
    most_per_peer: usize,
    metrics: Arc<Metrics>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    seats: BTreeMap<u64, (Peer, Arc<Conduct>)>,
    by_peer: HashMap<Peer, usize>,
}

impl Taken {
    fn of(&self, peer: Peer) -> usize {
        self.by_peer.get(&peer).copied().unwrap_or_default()
    }

    fn add(&mut self, peer: Peer, conduct: Arc<Conduct>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.seats.insert(id, (peer, conduct));
        *self.by_peer.entry(peer).or_default() += 1;
        id
    }

    fn remove(&mut self, id: u64) -> Option<Arc<Conduct>> {
        let (peer, conduct) = self.seats.remove(&id)?;
        let left = self.of(peer).saturating_sub(1);
        match left {
            0 => drop(self.by_peer.remove(&peer)),
            _ => drop(self.by_peer.insert(peer, left)),
        }
        Some(conduct)
    }

    /// Takes a place away from the one of `peers` that has most: the oldest
    /// connection whose request has not all come, else the oldest without one;
    /// never one that is being answered.
    fn make_room(&mut self, peers: Vec<Peer>) -> bool {
        let mut levels: BTreeMap<usize, HashSet<Peer>> = BTreeMap::new();
        for peer in peers {
            levels.entry(self.of(peer)).or_default().insert(peer);
        }
        let victim = levels.values().rev().find_map(|peers| {
            // In the order in which they came, so that the search is short while there are many.
            let oldest = |is_one: fn(&Conduct) -> bool| {
                let mut seats = self.seats.iter();
                seats.find(|(_, (peer, conduct))| is_one(conduct) && peers.contains(peer)).map(|(id, _)| *id)
            };
            oldest(Conduct::is_asking).or_else(|| oldest(Conduct::is_idle))
        });
        let Some(conduct) = victim.and_then(|id| self.remove(id)) else { return false };
        conduct.evicted.notify_one();
        true
    }

    fn peers(&self) -> Vec<Peer> {
        self.by_peer.keys().copied().collect()
    }
}

impl Seats {
    /// Places for so many connections, and so many of one client.
    #[must_use]
    pub fn new(gate: Gate, most: usize, most_per_peer: usize, metrics: Arc<Metrics>) -> Self {
        metrics.connections.allow(gate, most);
        Self { gate, most, most_per_peer, metrics, taken: Mutex::default() }
    }

    /// A place for a new connection, if need be that of another.
    ///
    /// # Errors
    /// Why there is none.
    pub fn take(self: &Arc<Self>, peer: Peer) -> Result<Seat, Full> {
        let mut taken = lock(&self.taken);
        if taken.of(peer) >= self.most_per_peer && !taken.make_room(vec![peer]) {
            return Err(Full::Peer);
        }
        let all = if taken.seats.len() >= self.most { taken.peers() } else { Vec::new() };
        if taken.seats.len() >= self.most && !taken.make_room(all) {
            return Err(Full::Total);
        }
        let conduct = Arc::new(Conduct::new(Instant::now()));
        let id = taken.add(peer, Arc::clone(&conduct));
        self.metrics.connections.opened(self.gate);
        Ok(Seat { id, conduct, seats: Arc::clone(self) })
    }

    /// Ends the connection that can best be done without.
    pub fn free_one(&self) {
        let mut taken = lock(&self.taken);
        let all = taken.peers();
        taken.make_room(all);
    }
}

/// The place of one connection, for as long as its socket is open.
#[derive(Debug)]
pub struct Seat {
    id: u64,
    conduct: Arc<Conduct>,
    seats: Arc<Seats>,
}

impl Seat {
    /// What the connection is about.
    #[must_use]
    pub fn conduct(&self) -> &Arc<Conduct> {
        &self.conduct
    }

    /// Counts that the server ends it.
    pub fn cut(&self, why: Cut) {
        self.seats.metrics.connections.cut(why);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.seats.taken).remove(self.id);
        self.seats.metrics.connections.closed(self.seats.gate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> Peer {
        Peer::at([127, 0, 0, n].into())
    }

    fn seats(most: usize, most_per_peer: usize) -> Arc<Seats> {
        Arc::new(Seats::new(Gate::Tcp, most, most_per_peer, Arc::default()))
    }

    fn is_seated(seat: &Seat) -> bool {
        lock(&seat.seats.taken).seats.contains_key(&seat.id)
    }

    #[test]
    fn who_has_asked_nothing_goes_first_and_the_oldest_of_them() {
        let seats = seats(5, 5);
        let taken: Vec<_> = (1..=5).map(|n| seats.take(peer(n)).unwrap()).collect();
        let [busy, idle, uploads, first, second] = &taken[..] else { unreachable!() };
        busy.conduct.asked(true);
        uploads.conduct.asked(false);
        idle.conduct.asked(true);
        idle.conduct.answered();
        let newcomers: Vec<_> = (6..=9)
            .map(|n| {
                let seat = seats.take(peer(n)).unwrap();
                seat.conduct.upgraded();
                let left = [first, second, idle, uploads, busy].map(is_seated).iter().filter(|is| **is).count();
                (seat, left)
            })
            .collect();
        assert_eq!(newcomers.iter().map(|(_, left)| *left).collect::<Vec<_>>(), [4, 3, 2, 1]);
        assert!(is_seated(busy));
        assert_eq!(seats.take(peer(10)).unwrap_err(), Full::Total);
        drop(newcomers);
        assert!(seats.take(peer(10)).is_ok());
    }

    #[test]
    fn who_has_most_loses_one_however_young() {
        let seats = seats(5, 5);
        let one = seats.take(peer(1)).unwrap();
        let many: Vec<_> = (0..4).map(|_| seats.take(peer(2)).unwrap()).collect();
        let newcomer = seats.take(peer(3)).unwrap();
        assert_eq!([&one, &many[0], &many[1], &newcomer].map(is_seated), [true, false, true, true]);
        // Those that are being answered stay, and then it is others' turn.
        many.iter().for_each(|seat| seat.conduct.asked(true));
        let next = seats.take(peer(4)).unwrap();
        assert_eq!([&one, &newcomer, &next].map(is_seated), [false, true, true]);
    }

    #[test]
    fn a_client_with_all_it_may_have_takes_places_from_itself_only() {
        let seats = seats(10, 2);
        let other = seats.take(peer(1)).unwrap();
        let (first, second) = (seats.take(peer(2)).unwrap(), seats.take(peer(2)).unwrap());
        let third = seats.take(peer(2)).unwrap();
        assert_eq!([&other, &first, &second, &third].map(is_seated), [true, false, true, true]);
        second.conduct.upgraded();
        third.conduct.asked(true);
        assert_eq!(seats.take(peer(2)).unwrap_err(), Full::Peer);
        assert!(is_seated(&other));
    }

    #[test]
    fn a_client_is_waited_for_only_while_it_is_its_turn() {
        let conduct = Conduct::new(Instant::now());
        let awaited = |conduct: &Conduct| conduct.deadline().map(|(_, cut)| cut);
        assert_eq!(awaited(&conduct), Some(Cut::SlowHead));
        conduct.asked(false);
        assert_eq!(awaited(&conduct), None);
        conduct.has_body();
        conduct.answered();
        assert_eq!(awaited(&conduct), Some(Cut::Idle));
        conduct.received();
        assert_eq!(awaited(&conduct), Some(Cut::SlowHead));
        conduct.upgraded();
        conduct.answered();
        conduct.received();
        assert_eq!(awaited(&conduct), None);
    }
}
