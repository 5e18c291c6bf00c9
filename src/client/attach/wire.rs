//! The WebSocket under an attachment: connects, attaches, connects again.
//!
//! A task of its own, so that nothing the user does can disturb a handshake.
//! It knows the offset behind the last byte it passed on and attaches there
//! after a loss; what was typed it keeps until the server has written it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};

use super::typed::{Queue, Typed};
use crate::client::failure::Failure;

/// What may be on its way to us, in bytes.
const WINDOW: u64 = 256 * 1024;

/// Pauses between two attempts to connect.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Length of a binary frame's head, and the kinds of frames.
const HEAD: usize = 16;
const OUTPUT: u8 = 1;
const INPUT: u8 = 2;

/// What the wire is asked for.
#[derive(Debug)]
pub enum Command {
    /// Type this.
    Type(Typed),
    /// Everything below is shown.
    Ack(u64),
    /// Change the session's size.
    Resize(u16, u16),
}

/// What the wire has to tell.
#[derive(Debug)]
pub enum Event {
    /// Attached: the offset of the first byte that comes, the end of the output
    /// at that moment, and the session's size.
    Attached { offset: u64, head: u64, size: (u16, u16) },
    /// Output.
    Output { offset: u64, bytes: Vec<u8> },
    /// Output that no longer exists, up to this offset.
    Gap { to: u64 },
    /// The session has another size.
    Resized(u16, u16),
    /// The program ended, and this was its last output.
    Exit { code: Option<u8>, signal: Option<String> },
    /// The session was deleted.
    Destroyed,
    /// The connection is lost; another one is being made.
    Lost,
    /// It can't go on.
    Over(Failure),
}

/// Where to connect, and to what.
#[derive(Debug)]
pub struct Wire {
    /// The socket.
    pub path: PathBuf,
    /// The session's id.
    pub id: String,
    /// Where to start, as the protocol has it.
    pub start: Value,
    /// Whether the server said that the container ends.
    pub is_ending: bool,
    /// When the session's program started: another start is another life, and
    /// after a restart of the container its bytes may count differently.
    pub started_at: Option<String>,
    /// What waits to be typed.
    pub queue: Queue,
}

type Sink = SplitSink<WebSocketStream<UnixStream>, Message>;
type Stream = SplitStream<WebSocketStream<UnixStream>>;

/// Why a connection is over.
enum Loss {
    /// It broke.
    Broken,
    /// There is nothing more to say on another one.
    Final,
}

