#![expect(
    unsafe_code,
    reason = "the runtime lends out raw descriptors alone; options want a borrowed one"
)]
//! Options of sockets that the runtime has no words for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use monoio::net::TcpStream;
use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size};

/// Makes closing this connection a reset.
///
/// # Errors
/// As the kernel says.
pub fn reset_when_closed(stream: &TcpStream) -> io::Result<()> {
    Ok(set_socket_linger(borrow(stream), Some(Duration::ZERO))?)
}

/// Makes the kernel hold little of what is not read yet.
///
/// # Errors
/// As the kernel says.
pub fn hold_little(stream: &TcpStream) -> io::Result<()> {
    Ok(set_socket_recv_buffer_size(borrow(stream), 4096)?)
}

/// Ends both directions, so that whatever waits on the socket is woken.
pub fn shut(stream: &TcpStream) {
    // A peer that left before has done it for us.
    let _ = rustix::net::shutdown(borrow(stream), rustix::net::Shutdown::Both);
}

fn borrow(stream: &TcpStream) -> BorrowedFd<'_> {
    // SAFETY: the stream owns the descriptor and is borrowed for as long as the result lives.
    unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) }
}
