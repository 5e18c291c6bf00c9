//! The Unix socket of the running quarterdeck.

use std::path::{Path, PathBuf};

use tokio::net::UnixStream;

use super::failure::Failure;

/// The places where the socket may be, best first.
#[derive(Clone, Debug)]
pub struct Sockets(pub Vec<PathBuf>);

impl Sockets {
    /// Connects to the first that somebody listens on.
    ///
    /// While no server runs, init's backlog takes the connection and the next
    /// server answers it.
    ///
    /// # Errors
    /// Nobody listens anywhere, or not to this user.
    pub async fn connect(&self) -> Result<UnixStream, Failure> {
        self.first().await.map(|(stream, _)| stream)
    }

    /// The path of the first that somebody listens on.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn find(&self) -> Result<PathBuf, Failure> {
        self.first().await.map(|(_, path)| path.to_owned())
    }

    async fn first(&self) -> Result<(UnixStream, &Path), Failure> {
        let mut failures = Vec::new();
        for path in &self.0 {
            match UnixStream::connect(path).await {
                Ok(stream) => return Ok((stream, path)),
                Err(error) => failures.push(explain(path, &error)),
            }
        }
        let message = format!("no running quarterdeck found ({})", failures.join("; "));
        Err(Failure::new(message).suggest("name its socket with --socket"))
    }
}

fn explain(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
