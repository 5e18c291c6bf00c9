//! What a WebSocket client may send, as text and as binary frames, and the text
//! that a session's bytes become.
#![no_main]

use libfuzzer_sys::fuzz_target;
use quarterdeck::fuzzing::{ClientMessage, HEAD, Utf8, parse_input};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = serde_json::from_str::<ClientMessage>(text);
    }
    if let Ok(frame) = parse_input(bytes) {
        assert_eq!(frame.payload, &bytes[HEAD..]);
        assert_eq!(
            (frame.channel.to_le_bytes(), frame.sequence.to_le_bytes().as_slice()),
            ([bytes[2], bytes[3]], &bytes[8..16])
        );
    }
    cuts(bytes);
});

/// However the bytes come, the text is the same, and an offset that of its first
/// byte.
fn cuts(bytes: &[u8]) {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let (mut utf8, mut text, mut at) = (Utf8::default(), String::new(), 0);
    for piece in bytes.chunks(usize::from(size % 7) + 1) {
        if let Some(decoded) = utf8.push(piece, at) {
            let before = usize::try_from(decoded.offset).expect("small");
            assert_eq!(String::from_utf8_lossy(&bytes[..before]), text);
            text.push_str(&decoded.text);
        }
        at += piece.len() as u64;
    }
    text.extend(utf8.flush(at).map(|decoded| decoded.text));
    assert_eq!(String::from_utf8_lossy(bytes), text);
}
