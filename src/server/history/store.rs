//! One session's history on disk: a folder of files, each a recording of its own.
//!
//! ```text
//! <state-dir>/history/<session id>/00000000000000000000.cast
//!                                  00000000000001572864.cast    named by their first byte's offset
//! ```
//!
//! Output is appended to the last file, in one write(2) for each batch and without
//! fsync(2): what a killed server has written stays. A file that is large enough,
//! or whose program has ended, is left, and the next one begun. The oldest goes
//! when there is no room. Where output was not recorded, the next file does not
//! begin where the one before ends; what can be read is the part behind the last
//! such hole.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::cast::{Encoder, Header, OFFSET_MAX};
use super::segment::{self, Tail};
use crate::model::spec::TerminalSize;

/// What a file takes on disk at least, and what it is rounded up to.
const BLOCK: u64 = 4096;

/// Largest file.
const SEGMENT_MAX: u64 = 4 << 20;

/// Most output in one write.
const BATCH_MAX: u64 = 64 * 1024;

/// Room for the last line of a file.
const LAST_LINES: u64 = 2 * BLOCK;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all files together.
    pub total: u64,
    /// Bytes of a file from which the next one is begun.
    segment: u64,
    /// Bytes of output in one batch. At worst, a file gets one of them more than
    /// its limit, at six bytes for each: a quarter of the total is never passed
    /// by more than another quarter.
    batch: usize,
}

impl Limits {
    /// The parts of `total` bytes.
    #[must_use]
    pub fn of(total: u64) -> Self {
        let segment = (total / 4).min(SEGMENT_MAX);
        let batch = usize::try_from((segment / 8).min(BATCH_MAX)).unwrap_or(0);
        Self { total, segment, batch }
    }

    /// Bytes of output in one batch.
    #[must_use]
    pub fn batch(self) -> usize {
        self.batch
    }
}

/// What the files say about the session.
#[derive(Clone, Debug)]
pub struct About {
    /// Its name.
    pub name: String,
    /// What runs.
    pub command: Vec<String>,
    /// `TERM`.
    pub terminal: String,
    /// Its present size.
    pub size: TerminalSize,
}

/// A file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    start: u64,
    end: u64,
    len: u64,
}

impl Segment {
    fn on_disk(&self) -> u64 {
        self.len.next_multiple_of(BLOCK).max(BLOCK)
    }
}

/// The last file, while it is appended to.
#[derive(Debug)]
struct Writer {
    file: File,
    encoder: Encoder,
    /// The size that a player knows.
    size: Option<TerminalSize>,
}

/// The folder.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    limits: Limits,
    segments: VecDeque<Segment>,
    writer: Option<Writer>,
    /// Below this, nothing can be read: a file is damaged.
    floor: u64,
    /// The life whose end is recorded, or will never be.
    pub told_exit_of: u32,
    /// Whether the end of a program is the last that was recorded.
    pub is_over: bool,
}

fn path_in(dir: &Path, start: u64) -> PathBuf {
    dir.join(format!("{start:020}.cast"))
}

/// The starts of the files in `dir`, in order.
fn starts(dir: &Path) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(starts),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".cast")).filter(|digits| digits.len() == 20);
        starts.extend(digits.and_then(|digits| digits.parse::<u64>().ok()).filter(|start| *start <= OFFSET_MAX));
    }
    starts.sort_unstable();
    Ok(starts)
}

fn look_at(path: &Path, start: u64) -> io::Result<(Segment, Option<Tail>)> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let tail = segment::tail(&file, len)?.filter(|tail| tail.end >= start);
    Ok((Segment { start, end: tail.map_or(start, |tail| tail.end), len }, tail))
}

/// The offset behind the last byte in the history in `dir`; 0 without one.
///
/// # Errors
/// What reading it returns.
pub fn end_of(dir: &Path) -> io::Result<u64> {
    match starts(dir)?.last() {
        None => Ok(0),
        Some(start) => Ok(look_at(&path_in(dir, *start), *start)?.0.end),
    }
}

