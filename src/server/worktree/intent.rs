//! Small files that say what is about to be done with a worktree.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Worktrees;
use super::fault::Fault;
use crate::model::id::{SessionId, SessionName};
use crate::model::worktree::{BranchName, Worktree};
use crate::server::disk::{self, write_through};

/// How the name of a file ends that is not whole yet.
const HALF_WRITTEN: &str = "new";

/// Largest file that is read.
const SIZE_MAX: u64 = 64 * 1024;

/// What is about to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Tells its note from any other.
    note: Uuid,
    /// With the worktree of the session of this name.
    pub name: SessionName,
    /// In this workspace.
    pub workspace: String,
    /// What exactly.
    pub purpose: Purpose,
}

/// What is to become of a worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// It is being made.
    Create {
        /// The branch that is being made with it, and the commit that begins it.
        made: Option<(BranchName, String)>,
    },
    /// It is being deleted, the session first.
    Delete {
        /// Whatever would be lost.
        force: bool,
    },
}

/// What is known of the state file.
#[derive(Debug, Default)]
pub struct Saving {
    /// The sessions that it has.
    saved: Vec<SessionId>,
    /// Those that it may not have yet, and whose note therefore stays.
    unsaved: Vec<(SessionId, Intent)>,
}

impl Intent {
    /// One that nobody knows of yet.
    pub fn new(name: SessionName, workspace: String, purpose: Purpose) -> Self {
        Self { note: Uuid::new_v4(), name, workspace, purpose }
    }

    /// The worktree's directory.
    pub fn place(&self) -> String {
        Worktree::place(&self.workspace, &self.name)
    }

    /// Its file; another one than that of any other intent, or one that is done
    /// with could take a later one's note away.
    fn file(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.{}.json", self.name, self.note))
    }
}

impl Worktrees {
    /// Writes an intent down to the disk.
    ///
    /// # Errors
    /// There is no place for it, or the disk does not take it.
    pub(super) async fn intend(&self, intent: &Intent) -> Result<(), Fault> {
        let dir = self.intents.clone().ok_or(Fault::NoState)?;
        let path = intent.file(&dir);
        let text = serde_json::to_vec(intent).unwrap_or_default();
        let shown = path.display().to_string();
        on_disk(move || write(&dir, &path, &text)).await.map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Fault::DiskFull { words: format!("{shown}: {error}") }
            }
            _ => Fault::State { path: shown, error },
        })
    }

    /// The session is there. Until the state file has it, it would not outlive
    /// the container, and the worktree would be nobody's.
    pub(super) fn forget_once_saved(&self, id: SessionId, intent: Intent) {
        self.saving().unsaved.push((id, intent));
        self.forget_saved();
    }

    /// The state file is as the sessions are, and has these.
    pub fn saved(&self, ids: Vec<SessionId>) {
        self.saving().saved = ids;
        self.forget_saved();
    }

    fn forget_saved(&self) {
        let now = self.registry.now();
        let Saving { saved, unsaved } = &mut *self.saving();
        for (_, intent) in unsaved.extract_if(.., |(id, _)| saved.contains(id) || now.get(*id).is_none()) {
            let dir = self.intents.clone();
            tokio::spawn(async move { forget(dir, &intent).await });
        }
    }

    fn saving(&self) -> MutexGuard<'_, Saving> {
        self.saving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is done, or taken back.
    pub(super) async fn forget(&self, intent: &Intent) {
        forget(self.intents.clone(), intent).await;
    }

    /// Those that a server before this one left.
    pub(super) async fn left_behind(&self) -> Vec<Intent> {
        let Some(dir) = self.intents.clone() else { return Vec::new() };
        let shown = dir.display().to_string();
        match on_disk(move || read_all(&dir)).await {
            Ok(intents) => intents,
            Err(error) => {
                tracing::warn!(
                    directory = shown,
                    %error,
                    "Cannot look whether a worktree was left half made; make the directory readable"
                );
                Vec::new()
            }
        }
    }
}

async fn forget(dir: Option<PathBuf>, intent: &Intent) {
    let Some(dir) = dir else { return };
    let path = intent.file(&dir);
    let shown = path.display().to_string();
    let removed = on_disk(move || {
        fs::remove_file(&path)?;
        sync(&dir)
    });
    if let Err(error) = removed.await {
        tracing::warn!(file = shown, %error, "The note about a worktree that is done with could not be removed");
    }
}

async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    disk::on_disk(work).await.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))
}

fn write(dir: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let new = path.with_extension(HALF_WRITTEN);
    let written = write_through(&new, text).and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    sync(dir)?;
    // The directory itself may be new.
    dir.parent().map_or(Ok(()), sync)
}

/// Some file systems have no such thing for a directory, `fsync(2)`.
fn sync(dir: &Path) -> io::Result<()> {
    match File::open(dir).and_then(|dir| dir.sync_all()) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
        done => done,
    }
}

fn read_all(dir: &Path) -> io::Result<Vec<Intent>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut intents = Vec::new();
    for entry in entries {
        let path = entry?.path();
        match path.extension().and_then(OsStr::to_str) {
            Some("json") => {}
            Some(HALF_WRITTEN) => {
                fs::remove_file(&path)?;
                continue;
            }
            _ => continue,
        }
        match read(&path) {
            Ok(intent) => intents.push(intent),
            Err(reason) => {
                let aside = path.with_extension("json.damaged");
                let is_aside = fs::rename(&path, &aside).is_ok();
                tracing::warn!(
                    file = %path.display(),
                    setAside = is_aside.then(|| tracing::field::display(aside.display())),
                    reason,
                    "A note about a worktree that was being made or deleted cannot be read: look with `git worktree \
                     list` whether one is left"
                );
            }
        }
    }
    Ok(intents)
}

fn read(path: &Path) -> Result<Intent, String> {
    let about = fs::symlink_metadata(path).map_err(|e| e.to_string())?;
    if !about.is_file() || about.len() > SIZE_MAX {
        return Err("it is no file of a note's size".into());
    }
    let text = fs::read(path).map_err(|e| e.to_string())?;
    let intent: Intent = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
    if intent.file(path.parent().unwrap_or(Path::new("/"))) == path {
        Ok(intent)
    } else {
        Err(format!("it is note {} about the session {}", intent.note, intent.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(number: usize, purpose: Purpose) -> Intent {
        Intent::new(SessionName::numbered(number), "/w".into(), purpose)
    }

    #[test]
    fn what_is_written_is_read_and_what_is_damaged_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("worktrees");
        assert_eq!(read_all(&dir).unwrap(), []);
        let branch = BranchName::try_from("ä/b".to_owned()).unwrap();
        let create = intent(1, Purpose::Create { made: Some((branch, "12ab".into())) });
        let delete = intent(2, Purpose::Delete { force: true });
        for intent in [&create, &delete] {
            write(&dir, &intent.file(&dir), &serde_json::to_vec(intent).unwrap()).unwrap();
        }
        for (name, text) in [("torn", "{\"na"), ("other", &serde_json::to_string(&create).unwrap()), ("empty", "")] {
            fs::write(dir.join(format!("{name}.json")), text).unwrap();
        }
        fs::write(dir.join("half.new"), "{").unwrap();
        for _ in 0..2 {
            let mut found = read_all(&dir).unwrap();
            found.sort_by_key(|intent| intent.name.to_string());
            assert_eq!(found, [create.clone(), delete.clone()]);
        }
        assert!(!dir.join("half.new").exists());
        assert!(dir.join("torn.json.damaged").exists() && dir.join("empty.json.damaged").exists());
    }
}
