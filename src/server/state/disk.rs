//! Something on a disk that may not answer, with a thread of its own.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::server::disk::on_disk;

/// Of the thread that does the work; parsing is not deep.
const STACK: usize = 256 << 10;

type Job = Box<dyn FnOnce() + Send>;

/// Something on a disk, used by one thread at a time.
#[derive(Debug)]
pub struct Disk<S> {
    store: Arc<Mutex<S>>,
    /// To the thread, once there is one. It is kept: where processes have run
    /// out no other can be made, and the API would wait for the disk.
    thread: Mutex<Option<Sender<Job>>>,
    patience: Duration,
}

/// The disk did not answer in time, or still works on something earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

impl<S: Send + 'static> Disk<S> {
    /// For `store`, with so much patience for each piece of work.
    pub fn new(store: S, patience: Duration) -> Self {
        Self { store: Arc::new(Mutex::new(store)), thread: Mutex::default(), patience }
    }

    /// Has it done beside the server's own thread.
    ///
    /// # Errors
    /// [`Silent`]. What was begun goes on, and nothing else is begun before its
    /// end: a disk that comes back finds one piece of work, not hundreds.
    pub async fn work<T, W>(&self, work: W) -> Result<T, Silent>
    where
        T: Send + 'static,
        W: FnOnce(&mut S) -> T + Send + 'static,
    {
        if matches!(self.store.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Silent);
        }
        let store = Arc::clone(&self.store);
        let run = move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner));
        match tokio::time::timeout(self.patience, self.beside(run)).await {
            Ok(Some(result)) => Ok(result),
            Ok(None) | Err(_) => Err(Silent),
        }
    }

    async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let Some(thread) = self.thread() else { return on_disk(work).await };
        let (done, outcome) = oneshot::channel();
        thread.send(Box::new(move || drop(done.send(work())))).ok()?;
        outcome.await.ok()
    }

    /// The thread, made if there is none yet; none if it can't be made.
    fn thread(&self) -> Option<Sender<Job>> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let (sender, jobs) = channel::<Job>();
            let made = thread::Builder::new().name("qd-state".into()).stack_size(STACK);
            // It ends with the sender.
            *thread = made.spawn(move || jobs.into_iter().for_each(|job| job())).ok().map(|_| sender);
        }
        thread.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn work_is_done_and_its_result_given() {
        let disk = Disk::new(1, Duration::from_secs(60));
        let add = |n| move |store: &mut i32| std::mem::replace(store, *store + n);
        assert_eq!(run(async { (disk.work(add(2)).await, disk.work(add(4)).await) }), (Ok(1), Ok(3)));
    }

    #[test]
    fn a_disk_that_does_not_answer_is_not_waited_for_and_gets_no_more_work() {
        let disk = Disk::new((), Duration::from_millis(20));
        let (answer, wait) = mpsc::channel::<()>();
        let (over, is_over) = mpsc::channel();
        run(async {
            let hanging = disk.work(move |()| {
                let _ = wait.recv();
                over.send(()).unwrap();
            });
            assert_eq!(hanging.await, Err(Silent));
            assert_eq!(disk.work(|()| panic!("beside the other")).await, Err::<(), _>(Silent));
        });
        drop(answer);
        is_over.recv().unwrap();
        run(async {
            while disk.work(|()| ()).await == Err(Silent) {
                // The other thread has sent its word and not let go yet.
            }
        });
    }
}
