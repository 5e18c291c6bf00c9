//! `/api/sessions`: list, create, look, end, resume.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::answers::{Done, OneSession};
use super::body::{JsonBody, SessionPath};
use super::error::ApiError;
use super::whole;
use super::worktree::{ExistingBranch, inside, source};
use crate::link::message::{Refusal, Request};
use crate::model::id::{SessionId, SessionName};
use crate::model::spec::{SessionSpec, SpawnStage, TerminalSize};
use crate::server::App;
use crate::server::auth::rights::Grant;
use crate::server::link::RequestError;
use crate::server::registry::{Entry, Snapshot};
use crate::server::view::SessionView;
use crate::server::worktree::Order;

/// How long a request for news is held open.
const NEWS_PATIENCE: Duration = Duration::from_secs(30);

/// Every session that may be seen.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllSessions {
    sessions: Vec<SessionView>,
    /// Grows with each change.
    generation: u64,
}

/// A body for creating a session.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateBody {
    /// Left out: `session-1`, `session-2` …, the lowest that is free.
    #[cfg_attr(test, schemars(regex(pattern = "^[A-Za-z0-9-]{1,50}$")))]
    name: Option<String>,
    /// Program and arguments; left out: `--session-command`.
    #[cfg_attr(test, schemars(extend(
        "minItems" = 1,
        "prefixItems" = [{ "type": "string", "pattern": "^[^\\u0000]+$" }],
        "items" = { "type": "string", "pattern": "^[^\\u0000]*$" }
    )))]
    command: Option<Vec<String>>,
    /// Where it starts, from the workspace or the worktree.
    #[cfg_attr(test, schemars(regex(pattern = "^[^\\u0000]*$")))]
    cwd: Option<String>,
    /// Variables beside those of the container.
    #[serde(default)]
    #[cfg_attr(test, schemars(extend(
        "propertyNames" = { "pattern": "^[^=\\u0000]+$" },
        "additionalProperties" = { "type": "string", "pattern": "^[^\\u0000]*$" }
    )))]
    env: BTreeMap<String, String>,
    /// The branch of a new worktree for it.
    branch: Option<String>,
    existing_branch: Option<ExistingBranch>,
    #[cfg_attr(test, schemars(range(min = 1, max = 1000)))]
    #[serde(default, deserialize_with = "whole::optional")]
    cols: Option<u32>,
    #[cfg_attr(test, schemars(range(min = 1, max = 1000)))]
    #[serde(default, deserialize_with = "whole::optional")]
    rows: Option<u32>,
}

/// Query of a list request.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ListQuery {
    /// Answer when the generation is beyond this one, or after 30 s.
    wait_beyond: Option<u64>,
}

/// Query of a delete request.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeleteQuery {
    /// Delete its worktree, too.
    #[serde(default)]
    delete_worktree: bool,
    /// Whatever would be lost with the worktree.
    #[serde(default)]
    force: bool,
}

/// A query string that was read, or the error to answer.
pub type Checked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

/// Takes the query, or says what is wrong with it.
pub fn checked<T>(query: Checked<T>) -> Result<T, ApiError> {
    query
        .map(|Query(query)| query)
        .map_err(|e| ApiError::invalid(format!("The query can't be used: {}", e.body_text())))
}

/// The session named in a path.
pub fn find(app: &App, id: &str) -> Result<Entry, ApiError> {
    app.registry.now().find(id).cloned().ok_or_else(|| ApiError::no_session(id))
}

/// The JSON of one session.
pub fn view(entry: &Entry) -> SessionView {
    SessionView::of(&entry.record, &entry.session)
}

/// The JSON of all sessions that may be seen.
pub fn views(snapshot: &Snapshot, grant: &Grant) -> Vec<SessionView> {
    snapshot.sessions.iter().filter(|entry| grant.sees(entry.record.id)).map(view).collect()
}

/// `GET /api/sessions`
pub async fn list(
    State(app): State<App>,
    grant: Grant,
    query: Checked<ListQuery>,
) -> Result<Json<AllSessions>, ApiError> {
    let query = checked(query)?;
    if let Some(generation) = query.wait_beyond {
        let mut snapshots = app.registry.subscribe();
        let beyond = snapshots.wait_for(|s| s.generation > generation || s.goodbye);
        // Time over is an answer too: the list as it still is.
        let _ = tokio::time::timeout(NEWS_PATIENCE, beyond).await;
    }
    let now = app.registry.now();
    Ok(Json(AllSessions { sessions: views(&now, &grant), generation: now.generation }))
}

