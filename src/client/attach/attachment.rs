//! The loop between the wire, the screen and the keys.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::farewell::Farewell;
use super::keys::{Keys, Watch};
use super::screen::Screen;
use super::signals::{self, Signals, Wish};
use super::sizes::Sizes;
use super::stdin::{READ, Stdin};
use super::tty::Hold;
use super::typed::{Queue, Typed};
use super::view::View;
use super::wire::{Command, Event, Wire};
use super::{Role, Wanted};
use crate::cli::client::From;
use crate::client::api::Api;
use crate::client::failure::Failure;
use crate::client::output;
use crate::client::session::Session;

/// Bytes that may wait to be typed: from a program, which can wait itself, and
/// from a person, whose detach keys must be read whatever was pasted before.
const ROOM: usize = 256 * 1024;
const ROOM_OF_PERSON: usize = 64 * 1024 * 1024;

/// How long what was typed last before detaching may take to be written.
const LAST_KEYS: Duration = Duration::from_secs(1);

/// How long the screen may take for what it is writing when we leave.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// How long a loss may last before the user is told.
const LOSS: Duration = Duration::from_secs(5);

/// How an attachment ended.
#[derive(Debug)]
pub enum End {
    /// By the keys.
    Detached,
    /// With the program.
    Exited {
        /// Its exit code, if it had one.
        code: Option<u8>,
        /// The signal that ended it, if one did.
        signal: Option<String>,
    },
    /// The session was deleted.
    Destroyed,
    /// By a signal to us.
    Signal(u8),
    /// It can't go on.
    Failed(Failure),
}

/// One attachment.
#[derive(Debug)]
pub struct Attachment {
    role: Role,
    from: From,
    commands: UnboundedSender<Command>,
    events: UnboundedReceiver<Event>,
    screen: Screen,
    stdin: Option<Stdin>,
    room: Arc<Semaphore>,
    room_size: usize,
    watch: Watch,
    signals: Signals,
    hold: Hold,
    /// None until attached, and always for who wants the bytes as they are.
    view: Option<View>,
    is_attached: bool,
    sizes: Sizes,
    farewell: Farewell,
    next: u64,
    /// Whether the program has to draw again once old output is shown.
    redraw_at: Option<u64>,
    /// When the user has to be told that the connection is lost.
    tell_at: Option<Instant>,
    is_told: bool,
}

impl Attachment {
    /// Takes the terminal and starts to attach.
    pub async fn start(api: &Api, session: Session, wanted: Wanted) -> Result<Self, Failure> {
        let path = api.sockets.find().await?;
        let broken = |e: io::Error| Failure::new(format!("cannot use the terminal: {e}"));
        let signals = Signals::catch().map_err(broken)?;
        let screen = Screen::open().map_err(broken)?;
        let reads = !matches!(wanted.role, Role::Reader { .. });
        let stdin = if reads { Some(Stdin::open().map_err(broken)?) } else { None };
        let hold = Hold::take(reads).map_err(broken)?;
        let room_size = if io::stdin().is_terminal() { ROOM_OF_PERSON } else { ROOM };
        let (commands, asked) = unbounded_channel();
        let (tell, events) = unbounded_channel();
        let sizes = Sizes::new(commands.clone(), wanted.role == Role::Whole);
        let start = Value::from(if wanted.from == From::Live { "live" } else { "oldest" });
        let started_at = session.started_at;
        let wire = Wire { path, id: session.id, start, is_ending: false, started_at, queue: Queue::default() };
        tokio::spawn(wire.run(asked, tell));
        Ok(Self {
            role: wanted.role,
            from: wanted.from,
            commands,
            events,
            screen,
            stdin,
            room: Arc::new(Semaphore::new(room_size)),
            room_size,
            watch: Watch::new(wanted.keys.bytes()),
            signals,
            hold,
            view: None,
            is_attached: false,
            sizes,
            farewell: Farewell::default(),
            next: 0,
            redraw_at: None,
            tell_at: Some(Instant::now() + LOSS),
            is_told: false,
        })
    }

