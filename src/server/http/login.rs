//! `/api/login` and `/api/logout`: a token for a cookie, and the way back.
//!
//! The cookie is `Secure` if the page that asks came over TLS, which its
//! `Origin` says: no proxy has to be trusted for that, and a page can't lie
//! about it.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::answers::Done;
use super::auth::{Shown, address_of, check_session, check_token, cookie_name, shown};
use super::body::JsonBody;
use super::error::ApiError;
use super::host;
use crate::logging::iso_time;
use crate::model::address::{Origin, Scheme};
use crate::model::id::SessionId;
use crate::server::App;
use crate::server::auth::rights::Grant;

/// A body for logging in.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginBody {
    token: String,
}

/// Whether one has to log in, and as what one is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LoginView {
    login_required: bool,
    logged_in: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    /// The one session that the login is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Whether a page of the address in use may open the WebSocket.
    socket_allowed: bool,
}

/// `GET /api/login`: whether one has to log in, and as what one is logged in.
pub async fn state(State(app): State<App>, headers: HeaderMap) -> Json<LoginView> {
    let is_required = app.auth.is_on();
    let grant = match shown(&app, &headers) {
        _ if !is_required => Some(Grant::ANYBODY),
        Shown::Cookie(value) => {
            app.auth.cookie(value).ok().map(|(grant, _)| grant).filter(|grant| check_session(&app, grant).is_ok())
        }
        // Tokens are looked at where wrong ones are slowed.
        Shown::Token(_) | Shown::Nothing => None,
    };
    Json(view(&app, &headers, is_required, grant.as_ref()))
}

/// `POST /api/login`
pub async fn login(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (address, headers) = (address_of(&request), request.headers().clone());
    let JsonBody(LoginBody { token }) = JsonBody::from_request(request, &app).await?;
    if !app.auth.is_on() {
        return Ok(Json(view(&app, &headers, false, Some(&Grant::ANYBODY))).into_response());
    }
    let grant = check_token(&app, address, &token).await?;
    check_session(&app, &grant)?;
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let secure = is_secure(origin.as_ref());
    let Some(cookie) = app.auth.new_cookie(&grant, origin) else {
        return Err(ApiError::internal("The login can't be kept"));
    };
    let life = format!("{}; Max-Age={}", cookie.value, cookie.max_age);
    let set = set_cookie(&cookie_name(&app, &headers), &life, secure)?;
    let view = LoginView { socket_allowed: true, ..view(&app, &headers, true, Some(&grant)) };
    Ok((AppendHeaders([(header::SET_COOKIE, set)]), Json(view)).into_response())
}

/// `POST /api/logout`
pub async fn logout(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let origin: Option<Origin> =
        headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let set = set_cookie(&cookie_name(&app, &headers), "; Max-Age=0", is_secure(origin.as_ref()))?;
    Ok((AppendHeaders([(header::SET_COOKIE, set)]), Json(Done::YES)).into_response())
}

fn is_secure(origin: Option<&Origin>) -> bool {
    origin.is_some_and(|origin| origin.scheme == Scheme::Https)
}

fn set_cookie(name: &str, value_and_life: &str, secure: bool) -> Result<HeaderValue, ApiError> {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value_and_life}; Path=/; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::try_from(text).map_err(|_| ApiError::internal("The login can't be told to a browser"))
}

fn view(app: &App, headers: &HeaderMap, is_required: bool, grant: Option<&Grant>) -> LoginView {
    LoginView {
        login_required: is_required,
        logged_in: grant.is_some(),
        read_only: grant.map(|grant| grant.is_read_only),
        session_id: grant.and_then(|grant| grant.session),
        expires_at: grant.and_then(|grant| grant.expires_at).map(iso_time),
        socket_allowed: host::may_open_socket(app, headers),
    }
}
