//! `quarterdeck kill`

use serde_json::json;

use super::api::{Api, session_path};
use super::each::each;
use super::failure::Failure;
use crate::cli::client::KillArgs;
use crate::exit::Exit;

/// Sends a signal to each of the sessions.
pub async fn kill(api: &Api, args: &KillArgs) -> Result<Exit, Failure> {
    let scope = if args.foreground { "foreground" } else { "session" };
    let body = json!({ "signal": args.signal.to_string(), "scope": scope });
    each(&args.names, args.common.json, async |name| api.post(&session_path(name, "/signal"), &body).await).await
}
