//! `quarterdeck ls`

use time::OffsetDateTime;

use super::api::Api;
use super::failure::Failure;
use super::session::Session;
use super::table::harmless;
use super::{list, output};
use crate::cli::client::LsArgs;
use crate::exit::Exit;

/// Lists the sessions.
pub async fn ls(api: &Api, args: &LsArgs) -> Result<Exit, Failure> {
    let answer = api.get("/api/sessions").await?;
    if args.common.json {
        output::print_json(&answer.body)?;
        return Ok(Exit::Success);
    }
    let sessions = Session::list(answer.json()?)?;
    if args.quiet {
        output::print_lines(sessions.iter().map(|session| harmless(&session.name)))?;
    } else {
        output::print_lines(list::lines(&sessions, OffsetDateTime::now_utc(), output::look()))?;
    }
    Ok(Exit::Success)
}
