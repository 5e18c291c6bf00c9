//! `SOCK_SEQPACKET` socketpairs with descriptors on board, `unix(7)`.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt::socket_type;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

/// Most descriptors on one message.
pub const FDS_MAX: usize = 8;

/// Makes a connected pair; both ends are non-blocking and closed on exec.
///
/// # Errors
/// What `socketpair(2)` returns.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// True if `fd` is a seqpacket socket.
#[must_use]
pub fn is_one(fd: impl AsFd) -> bool {
    socket_type(fd) == Ok(SocketType::SEQPACKET)
}

/// Sends one message with its descriptors, whole or not at all.
///
/// # Errors
/// `WouldBlock` when the queue is full, `EPIPE` when the peer is gone,
/// `InvalidInput` above [`FDS_MAX`] descriptors.
pub fn send(socket: impl AsFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message into `buffer`; its length and descriptors.
///
/// Zero length means that the peer is gone.
///
/// # Errors
/// `WouldBlock` when there is none, `EMFILE` when no descriptor was left for
/// those that came with it, `InvalidData` when it did not fit (a
/// message is never used in part), else what `recvmsg(2)` returns.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let got = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    if got.flags.contains(ReturnFlags::CTRUNC) {
        // The kernel leaves away what it has no number for.
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    if got.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message did not fit the buffer"));
    }
    Ok((got.bytes, fds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_and_descriptors_are_kept() {
        let (a, b) = pair().unwrap();
        assert!(is_one(&a));
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        send(&a, b"one", &[]).unwrap();
        send(&a, b"two", &[reader.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        assert!(matches!(receive(&b, &mut buffer), Ok((3, fds)) if fds.is_empty()));
        let (n, fds) = receive(&b, &mut buffer).unwrap();
        assert_eq!((&buffer[..n], fds.len()), (&b"two"[..], 1));
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(rustix::io::read(&fds[0], &mut buffer).unwrap(), 1);
    }

    #[test]
    fn an_oversized_message_is_an_error_and_the_next_is_whole() {
        let (a, b) = pair().unwrap();
        send(&a, &[1; 100], &[]).unwrap();
        send(&a, &[2; 10], &[]).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(receive(&b, &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(matches!(receive(&b, &mut buffer), Ok((10, _))));
        assert_eq!(receive(&b, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_peer_that_is_gone_is_seen_on_both_ways() {
        let (a, b) = pair().unwrap();
        drop(b);
        assert!(matches!(receive(&a, &mut [0; 8]), Ok((0, _))));
        assert_eq!(send(&a, b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
