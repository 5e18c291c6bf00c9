//! Listening sockets.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::net::sockopt::{set_socket_reuseaddr, set_tcp_nodelay};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Connections that may wait while no server accepts; the kernel lowers it to
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Bytes of not yet sent data above which a socket stops being writable. Small,
/// so that what is not on the wire is still ours to reorder: a key's echo never
/// waits behind a megabyte of another session's output.
const NOTSENT_LOWAT: u32 = 64 * 1024;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Listens on a TCP address.
///
/// `TCP_NODELAY` and `TCP_NOTSENT_LOWAT` are set here, once: accepted sockets
/// inherit them (`tcp(7)`).
///
/// # Errors
/// What `bind(2)` or `listen(2)` returns, e.g. `EADDRINUSE`.
pub fn listen_tcp(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, FLAGS, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_tcp_nodelay(&socket, true)?;
    set_notsent_lowat(&socket, NOTSENT_LOWAT)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Listens on a Unix socket that only its owner may connect to.
///
/// A file left by an earlier run is replaced, but only if nobody answers on it.
///
/// # Errors
/// `AddrInUse` when another process listens there, else what the calls return.
pub fn listen_unix(path: &Path) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    if path.exists() {
        let probe = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
        if rustix::net::connect(&probe, &address).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        std::fs::remove_file(path)?;
    }
    // The mode comes from the umask: chmod(2) afterwards would leave a moment
    // in which anybody could connect.
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let bound = rustix::net::bind(&socket, &address);
    rustix::process::umask(old);
    bound?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// The address a socket is bound to (the port, where 0 was asked for).
///
/// # Errors
/// What `getsockname(2)` returns, or `InvalidData` if it is no IP socket.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    let any = rustix::net::getsockname(socket)?;
    SocketAddr::try_from(any).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn set_notsent_lowat(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let fd = socket.as_fd().as_raw_fd();
    let (value, len) = (std::ptr::from_ref(&bytes).cast(), libc::socklen_t::try_from(size_of::<u32>()).unwrap_or(4));
    // SAFETY: the option takes a 4-byte integer, and `bytes` outlives the call.
    let result = unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_NOTSENT_LOWAT, value, len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
