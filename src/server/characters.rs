//! Where UTF-8 characters begin and end in bytes that come in pieces.

/// Length of `bytes` without a last character that could still become whole.
#[must_use]
pub fn complete_prefix(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(3);
    for start in (last..bytes.len()).rev() {
        match std::str::from_utf8(&bytes[start..]) {
            // A whole character after an incomplete one can't be: stop here.
            Ok(_) => return bytes.len(),
            Err(e) if e.valid_up_to() == 0 && e.error_len().is_none() => return start,
            Err(_) => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_become_whole_is_left_out() {
        for (bytes, complete) in [
            (&b""[..], 0),
            (b"abc", 3),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 1),
            (b"\xf0\x9f\x98", 0),
            ("€".as_bytes(), 3),
            (b"a\xff", 2),
            (b"\x80\x80\x80\x80", 4),
            (b"\xe2\x82\xc3", 2),
        ] {
            assert_eq!(complete_prefix(bytes), complete, "{bytes:?}");
        }
    }
}
