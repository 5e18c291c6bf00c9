//! Connections: accepted, limited, served, ended.
//!
//! Each has a place ([`seats`]); its socket is a [`wire`] that knows how long
//! to wait for the client; its requests come through a [`door`].

mod allowance;
mod bodies;
mod bucket;
mod door;
mod rarely;
mod refusal;
mod seats;
mod wire;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::error::ApiError;
use super::peer;
use crate::model::settings::LimitSettings;
use crate::server::metrics::Metrics;
use crate::server::metrics::connections::{Cut, Full, Gate};
use crate::server::room::Room;
use rarely::Rarely;
use refusal::Farewells;
use seats::{Seat, Seats};
use wire::Wire;

pub use allowance::{Allowance, Allowances, Peer};
pub use bodies::SlowBody;
pub use door::seconds;
pub use wire::TURN;

/// Most header fields and bytes of a head that are read at all. From where a
/// head is refused in words to here there is room for one that is only a little
/// too large.
const FIELDS_READ: usize = 256;
const HEAD_READ: usize = 64 * 1024;

/// Requests a second of one user at the socket for what sessions say.
const NOTIFICATIONS_PER_SECOND: u32 = 200;

/// How long to leave connections waiting when none can be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// Somebody at this address.
    Tcp(SocketAddr),
    /// Somebody on this machine.
    Unix(peer::Peer),
}

impl Caller {
    fn peer(self) -> Peer {
        match self {
            Self::Tcp(address) => Peer::at(address.ip()),
            Self::Unix(peer) => Peer::User(peer.user()),
        }
    }
}

/// A listening socket.
pub trait Listener: Send + Sync + 'static {
    /// Its connections.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Caller)>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, Caller)> {
        Self::accept(self).await.map(|(stream, address)| (stream, Caller::Tcp(address)))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(UnixStream, Caller)> {
        let (stream, _) = Self::accept(self).await?;
        let peer = peer::Peer::of(&stream);
        Ok((stream, Caller::Unix(peer)))
    }
}

/// What one listening socket serves, and to how many.
#[derive(Debug)]
pub struct Serving {
    /// What is served.
    pub router: Router,
    /// Which socket it is.
    pub gate: Gate,
    /// Most connections.
    pub most: usize,
    /// Most connections of one client.
    pub most_per_client: usize,
    /// What each client may ask; none if that is not counted.
    pub allowances: Option<Allowances>,
    /// What counts.
    pub metrics: Arc<Metrics>,
}

impl Serving {
    /// The API's address.
    pub fn tcp(router: Router, room: &Room, limits: &LimitSettings, metrics: Arc<Metrics>) -> Self {
        let most_per_client = usize::try_from(limits.connections_per_client).unwrap_or(usize::MAX);
        let allowances = Some(Allowances::new(limits.requests_per_second));
        Self { router, gate: Gate::Tcp, most: room.tcp, most_per_client, allowances, metrics }
    }

    /// The Unix socket of client commands. Who may use it could do anything, so
    /// only descriptors are at stake.
    pub fn unix(router: Router, room: &Room, metrics: Arc<Metrics>) -> Self {
        Self { router, gate: Gate::Unix, most: room.unix, most_per_client: room.unix, allowances: None, metrics }
    }

    /// The socket that every process in the container can reach.
    pub fn notify(router: Router, room: &Room, metrics: Arc<Metrics>) -> Self {
        let allowances = Some(Allowances::new(NOTIFICATIONS_PER_SECOND));
        Self { router, gate: Gate::Notify, most: room.notify, most_per_client: room.notify, allowances, metrics }
    }
}

/// Serves what comes to `listener`, for ever.
pub async fn serve(listener: impl Listener, serving: Serving) {
    let Serving { router, gate, most, most_per_client, allowances, metrics } = serving;
    let seats = Arc::new(Seats::new(gate, most, most_per_client, Arc::clone(&metrics)));
    let (farewells, mut failures, mut refusals) = (Farewells::default(), Rarely::default(), Rarely::default());
    loop {
        let (stream, caller) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_over(&error) => continue,
            Err(error) => {
                if let Some(times) = failures.ask() {
                    tracing::warn!(%error, gate = gate.name(), times, "Cannot accept a connection");
                }
                // Most likely there is no descriptor left.
                seats.free_one();
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let peer = caller.peer();
        let seat = match seats.take(peer) {
            Ok(seat) => seat,
            Err(full) => {
                metrics.connections.refuse(full);
                let most = if full == Full::Total { most } else { most_per_client };
                let error = ApiError::too_many_connections(full, most);
                metrics.refused(error.code());
                if let Some(times) = refusals.ask() {
                    tracing::warn!(gate = gate.name(), ?caller, times, "Connection refused: {}", error.message());
                }
                farewells.send(stream, &error);
                continue;
            }
        };
        let door = door::Door {
            router: router.clone(),
            conduct: Arc::clone(seat.conduct()),
            caller,
            allowance: allowances.as_ref().map(|allowances| allowances.of(peer)),
            metrics: Arc::clone(&metrics),
        };
        tokio::spawn(converse(stream, seat, door, farewells.clone()));
    }
}

/// Whether the connection that was to be accepted is gone already.
fn is_over(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves one connection to its end, or until it is a WebSocket.
async fn converse<S>(stream: S, seat: Seat, door: door::Door, farewells: Farewells)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (conduct, metrics) = (Arc::clone(seat.conduct()), Arc::clone(&door.metrics));
    let mut connection = http1::Builder::new()
        // The wire knows how long to wait, and for what.
        .header_read_timeout(None)
        .max_headers(FIELDS_READ)
        .max_header_size(HEAD_READ)
        .max_buf_size(HEAD_READ)
        .serve_connection(TokioIo::new(Wire::new(stream, seat)), door)
        .with_upgrades();
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = conduct.evicted.notified() => return metrics.connections.cut(Cut::Evicted),
    };
    let Err(error) = ended else { return };
    if error.is_parse() {
        metrics.connections.cut(Cut::Malformed);
    }
    let was_slow = conduct.deadline().is_some_and(|(_, cut)| cut == Cut::SlowHead) && is_timeout(&error);
    if let Some(parts) = connection.into_parts().filter(|parts| was_slow && !parts.read_buf.is_empty()) {
        let error = ApiError::request_timeout("head");
        metrics.refused(error.code());
        // Nothing more is expected of the client.
        conduct.asked(true);
        farewells.send(parts.io.into_inner(), &error);
    }
}

fn is_timeout(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}
