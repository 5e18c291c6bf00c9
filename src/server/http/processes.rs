//! `/api/sessions/{id}/processes`: who runs in a session.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::body::SessionPath;
use super::error::ApiError;
use super::sessions::find;
use crate::logging::iso_time;
use crate::model::session::Stage;
use crate::server::App;
use crate::server::registry::Entry;
use crate::server::resource_view::tenths;
use crate::server::resources::sessions::{Listed, Running};

/// The JSON of one process.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessView<'a> {
    pid: i32,
    parent_pid: i32,
    command: &'a str,
    state: &'static str,
    memory_bytes: u64,
    /// Percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_percent: Option<f64>,
    started_at: String,
    is_foreground: bool,
}

impl<'a> From<&'a Listed> for ProcessView<'a> {
    fn from(process: &'a Listed) -> Self {
        Self {
            pid: process.pid,
            parent_pid: process.parent,
            command: &process.command,
            state: process.state,
            memory_bytes: process.memory,
            cpu_percent: process.cpu_percent.map(tenths),
            started_at: iso_time(process.started_at),
            is_foreground: process.is_foreground,
        }
    }
}

/// `GET /api/sessions/{id}/processes`
pub async fn list(State(app): State<App>, SessionPath(id): SessionPath) -> Result<Json<Value>, ApiError> {
    let session = running(&find(&app, &id)?);
    let listing = app.processes.list(session).await;
    let processes: Vec<ProcessView<'_>> = listing.processes.iter().map(ProcessView::from).collect();
    let is_truncated = listing.count > processes.len();
    Ok(Json(json!({ "processes": processes, "count": listing.count, "truncated": is_truncated })))
}

/// What its first process started may outlive it for a moment.
fn running(entry: &Entry) -> Running {
    let leader = match entry.record.state.stage {
        Stage::Running { pid } => i32::try_from(pid).unwrap_or(-1),
        Stage::Starting | Stage::Ended | Stage::Idle { .. } => -1,
    };
    Running { id: entry.record.id, leader }
}
