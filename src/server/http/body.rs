//! What comes with a request, with errors a person can act on: bodies, limited
//! and declared, and the session named in the path.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header;
use axum::http::request::Parts;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::auth::check_still;
use super::error::ApiError;
use super::serve::SlowBody;
use crate::server::App;
use crate::server::auth::rights::Grant;

/// Largest JSON body in bytes; half of what a link message may have.
pub const JSON_MAX: usize = 64 * 1024;

/// Largest input body in bytes, as large as a WebSocket frame.
pub const INPUT_MAX: usize = 1024 * 1024;

/// What is read and thrown away of a body that is too large, so that a client
/// that sends before it listens still gets to read the answer.
const DISCARD_MAX: usize = 32 * 1024 * 1024;

/// A JSON body. An empty one counts as `{}`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        refuse_encoded(&request)?;
        let is_json = is_json(&request);
        let bytes = read(app, request, JSON_MAX).await?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !is_json {
            return Err(ApiError::not_json());
        }
        parse(&bytes).map(Self)
    }
}

/// A body of raw bytes.
pub struct InputBody(pub Bytes);

impl FromRequest<App> for InputBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        refuse_encoded(&request)?;
        read(app, request, INPUT_MAX).await.map(Self)
    }
}

/// The `{id}` of a path: a session's id or name. For the token of one session it
/// is always the id: when the body has come the name may be another's.
pub struct SessionPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(own) = parts.extensions.get::<Grant>().and_then(|grant| grant.session) {
            return Ok(Self(own.to_string()));
        }
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id)).map_err(|e| ApiError::invalid(e.body_text()))
    }
}

/// A few packed kilobytes can be gigabytes.
fn refuse_encoded(request: &Request) -> Result<(), ApiError> {
    match request.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            Err(ApiError::encoded(&encoding.to_str().unwrap_or("?").escape_debug().to_string()))
        }
        _ => Ok(()),
    }
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| ApiError::invalid(format!("The JSON body can't be used: {e}")))
}

fn broken(error: axum::Error) -> ApiError {
    let error = error.into_inner();
    if error.is::<SlowBody>() {
        return ApiError::request_timeout("body");
    }
    ApiError::invalid(format!("The request body broke off: {error}"))
}

/// Reads a body. It may take its time; what its sender was allowed at the
/// beginning counts no more if it is not so at the end.
async fn read(app: &App, mut request: Request, limit: usize) -> Result<Bytes, ApiError> {
    let grant = request.extensions_mut().remove::<Grant>();
    let bytes = read_all(request.into_body(), limit).await?;
    if let Some(grant) = grant {
        check_still(app, &grant)?;
    }
    Ok(bytes)
}

async fn read_all(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut all = Vec::new();
    let mut total = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        let Ok(data) = frame.into_data() else { continue };
        total = total.saturating_add(data.len());
        if total > DISCARD_MAX {
            break;
        }
        if total <= limit {
            all.extend_from_slice(&data);
        }
    }
    if total > limit { Err(ApiError::too_large(limit)) } else { Ok(all.into()) }
}
