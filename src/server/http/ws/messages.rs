//! The control messages, as they stand on the wire.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use crate::model::id::SessionId;
use crate::model::resources::MemoryLevel;
use crate::server::resource_view::ResourceState;

use crate::server::session::Start;
use crate::server::view::{SessionView, Status};

/// What a client may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// Follow a session's output.
    #[serde(rename = "session.attach")]
    Attach {
        session_id: String,
        #[serde(default = "oldest", deserialize_with = "start")]
        offset: Start,
        window: Option<u64>,
    },
    /// Follow it no longer.
    #[serde(rename = "session.detach")]
    Detach { session_id: String },
    /// Run an ended session's command again.
    #[serde(rename = "session.resume")]
    Resume { session_id: String },
    /// Type.
    #[serde(rename = "terminal.input")]
    Input { session_id: String, data: String },
    /// What Ctrl-C does.
    #[serde(rename = "terminal.interrupt")]
    Interrupt { session_id: String },
    /// Change the size.
    #[serde(rename = "terminal.resize")]
    Resize { session_id: String, cols: u32, rows: u32 },
    /// Everything below the offset is processed.
    #[serde(rename = "terminal.ack")]
    Ack { session_id: String, offset: u64 },
    /// Still here.
    #[serde(rename = "heartbeat")]
    Heartbeat { timestamp: Option<Number> },
}

impl ClientMessage {
    /// The session it is about.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        match self {
            Self::Attach { session_id, .. }
            | Self::Detach { session_id }
            | Self::Resume { session_id }
            | Self::Input { session_id, .. }
            | Self::Interrupt { session_id }
            | Self::Resize { session_id, .. }
            | Self::Ack { session_id, .. } => Some(session_id),
            Self::Heartbeat { .. } => None,
        }
    }
}

fn oldest() -> Start {
    Start::Oldest
}

fn start<'de, D: Deserializer<'de>>(from: D) -> Result<Start, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(u64),
        Word(String),
    }
    match Given::deserialize(from)? {
        Given::Number(offset) => Ok(Start::At(offset)),
        Given::Word(word) if word == "oldest" => Ok(Start::Oldest),
        Given::Word(word) if word == "live" => Ok(Start::Live),
        Given::Word(_) => Err(serde::de::Error::custom("offset must be a number, \"oldest\" or \"live\"")),
    }
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    #[serde(rename = "session.list")]
    List { sessions: Vec<SessionView>, generation: u64 },
    #[serde(rename = "session.created")]
    Created { session: SessionView },
    #[serde(rename = "session.updated")]
    Updated { session: SessionView },
    #[serde(rename = "session.status")]
    Status {
        session_id: SessionId,
        status: Status,
        last_activity: String,
        is_stuck: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    #[serde(rename = "session.needsInput")]
    NeedsInput { session_id: SessionId, message: String },
    #[serde(rename = "session.destroyed")]
    Destroyed { session_id: SessionId },
    #[serde(rename = "session.attached")]
    Attached { session_id: SessionId, channel: u16, offset: u64, head: u64, oldest: u64, cols: u16, rows: u16 },
    #[serde(rename = "terminal.output")]
    Output { session_id: SessionId, data: String, offset: u64 },
    #[serde(rename = "terminal.inputAck")]
    InputAck { session_id: SessionId, sequence: u64 },
    #[serde(rename = "terminal.gap")]
    Gap { session_id: SessionId, from: u64, to: u64 },
    #[serde(rename = "terminal.resized")]
    Resized { session_id: SessionId, cols: u16, rows: u16 },
    #[serde(rename = "terminal.exit")]
    Exit {
        session_id: SessionId,
        exit_code: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        signal: Option<String>,
        offset: u64,
    },
    #[serde(rename = "process.cleaned")]
    Cleaned {
        pid: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<SessionId>,
        command: String,
        reason: &'static str,
    },
    #[serde(rename = "session.warning")]
    SessionWarning { session_id: SessionId, message: String, severity: &'static str },
    #[serde(rename = "resource.state")]
    Resources(Box<ResourceState>),
    #[serde(rename = "resource.warning")]
    ResourceWarning {
        message: String,
        memory_usage_percent: f64,
        is_accepting_new_sessions: bool,
        memory_level: MemoryLevel,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<String>,
    },
    #[serde(rename = "server.shutdown")]
    Shutdown { message: String, grace_period_ms: u64 },
    #[serde(rename = "heartbeat")]
    Heartbeat { timestamp: Number },
    #[serde(rename = "error")]
    Error {
        message: String,
        code: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_id: Option<String>,
    },
}

impl ServerMessage {
    /// The message as JSON text.
    pub fn to_text(&self) -> String {
        // Serialising our own plain types can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parse(text: &str) -> Result<ClientMessage, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn attach_takes_its_three_kinds_of_offset() {
        let start = |text: &str| match parse(text) {
            Ok(ClientMessage::Attach { offset, .. }) => Some(offset),
            _ => None,
        };
        assert_eq!(start(r#"{"type":"session.attach","sessionId":"x"}"#), Some(Start::Oldest));
        assert_eq!(start(r#"{"type":"session.attach","sessionId":"x","offset":"live"}"#), Some(Start::Live));
        assert_eq!(start(r#"{"type":"session.attach","sessionId":"x","offset":7}"#), Some(Start::At(7)));
        assert_eq!(start(r#"{"type":"session.attach","sessionId":"x","offset":-7}"#), None);
        assert_eq!(start(r#"{"type":"session.attach","sessionId":"x","offset":"newest"}"#), None);
    }

    #[test]
    fn an_unknown_type_is_an_error_that_names_the_known_ones() {
        let error = parse(r#"{"type":"session.fly"}"#).unwrap_err().to_string();
        assert!(error.contains("session.attach"), "{error}");
    }

    #[test]
    fn an_exit_without_code_says_null() {
        let id = SessionId::random();
        let text = ServerMessage::Exit { session_id: id, exit_code: None, signal: Some("SIGKILL".into()), offset: 3 };
        let value: Value = serde_json::from_str(&text.to_text()).unwrap();
        assert_eq!(value["type"], "terminal.exit");
        assert_eq!(value["exitCode"], Value::Null);
        assert_eq!((value["sessionId"].as_str(), value["offset"].as_u64()), (Some(id.to_string().as_str()), Some(3)));
    }
}
