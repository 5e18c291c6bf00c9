//! Who may do what: the container's token, the tokens made for guests, and the
//! cookies that browsers keep of either.

pub mod cookie;
pub mod rights;
mod store;
pub mod throttle;
pub mod tokens;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::disk::on_disk;
use crate::logging::unix_millis;
use crate::model::address::Origin;
use crate::model::secret::Secret;
use cookie::{Key, Login};
use rights::{Grant, Who};
use store::Store;
use throttle::{Throttle, TooMany};
use tokens::{Guest, TOKENS_MAX, TokenId, Wish, digest, find, is_same};

/// A disk that takes longer for a small file does not answer.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// How long to trust the clock: it may be set while somebody waits for it.
const CLOCK_PATIENCE: Duration = Duration::from_secs(30);

/// All that decides who is let in.
#[derive(Debug)]
pub struct Auth {
    state: Mutex<State>,
    throttle: Mutex<Throttle>,
    store: Arc<Mutex<Store>>,
    /// Changes of the list come one after the other.
    turn: tokio::sync::Mutex<()>,
    /// Rings whenever a login may have ended.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// None: nobody is asked for a token.
    main: Option<Main>,
    /// None: not read yet.
    guests: Option<Arc<Vec<Guest>>>,
}

/// The container's token.
#[derive(Clone, Debug)]
struct Main {
    digest: [u8; 32],
    key: Key,
    /// Counts the tokens there were.
    generation: u64,
}

impl Main {
    fn new(token: &Secret, generation: u64) -> Self {
        Self { digest: digest(token.reveal()), key: Key::of(token), generation }
    }
}

/// Why a token or a cookie lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Nobody made it, or it was taken back.
    Unknown,
    /// Its time is over.
    Expired,
}

/// Why the list of tokens could not be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// There are as many as there may be.
    TooMany,
    /// None has this id.
    NotFound,
    /// The disk; in words.
    NotKept(String),
}

/// A cookie's value, and how long the browser is to keep it, in seconds.
#[derive(Debug)]
pub struct NewCookie {
    /// The value.
    pub value: String,
    /// Seconds.
    pub max_age: u64,
}

impl Auth {
    /// With the container's token, if one is asked for.
    #[must_use]
    pub fn new(token: Option<&Secret>, state_dir: Option<PathBuf>) -> Self {
        Self {
            state: Mutex::new(State { main: token.map(|token| Main::new(token, 1)), guests: None }),
            throttle: Mutex::default(),
            store: Arc::new(Mutex::new(Store::new(state_dir))),
            turn: tokio::sync::Mutex::default(),
            changes: watch::channel(0).0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody is asked for anything.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state().main.is_some()
    }

    /// From now on only this token is good.
    pub fn change_token(&self, token: &Secret) {
        let mut state = self.state();
        let generation = state.main.as_ref().map_or(1, |main| main.generation + 1);
        state.main = Some(Main::new(token, generation));
        drop(state);
        self.ring();
    }

    fn ring(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn guests(&self) -> Arc<Vec<Guest>> {
        self.state().guests.clone().unwrap_or_default()
    }

    /// What somebody may do who shows this token.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn token(&self, text: &str) -> Result<Grant, Wrong> {
        let shown = digest(text);
        let main = self.state().main.as_ref().filter(|main| is_same(&main.digest, &shown)).map(|main| main.generation);
        if let Some(generation) = main {
            return Ok(Grant::holder(generation));
        }
        let guests = self.guests();
        let guest = find(&guests, text).ok_or(Wrong::Unknown)?;
        if guest.is_expired(unix_millis()) { Err(Wrong::Expired) } else { Ok(guest.grant()) }
    }

    /// What somebody may do who shows this cookie, and at which page they logged
    /// in.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn cookie(&self, value: &str) -> Result<(Grant, Option<Origin>), Wrong> {
        let main = self.state().main.clone().ok_or(Wrong::Unknown)?;
        let login = main.key.open(value).ok_or(Wrong::Unknown)?;
        let now = unix_millis();
        let ends = login.issued_at.saturating_add(cookie::LIFE);
        let mut grant = match login.guest {
            None => Grant::holder(main.generation),
            Some(id) => {
                let guests = self.guests();
                let guest = guests.iter().find(|guest| guest.id == id).ok_or(Wrong::Unknown)?;
                Grant { generation: Some(main.generation), ..guest.grant() }
            }
        };
        let expires_at = grant.expires_at.map_or(ends, |at| at.min(ends));
        grant.expires_at = Some(expires_at);
        if expires_at <= now { Err(Wrong::Expired) } else { Ok((grant, login.origin)) }
    }

