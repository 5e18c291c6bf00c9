//! Is it alive, does it take sessions, how is it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, max_sessions_text};
use super::sessions::{Checked, checked};
use crate::logging::unix_millis;
use crate::server::resource_view::{PastSample, ResourceState, Sessions};
use crate::server::{App, resources};

/// `GET /health`
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /ready`
pub async fn ready(State(app): State<App>) -> Response {
    match refusal_of_new_sessions(&app) {
        None => Json(json!({ "status": "ready" })).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not ready", "reason": reason }))).into_response()
        }
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
pub async fn health(State(app): State<App>) -> Json<Value> {
    let now = app.registry.now();
    let memory = app.monitor.memory();
    let totals = *app.registry.totals();
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptimeSeconds": unix_millis().saturating_sub(app.settings.started_at) / 1000,
        "pid": std::process::id(),
        "serverRestarts": app.restarts,
        "sessionCount": now.sessions.len(),
        "maxSessions": app.settings.max_sessions,
        "isAcceptingNewSessions": refusal_of_new_sessions(&app).is_none(),
        "memory": {
            "rss": resources::own_resident_bytes(),
            "usedBytes": memory.used(),
            "limitBytes": memory.limit,
            "usagePercent": memory.used_percent(),
        },
        "zombieProcessCount": app.monitor.zombies(),
        "reapedProcessCount": totals.reaped,
        "sweptProcessCount": totals.swept,
        "sweepCount": totals.sweeps,
    }))
}

/// `GET /api/resources`
pub async fn resources(State(app): State<App>) -> Json<ResourceState> {
    Json(resource_state(&app))
}

/// Query of the history.
#[derive(Debug, Deserialize)]
pub struct HistoryQuery {
    #[serde(default = "an_hour")]
    seconds: u32,
}

const fn an_hour() -> u32 {
    3600
}

/// `GET /api/resources/history`
pub async fn history(State(app): State<App>, query: Checked<HistoryQuery>) -> Result<Json<Value>, ApiError> {
    let seconds = checked(query)?.seconds;
    let samples: Vec<PastSample> = app.monitor.history(seconds).into_iter().map(PastSample::from).collect();
    Ok(Json(json!({ "samples": samples })))
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
