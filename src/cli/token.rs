//! Flags of `token`.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::client::JsonArgs;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it; without a flag it may do all but make others
    New(NewTokenArgs),
    /// List the tokens there are, without what they admit by
    Ls(JsonArgs),
    /// Take tokens back; who uses one is cut off
    Rm(RmTokenArgs),
}

/// Flags of `token new`.
#[derive(Debug, Args)]
pub struct NewTokenArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// For looking only: no input, no change of anything
    #[arg(long)]
    pub read_only: bool,
    /// For this session only: name or id
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub session: Option<String>,
    /// How long it is good [default: until it is removed]
    #[arg(long, value_name = "TIME", value_parser = life)]
    pub ttl: Option<Duration>,
}

/// Flags of `token rm`.
#[derive(Debug, Args)]
pub struct RmTokenArgs {
    /// Where to ask, how to answer.
    #[command(flatten)]
    pub common: JsonArgs,
    /// Ids of tokens
    #[arg(required = true, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub ids: Vec<String>,
}

fn life(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| e.to_string())?;
    if time >= Duration::from_secs(1) { Ok(time) } else { Err("give a time of at least 1s".into()) }
}
