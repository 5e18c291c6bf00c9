//! The directories that the API server keeps files in. Init makes them, lets the
//! server's user in, and hands them over open: the way there may be closed to
//! that user.
//!
//! A directory stays its owner's; the server gets in by its group. What it keeps
//! there is its own. Nothing here follows a symbolic link, and nothing is given
//! away that has a second name, so that a server that was taken over can't have
//! init give it somebody else's file at the next start.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};

use crate::sys::process;
use crate::sys::rights::Identity;

/// What the server keeps, by how the names begin.
const KEPT: [&str; 4] = ["sessions.json", "tokens.json", "history", "worktrees"];

/// What else does not make a directory somebody else's: init's own files, and
/// what some file systems begin with.
const OTHERS: [&str; 4] = ["token", "api.sock", NOTIFY_SOCKET, "lost+found"];
const NOTIFY_SOCKET: &str = "api.notify.sock";

/// Below a state directory: `history/SESSION/FILE`.
const DEPTH_MAX: u32 = 3;

/// Between two looks that the server asks for.
const LOOK_PAUSE: Duration = Duration::from_millis(300);

const ROOT: u32 = 0;
const GROUP_ALL: u32 = 0o070;
const GROUP_WRITE: u32 = 0o020;
const OTHERS_ALL: u32 = 0o007;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// A directory, at most one.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    what: &'static str,
    open: Option<OwnedFd>,
}

/// All of them.
#[derive(Debug)]
pub struct Directories {
    state: Option<Place>,
    log: Option<Place>,
    user: Option<Identity>,
    next_look: Instant,
}

impl Directories {
    /// Makes and opens what can be.
    pub fn prepare(state: Option<&Path>, log: Option<&Path>, user: Option<Identity>, now: Instant) -> Self {
        let place = |path: Option<&Path>, what| path.map(|path| Place { path: path.to_owned(), what, open: None });
        let mut this =
            Self { state: place(state, "state directory"), log: place(log, "log directory"), user, next_look: now };
        this.look();
        this
    }

    /// The open ones: that of the state, that of the logs.
    #[must_use]
    pub fn fds(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [&self.state, &self.log].map(|place| place.as_ref()?.open.as_ref().map(AsFd::as_fd))
    }

    /// The server finds no use in what it has. True if there is another one now.
    pub fn look_again(&mut self, now: Instant) -> bool {
        if now < self.next_look {
            return false;
        }
        self.next_look = now + LOOK_PAUSE;
        self.look()
    }

    fn look(&mut self) -> bool {
        let user = self.user.as_ref();
        let mut has_changed = false;
        for place in [&mut self.state, &mut self.log].into_iter().flatten() {
            has_changed |= place.look(user);
        }
        has_changed
    }
}

impl Place {
    fn look(&mut self, user: Option<&Identity>) -> bool {
        // The server says why its files can't be written.
        let Ok(found) = make(&self.path) else { return false };
        let is_same = self.open.as_ref().is_some_and(|open| is_same(open, &found));
        if let Some(Err(reason)) = user.map(|user| grant(&self.path, &found, user, !is_same)) {
            tracing::warn!(
                path = %self.path.display(),
                reason = %reason,
                "The API server's user cannot be let into the {}; name a directory that is for quarterdeck alone",
                self.what
            );
        }
        if !is_same {
            self.open = Some(found);
        }
        !is_same
    }
}

fn is_same(one: &OwnedFd, other: &OwnedFd) -> bool {
    let id = |fd| rustix::fs::fstat(fd).map(|about| (about.st_dev, about.st_ino));
    matches!((id(one), id(other)), (Ok(one), Ok(other)) if one == other)
}

fn make(path: &Path) -> io::Result<OwnedFd> {
    // One that is there is left as it is.
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    made.and_then(|()| Ok(opened?))
}

