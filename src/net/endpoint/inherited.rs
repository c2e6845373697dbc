#![expect(
    unsafe_code,
    reason = "descriptors that a service manager hands in are known by their number alone"
)]
//! Listening sockets that a service manager hands in: systemd's socket activation.
//!
//! `LISTEN_PID` names the process that the sockets are for, `LISTEN_FDS` is how many there are, from
//! descriptor 3 on, and `LISTEN_FDNAMES` are their names, with colons in between. A socket serves the
//! configured address that it is bound to; the workers share it.
//!
//! The service manager keeps such a socket open: clients that connect while no gateway runs wait in its
//! queue. So its file, if it has one, is not removed at the end.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};

use socket2::{Socket, Type};

use crate::net::endpoint::listen::{self, Address, BoundAddress};

/// Sockets that were handed in and that no listener has taken yet.
#[derive(Debug, Default)]
pub struct InheritedSockets(Vec<InheritedSocket>);

#[derive(Debug)]
struct InheritedSocket {
    socket: Socket,
    address: Address,
    /// Number and name, for errors.
    label: String,
}

impl InheritedSockets {
    /// Takes over the sockets that the environment speaks of: none where `LISTEN_PID` is not this process.
    /// To be called once, because descriptors are taken by their number.
    ///
    /// # Errors
    ///
    /// When `LISTEN_FDS` is no number, or a descriptor is no listening stream socket over TCP or on a path.
    pub fn take(variable: impl Fn(&str) -> Option<String>) -> io::Result<Self> {
        let process = std::process::id().to_string();
        let (Some(pid), Some(count)) = (variable("LISTEN_PID"), variable("LISTEN_FDS")) else {
            return Ok(Self::default());
        };
        if pid != process {
            return Ok(Self::default());
        }
        let count = match count.parse::<RawFd>() {
            Ok(count) if (0..=SOCKETS_MAX).contains(&count) => count,
            _ => {
                return Err(io::Error::other(format!(
                    "LISTEN_FDS: expected a number of descriptors up to {SOCKETS_MAX}, found \"{count}\""
                )));
            }
        };
        let names = variable("LISTEN_FDNAMES").unwrap_or_default();
        let names = names.split(':').map(Some).chain(core::iter::repeat(None));
        let sockets = (FIRST..FIRST + count).zip(names).map(|(fd, name)| {
            let label = match name.filter(|name| !name.is_empty()) {
                Some(name) => format!("descriptor {fd} of LISTEN_FDS ({name})"),
                None => format!("descriptor {fd} of LISTEN_FDS"),
            };
            InheritedSocket::new(fd, label)
        });
        sockets.collect::<io::Result<_>>().map(Self)
    }

    /// The socket that is bound to `address`, for `workers` workers; a new one where none was handed in.
    ///
    /// # Errors
    ///
    /// Those of [`listen::bind`], or that no descriptor is left.
    pub fn bind(&mut self, address: &Address, workers: usize) -> io::Result<BoundAddress> {
        let found = self.0.iter().position(|each| each.address == *address);
        match found {
            Some(at) => BoundAddress::inherited(self.0.remove(at).socket, address.clone(), workers),
            None => listen::bind(address, workers).map_err(io::Error::other),
        }
    }

    /// Whether every socket has found its listener.
    ///
    /// # Errors
    ///
    /// When one is left: clients would wait in its queue for ever.
    pub fn finish(&self) -> io::Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(left) => Err(io::Error::other(format!(
                "{} is bound to {}, which is no configured address: \
                 add it to listen or admin in [server]",
                left.label, left.address
            ))),
        }
    }
}

impl InheritedSocket {
    fn new(fd: RawFd, label: String) -> io::Result<Self> {
        let wrong = |what: &str| io::Error::other(format!("{label} is {what}"));
        // SAFETY: a flag of a descriptor is set; a number that is not open is an error.
        if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
            return Err(wrong("not open"));
        }
        // SAFETY: it is open, and by the protocol nobody else in this process has it.
        let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
        if !is_stream || !socket.is_listener().unwrap_or(false) {
            return Err(wrong("no listening stream socket"));
        }
        let local = socket.local_addr()?;
        let path = || {
            local
                .as_pathname()
                .map(|path| Address::Unix(path.to_owned()))
        };
        let address = local.as_socket().map(Address::Tcp).or_else(path);
        Ok(Self {
            address: address.ok_or_else(|| wrong("bound to neither an IP address nor a path"))?,
            socket,
            label,
        })
    }
}

/// The descriptor that the protocol begins with.
const FIRST: RawFd = 3;
/// Most sockets that are taken over.
const SOCKETS_MAX: RawFd = 64;

#[cfg(test)]
mod tests {
    use super::InheritedSockets;

    fn taken(pid: &str, count: &str) -> Result<usize, String> {
        let sockets = InheritedSockets::take(|name| match name {
            "LISTEN_PID" => Some(pid.to_owned()),
            "LISTEN_FDS" => Some(count.to_owned()),
            _ => None,
        });
        sockets
            .map(|it| it.0.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sockets_for_another_process_are_left_and_counts_must_be_small_numbers() {
        let own = std::process::id().to_string();
        assert_eq!(taken("1", "x"), Ok(0));
        assert_eq!(taken(&own, "0"), Ok(0));
        for wrong in ["", "x", "-1", "65"] {
            let expected =
                format!("LISTEN_FDS: expected a number of descriptors up to 64, found \"{wrong}\"");
            assert_eq!(taken(&own, wrong), Err(expected));
        }
    }
}
