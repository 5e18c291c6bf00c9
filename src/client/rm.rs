//! `quarterdeck rm`

use super::api::{Api, session_path};
use super::failure::Failure;
use super::output;
use crate::cli::client::RmArgs;
use crate::exit::Exit;

/// Ends and forgets each of the sessions.
pub async fn rm(api: &Api, args: &RmArgs) -> Result<Exit, Failure> {
    let query = match (args.delete_worktree, args.force) {
        (false, _) => "",
        (true, false) => "?deleteWorktree=true",
        (true, true) => "?deleteWorktree=true&force=true",
    };
    let mut outcome = Exit::Success;
    for name in &args.names {
        match api.delete(&session_path(name, query)).await {
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
