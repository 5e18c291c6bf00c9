//! `POST /notify`: what a session says of itself.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::JsonBody;
use super::error::ApiError;
use crate::model::attention::Ticket;
use crate::model::session::Stage;
use crate::server::App;
use crate::server::attention::inbox::Event;
use crate::server::attention::judge::Word;
use crate::server::attention::observer::plain;
use crate::server::registry::Entry;

/// A body for a notification.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotifyBody {
    needs_input: Option<String>,
    status: Option<StatusWord>,
}

/// What a running program may call itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StatusWord {
    Active,
    Waiting,
}

/// `POST /notify`
pub async fn notify(
    State(app): State<App>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<NotifyBody>,
) -> Result<Json<Value>, ApiError> {
    let entry = sender(&app, &headers)?;
    let word = word(&body)?;
    if !matches!(entry.record.state.stage, Stage::Running { .. }) {
        return Err(ApiError::not_running());
    }
    entry.session.inbox.put(Event::Told(word));
    Ok(Json(json!({ "success": true })))
}

fn word(body: &NotifyBody) -> Result<Word, ApiError> {
    match (&body.needs_input, body.status) {
        (Some(text), None | Some(StatusWord::Waiting)) if !plain(text).is_empty() => Ok(Word::NeedsInput(plain(text))),
        (None, Some(StatusWord::Waiting)) => Ok(Word::NeedsInput("Waits for input".into())),
        (None, Some(StatusWord::Active)) => Ok(Word::Active),
        (Some(_), None | Some(StatusWord::Waiting)) => {
            Err(ApiError::invalid("needsInput is empty: say what is needed"))
        }
        (Some(_), Some(StatusWord::Active)) => {
            Err(ApiError::invalid("A program that needs input is not active: send needsInput or status, not both"))
        }
        (None, None) => Err(ApiError::invalid("The request says nothing: send needsInput or status")),
    }
}

/// The session whose ticket the request shows.
fn sender(app: &App, headers: &HeaderMap) -> Result<Entry, ApiError> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown: Option<Ticket> = shown.and_then(|text| text.strip_prefix("Bearer ")).and_then(|text| text.parse().ok());
    let shown = shown.ok_or_else(ApiError::not_a_session)?;
    let now = app.registry.now();
    let found = now.sessions.iter().find(|entry| entry.record.ticket.admits(shown));
    found.cloned().ok_or_else(ApiError::not_a_session)
}
