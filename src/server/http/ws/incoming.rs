//! The reading half of a connection: what the client says, and what follows.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseCode, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use tokio::sync::{Notify, mpsc};
use tungstenite::error::CapacityError;

use super::super::error::ApiError;
use super::super::serve::Allowance;
use super::super::{rights, sessions, terminal};
use super::channel::{Channel, Window};
use super::input::{Input, Inputs};
use super::messages::{ClientMessage, ServerMessage};
use super::outgoing::Order;
use super::{Form, frames};
use crate::link::message::{Request, Scope};
use crate::logging::unix_millis;
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::server::App;
use crate::server::auth::rights::{Grant, Right};
use crate::server::metrics::connections::Cut;
use crate::server::metrics::echo::Stopwatch;
use crate::server::pace::Say;
use crate::server::session::{Session, Start};

/// Without any frame for this long, pongs included, the client is gone.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// A client that sends nothing but nonsense for this long is cut off.
const NONSENSE_MAX: Duration = Duration::from_secs(5);

/// After a silence of this length nonsense counts anew.
const NONSENSE_PAUSE: Duration = Duration::from_secs(1);

/// Most characters of a client's own text that an error repeats.
const QUOTED_MAX: usize = 300;

/// The window of a binary client that names none, in bytes.
const BINARY_WINDOW: u64 = 256 * 1024;

/// Most clients attached to one session.
const CLIENTS_MAX: usize = 256;

/// Smallest window: less could never carry a frame worth its head.
const WINDOW_MIN: u64 = 1024;

/// The reading half.
pub struct Incoming {
    app: App,
    grant: Grant,
    form: Form,
    orders: mpsc::Sender<Order>,
    wake: Arc<Notify>,
    inputs: Inputs,
    attached: HashMap<SessionId, Attached>,
    by_channel: HashMap<u16, Weak<Session>>,
    next_channel: u16,
    nonsense: Option<Nonsense>,
    /// What the client may send; none if that is not counted.
    allowance: Option<Arc<Allowance>>,
}

/// A session that the connection is attached to.
struct Attached {
    channel: u16,
    stopwatch: Arc<Stopwatch>,
}

/// Unreadable messages in a row.
struct Nonsense {
    since: Instant,
    last: Instant,
}

/// A message that could not be followed.
struct Complaint {
    error: ApiError,
    session_id: Option<String>,
    code: Option<&'static str>,
}

impl From<ApiError> for Complaint {
    fn from(error: ApiError) -> Self {
        Self { error, session_id: None, code: None }
    }
}

impl Complaint {
    fn about(session_id: &str) -> impl Fn(ApiError) -> Self {
        move |error| Self { error, session_id: Some(session_id.to_owned()), code: None }
    }

    fn with_code(session_id: &str, code: &'static str, text: &str) -> Self {
        Self { error: ApiError::invalid(text), session_id: Some(session_id.to_owned()), code: Some(code) }
    }
}

impl Incoming {
    /// A reader that gives its orders to the writer.
    pub fn new(
        app: App,
        grant: Grant,
        form: Form,
        orders: mpsc::Sender<Order>,
        wake: Arc<Notify>,
        allowance: Option<Arc<Allowance>>,
    ) -> Self {
        Self {
            app,
            grant,
            form,
            inputs: Inputs::new(orders.clone()),
            orders,
            wake,
            attached: HashMap::new(),
            by_channel: HashMap::new(),
            next_channel: 1,
            nonsense: None,
            allowance,
        }
    }

    /// Reads until the client is gone.
    pub async fn run(mut self, mut stream: SplitStream<WebSocket>) {
        loop {
            let next = tokio::time::timeout(SILENCE_MAX, stream.next()).await;
            let message = match next {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => match close_reason(error) {
                    Some((code, reason)) => return self.close(code, reason).await,
                    None => return,
                },
                Ok(None) => return,
                Err(_) => return self.app.registry.metrics.connections.cut(Cut::Silent),
            };
            self.keep_to_allowance().await;
            let outcome = match message {
                Message::Text(text) => self.take_text(text.as_str()).await,
                Message::Binary(bytes) => self.take_frame(bytes).await,
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => continue,
            };
            match outcome {
                Ok(()) => self.nonsense = None,
                Err(complaint) => {
                    if self.is_hopeless(&complaint) {
                        return self.close(close_code::PROTOCOL, "nothing but unreadable messages").await;
                    }
                    self.complain(complaint).await;
                }
            }
        }
    }

    /// A client that sends more than it may is read more slowly.
    async fn keep_to_allowance(&self) {
        let wait = self.allowance.as_ref().map(|allowance| allowance.message()).unwrap_or_default();
        if !wait.is_zero() {
            self.app.registry.metrics.connections.throttled.add(1);
            tokio::time::sleep(wait).await;
        }
    }

