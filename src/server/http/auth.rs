//! Lets each request do what its token or cookie is good for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::{host, rights};
use crate::model::address::Origin;
use crate::server::App;
use crate::server::auth::Wrong;
use crate::server::auth::rights::{Grant, Right};

/// What a request shows of itself.
#[derive(Debug)]
pub enum Shown<'a> {
    /// `Authorization: Bearer`
    Token(&'a str),
    /// Our cookie.
    Cookie(&'a str),
    /// Neither.
    Nothing,
}

/// What a request shows; a token before a cookie. Other schemes are meant for
/// others, such as a proxy that asks for a password of its own and passes it on.
pub fn shown<'a>(app: &App, headers: &'a HeaderMap) -> Shown<'a> {
    if let Some(token) = headers.get(header::AUTHORIZATION).and_then(bearer) {
        return Shown::Token(token);
    }
    let name = cookie_name(app, headers);
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map_or(Shown::Nothing, |(_, value)| Shown::Cookie(value))
}

/// The token, if there is one. The scheme is a word in any case, RFC 9110.
fn bearer(value: &HeaderValue) -> Option<&str> {
    const SCHEME: &str = "bearer";
    let (scheme, rest) = value.as_bytes().split_at_checked(SCHEME.len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) && rest.first().is_none_or(|byte| *byte == b' ');
    // What is no text is no token either, and a wrong one.
    is_bearer.then(|| std::str::from_utf8(rest).unwrap_or_default().trim())
}

/// Browsers keep cookies by host alone. The port in the name keeps those of
/// several containers apart.
pub fn cookie_name(app: &App, headers: &HeaderMap) -> String {
    let port = host::named(headers).and_then(|host| host.port).unwrap_or(app.settings.doors.listen.port());
    format!("quarterdeck_{port}")
}

/// The page at which the cookie of a request was made.
pub fn origin_of_login(app: &App, headers: &HeaderMap) -> Option<Origin> {
    match shown(app, headers) {
        Shown::Cookie(value) => app.auth.cookie(value).ok()?.1,
        Shown::Token(_) | Shown::Nothing => None,
    }
}

/// Who asks, as far as they show it.
pub async fn identify(app: &App, address: IpAddr, headers: &HeaderMap) -> Result<Grant, ApiError> {
    if !app.auth.is_on() {
        return Ok(Grant::ANYBODY);
    }
    match shown(app, headers) {
        Shown::Nothing => Err(ApiError::not_logged_in()),
        Shown::Cookie(value) => app.auth.cookie(value).map(|(grant, _)| grant).map_err(ApiError::bad_cookie),
        Shown::Token(token) => check_token(app, address, token).await,
    }
}

/// What a token is good for. Wrong ones are answered later and later.
pub async fn check_token(app: &App, address: IpAddr, token: &str) -> Result<Grant, ApiError> {
    app.auth.admit_attempt(address).map_err(ApiError::too_many_attempts)?;
    match app.auth.token(token) {
        Ok(grant) => Ok(grant),
        Err(Wrong::Expired) => Err(ApiError::bad_token(Wrong::Expired)),
        Err(Wrong::Unknown) => {
            tracing::warn!(address = %address, "A wrong token was shown");
            app.auth.failed(address).await.map_err(ApiError::too_many_attempts)?;
            Err(ApiError::bad_token(Wrong::Unknown))
        }
    }
}

/// Who is at the other end of a TCP connection.
pub fn address_of(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip())
}

/// Everything on the Unix socket is asked for by its owner.
pub async fn let_owner(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Grant::OWNER);
    next.run(request).await
}

/// Passes on what its sender may ask for.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    match admit(&app, request).await {
        Ok((request, grant)) => answer(&app, request, grant, next).await,
        Err(error) => error.into_response(),
    }
}

/// Who waits for news hears of the end of their login instead.
async fn answer(app: &App, request: Request, grant: Option<Grant>, next: Next) -> Response {
    let Some(grant) = grant.filter(|_| request.method() == Method::GET) else { return next.run(request).await };
    tokio::select! {
        biased;
        response = next.run(request) => response,
        reason = app.auth.over(&grant) => ApiError::login_over(reason).into_response(),
    }
}

async fn admit(app: &App, mut request: Request) -> Result<(Request, Option<Grant>), ApiError> {
    let right = right_of(&request);
    if right == Right::Open {
        return Ok((request, None));
    }
    let grant = match request.extensions().get::<Grant>() {
        Some(grant) => grant.clone(),
        None => identify(app, address_of(&request), request.headers()).await?,
    };
    if !grant.may(right) {
        return Err(ApiError::forbidden(&grant));
    }
    check_session(app, &grant)?;
    if grant.session.is_some() {
        request = only_session_of(app, &grant, request).await?;
    }
    request.extensions_mut().insert(grant.clone());
    Ok((request, Some(grant)))
}

/// The session that a token is for has to be there still.
pub fn check_session(app: &App, grant: &Grant) -> Result<(), ApiError> {
    match grant.session {
        Some(own) if app.registry.now().get(own).is_none() => Err(ApiError::session_of_token_gone()),
        _ => Ok(()),
    }
}

/// What was let in has to be so still.
pub fn check_still(app: &App, grant: &Grant) -> Result<(), ApiError> {
    match app.auth.end_of(grant) {
        Some(reason) => Err(ApiError::login_over(reason)),
        None => check_session(app, grant),
    }
}

fn right_of(request: &Request) -> Right {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // The same route is the page and the WebSocket.
    let path = if path == "/" && request.headers().contains_key(header::UPGRADE) { "/ws" } else { path };
    rights::of_route(request.method(), path).unwrap_or(Right::Admit)
}

/// Other sessions than its own do not exist for the token of one.
async fn only_session_of(app: &App, grant: &Grant, request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    // What can't be decoded is nobody's name; the handler says so.
    if let Ok(params) = RawPathParams::from_request_parts(&mut parts, app).await {
        for (_, id) in params.iter().filter(|(name, _)| *name == "id") {
            let is_own = app.registry.now().find(id).is_some_and(|entry| grant.sees(entry.record.id));
            if !is_own {
                return Err(ApiError::no_session(id));
            }
        }
    }
    Ok(Request::from_parts(parts, body))
}

/// What the sender of a request may do; for handlers.
impl<S: Send + Sync> FromRequestParts<S> for Grant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::not_logged_in)
    }
}
