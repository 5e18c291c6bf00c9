//! Is it alive, does it take sessions, how is it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::max_sessions_text;
use crate::logging::unix_millis;
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
    let is_full = now.sessions.len() >= usize::try_from(max).unwrap_or(usize::MAX);
    is_full.then(|| max_sessions_text(max))
}

/// `GET /api/health`
pub async fn health(State(app): State<App>) -> Json<Value> {
    let now = app.registry.now();
    let memory = resources::read_memory();
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
                "zombieProcessCount": resources::zombie_count(),
        "reapedProcessCount": totals.reaped,
        "sweptProcessCount": totals.swept,
        "sweepCount": totals.sweeps,
    }))
}

/// `GET /api/resources`
pub async fn resources(State(app): State<App>) -> Json<Value> {
    Json(resource_state(&app))
}

/// The `ResourceState` of this moment.
pub fn resource_state(app: &App) -> Value {
    let memory = resources::read_memory();
    json!({
        "memoryUsedBytes": memory.used(),
        "memoryLimitBytes": memory.limit,
        "memoryUsagePercent": memory.used_percent(),
        "memoryCurrentBytes": memory.current,
        "memoryWorkingSetBytes": memory.working_set(),
        "memoryCacheBytes": memory.cache(),
        "memoryLevel": resources::level(&memory),
        "source": memory.source,
        "sessionCount": app.registry.now().sessions.len(),
        "maxSessions": app.settings.max_sessions,
        "isAcceptingNewSessions": refusal_of_new_sessions(app).is_none(),
        "zombieProcessCount": resources::zombie_count(),
        "sampledAt": crate::logging::iso_time(unix_millis()),
    })
}
