//! Every raw system call and every `unsafe` line, one concern a file.
//!
//! The rest of the crate denies `unsafe`; a reader who wants to audit it reads
//! this folder and nothing else.

pub mod arguments;
pub mod eventfd;
pub mod inherited;
pub mod log_fd;
pub mod memfd;
pub mod net;
pub mod oom;
pub mod pages;
pub mod pidfd;
pub mod pipe;
pub mod place;
pub mod poll;
pub mod process;
pub mod pty;
pub mod reap;
pub mod rights;
pub mod sched;
pub mod seqpacket;
pub mod service;
pub mod signals;
pub mod spawn;
pub mod tag;
pub mod terminal;
pub mod timer;
pub mod watched;
