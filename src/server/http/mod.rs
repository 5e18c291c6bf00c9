//! HTTP: handlers check, convert, pass on and convert back; nothing else.

mod body;
mod error;
mod health;
mod metrics;
mod notify;
mod page;
pub mod peer;
mod processes;
mod sessions;
mod sweep;
mod terminal;
mod worktree;
mod ws;

use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use super::App;
use error::{ApiError, Refused};

/// The whole API, as one service that tests and both listeners use.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(root))
        .route("/ws", any(ws::upgrade))
        .route("/health", get(health::live))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/api/health", get(health::health))
        .route("/api/resources", get(health::resources))
        .route("/api/resources/history", get(health::history))
        .route("/api/sweep", post(sweep::sweep))
        .route("/api/sessions", get(sessions::list).post(sessions::create))
        .route("/api/sessions/{id}", get(sessions::get).delete(sessions::delete))
        .route("/api/sessions/{id}/status", get(sessions::get))
        .route("/api/sessions/{id}/cleanup", post(sessions::delete).delete(sessions::delete))
        .route("/api/sessions/{id}/resume", post(sessions::resume))
        .route("/api/sessions/{id}/input", post(terminal::input))
        .route("/api/sessions/{id}/signal", post(terminal::signal))
        .route("/api/sessions/{id}/resize", post(terminal::resize))
        .route("/api/sessions/{id}/output", get(terminal::output))
        .route("/api/sessions/{id}/processes", get(processes::list))
        .fallback(fallback)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(axum::middleware::from_fn(security_headers))
        .layer(axum::middleware::from_fn_with_state(app.clone(), count_refusals))
        .with_state(app)
}

/// The whole API for the Unix socket of `owner`: for them and root alone.
pub fn private_router(app: App, owner: u32) -> Router {
    router(app).layer(axum::middleware::from_fn_with_state(owner, peer::check))
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
    match axum::extract::WebSocketUpgrade::from_request_parts(&mut parts, &app).await {
        Ok(upgrade) => ws::upgrade(State(app), Ok(upgrade)).await,
        Err(rejection) => ws::upgrade(State(app), Err(rejection)).await,
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
    const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
        img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'";
    const FIXED: [(HeaderName, &str); 3] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
