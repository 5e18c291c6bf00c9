//! Sealed shared memory, `memfd_create(2)` and `mmap(2)`.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

/// Makes a memfd of `len` bytes whose size is fixed for ever.
///
/// The size seals matter to whoever maps it: a file that another process
/// could shrink would turn a plain read into `SIGBUS`.
///
/// # Errors
/// What `memfd_create(2)`, `ftruncate(2)` or the seals return.
pub fn create(name: &str, len: usize) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&fd, len as u64)?;
    rustix::fs::fcntl_add_seals(&fd, SealFlags::GROW | SealFlags::SHRINK)?;
    Ok(fd)
}

/// Takes away write access for everybody who has not mapped `fd` yet, and
/// the right to add or remove seals (`F_SEAL_FUTURE_WRITE`, Linux 5.1).
///
/// # Errors
/// What `fcntl(2)` returns.
pub fn seal_against_new_writers(fd: impl AsFd) -> io::Result<()> {
    rustix::fs::fcntl_add_seals(&fd, SealFlags::FUTURE_WRITE | SealFlags::SEAL)?;
    Ok(())
}

/// Takes away the right to add or remove seals, and nothing else.
///
/// # Errors
/// What `fcntl(2)` returns.
pub fn seal_against_seals(fd: impl AsFd) -> io::Result<()> {
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SEAL)?;
    Ok(())
}

/// True if nobody can change the size of `fd` any more.
#[must_use]
pub fn has_fixed_size(fd: impl AsFd) -> bool {
    rustix::fs::fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(SealFlags::GROW | SealFlags::SHRINK))
}

/// Size of a file in bytes, `fstat(2)`.
///
/// # Errors
/// What `fstat(2)` returns.
pub fn size(fd: impl AsFd) -> io::Result<u64> {
    Ok(rustix::fs::fstat(fd)?.st_size.cast_unsigned())
}

/// Whether a mapping may be written through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Loads only.
    Read,
    /// Loads and stores.
    Write,
}

