#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it prints figures"
)]
//! Whole-path measurements of the real binary: `scripts/bench` runs them.
//!
//! Nothing here passes or fails; it prints figures. The binary is the one named
//! by QUARTERDECK_BIN.

mod abuse;
mod client;
mod contained;
mod inits;
mod measure;
mod rig;
mod trouble;

use std::time::Duration;

use rig::Rig;

fn main() {
    // `cargo test --all-targets` and `cargo bench` pass flags of their own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if runs("size") {
        row("binary size", &format!("{:.2} MB", rig::binary_size() as f64 / 1e6));
    }
    if runs("start") {
        measure::start_to_listening();
    }
    if runs("memory") {
        measure::memory();
    }
    if runs("quiet") {
        measure::quiet();
    }
    if runs("create") {
        measure::post_to_first_byte();
    }
    if runs("echo") {
        measure::echo("quiet", 0);
        measure::echo("beside three floods", 3);
    }
    if runs("throughput") {
        measure::throughput(1);
        measure::throughput(4);
    }
    if runs("sweep") {
        trouble::sweep();
    }
    if runs("restart") {
        trouble::restarts();
    }
    if runs("abuse") {
        abuse::measure();
    }
    if runs("init") {
        inits::compare();
    }
}

/// Prints one figure.
pub fn row(name: &str, value: &str) {
    println!("| {name} | {value} |");
}

/// The value below which `share` of the samples lie, in milliseconds.
pub fn percentile(samples: &mut [Duration], share: f64) -> f64 {
    samples.sort_unstable();
    let at = ((samples.len() as f64 * share) as usize).min(samples.len() - 1);
    samples[at].as_secs_f64() * 1e3
}

/// A fresh quarterdeck for one measurement.
pub fn fresh() -> Rig {
    Rig::start(&[])
}
