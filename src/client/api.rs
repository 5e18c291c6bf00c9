//! Requests over the Unix socket.

use std::fmt::Write as _;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::failure::Failure;
use super::session::Session;
use super::socket::Sockets;

/// The API of the running quarterdeck.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it listens.
    pub sockets: Sockets,
    /// What to show, where the socket alone does not say who asks.
    pub bearer: Option<String>,
}

/// What was answered; never an error.
#[derive(Debug)]
pub struct Answer {
    /// Its head.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body).map_err(|e| Failure::new(format!("quarterdeck's answer is no JSON: {e}")))
    }

    /// The session in the body.
    ///
    /// # Errors
    /// There is none.
    pub fn session(&self) -> Result<Session, Failure> {
        Session::of(self.json()?["session"].take())
    }

    /// The number in a header.
    #[must_use]
    pub fn number(&self, header: &str) -> Option<u64> {
        self.headers.get(header)?.to_str().ok()?.parse().ok()
    }
}

/// A body and its kind.
enum Content {
    None,
    Json(String),
    Bytes(Bytes),
}

impl Api {
    /// `GET`
    ///
    /// # Errors
    /// [`Failure`], an error of the API among them.
    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        match self.call(&Method::GET, path, Content::None).await? {
            (200..300, answer) => Ok(answer),
            (status, answer) => Err(Failure::answered(status, &answer.body)),
        }
    }

    /// `GET` of a range of output: the answer, or for 416 its head alone.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn output(&self, name: &str, offset: Option<u64>) -> Result<Result<Answer, HeaderMap>, Failure> {
        let query = offset.map_or_else(String::new, |offset| format!("?offset={offset}"));
        match self.call(&Method::GET, &session_path(name, &format!("/output{query}")), Content::None).await? {
            (200..300, answer) => Ok(Ok(answer)),
            (416, answer) if answer.headers.contains_key("quarterdeck-oldest-offset") => Ok(Err(answer.headers)),
            (status, answer) => Err(Failure::answered(status, &answer.body)),
        }
    }

    /// `DELETE`
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.act(&Method::DELETE, path, Content::None).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        self.act(&Method::POST, path, Content::Json(body.to_string())).await
    }

    /// `POST` of anything.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post_bytes(&self, path: &str, body: Bytes) -> Result<Answer, Failure> {
        self.act(&Method::POST, path, Content::Bytes(body)).await
    }

    /// The session of this name or id.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn session(&self, name: &str) -> Result<Session, Failure> {
        self.get(&session_path(name, "")).await?.session()
    }

    async fn act(&self, method: &Method, path: &str, content: Content) -> Result<Answer, Failure> {
        match self.call(method, path, content).await? {
            (200..300, answer) => Ok(answer),
            (status, answer) => Err(Failure::answered(status, &answer.body)),
        }
    }

    async fn call(&self, method: &Method, path: &str, content: Content) -> Result<(u16, Answer), Failure> {
        let stream = self.sockets.connect().await?;
        let broken = |e: hyper::Error| {
            let failure = Failure::new(format!("quarterdeck's answer broke off: {e}"));
            failure.suggest("Look with `quarterdeck ls` how far it came, and try again.")
        };
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header(hyper::header::HOST, "localhost");
        if let Some(bearer) = &self.bearer {
            request = request.header(hyper::header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let body = match content {
            Content::None => Bytes::new(),
            Content::Json(text) => {
                request = request.header(hyper::header::CONTENT_TYPE, "application/json");
                text.into()
            }
            Content::Bytes(bytes) => {
                request = request.header(hyper::header::CONTENT_TYPE, "application/octet-stream");
                bytes
            }
        };
        let request = request.body(Full::new(body)).map_err(|e| Failure::new(e.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        Ok((head.status.as_u16(), Answer { headers: head.headers, body }))
    }
}

/// The path of a session's route. What a person typed for a name stays one
/// segment whatever it holds.
#[must_use]
pub fn session_path(name: &str, route: &str) -> String {
    path_of("/api/sessions/", name, route)
}

/// The same below another start.
#[must_use]
pub fn path_of(start: &str, name: &str, route: &str) -> String {
    let mut path = start.to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            path.push(byte.into());
        } else {
            // Writing to a string can't fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path + route
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(session_path("a-1", "/input"), "/api/sessions/a-1/input");
        assert_eq!(session_path("../x?y ä", ""), "/api/sessions/%2E%2E%2Fx%3Fy%20%C3%A4");
    }
}