/// A shared mapping of the first `len` bytes of a memfd.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is an address range owned by this value alone; everything
// reached through it is either an atomic or handed to the kernel as a buffer.
unsafe impl Send for Mapping {}
// SAFETY: as above; shared access goes through atomics only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes of `fd`, which must have a fixed size of at least that.
    ///
    /// # Errors
    /// `InvalidInput` if the file is smaller or its size is not sealed, else
    /// what `mmap(2)` returns.
    pub fn new(fd: impl AsFd, len: usize, access: Access) -> io::Result<Self> {
        if len == 0 || size(&fd)? < len as u64 || !has_fixed_size(&fd) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let prot = match access {
            Access::Read => ProtFlags::READ,
            Access::Write => ProtFlags::READ | ProtFlags::WRITE,
        };
        // SAFETY: a new mapping at an address of the kernel's choice aliases
        // nothing of ours; the file can't shrink under it (checked above).
        let start = unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, prot, MapFlags::SHARED, fd, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { start, len })
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Always false: an empty mapping can't be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The 64-bit word number `index`, as an atomic other processes share.
    ///
    /// # Panics
    /// If the word is not inside the mapping: an error in our own layout.
    #[must_use]
    pub fn word(&self, index: usize) -> &AtomicU64 {
        assert!((index + 1) * 8 <= self.len, "word {index} is outside a mapping of {} bytes", self.len);
        // SAFETY: in bounds, checked above.
        let word = unsafe { self.start.cast::<AtomicU64>().add(index) };
        // SAFETY: aligned (the start is a page), alive as long as `self`, and
        // never accessed but as an atomic.
        unsafe { word.as_ref() }
    }

    /// Reads from `fd` straight into the mapping at `pieces` (offset, length),
    /// in order, as `readv(2)`.
    ///
    /// No reference to the bytes is ever made, so another process reading them
    /// at the same time is no data race in the language's sense.
    ///
    /// # Errors
    /// `InvalidInput` for a piece outside the mapping, else what `readv(2)`
    /// returns.
    pub fn read_into(&self, fd: impl AsFd, pieces: [(usize, usize); 2]) -> io::Result<usize> {
        use std::os::fd::AsRawFd;
        if pieces.iter().any(|&(at, len)| at.checked_add(len).is_none_or(|end| end > self.len)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let iov =
            pieces.map(|(at, len)| libc::iovec { iov_base: self.start.as_ptr().wrapping_add(at).cast(), iov_len: len });
        let count = if pieces[1].1 == 0 { 1 } else { 2 };
        // SAFETY: each iovec lies inside the mapping (checked above), which
        // this value keeps alive and writable memory for the kernel to fill; a
        // read-only mapping makes the call fail with EFAULT.
        let n = unsafe { libc::readv(fd.as_fd().as_raw_fd(), iov.as_ptr(), count) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours, and references into it can't outlive self.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn two_mappings_share_words() {
        let fd = create("test", 8192).unwrap();
        let a = Mapping::new(&fd, 8192, Access::Write).unwrap();
        let b = Mapping::new(&fd, 4096, Access::Read).unwrap();
        a.word(3).store(42, Ordering::Release);
        assert_eq!(b.word(3).load(Ordering::Acquire), 42);
    }

    #[test]
    fn a_sealed_file_can_be_read_but_not_mapped_for_writing() {
        let fd = create("test", 4096).unwrap();
        let writer = Mapping::new(&fd, 4096, Access::Write).unwrap();
        seal_against_new_writers(&fd).unwrap();
        assert!(Mapping::new(&fd, 4096, Access::Write).is_err());
        assert!(Mapping::new(&fd, 4096, Access::Read).is_ok());
        assert!(rustix::io::write(&fd, b"x").is_err());
        assert!(rustix::fs::ftruncate(&fd, 0).is_err());
        writer.word(0).store(7, Ordering::Relaxed);
    }

    #[test]
    fn a_sealed_file_stays_so_for_whoever_opens_it_anew() {
        use std::os::fd::AsRawFd;
        let fd = create("test", 4096).unwrap();
        let writer = Mapping::new(&fd, 4096, Access::Write).unwrap();
        seal_against_new_writers(&fd).unwrap();
        writer.word(0).store(7, Ordering::Relaxed);
        // Whether it can be opened depends on who asks; the owner always can.
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let again = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let refused = Err(rustix::io::Errno::PERM);
        assert_eq!(rustix::io::pwrite(&again, b"x", 0), refused);
        assert_eq!(rustix::fs::ftruncate(&again, 0).err(), refused.err());
        let punch = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        assert_eq!(rustix::fs::fallocate(&again, punch, 0, 4096).err(), refused.err());
        assert!(Mapping::new(&again, 4096, Access::Write).is_err());
        let reader = Mapping::new(&again, 4096, Access::Read).unwrap();
        // SAFETY: only the protection of our own mapping is asked to change.
        let raised = unsafe { libc::mprotect(reader.start.as_ptr().cast(), 4096, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(raised, -1, "a mapping for reading can be made one for writing");
        assert!(rustix::fs::fcntl_add_seals(&again, SealFlags::WRITE).is_err());
        assert_eq!(reader.word(0).load(Ordering::Relaxed), 7);
    }

    #[test]
    fn a_page_that_all_may_write_can_be_sealed_by_nobody() {
        let fd = create("test", 4096).unwrap();
        seal_against_seals(&fd).unwrap();
        assert!(rustix::fs::fcntl_add_seals(&fd, SealFlags::FUTURE_WRITE).is_err());
        assert!(Mapping::new(&fd, 4096, Access::Write).is_ok());
    }

    #[test]
    fn a_file_that_could_shrink_is_not_mapped() {
        let fd = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&fd, 4096).unwrap();
        assert!(Mapping::new(&fd, 4096, Access::Read).is_err());
    }

    #[test]
    fn reading_outside_the_mapping_is_refused() {
        let fd = create("test", 4096).unwrap();
        let map = Mapping::new(&fd, 4096, Access::Write).unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&writer, b"abcdef").unwrap();
        assert!(map.read_into(&reader, [(4090, 7), (0, 0)]).is_err());
        assert_eq!(map.read_into(&reader, [(4092, 4), (0, 2)]).unwrap(), 6);
        let mut back = [0; 6];
        rustix::io::pread(&fd, &mut back[..4], 4092).unwrap();
        rustix::io::pread(&fd, &mut back[4..], 0).unwrap();
        assert_eq!(&back, b"abcdef");
    }
}
