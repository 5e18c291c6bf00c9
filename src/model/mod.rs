//! The words both processes and every client share: plain data, no I/O.
//!
//! Nothing here imports anything else of ours, so no two larger modules ever
//! need each other only to share a small type.

pub mod address;
pub mod attention;
pub mod forwarding;
pub mod id;
pub mod percent;
pub mod resources;
pub mod secret;
pub mod session;
pub mod settings;
pub mod signal;
pub mod spec;
pub mod sweep;
pub mod tool;
pub mod worktree;
