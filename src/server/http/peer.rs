//! Who may use the Unix socket, where no token is asked for: root and the user
//! that init runs as.
//!
//! The mode of the socket's file keeps others away already. This holds when
//! somebody opens it to them, on purpose or by a volume's settings.

use std::os::fd::AsFd;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::net::UnixStream;

use super::error::ApiError;

const ROOT: u32 = 0;

/// The user at the other end of a connection, as the kernel knows them
/// (`SO_PEERCRED`, `unix(7)`).
#[derive(Clone, Copy, Debug)]
pub struct Peer(Option<u32>);

impl Peer {
    /// Who is at the other end of `stream`.
    pub fn of(stream: &UnixStream) -> Self {
        Self(stream.peer_cred().ok().map(|peer| peer.uid()))
    }

    /// The user, if the kernel knows one.
    #[must_use]
    pub fn user(self) -> Option<u32> {
        self.0
    }
}

/// The user who made a listening socket: init, whoever this process runs as.
pub fn owner(socket: impl AsFd) -> std::io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// Passes on what comes from those who may.
pub async fn check(
    State(owner): State<u32>,
    ConnectInfo(Peer(user)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if user.is_some_and(|user| user == ROOT || user == owner) {
        return next.run(request).await;
    }
    ApiError::peer_not_allowed(user, owner).into_response()
}
