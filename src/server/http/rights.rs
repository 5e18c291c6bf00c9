//! What each route and each message asks for: the one table.
//!
//! What is not in it is for the container's token alone, so that nothing new is
//! open by mistake.

use axum::http::Method;

use super::ws::messages::ClientMessage;
use crate::server::auth::rights::Right;

/// What a request for the route `path` asks for; none if nothing was decided.
#[must_use]
pub fn of_route(method: &Method, path: &str) -> Option<Right> {
    use Right::{Admit, Look, LookAtAll, Manage, Open, Use};
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    Some(match (path, method) {
        ("/" | "/health" | "/ready" | "/api/login" | "/api/logout", _) => Open,
        ("/ws", _) => Look,
        ("/metrics", "GET") => LookAtAll,
        ("/api/openapi.json" | "/api/health" | "/api/resources" | "/api/resources/history", "GET") => Look,
        ("/api/sweep", "POST") => Manage,
        ("/api/sessions", "GET") => Look,
        ("/api/sessions", "POST") => Manage,
        ("/api/sessions/{id}", "GET") => Look,
        ("/api/sessions/{id}", "DELETE") => Manage,
        ("/api/sessions/{id}/status" | "/api/sessions/{id}/output" | "/api/sessions/{id}/processes", "GET") => Look,
        ("/api/sessions/{id}/cleanup", "POST" | "DELETE") => Manage,
        (
            "/api/sessions/{id}/resume"
            | "/api/sessions/{id}/input"
            | "/api/sessions/{id}/signal"
            | "/api/sessions/{id}/resize",
            "POST",
        ) => Use,
        ("/api/tokens", "GET" | "POST") | ("/api/tokens/{id}", "DELETE") => Admit,
        _ => return None,
    })
}

/// What a message asks for.
#[must_use]
pub fn of_message(message: &ClientMessage) -> Right {
    match message {
        ClientMessage::Attach { .. }
        | ClientMessage::Detach { .. }
        | ClientMessage::Ack { .. }
        | ClientMessage::Heartbeat { .. } => Right::Look,
        ClientMessage::Resume { .. }
        | ClientMessage::Input { .. }
        | ClientMessage::Interrupt { .. }
        | ClientMessage::Resize { .. } => Right::Use,
    }
}

/// A frame of input, which is no message.
pub const INPUT_FRAME: Right = Right::Use;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::http::routes::Routes;

    /// Every route of the router is decided about.
    #[test]
    fn no_route_is_forgotten() {
        for (method, path) in Routes::all().list {
            let method = method.parse().unwrap();
            assert!(of_route(&method, path).is_some(), "{method} {path} is not in the table");
        }
    }

    #[test]
    fn what_nobody_decided_is_not_open() {
        assert_eq!(of_route(&Method::POST, "/api/new"), None);
        assert_eq!(of_route(&Method::PUT, "/api/sessions"), None);
        assert_eq!(of_route(&Method::HEAD, "/api/sessions"), Some(Right::Look));
    }
}
