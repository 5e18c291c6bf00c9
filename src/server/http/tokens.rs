//! `/api/tokens`: ways in for others, which may do less.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::answers::Done;
use super::body::JsonBody;
use super::error::ApiError;
use super::sessions::find;
use super::whole;
use crate::logging::iso_time;
use crate::model::id::{SessionId, SessionName};
use crate::server::App;
use crate::server::auth::TokenError;
use crate::server::auth::tokens::{Guest, TOKENS_MAX, Wish};

/// Longest life of a token, in seconds: ten years.
const TTL_MAX: u64 = 10 * 366 * 24 * 3600;

/// A body for a new token.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenBody {
    #[serde(default)]
    read_only: bool,
    session: Option<String>,
    /// How long it is good; left out: until it is revoked.
    #[cfg_attr(test, schemars(range(min = 1, max = TTL_MAX)))]
    #[serde(default, deserialize_with = "whole::optional")]
    ttl_seconds: Option<u64>,
}

/// The JSON of one token, without what it admits by.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    id: String,
    read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_name: Option<SessionName>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Its text, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

fn view(guest: &Guest, token: Option<String>) -> TokenView {
    TokenView {
        id: guest.id.to_string(),
        read_only: guest.is_read_only,
        session_id: guest.session.as_ref().map(|(id, _)| *id),
        session_name: guest.session.as_ref().map(|(_, name)| name.clone()),
        created_at: iso_time(guest.created_at),
        expires_at: guest.expires_at.map(iso_time),
        token,
    }
}

/// One token, with its text: nobody is told it again.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OneToken {
    token: TokenView,
}

/// The tokens there are, without their texts.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllTokens {
    tokens: Vec<TokenView>,
}

/// `POST /api/tokens`
pub async fn create(
    State(app): State<App>,
    JsonBody(body): JsonBody<TokenBody>,
) -> Result<(StatusCode, Json<OneToken>), ApiError> {
    if !app.auth.is_on() {
        return Err(ApiError::no_tokens_without_auth());
    }
    if body.ttl_seconds.is_some_and(|seconds| !(1..=TTL_MAX).contains(&seconds)) {
        return Err(ApiError::invalid(format!("ttlSeconds must be from 1 to {TTL_MAX}")));
    }
    let session = body.session.map(|id| find(&app, &id)).transpose()?;
    let wish = Wish {
        is_read_only: body.read_only,
        session: session.map(|entry| (entry.record.id, entry.record.name.clone())),
        lasts: body.ttl_seconds.map(|seconds| seconds * 1000),
    };
    let (guest, text) = app.auth.make(wish).await?;
    tracing::info!(tokenId = %guest.id, readOnly = guest.is_read_only, "Token made");
    Ok((StatusCode::CREATED, Json(OneToken { token: view(&guest, Some(text)) })))
}

/// `GET /api/tokens`
pub async fn list(State(app): State<App>) -> Result<Json<AllTokens>, ApiError> {
    let guests = app.auth.list().await?;
    Ok(Json(AllTokens { tokens: guests.iter().map(|guest| view(guest, None)).collect() }))
}

/// `DELETE /api/tokens/{id}`
pub async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Done>, ApiError> {
    let no_such = || ApiError::no_token(&id);
    let token = id.parse().map_err(|()| no_such())?;
    match app.auth.remove(token).await {
        Err(TokenError::NotFound) => Err(no_such()),
        outcome => {
            outcome?;
            tracing::info!(tokenId = %token, "Token revoked");
            Ok(Json(Done::YES))
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::TooMany => Self::too_many_tokens(TOKENS_MAX),
            TokenError::NotFound => Self::no_token(""),
            TokenError::NotKept(reason) => Self::tokens_not_kept(reason),
        }
    }
}