    fn is_hopeless(&mut self, complaint: &Complaint) -> bool {
        if complaint.session_id.is_some() {
            self.nonsense = None;
            return false;
        }
        let now = Instant::now();
        let nonsense = self.nonsense.get_or_insert(Nonsense { since: now, last: now });
        if now.duration_since(nonsense.last) > NONSENSE_PAUSE {
            nonsense.since = now;
        }
        nonsense.last = now;
        now.duration_since(nonsense.since) >= NONSENSE_MAX
    }

    /// Lets the writer say goodbye, and waits for it to end the connection.
    async fn close(self, code: CloseCode, reason: &'static str) {
        let _ = self.orders.send(Order::Close(code, reason)).await;
        std::future::pending::<()>().await;
    }

    async fn complain(&self, complaint: Complaint) {
        let code = complaint.code.unwrap_or(complaint.error.code());
        let message = quoted(&complaint.error.message());
        let session_id = complaint.session_id.as_deref().map(quoted);
        self.say(ServerMessage::Error { message, code, session_id }).await;
    }

    async fn say(&self, message: ServerMessage) {
        // A writer that is gone ends the connection anyway.
        let _ = self.orders.send(Order::Say(message)).await;
    }

    fn find(&self, id: &str) -> Result<Arc<Session>, Complaint> {
        let found = sessions::find(&self.app, id).map(|entry| entry.session);
        let seen =
            found.and_then(
                |session| {
                    if self.grant.sees(session.id()) { Ok(session) } else { Err(ApiError::no_session(id)) }
                },
            );
        seen.map_err(Complaint::about(id))
    }

    async fn take_text(&mut self, text: &str) -> Result<(), Complaint> {
        let message = serde_json::from_str(text)
            .map_err(|e| ApiError::invalid(format!("The message can't be understood: {e}")))?;
        self.check(rights::of_message(&message)).map_err(|error| Complaint {
            error,
            session_id: message.session_id().map(str::to_owned),
            code: None,
        })?;
        match message {
            ClientMessage::Attach { session_id, offset, window } => self.attach(&session_id, offset, window).await,
            ClientMessage::Detach { session_id } => self.detach(&session_id).await,
            ClientMessage::Resume { session_id } => {
                let id = self.find(&session_id)?.id();
                let resumed = sessions::resume_by_id(&self.app, id).await;
                resumed.map(drop).map_err(Complaint::about(&session_id))
            }
            ClientMessage::Input { session_id, data } => {
                let session = self.find(&session_id)?;
                self.type_in(&session, Input { bytes: data.into(), sequence: None }).await;
                Ok(())
            }
            ClientMessage::Interrupt { session_id } => {
                let id = self.find(&session_id)?.id();
                let sent = self.app.link.wish(Request::Signal(id, Signal::INT, Scope::Foreground)).await;
                sent.map(drop).map_err(|e| Complaint::about(&session_id)(e.into()))
            }
            ClientMessage::Resize { session_id, cols, rows } => {
                let id = self.find(&session_id)?.id();
                terminal::resize_by_id(&self.app, id, cols, rows).await.map_err(Complaint::about(&session_id))
            }
            ClientMessage::Ack { session_id, offset } => self.ack(&session_id, offset).await,
            ClientMessage::Heartbeat { timestamp } => {
                let timestamp = timestamp.unwrap_or_else(|| unix_millis().into());
                self.say(ServerMessage::Heartbeat { timestamp }).await;
                Ok(())
            }
        }
    }

    fn check(&self, right: Right) -> Result<(), ApiError> {
        if self.grant.may(right) { Ok(()) } else { Err(ApiError::forbidden(&self.grant)) }
    }

    /// Forgets sessions that are gone.
    fn prune(&mut self) {
        let now = self.app.registry.now();
        self.attached.retain(|id, _| now.get(*id).is_some());
        self.by_channel.retain(|_, session| session.strong_count() > 0);
        self.inputs.retain(|id| now.get(id).is_some());
    }

