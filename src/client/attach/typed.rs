//! What was typed, on its way to the session.
//!
//! It stays here until the server says that it is written, so that none is lost
//! with a server. What a dying server wrote and could not acknowledge any more
//! is typed again.

use std::collections::VecDeque;

use tokio::sync::OwnedSemaphorePermit;

/// Most bytes in one message, and in all that are not acknowledged.
const CHUNK: usize = 4 * 1024;
const WINDOW: usize = 64 * 1024;

/// Bytes that were typed, and the room they take.
#[derive(Debug)]
pub struct Typed {
    /// What to type.
    pub bytes: Vec<u8>,
    /// Given back when it is written.
    pub room: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
struct Chunk {
    typed: Typed,
    sequence: u64,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Queue {
    chunks: VecDeque<Chunk>,
    /// How many of them, from the front, are with the server.
    sent: usize,
    sent_bytes: usize,
    last_sequence: u64,
}

impl Queue {
    /// Puts bytes at its end.
    pub fn push(&mut self, typed: Typed) {
        let Typed { mut bytes, mut room } = typed;
        while !bytes.is_empty() {
            let rest = bytes.split_off(bytes.len().min(CHUNK));
            self.last_sequence += 1;
            // The last part gives the room back for all.
            let room = if rest.is_empty() { room.take() } else { None };
            self.chunks.push_back(Chunk { typed: Typed { bytes, room }, sequence: self.last_sequence });
            bytes = rest;
        }
    }

    /// The next message to send, if it is time for one: sequence number and
    /// bytes.
    pub fn next(&mut self) -> Option<(u64, &[u8])> {
        let chunk = self.chunks.get(self.sent)?;
        let bytes = &chunk.typed.bytes;
        if self.sent_bytes + bytes.len() > WINDOW {
            return None;
        }
        self.sent += 1;
        self.sent_bytes += bytes.len();
        Some((chunk.sequence, bytes))
    }

    /// Everything up to this sequence number is written.
    pub fn acknowledge(&mut self, sequence: u64) {
        while self.sent > 0 && self.chunks.front().is_some_and(|chunk| chunk.sequence <= sequence) {
            self.sent -= 1;
            let gone = self.chunks.pop_front();
            self.sent_bytes -= gone.map_or(0, |chunk| chunk.typed.bytes.len());
        }
    }

    /// The server is gone: what it did not acknowledge goes to the next one.
    pub fn rewind(&mut self) {
        (self.sent, self.sent_bytes) = (0, 0);
    }

    /// Nobody takes it any more.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.rewind();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> Typed {
        Typed { bytes: bytes.to_vec(), room: None }
    }

    fn drain(queue: &mut Queue) -> (Vec<u8>, u64) {
        let (mut bytes, mut last) = (Vec::new(), 0);
        while let Some((sequence, part)) = queue.next() {
            bytes.extend_from_slice(part);
            last = sequence;
        }
        (bytes, last)
    }

    #[test]
    fn what_is_not_acknowledged_is_sent_again_in_order() {
        let mut queue = Queue::default();
        queue.push(typed(b"one "));
        queue.push(typed(b"two "));
        assert_eq!(drain(&mut queue), (b"one two ".to_vec(), 2));
        queue.acknowledge(1);
        queue.push(typed(b"three"));
        queue.rewind();
        assert_eq!(drain(&mut queue), (b"two three".to_vec(), 3));
        queue.acknowledge(3);
        queue.rewind();
        assert_eq!(drain(&mut queue), (Vec::new(), 0));
    }

    #[test]
    fn no_more_than_the_window_is_on_its_way() {
        let all: Vec<u8> = (0u32..200_000).map(|n| n.to_le_bytes()[0]).collect();
        let mut queue = Queue::default();
        queue.push(typed(&all));
        let mut arrived = Vec::new();
        while arrived.len() < all.len() {
            let (bytes, last) = drain(&mut queue);
            assert!(!bytes.is_empty() && bytes.len() <= WINDOW);
            arrived.extend(bytes);
            queue.acknowledge(last);
        }
        assert_eq!(arrived, all);
    }
}
