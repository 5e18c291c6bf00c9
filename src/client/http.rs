//! One request over the Unix socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// How long a healthy server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gets `path` from the first of `sockets` that somebody listens on.
///
/// # Errors
/// What went wrong, for a person.
pub fn get(sockets: &[PathBuf], path: &str) -> Result<(u16, Bytes), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        let answer = tokio::time::timeout(PATIENCE, try_get(sockets, path)).await;
        answer.unwrap_or_else(|_| Err(format!("quarterdeck did not answer within {PATIENCE:?}")))
    })
}

async fn try_get(sockets: &[PathBuf], path: &str) -> Result<(u16, Bytes), String> {
    let stream = connect(sockets).await?;
    let broken = |e: hyper::Error| format!("quarterdeck's answer broke off: {e}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    Ok((status, body))
}

async fn connect(sockets: &[PathBuf]) -> Result<UnixStream, String> {
    let mut failures = Vec::new();
    for path in sockets {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failures.push(explain(path, &error)),
        }
    }
    Err(format!("no running quarterdeck found ({}); name its socket with --socket", failures.join("; ")))
}

fn explain(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
