//! The sweep on request.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::body::JsonBody;
use super::error::ApiError;
use crate::link::message::{Answer, Request};
use crate::model::id::SessionId;
use crate::model::sweep::{Cleaned, SweepReport, ZombieReport};
use crate::server::App;
use crate::server::view::cleaning_reason;

/// Nothing can be asked for in particular.
#[derive(Debug, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SweepBody {}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct CleanedView {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    command: String,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct ZombieView {
    pid: u32,
    parent_pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    command: String,
    age_seconds: u64,
    zombie_seconds: u64,
}

/// What a sweep found and did; lists hold at most 100 entries.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SweepView {
    examined: u32,
    killed_count: u32,
    killed: Vec<CleanedView>,
    failed_count: u32,
    zombie_process_count: u32,
    zombies: Vec<ZombieView>,
    elapsed_ms: u64,
    totals: TotalsView,
}

/// Sums since the container was started.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TotalsView {
    reaped: u64,
    swept: u64,
    sweeps: u64,
}

/// `POST /api/sweep`: answers when the sweep is finished.
pub async fn sweep(
    State(app): State<App>,
    JsonBody(SweepBody {}): JsonBody<SweepBody>,
) -> Result<Json<SweepView>, ApiError> {
    match app.link.request(Request::Sweep).await? {
        Answer::Swept(report) => Ok(Json(view(*report))),
        Answer::Session(_) | Answer::Tool { .. } => Err(ApiError::internal("The answer to a sweep was none")),
    }
}

fn view(report: SweepReport) -> SweepView {
    SweepView {
        examined: report.examined,
        killed_count: report.cleaned_count,
        killed: report.cleaned.into_iter().map(cleaned).collect(),
        failed_count: report.failed_count,
        zombie_process_count: report.zombie_count,
        zombies: report.zombies.into_iter().map(zombie).collect(),
        elapsed_ms: report.elapsed_ms,
        totals: TotalsView { reaped: report.totals.reaped, swept: report.totals.swept, sweeps: report.totals.sweeps },
    }
}

fn cleaned(of: Cleaned) -> CleanedView {
    CleanedView { pid: of.pid, session_id: of.session, command: of.command, reason: cleaning_reason(of.reason) }
}

fn zombie(of: ZombieReport) -> ZombieView {
    ZombieView {
        pid: of.pid,
        parent_pid: of.parent_pid,
        session_id: of.session,
        command: of.command,
        age_seconds: of.age_seconds,
        zombie_seconds: of.zombie_seconds,
    }
}
