//! A binary WebSocket client that acknowledges as the page does.

use std::net::TcpStream;

use tungstenite::client::IntoClientRequest;
use tungstenite::{Bytes, Message, WebSocket};

/// Bytes after which progress is acknowledged.
const ACK_EVERY: u64 = 64 * 1024;

/// One connection.
pub struct Client {
    socket: WebSocket<TcpStream>,
    acked: std::collections::HashMap<u16, (String, u64)>,
}

/// What arrived.
pub enum Arrived {
    /// Output of a channel: its offset and bytes.
    Output(u16, u64, Bytes),
    /// A control message.
    Control(serde_json::Value),
}

impl Client {
    /// Connects in the binary form.
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).expect("a WebSocket")
    }

    /// The same where the server may end on the way. That no connection is
    /// refused, even then, is part of what is measured.
    pub fn try_connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("nodelay");
        let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", "quarterdeck.v1".parse().expect("a header"));
        let (socket, _) = tungstenite::client(request, stream).ok()?;
        Some(Self { socket, acked: std::collections::HashMap::new() })
    }

    /// Asks for a session from this byte on; false if the connection is lost.
    pub fn try_attach(&mut self, id: &str, offset: u64) -> bool {
        let message = serde_json::json!({ "type": "session.attach", "sessionId": id, "offset": offset });
        self.try_say(&message)
    }

    /// Attaches to a session from its first byte; its channel.
    pub fn attach(&mut self, id: &str) -> u16 {
        self.say(&serde_json::json!({ "type": "session.attach", "sessionId": id }));
        loop {
            if let Arrived::Control(message) = self.next()
                && message["type"] == "session.attached"
                && message["sessionId"] == id
            {
                let channel = u16::try_from(message["channel"].as_u64().expect("a channel")).expect("16 bits");
                return channel;
            }
        }
    }

    /// Sends a control message.
    pub fn say(&mut self, message: &serde_json::Value) {
        assert!(self.try_say(message), "a message goes out");
    }

    fn try_say(&mut self, message: &serde_json::Value) -> bool {
        self.socket.send(Message::Text(message.to_string().into())).is_ok()
    }

    /// Types.
    pub fn input(&mut self, channel: u16, sequence: u64, bytes: &[u8]) {
        let mut frame = vec![2, 0];
        frame.extend(channel.to_le_bytes());
        frame.extend([0; 4]);
        frame.extend(sequence.to_le_bytes());
        frame.extend(bytes);
        self.socket.send(Message::Binary(frame.into())).expect("input goes out");
    }

    /// Waits for the next message; acknowledges output on the way.
    pub fn next(&mut self) -> Arrived {
        self.try_next().expect("a message comes")
    }

    /// The same; none if the connection is lost.
    pub fn try_next(&mut self) -> Option<Arrived> {
        loop {
            match self.socket.read().ok()? {
                Message::Text(text) => {
                    let message: serde_json::Value = serde_json::from_str(text.as_str()).expect("JSON");
                    if message["type"] == "session.attached" {
                        self.note_channel(&message);
                    }
                    return Some(Arrived::Control(message));
                }
                Message::Binary(frame) => {
                    let channel = u16::from_le_bytes([frame[2], frame[3]]);
                    let offset = u64::from_le_bytes(frame[8..16].try_into().expect("8 bytes"));
                    let payload = frame.slice(16..);
                    self.ack(channel, offset + payload.len() as u64);
                    return Some(Arrived::Output(channel, offset, payload));
                }
                _ => {}
            }
        }
    }

    fn note_channel(&mut self, message: &serde_json::Value) {
        let channel = u16::try_from(message["channel"].as_u64().expect("a channel")).expect("16 bits");
        let id = message["sessionId"].as_str().expect("an id").to_owned();
        self.acked.insert(channel, (id, message["offset"].as_u64().expect("an offset")));
    }

    fn ack(&mut self, channel: u16, upto: u64) {
        let Some((id, acked)) = self.acked.get_mut(&channel) else { return };
        if upto < *acked + ACK_EVERY {
            return;
        }
        *acked = upto;
        let message = serde_json::json!({ "type": "terminal.ack", "sessionId": id, "offset": upto });
        // If the connection is lost, the next read says so.
        self.try_say(&message);
    }
}
