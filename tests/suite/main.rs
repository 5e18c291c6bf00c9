//! The integration suite: the real binary, driven through its real interfaces.

#![allow(clippy::print_stderr, reason = "the harness shows what a failed test printed")]

mod support;

mod attach;
mod attention;
mod bad_command_line;
mod bad_messages;
mod bad_requests;
mod client_commands;
mod container_restart;
mod controls;
mod fan_out;
mod first_process;
mod fresh_login;
mod generated;
mod history;
mod idle;
mod layering;
mod lifecycle;
mod limits;
mod logging;
mod main_end;
mod main_names;
mod main_names_signals;
mod main_signals;
mod main_start;
mod main_terminal;
mod metrics;
mod out_of_memory;
mod peers;
mod processes;
mod real_programs;
mod reconnect;
mod regressions;
mod resources;
mod restore;
mod resume_command;
mod retained;
mod server_restart;
mod session_end;
mod session_usage;
mod short_lived;
mod shutdown;
mod state_disk;
mod state_file;
mod streaming;
mod sweep;
mod text;
mod torture;
mod upgrade;
mod worktree_errors;
mod worktree_kills;
mod worktree_losses;
mod worktrees;
