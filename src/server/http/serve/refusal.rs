//! A last word on connections that no request of is served.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

use crate::server::http::error::ApiError;

/// Connections at once that get a last word.
const FAREWELLS_MAX: usize = 32;

/// How long it may take.
const TIME: Duration = Duration::from_secs(1);

/// Bytes that are read and thrown away meanwhile.
const DISCARD_MAX: u64 = 64 * 1024;

/// Says farewell to some connections at a time; others are just closed.
#[derive(Clone, Debug)]
pub struct Farewells(Arc<Semaphore>);

impl Default for Farewells {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FAREWELLS_MAX)))
    }
}

impl Farewells {
    /// Answers with the error and closes, without waiting for that.
    pub fn send<S>(&self, mut stream: S, error: &ApiError)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let answer = error.raw();
        tokio::spawn(async move {
            let _permit = permit;
            let _ = tokio::time::timeout(TIME, async {
                stream.write_all(&answer).await?;
                stream.shutdown().await?;
                // Closing a socket with unread bytes would take back what was
                // sent: the peer gets a reset (RFC 9112, section 9.6).
                tokio::io::copy(&mut stream.take(DISCARD_MAX), &mut tokio::io::sink()).await
            })
            .await;
        });
    }
}