impl Wire {
    /// Runs until the session is over or nobody listens to `events` any more.
    pub async fn run(mut self, mut commands: UnboundedReceiver<Command>, events: UnboundedSender<Event>) {
        let mut pause = PAUSE_MIN;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    if let Some((sink, stream)) = connection {
                        pause = PAUSE_MIN;
                        if let Loss::Final = self.serve(sink, stream, &mut commands, &events).await {
                            return;
                        }
                    }
                }
                Err(failure) => {
                    let _ = events.send(Event::Over(failure));
                    return;
                }
            }
            if events.send(Event::Lost).is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Connects and asks to attach; nothing if it is worth another try.
    async fn connect(&mut self) -> Result<Option<(Sink, Stream)>, Failure> {
        let stream = match UnixStream::connect(&self.path).await {
            Ok(stream) => stream,
            // Init holds the socket as long as it lives.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                let message = if self.is_ending { "The container is shutting down" } else { "quarterdeck has ended" };
                return Err(Failure::new(message));
            }
            // Too many wait for the next server already.
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(e) => return Err(Failure::new(format!("{}: {e}", self.path.display()))),
        };
        let mut request = "ws://localhost/ws".into_client_request().map_err(|e| Failure::new(e.to_string()))?;
        let protocol = HeaderValue::from_static("quarterdeck.v1");
        request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        // While no server runs this waits for the next one.
        let socket = match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => socket,
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) if answer.status().is_client_error() => {
                let body = answer.body().as_deref().unwrap_or_default();
                return Err(Failure::answered(answer.status().as_u16(), body));
            }
            Err(_) => return Ok(None),
        };
        let (mut sink, stream) = socket.split();
        let attach = json!({ "type": "session.attach", "sessionId": self.id, "offset": self.start, "window": WINDOW });
        Ok(say(&mut sink, &attach).await.ok().map(|()| (sink, stream)))
    }

    async fn serve(
        &mut self,
        mut sink: Sink,
        mut stream: Stream,
        commands: &mut UnboundedReceiver<Command>,
        events: &UnboundedSender<Event>,
    ) -> Loss {
        let mut channel = None;
        self.queue.rewind();
        loop {
            let result = tokio::select! {
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => self.told(text.as_str(), &mut channel, events),
                    Some(Ok(Message::Binary(frame))) => self.passed(&frame, channel, events),
                    Some(Ok(_)) => Ok(()),
                    Some(Err(_)) | None => Err(Loss::Broken),
                },
                // Before it is attached there is nobody to type to.
                command = commands.recv(), if channel.is_some() => match command {
                    Some(command) => self.follow(command, &mut sink).await,
                    None => {
                        let detach = json!({ "type": "session.detach", "sessionId": self.id });
                        let _ = say(&mut sink, &detach).await;
                        let _ = sink.close().await;
                        Err(Loss::Final)
                    }
                },
            };
            if let Err(loss) = result {
                return loss;
            }
            if let Some(channel) = channel
                && self.type_on(channel, &mut sink).await.is_err()
            {
                return Loss::Broken;
            }
        }
    }

    async fn follow(&mut self, command: Command, sink: &mut Sink) -> Result<(), Loss> {
        let message = match command {
            Command::Type(typed) => {
                self.queue.push(typed);
                return Ok(());
            }
            Command::Ack(offset) => json!({ "type": "terminal.ack", "sessionId": self.id, "offset": offset }),
            Command::Resize(cols, rows) => {
                json!({ "type": "terminal.resize", "sessionId": self.id, "cols": cols, "rows": rows })
            }
        };
        say(sink, &message).await.map_err(|()| Loss::Broken)
    }

    /// Sends what was typed, as far as the window allows.
    async fn type_on(&mut self, channel: u16, sink: &mut Sink) -> Result<(), ()> {
        while let Some((sequence, bytes)) = self.queue.next() {
            let mut frame = Vec::with_capacity(HEAD + bytes.len());
            frame.extend([INPUT, 0]);
            frame.extend(channel.to_le_bytes());
            frame.extend([0; 4]);
            frame.extend(sequence.to_le_bytes());
            frame.extend(bytes);
            sink.send(Message::Binary(frame.into())).await.map_err(drop)?;
        }
        Ok(())
    }

    /// A frame of output.
    fn passed(&mut self, frame: &[u8], channel: Option<u16>, events: &UnboundedSender<Event>) -> Result<(), Loss> {
        let Some((head, payload)) = frame.split_first_chunk::<HEAD>() else { return Ok(()) };
        let [kind, _, c0, c1, _, _, _, _, offset @ ..] = *head;
        if kind != OUTPUT || channel != Some(u16::from_le_bytes([c0, c1])) {
            return Ok(());
        }
        let offset = u64::from_le_bytes(offset);
        self.start = (offset + payload.len() as u64).into();
        events.send(Event::Output { offset, bytes: payload.to_vec() }).map_err(|_| Loss::Final)
    }

    /// A control message, if it is about our session.
    fn told(&mut self, text: &str, channel: &mut Option<u16>, events: &UnboundedSender<Event>) -> Result<(), Loss> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let kind = message["type"].as_str().unwrap_or_default();
        if kind == "server.shutdown" {
            self.is_ending = true;
        }
        if kind == "session.list" && self.is_another_life(&message) {
            let failure = Failure::new("The session was started again while quarterdeck was away");
            let _ = events.send(Event::Over(failure.suggest("Attach to it anew.")));
            return Err(Loss::Final);
        }
        if message["sessionId"].as_str() != Some(&self.id) {
            return Ok(());
        }
        let number = |field: &str| message[field].as_u64().unwrap_or(0);
        let cells = |field: &str| u16::try_from(number(field)).unwrap_or(0);
        let event = match kind {
            "session.attached" => {
                *channel = u16::try_from(number("channel")).ok();
                self.start = number("offset").into();
                Event::Attached { offset: number("offset"), head: number("head"), size: (cells("cols"), cells("rows")) }
            }
            "terminal.gap" => {
                self.start = number("to").into();
                Event::Gap { to: number("to") }
            }
            "terminal.inputAck" => {
                self.queue.acknowledge(number("sequence"));
                return Ok(());
            }
            "terminal.resized" => Event::Resized(cells("cols"), cells("rows")),
            "terminal.exit" => {
                let code = message["exitCode"].as_u64().and_then(|code| u8::try_from(code).ok());
                Event::Exit { code, signal: message["signal"].as_str().map(str::to_owned) }
            }
            "session.destroyed" => Event::Destroyed,
            "error" if channel.is_none() => {
                Event::Over(Failure::new(message["message"].as_str().unwrap_or("The session can't be attached to")))
            }
            // Its program ends, or does not read: what else was typed has no one.
            "error" if message["code"] == "NOT_RUNNING" => {
                self.queue.clear();
                return Ok(());
            }
            _ => return Ok(()),
        };
        events.send(event).map_err(|_| Loss::Final)
    }

    /// Of one that has ended there is no start; it tells its end by itself.
    fn is_another_life(&self, list: &Value) -> bool {
        let mut sessions = list["sessions"].as_array().into_iter().flatten();
        let ours = sessions.find(|session| session["id"].as_str() == Some(&self.id));
        let now = ours.and_then(|session| session["startedAt"].as_str());
        self.started_at.as_deref().zip(now).is_some_and(|(known, now)| known != now)
    }
}

async fn say(sink: &mut Sink, message: &Value) -> Result<(), ()> {
    sink.send(Message::Text(message.to_string().into())).await.map_err(drop)
}
