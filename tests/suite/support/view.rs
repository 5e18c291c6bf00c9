//! What a user would have in front of them, and proof that it is sound.
//!
//! The view takes every message of the server in order. Whatever breaks a
//! promise about order (a byte missing or twice, output behind the exit, a
//! message nobody knows) goes into `faults`, and every wait fails on it. So each
//! test checks all promises, whatever else it is about.

use std::collections::BTreeMap;

use serde_json::Value;

/// Everything the protocol lets a server say.
const KNOWN: [&str; 19] = [
    "session.list",
    "session.created",
    "session.updated",
    "session.status",
    "session.destroyed",
    "session.attached",
    "session.needsInput",
    "session.warning",
    "resource.state",
    "resource.warning",
    "process.cleaned",
    "server.shutdown",
    "terminal.output",
    "terminal.gap",
    "terminal.resized",
    "terminal.exit",
    "terminal.inputAck",
    "heartbeat",
    "error",
];

/// One terminal as its user sees it.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    /// Number on this connection, while attached.
    pub channel: Option<u16>,
    /// Every `session.attached`.
    pub attached: Vec<Value>,
    /// Everything received, gaps left out.
    pub bytes: Vec<u8>,
    /// Offset of the next byte, once anything is known.
    pub next: Option<u64>,
    /// `terminal.gap`: from, to.
    pub gaps: Vec<(u64, u64)>,
    /// JSON form: each piece of text with its offset.
    pub pieces: Vec<(u64, String)>,
    /// `terminal.resized`: columns, rows.
    pub sizes: Vec<(u64, u64)>,
    /// Every `terminal.exit`.
    pub exits: Vec<Value>,
    /// Sequence numbers of `terminal.inputAck`.
    pub input_acks: Vec<u64>,
    /// JSON form: U+FFFD was seen, so text length and byte length may differ.
    replaced: bool,
    ended: bool,
    acknowledged: u64,
}

/// Everything one client knows.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub terminals: BTreeMap<String, Terminal>,
    /// All other messages, in order.
    pub messages: Vec<Value>,
    /// Broken promises.
    pub faults: Vec<String>,
    /// Close code, once the server closed the connection.
    pub closed: Option<u16>,
}

impl Terminal {
    /// The bytes as text, for assertions on small outputs.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Tells the view that the program is about to be started again, so that
    /// output behind an exit is right.
    pub fn expect_new_life(&mut self) {
        self.ended = false;
    }

    /// Steps back to a whole character: who read bytes and now wants text must
    /// not begin inside one.
    pub fn forget_unfinished_character(&mut self) {
        let tail = &self.bytes[self.bytes.len().saturating_sub(4)..];
        let unfinished = tail.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
        self.bytes.truncate(self.bytes.len() - unfinished);
        self.next = self.next.map(|next| next - unfinished as u64);
    }

    /// The offset to acknowledge, if that is due.
    pub fn due(&mut self, every: u64) -> Option<u64> {
        let next = self.next.filter(|next| self.channel.is_some() && *next >= self.acknowledged + every)?;
        self.acknowledged = next;
        Some(next)
    }

    /// Takes output; false if it is not what must come next.
    fn take(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let expected = self.next == Some(offset) && !self.ended;
        self.next = Some(offset + bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
        expected
    }

    fn take_text(&mut self, offset: u64, data: &str) -> bool {
        // After a replaced byte the text no longer tells how many bytes it was.
        let known = self.next.is_some_and(|next| if self.replaced { offset <= next } else { offset == next });
        self.replaced |= data.contains('\u{fffd}');
        self.next = Some(offset);
        self.pieces.push((offset, data.to_owned()));
        self.take(offset, data.as_bytes()) && known
    }
}

impl View {
    /// The terminal of this session; an empty one if nothing came yet.
    pub fn terminal(&mut self, id: &str) -> &mut Terminal {
        self.terminals.entry(id.to_owned()).or_default()
    }

    /// Bytes of this session so far.
    pub fn bytes(&self, id: &str) -> &[u8] {
        self.terminals.get(id).map_or(&[], |terminal| &terminal.bytes)
    }

    /// Text of this session so far.
    pub fn text(&self, id: &str) -> String {
        self.terminals.get(id).map(Terminal::text).unwrap_or_default()
    }

