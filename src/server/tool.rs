//! What a tool prints, as far as anybody wants to know it.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::sync::oneshot;

use crate::model::session::ExitStatus;
use crate::sys::pipe;
use crate::sys::watched::{Watched, watch};

/// Kept of each of a tool's two outputs, in bytes; the rest is read and dropped.
const KEPT_MAX: usize = 64 * 1024;

/// A tool that has ended.
#[derive(Debug)]
pub struct Finished {
    /// How.
    pub status: ExitStatus,
    /// Whether that was because it had used up its time.
    pub is_overdue: bool,
    /// Its standard output.
    pub output: Printed,
    /// Its standard error.
    pub errors: Printed,
}

/// The beginning of what was printed.
#[derive(Debug, Default)]
pub struct Printed {
    /// At most [`KEPT_MAX`] bytes.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// One end of a pipe and what came out of it.
#[derive(Debug, Default)]
struct Output {
    pipe: Option<Watched>,
    printed: Printed,
}

impl Output {
    /// Reads once; waits until there is something, for ever if nothing can come.
    async fn read(&mut self) {
        let Some(pipe) = &self.pipe else { return std::future::pending().await };
        match pipe.async_io(Interest::READABLE, piece).await {
            Ok(bytes) if !bytes.is_empty() => self.keep(&bytes),
            // Its end; or an error, which no pipe has.
            Ok(_) | Err(_) => self.pipe = None,
        }
    }

    /// Reads what is there now. A program that the tool left behind may hold
    /// the pipe open for ever.
    fn drain(&mut self) -> io::Result<()> {
        let Some(pipe) = self.pipe.take() else { return Ok(()) };
        while !self.printed.is_cut {
            let bytes = piece(pipe.get_ref())?;
            if bytes.is_empty() {
                return Ok(());
            }
            self.keep(&bytes);
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT_MAX - self.printed.bytes.len();
        self.printed.is_cut |= bytes.len() > room;
        self.printed.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// What is there now, some of it; empty at the end.
fn piece(pipe: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 8192];
    let n = pipe::read(pipe, &mut buffer)?;
    Ok(buffer[..n].to_vec())
}

/// Takes what a tool prints while it runs, so that it never waits for us.
#[derive(Debug)]
pub struct Collector {
    /// Gives the pipes once the tool is started.
    start: Option<oneshot::Receiver<Vec<OwnedFd>>>,
    outputs: [Output; 2],
}

impl Collector {
    /// One for the tool that these pipes will belong to.
    pub fn new(start: oneshot::Receiver<Vec<OwnedFd>>) -> Self {
        Self { start: Some(start), outputs: Default::default() }
    }

    /// Takes a piece. Nothing is lost when this is dropped before it is ready.
    pub async fn collect(&mut self) {
        if let Some(start) = &mut self.start {
            let pipes = start.await.unwrap_or_default();
            self.take(pipes);
            return;
        }
        let [output, errors] = &mut self.outputs;
        tokio::select! {
            () = output.read() => {}
            () = errors.read() => {}
        }
    }

    fn take(&mut self, pipes: Vec<OwnedFd>) {
        self.start = None;
        for (output, pipe) in self.outputs.iter_mut().zip(pipes) {
            output.pipe = watch(pipe, Interest::READABLE).ok();
        }
    }

    /// The tool has ended: what it printed, output and errors.
    pub fn finish(mut self) -> (Printed, Printed) {
        // Both came over the link in this order, but this task may have been
        // told of the end first.
        if let Some(Ok(pipes)) = self.start.as_mut().map(oneshot::Receiver::try_recv) {
            self.take(pipes);
        }
        self.outputs.iter_mut().for_each(|output| drop(output.drain()));
        let [output, errors] = self.outputs;
        (output.printed, errors.printed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_cut_and_told() {
        let mut output = Output::default();
        output.keep(&[b'x'; KEPT_MAX - 1]);
        assert!(!output.printed.is_cut);
        output.keep(b"y");
        assert!(!output.printed.is_cut);
        output.keep(b"zz");
        assert!(output.printed.is_cut);
        assert_eq!((output.printed.bytes.len(), output.printed.bytes.last()), (KEPT_MAX, Some(&b'y')));
    }
}
