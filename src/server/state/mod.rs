//! What outlives the container: `sessions.json` in the state directory.
//!
//! The server alone touches the file; init knows nothing of it. A container's
//! first server reads it and offers init every session in it, and only when
//! that is done, and init has been told so, is the file ever written. From
//! then on init's table is the truth, and the file follows it. So a server
//! that is killed at any moment loses nothing, and what was deleted stays
//! deleted.
//!
//! ```text
//!        read --unreadable--> again later; nothing is written meanwhile
//!          |
//!   offer to init, one by one --> Restored --> follow the registry: write what changed
//! ```

pub(crate) mod content;
mod disk;
pub mod keeper;
pub mod store;
