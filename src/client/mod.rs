//! The command-line client: talks HTTP and WebSocket over the Unix socket.
//!
//! One file a command; [`api`] asks, [`table`] draws, [`attach`] is a terminal.

mod api;
pub mod attach;
mod each;
mod failure;
mod health;
mod kill;
mod list;
mod logs;
mod ls;
mod new;
mod notify;
mod output;
mod resume;
mod rm;
mod send;
mod session;
mod socket;
mod table;
mod token;
mod top;

use crate::cli::client::{ClientArgs, ClientCommand};
use crate::config;
use crate::exit::Exit;
use api::Api;
pub use failure::Failure;
use socket::Sockets;

/// Runs a client command to its end.
///
/// # Errors
/// What it could not do, for a person.
pub fn run(command: ClientCommand) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(format!("cannot start: {e}")))?;
    runtime.block_on(carry_out(command))
}

async fn carry_out(command: ClientCommand) -> Result<Exit, Failure> {
    match command {
        ClientCommand::Ls(args) => ls::ls(&api(&args.common.client), &args).await,
        ClientCommand::New(args) => new::new(&api(&args.common.client), args).await,
        ClientCommand::Attach(args) => attach::attach(&api(&args.client), &args).await,
        ClientCommand::Send(args) => send::send(&api(&args.common.client), &args).await,
        ClientCommand::Kill(args) => kill::kill(&api(&args.common.client), &args).await,
        ClientCommand::Rm(args) => rm::rm(&api(&args.common.client), &args).await,
        ClientCommand::Resume(args) => resume::resume(&api(&args.common.client), &args).await,
        ClientCommand::Notify(args) => notify::notify(&args).await,
        ClientCommand::Top(args) => top::top(&api(&args.common.client), &args).await,
        ClientCommand::Logs(args) => logs::logs(&api(&args.common.client), &args).await,
        ClientCommand::Token(command) => token::token(&command).await,
        ClientCommand::Health(args) => health::health(&api(&args.common.client), &args).await,
    }
}

fn api(args: &ClientArgs) -> Api {
    Api { sockets: Sockets(config::client_sockets(args.socket.as_deref())), bearer: None }
}
