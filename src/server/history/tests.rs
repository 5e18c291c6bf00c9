//! A session's folder, against a plain vector as the model.

use std::fs;
use std::io;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::store::{About, Limits, Store, end_of};
use crate::model::spec::TerminalSize;

const TOTAL: u64 = 256 << 10;

struct Rig {
    root: TempDir,
    store: Store,
    /// Everything that was ever output, recorded or not.
    output: Vec<u8>,
}

fn about() -> About {
    About {
        name: "one".into(),
        command: vec!["sh".into()],
        terminal: "xterm-256color".into(),
        size: TerminalSize::DEFAULT,
    }
}

impl Rig {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path().join("id"), Limits::of(TOTAL), true).unwrap();
        Self { root, store, output: Vec::new() }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("id")
    }

    /// The next `len` bytes, some of which are no text.
    fn say(&mut self, len: usize) -> Vec<u8> {
        let start = self.output.len();
        self.output.extend((start..start + len).map(|n| u8::try_from((n * 7 + n / 251) % 256).unwrap()));
        self.output[start..].to_vec()
    }

    fn record(&mut self, len: usize) {
        let offset = self.output.len() as u64;
        let bytes = self.say(len);
        for (n, batch) in bytes.chunks(Limits::of(TOTAL).batch()).enumerate() {
            let offset = offset + (n * Limits::of(TOTAL).batch()) as u64;
            self.store.append(offset, batch, &about(), 1000).unwrap();
        }
    }

    /// As the next server does, in this container or in the next.
    fn reopen(&mut self, goes_on: bool) {
        self.store = Store::open(self.dir(), Limits::of(TOTAL), goes_on).unwrap();
    }

    /// Everything from the oldest byte on, in pieces.
    fn read_all(&mut self, piece: usize) -> (u64, Vec<u8>) {
        let (start, end) = self.store.range();
        let mut bytes = Vec::new();
        while start + (bytes.len() as u64) < end {
            let at = start + bytes.len() as u64;
            let more = self.store.read(at, piece).unwrap().unwrap();
            assert!(!more.is_empty() && more.len() <= piece);
            bytes.extend(more);
        }
        assert_eq!(self.store.read(end, piece).unwrap(), None);
        (start, bytes)
    }

    #[track_caller]
    fn check(&mut self) {
        let (start, bytes) = self.read_all(10_000);
        let from = usize::try_from(start).unwrap();
        assert!(bytes == self.output[from..from + bytes.len()], "what was read from {start} on differs");
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn on_disk(&self) -> u64 {
        self.files().iter().map(|file| file.metadata().unwrap().len().next_multiple_of(4096)).sum()
    }
}

#[test]
fn what_was_recorded_is_read_by_offset() {
    let mut rig = Rig::new();
    rig.record(30_000);
    rig.record(1);
    assert_eq!(rig.store.range(), (0, 30_001));
    for (offset, max) in [(0, 10), (4095, 2), (4096, 5000), (29_999, 100), (30_000, 100)] {
        let from = usize::try_from(offset).unwrap();
        let read = rig.store.read(offset, max).unwrap().unwrap();
        assert_eq!(read, rig.output[from..(from + read.len())]);
        assert!(read.len() == max || offset + read.len() as u64 == 30_001);
    }
    assert_eq!(end_of(&rig.dir()).unwrap(), 30_001);
    assert_eq!(end_of(&rig.root.path().join("nobody")).unwrap(), 0);
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    let mut rig = Rig::new();
    for _ in 0..60 {
        rig.record(20_000);
        assert!(rig.on_disk() <= TOTAL, "{} bytes on disk", rig.on_disk());
        rig.check();
    }
    let (start, end) = rig.store.range();
    assert_eq!(end, 1_200_000);
    // Bytes that are no text take several on disk.
    assert!(end - start >= TOTAL / 8, "only {} bytes are kept", end - start);
    rig.reopen(true);
    assert_eq!(rig.store.range(), (start, end));
    rig.check();
}

#[test]
fn files_and_folder_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::new();
    rig.record(10);
    let mode = |path: &PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&rig.dir()), mode(&rig.files()[0])), (0o700, 0o600));
}

