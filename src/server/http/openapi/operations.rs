//! What each route takes and answers.

use serde_json::{Value, json};

use super::build::{Described, Document};
use crate::server::http::answers::{Done, OneSession};
use crate::server::http::health::{Alive, Health, HistoryQuery, Readiness, Samples};
use crate::server::http::login::{LoginBody, LoginView};
use crate::server::http::processes::Processes;
use crate::server::http::sessions::{AllSessions, CreateBody, DeleteQuery, ListQuery};
use crate::server::http::sweep::{SweepBody, SweepView};
use crate::server::http::terminal::{OutputQuery, ResizeBody, SignalBody, Written};
use crate::server::http::tokens::{AllTokens, OneToken, TokenBody};
use crate::server::resource_view::ResourceState;

/// What goes wrong with init.
const INIT: &[&str] = &["INIT_UNAVAILABLE", "SHUTTING_DOWN", "BUSY"];

/// What a new process may lack.
const SHORTAGES: &[&str] = &["RESOURCE_EXHAUSTED", "TASKS_EXHAUSTED", "DESCRIPTORS_EXHAUSTED"];

/// The whole document.
pub fn document() -> Document {
    let mut document = Document::new();
    page(&mut document);
    health(&mut document);
    login(&mut document);
    tokens(&mut document);
    sessions(&mut document);
    one_session(&mut document);
    terminal(&mut document);
    document
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn page(d: &mut Document) {
    d.operation(("GET", "/"), "page", "The web page; with an Upgrade header the WebSocket")
        .open()
        .content(200, "The page", "text/html", &text(), json!({}))
        .error(401, &["UNAUTHORIZED"])
        .error(426, &["UPGRADE_REQUIRED"]);
    d.operation(("GET", "/ws"), "websocket", "The WebSocket: docs/protocol.md")
        .content(101, "It goes on as a WebSocket", "application/octet-stream", &json!({}), json!({}))
        .error(426, &["UPGRADE_REQUIRED"]);
    d.operation(("GET", "/api/openapi.json"), "openapi", "This document").content(
        200,
        "The document",
        "application/json",
        &json!({ "type": "object" }),
        json!({}),
    );
}

fn health(d: &mut Document) {
    d.operation(("GET", "/health"), "live", "Whether it lives").open().answers::<Alive>(200, "It does");
    d.operation(("GET", "/ready"), "ready", "Whether a new session would be accepted")
        .open()
        .answers::<Readiness>(200, "It would")
        .answers::<Readiness>(503, "It would not, and why");
    d.operation(("GET", "/metrics"), "metrics", "Everything there is to know, for Prometheus").content(
        200,
        "Prometheus' text format",
        "text/plain",
        &text(),
        json!({}),
    );
    d.operation(("GET", "/api/health"), "health", "How it is").answers::<Health>(200, "Its health");
    d.operation(("GET", "/api/resources"), "resources", "What the container uses")
        .answers::<ResourceState>(200, "The state of this moment");
    d.operation(("GET", "/api/resources/history"), "history", "What it used")
        .query::<HistoryQuery>()
        .answers::<Samples>(200, "Samples, oldest first");
    d.operation(("POST", "/api/sweep"), "sweep", "Look for processes that outlived their session, and end them")
        .json::<SweepBody>()
        .answers::<SweepView>(200, "What was found and done")
        .error(500, &["INTERNAL"])
        .error(503, INIT);
}

fn login(d: &mut Document) {
    d.operation(("GET", "/api/login"), "loginState", "Whether one has to log in, and as what one is")
        .open()
        .answers::<LoginView>(200, "The login");
    let cookie = json!({ "Set-Cookie": { "description": "The login", "schema": { "type": "string" } } });
    let described = d.operation(("POST", "/api/login"), "login", "A token for a cookie").open().json::<LoginBody>();
    described
        .answers::<LoginView>(200, "The login, and a cookie")
        .headers(200, cookie)
        .error(401, &["UNAUTHORIZED"])
        .error(429, &["TOO_MANY_ATTEMPTS"])
        .error(500, &["INTERNAL"]);
    d.operation(("POST", "/api/logout"), "logout", "Forget the cookie")
        .open()
        .answers::<Done>(200, "It is forgotten")
        .error(500, &["INTERNAL"]);
}

fn tokens(d: &mut Document) {
    d.operation(("GET", "/api/tokens"), "listTokens", "The tokens there are")
        .answers::<AllTokens>(200, "The tokens, without their texts")
        .error(503, &["STATE_UNAVAILABLE"]);
    d.operation(("POST", "/api/tokens"), "createToken", "A token that may do less")
        .json::<TokenBody>()
        .answers::<OneToken>(201, "The token, with its text")
        .error(404, &["NOT_FOUND"])
        .error(409, &["NO_AUTH", "TOO_MANY_TOKENS"])
        .error(503, &["STATE_UNAVAILABLE"]);
    d.operation(("DELETE", "/api/tokens/{id}"), "deleteToken", "Revoke a token")
        .answers::<Done>(200, "It is revoked")
        .error(503, &["STATE_UNAVAILABLE"]);
}

fn sessions(d: &mut Document) {
    d.operation(("GET", "/api/sessions"), "listSessions", "The sessions")
        .query::<ListQuery>()
        .answers::<AllSessions>(200, "Those that may be seen");
    let described = d.operation(("POST", "/api/sessions"), "createSession", "Start a session").json::<CreateBody>();
    worktree_errors(described)
        .answers::<OneSession>(201, "The session")
        .error(400, &["INVALID_NAME"])
        .error(404, &["BRANCH_NOT_FOUND", "NOT_FOUND"])
        .error(409, &["MAX_SESSIONS", "NAME_TAKEN", "BRANCH_EXISTS", "BRANCH_CHECKED_OUT", "BRANCH_AMBIGUOUS"])
        .error(422, &["SPAWN_FAILED"])
        .error(500, &["INTERNAL"])
        .error(503, SHORTAGES);
}

fn worktree_errors(described: Described<'_>) -> Described<'_> {
    described
        .error(
            409,
            &[
                "NOT_A_REPOSITORY",
                "BARE_REPOSITORY",
                "NO_COMMITS",
                "REPOSITORY_NOT_TRUSTED",
                "REPOSITORY_LOCKED",
                "WORKTREE_PATH_TAKEN",
                "WORKTREE_BROKEN",
                "WORKTREE_DIRTY",
                "WORKTREE_LOCKED",
                "WORKTREE_IN_USE",
            ],
        )
        .error(
            422,
            &["WORKTREE_KEPT", "GIT_MISSING", "GIT_TIMEOUT", "GIT_FAILED", "NOT_PERMITTED", "WORKSPACE_UNUSABLE"],
        )
        .error(503, &["DISK_FULL", "STATE_UNAVAILABLE"])
        .error(503, INIT)
}

fn one_session(d: &mut Document) {
    for (path, id) in [("/api/sessions/{id}", "getSession"), ("/api/sessions/{id}/status", "getSessionStatus")] {
        d.operation(("GET", path), id, "One session").answers::<OneSession>(200, "As it is now");
    }
    for (method, path, id) in [
        ("DELETE", "/api/sessions/{id}", "deleteSession"),
        ("POST", "/api/sessions/{id}/cleanup", "cleanUpSession"),
        ("DELETE", "/api/sessions/{id}/cleanup", "deleteSessionByCleanup"),
    ] {
        let described = d.operation((method, path), id, "End and forget a session").query::<DeleteQuery>();
        worktree_errors(described).answers::<Done>(200, "Nothing of it is left").error(500, &["INTERNAL"]);
    }
    d.operation(("POST", "/api/sessions/{id}/resume"), "resumeSession", "Run an ended session's command again")
        .answers::<OneSession>(200, "The session")
        .error(409, &["ALREADY_RUNNING"])
        .error(422, &["SPAWN_FAILED"])
        .error(500, &["INTERNAL"])
        .error(503, SHORTAGES)
        .error(503, INIT);
    d.operation(("GET", "/api/sessions/{id}/processes"), "listProcesses", "Who runs in a session")
        .answers::<Processes<'_>>(200, "The processes");
}

fn terminal(d: &mut Document) {
    d.operation(("POST", "/api/sessions/{id}/input"), "input", "Type into a session")
        .bytes()
        .answers::<Written>(200, "All of it is written")
        .error(409, &["NOT_RUNNING", "INPUT_NOT_READ"])
        .error(500, &["INTERNAL"]);
    d.operation(("POST", "/api/sessions/{id}/signal"), "signal", "Send a signal")
        .json::<SignalBody>()
        .answers::<Done>(200, "It is sent")
        .error(409, &["NOT_RUNNING"])
        .error(500, &["INTERNAL"])
        .error(503, INIT);
    d.operation(("POST", "/api/sessions/{id}/resize"), "resize", "Change the size of the terminal")
        .json::<ResizeBody>()
        .answers::<Done>(200, "It is changed")
        .error(409, &["NOT_RUNNING"])
        .error(500, &["INTERNAL"])
        .error(503, INIT);
    let offset =
        |what: &str| json!({ "description": what, "required": true, "schema": { "type": "integer", "minimum": 0 } });
    let headers = json!({
        "Quarterdeck-Offset": offset("That of the first byte"),
        "Quarterdeck-Next-Offset": offset("Where to go on"),
        "Quarterdeck-Oldest-Offset": offset("The oldest byte that is kept"),
    });
    d.operation(("GET", "/api/sessions/{id}/output"), "output", "The output that is kept")
        .query::<OutputQuery>()
        .content(200, "Raw bytes", "application/octet-stream", &json!({}), headers)
        .error(416, &["OFFSET_OUT_OF_RANGE"])
        .error(500, &["INTERNAL"])
        .error(503, &["BUSY"]);
}
