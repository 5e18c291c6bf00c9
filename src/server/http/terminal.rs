//! One session's terminal over plain HTTP: input, signal, size, output.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::answers::Done;
use super::body::{InputBody, JsonBody, SessionPath};
use super::error::ApiError;
use super::held;
use super::sessions::{Checked, capitalised, checked, find};
use super::whole;
use crate::link::message::{Request, Scope};
use crate::model::id::SessionId;
use crate::model::signal::Signal;
use crate::model::spec::TerminalSize;
use crate::server::App;
use crate::server::auth::rights::Grant;
use crate::server::session::{INPUT_PATIENCE, InputError, Session};

/// Most output in one answer, in bytes; `Quarterdeck-Next-Offset` leads on.
const OUTPUT_MAX: u64 = 16 * 1024 * 1024;

const OFFSET: HeaderName = HeaderName::from_static("quarterdeck-offset");
const NEXT_OFFSET: HeaderName = HeaderName::from_static("quarterdeck-next-offset");
const OLDEST_OFFSET: HeaderName = HeaderName::from_static("quarterdeck-oldest-offset");

/// Input was written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Written {
    success: bool,
    bytes_written: usize,
}

/// A body for a signal.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignalBody {
    signal: SignalName,
    #[serde(default)]
    scope: ScopeName,
}

/// A signal by name or number.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum SignalName {
    Name(
        #[cfg_attr(
            test,
            schemars(regex(
                pattern = "^(SIG)?(HUP|INT|QUIT|ABRT|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|CHLD|CONT|STOP|TSTP|TTIN|TTOU|WINCH)$"
            ))
        )]
        String,
    ),
    Number(
        #[serde(deserialize_with = "whole::number")]
        #[cfg_attr(test, schemars(range(min = 1, max = 64)))]
        u8,
    ),
}

#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum ScopeName {
    #[default]
    Foreground,
    Session,
}

/// A body for a size.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResizeBody {
    #[cfg_attr(test, schemars(range(min = 1, max = 1000)))]
    #[serde(deserialize_with = "whole::number")]
    cols: u32,
    #[cfg_attr(test, schemars(range(min = 1, max = 1000)))]
    #[serde(deserialize_with = "whole::number")]
    rows: u32,
}

/// Query of an output request.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutputQuery {
    /// From this byte on; left out: the oldest there is.
    offset: Option<u64>,
    /// Most bytes; at most 16 MiB.
    limit: Option<u64>,
}

/// `POST /api/sessions/{id}/input`
pub async fn input(
    State(app): State<App>,
    grant: Grant,
    SessionPath(id): SessionPath,
    InputBody(bytes): InputBody,
) -> Result<Json<Written>, ApiError> {
    let entry = find(&app, &id)?;
    tokio::select! {
        biased;
        written = entry.session.write_input(&bytes, INPUT_PATIENCE) => written.map_err(|e| input_error(e, bytes.len()))?,
        // What the program has not read by now it gets from nobody.
        reason = app.auth.over(&grant) => return Err(ApiError::login_over(reason)),
    }
    Ok(Json(Written { success: true, bytes_written: bytes.len() }))
}

/// Why input of `sent` bytes was not written.
pub fn input_error(error: InputError, sent: usize) -> ApiError {
    match error {
        InputError::NotRunning => ApiError::not_running(),
        InputError::NotRead(written) => ApiError::input_not_read(written, sent),
        InputError::Io(e) => ApiError::internal(format!("Writing to the terminal failed: {e}")),
    }
}

/// `POST /api/sessions/{id}/signal`
pub async fn signal(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    JsonBody(body): JsonBody<SignalBody>,
) -> Result<Json<Done>, ApiError> {
    let id = find(&app, &id)?.record.id;
    let signal = match body.signal {
        SignalName::Name(name) => name.parse::<Signal>(),
        SignalName::Number(number) => Signal::try_from(number),
    };
    let signal = signal.map_err(|e| ApiError::invalid(capitalised(&e.to_string())))?;
    let scope = match body.scope {
        ScopeName::Foreground => Scope::Foreground,
        ScopeName::Session => Scope::Session,
    };
    app.link.wish(Request::Signal(id, signal, scope)).await?;
    Ok(Json(Done::YES))
}

/// `POST /api/sessions/{id}/resize`
pub async fn resize(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    JsonBody(body): JsonBody<ResizeBody>,
) -> Result<Json<Done>, ApiError> {
    let id = find(&app, &id)?.record.id;
    resize_by_id(&app, id, body.cols, body.rows).await?;
    Ok(Json(Done::YES))
}

/// Checks and applies a size.
pub async fn resize_by_id(app: &App, id: SessionId, cols: u32, rows: u32) -> Result<(), ApiError> {
    let size = TerminalSize::new(cols, rows).map_err(|e| ApiError::invalid(capitalised(&e.to_string())))?;
    app.link.wish(Request::Resize(id, size)).await?;
    Ok(())
}

/// `GET /api/sessions/{id}/output`
pub async fn output(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    query: Checked<OutputQuery>,
) -> Result<Response, ApiError> {
    let query = checked(query)?;
    let session = find(&app, &id)?.session;
    let wanted = query.limit.unwrap_or(OUTPUT_MAX).min(OUTPUT_MAX).min(session.head().saturating_sub(session.oldest()));
    let room = held::room(usize::try_from(wanted).unwrap_or(usize::MAX)).await?;
    let (offset, bytes) = read_output(&session, &query).await?;
    let next = offset + bytes.len() as u64;
    let mut response = ([(header::CONTENT_TYPE, "application/octet-stream")], room.body(bytes)).into_response();
    put_offsets(response.headers_mut(), Some(offset), next, session.oldest());
    Ok(response)
}

async fn read_output(session: &Session, query: &OutputQuery) -> Result<(u64, Vec<u8>), ApiError> {
    let limit = query.limit.unwrap_or(OUTPUT_MAX).min(OUTPUT_MAX);
    loop {
        let head = session.head();
        let offset = query.offset.unwrap_or_else(|| session.oldest());
        if offset > head {
            return Err(ApiError::offset_out_of_range(offset, session.oldest(), head));
        }
        let len = usize::try_from(limit.min(head - offset)).unwrap_or(0);
        match session.read(offset, len).await {
            Ok(Some(bytes)) => return Ok((offset, bytes)),
            Ok(None) if query.offset.is_some() => {
                return Err(ApiError::offset_out_of_range(offset, session.oldest(), session.head()));
            }
            // Nobody asked for this very offset: take the oldest of now.
            Ok(None) => {}
            Err(e) => return Err(ApiError::internal(format!("Reading the output failed: {e}"))),
        }
    }
}

/// Sets the offset headers.
pub fn put_offsets(headers: &mut HeaderMap, offset: Option<u64>, next: u64, oldest: u64) {
    if let Some(offset) = offset {
        headers.insert(OFFSET, HeaderValue::from(offset));
    }
    headers.insert(NEXT_OFFSET, HeaderValue::from(next));
    headers.insert(OLDEST_OFFSET, HeaderValue::from(oldest));
}
