//! Is it alive, does it take sessions, how is it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::error::{ApiError, max_sessions_text};
use super::sessions::{Checked, checked};
use crate::logging::unix_millis;
use crate::server::resource_view::{PastSample, ResourceState, Sessions};
use crate::server::{App, resources};

/// It lives.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Alive {
    status: &'static str,
}

/// Whether it takes sessions.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Readiness {
    status: &'static str,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// How it is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Health {
    status: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    /// Process id of the API server.
    pid: u32,
    /// API servers that were replaced.
    server_restarts: u32,
    session_count: usize,
    max_sessions: u32,
    is_accepting_new_sessions: bool,
    memory: HealthMemory,
    zombie_process_count: usize,
    reaped_process_count: u64,
    swept_process_count: u64,
    sweep_count: u64,
}

/// Memory, in bytes and percent.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthMemory {
    /// Of the API server alone.
    rss: u64,
    used_bytes: u64,
    limit_bytes: u64,
    usage_percent: f64,
}

/// Samples of the past, oldest first.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Samples {
    samples: Vec<PastSample>,
}

/// `GET /health`
pub async fn live() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// `GET /ready`
pub async fn ready(State(app): State<App>) -> Response {
    match refusal_of_new_sessions(&app) {
        None => Json(Readiness { status: "ready", reason: None }).into_response(),
        reason => (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { status: "not ready", reason })).into_response(),
    }
}

/// Why a new session would be refused now, if it would.
pub fn refusal_of_new_sessions(app: &App) -> Option<String> {
    let now = app.registry.now();
    if now.shutting_down.is_some() {
        return Some("The container is shutting down".into());
    }
    let max = app.settings.max_sessions;
    if now.sessions.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
        return Some(max_sessions_text(max));
    }
    app.monitor.admit().err().map(|shortage| ApiError::short(shortage).reason())
}

/// `GET /api/health`
pub async fn health(State(app): State<App>) -> Json<Health> {
    let now = app.registry.now();
    let memory = app.monitor.memory();
    let totals = *app.registry.totals();
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: unix_millis().saturating_sub(app.settings.started_at) / 1000,
        pid: std::process::id(),
        server_restarts: app.restarts,
        session_count: now.sessions.len(),
        max_sessions: app.settings.max_sessions,
        is_accepting_new_sessions: refusal_of_new_sessions(&app).is_none(),
        memory: HealthMemory {
            rss: resources::own_resident_bytes(),
            used_bytes: memory.used(),
            limit_bytes: memory.limit,
            usage_percent: memory.used_percent(),
        },
        zombie_process_count: app.monitor.zombies(),
        reaped_process_count: totals.reaped,
        swept_process_count: totals.swept,
        sweep_count: totals.sweeps,
    })
}

/// `GET /api/resources`
pub async fn resources(State(app): State<App>) -> Json<ResourceState> {
    Json(resource_state(&app))
}

/// Query of the history.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HistoryQuery {
    /// How far back.
    #[serde(default = "an_hour")]
    seconds: u32,
}

const fn an_hour() -> u32 {
    3600
}

/// `GET /api/resources/history`
pub async fn history(State(app): State<App>, query: Checked<HistoryQuery>) -> Result<Json<Samples>, ApiError> {
    let seconds = checked(query)?.seconds;
    let samples = app.monitor.history(seconds).into_iter().map(PastSample::from).collect();
    Ok(Json(Samples { samples }))
}

/// The `ResourceState` of this moment.
pub fn resource_state(app: &App) -> ResourceState {
    let sessions = Sessions {
        count: app.registry.now().sessions.len(),
        max: app.settings.max_sessions,
        is_accepting: refusal_of_new_sessions(app).is_none(),
    };
    ResourceState::of(&app.monitor.now(), sessions)
}