    /// Runs until it ends.
    pub async fn run(&mut self) -> End {
        loop {
            let end = tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take(event),
                    None => Some(End::Failed(Failure::new("the connection ended"))),
                },
                (bytes, room) = typed(self.stdin.as_ref(), &self.room) => self.type_in(&bytes, room),
                progress = self.screen.progress() => self.shown(progress),
                wish = self.signals.next() => self.follow(wish),
                () = until(self.tell_at) => self.tell_loss(),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    fn ask(&self, command: Command) {
        // A wire that is gone has told why.
        let _ = self.commands.send(command);
    }

    fn take(&mut self, event: Event) -> Option<End> {
        match event {
            Event::Attached { offset, head, size } => self.attached(offset, head, size),
            Event::Output { offset, bytes } => self.output(offset, bytes),
            Event::Gap { to } => self.gap(to),
            Event::Resized(cols, rows) => self.sizes.told((cols, rows)),
            Event::Exit { code, signal } => return Some(End::Exited { code, signal }),
            Event::Destroyed => return Some(End::Destroyed),
            Event::Lost if !self.is_told => drop(self.tell_at.get_or_insert_with(|| Instant::now() + LOSS)),
            Event::Lost => {}
            Event::Over(failure) => return Some(End::Failed(failure)),
        }
        None
    }

    /// It takes longer than a new server does. What this is written over is
    /// drawn again later.
    fn tell_loss(&mut self) -> Option<End> {
        self.tell_at = None;
        self.is_told = true;
        let begin = if io::stdin().is_terminal() { "\r\n" } else { "" };
        output::note(&format!(
            "{begin}quarterdeck does not answer; waiting until it does{}",
            if begin.is_empty() { "\n" } else { begin }
        ));
        None
    }

    fn attached(&mut self, offset: u64, head: u64, size: (u16, u16)) {
        self.sizes.told(size);
        self.tell_at = None;
        if std::mem::take(&mut self.is_told) {
            self.sizes.redraw();
        }
        if self.is_attached {
            if offset > self.next {
                self.gap(offset);
            }
            return;
        }
        self.is_attached = true;
        self.next = offset;
        let as_is = matches!(self.role, Role::Reader { raw: true }) || !io::stdout().is_terminal();
        self.view = (!as_is).then(|| View::of(offset, head, self.from == From::Recent));
        // A size that changes makes the program draw anyway.
        if !self.sizes.take() {
            self.redraw_at = Some(head);
            self.redraw_if_due();
        }
    }

    fn output(&mut self, offset: u64, bytes: Vec<u8>) {
        self.next = offset + bytes.len() as u64;
        let Some(view) = &mut self.view else { return self.screen.push(bytes, self.next) };
        let (shown, is_changed) = view.take(offset, bytes);
        if is_changed {
            self.farewell.received(self.next, view.modes().undo().into_bytes(), &self.hold);
        }
        self.screen.push(shown, self.next);
        self.redraw_if_due();
    }

    /// The picture is not whole after a start in the middle, or without any.
    fn redraw_if_due(&mut self) {
        if self.redraw_at.is_none_or(|head| self.next < head) {
            return;
        }
        self.redraw_at = None;
        if self.view.as_ref().is_some_and(|view| self.from == From::Live || view.may_be_torn()) {
            self.sizes.redraw();
        }
    }

    fn gap(&mut self, to: u64) {
        let lost = to.saturating_sub(self.next);
        self.next = to;
        if matches!(self.role, Role::Reader { .. }) && lost > 0 {
            output::note(&format!("quarterdeck: {lost} bytes of output are gone\n"));
        }
        if let Some(view) = &mut self.view {
            view.gap();
            self.sizes.redraw();
        }
    }

    fn type_in(&mut self, bytes: &[u8], room: OwnedSemaphorePermit) -> Option<End> {
        if bytes.is_empty() {
            self.stdin = None;
            // Whoever sat at the terminal is gone.
            return io::stdin().is_terminal().then_some(End::Signal(1));
        }
        if self.role == Role::Whole && !io::stdin().is_terminal() {
            self.ask(Command::Type(Typed { bytes: bytes.to_vec(), room: Some(room) }));
            return None;
        }
        let (bytes, end) = match self.watch.take(bytes) {
            Keys::Type(bytes) => (bytes, None),
            Keys::Detach(bytes) => (bytes, Some(End::Detached)),
        };
        if self.role == Role::Whole && !bytes.is_empty() {
            self.sizes.claim(&bytes);
            self.ask(Command::Type(Typed { bytes, room: Some(room) }));
        }
        end
    }

    fn shown(&mut self, progress: io::Result<u64>) -> Option<End> {
        match progress {
            Ok(offset) => {
                self.farewell.written(offset, &self.hold);
                self.ask(Command::Ack(offset));
                None
            }
            Err(error) => Some(End::Failed(output::cannot_write(&error))),
        }
    }

    fn follow(&mut self, wish: Wish) -> Option<End> {
        match wish {
            Wish::End(number) => return Some(End::Signal(number)),
            Wish::Resize => drop(self.sizes.take()),
            Wish::Stop => {
                self.hold.release();
                signals::stop();
            }
            // After a stop that nobody could catch, too.
            Wish::Continue => self.take_again(),
        }
        None
    }

    /// What had the terminal meanwhile has set it its own way.
    fn take_again(&mut self) {
        if self.stdin.is_some() {
            // A terminal that is gone ends us by other ways.
            let _ = self.hold.make_raw();
        }
        if let Some(view) = &self.view {
            self.farewell.hand_over(&self.hold);
            self.screen.push(view.modes().redo().into_bytes(), self.next);
            self.sizes.redraw();
        }
    }

    /// Lets what is under way come to its end, or not, as the end demands; says
    /// whether the cursor is at the beginning of a line.
    pub async fn finish(&mut self, end: &End) -> bool {
        match end {
            End::Detached => {
                let all = u32::try_from(self.room_size).unwrap_or(u32::MAX);
                let _ = tokio::time::timeout(LAST_KEYS, self.room.acquire_many(all)).await;
                self.give_up().await;
            }
            End::Exited { .. } | End::Destroyed | End::Failed(_) => {
                while !self.screen.is_done() {
                    tokio::select! {
                        progress = self.screen.progress() => if progress.is_err() { break },
                        wish = self.signals.next() => if let Wish::End(_) = wish { break },
                    }
                }
            }
            End::Signal(_) => self.give_up().await,
        }
        self.view.as_ref().is_none_or(|view| view.ends_line() || view.modes().is_alternate())
    }

    /// Stops writing, at the latest behind what is being written.
    async fn give_up(&mut self) {
        self.screen.give_up();
        let rest = async { while !self.screen.is_done() && self.screen.progress().await.is_ok() {} };
        let _ = tokio::time::timeout(LAST_WRITE, rest).await;
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// What is typed next, once there is room for it.
async fn typed(stdin: Option<&Stdin>, room: &Arc<Semaphore>) -> (Vec<u8>, OwnedSemaphorePermit) {
    let size = u32::try_from(READ).unwrap_or(u32::MAX);
    match (stdin, Arc::clone(room).acquire_many_owned(size).await) {
        (Some(stdin), Ok(room)) => (stdin.read().await, room),
        // The end of input, and a semaphore that nobody closes.
        _ => std::future::pending().await,
    }
}
