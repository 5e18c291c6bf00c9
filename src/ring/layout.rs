//! Where bytes are: pure arithmetic on absolute offsets.

/// Size of the header in front of the data, one page.
pub const HEADER: usize = 4096;

/// Bytes asked of the kernel in one read, and so the distance the writer may be
/// ahead of its published head. A terminal gives at most its line discipline's
/// buffer of 4 KiB in one read (`N_TTY_BUF_SIZE`).
pub const READ_MAX: u64 = 8 * 1024;

/// Word indexes in the header page.
pub mod word {
    /// Offset behind the last published byte.
    pub const HEAD: usize = 0;
    /// Offset behind the last byte the writer may touch next.
    pub const RESERVED: usize = 1;
    /// Milliseconds since the Unix epoch at the last publication.
    pub const LAST_OUTPUT: usize = 2;
    /// 1 while the writer waits for readers to make room.
    pub const PAUSED: usize = 3;
    /// The offset of the ring's first byte; written before anybody else sees
    /// the ring, and never again.
    pub const BASE: usize = 4;
}

/// Size of a data area: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity(u64);

impl Capacity {
    /// Smallest capacity: many reads, so that a reader can hold the writer back
    /// without stopping it altogether.
    pub const MIN: u64 = 16 * READ_MAX;
    /// Largest capacity.
    pub const MAX: u64 = 1 << 30;

    /// The smallest allowed capacity of at least `bytes`.
    #[must_use]
    pub fn at_least(bytes: u64) -> Self {
        Self(bytes.clamp(Self::MIN, Self::MAX).next_power_of_two())
    }

    /// The capacity of a ring file of `len` bytes, if it is one.
    #[must_use]
    pub fn of_file(len: u64) -> Option<Self> {
        let data = len.checked_sub(HEADER as u64)?;
        (data.is_power_of_two() && (Self::MIN..=Self::MAX).contains(&data)).then_some(Self(data))
    }

    /// Bytes of data.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }

    /// Length of the whole file: header and data.
    #[must_use]
    pub fn file_len(self) -> usize {
        HEADER + usize::try_from(self.0).unwrap_or(usize::MAX - HEADER)
    }

    /// The file positions of `len` bytes from `offset` on: one piece, or two
    /// where the range wraps. `len` must not exceed the capacity.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "positions are below the capacity, at most 1 GiB")]
    pub fn pieces(self, offset: u64, len: u64) -> [(usize, usize); 2] {
        debug_assert!(len <= self.0);
        let start = offset & (self.0 - 1);
        let first = len.min(self.0 - start);
        [(HEADER + start as usize, first as usize), (HEADER, (len - first) as usize)]
    }

    /// The oldest offset still retained when the writer owns all below
    /// `reserved`, in a ring whose first byte has the offset `base`.
    #[must_use]
    pub fn oldest(self, base: u64, reserved: u64) -> u64 {
        reserved.saturating_sub(self.0).max(base)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn capacities_are_powers_of_two_within_bounds() {
        assert_eq!(Capacity::at_least(0).bytes(), Capacity::MIN);
        assert_eq!(Capacity::at_least(4 << 20).bytes(), 4 << 20);
        assert_eq!(Capacity::at_least((4 << 20) + 1).bytes(), 8 << 20);
        assert_eq!(Capacity::at_least(u64::MAX).bytes(), Capacity::MAX);
        assert_eq!(Capacity::of_file(HEADER as u64 + 5), None);
        assert_eq!(Capacity::of_file(10), None);
    }

    proptest! {
        #[test]
        fn pieces_cover_the_range_inside_the_data(offset in any::<u64>(), share in 0u64..=Capacity::MIN) {
            let capacity = Capacity::at_least(0);
            let [(at, first), (again, second)] = capacity.pieces(offset, share);
            prop_assert_eq!((first + second) as u64, share);
            prop_assert!(at >= HEADER && at + first <= capacity.file_len());
            prop_assert_eq!(again, HEADER);
            prop_assert!(second == 0 || at + first == capacity.file_len());
            prop_assert!(again + second <= at || second == 0);
        }

        #[test]
        fn a_byte_keeps_its_place_until_it_is_a_capacity_old(offset in 0u64..u64::MAX / 2) {
            let capacity = Capacity::at_least(0);
            prop_assert_eq!(capacity.pieces(offset, 1)[0], capacity.pieces(offset + capacity.bytes(), 1)[0]);
            prop_assert!(capacity.oldest(0, offset + capacity.bytes()) <= offset);
            prop_assert!(capacity.oldest(0, offset + capacity.bytes() + 1) > offset);
        }

        #[test]
        fn nothing_is_older_than_the_base(base in 0u64..u64::MAX / 2, written in 0..3 * Capacity::MIN) {
            let capacity = Capacity::at_least(0);
            let oldest = capacity.oldest(base, base + written);
            prop_assert_eq!(oldest, base + written.saturating_sub(capacity.bytes()));
        }
    }
}
