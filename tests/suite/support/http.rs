//! A client of the HTTP API.

use std::fmt;

use serde_json::{Value, json};
use ureq::http::{HeaderMap, Request};

use super::{eventually, patience};

/// The API at one address. Every call opens and closes a connection, so that
/// descriptors of the server can be counted.
#[derive(Clone)]
pub struct Api {
    agent: ureq::Agent,
    address: String,
    /// Sent with every request.
    extra: Vec<(&'static str, String)>,
}

/// An answer.
#[must_use = "an answer that nobody looks at proves nothing"]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    asked: String,
}

impl Api {
    pub fn at(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .max_idle_connections(0)
            .timeout_global(Some(patience()))
            .build();
        Self { agent: config.new_agent(), address: address.to_owned(), extra: Vec::new() }
    }

    /// The same with a header.
    #[must_use]
    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        other.extra.retain(|(known, _)| *known != name);
        other.extra.push((name, value.to_owned()));
        other
    }

    /// The same with a token.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Any request; the error is the transport's.
    pub fn try_call(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in &self.extra {
            request = request.header(*name, value);
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let asked = format!("{method} {path} {}", String::from_utf8_lossy(&body[..body.len().min(200)]));
        let answer = match (method, body.is_empty()) {
            ("GET" | "DELETE", true) => self.agent.run(request.body(()).expect("a request")),
            _ => self.agent.run(request.body(body).expect("a request")),
        }?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.into_body().into_with_config().limit(1 << 30).read_to_vec()?;
        Ok(Reply { status, headers, body, asked })
    }

    fn call(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Reply {
        self.try_call(method, path, kind, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, None, &[])
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, None, &[])
    }

    /// A POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, Some("application/json"), body.to_string().as_bytes())
    }

    /// A POST of anything.
    pub fn post_bytes(&self, path: &str, kind: Option<&str>, body: &[u8]) -> Reply {
        self.call("POST", path, kind, body)
    }

    /// Types `bytes` into a session.
    pub fn input(&self, id: &str, bytes: &[u8]) -> Reply {
        self.post_bytes(&format!("/api/sessions/{id}/input"), Some("application/octet-stream"), bytes)
    }

    /// Makes a session and returns it.
    #[track_caller]
    pub fn create(&self, request: &Value) -> Value {
        self.post("/api/sessions", request).json_of(201)["session"].take()
    }

    /// Makes a session that runs this command and returns its id.
    #[track_caller]
    pub fn run(&self, command: &[String]) -> String {
        id_of(&self.create(&json!({ "command": command })))
    }

    /// The same with a shell script.
    #[track_caller]
    pub fn shell(&self, script: &str) -> String {
        self.run(&super::payload::shell(script))
    }

    /// The session as it is now.
    #[track_caller]
    pub fn session(&self, id: &str) -> Value {
        self.get(&format!("/api/sessions/{id}")).json_of(200)["session"].take()
    }

    /// Everything that is kept of a session's output.
    #[track_caller]
    pub fn output(&self, id: &str) -> Vec<u8> {
        self.get(&format!("/api/sessions/{id}/output")).bytes_of(200)
    }

    /// Asks until the session is as wanted.
    #[track_caller]
    pub fn wait_for(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("session {id} is {what}"), || Some(self.session(id)).filter(&wanted))
    }

    /// Waits for the end of the session's program.
    #[track_caller]
    pub fn wait_for_exit(&self, id: &str) -> Value {
        self.wait_for(id, "ended", |session| {
            (session["exitCode"].is_number() || session["signal"].is_string())
                && !matches!(session["status"].as_str(), Some("active" | "waiting"))
        })
    }

    /// Ends a session and waits until it is gone.
    #[track_caller]
    pub fn remove(&self, id: &str) {
        assert_eq!(self.delete(&format!("/api/sessions/{id}")).json_of(200), json!({ "success": true }));
    }
}

impl Reply {
    /// The body as JSON, after a check of the status.
    #[track_caller]
    pub fn json_of(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self}"))
    }

    /// The raw body, after a check of the status.
    #[track_caller]
    pub fn bytes_of(self, status: u16) -> Vec<u8> {
        assert_eq!(self.status, status, "{self}");
        self.body
    }

    /// A header that must be there and hold a number.
    #[track_caller]
    pub fn number(&self, header: &str) -> u64 {
        let value = self.headers.get(header).unwrap_or_else(|| panic!("no header {header}: {self}"));
        value.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{header} is {value:?}"))
    }

    /// Checks status, code and the exact shape of an error; returns the inner
    /// object.
    #[track_caller]
    pub fn error(self, status: u16, code: &str) -> Value {
        let asked = self.to_string();
        let body = self.json_of(status);
        let keys = |value: &Value| {
            let mut keys: Vec<_> = value.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&body), ["code", "error"], "{asked}");
        assert_eq!(keys(&body["error"]), ["code", "details", "message", "suggestion", "type"], "{asked}");
        assert_eq!((body["code"].as_str(), body["error"]["code"].as_str()), (Some(code), Some(code)), "{asked}");
        for field in ["type", "message"] {
            assert!(body["error"][field].as_str().is_some_and(|text| !text.is_empty()), "{field} is empty: {asked}");
        }
        body["error"].clone()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(2000)]);
        write!(f, "{} -> {} {body}", self.asked, self.status)
    }
}

/// The id of a session object.
#[track_caller]
pub fn id_of(session: &Value) -> String {
    session["id"].as_str().unwrap_or_else(|| panic!("no id: {session}")).to_owned()
}

/// The process id of a session object.
#[track_caller]
pub fn pid_of(session: &Value) -> i32 {
    let pid = session["ptyPid"].as_i64().unwrap_or_else(|| panic!("no ptyPid: {session}"));
    i32::try_from(pid).expect("a process id")
}
