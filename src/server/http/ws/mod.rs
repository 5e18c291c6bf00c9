//! The WebSocket: one connection carries every session.
//!
//! A connection is two halves of one task. [`incoming`] reads what the client
//! says and acts on it at once where it can; [`outgoing`] owns the client's
//! places in the sessions' output and is the only one that writes. What the
//! reader wants from the writer travels as an [`outgoing::Order`].

mod channel;
pub(crate) mod frames;
mod incoming;
mod input;
pub mod messages;
mod outgoing;
pub(crate) mod utf8;

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::{Notify, mpsc};

use super::error::ApiError;
use super::serve::{Allowance, TURN};
use crate::server::App;
use crate::server::auth::rights::Grant;

/// Name of the binary form.
pub const BINARY_PROTOCOL: &str = "quarterdeck.v1";

/// Largest frame and message taken from a client, in bytes.
const FRAME_MAX: usize = 1024 * 1024;

/// Orders that may wait for the writing half.
const ORDERS_MAX: usize = 256;

/// How long a client may take to hear that its login is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// How terminal data travels on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As text in JSON.
    Json,
    /// As bytes in binary frames.
    Binary,
}

/// `GET /ws`
pub async fn upgrade(
    State(app): State<App>,
    grant: Grant,
    allowance: Option<Extension<Arc<Allowance>>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return ApiError::upgrade_required(rejection.body_text()).into_response(),
    };
    let upgrade = upgrade.protocols([BINARY_PROTOCOL]).max_frame_size(FRAME_MAX).max_message_size(FRAME_MAX);
    let upgrade = upgrade.read_buffer_size(TURN);
    let form = if upgrade.selected_protocol().is_some() { Form::Binary } else { Form::Json };
    let allowance = allowance.map(|Extension(allowance)| allowance);
    upgrade.on_upgrade(move |socket| connection(app, grant, socket, form, allowance))
}

async fn connection(app: App, grant: Grant, socket: WebSocket, form: Form, allowance: Option<Arc<Allowance>>) {
    let _guard = app.registry.connection();
    tracing::debug!(?form, "Client connected");
    let (sink, stream) = socket.split();
    let (orders, ordered) = mpsc::channel(ORDERS_MAX);
    let wake = Arc::new(Notify::new());
    let wakes = Arc::clone(&wake);
    let reader = incoming::Incoming::new(app.clone(), grant.clone(), form, orders.clone(), wakes, allowance);
    let writer = outgoing::Outgoing::new(app.clone(), grant.clone(), form, sink, ordered, wake);
    let mut writer = std::pin::pin!(writer.run());
    // Whichever half ends first ends the connection, and so does the login.
    let reason = tokio::select! {
        () = reader.run(stream) => return,
        () = &mut writer => return,
        reason = app.auth.over(&grant) => reason,
    };
    // From here on nothing is read any more. A client that reads nothing either
    // is not told why.
    let farewell = async {
        let _ = orders.send(outgoing::Order::Close(close_code::POLICY, reason)).await;
        writer.await;
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
