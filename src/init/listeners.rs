//! The sockets clients connect to. Init holds them, so that a connection made
//! while no server runs waits in the backlog instead of being refused.

use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::link::message::UnixSockets;
use crate::sys::net;

/// The open listening sockets.
#[derive(Debug)]
pub struct Listeners {
    /// The API's TCP socket.
    pub tcp: OwnedFd,
    /// Its real address.
    pub address: SocketAddr,
    /// The Unix socket, and the path to remove at the end.
    pub unix: Option<(OwnedFd, PathBuf)>,
    /// The socket for what sessions say of themselves, beside it.
    pub notify: Option<(OwnedFd, PathBuf)>,
}

impl Listeners {
    /// Opens them; the text of an error says what to do.
    pub fn open(config: &Config) -> Result<Self, String> {
        let tcp = net::listen_tcp(config.listen).map_err(|e| cannot_listen(config.listen, &e))?;
        let address = net::local_address(&tcp).map_err(|e| cannot_listen(config.listen, &e))?;
        let unix = open_unix(&config.sockets, config.socket_is_given)?;
        let notify = unix.as_ref().and_then(|(_, path)| open_notify(path));
        Ok(Self { tcp, address, unix, notify })
    }

    /// Which of the Unix sockets there are.
    #[must_use]
    pub fn unix_sockets(&self) -> UnixSockets {
        UnixSockets { api: self.unix.is_some(), notify: self.notify.is_some() }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for (_, path) in [&self.unix, &self.notify].into_iter().flatten() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Every process may connect: what it may say depends on what it shows.
fn open_notify(api_socket: &Path) -> Option<(OwnedFd, PathBuf)> {
    let path = std::path::absolute(api_socket.with_extension("notify.sock")).ok()?;
    let opened = net::listen_unix(&path).and_then(|fd| {
        std::fs::set_permissions(&path, Permissions::from_mode(0o666))?;
        Ok(fd)
    });
    match opened {
        Ok(fd) => Some((fd, path)),
        Err(error) => {
            tracing::warn!(
                path = %path.display(), %error,
                "Cannot make the Unix socket for `quarterdeck notify`; sessions cannot say what they need"
            );
            None
        }
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    format!("cannot listen on {address}: {error}; choose another address with --listen, port 0 takes a free one")
}

fn open_unix(candidates: &[PathBuf], is_given: bool) -> Result<Option<(OwnedFd, PathBuf)>, String> {
    let mut failures = Vec::new();
    for path in candidates {
        match open_one(path) {
            Ok(fd) => return Ok(Some((fd, path.clone()))),
            Err(e) => failures.push(format!("{}: {e}", path.display())),
        }
    }
    let reason = format!("cannot make the Unix socket ({})", failures.join("; "));
    if is_given {
        return Err(format!("{reason}; choose another path with --socket"));
    }
    tracing::warn!("{reason}; client commands such as `quarterdeck health` will not work, name a path with --socket");
    Ok(None)
}

fn open_one(path: &Path) -> io::Result<OwnedFd> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    net::listen_unix(path)
}
