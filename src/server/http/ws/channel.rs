//! One session on one connection: a cursor in its output.
//!
//! Replay, live, reconnect and gap are the same thing here: read at the cursor,
//! send, move on. Nothing is queued per client; the ring is the queue.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::Message;
use bytes::BytesMut;

use super::Form;
use super::frames;
use super::messages::ServerMessage;
use super::utf8::{Piece, Utf8};
use crate::model::id::SessionId;
use crate::server::metrics::echo::{self, Stopwatch};
use crate::server::session::{Attachment, Found};
use crate::server::view::{exit_code, exit_signal};

/// Most output in one frame: small enough that a frame of another session
/// never waits long behind it.
const FRAME_BYTES: u64 = 32 * 1024;

/// Output above this in one go is a flood. A flood's next look waits a moment
/// and then finds a larger piece; what a person types stays below and never
/// waits.
const FLOOD_BYTES: u64 = 2048;
const FLOOD_PAUSE: Duration = Duration::from_millis(1);

/// How long the last output of a destroyed session may take to be delivered.
const DOOM_PATIENCE: Duration = Duration::from_secs(2);

/// How much may be in flight beyond the last ack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// As much as the socket takes.
    Unlimited,
    /// This many bytes, once the client has shown that it acknowledges.
    FromFirstAck(u64),
    /// This many bytes: the client said so.
    Bytes(u64),
}

/// The cursor.
#[derive(Debug)]
pub struct Channel {
    /// Number in binary frames.
    pub number: u16,
    attachment: Attachment,
    id: SessionId,
    cursor: u64,
    window: Window,
    acked: u64,
    told_exit_of: u32,
    utf8: Utf8,
    pause_until: Option<Instant>,
    doomed_at: Option<Instant>,
    stopwatch: Arc<Stopwatch>,
    /// When the input arrived that the output at hand follows.
    typed_at: Option<Instant>,
}

impl Channel {
    /// A channel for a fresh attachment. The client's input starts `stopwatch`.
    #[must_use]
    pub fn new(number: u16, attachment: Attachment, window: Window, stopwatch: Arc<Stopwatch>) -> Self {
        let session = &attachment.session;
        // Ends of earlier lives are history to whoever joins a later one.
        let told_exit_of = session.life().saturating_sub(1);
        Self {
            number,
            id: session.id(),
            cursor: attachment.offset,
            acked: attachment.offset,
            attachment,
            window,
            told_exit_of,
            utf8: Utf8::default(),
            pause_until: None,
            doomed_at: None,
            stopwatch,
            typed_at: None,
        }
    }

