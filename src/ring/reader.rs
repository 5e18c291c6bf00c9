//! The reading side: the server copies out of the ring by absolute offset.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::counters::{self, Ordering};
use super::layout::{Capacity, HEADER, READ_MAX, word};
use crate::sys::memfd::{self, Access, Mapping};

/// Read access to one ring. Cheap to share; a reader is just an offset.
///
/// The data is copied with `pread(2)` and not through a mapping: the kernel
/// does the copy, so a writer that overtakes it is no data race, and the ring's
/// pages don't count as this process's memory.
#[derive(Debug)]
pub struct RingReader {
    header: Mapping,
    capacity: Capacity,
    fd: OwnedFd,
}

/// What a read at an offset found.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes were copied.
    Bytes(usize),
    /// The bytes at the offset are gone; the oldest that can still be read.
    Gap(u64),
}

impl RingReader {
    /// Opens a ring received from init.
    ///
    /// # Errors
    /// `InvalidInput` if the file is no ring, else what `mmap(2)` returns.
    pub fn open(fd: OwnedFd) -> io::Result<Self> {
        let capacity = Capacity::of_file(memfd::size(&fd)?).ok_or(io::ErrorKind::InvalidInput)?;
        let header = Mapping::new(&fd, HEADER, Access::Read)?;
        Ok(Self { header, capacity, fd })
    }

    /// Bytes the ring retains at most.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity.bytes()
    }

    /// Bytes ever written: the offset of the next byte to come.
    #[must_use]
    pub fn head(&self) -> u64 {
        counters::head(self.header.word(word::HEAD))
    }

    /// The offset of the ring's first byte.
    fn base(&self) -> u64 {
        self.header.word(word::BASE).load(Ordering::Relaxed)
    }

    /// The oldest offset that a read can still find.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.capacity.oldest(self.base(), self.header.word(word::RESERVED).load(Ordering::Acquire))
    }

    /// Where to start to read "everything there is" while the writer goes on:
    /// the oldest offset, and once the ring has wrapped one read's room above
    /// it, which the writer may take at any moment.
    #[must_use]
    pub fn safe_oldest(&self) -> u64 {
        let (base, oldest) = (self.base(), self.oldest());
        if oldest == base { base } else { (oldest + READ_MAX).min(self.head()) }
    }

    /// When the last byte came, milliseconds since the Unix epoch; 0 for never.
    #[must_use]
    pub fn last_output_ms(&self) -> u64 {
        self.header.word(word::LAST_OUTPUT).load(Ordering::Relaxed)
    }

    /// Whether the writer waits for readers to make room. Asked after the pace
    /// was set; true means that init must be rung.
    #[must_use]
    pub fn writer_waits(&self) -> bool {
        counters::is_wished(self.header.word(word::PAUSED))
    }

    /// Copies bytes from `offset` on into `buffer`, as many as there are.
    ///
    /// # Errors
    /// What `pread(2)` returns.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Read> {
        let head = self.head();
        let len = head.saturating_sub(offset).min(buffer.len() as u64).min(self.capacity.bytes());
        let mut filled = 0;
        for (at, piece) in self.capacity.pieces(offset, len) {
            self.copy(at, &mut buffer[filled..filled + piece])?;
            filled += piece;
        }
        let reserved = counters::reserved_after_copy(self.header.word(word::RESERVED));
        let oldest = self.capacity.oldest(self.base(), reserved);
        if oldest > offset {
            return Ok(Read::Gap(oldest));
        }
        Ok(Read::Bytes(filled))
    }

    fn copy(&self, mut at: usize, mut to: &mut [u8]) -> io::Result<()> {
        while !to.is_empty() {
            let n = rustix::io::pread(self.fd.as_fd(), &mut *to, at as u64)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += n;
            to = &mut to[n..];
        }
        Ok(())
    }
}
