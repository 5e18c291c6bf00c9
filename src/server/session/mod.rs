//! A session as the server holds it: its record, its output, its input.

mod attachment;
mod past;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

pub use attachment::{Attachment, BeyondHead, Start};
pub use past::Found;

use super::attention::inbox::{Event, Inbox, is_report};
use super::history::History;
use super::metrics::Metrics;
use super::pace::{LINGER_AFTER_RESTART, Places};
use super::resources::sessions::Usage;
use crate::model::id::SessionId;
use crate::model::session::{Exit, Record, Stage, State};
use crate::ring::hint::{FREE_RUN, Hint};
pub use crate::ring::reader::Read;
use crate::ring::reader::RingReader;
use crate::sys::watched::{Watched, watch};
use crate::sys::{eventfd, pty};

/// How long a program may leave its input unread before a writer gives up.
pub const INPUT_PATIENCE: Duration = Duration::from_secs(10);

/// Ends of lives kept for clients that are behind.
const ENDS_KEPT: usize = 16;

/// A session. Shared by everybody who looks at it.
#[derive(Debug)]
pub struct Session {
    record: Mutex<Record>,
    ring: RingReader,
    hint: Hint,
    data: Watched,
    master: Mutex<Option<Arc<Watched>>>,
    places: Mutex<Places>,
    /// Ends of the latest lives whose output is complete, oldest first.
    ends: Mutex<VecDeque<Exit>>,
    nudge: Arc<OwnedFd>,
    usage: Mutex<Usage>,
    /// Wakes those who read along without a place of their own.
    output: Notify,
    /// News for the one who watches whether a person is needed.
    pub inbox: Inbox,
    /// Its output on disk, unless there is to be none.
    history: Option<Arc<History>>,
    /// Rings for the recorder when there may be something to record.
    to_record: Notify,
    /// What the server counts, of all sessions together.
    pub metrics: Arc<Metrics>,
}

/// Why input was not written in full.
#[derive(Debug)]
pub enum InputError {
    /// There is no program.
    NotRunning,
    /// The program did not read; this many bytes were taken before.
    NotRead(usize),
    /// The terminal failed.
    Io(io::Error),
}

/// Whether there is something to record shows in these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recordable {
    head: u64,
    ended: Option<u32>,
}