    /// True once this session's `terminal.exit` came.
    pub fn exited(&self, id: &str) -> bool {
        self.terminals.get(id).is_some_and(|terminal| !terminal.exits.is_empty())
    }

    /// True while this session is attached on this connection.
    pub fn is_attached(&self, id: &str) -> bool {
        self.terminals.get(id).is_some_and(|terminal| terminal.channel.is_some())
    }

    /// All messages of this type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.messages.iter().filter(move |message| message["type"] == kind)
    }

    /// Takes a binary frame of `quarterdeck.v1`.
    pub fn take_frame(&mut self, frame: &[u8]) {
        let Some((header, payload)) = frame.split_first_chunk::<16>() else {
            return self.faults.push(format!("a frame of {} bytes", frame.len()));
        };
        let [kind, reserved, c0, c1, r0, r1, r2, r3, offset @ ..] = *header;
        if (kind, reserved, [r0, r1, r2, r3]) != (1, 0, [0; 4]) {
            self.faults.push(format!("a frame header {header:?}"));
        }
        let (channel, offset) = (u16::from_le_bytes([c0, c1]), u64::from_le_bytes(offset));
        let Some((id, terminal)) = self.terminals.iter_mut().find(|(_, t)| t.channel == Some(channel)) else {
            return self.faults.push(format!("output on channel {channel}, which nobody attached"));
        };
        let before = terminal.next;
        if payload.is_empty() || !terminal.take(offset, payload) {
            self.faults.push(format!("{id}: {} bytes at {offset}, expected at {before:?}", payload.len()));
        }
    }

    /// Takes a control message.
    pub fn take_message(&mut self, message: Value) {
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        if !KNOWN.contains(&kind.as_str()) {
            self.faults.push(format!("an unknown message: {message}"));
        }
        match message["sessionId"].as_str() {
            Some(id) if kind.starts_with("terminal.") || kind == "session.attached" => {
                let id = id.to_owned();
                if let Err(fault) = self.terminal(&id).hear(&kind, &message) {
                    self.faults.push(format!("{id}: {fault}: {message}"));
                }
            }
            _ => self.messages.push(message),
        }
    }

    /// Forgets what belongs to one connection.
    pub fn disconnect(&mut self) {
        self.terminals.values_mut().for_each(|terminal| terminal.channel = None);
        self.closed = None;
    }
}

impl Terminal {
    /// Takes a message about this terminal; an error names the broken promise.
    fn hear(&mut self, kind: &str, message: &Value) -> Result<(), &'static str> {
        let number = |field: &str| message[field].as_u64().ok_or("a number is missing");
        match kind {
            "session.attached" => {
                let channel = u16::try_from(number("channel")?).map_err(|_| "no channel number")?;
                let (offset, head, oldest) = (number("offset")?, number("head")?, number("oldest")?);
                number("cols").and(number("rows"))?;
                self.attached.push(message.clone());
                (self.channel, self.ended) = (Some(channel), false);
                self.acknowledged = offset;
                // A gap at the start is told by a message of its own.
                self.next = self.next.filter(|next| *next < offset && *next < oldest).or(Some(offset));
                if oldest <= offset && offset <= head { Ok(()) } else { Err("attached outside what is retained") }
            }
            "terminal.output" => {
                let data = message["data"].as_str().filter(|data| !data.is_empty()).ok_or("no data")?;
                if self.take_text(number("offset")?, data) { Ok(()) } else { Err("output out of order") }
            }
            "terminal.gap" => {
                let (from, to) = (number("from")?, number("to")?);
                let told = self.next.replace(to);
                self.gaps.push((from, to));
                if from < to && (told == Some(from) || told == Some(to)) { Ok(()) } else { Err("a wrong gap") }
            }
            "terminal.exit" => {
                self.exits.push(message.clone());
                let sound = !self.ended && (self.replaced || self.next == Some(number("offset")?));
                self.ended = true;
                if sound { Ok(()) } else { Err("an exit twice or not behind the last byte") }
            }
            "terminal.resized" => {
                self.sizes.push((number("cols")?, number("rows")?));
                Ok(())
            }
            "terminal.inputAck" => {
                self.input_acks.push(number("sequence")?);
                Ok(())
            }
            _ => Err("not a message of the server"),
        }
    }
}
