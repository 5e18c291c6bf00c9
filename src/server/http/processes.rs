//! `/api/sessions/{id}/processes`: who runs in a session.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProcessView<'a> {
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

/// Who runs in a session.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Processes<'a> {
    processes: Vec<ProcessView<'a>>,
    /// Of all there are.
    count: usize,
    /// Whether some are left out.
    truncated: bool,
}

/// `GET /api/sessions/{id}/processes`
pub async fn list(State(app): State<App>, SessionPath(id): SessionPath) -> Result<Response, ApiError> {
    let session = running(&find(&app, &id)?);
    let listing = app.processes.list(session).await;
    let truncated = listing.count > listing.processes.len();
    let processes = listing.processes.iter().map(ProcessView::from).collect();
    Ok(Json(Processes { processes, count: listing.count, truncated }).into_response())
}

/// What its first process started may outlive it for a moment.
fn running(entry: &Entry) -> Running {
    let leader = match entry.record.state.stage {
        Stage::Running { pid } => i32::try_from(pid).unwrap_or(-1),
        Stage::Starting | Stage::Ended | Stage::Idle { .. } => -1,
    };
    Running { id: entry.record.id, leader }
}