impl Store {
    /// Opens the history in `dir`, which need not exist. The last file is only
    /// appended to if it is of this container's life, which `goes_on` says.
    ///
    /// # Errors
    /// What the file system returns.
    pub fn open(dir: PathBuf, limits: Limits, goes_on: bool) -> io::Result<Self> {
        let (mut segments, mut last) = (VecDeque::<Segment>::new(), None);
        for start in starts(&dir)? {
            let (segment, tail) = look_at(&path_in(&dir, start), start)?;
            if let Some(before) = segments.back_mut() {
                // A batch that failed half way may have been written again.
                before.end = before.end.min(start);
            }
            if tail.is_none() {
                let file = path_in(&dir, start);
                tracing::warn!(file = %file.display(), "A file of a session's history cannot be read; going on without it");
            }
            segments.push_back(segment);
            last = tail;
        }
        let mut store = Self {
            dir,
            limits,
            segments,
            writer: None,
            floor: 0,
            told_exit_of: 0,
            is_over: last.is_some_and(|tail| tail.is_over),
        };
        if let Some(tail) = last.filter(|tail| goes_on && !tail.is_over) {
            store.go_on(tail)?;
        }
        Ok(store)
    }

    /// Appends to the last file, behind what was written whole.
    fn go_on(&mut self, tail: Tail) -> io::Result<()> {
        let Some(segment) = self.segments.back_mut() else { return Ok(()) };
        let file = OpenOptions::new().append(true).open(path_in(&self.dir, segment.start))?;
        file.set_len(tail.len)?;
        segment.len = tail.len;
        self.writer = Some(Writer { file, encoder: Encoder::after(tail.at_ms), size: None });
        Ok(())
    }

