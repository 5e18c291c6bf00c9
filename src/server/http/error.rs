//! Every error the API can answer, with its status, code and words.

use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use crate::link::message::Refusal;
use crate::model::id::NameError;
use crate::model::spec::SpawnFailure;
use crate::server::link::RequestError;
use crate::server::metrics::connections::Full;
use crate::server::resources::room::Shortage;

/// An error as clients get it.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    offsets: Option<(u64, u64)>,
    retry_after: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct ErrorBody {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: String,
    details: Value,
    suggestion: String,
}

/// The body of an answer that is an error.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Error"))]
pub(super) struct WholeError<'a> {
    error: &'a ErrorBody,
    /// That of `error`, once more.
    code: &'static str,
}

/// Rides on an answer that is an error, for who counts them.
#[derive(Clone, Copy, Debug)]
pub struct Refused(pub &'static str);

impl ApiError {
    pub(super) fn new(status: StatusCode, kind: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        let body = ErrorBody { kind, code, message: message.into(), details: Value::Null, suggestion: String::new() };
        Self { status, body: Box::new(body), offsets: None, retry_after: None }
    }

    pub(super) fn details(mut self, details: impl Into<Value>) -> Self {
        self.body.details = details.into();
        self
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.body.suggestion = suggestion.into();
        self
    }

    /// After how many seconds the same request may be granted.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The machine-readable code.
    pub fn code(&self) -> &'static str {
        self.body.code
    }

    /// The error for a person who asks why: its details if they are words.
    pub fn reason(&self) -> String {
        self.body.details.as_str().map_or_else(|| self.message(), str::to_owned)
    }

    /// The whole answer, for a connection that is closed behind it.
    pub fn raw(&self) -> Vec<u8> {
        // Serialising our own plain types can't fail.
        let body = serde_json::to_string(&self.whole()).unwrap_or_default();
        let retry = self.retry_seconds().map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
        let (status, length) = (self.status, body.len());
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\n{retry}connection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn retry_seconds(&self) -> Option<u64> {
        self.retry_after.or((self.status == StatusCode::SERVICE_UNAVAILABLE).then_some(1))
    }

    fn whole(&self) -> WholeError<'_> {
        WholeError { error: &self.body, code: self.body.code }
    }

    /// What happened, and what to do next, in one text.
    pub fn message(&self) -> String {
        self.body.message.clone()
    }

    /// 400: the request can't be understood or met.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation", "INVALID_REQUEST", message)
            .suggest("Correct the request and send it again.")
    }

    /// 400: a bad session name.
    pub fn invalid_name(error: &NameError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation", "INVALID_NAME", format!("Invalid session name: {error}"))
            .suggest("Choose another name, or leave it out to get a free one.")
    }

    /// 401: no session has shown this ticket.
    pub fn not_a_session() -> Self {
        let message = "The request does not say of which session it comes";
        Self::new(StatusCode::UNAUTHORIZED, "authentication", "UNAUTHORIZED", message)
            .suggest("Run `quarterdeck notify` inside a session that was started by this quarterdeck.")
    }

    /// 403: the user at the other end of the Unix socket.
    pub fn peer_not_allowed(user: Option<u32>, owner: u32) -> Self {
        let user = user.map_or_else(|| "An unknown user".to_owned(), |user| format!("User {user}"));
        let message = format!("{user} may not use this socket: it is for user {owner} and root");
        Self::new(StatusCode::FORBIDDEN, "auth", "PEER_NOT_ALLOWED", message)
            .suggest("Become one of them, or use the address of the API.")
    }

    /// 404: nothing there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "NOT_FOUND", message)
            .suggest("GET /api/sessions lists the sessions there are.")
    }

    /// 404: no such session.
    pub fn no_session(id: &str) -> Self {
        Self::not_found(format!("There is no session {id:?}"))
    }

    /// 405.
    pub fn method_not_allowed(method: &Method, path: &str) -> Self {
        let message = format!("{path} does not take {method}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "validation", "METHOD_NOT_ALLOWED", message)
            .suggest("Use a method named in the Allow header.")
    }

    /// 409: the session has no process.
    pub fn not_running() -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "NOT_RUNNING", "The session is not running")
            .suggest("Resume the session first.")
    }

    /// 409: the program does not take its input.
    pub fn input_not_read(written: usize, of: usize) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "INPUT_NOT_READ", "The program does not read its input")
            .details(json!({ "bytesWritten": written, "bytesSent": of }))
            .suggest("Send the rest, from bytesWritten on, once the program reads again.")
    }

    /// 408: a part of the request was not sent in time.
    pub fn request_timeout(part: &str) -> Self {
        let message = format!("The {part} of the request did not come in time");
        Self::new(StatusCode::REQUEST_TIMEOUT, "limit", "REQUEST_TIMEOUT", message)
            .suggest("Send the request again, without pauses, or in smaller parts.")
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("The request body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "validation", "PAYLOAD_TOO_LARGE", message)
            .suggest("Send less, or send it in parts.")
    }

    /// 414.
    pub fn target_too_long(limit: usize) -> Self {
        let message = format!("The path and query of the request are longer than {limit} bytes");
        Self::new(StatusCode::URI_TOO_LONG, "limit", "URI_TOO_LONG", message).suggest("Send less in the address.")
    }

    /// 415: nothing here is unpacked.
    pub fn encoded(encoding: &str) -> Self {
        let message = format!("The request body is encoded ({encoding}), and none is decoded here");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "validation", "UNSUPPORTED_MEDIA_TYPE", message)
            .suggest("Send the body as it is, without the header Content-Encoding.")
    }

    /// 415.
    pub fn not_json() -> Self {
        let message = "The request body is not declared as JSON";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "validation", "UNSUPPORTED_MEDIA_TYPE", message)
            .suggest("Send the header Content-Type: application/json.")
    }

    /// 416: those bytes are gone or not there yet.
    pub fn offset_out_of_range(offset: u64, oldest: u64, head: u64) -> Self {
        let message = format!("Offset {offset} is outside the retained output, {oldest} to {head}");
        let mut error = Self::new(StatusCode::RANGE_NOT_SATISFIABLE, "validation", "OFFSET_OUT_OF_RANGE", message)
            .details(json!({ "oldestOffset": oldest, "nextOffset": head }))
            .suggest(format!("Read from offset {oldest} on."));
        error.offsets = Some((oldest, head));
        error
    }

    /// 422: the working directory of a session that is to be resumed.
    pub fn directory_gone(directory: &str, failure: SpawnFailure) -> Self {
        let why = std::io::Error::from_raw_os_error(failure.errno);
        Self::spawn_failed(format!("The session's directory {directory} can't be entered: {why}"), failure)
            .suggest("Bring the directory back and resume the session again, or delete the session.")
    }

    fn spawn_failed(message: String, failure: SpawnFailure) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "spawn", "SPAWN_FAILED", message)
            .details(json!({ "stage": failure.stage.token(), "errno": failure.errno }))
    }

    /// 426: a plain request where a WebSocket was expected.
    pub fn upgrade_required(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, "validation", "UPGRADE_REQUIRED", "This route is a WebSocket")
            .details(reason.into())
            .suggest("Connect with a WebSocket client.")
    }

    /// 429: the client asks more than it may.
    pub fn rate_limited(wait: Duration) -> Self {
        let seconds = super::serve::seconds(wait);
        let message = "This client sends more requests than it may";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "limit", "RATE_LIMITED", message)
            .details(json!({ "retryAfterSeconds": seconds }))
            .suggest("Wait, then send fewer at a time, or raise --max-requests-per-second.")
            .retry_after(seconds)
    }

    /// 431.
    pub fn head_too_large(fields: usize, bytes: usize) -> Self {
        let message = format!("The request has more than {fields} header fields, or more than {bytes} bytes of them");
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "limit", "HEADERS_TOO_LARGE", message)
            .suggest("Send fewer or shorter header fields; cookies of other pages may be among them.")
    }

    /// 500: something of ours failed.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "INTERNAL", message)
            .suggest("Look at the log of the container.")
    }

    /// 503: something that a new session needs is nearly used up.
    pub fn short(shortage: Shortage) -> Self {
        let refused = |code, message| Self::new(StatusCode::SERVICE_UNAVAILABLE, "resource", code, message);
        match shortage {
            Shortage::Memory { percent } => refused("RESOURCE_EXHAUSTED", "Maximum resource capacity reached")
                .details(format!("Memory usage is at {percent:.0}%. Cannot create new sessions."))
                .suggest("Close idle sessions before creating new ones."),
            Shortage::Tasks { current, max } => refused("TASKS_EXHAUSTED", "Process limit nearly reached")
                .details(format!("{current} of {max} processes and threads exist. Cannot create new sessions."))
                .suggest("Close idle sessions, end programs that run too many processes, or raise the container's pids limit."),
            Shortage::Descriptors { open, max } => refused("DESCRIPTORS_EXHAUSTED", "Descriptor limit nearly reached")
                .details(format!("{open} of {max} file descriptors are open. Cannot create new sessions."))
                .suggest("Close idle connections and sessions, or raise the limit of open files (ulimit -n)."),
        }
    }

    /// 503: no place for a connection.
    pub fn too_many_connections(full: Full, most: usize) -> Self {
        let refused =
            |message: String| Self::new(StatusCode::SERVICE_UNAVAILABLE, "limit", "TOO_MANY_CONNECTIONS", message);
        match full {
            Full::Total => refused(format!("All {most} connections there may be are in use"))
                .suggest("Try again in a moment, close connections, or raise --max-connections."),
            Full::Peer => refused(format!("This client has all {most} connections that one client may have"))
                .suggest("Close connections, or raise --max-connections-per-client."),
        }
    }

    /// 503: the container is on its way out.
    pub fn shutting_down() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "resource", "SHUTTING_DOWN", "The container is shutting down")
            .suggest("Try again when it is up again.")
    }

    /// 503: too much is being done with git.
    pub fn busy() -> Self {
        let message = "Too many requests wait for git already";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "resource", "BUSY", message).suggest("Try again in a moment.")
    }

    /// 503: too much output is on its way.
    pub fn answers_pile_up() -> Self {
        let message = "Too much output is on its way to clients that do not take it";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "resource", "BUSY", message)
            .suggest("Try again in a moment, or ask for less with limit.")
    }

    /// 503: the link is gone.
    pub fn init_unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "internal", "INIT_UNAVAILABLE", "init does not answer")
            .suggest("Try again in a moment.")
    }
}