    async fn attach(&mut self, id: &str, start: Start, window: Option<u64>) -> Result<(), Complaint> {
        self.prune();
        let session = self.find(id)?;
        if self.attached.contains_key(&session.id()) {
            return Err(Complaint::with_code(id, "ALREADY_ATTACHED", "This connection is attached to the session"));
        }
        let Some(channel) = self.free_channel() else {
            return Err(Complaint::with_code(id, "TOO_MANY_ATTACHMENTS", "This connection has no channel left"));
        };
        let window = match (window, self.form) {
            (Some(bytes), _) => Window::Bytes(bytes.max(WINDOW_MIN)),
            (None, Form::Binary) => Window::FromFirstAck(BINARY_WINDOW),
            (None, Form::Json) => Window::Unlimited,
        };
        if session.client_count() >= CLIENTS_MAX {
            let text = format!("The session has {CLIENTS_MAX} clients attached, and may have no more; detach one");
            return Err(Complaint::with_code(id, "TOO_MANY_CLIENTS", &text));
        }
        let say = if self.grant.is_read_only { Say::HasNone } else { Say::Has };
        let attachment = session.attach(start, say, Arc::clone(&self.wake)).map_err(|beyond| {
            let head = beyond.head;
            let text = format!("The offset is beyond the output, which ends at {head}; attach at {head} or \"live\"");
            Complaint::with_code(id, "OFFSET_OUT_OF_RANGE", &text)
        })?;
        let stopwatch = Arc::new(Stopwatch::default());
        self.attached.insert(session.id(), Attached { channel, stopwatch: Arc::clone(&stopwatch) });
        self.by_channel.insert(channel, Arc::downgrade(&session));
        let _ = self.orders.send(Order::Attach(Channel::new(channel, attachment, window, stopwatch))).await;
        Ok(())
    }

    fn free_channel(&mut self) -> Option<u16> {
        for _ in 0..u16::MAX {
            let channel = self.next_channel;
            self.next_channel = self.next_channel.checked_add(1).unwrap_or(1);
            if !self.by_channel.contains_key(&channel) {
                return Some(channel);
            }
        }
        None
    }

    async fn detach(&mut self, id: &str) -> Result<(), Complaint> {
        let not_attached =
            || Complaint::with_code(id, "NOT_ATTACHED", "This connection is not attached to the session");
        let session = self.find(id)?;
        let Attached { channel, .. } = self.attached.remove(&session.id()).ok_or_else(not_attached)?;
        self.by_channel.remove(&channel);
        let _ = self.orders.send(Order::Detach(channel)).await;
        Ok(())
    }

    async fn ack(&self, id: &str, offset: u64) -> Result<(), Complaint> {
        let session = self.find(id)?;
        let attached = self.attached.get(&session.id()).ok_or_else(|| {
            Complaint::with_code(id, "NOT_ATTACHED", "This connection is not attached to the session")
        })?;
        let _ = self.orders.send(Order::Ack(attached.channel, offset)).await;
        Ok(())
    }

    async fn take_frame(&mut self, bytes: Bytes) -> Result<(), Complaint> {
        if self.form == Form::Json {
            let text = "This connection did not ask for the subprotocol quarterdeck.v1, so it takes no binary frames";
            return Err(ApiError::invalid(text).into());
        }
        let frame =
            frames::parse_input(&bytes).map_err(|e| ApiError::invalid(sessions::capitalised(&e.to_string())))?;
        let Some(session) = self.by_channel.get(&frame.channel).and_then(Weak::upgrade) else {
            let text = format!("Channel {} is not attached on this connection", frame.channel);
            return Err(Complaint { error: ApiError::invalid(text), session_id: None, code: Some("NOT_ATTACHED") });
        };
        self.check(rights::INPUT_FRAME).map_err(Complaint::about(&session.id().to_string()))?;
        let input = Input { bytes: bytes.slice(frames::HEAD..), sequence: Some(frame.sequence) };
        self.type_in(&session, input).await;
        Ok(())
    }

    async fn type_in(&mut self, session: &Arc<Session>, input: Input) {
        if let Some(attached) = self.attached.get(&session.id()) {
            attached.stopwatch.start(Instant::now(), session.head());
        }
        self.inputs.push(session, input).await;
    }
}

/// Errors quote what the client sent; a client that sends much and reads
/// nothing must not make them pile up.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_MAX).collect()
}

/// The close code for what made reading impossible; none for a connection that
/// simply ended.
fn close_reason(error: axum::Error) -> Option<(CloseCode, &'static str)> {
    let error = error.into_inner().downcast::<tungstenite::Error>().ok()?;
    match *error {
        tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Some((close_code::SIZE, "a frame may have at most 1 MiB"))
        }
        tungstenite::Error::Utf8(_) => Some((close_code::INVALID, "a text message is not valid UTF-8")),
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some((close_code::PROTOCOL, "a frame breaks the WebSocket protocol")),
        _ => None,
    }
}

/// What the writer says about an ack of bytes it has not sent.
pub fn ack_beyond_sent(channel: &Channel) -> ServerMessage {
    let message = "The ack is beyond what was sent".to_owned();
    ServerMessage::Error { message, code: "INVALID_REQUEST", session_id: Some(channel.session_id().to_string()) }
}
