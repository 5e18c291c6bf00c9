//! The token that lets clients in: read or made here, because init alone is
//! sure to read the file, and handed to each server over the link.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::config::TokenSource;
use crate::model::secret::{Secret, TOKEN_MAX};
use crate::sys::log_fd::LogFd;
use crate::sys::process;

/// A token and a line end, and what shows that a file is longer.
const READ_MAX: u64 = TOKEN_MAX as u64 + 3;

/// Nobody but the owner may read what we made.
const NOT_PRIVATE: u32 = 0o077;

/// Others may read what somebody made for us.
const READABLE_BY_ALL: u32 = 0o004;

/// The token, and where it comes from.
#[derive(Debug)]
pub struct Token {
    now: Option<Secret>,
    /// Where a new one may be found.
    file: Option<PathBuf>,
    /// Whether we made it, so that only we can tell it.
    is_made: bool,
}

impl Token {
    /// Reads it, or makes it and keeps it.
    ///
    /// # Errors
    /// The file that was named can't be used, in words.
    pub fn take(source: TokenSource) -> Result<Self, String> {
        let token = match source {
            TokenSource::None => Self { now: None, file: None, is_made: false },
            TokenSource::Given(token) => Self { now: Some(token), file: None, is_made: false },
            TokenSource::File(path) => {
                let token =
                    read_given(&path).map_err(|why| format!("cannot use the token file {}: {why}", path.display()))?;
                Self { now: Some(token), file: Some(path), is_made: false }
            }
            TokenSource::Made(place) => Self { now: Some(kept_or_new(place.as_deref())?), file: place, is_made: true },
        };
        if token.now.as_ref().is_some_and(Secret::is_short) {
            tracing::warn!("The token is short enough to be guessed; take one of 16 characters or more");
        }
        Ok(token)
    }

    /// The token of now; none where none is asked for.
    #[must_use]
    pub fn now(&self) -> Option<&Secret> {
        self.now.as_ref()
    }

    /// Looks at the file again. A new token, if it holds one.
    pub fn renew(&mut self) -> Option<Secret> {
        let path = self.file.as_deref()?;
        let read = if self.is_made { read_ours(path).map_err(|e| e.to_string()) } else { read_given(path) };
        match read {
            Ok(token) if self.now.as_ref() == Some(&token) => None,
            Ok(token) => {
                tracing::info!("The token was changed: every login with the one before is over");
                self.now = Some(token.clone());
                Some(token)
            }
            Err(reason) => {
                tracing::warn!(file = %path.display(), reason, "The token file cannot be used; the token stays as it was");
                None
            }
        }
    }

    /// Tells people the address to open, where nobody else can know the token.
    /// Past the log: what is logged is kept and sent on.
    pub fn announce(&self, listen: SocketAddr) {
        let Some(token) = self.now.as_ref().filter(|_| self.is_made) else { return };
        let line = format!("Open http://{}/#token={}\n", reachable(listen), token.reveal());
        if LogFd::stderr().write_line(line.as_bytes()).is_err() {
            tracing::warn!("The address with the token could not be printed; the token is in the state directory");
        }
    }
}

/// An address that can be opened on this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The one of an earlier life, or a new one.
fn kept_or_new(place: Option<&Path>) -> Result<Secret, String> {
    let kept = place.map(read_ours);
    match kept {
        Some(Ok(token)) => return Ok(token),
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(reason = %error, "The token of before cannot be used; a new one is made");
        }
        _ => {}
    }
    let token = Secret::random().map_err(|e| format!("cannot make a token: {e}; give one with --token-file"))?;
    match place.map(|path| keep(path, &token)) {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::warn!(
            file = %place.unwrap_or(Path::new("")).display(), %error,
            "The token cannot be kept; it is another one after a restart of the container"
        ),
        None => tracing::warn!(
            "There is no state directory for the token; it is another one after a restart of the container"
        ),
    }
    Ok(token)
}

