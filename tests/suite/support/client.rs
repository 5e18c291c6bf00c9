//! A WebSocket client that keeps the view its user would have.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::{ClientRequestBuilder, IntoClientRequest};
use tungstenite::http::HeaderName;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Bytes, Error, Message, WebSocket};

use super::http::Api;
use super::payload::READY;
use super::view::{Terminal, View};
use super::{eventually, patience};

/// The two forms of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// No subprotocol: terminal data is JSON text.
    Json,
    /// Subprotocol `quarterdeck.v1`: terminal data is binary, not acknowledged.
    Binary,
    /// The same, acknowledging what was processed.
    Acked,
}

/// Acknowledge after this many bytes: well within the smallest window used.
const ACK_EVERY: u64 = 16 * 1024;

/// The connection is gone.
#[derive(Debug)]
pub struct Lost;

/// One user with one connection at a time. Nothing is read unless the test
/// waits for something: a client nobody waits on is a client that never reads.
pub struct Client {
    address: String,
    form: Form,
    socket: Option<WebSocket<TcpStream>>,
    sequence: u64,
    pub view: View,
}

impl Client {
    /// Connects and waits for the greeting.
    pub fn connect(address: &str, form: Form) -> Self {
        let mut client = Self::unconnected(address, form);
        client.socket = Some(open(address, "/ws", form).expect("a WebSocket connection"));
        client.wait_until("greeted", |view| {
            view.of_type("session.list").count() == 1 && view.of_type("resource.state").count() == 1
        });
        client
    }

    /// Connects at another path, without waiting for anything.
    pub fn connect_at(address: &str, path: &str, form: Form) -> Result<Self, Box<Error>> {
        let mut client = Self::unconnected(address, form);
        client.socket = Some(open(address, path, form)?);
        Ok(client)
    }

    /// Connects with these headers, and waits for the greeting; or the status and
    /// the body of the refusal.
    pub fn connect_as(address: &str, form: Form, headers: &[(&str, &str)]) -> Result<Self, (u16, Value)> {
        let mut client = Self::unconnected(address, form);
        client.socket = match open_with(address, "/ws", form, headers) {
            Ok(socket) => Some(socket),
            Err(error) => match *error {
                Error::Http(response) => {
                    let body = response.body().as_deref().unwrap_or_default();
                    return Err((response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()));
                }
                other => panic!("no answer to the upgrade: {other}"),
            },
        };
        client.wait_until("greeted", |view| view.of_type("resource.state").count() == 1);
        Ok(client)
    }

    fn unconnected(address: &str, form: Form) -> Self {
        Self { address: address.to_owned(), form, socket: None, sequence: 0, view: View::default() }
    }

    fn socket(&mut self) -> &mut WebSocket<TcpStream> {
        self.socket.as_mut().expect("a connected client")
    }

