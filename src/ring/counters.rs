//! The memory orders of the ring, apart from where the words live, so that the
//! tests can run them on loom's atomics.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};

/// A 64-bit word shared with another process.
pub trait Word {
    /// Atomic load.
    fn load(&self, order: Ordering) -> u64;
    /// Atomic store.
    fn store(&self, value: u64, order: Ordering);
    /// Atomic exchange.
    fn swap(&self, value: u64, order: Ordering) -> u64;
    /// A fence of the same memory model.
    fn fence(order: Ordering);
}

impl Word for AtomicU64 {
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.swap(value, order)
    }
    fn fence(order: Ordering) {
        std::sync::atomic::fence(order);
    }
}

/// Writer: announce that everything below `reserved` may change from now on.
pub fn reserve<W: Word>(word: &W, reserved: u64) {
    word.store(reserved, Ordering::Relaxed);
    // Orders the announcement before the data: whoever sees a byte written
    // after this fence, and then fences with Acquire, sees the announcement.
    W::fence(Ordering::Release);
}

/// Writer: make all bytes below `head` readable.
pub fn publish<W: Word>(word: &W, head: u64) {
    word.store(head, Ordering::Release);
}

/// Reader: the offset below which bytes are readable.
pub fn head<W: Word>(word: &W) -> u64 {
    word.load(Ordering::Acquire)
}

/// Reader, after copying: what the writer may have touched meanwhile.
pub fn reserved_after_copy<W: Word>(word: &W) -> u64 {
    W::fence(Ordering::Acquire);
    word.load(Ordering::Relaxed)
}

/// One side: say that I am about to sleep until the other has done something.
///
/// Followed by a look at what the other side publishes. The full fence keeps
/// the two in order; with the one in [`take_wish`] it is impossible that the
/// sleeper misses the news and the other misses the wish.
pub fn wish<W: Word>(word: &W) {
    word.store(1, Ordering::Relaxed);
    W::fence(Ordering::SeqCst);
}

/// The other side, after publishing: is somebody asleep? Takes the wish.
pub fn take_wish<W: Word>(word: &W) -> bool {
    W::fence(Ordering::SeqCst);
    word.load(Ordering::Relaxed) != 0 && word.swap(0, Ordering::Relaxed) != 0
}

/// The other side, where it can't write the word: is somebody asleep?
pub fn is_wished<W: Word>(word: &W) -> bool {
    W::fence(Ordering::SeqCst);
    word.load(Ordering::Relaxed) != 0
}

#[cfg(test)]
mod tests {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicU64;
    use loom::thread;

    use super::{Ordering, Word, head, publish, reserve, reserved_after_copy, take_wish, wish};

    impl Word for AtomicU64 {
        fn load(&self, order: Ordering) -> u64 {
            self.load(order)
        }
        fn store(&self, value: u64, order: Ordering) {
            self.store(value, order);
        }
        fn swap(&self, value: u64, order: Ordering) -> u64 {
            self.swap(value, order)
        }
        fn fence(order: Ordering) {
            loom::sync::atomic::fence(order);
        }
    }

    const CAPACITY: u64 = 2;
    const SLOTS: usize = 2;

    fn slot(offset: u64) -> usize {
        usize::from(!offset.is_multiple_of(CAPACITY))
    }

    struct Shared {
        head: AtomicU64,
        reserved: AtomicU64,
        wish: AtomicU64,
        data: [AtomicU64; SLOTS],
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
            self.data[slot(offset)].store(offset + 1, Ordering::Relaxed);
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
                let value = ring.data[slot(offset)].load(Ordering::Relaxed);
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