#[test]
fn what_lies_before_a_hole_is_not_read() {
    let mut rig = Rig::new();
    rig.record(10_000);
    rig.say(500);
    rig.record(3000);
    assert_eq!(rig.store.range(), (10_500, 13_500));
    assert_eq!(rig.store.read(9000, 10).unwrap(), None);
    rig.check();
    let text = fs::read_to_string(&rig.files()[1]).unwrap();
    assert!(text.contains(r#""m","Output from 10000 to 10500 was not recorded""#), "{text:.300}");
    rig.reopen(true);
    assert_eq!(rig.store.range(), (10_500, 13_500));
}

#[test]
fn each_life_has_files_of_its_own() {
    let mut rig = Rig::new();
    rig.record(100);
    rig.store.finish(3, 2000).unwrap();
    assert!(rig.store.is_over);
    rig.reopen(true);
    assert!(rig.store.is_over);
    rig.record(100);
    assert_eq!(rig.files().len(), 2);
    assert!(fs::read_to_string(&rig.files()[0]).unwrap().ends_with("[1.000,\"x\",\"3\"]\n"));
    rig.reopen(false);
    rig.record(100);
    assert_eq!(rig.files().len(), 3);
    assert_eq!(rig.store.range(), (0, 300));
    rig.check();
}

#[test]
fn a_write_that_fails_leaves_what_there_was() {
    let mut rig = Rig::new();
    rig.record(5000);
    // A folder in the way of the next file.
    let next = rig.dir().join(format!("{:020}.cast", 5100));
    fs::create_dir(&next).unwrap();
    rig.say(100);
    let bytes = rig.say(50);
    let failed = rig.store.append(5100, &bytes, &about(), 1000);
    assert!(failed.is_err());
    assert_eq!(rig.store.range(), (0, 5000));
    fs::remove_dir(next).unwrap();
    rig.store.append(5100, &bytes, &about(), 1000).unwrap();
    assert_eq!(rig.store.range(), (5100, 5150));
    rig.check();
}

#[test]
fn a_damaged_file_costs_itself_and_what_is_before_it() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        rig.record(8000);
        rig.store.finish(0, 1000).unwrap();
    }
    let middle = &rig.files()[1];
    let mut text = fs::read(middle).unwrap();
    let half = text.len() / 2;
    text[half..half + 20].fill(0);
    fs::write(middle, text).unwrap();
    rig.reopen(true);
    assert_eq!(rig.store.range(), (0, 24_000));
    let mut at = 0;
    let error = loop {
        match rig.store.read(at, 3000) {
            Ok(bytes) => at += bytes.unwrap().len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!((8000..16_000).contains(&at), "{at}");
    assert_eq!(rig.store.range(), (16_000, 24_000));
    rig.check();
}

#[test]
fn a_file_without_anything_readable_is_skipped() {
    for content in ["", "{\"version\":3", "nonsense\n\n\0\0\0"] {
        let mut rig = Rig::new();
        rig.record(1000);
        rig.store.finish(0, 1000).unwrap();
        fs::write(rig.dir().join(format!("{:020}.cast", 1000)), content).unwrap();
        fs::write(rig.dir().join("readme"), "not ours").unwrap();
        rig.reopen(true);
        assert_eq!(rig.store.range(), (0, 1000), "{content:?}");
        assert_eq!(end_of(&rig.dir()).unwrap(), 1000);
        rig.record(700);
        rig.check();
        assert_eq!(rig.store.range().1, 1700);
        rig.reopen(true);
        assert_eq!(rig.store.range().1, 1700);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_file_cut_anywhere_goes_on_exactly_behind_its_last_whole_event(
        lens in prop::collection::vec(1usize..9000, 1..8),
        cut in any::<prop::sample::Index>(),
        junk in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..50),
        goes_on in any::<bool>(),
    ) {
        let mut rig = Rig::new();
        for len in lens {
            rig.record(len);
        }
        let last = rig.files().pop().unwrap();
        let mut text = fs::read(&last).unwrap();
        let cut = cut.index(text.len());
        text.truncate(cut);
        text.extend(junk.iter().filter(|byte| **byte != b'\n'));
        fs::write(&last, &text).unwrap();
        rig.reopen(goes_on);
        rig.check();
        // What the ring still has is recorded again.
        let end = rig.store.end().unwrap();
        prop_assert_eq!(end_of(&rig.dir()).unwrap(), end);
        let rest = rig.output[usize::try_from(end).unwrap()..].to_vec();
        for (n, batch) in rest.chunks(8000).enumerate() {
            rig.store.append(end + n as u64 * 8000, batch, &about(), 2000).unwrap();
        }
        rig.record(3000);
        rig.check();
        let whole = rig.store.range();
        rig.reopen(true);
        prop_assert_eq!(rig.store.range(), whole);
        rig.check();
    }
}