    /// Sends a control message.
    #[track_caller]
    pub fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).unwrap_or_else(|Lost| panic!("lost while sending {message}"));
    }

    /// Sends any frame.
    pub fn send_raw(&mut self, message: Message) -> Result<(), Lost> {
        self.socket().send(message).map_err(|_| Lost)
    }

    /// Writes bytes below the protocol: frames that no library would make.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        std::io::Write::write_all(self.socket().get_mut(), bytes).expect("a connection");
    }

    /// The same, for a server that may have closed.
    pub fn try_send_bytes(&mut self, bytes: &[u8]) -> bool {
        std::io::Write::write_all(self.socket().get_mut(), bytes).is_ok()
    }

    /// Attaches from the oldest byte on.
    #[track_caller]
    pub fn attach(&mut self, id: &str) {
        self.attach_with(id, json!({}));
    }

    /// Attaches with further fields, and waits until that is answered.
    #[track_caller]
    pub fn attach_with(&mut self, id: &str, mut fields: Value) {
        fields["type"] = json!("session.attach");
        fields["sessionId"] = json!(id);
        self.send(&fields);
        self.wait_until("attached", |view| view.is_attached(id));
    }

    /// Types into a session.
    #[track_caller]
    pub fn input(&mut self, id: &str, data: &str) {
        if self.form == Form::Json {
            return self.send(&json!({ "type": "terminal.input", "sessionId": id, "data": data }));
        }
        self.sequence += 1;
        let channel = self.view.terminal(id).channel.expect("an attached session");
        let frame = input_frame(channel, self.sequence, data.as_bytes());
        self.send_raw(Message::binary(frame)).expect("a connection");
    }

    /// Tells a program made by `payload::stream` to begin.
    #[track_caller]
    pub fn begin(&mut self, id: &str) {
        self.wait_until("the program is ready", |view| view.bytes(id) == READY);
        let _ = Api::at(&self.address).input(id, b"!").json_of(200);
    }

    /// Takes messages until the view is as wanted.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut wanted: impl FnMut(&View) -> bool) -> &View {
        let start = Instant::now();
        let mut alive = true;
        while !wanted(&self.view) {
            assert!(alive, "connection lost before {what}; {}", self.summary());
            assert!(start.elapsed() < patience(), "waited {:?} in vain until {what}; {}", patience(), self.summary());
            alive = self.pump().is_ok();
            assert!(self.view.faults.is_empty(), "until {what}: {:?}; {}", self.view.faults, self.summary());
        }
        &self.view
    }

    /// Waits until the server has gone.
    #[track_caller]
    pub fn wait_until_lost(&mut self) {
        eventually("the connection ends", || self.pump().is_err().then_some(()));
    }

    /// Waits for this session's exit, and that the exit is the last word.
    #[track_caller]
    pub fn wait_for_exit(&mut self, id: &str) -> Value {
        self.wait_until("the exit came", |view| view.exited(id));
        self.view.terminal(id).exits.last().cloned().unwrap_or_default()
    }

    /// Waits until the server answered everything sent before.
    #[track_caller]
    pub fn round_trip(&mut self) {
        self.sequence += 1;
        let stamp = self.sequence;
        self.send(&json!({ "type": "heartbeat", "timestamp": stamp }));
        self.wait_until("the heartbeat came back", |view| {
            view.of_type("heartbeat").any(|message| message["timestamp"] == json!(stamp))
        });
    }

    /// Waits for the next `error` and returns it.
    #[track_caller]
    pub fn next_error(&mut self) -> Value {
        self.wait_until("an error came", |view| view.of_type("error").next().is_some());
        let at = self.view.messages.iter().position(|message| message["type"] == "error").expect("an error");
        self.view.messages.remove(at)
    }

    /// Attaches where that must fail, and checks the code.
    #[track_caller]
    pub fn attach_fails(&mut self, id: &str, code: &str) {
        self.send(&json!({ "type": "session.attach", "sessionId": id }));
        assert_eq!(self.next_error()["code"], json!(code));
    }

    /// Takes one message, or returns after a short silence.
    pub fn pump(&mut self) -> Result<(), Lost> {
        match self.socket().read() {
            Ok(Message::Text(text)) => match serde_json::from_str(&text) {
                Ok(message) => self.view.take_message(message),
                Err(e) => self.view.faults.push(format!("no JSON: {e}: {text}")),
            },
            Ok(Message::Binary(_)) if self.form == Form::Json => {
                self.view.faults.push("a binary frame without the subprotocol".to_owned());
            }
            Ok(Message::Binary(frame)) => self.view.take_frame(&frame),
            Ok(Message::Close(close)) => {
                self.view.closed = Some(close.map_or(1005, |CloseFrame { code, .. }| code.into()));
            }
            Ok(_) => {}
            Err(Error::Io(e)) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Err(Lost),
        }
        if self.form == Form::Acked { self.acknowledge() } else { Ok(()) }
    }

    fn acknowledge(&mut self) -> Result<(), Lost> {
        let due: Vec<_> = self
            .view
            .terminals
            .iter_mut()
            .filter_map(|(id, terminal)| terminal.due(ACK_EVERY).map(|next| (id.clone(), next)))
            .collect();
        for (id, offset) in due {
            let message = json!({ "type": "terminal.ack", "sessionId": id, "offset": offset });
            self.send_raw(Message::text(message.to_string()))?;
        }
        Ok(())
    }

    /// Goes away without a word, as a network that fails does.
    pub fn cut(&mut self) {
        self.socket = None;
        self.view.disconnect();
    }

    /// Goes away politely.
    pub fn close(&mut self) {
        let _ = self.socket().close(None);
        let _ = self.socket().flush();
        self.cut();
    }

    /// Comes back, if need be in another form, and attaches all it had
    /// attached at its next offset.
    pub fn reconnect(&mut self, form: Form) {
        self.cut();
        self.form = form;
        if form == Form::Json {
            self.view.terminals.values_mut().for_each(Terminal::forget_unfinished_character);
        }
        let known: Vec<_> = self.view.terminals.iter().map(|(id, terminal)| (id.clone(), terminal.next)).collect();
        eventually("the server takes connections and attaches", || {
            self.cut();
            self.socket = open(&self.address, "/ws", form).ok();
            self.socket.as_ref()?;
            known.iter().try_for_each(|(id, next)| self.resume_at(id, *next)).ok()
        });
    }

    fn resume_at(&mut self, id: &str, next: Option<u64>) -> Result<(), Lost> {
        let message = json!({ "type": "session.attach", "sessionId": id, "offset": next.unwrap_or(0) });
        self.send_raw(Message::text(message.to_string()))?;
        let start = Instant::now();
        while !self.view.is_attached(id) {
            assert!(start.elapsed() < patience(), "attaching again: {}", self.summary());
            self.pump()?;
        }
        Ok(())
    }

    /// What to print when a wait fails: everything but the bytes.
    fn summary(&self) -> String {
        let messages: String = format!("{:?}", self.view.messages).chars().take(4000).collect();
        let mut text = format!("closed: {:?}; messages: {messages}", self.view.closed);
        for (id, terminal) in &self.view.terminals {
            let tail = &terminal.bytes[terminal.bytes.len().saturating_sub(300)..];
            text += &format!(
                "\n{id}: channel {:?}, {} bytes, next {:?}, gaps {:?}, exits {:?}, ends in {:?}",
                terminal.channel,
                terminal.bytes.len(),
                terminal.next,
                terminal.gaps,
                terminal.exits,
                String::from_utf8_lossy(tail)
            );
        }
        text
    }
}