    /// A cookie for who has shown a token at this page.
    #[must_use]
    pub fn new_cookie(&self, grant: &Grant, origin: Option<Origin>) -> Option<NewCookie> {
        let guest = match grant.who {
            Who::Guest(id) => Some(id),
            Who::Owner | Who::Anybody | Who::Holder => None,
        };
        let now = unix_millis();
        let key = self.state().main.as_ref()?.key.clone();
        let left = grant.expires_at.map_or(cookie::LIFE, |at| at.saturating_sub(now).min(cookie::LIFE));
        Some(NewCookie { value: key.seal(&Login { guest, issued_at: now, origin }), max_age: left.div_ceil(1000) })
    }

    /// Waits until a login is over, and says why.
    pub async fn over(&self, grant: &Grant) -> &'static str {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(reason) = self.end_of(grant) {
                return reason;
            }
            let expiry = async {
                match grant.expires_at {
                    Some(at) => {
                        let left = Duration::from_millis(at.saturating_sub(unix_millis()));
                        tokio::time::sleep(left.min(CLOCK_PATIENCE)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = expiry => {}
            }
        }
    }

    /// Why a login is over, if it is.
    #[must_use]
    pub fn end_of(&self, grant: &Grant) -> Option<&'static str> {
        if grant.generation.is_some_and(|of| self.state().main.as_ref().is_none_or(|main| main.generation != of)) {
            return Some("the token was changed; log in with the new one");
        }
        if grant.expires_at.is_some_and(|at| at <= unix_millis()) {
            return Some("the login has expired");
        }
        match grant.who {
            Who::Guest(id) if !self.guests().iter().any(|guest| guest.id == id) => Some("the token was revoked"),
            _ => None,
        }
    }

    /// Whether a token from this address may be looked at now.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn admit_attempt(&self, address: IpAddr) -> Result<(), TooMany> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner).admit(address, Instant::now())
    }

    /// Notes a wrong token, and returns when it is time to say so.
    ///
    /// # Errors
    /// [`TooMany`], at once.
    pub async fn failed(&self, address: IpAddr) -> Result<(), TooMany> {
        let noted = self.throttle.lock().unwrap_or_else(PoisonError::into_inner).note_failure(address, Instant::now());
        tokio::time::sleep(noted?).await;
        Ok(())
    }

    /// Reads the list of tokens. What could not be read is read again before the
    /// list is shown or changed; until then no such token is good.
    pub async fn load(&self) {
        if let Err(TokenError::NotKept(reason)) = self.change(|_| Ok(())).await {
            tracing::warn!(reason, "The list of tokens cannot be used; only the container's own token is good");
        }
    }

    /// Every token that is still good.
    ///
    /// # Errors
    /// [`TokenError::NotKept`].
    pub async fn list(&self) -> Result<Vec<Guest>, TokenError> {
        if self.state().guests.is_none() {
            self.change(|_| Ok(())).await?;
        }
        let now = unix_millis();
        Ok(self.guests().iter().filter(|guest| !guest.is_expired(now)).cloned().collect())
    }

    /// Makes a token, and returns its text too, which is kept nowhere.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn make(&self, wish: Wish) -> Result<(Guest, String), TokenError> {
        let now = unix_millis();
        self.change(move |guests| {
            guests.retain(|guest| !guest.is_expired(now));
            if guests.len() >= TOKENS_MAX {
                return Err(TokenError::TooMany);
            }
            loop {
                let made = Guest::make(wish.clone(), now);
                let (guest, text) = made.map_err(|error| TokenError::NotKept(error.to_string()))?;
                if guests.iter().all(|other| other.id != guest.id) {
                    guests.push(guest.clone());
                    return Ok((guest, text));
                }
            }
        })
        .await
    }

    /// Takes a token back; who uses it is cut off.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn remove(&self, id: TokenId) -> Result<(), TokenError> {
        self.change(move |guests| {
            let before = guests.len();
            guests.retain(|guest| guest.id != id);
            if guests.len() == before { Err(TokenError::NotFound) } else { Ok(()) }
        })
        .await
    }

    /// Changes the list on disk, and what is known of it. The file is read
    /// before: a server that this one replaces may have written it last.
    async fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Vec<Guest>) -> Result<T, TokenError> + Send + 'static,
    ) -> Result<T, TokenError> {
        let _turn = self.turn.lock().await;
        let (known, store) = (self.guests(), Arc::clone(&self.store));
        let silent = || TokenError::NotKept("the disk does not answer".into());
        let work = move || {
            // What was begun on a disk that hung goes on once it is back.
            let store = match store.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(silent()),
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Ok(store) => store,
            };
            let before = store.load().map_err(TokenError::NotKept)?.unwrap_or_else(|| known.to_vec());
            let mut after = before.clone();
            let outcome = act(&mut after)?;
            if after != before {
                store.save(&after).map_err(TokenError::NotKept)?;
            }
            Ok((outcome, after))
        };
        let done = tokio::time::timeout(DISK_PATIENCE, on_disk(work)).await;
        let (outcome, guests) = done.ok().flatten().unwrap_or_else(|| Err(silent()))?;
        self.state().guests = Some(Arc::new(guests));
        self.ring();
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    fn secret(text: &str) -> Secret {
        text.parse().unwrap()
    }

    #[test]
    fn a_changed_token_ends_its_logins_and_no_others() {
        run(async {
            let auth = Auth::new(Some(&secret("first")), None);
            auth.load().await;
            let holder = auth.token("first").unwrap();
            let cookie = auth.new_cookie(&holder, None).unwrap().value;
            let (guest, text) = auth.make(Wish { is_read_only: true, session: None, lasts: None }).await.unwrap();
            assert!(auth.cookie(&cookie).is_ok());
            auth.change_token(&secret("second"));
            assert!(auth.over(&holder).await.contains("changed"));
            assert_eq!(auth.token("first"), Err(Wrong::Unknown));
            assert_eq!(auth.cookie(&cookie), Err(Wrong::Unknown));
            assert_eq!(auth.token(&text), Ok(guest.grant()));
            assert!(auth.token("second").is_ok());
        });
    }

    #[test]
    fn a_login_is_good_at_another_server_with_the_same_token() {
        let auth = Auth::new(Some(&secret("same")), None);
        let origin: Origin = "http://localhost:8080".parse().unwrap();
        let made = auth.new_cookie(&auth.token("same").unwrap(), Some(origin.clone())).unwrap();
        assert_eq!(made.max_age, cookie::LIFE / 1000);
        let (grant, at) = Auth::new(Some(&secret("same")), None).cookie(&made.value).unwrap();
        assert_eq!((grant.who, at), (Who::Holder, Some(origin)));
        assert!(grant.expires_at.is_some());
    }

    #[test]
    fn a_guests_cookie_ends_with_the_guests_token() {
        run(async {
            let auth = Auth::new(Some(&secret("main")), None);
            let (guest, text) = auth.make(Wish { is_read_only: false, session: None, lasts: None }).await.unwrap();
            let grant = auth.token(&text).unwrap();
            let cookie = auth.new_cookie(&grant, None).unwrap();
            assert_eq!(auth.cookie(&cookie.value).unwrap().0.who, Who::Guest(guest.id));
            auth.remove(guest.id).await.unwrap();
            assert_eq!(auth.cookie(&cookie.value), Err(Wrong::Unknown));
            assert!(auth.over(&grant).await.contains("revoked"));
            assert_eq!(auth.remove(guest.id).await, Err(TokenError::NotFound));
        });
    }

    #[test]
    fn time_ends_a_guest() {
        run(async {
            let auth = Auth::new(Some(&secret("main")), None);
            let (guest, text) = auth.make(Wish { is_read_only: true, session: None, lasts: Some(30) }).await.unwrap();
            assert!(auth.over(&guest.grant()).await.contains("expired"));
            assert_eq!(auth.token(&text), Err(Wrong::Expired));
            assert_eq!(auth.list().await, Ok(Vec::new()));
        });
    }

    #[test]
    fn there_are_only_so_many() {
        run(async {
            let auth = Auth::new(Some(&secret("main")), None);
            let wish = Wish { is_read_only: true, session: None, lasts: None };
            for _ in 0..TOKENS_MAX {
                auth.make(wish.clone()).await.unwrap();
            }
            assert_eq!(auth.make(wish).await.unwrap_err(), TokenError::TooMany);
        });
    }
}