/// At the session limit, in the words clients rely on.
pub fn max_sessions_text(max: u32) -> String {
    format!("Maximum {max} sessions supported. Destroy a session to create a new one.")
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let conflict = |code, message: String| Self::new(StatusCode::CONFLICT, "conflict", code, message);
        match refusal {
            Refusal::MaxSessions(max) => conflict("MAX_SESSIONS", max_sessions_text(max))
                .details(json!({ "maxSessions": max }))
                .suggest("Delete a session that is no longer needed, or raise --max-sessions."),
            Refusal::NameTaken(name) => conflict("NAME_TAKEN", format!("A session named {name} exists already"))
                .suggest("Choose another name, or leave it out to get a free one."),
            Refusal::NotFound => Self::not_found("The session does not exist any more"),
            Refusal::NotRunning => Self::not_running(),
            Refusal::AlreadyRunning => conflict("ALREADY_RUNNING", "The session is running already".into())
                .suggest("Attach to it; there is nothing to resume."),
            Refusal::SpawnFailed(failure) => {
                let why = std::io::Error::from_raw_os_error(failure.errno);
                let message = format!("The session could not be started: {} failed: {why}", failure.stage);
                Self::spawn_failed(message, failure)
                    .suggest("Check that the command exists, is executable, and that the directory exists.")
            }
            Refusal::ShuttingDown => Self::shutting_down(),
            Refusal::Invalid(why) => Self::invalid(why),
            Refusal::Unkillable(pids) => Self::internal(format!("Processes of the session could not be ended: {pids}"))
                .details(json!({ "pids": pids }))
                .suggest("End them with the rights they run with; the session goes once they are gone."),
            Refusal::TooManyTools | Refusal::TooManyWaiting => Self::busy(),
            Refusal::Kernel(errno) => {
                Self::internal(format!("The kernel refused: {}", std::io::Error::from_raw_os_error(errno)))
            }
        }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Refused(refusal) => refusal.into(),
            RequestError::TooLarge => Self::too_large(super::body::JSON_MAX),
            RequestError::Unavailable => Self::init_unavailable(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.body.code;
        let mut response = (self.status, Json(self.whole())).into_response();
        if let Some((oldest, head)) = self.offsets {
            super::terminal::put_offsets(response.headers_mut(), None, head, oldest);
        }
        response.extensions_mut().insert(Refused(code));
        if let Some(seconds) = self.retry_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status == StatusCode::REQUEST_TIMEOUT {
            // The rest of the request may still come, and is no request.
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_clients_rely_on() {
        let error = ApiError::from(Refusal::MaxSessions(4));
        assert_eq!(error.status, StatusCode::CONFLICT);
        assert_eq!(error.code(), "MAX_SESSIONS");
        assert_eq!(error.message(), "Maximum 4 sessions supported. Destroy a session to create a new one.");
    }
}
