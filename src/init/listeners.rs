//! The sockets clients connect to. Init holds them, so that a connection made
//! while no server runs waits in the backlog instead of being refused.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::config::Config;
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
}

impl Listeners {
    /// Opens them; the text of an error says what to do.
    pub fn open(config: &Config) -> Result<Self, String> {
        let tcp = net::listen_tcp(config.listen).map_err(|e| cannot_listen(config.listen, &e))?;
        let address = net::local_address(&tcp).map_err(|e| cannot_listen(config.listen, &e))?;
        let unix = open_unix(&config.sockets, config.socket_is_given)?;
        Ok(Self { tcp, address, unix })
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.unix {
            let _ = std::fs::remove_file(path);
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
