//! Work that may have to wait for a disk, off the server's one thread.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

/// Of the thread that does it; nothing here is deep.
const STACK: usize = 256 << 10;

/// Lets a thread do what may have to wait for a disk. It lives only as long,
/// so that a quiet server has one thread. In a container that is out of
/// processes there is none to be had, and the wait is everybody's.
///
/// None if the work did not come to its end.
pub async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, outcome) = oneshot::channel();
    let run = move || drop(done.send(work()));
    // A failed spawn drops its closure, so it is given a way to the work only.
    let run = Arc::new(Mutex::new(Some(run)));
    let theirs = Arc::clone(&run);
    let thread = thread::Builder::new().name("quarterdeck-disk".into()).stack_size(STACK);
    if thread.spawn(move || take_up(&theirs)).is_err() {
        take_up(&run);
    }
    outcome.await.ok()
}

fn take_up(work: &Mutex<Option<impl FnOnce()>>) {
    let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(work) = work {
        work();
    }
}

/// Makes a file that only we may read, down to the disk, in the place of one
/// that was left half written.
///
/// # Errors
/// What removing, creating, writing or `fsync(2)` returns.
pub fn write_through(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}