/// `POST /api/sessions`
pub async fn create(
    State(app): State<App>,
    JsonBody(body): JsonBody<CreateBody>,
) -> Result<(StatusCode, Json<OneSession>), ApiError> {
    if app.registry.now().shutting_down.is_some() {
        return Err(ApiError::shutting_down());
    }
    let name = body.name.map(SessionName::try_from).transpose().map_err(|e| ApiError::invalid_name(&e))?;
    let size = size(body.cols, body.rows)?;
    let source = source(body.branch, body.existing_branch)?;
    let spec = SessionSpec {
        is_session_command: body.command.is_none(),
        command: body.command.unwrap_or_else(|| app.settings.session_command.clone()),
        cwd: if source.is_some() { inside(body.cwd)? } else { directory(body.cwd, &app.settings.workspace) },
        env: body.env.into_iter().collect(),
    };
    spec.check().map_err(|e| ApiError::invalid(capitalised(&e.to_string())))?;
    app.monitor.admit().map_err(ApiError::short)?;
    let id = match source {
        None => app.link.wish(Request::Create { name, spec, size, worktree: None }).await?,
        Some(source) => app.worktrees.create(Order { name, source, spec, size }).await?,
    };
    let entry = find(&app, &id.to_string())?;
    Ok((StatusCode::CREATED, Json(OneSession { session: view(&entry) })))
}

fn size(cols: Option<u32>, rows: Option<u32>) -> Result<TerminalSize, ApiError> {
    let default = TerminalSize::DEFAULT;
    let (cols, rows) = (cols.unwrap_or(default.cols().into()), rows.unwrap_or(default.rows().into()));
    TerminalSize::new(cols, rows).map_err(|e| ApiError::invalid(capitalised(&e.to_string())))
}

/// A relative directory is meant from the workspace.
fn directory(given: Option<String>, workspace: &str) -> String {
    match given {
        None => workspace.to_owned(),
        Some(path) if path.starts_with('/') => path,
        Some(path) => format!("{}/{path}", workspace.trim_end_matches('/')),
    }
}

/// Error texts of the model start in lower case, as Rust's do.
pub fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// `GET /api/sessions/{id}`
pub async fn get(State(app): State<App>, SessionPath(id): SessionPath) -> Result<Json<OneSession>, ApiError> {
    Ok(Json(OneSession { session: view(&find(&app, &id)?) }))
}

/// `DELETE /api/sessions/{id}`
pub async fn delete(
    State(app): State<App>,
    SessionPath(id): SessionPath,
    query: Checked<DeleteQuery>,
) -> Result<Json<Done>, ApiError> {
    let query = checked(query)?;
    let id = find(&app, &id)?.record.id;
    if query.delete_worktree {
        app.worktrees.delete(id, query.force).await?;
    } else {
        app.link.wish(Request::Remove(id)).await?;
    }
    Ok(Json(Done::YES))
}

/// `POST /api/sessions/{id}/resume`
pub async fn resume(State(app): State<App>, SessionPath(id): SessionPath) -> Result<Json<OneSession>, ApiError> {
    let id = find(&app, &id)?.record.id;
    let entry = resume_by_id(&app, id).await?;
    Ok(Json(OneSession { session: view(&entry) }))
}

/// Runs an ended session's command again.
pub async fn resume_by_id(app: &App, id: SessionId) -> Result<Entry, ApiError> {
    app.monitor.admit().map_err(ApiError::short)?;
    let before = find(app, &id.to_string())?;
    app.link.wish(Request::Resume(id)).await.map_err(|e| resume_error(e, &before.record.spec.cwd))?;
    find(app, &id.to_string())
}

/// A place that was there when the session was made may be gone by now.
fn resume_error(error: RequestError, directory: &str) -> ApiError {
    match error {
        RequestError::Refused(Refusal::SpawnFailed(failure)) if failure.stage == SpawnStage::WorkingDirectory => {
            ApiError::directory_gone(directory, failure)
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_directory_is_meant_from_the_workspace() {
        assert_eq!(directory(None, "/w"), "/w");
        assert_eq!(directory(Some("/x".into()), "/w"), "/x");
        assert_eq!(directory(Some("a/b".into()), "/"), "/a/b");
    }
}
