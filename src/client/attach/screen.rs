//! Standard output, written by a thread of its own: a terminal that takes
//! nothing for a while must not keep us from reading keys.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::stdio::stdout;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Most bytes of one write: after each it is asked whether to go on.
const PIECE: usize = 4096;

/// A piece of output.
struct Piece {
    bytes: Vec<u8>,
    /// The offset behind it in the session's output.
    end: u64,
}

/// What the thread reports.
pub type Progress = io::Result<u64>;

/// The queue to standard output. The window of the attachment bounds it.
#[derive(Debug)]
pub struct Screen {
    pieces: mpsc::Sender<Piece>,
    progress: UnboundedReceiver<Progress>,
    is_given_up: Arc<AtomicBool>,
    pushed: u64,
    written: u64,
}

impl Screen {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn open() -> io::Result<Self> {
        let (pieces, queue) = mpsc::channel();
        let (report, progress) = unbounded_channel();
        let is_given_up = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_given_up);
        thread::Builder::new().name("output".into()).spawn(move || write_all(&queue, &report, &asked))?;
        Ok(Self { pieces, progress, is_given_up, pushed: 0, written: 0 })
    }

    /// Shows `bytes`, after which everything below `end` is shown.
    pub fn push(&mut self, bytes: Vec<u8>, end: u64) {
        self.pushed = end;
        // A thread that has ended has reported why.
        let _ = self.pieces.send(Piece { bytes, end });
    }

    /// Waits until more is written, and says up to where.
    pub async fn progress(&mut self) -> Progress {
        let mut latest = self.progress.recv().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))?;
        while let Ok(more) = self.progress.try_recv() {
            latest = more?;
        }
        self.written = latest;
        Ok(latest)
    }

    /// Whether everything is written.
    pub fn is_done(&self) -> bool {
        self.written >= self.pushed
    }

    /// Lets go of what is not written yet.
    pub fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }
}

fn write_all(queue: &mpsc::Receiver<Piece>, report: &UnboundedSender<Progress>, is_given_up: &AtomicBool) {
    while let Ok(piece) = queue.recv() {
        for part in piece.bytes.chunks(PIECE) {
            if is_given_up.load(Ordering::Relaxed) {
                break;
            }
            if let Err(error) = write(part) {
                let _ = report.send(Err(error));
                return;
            }
        }
        if report.send(Ok(piece.end)).is_err() {
            return;
        }
    }
}

fn write(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stdout(), bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::INTR) => {}
            // Somebody who shares it does not want it to block.
            Err(Errno::AGAIN) => {
                let out = stdout();
                poll(&mut [PollFd::new(&out, PollFlags::OUT)], None)?;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
