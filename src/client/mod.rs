//! The command-line client: talks HTTP over the Unix socket.

mod health;
mod http;

pub use health::health;