fn keep(path: &Path, token: &Secret) -> io::Result<()> {
    let dir = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write_new(&new, token).and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, token: &Secret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", token.reveal())?;
    file.sync_all()
}

/// What we have written. The directory may be another user's, who must not get
/// us to read what only we can read: no link is followed, and the file has to
/// be ours alone.
fn read_ours(path: &Path) -> io::Result<Secret> {
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display()));
    let file = open(path, libc::O_NOFOLLOW)?;
    let about = file.metadata()?;
    let own = process::own_user();
    if !about.is_file() || about.nlink() != 1 || about.uid() != own {
        return Err(bad("it is no file of ours"));
    }
    if about.mode() & NOT_PRIVATE != 0 {
        return Err(bad("others may have read it"));
    }
    read(file).map_err(|why| bad(&why))
}

/// What somebody has put there for us; secrets of Kubernetes are links.
fn read_given(path: &Path) -> Result<Secret, String> {
    let file = open(path, 0).map_err(|e| e.to_string())?;
    let about = file.metadata().map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("it is not a file".into());
    }
    if about.mode() & READABLE_BY_ALL != 0 {
        tracing::warn!(file = %path.display(), "Every user in the container can read the token file; give it mode 0600");
    }
    read(file)
}

/// Opening a pipe would wait for somebody to write to it.
fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | flags).open(path)
}

/// One line. What is wrong with it is told without it.
fn read(file: File) -> Result<Secret, String> {
    let mut text = Vec::new();
    file.take(READ_MAX).read_to_end(&mut text).map_err(|e| e.to_string())?;
    let text = String::from_utf8(text).map_err(|_| "it is not text".to_owned())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    line.strip_suffix('\r').unwrap_or(line).parse::<Secret>().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/token");
        (dir, path)
    }

    fn made(path: &Path) -> Token {
        Token::take(TokenSource::Made(Some(path.to_owned()))).unwrap()
    }

    #[test]
    fn a_made_token_is_kept_for_its_owner_alone_and_found_again() {
        let (_dir, path) = place();
        let first = made(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(made(&path).now(), first.now());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn one_that_others_could_read_or_put_there_is_not_trusted() {
        let (dir, path) = place();
        let first = made(&path).now().cloned();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let second = made(&path).now().cloned();
        assert_ne!(first, second);
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        let third = made(&path).now().cloned();
        assert_ne!(second, third, "a link is not followed");
        fs::remove_file(&path).unwrap();
        fs::hard_link(&elsewhere, &path).unwrap();
        assert_ne!(made(&path).now().cloned(), second, "nor a second name of some file");
        assert_eq!(
            fs::read_to_string(&elsewhere).unwrap().trim(),
            second.unwrap().reveal(),
            "and nothing is written there"
        );
    }

    #[test]
    fn a_file_is_read_again_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("given");
        fs::write(&path, "one-token-of-mine\r\n").unwrap();
        let mut token = Token::take(TokenSource::File(path.clone())).unwrap();
        assert_eq!(token.now().unwrap().reveal(), "one-token-of-mine");
        assert!(token.renew().is_none(), "nothing changed");
        fs::write(&path, "another-token").unwrap();
        assert_eq!(token.renew().unwrap().reveal(), "another-token");
        for bad in ["", "\n", "two words", "two\nlines", &"x".repeat(600)] {
            fs::write(&path, bad).unwrap();
            assert!(token.renew().is_none(), "{bad:?}");
            assert_eq!(token.now().unwrap().reveal(), "another-token");
        }
        fs::remove_file(&path).unwrap();
        assert!(token.renew().is_none());
        assert!(Token::take(TokenSource::File(path)).is_err());
    }

    #[test]
    fn the_address_can_be_opened_here() {
        for (listen, shown) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:2", "[::1]:2"), ("10.0.0.1:3", "10.0.0.1:3")] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), shown);
        }
    }
}
