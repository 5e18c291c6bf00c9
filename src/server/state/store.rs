//! The state file on disk.
//!
//! It is only ever replaced as a whole: the new text goes to another file of
//! the same directory, to the disk, and then under the name (`rename(2)`). What
//! can't be understood is first given another name.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::content::{self, Content, Saved};
use crate::logging::{iso_time, unix_millis};
use crate::model::id::SessionId;
use crate::server::disk::write_through;
use crate::server::history;

const NAME: &str = "sessions.json";
/// What a file that was set aside is called by, behind the name.
const KINDS: [&str; 2] = ["damaged", "newer"];
const NAME_WHILE_WRITING: &str = "sessions.json.new";

/// Largest file that is read: 1024 sessions as large as a request may be.
const SIZE_MAX: u64 = 64 << 20;

/// The state directory.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// The open directory, locked for as long as this server lives.
    lock: Option<File>,
    /// The file that lies under the name must get another one, of this kind,
    /// before it is replaced.
    to_set_aside: Option<&'static str>,
}

/// What the file holds.
#[derive(Debug)]
pub struct Loaded {
    /// The sessions that could be made out.
    pub sessions: Vec<Saved>,
    /// Whether the file says just that, so that it can stay.
    pub is_sound: bool,
}

/// Why the state can't be read or written, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}; {advice}")]
pub struct Trouble {
    what: String,
    why: String,
    advice: &'static str,
    is_held: bool,
}

impl Trouble {
    fn new(what: String, error: &io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space on that disk",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "make it writable for the user that quarterdeck runs as, or name another directory with --state-dir"
            }
            _ => "look at that disk, or name another directory with --state-dir",
        };
        Self { what, why: error.to_string(), advice, is_held: false }
    }

    /// The disk does not answer.
    pub fn silent() -> Self {
        let (what, why) = ("cannot use the state file".into(), "the disk does not answer".into());
        Self { what, why, advice: "look at that disk, or name another directory with --state-dir", is_held: false }
    }

    /// The directory is locked by another server, which may end soon.
    pub fn is_held_by_another(&self) -> bool {
        self.is_held
    }
}

