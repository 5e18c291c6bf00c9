//! Takes secrets out of what /proc tells of this process.
//!
//! `/proc/PID/cmdline` and `/proc/PID/environ` are windows into the process's
//! own memory, where `execve(2)` left the strings. Overwritten there, a secret
//! is gone from them; the process goes on with the copy it has made.

use std::slice;

/// What stands in the place of a secret.
const MASK: u8 = b'*';

/// Fields of `/proc/self/stat`, counted from 1 as `proc(5)` does.
const ARG_START: usize = 48;
const ENV_START: usize = 50;

/// A range of this process's memory.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: usize,
    end: usize,
}

/// Overwrites the value of `flag`, as the next argument or behind an `=`, and
/// that of the variable, wherever this process was started with them.
///
/// To be called on the only thread, after the command line and the environment
/// were read and before anybody else looks: `std` reads both again each time.
pub fn hide(flag: &str, variable: &str) {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return };
    if let Some(range) = range(&stat, ARG_START) {
        hide_in_arguments(memory(range), flag);
    }
    if let Some(range) = range(&stat, ENV_START) {
        hide_in_environment(memory(range), variable);
    }
}

/// A range whose ends are this field and the next one.
fn range(stat: &str, field: usize) -> Option<Range> {
    // The second field is a name, which may hold anything; the third follows the
    // last closing bracket.
    let rest = stat.rsplit_once(')')?.1;
    let mut fields = rest.split_ascii_whitespace().skip(field - 3);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (0 < start && start < end).then_some(Range { start, end })
}

fn memory(range: Range) -> &'static mut [u8] {
    // SAFETY: the kernel names the part of this process's stack that holds the
    // strings of execve(2): mapped, writable, and there as long as the process.
    // No reference into it is left: `std` and clap work on copies, and no other
    // thread runs that could read it meanwhile.
    unsafe { slice::from_raw_parts_mut(range.start as *mut u8, range.end - range.start) }
}

fn hide_in_arguments(strings: &mut [u8], flag: &str) {
    let mut is_next = false;
    for word in strings.split_mut(|byte| *byte == 0) {
        if is_next {
            word.fill(MASK);
            is_next = false;
        } else if word == b"--" {
            return;
        } else if word == flag.as_bytes() {
            is_next = true;
        } else if let Some(value) = word.strip_prefix_mut(flag) {
            value.fill(MASK);
        }
    }
}

fn hide_in_environment(strings: &mut [u8], variable: &str) {
    for entry in strings.split_mut(|byte| *byte == 0) {
        if let Some(value) = entry.strip_prefix_mut(variable) {
            value.fill(MASK);
        }
    }
}

trait StripPrefixMut {
    /// What follows `name` and an `=`.
    fn strip_prefix_mut(&mut self, name: &str) -> Option<&mut [u8]>;
}

impl StripPrefixMut for [u8] {
    fn strip_prefix_mut(&mut self, name: &str) -> Option<&mut [u8]> {
        let (start, value) = self.split_at_mut_checked(name.len() + 1)?;
        (start.starts_with(name.as_bytes()) && start.ends_with(b"=")).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(words: &str) -> String {
        let mut bytes = words.replace(' ', "\0").into_bytes();
        hide_in_arguments(&mut bytes, "--token");
        String::from_utf8(bytes).unwrap().replace('\0', " ")
    }

    #[test]
    fn the_value_goes_and_everything_else_stays() {
        assert_eq!(hidden("qd init --token secret --x"), "qd init --token ****** --x");
        assert_eq!(hidden("qd init --token=secret --x"), "qd init --token=****** --x");
        assert_eq!(hidden("qd init --token-file /f"), "qd init --token-file /f");
        assert_eq!(hidden("qd init --token"), "qd init --token");
        assert_eq!(hidden("qd init -- prog --token theirs"), "qd init -- prog --token theirs");
    }

    #[test]
    fn the_variable_goes_and_its_neighbours_stay() {
        let mut bytes = b"A=1\0QD_TOKEN=secret\0QD_TOKEN_FILE=/f\0QD_TOKEN".to_vec();
        hide_in_environment(&mut bytes, "QD_TOKEN");
        assert_eq!(bytes, b"A=1\0QD_TOKEN=******\0QD_TOKEN_FILE=/f\0QD_TOKEN");
    }

    #[test]
    fn the_ranges_are_found_behind_any_name() {
        let fields: Vec<String> = (4..=52).map(|n| (n * 1000).to_string()).collect();
        let stat = format!("1 (a ) b) S {}", fields.join(" "));
        let range = range(&stat, ARG_START).unwrap();
        assert_eq!((range.start, range.end), (48000, 49000));
    }
}