    /// The session's id.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        self.id
    }

    /// What the client is told first: where it is, and what it missed.
    #[must_use]
    pub fn introduction(&self) -> Vec<ServerMessage> {
        let session = &self.attachment.session;
        let size = session.record().state.size;
        let attached = ServerMessage::Attached {
            session_id: self.id,
            channel: self.number,
            offset: self.attachment.offset,
            head: self.attachment.head,
            oldest: self.attachment.oldest,
            cols: size.cols(),
            rows: size.rows(),
        };
        let missed = self.attachment.asked < self.attachment.offset;
        let gap = missed.then(|| self.gap(self.attachment.asked, self.attachment.offset));
        [Some(attached), gap].into_iter().flatten().collect()
    }

    /// Every gap that is made is told.
    fn gap(&self, from: u64, to: u64) -> ServerMessage {
        self.attachment.session.metrics.gaps.add(1);
        ServerMessage::Gap { session_id: self.id, from, to }
    }

    /// Takes the client's word for what it has processed; false if that is
    /// more than it was sent.
    pub fn ack(&mut self, offset: u64) -> bool {
        if offset > self.cursor {
            return false;
        }
        if let Window::FromFirstAck(bytes) = self.window {
            self.window = Window::Bytes(bytes);
        }
        if offset > self.acked {
            self.acked = offset;
            self.attachment.acked(offset, self.cursor);
        }
        true
    }

    /// Leaves the session on purpose.
    pub fn detach(self) {
        self.attachment.detach();
    }

    /// The session was destroyed: deliver what is left of it, then go.
    pub fn doom(&mut self, now: Instant) {
        self.doomed_at = Some(now);
        self.pause_until = None;
    }

    /// Whether a doomed channel has nothing more to deliver.
    #[must_use]
    pub fn is_spent(&self, now: Instant) -> bool {
        self.doomed_at.is_some_and(|at| {
            let has_all = self.cursor >= self.attachment.session.head() && self.exit_due().is_none();
            has_all || now.duration_since(at) >= DOOM_PATIENCE
        })
    }

    /// When a doomed channel gives up, or a pause is over.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.doomed_at.map(|at| at + DOOM_PATIENCE).into_iter().chain(self.pause_until).min()
    }

    /// Bytes that may be sent now; none while pausing, or at the window's end.
    #[must_use]
    pub fn sendable(&self, now: Instant) -> u64 {
        if self.pause_until.is_some_and(|until| now < until) {
            return 0;
        }
        let pending = self.attachment.session.head().saturating_sub(self.cursor);
        let room = match self.window {
            Window::Bytes(window) if self.doomed_at.is_none() => window.saturating_sub(self.cursor - self.acked),
            _ => u64::MAX,
        };
        let until_exit = self.unfinished_life().map_or(u64::MAX, |end| end - self.cursor);
        pending.min(room).min(until_exit)
    }

    /// Whether there is anything to tell now.
    #[must_use]
    pub fn is_ready(&self, now: Instant) -> bool {
        !self.attachment.is_fetching() && (self.sendable(now) > 0 || self.exit_due().is_some())
    }

    /// Asks to be woken by the next output, unless the end of a pause will do
    /// that. The caller looks again afterwards.
    pub fn want_wake(&mut self, now: Instant) {
        self.pause_until = self.pause_until.filter(|until| now < *until);
        if self.pause_until.is_none() {
            self.attachment.session.want_wake();
        }
    }

    /// Where the life ends whose exit was not told yet and whose output was not
    /// all sent: nothing of the next life goes out before the exit.
    fn unfinished_life(&self) -> Option<u64> {
        let exit = self.attachment.session.end_after(self.told_exit_of)?;
        exit.drained_at.filter(|end| *end >= self.cursor)
    }

    fn exit_due(&self) -> Option<ServerMessage> {
        let exit = self.attachment.session.end_after(self.told_exit_of)?;
        let end = exit.drained_at?;
        (self.cursor >= end).then(|| ServerMessage::Exit {
            session_id: self.id,
            exit_code: exit_code(exit),
            signal: exit_signal(exit),
            offset: end,
        })
    }

    /// The next messages for the client: a piece of output, a gap, an exit.
    ///
    /// # Errors
    /// What reading the ring returns.
    pub fn next(&mut self, form: Form, buffer: &mut BytesMut, now: Instant) -> io::Result<Vec<Message>> {
        let len = self.sendable(now).min(FRAME_BYTES);
        if len > 0 {
            return self.next_output(form, buffer, len, now);
        }
        let Some(exit) = self.exit_due() else { return Ok(Vec::new()) };
        self.told_exit_of = self.attachment.session.end_after(self.told_exit_of).map_or(0, |e| e.life);
        let held = self.utf8.flush(self.cursor).map(|piece| self.text(piece));
        Ok(held.into_iter().chain([say(&exit)]).collect())
    }

    fn next_output(&mut self, form: Form, buffer: &mut BytesMut, len: u64, now: Instant) -> io::Result<Vec<Message>> {
        let start = match form {
            Form::Binary => frames::HEAD,
            Form::Json => 0,
        };
        buffer.clear();
        if form == Form::Binary {
            frames::start_output(buffer, self.number, self.cursor);
        }
        buffer.resize(start + usize::try_from(len).unwrap_or(0), 0);
        let n = match self.attachment.read_at(self.cursor, &mut buffer[start..])? {
            Found::Bytes(n) => n,
            Found::Gone => return Ok(self.jump()),
            Found::Later => return Ok(Vec::new()),
        };
        buffer.truncate(start + n);
        let offset = self.cursor;
        self.cursor += n as u64;
        let caught_up = self.cursor >= self.attachment.session.head();
        self.pause_until = (caught_up && n as u64 > FLOOD_BYTES).then(|| now + FLOOD_PAUSE);
        let message = match form {
            Form::Binary => Some(Message::Binary(buffer.split().freeze())),
            Form::Json => self.utf8.push(buffer, offset).map(|piece| self.text(piece)),
        };
        if message.is_some() {
            self.typed_at = self.stopwatch.stop(self.cursor);
        }
        Ok(message.into_iter().collect())
    }

    /// Output was overwritten before this client took it.
    fn jump(&mut self) -> Vec<Message> {
        let held = self.utf8.flush(self.cursor).map(|piece| self.text(piece));
        let to = self.attachment.session.next_readable(self.cursor);
        let gap = say(&self.gap(self.cursor, to));
        self.cursor = to;
        self.acked = self.acked.max(to);
        self.attachment.resumed(to);
        held.into_iter().chain([gap]).collect()
    }

    /// The message was handed to the socket.
    pub fn sent(&mut self) {
        let echoed = self.typed_at.take().and_then(|since| echo::elapsed(since, Instant::now()));
        if let Some(elapsed) = echoed {
            self.attachment.session.metrics.echo.observe(elapsed);
        }
        match self.window {
            Window::Bytes(_) => self.attachment.acked(self.acked, self.cursor),
            Window::Unlimited | Window::FromFirstAck(_) => self.attachment.sent(self.cursor),
        }
    }

    fn text(&self, piece: Piece) -> Message {
        say(&ServerMessage::Output { session_id: self.id, data: piece.text, offset: piece.offset })
    }
}

/// A control message as a WebSocket message.
pub fn say(message: &ServerMessage) -> Message {
    Message::Text(message.to_text().into())
}
