//! Bytes that are known beforehand, and digests of them.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// SHA-256 as hexadecimal text.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Asserts equal bytes, naming the first difference rather than printing all.
#[track_caller]
pub fn assert_same(seen: &[u8], written: &[u8]) {
    if digest(seen) == digest(written) {
        return;
    }
    let differs = seen.iter().zip(written).position(|(a, b)| a != b);
    let at = differs.unwrap_or(seen.len().min(written.len()));
    let around =
        |bytes: &[u8]| String::from_utf8_lossy(&bytes[at.min(bytes.len())..(at + 60).min(bytes.len())]).into_owned();
    panic!(
        "{} bytes seen, {} written; first difference at {at}: seen {:?}, written {:?}",
        seen.len(),
        written.len(),
        around(seen),
        around(written)
    );
}

/// `len` bytes in which every value occurs.
pub fn binary(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// About `len` bytes of UTF-8 with characters of one to four bytes. No two
/// lines are equal, so a doubled or moved piece shows.
pub fn text(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = Vec::with_capacity(len + 128);
    for line in 0u64.. {
        if bytes.len() >= len {
            break;
        }
        let words =
            ["ascii only, as most of it", "Grüße nach Łódź", "日本語のテキスト", "𝄞 𝄢 🦀🦀", "\u{1b}[31mred\u{1b}[0m"];
        let word = words[random.usize(..words.len())];
        bytes.extend_from_slice(format!("{seed} {line} {word} {:x}\n", random.u64(..)).as_bytes());
    }
    bytes
}

/// About `len` bytes of ASCII lines, all different: text that may be cut anywhere.
pub fn ascii(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = text(seed, len);
    bytes.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'#');
    bytes
}

/// A payload in a file, for `cat`.
pub fn file(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).expect("a payload file");
    path
}

/// What [`stream`] prints when it is ready to be told to begin.
pub const READY: &[u8] = b"R";

/// A command that says [`READY`], waits for a byte, writes the file and exits
/// with 7. The terminal is raw, or it would turn each newline into two bytes.
pub fn stream(path: &Path) -> Vec<String> {
    shell(&format!("stty raw -echo; printf R; head -c 1 >/dev/null; cat {}; exit 7", path.display()))
}

/// A command that writes the file at once.
pub fn cat(path: &Path) -> Vec<String> {
    shell(&format!("stty raw -echo; cat {}", path.display()))
}

/// `sh -c SCRIPT`.
pub fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}
