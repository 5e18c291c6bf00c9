//! `tokens.json` in the state directory: replaced as a whole, and set aside if
//! it can't be understood.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tokens::{Guest, TOKENS_MAX};
use crate::logging::{iso_time, unix_millis};
use crate::server::disk::write_through;

const NAME: &str = "tokens.json";
const NAME_WHILE_WRITING: &str = "tokens.json.new";
const VERSION: u32 = 1;

/// Largest file that is read, in bytes.
const SIZE_MAX: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    tokens: Vec<Guest>,
}

/// The file, where there is a place for it.
#[derive(Debug)]
pub struct Store {
    dir: Option<PathBuf>,
}

impl Store {
    /// The file in this directory, which need not be there yet.
    #[must_use]
    pub fn new(dir: Option<PathBuf>) -> Self {
        Self { dir }
    }

    /// Reads it; none where there is no place for one.
    ///
    /// # Errors
    /// It could not be read, in words. What it holds is not known then, and it
    /// must not be written.
    pub fn load(&self) -> Result<Option<Vec<Guest>>, String> {
        let Some(dir) = &self.dir else { return Ok(None) };
        let path = dir.join(NAME);
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Vec::new())),
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        };
        match serde_json::from_slice::<Content>(&text) {
            Ok(Content { version: VERSION, tokens }) if tokens.len() <= TOKENS_MAX => Ok(Some(tokens)),
            Ok(_) => set_aside(&path, "it is of a version that this program does not know"),
            Err(error) => set_aside(&path, &error.to_string()),
        }
    }

    /// Replaces it; does nothing where there is no place for one.
    ///
    /// # Errors
    /// What failed, in words; the file is as it was.
    pub fn save(&self, tokens: &[Guest]) -> Result<(), String> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join(NAME);
        let content = Content { version: VERSION, tokens: tokens.to_vec() };
        let text = serde_json::to_vec(&content).map_err(|e| e.to_string())?;
        replace(dir, &path, &text).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

fn replace(dir: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let new = dir.join(NAME_WHILE_WRITING);
    let written = write_through(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        // Some file systems have no such thing, fsync(2).
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        done => done,
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe that lies there would wait for somebody to write to it.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)?;
    let about = file.metadata()?;
    if !about.is_file() || about.len() > SIZE_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file of such a size"));
    }
    let mut text = Vec::new();
    file.take(SIZE_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Nobody is let in by what can't be understood.
fn set_aside(path: &Path, reason: &str) -> Result<Option<Vec<Guest>>, String> {
    let aside = format!("{}.damaged-{}", path.display(), iso_time(unix_millis()).replace(':', "-"));
    fs::rename(path, &aside).map_err(|error| format!("cannot set {} aside: {error}", path.display()))?;
    tracing::warn!(
        file = %path.display(), setAside = aside, reason,
        "The list of tokens cannot be used and was set aside; tokens made before are no longer good"
    );
    Ok(Some(Vec::new()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tokens::Wish;
    use super::*;

    fn guest() -> Guest {
        Guest::make(Wish { is_read_only: true, session: None, lasts: None }, 1).unwrap().0
    }

    #[test]
    fn tokens_are_kept_for_their_owner_alone_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Some(dir.path().join("state")));
        assert_eq!(store.load(), Ok(Some(Vec::new())));
        let tokens = vec![guest(), guest()];
        store.save(&tokens).unwrap();
        assert_eq!(store.load(), Ok(Some(tokens)));
        let mode = fs::metadata(dir.path().join("state/tokens.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_lets_nobody_in_and_is_not_lost() {
        for text in ["", "{", r#"{"version":2,"tokens":[]}"#, r#"{"version":1,"tokens":[{}]}"#] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(NAME), text).unwrap();
            let store = Store::new(Some(dir.path().to_owned()));
            assert_eq!(store.load(), Ok(Some(Vec::new())), "{text}");
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert_eq!(fs::read_to_string(&left[0]).unwrap(), text);
        }
    }

    #[test]
    fn without_a_place_nothing_is_kept() {
        let store = Store::new(None);
        assert_eq!((store.save(&[guest()]), store.load()), (Ok(()), Ok(None)));
    }

    #[test]
    fn what_lies_in_its_place_and_is_no_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(NAME)).unwrap();
        assert!(Store::new(Some(dir.path().to_owned())).load().is_err());
    }
}
