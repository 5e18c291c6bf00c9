//! `quarterdeck send`

use std::io::{self, IsTerminal, Read};

use bytes::Bytes;

use super::api::{Api, session_path};
use super::failure::Failure;
use super::output;
use crate::cli::client::SendArgs;
use crate::exit::Exit;

/// What the Enter key sends.
const ENTER: u8 = b'\r';

/// Most bytes in one request: half of what the API takes, so that Enter fits.
const PIECE: usize = 512 * 1024;

/// Types text, or what standard input holds, into a session.
pub async fn send(api: &Api, args: &SendArgs) -> Result<Exit, Failure> {
    let mut bytes = match args.text.as_slice() {
        // At a terminal nobody wants to be asked for text to press Enter.
        [] if args.enter && io::stdin().is_terminal() => Vec::new(),
        [] => from_stdin()?,
        [dash] if dash == "-" => from_stdin()?,
        words => words.join(" ").into_bytes(),
    };
    if args.enter {
        bytes.push(ENTER);
    }
    let path = session_path(&args.name, "/input");
    let mut rest = Bytes::from(bytes);
    loop {
        let piece = rest.split_to(rest.len().min(PIECE));
        let answer = api.post_bytes(&path, piece).await?;
        if rest.is_empty() {
            if args.common.json {
                output::print_json(&answer.body)?;
            }
            return Ok(Exit::Success);
        }
    }
}

fn from_stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| Failure::new(format!("cannot read standard input: {e}")))?;
    Ok(bytes)
}
