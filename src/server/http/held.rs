//! Large answers: sent in slices, and together bounded in what they hold.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::ApiError;

/// Most KiB that answers on their way may hold together.
const HELD_MAX: usize = 64 * 1024;

/// How long an answer waits for others to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that are handed to a connection at a time.
const SLICE: usize = 64 * 1024;

static HELD: Semaphore = Semaphore::const_new(HELD_MAX);

/// Room for one answer.
#[derive(Debug)]
pub struct Room {
    _permit: SemaphorePermit<'static>,
}

/// Room for an answer of at most so many bytes.
///
/// # Errors
/// `BUSY`, if clients don't take what they asked for.
pub async fn room(bytes: usize) -> Result<Room, ApiError> {
    let kib = u32::try_from(bytes.div_ceil(1024).clamp(1, HELD_MAX)).unwrap_or(u32::MAX);
    match tokio::time::timeout(PATIENCE, HELD.acquire_many(kib)).await {
        Ok(Ok(permit)) => Ok(Room { _permit: permit }),
        Ok(Err(_)) | Err(_) => Err(ApiError::answers_pile_up()),
    }
}

impl Room {
    /// These bytes as a body that gives the room back once they are sent.
    pub fn body(self, bytes: Vec<u8>) -> Body {
        Body::new(Held { bytes: bytes.into(), _room: self })
    }
}

struct Held {
    bytes: Bytes,
    _room: Room,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let slice = this.bytes.split_to(SLICE.min(this.bytes.len()));
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }
}
