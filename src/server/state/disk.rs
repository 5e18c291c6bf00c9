//! Something on a disk that may not answer.

use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use crate::server::disk::on_disk;

/// Something on a disk, used by one thread at a time.
#[derive(Debug)]
pub struct Disk<S> {
    store: Arc<Mutex<S>>,
    patience: Duration,
}

/// The disk did not answer in time, or still works on something earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent;

impl<S: Send + 'static> Disk<S> {
    /// For `store`, with so much patience for each piece of work.
    pub fn new(store: S, patience: Duration) -> Self {
        Self { store: Arc::new(Mutex::new(store)), patience }
    }

    /// Has it done beside the server's own thread, see [`on_disk`].
    ///
    /// # Errors
    /// [`Silent`]. What was begun goes on, and nothing else is begun before its
    /// end: a disk that comes back finds one piece of work, not hundreds.
    pub async fn work<T, W>(&self, work: W) -> Result<T, Silent>
    where
        T: Send + 'static,
        W: FnOnce(&mut S) -> T + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let run = move || match store.try_lock() {
            Ok(mut store) => Ok(work(&mut store)),
            Err(TryLockError::Poisoned(store)) => Ok(work(&mut store.into_inner())),
            Err(TryLockError::WouldBlock) => Err(Silent),
        };
        match tokio::time::timeout(self.patience, on_disk(run)).await {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Err(Silent),
        }
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
