//! `SOCK_SEQPACKET` socketpairs with descriptors on board, `unix(7)`.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt::socket_type;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, SocketFlags, SocketType,
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
    rustix::net::sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
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

/// Receives one message of a peer that may send no descriptors.
///
/// A descriptor that arrives has to be closed, and closing some waits for
/// somebody else: a connection that is to linger (`SO_LINGER`), a file whose file
/// system is a program. So the message is looked at without taking its
/// descriptors, and left where it is when it has any.
///
/// # Errors
/// As [`receive`]; `PermissionDenied` for a message with descriptors.
pub fn receive_plain(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let mut nothing = RecvAncillaryBuffer::default();
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let got = rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut nothing, flags)?;
    if got.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a message came with descriptors"));
    }
    // The end of the connection, or a message without a byte: not to be told apart.
    if got.bytes > 0 {
        rustix::net::recv(&socket, &mut [0u8; 1][..], RecvFlags::DONTWAIT)?;
    }
    if got.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message did not fit the buffer"));
    }
    Ok(got.bytes)
}

/// Ends the connection both ways and empties its queue; false if a message with
/// descriptors is left in it, which whoever closes `socket` closes with it.
pub fn shut_down(socket: impl AsFd) -> bool {
    let _ = rustix::net::shutdown(&socket, Shutdown::Both);
    loop {
        match receive_plain(&socket, &mut [0; 1]) {
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {}
            Err(e) => return e.kind() != io::ErrorKind::PermissionDenied,
            Ok(0) => return true,
            Ok(_) => {}
        }
    }
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
    fn a_message_with_descriptors_is_not_taken() {
        let (a, b) = pair().unwrap();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        send(&a, b"plain", &[]).unwrap();
        send(&a, &[9; 100], &[]).unwrap();
        send(&a, b"loaded", &[reader.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        assert_eq!(receive_plain(&b, &mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"plain");
        assert_eq!(receive_plain(&b, &mut buffer).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for _ in 0..2 {
            assert_eq!(receive_plain(&b, &mut buffer).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        }
        assert!(!shut_down(&b), "it is in the queue still");
        assert!(matches!(receive(&b, &mut buffer), Ok((6, fds)) if fds.len() == 1));
    }

    #[test]
    fn a_connection_that_is_shut_down_is_emptied_and_takes_nothing_more() {
        let (a, b) = pair().unwrap();
        send(&a, &[1; 100], &[]).unwrap();
        send(&a, b"x", &[]).unwrap();
        assert!(shut_down(&b));
        assert_eq!(send(&a, b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_peer_that_is_gone_is_seen_on_both_ways() {
        let (a, b) = pair().unwrap();
        drop(b);
        assert!(matches!(receive(&a, &mut [0; 8]), Ok((0, _))));
        assert_eq!(send(&a, b"x", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
