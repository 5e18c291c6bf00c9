//! `quarterdeck token`

use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{Api, path_of};
use super::each::each;
use super::failure::Failure;
use super::output;
use super::table::{self, Cell, Column, Side};
use crate::cli::token::{NewTokenArgs, RmTokenArgs, TokenCommand};
use crate::exit::Exit;

const fn words(title: &'static str, shrinks: bool) -> Column {
    Column { title, side: Side::Left, shrinks }
}

const COLUMNS: [Column; 5] =
    [words("ID", false), words("MAY", false), words("SESSION", true), words("CREATED", false), words("EXPIRES", false)];

/// A token as the API tells of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    id: String,
    read_only: bool,
    session_name: Option<String>,
    created_at: String,
    expires_at: Option<String>,
}

/// Makes, lists and takes back tokens.
pub async fn token(command: &TokenCommand) -> Result<Exit, Failure> {
    match command {
        TokenCommand::New(args) => new(&super::api(&args.common.client), args).await,
        TokenCommand::Ls(args) => ls(&super::api(&args.client), args.json).await,
        TokenCommand::Rm(args) => rm(&super::api(&args.common.client), args).await,
    }
}

async fn new(api: &Api, args: &NewTokenArgs) -> Result<Exit, Failure> {
    let mut body = json!({ "readOnly": args.read_only });
    if let Some(session) = &args.session {
        body["session"] = session.as_str().into();
    }
    if let Some(ttl) = args.ttl {
        body["ttlSeconds"] = ttl.as_secs().into();
    }
    let answer = api.post("/api/tokens", &body).await?;
    if args.common.json {
        output::print_json(&answer.body)?;
        return Ok(Exit::Success);
    }
    let answer = answer.json()?;
    let text = answer["token"]["token"].as_str().ok_or_else(|| Failure::new("quarterdeck's answer holds no token"))?;
    output::print_lines([text])?;
    output::note(
        "This is the only time that the token is shown. Open the page and log in with it, or put it behind #token= in \
        the page's address.\n",
    );
    Ok(Exit::Success)
}

async fn ls(api: &Api, is_json: bool) -> Result<Exit, Failure> {
    let answer = api.get("/api/tokens").await?;
    if is_json {
        output::print_json(&answer.body)?;
        return Ok(Exit::Success);
    }
    let mut tokens: Value = answer.json()?;
    let tokens: Vec<Token> = serde_json::from_value(tokens["tokens"].take())
        .map_err(|e| Failure::new(format!("quarterdeck's answer is no list of tokens: {e}")))?;
    let rows: Vec<Vec<Cell>> = tokens.iter().map(row).collect();
    output::print_lines(table::lines(&COLUMNS, &rows, output::look()))?;
    Ok(Exit::Success)
}

fn row(token: &Token) -> Vec<Cell> {
    let may = if token.read_only { "look" } else { "use" };
    vec![
        Cell::new(&token.id),
        Cell::new(may),
        Cell::new(token.session_name.as_deref().unwrap_or("-")),
        Cell::new(&token.created_at),
        Cell::new(token.expires_at.as_deref().unwrap_or("never")),
    ]
}

async fn rm(api: &Api, args: &RmTokenArgs) -> Result<Exit, Failure> {
    each(&args.ids, args.common.json, async |id| api.delete(&path_of("/api/tokens/", id, "")).await).await
}