/// Locks what no panic can leave half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Session {
    /// Makes it from init's message: ring, hint, data eventfd, and the PTY
    /// master while the terminal is open.
    ///
    /// # Errors
    /// Descriptors that are missing or are not what they should be.
    pub fn open(
        record: Record,
        fds: Vec<OwnedFd>,
        nudge: Arc<OwnedFd>,
        metrics: Arc<Metrics>,
        history: Option<Arc<History>>,
    ) -> io::Result<Self> {
        let mut fds = fds.into_iter();
        let (Some(ring), Some(hint), Some(data)) = (fds.next(), fds.next(), fds.next()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let session = Self {
            record: Mutex::new(record),
            ring: RingReader::open(ring)?,
            hint: Hint::open(hint)?,
            data: watch(data, Interest::READABLE)?,
            master: Mutex::new(None),
            places: Mutex::default(),
            ends: Mutex::default(),
            nudge,
            usage: Mutex::default(),
            output: Notify::new(),
            inbox: Inbox::default(),
            history,
            to_record: Notify::new(),
            metrics,
        };
        session.set_master(fds.next())?;
        session.note_end();
        session.hold_for_clients_of_an_earlier_server();
        Ok(session)
    }

    /// A dead server's clients will come back: what they have not had must not
    /// go before they can.
    fn hold_for_clients_of_an_earlier_server(&self) {
        let pace = self.hint.pace();
        if pace != FREE_RUN {
            lock(&self.places).hold(pace, Instant::now() + LINGER_AFTER_RESTART);
        }
    }

    /// A new life has a new terminal.
    ///
    /// # Errors
    /// What registering the descriptor returns.
    pub fn renew(&self, record: Record, fds: Vec<OwnedFd>) -> io::Result<()> {
        self.set_master(fds.into_iter().nth(3))?;
        *lock(&self.record) = record;
        self.usage().clear();
        Ok(())
    }

    /// What the program uses, as of the last look.
    pub fn usage(&self) -> MutexGuard<'_, Usage> {
        lock(&self.usage)
    }

    fn set_master(&self, master: Option<OwnedFd>) -> io::Result<()> {
        let master = master.map(|fd| watch(fd, Interest::WRITABLE)).transpose()?;
        *lock(&self.master) = master.map(Arc::new);
        Ok(())
    }

    /// Takes over what changed. The terminal's end drops our master, so that
    /// the device can go.
    pub fn change(&self, state: State) {
        if state.last_exit.is_some_and(|exit| exit.drained_at.is_some() && exit.life == state.life) {
            *lock(&self.master) = None;
        }
        lock(&self.record).state = state;
        self.note_end();
    }

    /// A client that is behind may have to hear of the end of a life when the
    /// next one is running already.
    fn note_end(&self) {
        let Some(exit) = lock(&self.record).state.last_exit.filter(|exit| exit.drained_at.is_some()) else { return };
        let mut ends = lock(&self.ends);
        if ends.back().is_none_or(|last| last.life < exit.life) {
            ends.push_back(exit);
            self.to_record.notify_one();
        }
        while ends.len() > ENDS_KEPT {
            ends.pop_front();
        }
    }

    /// The first end after that of life `told`, once its output is complete.
    #[must_use]
    pub fn end_after(&self, told: u32) -> Option<Exit> {
        lock(&self.ends).iter().find(|exit| exit.life > told).copied()
    }

    /// The record as it is now.
    #[must_use]
    pub fn record(&self) -> Record {
        lock(&self.record).clone()
    }

    /// Identity.
    #[must_use]
    pub fn id(&self) -> SessionId {
        lock(&self.record).id
    }

    /// Number of the present life.
    #[must_use]
    pub fn life(&self) -> u32 {
        lock(&self.record).state.life
    }

    /// Bytes ever written.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.ring.head()
    }

    /// Its output on disk.
    #[must_use]
    pub fn history(&self) -> Option<&Arc<History>> {
        self.history.as_ref()
    }

    /// What changes when there is something to record.
    #[must_use]
    pub fn recordable(&self) -> Recordable {
        Recordable { head: self.ring.head(), ended: lock(&self.ends).back().map(|exit| exit.life) }
    }

    /// Waits until there may be something to record.
    pub async fn recorder_woken(&self) {
        self.to_record.notified().await;
    }

    /// Bytes that the ring holds at most.
    #[must_use]
    pub fn ring_capacity(&self) -> u64 {
        self.ring.capacity()
    }

    /// The oldest offset in the ring.
    #[must_use]
    pub fn ring_oldest(&self) -> u64 {
        self.ring.oldest()
    }

    /// When the last output came, milliseconds since the epoch; 0 for never.
    #[must_use]
    pub fn last_output_ms(&self) -> u64 {
        self.ring.last_output_ms()
    }

    /// How many clients are attached.
    #[must_use]
    pub fn client_count(&self) -> usize {
        lock(&self.places).count()
    }

    /// Copies output from the ring from `offset` on, see [`RingReader::read_at`].
    ///
    /// # Errors
    /// What `pread(2)` returns.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Read> {
        self.ring.read_at(offset, buffer)
    }

    /// The first offset in the ring that is safe to read from: while output may go
    /// on, a little above the oldest.
    #[must_use]
    pub fn ring_safe_oldest(&self) -> u64 {
        let is_over = lock(&self.master).is_none();
        if is_over { self.ring.oldest() } else { self.ring.safe_oldest() }
    }

    /// Asks for one wake-up of every client at the next output. The caller then
    /// looks at the head again before it sleeps.
    pub fn want_wake(&self) {
        self.hint.want_wake();
    }

    /// Returns at the next output after [`Self::want_wake`], for who reads along
    /// without being a client.
    pub fn output(&self) -> Notified<'_> {
        self.output.notified()
    }

    /// The process group in the foreground of the terminal, while it is open.
    #[must_use]
    pub fn foreground_group(&self) -> Option<i32> {
        let master = lock(&self.master).clone()?;
        pty::foreground_group(master.get_ref()).map(|group| group.raw())
    }

    /// Passes init's rings on to the clients, until the registry ends it.
    pub async fn pump(session: Arc<Self>) {
        loop {
            let rung = session.data.async_io(Interest::READABLE, |fd| {
                if eventfd::drain(fd) { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
            });
            if let Err(error) = rung.await {
                tracing::error!(sessionId = %session.id(), %error, "Waiting for output failed");
                return;
            }
            lock(&session.places).wake_all();
            session.output.notify_waiters();
            session.to_record.notify_one();
        }
    }

    /// Recomputes the pace; once a second and whenever somebody moves.
    pub fn keep_pace(&self, now: Instant) {
        let pace = {
            let mut places = lock(&self.places);
            places.tick(now, self.ring.head(), self.ring.writer_waits());
            places.pace(now)
        };
        self.set_pace(pace);
    }

    fn set_pace(&self, pace: u64) {
        self.hint.set_pace(pace);
        if self.ring.writer_waits() {
            eventfd::ring(self.nudge.as_fd());
        }
    }

    /// Writes all of `bytes` to the terminal, in order, waiting for the program
    /// to read as long as it reads at all.
    ///
    /// # Errors
    /// [`InputError`]; what was written before it stays written.
    pub async fn write_input(&self, bytes: &[u8], patience: Duration) -> Result<(), InputError> {
        if !matches!(lock(&self.record).state.stage, Stage::Running { .. }) {
            return Err(InputError::NotRunning);
        }
        let master = lock(&self.master).clone().ok_or(InputError::NotRunning)?;
        self.hint.set_typed_at(crate::logging::unix_millis());
        if !is_report(bytes) {
            self.inbox.put(Event::Typed);
        }
        let mut written = 0;
        while written < bytes.len() {
            match tokio::time::timeout(patience, write_some(&master, &bytes[written..])).await {
                Ok(Ok(n)) => {
                    written += n;
                    self.metrics.input_bytes.add(n as u64);
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(InputError::NotRead(written)),
            }
        }
        Ok(())
    }
}

/// Waits until the terminal takes something.
async fn write_some(master: &Watched, bytes: &[u8]) -> Result<usize, InputError> {
    loop {
        let mut ready = master.writable().await.map_err(InputError::Io)?;
        // Asked first: a write that takes nothing clears what the guard knows.
        let is_closed = ready.ready().is_write_closed();
        match ready.try_io(|fd| pty::write(fd, bytes)) {
            Ok(Ok(n)) => return Ok(n),
            Ok(Err(e)) if e.raw_os_error() == Some(libc::EIO) => return Err(InputError::NotRunning),
            Ok(Err(e)) => return Err(InputError::Io(e)),
            // A terminal that nobody has open any more polls as hung up and
            // ready for ever, and still takes nothing once its buffer is full:
            // waiting for it would spin.
            Err(_) if is_closed => return Err(InputError::NotRunning),
            Err(_) => {}
        }
    }
}
