//! What comes with a request, with errors a person can act on: bodies, limited
//! and declared, and the session named in the path.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header;
use axum::http::request::Parts;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::serve::SlowBody;

/// Largest JSON body in bytes; half of what a link message may have.
pub const JSON_MAX: usize = 64 * 1024;

/// Largest input body in bytes, as large as a WebSocket frame.
pub const INPUT_MAX: usize = 1024 * 1024;

/// What is read and thrown away of a body that is too large, so that a client
/// that sends before it listens still gets to read the answer.
const DISCARD_MAX: usize = 32 * 1024 * 1024;

/// A JSON body. An empty one counts as `{}`.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        refuse_encoded(&request)?;
        let is_json = is_json(&request);
        let bytes = read(request.into_body(), JSON_MAX).await?;
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

impl<S: Send + Sync> FromRequest<S> for InputBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        refuse_encoded(&request)?;
        read(request.into_body(), INPUT_MAX).await.map(Self)
    }
}

/// The `{id}` of a path: a session's id or name.
pub struct SessionPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
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

async fn read(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
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
