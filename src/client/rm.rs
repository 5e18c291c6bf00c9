//! `quarterdeck rm`

use super::api::{Api, session_path};
use super::each::each;
use super::failure::Failure;
use crate::cli::client::RmArgs;
use crate::exit::Exit;

/// Ends and forgets each of the sessions.
pub async fn rm(api: &Api, args: &RmArgs) -> Result<Exit, Failure> {
    let query = match (args.delete_worktree, args.force) {
        (false, _) => "",
        (true, false) => "?deleteWorktree=true",
        (true, true) => "?deleteWorktree=true&force=true",
    };
    each(&args.names, args.common.json, async |name| api.delete(&session_path(name, query)).await).await
}