    /// Offset behind the last byte recorded; nothing before the first.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.segments.back().map(|segment| segment.end)
    }

    /// The part that can be read: from, to.
    #[must_use]
    pub fn range(&self) -> (u64, u64) {
        let Some(last) = self.segments.back() else { return (0, 0) };
        let mut start = last.start;
        for segment in self.segments.iter().rev().skip(1) {
            if segment.end != start {
                break;
            }
            start = segment.start;
        }
        (start.max(self.floor).min(last.end), last.end)
    }

    /// Forgets everything, because it is of another stream of bytes.
    ///
    /// # Errors
    /// What removing the files returns.
    pub fn clear(&mut self) -> io::Result<()> {
        self.writer = None;
        while let Some(segment) = self.segments.front() {
            remove_file(&path_in(&self.dir, segment.start))?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Appends a batch of output whose first byte is at `offset`; how many bytes
    /// that took on disk.
    ///
    /// # Errors
    /// What the file system returns; nothing of the batch counts then.
    pub fn append(&mut self, offset: u64, bytes: &[u8], about: &About, now_ms: u64) -> io::Result<u64> {
        let hole = self.end().filter(|end| *end != offset);
        let is_full = self.segments.back().is_some_and(|s| s.len + bytes.len() as u64 > self.limits.segment);
        if hole.is_some() || is_full {
            self.close(now_ms);
        }
        let mut out = Vec::with_capacity(bytes.len() * 2);
        let out = &mut out;
        let (mut encoder, known_size) = match &self.writer {
            Some(writer) => (writer.encoder, writer.size),
            None => {
                Header::new(about.size, &about.terminal, now_ms, &about.command, &about.name).write(out);
                (Encoder::after(now_ms), Some(about.size))
            }
        };
        if let Some(end) = hole {
            encoder.marker(out, now_ms, &format!("Output from {end} to {offset} was not recorded"));
        }
        if known_size != Some(about.size) {
            encoder.resize(out, now_ms, about.size);
        }
        encoder.offset(out, offset, now_ms);
        encoder.output(out, now_ms, bytes);
        self.make_room(out.len() as u64)?;
        self.write(offset, out)?;
        if let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) {
            (writer.encoder, writer.size) = (encoder, Some(about.size));
            segment.end += bytes.len() as u64;
        }
        self.is_over = false;
        Ok(out.len() as u64)
    }

    /// Writes at the end of the present file, or makes the next one.
    fn write(&mut self, offset: u64, out: &[u8]) -> io::Result<()> {
        if self.writer.is_none() {
            let file = self.begin(offset, out)?;
            self.writer = Some(Writer { file, encoder: Encoder::default(), size: None });
            // A file that could not be read may have had this name.
            self.segments.retain(|segment| segment.start != offset);
            self.segments.push_back(Segment { start: offset, end: offset, len: out.len() as u64 });
            return Ok(());
        }
        let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) else { return Ok(()) };
        if let Err(error) = writer.file.write_all(out) {
            self.take_back();
            return Err(error);
        }
        segment.len += out.len() as u64;
        Ok(())
    }

    /// Makes the next file.
    fn begin(&self, offset: u64, content: &[u8]) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let path = path_in(&self.dir, offset);
        remove_file(&path)?;
        let mut file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        if let Err(error) = file.write_all(content) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(file)
    }

    /// Part of a batch was written: cuts it off, or else leaves the file, whose
    /// rest then counts as written again in the next.
    fn take_back(&mut self) {
        let len = self.segments.back().map_or(0, |segment| segment.len);
        if self.writer.as_ref().is_some_and(|writer| writer.file.set_len(len).is_err()) {
            self.writer = None;
        }
    }

    /// Removes the oldest files until `more` bytes have room.
    fn make_room(&mut self, more: u64) -> io::Result<()> {
        let keep = usize::from(self.writer.is_some());
        let more = more.next_multiple_of(BLOCK);
        while self.segments.len() > keep
            && let Some(oldest) = self.segments.front()
            && self.segments.iter().map(Segment::on_disk).sum::<u64>() + more > self.limits.total - LAST_LINES
        {
            remove_file(&path_in(&self.dir, oldest.start))?;
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Leaves the last file, which says where it ends.
    fn close(&mut self, now_ms: u64) {
        let Some(Writer { mut file, encoder, .. }) = self.writer.take() else { return };
        let Some(segment) = self.segments.back_mut() else { return };
        let mut line = Vec::new();
        encoder.offset(&mut line, segment.end, now_ms);
        // Without it, finding the end takes longer.
        if file.write_all(&line).is_ok() {
            segment.len += line.len() as u64;
        }
    }

    /// The program ended, with a status as a shell has it.
    ///
    /// # Errors
    /// What the file system returns.
    pub fn finish(&mut self, status: i32, now_ms: u64) -> io::Result<()> {
        if let (Some(writer), Some(segment)) = (&mut self.writer, self.segments.back_mut()) {
            let mut line = Vec::new();
            writer.encoder.offset(&mut line, segment.end, now_ms);
            writer.encoder.exit(&mut line, now_ms, status);
            if let Err(error) = writer.file.write_all(&line) {
                self.take_back();
                return Err(error);
            }
            segment.len += line.len() as u64;
            self.is_over = true;
        }
        self.writer = None;
        Ok(())
    }

    /// Reads at most `max` bytes from `offset` on; nothing if they are not there.
    /// A file that can't be read is given up with everything before it.
    ///
    /// # Errors
    /// What the file system returns, with `InvalidData` for a damaged file.
    pub fn read(&mut self, offset: u64, max: usize) -> io::Result<Option<Vec<u8>>> {
        let (start, end) = self.range();
        if !(start..end).contains(&offset) {
            return Ok(None);
        }
        let holds = |segment: &&Segment| (segment.start..segment.end).contains(&offset);
        let Some(segment) = self.segments.iter().find(holds).copied() else { return Ok(None) };
        let found = segment::read(&path_in(&self.dir, segment.start), offset, segment.end, max);
        if found.is_err() {
            self.floor = segment.end;
        }
        found.map(Some)
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
