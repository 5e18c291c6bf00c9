//! A client's socket, read no faster and waited for no longer than is due.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::bucket::Bucket;
use super::seats::Seat;
use crate::server::metrics::connections::Cut;

/// Bytes that are read at a time before others get their turn. They may be
/// thousands of frames, all of which are looked at in it.
pub const TURN: usize = 8 * 1024;

/// Bytes a second that are read of one connection; what is beyond waits.
const BYTES_PER_SECOND: f64 = 32.0 * 1024.0 * 1024.0;

/// Bytes that may come faster, as a time at that rate.
const BURST: Duration = Duration::from_secs(1);

/// How long a client may take nothing of what is to be sent to it. Longer than
/// a WebSocket may be silent, which is found out first and told.
const UNREAD_TIME: Duration = Duration::from_secs(90);

/// The socket of one connection.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    seat: Seat,
    turn: usize,
    inflow: Bucket,
    /// Until when nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
    /// Until when the client has to say something.
    patience: Option<Pin<Box<Sleep>>>,
    /// Until when the client has to take something.
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    /// The socket at this place.
    pub fn new(stream: S, seat: Seat) -> Self {
        let inflow = Bucket::new(BYTES_PER_SECOND, BURST, Instant::now());
        Self { stream, seat, turn: 0, inflow, pause: None, patience: None, stall: None }
    }

    /// Whether it is not yet time to read.
    fn is_paused(&mut self, cx: &mut Context<'_>) -> bool {
        if self.turn >= TURN {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return true;
        }
        let is_pending = self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_pending());
        if !is_pending {
            self.pause = None;
        }
        is_pending
    }

    fn took(&mut self, bytes: usize) {
        self.seat.conduct().received();
        self.turn += bytes;
        #[allow(clippy::cast_precision_loss, reason = "the size of one read")]
        let wait = self.inflow.spend(bytes as f64, Instant::now());
        if !wait.is_zero() {
            self.pause = Some(Box::pin(tokio::time::sleep(wait)));
        }
    }

    /// Nothing has come: ends the connection if that was to be expected by now.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some((deadline, cut)) = self.seat.conduct().deadline() else {
            self.patience = None;
            self.seat.conduct().call(cx.waker());
            return Poll::Pending;
        };
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        if patience.deadline() != deadline.into() {
            patience.as_mut().reset(deadline.into());
        }
        if patience.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.seat.cut(cut);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stall = None;
            self.seat.conduct().sent();
            return result;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(UNREAD_TIME)));
        if stall.as_mut().poll(cx).is_pending() && !self.seat.conduct().is_answer_overdue() {
            return Poll::Pending;
        }
        self.seat.cut(Cut::Unread);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_paused(cx) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let bytes = buf.filled().len() - before;
                if bytes > 0 {
                    this.took(bytes);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                this.turn = 0;
                this.wait(cx)
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.written(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