/// A binary input frame.
pub fn input_frame(channel: u16, sequence: u64, data: &[u8]) -> Bytes {
    let mut frame = vec![2, 0];
    frame.extend_from_slice(&channel.to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&sequence.to_le_bytes());
    frame.extend_from_slice(data);
    frame.into()
}

fn open(address: &str, path: &str, form: Form) -> Result<WebSocket<TcpStream>, Box<Error>> {
    open_with(address, path, form, &[])
}

fn open_with(
    address: &str,
    path: &str,
    form: Form,
    headers: &[(&str, &str)],
) -> Result<WebSocket<TcpStream>, Box<Error>> {
    let stream = TcpStream::connect(address).map_err(|e| Box::new(Error::Io(e)))?;
    stream.set_nodelay(true).expect("TCP_NODELAY");
    stream.set_read_timeout(Some(patience())).expect("SO_RCVTIMEO");
    let mut request = ClientRequestBuilder::new(format!("ws://{address}{path}").parse().expect("an address"));
    if form != Form::Json {
        request = request.with_sub_protocol("quarterdeck.v1");
    }
    let mut request = request.into_client_request().map_err(Box::new)?;
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a header's name");
        request.headers_mut().insert(name, value.parse().expect("a header's value"));
    }
    let (socket, _) = tungstenite::client(request, stream).map_err(|e| match e {
        tungstenite::HandshakeError::Failure(e) => Box::new(e),
        tungstenite::HandshakeError::Interrupted(_) => Box::new(Error::ConnectionClosed),
    })?;
    // From now on a read is a short look, so that waits see their time-out.
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(100))).expect("SO_RCVTIMEO");
    Ok(socket)
}
