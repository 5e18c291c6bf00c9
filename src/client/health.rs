//! `quarterdeck health`: for HEALTHCHECK, without curl in the image.

use std::path::PathBuf;

use super::http;

/// Asks the server; the line to print, or what is wrong.
///
/// # Errors
/// Nobody answers, or the answer is not "ok".
pub fn health(sockets: &[PathBuf]) -> Result<String, String> {
    let (status, body) = http::get(sockets, "/health")?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 && value["status"] == "ok" {
        Ok("ok".into())
    } else {
        Err(format!("not healthy: {status} {text}"))
    }
}
