//! `quarterdeck resume`

use serde_json::json;

use super::api::{Api, session_path};
use super::attach::{self, Wanted};
use super::failure::Failure;
use super::output;
use crate::cli::client::ResumeArgs;
use crate::exit::Exit;

/// Runs the command of an ended session again.
pub async fn resume(api: &Api, args: &ResumeArgs) -> Result<Exit, Failure> {
    let answer = api.post(&session_path(&args.name, "/resume"), &json!({})).await?;
    if args.common.json {
        output::print_json(&answer.body)?;
    }
    if args.attach {
        return attach::to(api, answer.session()?, Wanted::whole(args.terminal.detach_keys.clone())).await;
    }
    Ok(Exit::Success)
}
