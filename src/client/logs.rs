//! `quarterdeck logs`

use serde_json::json;

use super::api::Api;
use super::attach::{self, Role, Wanted};
use super::failure::Failure;
use super::output;
use crate::cli::client::{From, LogsArgs};
use crate::cli::detach_keys::DetachKeys;
use crate::exit::Exit;

/// Prints what is kept of a session's output, and goes on if wanted.
pub async fn logs(api: &Api, args: &LogsArgs) -> Result<Exit, Failure> {
    let session = api.session(&args.name).await?;
    if args.follow && (session.pty_pid.is_some() || session.has_ended()) {
        let role = Role::Reader { raw: args.raw };
        return attach::to(api, session, Wanted { keys: DetachKeys::default(), from: From::Oldest, role }).await;
    }
    let output = Output::read(api, &session.id).await?;
    if args.common.json {
        let answer = json!({
            "sessionId": session.id,
            "oldestOffset": output.oldest,
            "offset": output.offset,
            "nextOffset": output.offset + output.bytes.len() as u64,
            "data": String::from_utf8_lossy(&output.bytes),
        });
        output::print_json(answer.to_string().as_bytes())?;
    } else {
        attach::show(output.offset, &output.bytes, args.raw)?;
    }
    Ok(Exit::Success)
}

/// Everything that is kept.
struct Output {
    offset: u64,
    oldest: u64,
    bytes: Vec<u8>,
}

impl Output {
    /// Reads on until there is no more. What goes while it is read begins anew.
    async fn read(api: &Api, id: &str) -> Result<Self, Failure> {
        let mut output = Self { offset: 0, oldest: 0, bytes: Vec::new() };
        let mut next = None;
        loop {
            match api.output(id, next).await? {
                Ok(answer) => {
                    output.oldest = answer.number("quarterdeck-oldest-offset").unwrap_or(0);
                    if next.is_none() {
                        output.offset = answer.number("quarterdeck-offset").unwrap_or(0);
                    }
                    if answer.body.is_empty() {
                        return Ok(output);
                    }
                    output.bytes.extend_from_slice(&answer.body);
                    next = answer.number("quarterdeck-next-offset");
                }
                Err(_) => (output.bytes, next) = (Vec::new(), None),
            }
        }
    }
}