impl Store {
    /// The store in `dir`, which need not be there yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, lock: None, to_set_aside: None }
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.dir.join(NAME)
    }

    /// Where the recorded output of a session ends; 0 if there is none.
    ///
    /// # Errors
    /// It could not be read.
    pub fn recorded_end(&self, id: SessionId) -> Result<u64, Trouble> {
        let trouble = |error| Trouble::new(format!("cannot read the history of session {id}"), &error);
        history::keeper::end_of(&self.dir, id).map_err(trouble)
    }

    /// Reads the file, and sets it aside if it is not sound.
    ///
    /// # Errors
    /// The file could not be read. What it holds is not known then, and it must
    /// not be written.
    pub fn load(&mut self) -> Result<Loaded, Trouble> {
        self.take_possession()?;
        let path = self.path();
        let nothing = Loaded { sessions: Vec::new(), is_sound: false };
        let text = match read(&path) {
            Ok(Some(text)) => text,
            Ok(None) => {
                self.set_whole_aside("damaged", "it is no file of a state's size");
                return Ok(nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(nothing),
            Err(error) => return Err(Trouble::new(format!("cannot read {}", path.display()), &error)),
        };
        match content::parse(&text) {
            Content::Whole(sessions) => Ok(Loaded { sessions, is_sound: true }),
            Content::Damaged(sessions, reason) if sessions.is_empty() => {
                self.set_whole_aside("damaged", &reason);
                Ok(nothing)
            }
            Content::Damaged(sessions, reason) => {
                self.set_copy_aside(&reason, sessions.len());
                Ok(Loaded { sessions, is_sound: false })
            }
            Content::Newer(version) => {
                self.set_whole_aside("newer", &format!("it is of version {version}, which this program does not know"));
                Ok(nothing)
            }
        }
    }

    /// Only `taken` sessions of the file are going to be in the next one. Until
    /// that is written the file stays: this server may be killed before.
    pub fn set_copy_aside(&mut self, reason: &str, taken: usize) {
        let aside = self.link_aside("damaged").ok();
        self.to_set_aside = aside.is_none().then_some("damaged");
        self.tell_of_setting_aside(reason, aside.as_deref(), taken);
    }

    fn set_whole_aside(&mut self, kind: &'static str, reason: &str) {
        self.to_set_aside = Some(kind);
        let aside = self.free_name(kind);
        let is_moved = fs::rename(self.path(), &aside).is_ok();
        if is_moved {
            self.to_set_aside = None;
        }
        self.tell_of_setting_aside(reason, is_moved.then_some(aside.as_path()), 0);
    }

    fn tell_of_setting_aside(&self, reason: &str, aside: Option<&Path>, taken: usize) {
        let file = self.path();
        match aside {
            Some(aside) => tracing::warn!(
                file = %file.display(),
                setAside = %aside.display(),
                reason,
                sessionsTaken = taken,
                "The state file cannot be used as it is and was set aside"
            ),
            None => tracing::warn!(
                file = %file.display(),
                reason,
                sessionsTaken = taken,
                "The state file cannot be used as it is; it will be set aside before it is replaced"
            ),
        }
    }

    /// Whether a file lies there that was set aside, as far as can be told.
    pub fn has_set_aside(&self) -> bool {
        let Ok(mut entries) = fs::read_dir(&self.dir) else { return true };
        entries.any(|entry| {
            let name = entry.map(|entry| entry.file_name());
            name.is_ok_and(|name| {
                KINDS.iter().any(|kind| name.to_string_lossy().starts_with(&format!("{NAME}.{kind}-")))
            })
        })
    }

    /// Gives the file a second name, unless it has one from an earlier server.
    fn link_aside(&self, kind: &str) -> io::Result<PathBuf> {
        let file = fs::symlink_metadata(self.path())?;
        let start = format!("{NAME}.{kind}-");
        for entry in fs::read_dir(&self.dir)?.filter_map(Result::ok) {
            let is_aside = entry.file_name().to_string_lossy().starts_with(&start);
            if is_aside && entry.metadata().is_ok_and(|other| is_same(&file, &other)) {
                return Ok(entry.path());
            }
        }
        let aside = self.free_name(kind);
        fs::hard_link(self.path(), &aside)?;
        Ok(aside)
    }

    /// A name that nothing has yet. This process alone makes such names.
    fn free_name(&self, kind: &str) -> PathBuf {
        let time = iso_time(unix_millis()).replace(':', "-");
        let names = std::iter::once(String::new()).chain((2..).map(|n| format!("-{n}")));
        let paths = names.map(|end| self.dir.join(format!("{NAME}.{kind}-{time}{end}")));
        paths.into_iter().find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_default()
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// What failed; the file is as it was.
    pub fn save(&mut self, sessions: &[Saved]) -> Result<(), Trouble> {
        self.take_possession()?;
        let path = self.path();
        self.replace(&path, &content::to_text(sessions))
            .map_err(|error| Trouble::new(format!("cannot write {}", path.display()), &error))
    }

    fn replace(&mut self, path: &Path, text: &[u8]) -> io::Result<()> {
        let new = self.dir.join(NAME_WHILE_WRITING);
        let written = write_through(&new, text).and_then(|()| self.make_way()).and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            // It may be what fills the disk.
            let _ = fs::remove_file(&new);
        }
        written?;
        match File::open(&self.dir).and_then(|dir| dir.sync_all()) {
            // Some file systems have no such thing, fsync(2).
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            done => done,
        }
    }

    /// What may not be lost is not replaced before it has another name.
    fn make_way(&mut self) -> io::Result<()> {
        let Some(kind) = self.to_set_aside else { return Ok(()) };
        match self.link_aside(kind).map(drop).or_else(|_| fs::rename(self.path(), self.free_name(kind))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                self.to_set_aside = None;
                Ok(())
            }
        }
    }

    /// Makes the directory, and sees to it that no other quarterdeck uses it.
    fn take_possession(&mut self) -> Result<(), Trouble> {
        if let Some(held) = &self.lock {
            if is_at(held, &self.dir) {
                return Ok(());
            }
            // It was removed or mounted over. What is in its place now was not
            // read, and is nothing to replace.
            (self.lock, self.to_set_aside) = (None, Some("unread"));
            tracing::warn!(dir = %self.dir.display(), "The state directory was removed or replaced; using what is in its place");
        }
        let dir = &self.dir;
        let failed = |error| Trouble::new(format!("cannot use the state directory {}", dir.display()), &error);
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        let lock = File::open(dir).map_err(failed)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Trouble {
                what: format!("cannot use the state directory {}", dir.display()),
                why: "another quarterdeck uses it".into(),
                advice: "end that one, or name another directory with --state-dir",
                is_held: true,
            }),
            // A file system without locks, flock(2), is used all the same.
            Ok(()) | Err(_) => {
                self.lock = Some(lock);
                Ok(())
            }
        }
    }
}

/// Whether `dir` is still the name of the open directory.
fn is_at(open: &File, dir: &Path) -> bool {
    match (open.metadata(), fs::metadata(dir)) {
        (Ok(open), Ok(named)) => is_same(&open, &named),
        (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
        (Err(_), Ok(_)) => true,
    }
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// The bytes of a file; none if it is something else, or too large.
fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // Something else may not be ours to open.
    if !fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    // Opening a pipe that lies there would wait for somebody to write to it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > SIZE_MAX {
        return Ok(None);
    }
    let mut text = Vec::new();
    file.take(SIZE_MAX).read_to_end(&mut text)?;
    Ok(Some(text))
}
