//! HTTP: handlers check, convert, pass on and convert back; nothing else.

mod answers;
mod auth;
mod auth_errors;
mod body;
mod error;
mod health;
mod held;
mod host;
mod login;
mod metrics;
mod notify;
mod openapi;
mod page;
pub mod peer;
mod processes;
mod rights;
mod routes;
pub mod serve;
mod sessions;
mod sweep;
mod terminal;
mod tokens;
mod whole;
mod worktree;
pub(crate) mod ws;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};

use super::App;
use super::auth::rights::Grant;
use error::{ApiError, Refused};
use routes::Routes;

/// The whole API for the network: for names and pages of ours, and for who shows
/// a token.
pub fn router(app: App) -> Router {
    finish(routes(&app).layer(axum::middleware::from_fn_with_state(app.clone(), host::check)), app)
}

/// What every route needs is in `rights.rs`.
fn routes(app: &App) -> Router<App> {
    Routes::all()
        .router
        .route_layer(axum::middleware::from_fn_with_state(app.clone(), auth::guard))
        .fallback(fallback)
        .method_not_allowed_fallback(method_not_allowed)
}

fn finish(routes: Router<App>, app: App) -> Router {
    routes
        .layer(axum::middleware::from_fn(security_headers))
        .layer(axum::middleware::from_fn_with_state(app.clone(), count_refusals))
        .with_state(app)
}

/// The whole API for the Unix socket of `owner`: for them and root alone.
pub fn private_router(app: App, owner: u32) -> Router {
    finish(routes(&app).layer(axum::middleware::from_fn(auth::let_owner)), app)
        .layer(axum::middleware::from_fn_with_state(owner, peer::check))
}

/// What a session may say of itself, and nothing else: the service of the
/// socket that every process can reach.
pub fn notify_router(app: App) -> Router {
    Router::new()
        .route("/notify", post(notify::notify))
        .fallback(fallback_of_notify)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

async fn fallback_of_notify(uri: Uri) -> Response {
    ApiError::not_found(format!("Nothing is served at {}", uri.path())).into_response()
}

/// `/` is the page, and for a client that asks to upgrade the WebSocket.
async fn root(State(app): State<App>, request: Request) -> Response {
    if !request.headers().contains_key(header::UPGRADE) {
        return page::serve(request.headers(), "/");
    }
    let (mut parts, _) = request.into_parts();
    let allowance = parts.extensions.get().cloned().map(Extension);
    let upgrade = axum::extract::WebSocketUpgrade::from_request_parts(&mut parts, &app).await;
    match Grant::from_request_parts(&mut parts, &app).await {
        Ok(grant) => ws::upgrade(State(app), grant, allowance, upgrade).await,
        Err(error) => error.into_response(),
    }
}

async fn fallback(uri: Uri, request: Request) -> Response {
    let is_page = request.method() == Method::GET || request.method() == Method::HEAD;
    if is_page && page::has(uri.path()) {
        return page::serve(request.headers(), uri.path());
    }
    ApiError::not_found(format!("Nothing is served at {}", uri.path())).into_response()
}

async fn method_not_allowed(method: Method, uri: Uri) -> Response {
    ApiError::method_not_allowed(&method, uri.path()).into_response()
}

async fn count_refusals(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if let Some(Refused(code)) = response.extensions().get() {
        app.registry.metrics.refused(code);
    }
    response
}

/// What a browser is told about every answer.
async fn security_headers(request: Request, next: Next) -> Response {
    // Styles may stand in the page: the terminals make style elements and
    // attributes of their own, for colours and the size of a cell.
    const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
        img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'";
    // Of what a browser can do for a page, ours uses the clipboard, the whole
    // screen and notices, which are no matter of this header.
    const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), \
        gyroscope=(), hid=(), magnetometer=(), microphone=(), midi=(), payment=(), serial=(), usb=()";
    const FIXED: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
