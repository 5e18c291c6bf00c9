//! The memory orders of the ring, apart from where the words live, so that
//! loom can run them.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Writer: announce that everything below `reserved` may change from now on.
pub fn reserve(word: &AtomicU64, reserved: u64) {
    word.store(reserved, Ordering::Relaxed);
    // Orders the announcement before the data: whoever sees a byte written
    // after this fence, and then fences with Acquire, sees the announcement.
    fence(Ordering::Release);
}

/// Writer: make all bytes below `head` readable.
pub fn publish(word: &AtomicU64, head: u64) {
    word.store(head, Ordering::Release);
}

/// Reader: the offset below which bytes are readable.
pub fn head(word: &AtomicU64) -> u64 {
    word.load(Ordering::Acquire)
}

/// Reader, after copying: what the writer may have touched meanwhile.
pub fn reserved_after_copy(word: &AtomicU64) -> u64 {
    fence(Ordering::Acquire);
    word.load(Ordering::Relaxed)
}

/// One side: say that I am about to sleep until the other has done something.
///
/// Followed by a look at what the other side publishes. The full fence keeps
/// the two in order; with the one in [`take_wish`] it is impossible that the
/// sleeper misses the news and the other misses the wish.
pub fn wish(word: &AtomicU64) {
    word.store(1, Ordering::Relaxed);
    fence(Ordering::SeqCst);
}

/// The other side, after publishing: is somebody asleep? Takes the wish.
pub fn take_wish(word: &AtomicU64) -> bool {
    fence(Ordering::SeqCst);
    word.load(Ordering::Relaxed) != 0 && word.swap(0, Ordering::Relaxed) != 0
}

/// The other side, where it can't write the word: is somebody asleep?
pub fn is_wished(word: &AtomicU64) -> bool {
    fence(Ordering::SeqCst);
    word.load(Ordering::Relaxed) != 0
}

#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    const CAPACITY: u64 = 2;

    struct Shared {
        head: AtomicU64,
        reserved: AtomicU64,
        wish: AtomicU64,
        data: [AtomicU64; CAPACITY as usize],
    }

    impl Shared {
        fn new() -> Self {
            Self {
                head: AtomicU64::new(0),
                reserved: AtomicU64::new(0),
                wish: AtomicU64::new(0),
                data: [AtomicU64::new(0), AtomicU64::new(0)],
            }
        }

        /// Byte number `offset` has the value `offset + 1`.
        fn write(&self, offset: u64) {
            reserve(&self.reserved, offset + 1);
            self.data[(offset % CAPACITY) as usize].store(offset + 1, Ordering::Relaxed);
            publish(&self.head, offset + 1);
        }
    }

    #[test]
    fn ring_copy_is_right_or_known_to_be_overtaken() {
        loom::model(|| {
            let ring = Arc::new(Shared::new());
            let writer = Arc::clone(&ring);
            let thread = thread::spawn(move || (0..4).for_each(|offset| writer.write(offset)));
            let head = head(&ring.head);
            if head > 0 {
                let offset = head - 1;
                let value = ring.data[(offset % CAPACITY) as usize].load(Ordering::Relaxed);
                let oldest = reserved_after_copy(&ring.reserved).saturating_sub(CAPACITY);
                assert!(oldest > offset || value == offset + 1, "a torn copy was taken for good");
            }
            thread.join().unwrap();
        });
    }

    #[test]
    fn ring_sleeper_is_always_woken() {
        loom::model(|| {
            let ring = Arc::new(Shared::new());
            let writer = Arc::clone(&ring);
            let thread = thread::spawn(move || {
                writer.write(0);
                take_wish(&writer.wish)
            });
            wish(&ring.wish);
            let seen = head(&ring.head) == 1;
            let rung = thread.join().unwrap();
            assert!(seen || rung, "the reader sleeps and nobody rings");
        });
    }
}
