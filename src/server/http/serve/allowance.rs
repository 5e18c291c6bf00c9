//! How much one client may ask in a second, over all its connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::Bucket;

/// Seconds' worth of requests or messages that may come at once.
const BURST: Duration = Duration::from_secs(2);

/// WebSocket messages and control frames a second that a client is read; what
/// is beyond waits in its socket. A page that acknowledges 300 MB/s of output
/// sends 5000.
const MESSAGES_PER_SECOND: f64 = 10_000.0;

/// Clients without a connection that are remembered.
const REMEMBERED: usize = 1024;

/// Who is counted as one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// An IPv4 address, or the network that one IPv6 host usually gets.
    Address(IpAddr),
    /// A user at the other end of a Unix socket; none if the kernel knows none.
    User(Option<u32>),
}

impl Peer {
    /// The client with this address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Address(address.into()),
            // A host has a /64 to choose its addresses from.
            IpAddr::V6(address) => {
                let network = u128::from(address) & (u128::MAX << 64);
                Self::Address(std::net::Ipv6Addr::from(network).into())
            }
        }
    }
}

/// What one client may still do.
#[derive(Debug)]
pub struct Allowance {
    requests: Option<Mutex<Bucket>>,
    messages: Mutex<Bucket>,
}

impl Allowance {
    fn new(requests_per_second: u32, now: Instant) -> Self {
        let requests = (requests_per_second > 0).then(|| Bucket::new(requests_per_second.into(), BURST, now));
        Self { requests: requests.map(Mutex::new), messages: Mutex::new(Bucket::new(MESSAGES_PER_SECOND, BURST, now)) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long until one more is taken.
    pub fn request(&self) -> Result<(), Duration> {
        self.requests.as_ref().map_or(Ok(()), |bucket| lock(bucket).take(Instant::now()))
    }

    /// Counts a WebSocket message; the next is to be read after this time.
    pub fn message(&self) -> Duration {
        lock(&self.messages).spend(1.0, Instant::now())
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.requests.as_ref().is_none_or(|bucket| lock(bucket).is_full(now)) && lock(&self.messages).is_full(now)
    }

    fn used_at(&self) -> Instant {
        let messages = lock(&self.messages).used_at();
        self.requests.as_ref().map_or(messages, |bucket| lock(bucket).used_at().max(messages))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The allowances of all clients.
#[derive(Debug)]
pub struct Allowances {
    requests_per_second: u32,
    clients: Mutex<HashMap<Peer, Arc<Allowance>>>,
}

impl Allowances {
    /// So many requests a second for each; 0 for any number.
    #[must_use]
    pub fn new(requests_per_second: u32) -> Self {
        Self { requests_per_second, clients: Mutex::default() }
    }

    /// That of one client, to be held by each of its connections.
    pub fn of(&self, peer: Peer) -> Arc<Allowance> {
        let now = Instant::now();
        let mut clients = lock(&self.clients);
        if clients.len() >= REMEMBERED && !clients.contains_key(&peer) {
            forget(&mut clients, now);
        }
        let new = || Arc::new(Allowance::new(self.requests_per_second, now));
        Arc::clone(clients.entry(peer).or_insert_with(new))
    }
}

/// Forgets who is not connected: those that it makes no difference for, else
/// the one who asked nothing for longest.
fn forget(clients: &mut HashMap<Peer, Arc<Allowance>>, now: Instant) {
    clients.retain(|_, allowance| Arc::strong_count(allowance) > 1 || !allowance.is_fresh(now));
    if clients.len() < REMEMBERED {
        return;
    }
    let absent = clients.iter().filter(|(_, allowance)| Arc::strong_count(allowance) == 1);
    if let Some(oldest) = absent.min_by_key(|(_, allowance)| allowance.used_at()).map(|(peer, _)| *peer) {
        clients.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> Peer {
        Peer::at(std::net::Ipv4Addr::from(n).into())
    }

    #[test]
    fn a_host_is_one_client_whatever_form_its_address_has() {
        let at = |text: &str| Peer::at(text.parse().unwrap());
        assert_eq!(at("::ffff:10.0.0.7"), at("10.0.0.7"));
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("127.0.0.1"), at("127.0.0.2"));
    }

    #[test]
    fn one_clients_requests_are_not_anothers() {
        let allowances = Allowances::new(1);
        let first = allowances.of(peer(1));
        assert_eq!((first.request(), first.request()), (Ok(()), Ok(())));
        assert!(allowances.of(peer(1)).request().is_err());
        assert_eq!(allowances.of(peer(2)).request(), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let allowance = Allowances::new(0).of(peer(1));
        assert!((0..100_000).all(|_| allowance.request().is_ok()));
    }

    #[test]
    fn strangers_do_not_pile_up_and_who_is_connected_is_remembered() {
        let allowances = Allowances::new(1);
        let held = allowances.of(peer(0));
        while held.request().is_ok() {}
        for n in 1..5000 {
            // Used up, so that it makes a difference to forget it.
            while allowances.of(peer(n)).request().is_ok() {}
        }
        assert!(lock(&allowances.clients).len() <= REMEMBERED);
        assert!(Arc::ptr_eq(&held, &allowances.of(peer(0))));
    }
}
