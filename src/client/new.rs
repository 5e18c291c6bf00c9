//! `quarterdeck new`

use serde_json::{Map, Value, json};

use super::api::Api;
use super::attach::{self, Wanted, tty};
use super::failure::Failure;
use super::output;
use crate::cli::client::NewArgs;
use crate::exit::Exit;

/// Starts a session, and says its name or becomes its terminal.
pub async fn new(api: &Api, args: NewArgs) -> Result<Exit, Failure> {
    // A program that reads the size as it starts gets the right one at once.
    let size = args.attach.then(tty::size).flatten();
    let (json, attach) = (args.common.json, args.attach);
    let wanted = Wanted::whole(args.terminal.detach_keys.clone());
    let answer = api.post("/api/sessions", &body(args, size)).await?;
    if json {
        output::print_json(&answer.body)?;
        return Ok(Exit::Success);
    }
    let session = answer.session()?;
    if attach {
        return attach::to(api, session, wanted).await;
    }
    output::print_lines([session.name])?;
    Ok(Exit::Success)
}

/// Only what was given: the rest is the server's to decide.
fn body(args: NewArgs, size: Option<(u16, u16)>) -> Value {
    let env: Map<String, Value> = args.env.into_iter().map(|(name, value)| (name, value.into())).collect();
    let fields = [
        ("name", args.name.map(Value::from)),
        ("branch", args.branch.map(Value::from)),
        ("existingBranch", args.existing_branch.then_some(Value::Bool(true))),
        ("cwd", args.cwd.map(Value::from)),
        ("env", (!env.is_empty()).then_some(Value::Object(env))),
        ("command", (!args.command.is_empty()).then(|| json!(args.command))),
        ("cols", size.map(|(cols, _)| cols.into())),
        ("rows", size.map(|(_, rows)| rows.into())),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Map<_, _>>().into()
}
