//! The language between init and the API server.
//!
//! One `SOCK_SEQPACKET` socketpair, made by init before it starts the server,
//! carries messages with their borders kept and descriptors attached to the
//! message they belong to (`unix(7)`, `SCM_RIGHTS`). First start and restart
//! are the same conversation:
//!
//! ```text
//! init   -> Hello, Session*, HelloDone        everything there is to know
//! server -> Request(Restore)*, Restored       the first one alone: yesterday's sessions
//! server -> Serving                           it accepts connections
//! server -> Request(n)    init -> Reply(n)    wishes, decided by init
//! init   -> Session, Changed, Removed         facts, as they happen
//! init   -> ShuttingDown, Goodbye             the end
//! ```

pub mod codec;
pub mod message;
