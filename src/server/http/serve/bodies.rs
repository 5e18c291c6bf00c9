//! Bodies, watched: requests' for how long they take, answers' for their end.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::seats::Conduct;
use crate::server::metrics::Metrics;
use crate::server::metrics::connections::Cut;

/// How long a request's body may pause.
const PAUSE_TIME: Duration = Duration::from_secs(15);

/// How long it may take in all.
const BODY_TIME: Duration = Duration::from_secs(60);

/// A body that did not come in time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the request body did not come in time")]
pub struct SlowBody;

/// A request's body on its way.
#[derive(Debug)]
pub struct Arriving {
    body: Incoming,
    conduct: Arc<Conduct>,
    metrics: Arc<Metrics>,
    end: Instant,
    patience: Pin<Box<Sleep>>,
}

impl Arriving {
    /// Watches `body`.
    pub fn new(body: Incoming, conduct: Arc<Conduct>, metrics: Arc<Metrics>) -> Self {
        let now = Instant::now();
        let patience = Box::pin(tokio::time::sleep_until(now + PAUSE_TIME));
        Self { body, conduct, metrics, end: now + BODY_TIME, patience }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        // A trickle is always ready for more, so time is looked at first.
        if this.patience.as_mut().poll(cx).is_ready() {
            this.metrics.connections.cut(Cut::SlowBody);
            return Poll::Ready(Some(Err(SlowBody.into())));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else { return Poll::Pending };
        match &frame {
            Some(Ok(_)) => this.patience.as_mut().reset(this.end.min(Instant::now() + PAUSE_TIME)),
            Some(Err(_)) | None => this.conduct.has_body(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.conduct.has_body();
    }
}

/// An answer's body; when it is gone, the answer is given.
#[derive(Debug)]
pub struct Leaving {
    body: Body,
    conduct: Arc<Conduct>,
}

impl Leaving {
    /// Watches `body`.
    pub fn new(body: Body, conduct: Arc<Conduct>) -> Self {
        Self { body, conduct }
    }
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.conduct.answered();
    }
}
