//! One file of a session's history: where it ends, and reading out of it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::cast::{Decoder, Line, read_offset};

/// How much of a file's end is looked at first to find where its output ends.
/// Between two comments with an offset there is a batch.
const WINDOW: u64 = 16 * 1024;

/// What the end of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Offset behind the last byte of output.
    pub end: u64,
    /// Bytes of the file up to there; what follows was not written whole.
    pub len: u64,
    /// When the last batch was written.
    pub at_ms: u64,
    /// Whether the program's exit is the last line.
    pub is_over: bool,
}

/// Finds the end of the output in a file of `len` bytes; nothing if no output
/// in it can be read.
///
/// # Errors
/// What reading the file returns.
pub fn tail(file: &File, len: u64) -> io::Result<Option<Tail>> {
    let mut window = WINDOW;
    loop {
        let from = len.saturating_sub(window);
        let mut bytes = vec![0; usize::try_from(len - from).map_err(|_| io::ErrorKind::OutOfMemory)?];
        file.read_exact_at(&mut bytes, from)?;
        if let Some((at, offset, at_ms)) = last_offset(&bytes, from == 0) {
            let tail = Tail { end: offset, len: from + at as u64, at_ms, is_over: false };
            return Ok(Some(follow(tail, &bytes[at..])));
        }
        if from == 0 {
            return Ok(None);
        }
        window *= 4;
    }
}

/// The last comment with an offset: its position, and what it says.
fn last_offset(bytes: &[u8], is_whole: bool) -> Option<(usize, u64, u64)> {
    let ends = || bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
    let starts = ends().skip(1).map(|at| at + 1).chain(is_whole.then_some(0));
    ends().zip(starts).find_map(|(end, start)| {
        let (offset, at_ms) = read_offset(&bytes[start..end])?;
        Some((start, offset, at_ms))
    })
}

/// Reads on as long as lines are whole and fit together.
fn follow(mut tail: Tail, bytes: &[u8]) -> Tail {
    let (mut decoder, mut position) = (Decoder::default(), tail.len);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        position += line.len() as u64;
        match decoder.line(text) {
            Ok(Line::Output(output)) => tail.end += output.len() as u64,
            Ok(Line::Exit) => tail.is_over = true,
            Ok(Line::Offset(offset, _)) if offset != tail.end => break,
            Ok(Line::Offset(..) | Line::Other) => {}
            // Belongs to the line behind it.
            Ok(Line::Bytes) => continue,
            Err(_) => break,
        }
        tail.len = position;
    }
    tail
}

/// Reads at most `max` bytes of output from `offset` on, and none from `end` on.
///
/// # Errors
/// What reading the file returns; `InvalidData` if the output can't be read there.
pub fn read(path: &Path, offset: u64, end: u64, max: usize) -> io::Result<Vec<u8>> {
    let mut lines = Lines { file: BufReader::with_capacity(64 * 1024, File::open(path)?), line: Vec::new() };
    let (position, mut at) = lines.last_offset_until(offset)?.ok_or(io::ErrorKind::InvalidData)?;
    lines.file.seek(SeekFrom::Start(position))?;
    let max = max.min(usize::try_from(end - offset).unwrap_or(usize::MAX));
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    while found.len() < max
        && let Some(line) = lines.next()?
    {
        match decoder.line(line) {
            Ok(Line::Output(output)) => {
                let skip = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX).min(output.len());
                found.extend_from_slice(&output[skip..]);
                at += output.len() as u64;
            }
            Ok(Line::Offset(told, _)) if told != at => break,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found.truncate(max);
    // Damage behind what was found is the next read's to find.
    if found.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(found) }
}

struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line, without its line feed; one without is not whole.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        self.file.read_until(b'\n', &mut self.line)?;
        Ok(self.line.strip_suffix(b"\n"))
    }

    /// The last comment that tells an offset of at most `offset`: its position
    /// in the file and what it tells.
    fn last_offset_until(&mut self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        let (mut position, mut last) = (0, None);
        while let Some(line) = self.next()? {
            let len = line.len() as u64 + 1;
            if let Some((told, _)) = read_offset(line) {
                if told > offset {
                    break;
                }
                last = Some((position, told));
            }
            position += len;
        }
        Ok(last)
    }
}
