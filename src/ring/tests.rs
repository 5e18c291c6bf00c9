//! The ring as a whole, against a plain vector as the model.

use std::os::fd::AsFd;

use proptest::prelude::*;

use super::hint::Hint;
use super::layout::{Capacity, READ_MAX};
use super::reader::{Read, RingReader};
use super::writer::{Filled, RingWriter};

struct Rig {
    writer: RingWriter,
    reader: RingReader,
    hint: Hint,
    input: std::os::fd::OwnedFd,
    output: std::os::fd::OwnedFd,
    base: u64,
    written: Vec<u8>,
}

impl Rig {
    fn new() -> Self {
        Self::at(0)
    }

    fn at(base: u64) -> Self {
        let writer = RingWriter::create(Capacity::at_least(0), base).unwrap();
        let [ring, hint, _] = writer.fds().map(|fd| fd.try_clone_to_owned().unwrap());
        let flags = rustix::pipe::PipeFlags::NONBLOCK | rustix::pipe::PipeFlags::CLOEXEC;
        let (output, input) = rustix::pipe::pipe_with(flags).unwrap();
        Self {
            writer,
            reader: RingReader::open(ring).unwrap(),
            hint: Hint::open(hint).unwrap(),
            input,
            output,
            base,
            written: Vec::new(),
        }
    }

    fn write(&mut self, len: usize) {
        let start = self.written.len();
        self.written.extend((start..start + len).map(|n| u8::try_from(n % 251).unwrap()));
        let mut rest = &self.written[start..];
        while !rest.is_empty() {
            let n = rustix::io::write(&self.input, rest).unwrap();
            rest = &rest[n..];
            while matches!(self.writer.fill_from(self.output.as_fd(), 1).unwrap(), Filled::Bytes(_)) {}
        }
    }
}

#[test]
fn an_empty_ring_has_nothing_to_read() {
    let rig = Rig::new();
    assert_eq!((rig.reader.head(), rig.reader.oldest(), rig.reader.safe_oldest()), (0, 0, 0));
    assert_eq!(rig.reader.read_at(0, &mut [0; 10]).unwrap(), Read::Bytes(0));
}

#[test]
fn a_ring_may_begin_anywhere() {
    let mut rig = Rig::at(12_345);
    let offsets = |rig: &Rig| (rig.reader.oldest(), rig.reader.safe_oldest(), rig.reader.head());
    assert_eq!(offsets(&rig), (12_345, 12_345, 12_345));
    rig.write(10);
    assert_eq!(offsets(&rig), (12_345, 12_345, 12_355));
    assert_eq!(rig.reader.read_at(12_344, &mut [0; 10]).unwrap(), Read::Gap(12_345));
    let mut buffer = [0; 10];
    assert_eq!(rig.reader.read_at(12_347, &mut buffer).unwrap(), Read::Bytes(8));
    assert_eq!(buffer[..8], rig.written[2..]);
}

#[test]
fn closing_the_source_is_seen_after_the_last_byte() {
    let mut rig = Rig::new();
    rustix::io::write(&rig.input, b"last").unwrap();
    rig.input = rig.reader_dup();
    assert_eq!(rig.writer.fill_from(rig.output.as_fd(), 5).unwrap(), Filled::Bytes(4));
    assert_eq!(rig.writer.fill_from(rig.output.as_fd(), 5).unwrap(), Filled::Closed);
    assert_eq!(rig.reader.last_output_ms(), 5);
}

impl Rig {
    /// Some other descriptor, to close the pipe's writing end by assignment.
    fn reader_dup(&self) -> std::os::fd::OwnedFd {
        self.output.try_clone().unwrap()
    }
}

#[test]
fn the_writer_waits_for_the_pace_and_is_woken_by_it() {
    let mut rig = Rig::new();
    let capacity = Capacity::MIN;
    rig.hint.set_pace(0);
    rig.write(usize::try_from(capacity - READ_MAX).unwrap());
    assert!(!rig.writer.must_wait());
    rig.write(1);
    assert!(rig.writer.must_wait());
    assert!(rig.reader.writer_waits());
    rig.hint.set_pace(1);
    assert!(rig.reader.writer_waits(), "the reader must be told to ring");
    assert!(!rig.writer.must_wait());
    assert!(!rig.reader.writer_waits());
}

#[test]
fn a_pace_beyond_the_head_is_clamped() {
    let mut rig = Rig::new();
    rig.hint.set_pace(u64::MAX - 1);
    rig.write(10);
    assert!(!rig.writer.must_wait());
}

#[test]
fn a_wake_is_given_once_for_each_wish() {
    let mut rig = Rig::new();
    let [_, _, data] = rig.writer.fds().map(|fd| fd.try_clone_to_owned().unwrap());
    rig.write(1);
    assert!(!crate::sys::eventfd::drain(&data));
    rig.hint.want_wake();
    rig.write(1);
    rig.write(1);
    assert!(crate::sys::eventfd::drain(&data));
    assert!(!crate::sys::eventfd::drain(&data));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_written_a_read_gives_exactly_it_or_a_gap(
        lens in prop::collection::vec(1usize..60_000, 1..12),
        reads in prop::collection::vec((any::<prop::sample::Index>(), 1usize..200_000), 1..12),
        base in prop_oneof![Just(0), 0..1u64 << 40],
    ) {
        let mut rig = Rig::at(base);
        for len in lens {
            rig.write(len);
        }
        prop_assert_eq!(rig.reader.head(), base + rig.written.len() as u64);
        for (at, len) in reads {
            let at = at.index(rig.written.len() + 1);
            let mut buffer = vec![0; len];
            match rig.reader.read_at(base + at as u64, &mut buffer).unwrap() {
                Read::Bytes(n) => {
                    prop_assert_eq!(n, len.min(rig.written.len() - at));
                    prop_assert_eq!(&buffer[..n], &rig.written[at..at + n]);
                }
                Read::Gap(oldest) => {
                    prop_assert!(oldest > base + at as u64);
                    prop_assert_eq!(oldest, rig.reader.oldest());
                }
            }
        }
    }

    #[test]
    fn reading_from_the_safe_oldest_never_hits_a_gap_at_rest(
        lens in prop::collection::vec(1usize..60_000, 1..12),
        base in prop_oneof![Just(0), 0..1u64 << 40],
    ) {
        let mut rig = Rig::at(base);
        for len in lens {
            rig.write(len);
        }
        let start = rig.reader.safe_oldest();
        let mut buffer = vec![0; 300_000];
        let Read::Bytes(n) = rig.reader.read_at(start, &mut buffer).unwrap() else { panic!("gap at rest") };
        prop_assert_eq!(&buffer[..n], &rig.written[usize::try_from(start - rig.base).unwrap()..]);
    }
}
