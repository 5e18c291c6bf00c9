//! The real binary as PID 1 of a container with a writable cgroup of version 2.

#![allow(clippy::print_stderr, reason = "the harness shows what a failed test printed")]

#[path = "../suite/out_of_memory.rs"]
mod out_of_memory;
#[path = "../suite/session_usage.rs"]
mod session_usage;
#[path = "../suite/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "these tests need fewer of the suite's actors")]
mod support;

#[path = "../suite/resources.rs"]
mod resources;

mod container;
mod delegation;
mod page_cache;
mod sessions;
