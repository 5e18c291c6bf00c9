//! quarterdeck: the init for containers that run agents.
//!
//! One binary, two processes: [`init`] is PID 1, owns the sessions and outlives
//! everything; [`server`] speaks HTTP and WebSocket and holds nothing it cannot
//! rebuild. They share the words of [`model`], talk over [`link`], and share
//! output through [`ring`]. docs/architecture.md has the whole picture.

pub mod cgroups;
pub mod cli;
pub mod client;
pub mod config;
pub mod dropin;
pub mod exit;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod init;
pub mod link;
pub mod logging;
pub mod model;
pub mod ring;
pub mod server;
#[allow(unsafe_code)]
pub mod sys;
pub mod users;
pub mod workspace;
