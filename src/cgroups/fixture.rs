//! A file system root of its own for one test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Files under a directory that is removed at the end.
pub struct Tree(TempDir);

impl Tree {
    /// A tree of these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().expect("a temporary directory"));
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    /// Where the tree is.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// The real path of `path` in the tree.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    /// Writes one file in place, as the kernel changes one.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a path below the root")).expect("its directory");
        fs::write(path, text).expect("the file");
    }

    /// Takes a file or a directory away.
    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.expect("something to remove");
    }
}