/// Lets `user` into the directory, and gives it what it keeps there.
fn grant(path: &Path, place: &OwnedFd, user: &Identity, is_first: bool) -> Result<(), String> {
    let about = rustix::fs::fstat(place).map_err(|e| e.to_string())?;
    if about.st_uid != process::own_user() && about.st_uid != user.uid() {
        return Err(format!("it belongs to the user {}", about.st_uid));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(place, ".", flags, Mode::empty()).map_err(|e| e.to_string())?;
    let names = names(&dir).map_err(|e| e.to_string())?;
    let is_ours = |name: &String| is_kept(name) || OTHERS.contains(&name.as_str()) || name.starts_with("quarterdeck.");
    let is_dedicated = names.iter().all(is_ours);
    if !is_dedicated {
        if about.st_mode & OTHERS_ALL == OTHERS_ALL {
            return Ok(());
        }
        // Else it may be another one than the one that was meant.
        if let Some(above) = open_to_others_above(path) {
            return Err(format!("it holds what is not quarterdeck's, and others may change {}", above.display()));
        }
    }
    // Sessions of another user have to get to the socket there. Who opens the
    // directory to others later has a reason.
    let has_socket = names.iter().any(|name| name == NOTIFY_SOCKET);
    let shut = match (is_dedicated && is_first, has_socket) {
        (true, false) => OTHERS_ALL | STICKY,
        (true, true) => OTHERS_WRITE | STICKY,
        (false, _) => 0,
    };
    if let Err(error) = open_to_group(&dir, &about, user, shut) {
        // Nothing can be written there by anybody, which the server will tell.
        return if error == rustix::io::Errno::ROFS { Ok(()) } else { Err(error.to_string()) };
    }
    for name in names.iter().filter(|name| is_kept(name) || name.starts_with("quarterdeck.")) {
        give(&dir, name, user, DEPTH_MAX);
    }
    Ok(())
}

/// The first directory above in which somebody else could have laid a link.
fn open_to_others_above(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    real.ancestors().skip(1).map(Path::to_owned).find(|above| {
        let about = fs::symlink_metadata(above).map(|about| (about.uid(), about.mode()));
        about.is_ok_and(|(owner, mode)| {
            let is_others = owner != ROOT && owner != process::own_user();
            is_others || (mode & (GROUP_WRITE | OTHERS_WRITE) != 0 && mode & STICKY == 0)
        })
    })
}

fn is_kept(name: &str) -> bool {
    KEPT.iter().any(|kept| name.starts_with(kept))
}

fn open_to_group(dir: &OwnedFd, about: &Stat, user: &Identity, shut: u32) -> rustix::io::Result<()> {
    let mode = about.st_mode & 0o7777;
    let wanted = (mode | GROUP_ALL) & !shut;
    // First the group, so that nobody else's ever has the right.
    if about.st_gid != user.gid() {
        rustix::fs::fchown(dir, None, Some(Gid::from_raw(user.gid())))?;
    }
    if mode != wanted { rustix::fs::fchmod(dir, Mode::from_raw_mode(wanted)) } else { Ok(()) }
}

fn names(dir: &OwnedFd) -> rustix::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

/// Gives what init's user has there, with everything in it. What can't be given
/// the server can't use, and says so.
fn give(dir: &OwnedFd, name: &str, user: &Identity, depth: u32) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // A pipe or a device is not even opened.
    let Ok(seen) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
    if !matches!(FileType::from_raw_mode(seen.st_mode), FileType::RegularFile | FileType::Directory) {
        return;
    }
    let Ok(file) = rustix::fs::openat(dir, name, flags, Mode::empty()) else { return };
    let Ok(about) = rustix::fs::fstat(&file) else { return };
    let is_dir = FileType::from_raw_mode(about.st_mode) == FileType::Directory;
    if !is_dir && (about.st_nlink != 1 || FileType::from_raw_mode(about.st_mode) != FileType::RegularFile) {
        return;
    }
    // It is init's, or was given to the server's user of an earlier start.
    if about.st_uid != user.uid() {
        let _ = rustix::fs::fchown(&file, Some(Uid::from_raw(user.uid())), Some(Gid::from_raw(user.gid())));
    }
    if is_dir && depth > 0 {
        for inner in names(&file).unwrap_or_default() {
            give(&file, &inner, user, depth - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const OTHER: u32 = 64_000;

    fn prepared(dir: &Path) -> Directories {
        let user = process::is_root().then(|| Identity::new(OTHER, OTHER, &[]));
        Directories::prepare(Some(dir), None, user, Instant::now())
    }

    #[test]
    fn what_the_server_keeps_is_given_to_it_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/state");
        fs::create_dir_all(state.join("history/x")).unwrap();
        let files = ["sessions.json", "history/x/0.cast", "token", "sessions.json.linked"];
        for file in files {
            fs::write(state.join(file), "").unwrap();
        }
        fs::hard_link(state.join("sessions.json.linked"), dir.path().join("second-name")).unwrap();
        symlink("/etc/passwd", state.join("tokens.json")).unwrap();
        assert!(prepared(&state).fds()[0].is_some());
        if !process::is_root() {
            return;
        }
        let owner = |path: &str| fs::symlink_metadata(state.join(path)).unwrap().uid();
        let about = fs::metadata(&state).unwrap();
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (0, OTHER, 0o770));
        let given: Vec<bool> = files.map(|file| owner(file) == OTHER).into();
        assert_eq!(given, [true, true, false, false]);
        assert_eq!((owner("history"), owner("tokens.json")), (OTHER, 0));
        assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0);
    }

    #[test]
    fn a_directory_that_holds_other_things_is_opened_only_if_nobody_else_can_have_put_it_there() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, above, expected) in
            [(0o700, 0o755, 0o770), (0o755, 0o1777, 0o775), (0o755, 0o775, 0o755), (0o1777, 0o755, 0o1777)]
        {
            let state = dir.path().join(format!("{above:o}/{mode:o}"));
            fs::create_dir_all(&state).unwrap();
            fs::write(state.join("work"), "").unwrap();
            fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
            fs::set_permissions(state.parent().unwrap(), Permissions::from_mode(above)).unwrap();
            prepared(&state);
            let expected = if process::is_root() { expected } else { mode };
            assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, expected, "{mode:o} below {above:o}");
        }
    }

    #[test]
    fn another_directory_in_the_place_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        fs::write(&state, "in the way").unwrap();
        let mut directories = prepared(&state);
        assert!(directories.fds()[0].is_none());
        let later = |n: u32| Instant::now() + LOOK_PAUSE * n;
        assert!(!directories.look_again(later(1)));
        fs::remove_file(&state).unwrap();
        assert!(!directories.look_again(later(1)), "too soon");
        assert!(directories.look_again(later(3)), "it could be made");
        assert!(!directories.look_again(later(5)), "the same one");
        fs::rename(&state, dir.path().join("moved")).unwrap();
        assert!(directories.look_again(later(7)));
    }
}
