//! A recording that somebody else may have written to.
#![no_main]

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use quarterdeck::server::history::{cast, segment};
use quarterdeck::sys::memfd;

const MAX: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = cast::Decoder::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(cast::Line::Output(output)) = decoder.line(line) {
            assert!(output.len() <= bytes.len());
        }
    }
    let mut file = File::from(memfd::create("fuzz", bytes.len().max(1)).expect("memory"));
    file.write_all(bytes).expect("room");
    file.rewind().expect("a file");
    let Some(tail) = segment::tail(&file, bytes.len() as u64).expect("a file that can be read") else { return };
    assert!(tail.len <= bytes.len() as u64, "{tail:?}");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    for back in [0, 1, 7, 1000] {
        let offset = tail.end.saturating_sub(back);
        if let Ok(found) = segment::read(&path, offset, tail.end, MAX) {
            assert!(!found.is_empty() && found.len() <= MAX);
            assert!(found.len() as u64 <= back, "more than there is until the end");
        }
    }
});
