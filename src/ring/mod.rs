//! The output ring: one writer (init), any number of readers (the server).
//!
//! Per session one sealed memfd holds a header page and a power-of-two data
//! area. Offsets are absolute: the session's first byte is byte 0, for ever. The
//! ring of a session that lived before, in an earlier container, begins at the
//! offset where the history of that life ends: its base.
//!
//! ```text
//!    oldest = max(base, reserved - capacity)   head      reserved
//!               |                               |           |
//!   ------------[===============================]- - - - - -)----> offsets
//!                 retained, readable             being written
//! ```
//!
//! The writer publishes `reserved`, lets the kernel write into the reserved
//! range, then publishes `head`. A reader copies first and looks at `reserved`
//! afterwards: if the copy's start is no longer retained by then, the copy may
//! be torn and is thrown away, and the answer is a gap. This is a sequence
//! lock with offsets as the sequence; `counters` holds the memory orders, and
//! a loom model proves them.
//!
//! What readers tell the writer travels in a second page, [`hint`], which the
//! writer only ever uses clamped.

pub mod counters;
pub mod hint;
pub mod layout;
pub mod reader;
pub mod writer;

#[cfg(test)]
mod tests;
