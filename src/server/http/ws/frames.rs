//! The binary form's frames: `kind u8, reserved u8, channel u16, reserved u32,
//! offset u64, payload`, little endian.

use bytes::{BufMut, BytesMut};

/// Length of a frame's head.
pub const HEAD: usize = 16;

const OUTPUT: u8 = 1;
const INPUT: u8 = 2;

/// A client's input frame.
#[derive(Debug, PartialEq, Eq)]
pub struct InputFrame<'a> {
    /// The channel that `session.attached` named.
    pub channel: u16,
    /// The client's own number for this input.
    pub sequence: u64,
    /// What to write.
    pub payload: &'a [u8],
}

/// Why a binary message is no input frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than a head.
    #[error("a binary frame has a head of {HEAD} bytes, this one has {0}")]
    Short(usize),
    /// A kind that a client does not send.
    #[error("a client sends binary frames of kind {INPUT} (input) only, this one is of kind {0}")]
    Kind(u8),
    /// Not zero where it must be.
    #[error("the reserved bytes of a binary frame must be zero")]
    Reserved,
}

/// Starts an output frame; the payload is appended by the caller.
pub fn start_output(buffer: &mut BytesMut, channel: u16, offset: u64) {
    buffer.put_u8(OUTPUT);
    buffer.put_u8(0);
    buffer.put_u16_le(channel);
    buffer.put_u32_le(0);
    buffer.put_u64_le(offset);
}

/// Reads a client's frame.
///
/// # Errors
/// [`FrameError`].
pub fn parse_input(bytes: &[u8]) -> Result<InputFrame<'_>, FrameError> {
    let Some((head, payload)) = bytes.split_first_chunk::<HEAD>() else {
        return Err(FrameError::Short(bytes.len()));
    };
    let [kind, reserved, c0, c1, r0, r1, r2, r3, sequence @ ..] = *head;
    if kind != INPUT {
        return Err(FrameError::Kind(kind));
    }
    if [reserved, r0, r1, r2, r3] != [0; 5] {
        return Err(FrameError::Reserved);
    }
    Ok(InputFrame { channel: u16::from_le_bytes([c0, c1]), sequence: u64::from_le_bytes(sequence), payload })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_output_head_is_laid_out_as_documented() {
        let mut buffer = BytesMut::new();
        start_output(&mut buffer, 0x0102, 0x0304_0506_0708_090a);
        assert_eq!(&buffer[..], [1, 0, 2, 1, 0, 0, 0, 0, 10, 9, 8, 7, 6, 5, 4, 3]);
    }

    #[test]
    fn other_frames_are_refused() {
        assert_eq!(parse_input(&[2; 15]), Err(FrameError::Short(15)));
        assert_eq!(parse_input(&[1; 16]), Err(FrameError::Kind(1)));
        let mut frame = [0u8; 16];
        frame[0] = 2;
        assert!(parse_input(&frame).is_ok());
        frame[5] = 1;
        assert_eq!(parse_input(&frame), Err(FrameError::Reserved));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = parse_input(&bytes);
        }
    }
}
