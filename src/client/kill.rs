//! `quarterdeck kill`

use serde_json::json;

use super::api::{Api, session_path};
use super::failure::Failure;
use super::output;
use crate::cli::client::KillArgs;
use crate::exit::Exit;

/// Sends a signal to each of the sessions.
pub async fn kill(api: &Api, args: &KillArgs) -> Result<Exit, Failure> {
    let scope = if args.foreground { "foreground" } else { "session" };
    let body = json!({ "signal": args.signal.to_string(), "scope": scope });
    let mut outcome = Exit::Success;
    for name in &args.names {
        match api.post(&session_path(name, "/signal"), &body).await {
            Ok(answer) if args.common.json => output::print_json(&answer.body)?,
            Ok(_) => {}
            Err(failure) => {
                output::complain(&failure);
                outcome = Exit::Failure;
            }
        }
    }
    Ok(outcome)
}
