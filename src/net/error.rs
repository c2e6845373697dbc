//! What can go wrong on a connection: the act that failed and the kind of failure.
//!
//! One small `Copy` value, so that it travels through the shell without allocation. The detail of
//! a TLS failure is a [`TlsFault`]; it belongs in logs, never in an answer to a client.
//!
//! Not here: who is to blame and what is done about it (see `proxy::failure`).

use core::fmt;
use std::io;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetOperation {
    /// Taking a listening address.
    Bind,
    /// Taking a connection from a listener.
    Accept,
    /// Finding the addresses of a name.
    Resolve,
    /// Opening a connection.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Reading.
    Read,
    /// Writing, closing included.
    Write,
}

/// How it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetErrorKind {
    /// The time for it ran out.
    Timeout,
    /// The peer had closed the connection.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// Nobody listens there.
    Refused,
    /// No way leads there.
    Unreachable,
    /// The name has no address.
    NoAddress,
    /// All addresses of the name lie outside the networks that are allowed.
    Barred,
    /// The address is taken.
    InUse,
    /// We stopped it ourselves.
    Stopped,
    /// Descriptors or kernel memory have run out.
    Exhausted,
    /// A TLS connection ended without a close message: what came may not be all.
    Cut,
    /// TLS said no.
    Tls(TlsFault),
    /// Any other error number of the system.
    Os(i32),
}

/// Why TLS said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The certificate is for another name.
    Name,
    /// The certificate is past its end or before its beginning.
    Expired,
    /// No root that we trust signed the certificate.
    Untrusted,
    /// Something else about the certificate.
    Certificate,
    /// The two sides share no version, cipher suite or protocol.
    Incompatible,
    /// The peer sent an alert.
    Alert,
    /// What came is not TLS, or broken TLS.
    Protocol,
    /// Our own side failed.
    Internal,
}

/// A failed act on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetError {
    act: NetOperation,
    kind: NetErrorKind,
}

impl NetError {
    /// A failure of `act`.
    #[must_use]
    pub const fn new(act: NetOperation, kind: NetErrorKind) -> Self {
        Self { act, kind }
    }

    /// A failure of `act` that the system reported.
    #[must_use]
    #[cold]
    pub fn from_io(act: NetOperation, error: &io::Error) -> Self {
        let kind = match error.raw_os_error() {
            Some(errno) => kind_of(errno),
            None => kind_without_number(error.kind()),
        };
        Self { act, kind }
    }

    /// What was being done.
    #[must_use]
    pub const fn act(self) -> NetOperation {
        self.act
    }

    /// How it failed.
    #[must_use]
    pub const fn kind(self) -> NetErrorKind {
        self.kind
    }

    /// Whether the time for it ran out.
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(self.kind, NetErrorKind::Timeout)
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.act.as_str(), self.kind)
    }
}

impl core::error::Error for NetError {}

impl NetOperation {
    /// The word for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Accept => "accept",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for NetErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Timeout => "time ran out",
            Self::Closed => "closed by the peer",
            Self::Reset => "reset by the peer",
            Self::Refused => "refused",
            Self::Unreachable => "no way to the address",
            Self::NoAddress => "the name has no address",
            Self::Barred => "the address is outside the allowed networks",
            Self::InUse => "the address is in use",
            Self::Stopped => "stopped",
            Self::Exhausted => "no descriptors or kernel memory left",
            Self::Cut => "tls connection ended without a close message",
            Self::Tls(fault) => fault.as_str(),
            Self::Os(errno) => return write!(f, "{}", io::Error::from_raw_os_error(*errno)),
        };
        f.write_str(text)
    }
}

impl TlsFault {
    /// The sentence for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "tls certificate is for another name",
            Self::Expired => "tls certificate is not valid now",
            Self::Untrusted => "tls certificate is signed by no root that is trusted",
            Self::Certificate => {
                "tls certificate is none for a server (an authority's own, CA:TRUE, is not taken)"
            }
            Self::Incompatible => "tls peers share no version, cipher suite or protocol",
            Self::Alert => "tls peer sent an alert",
            Self::Protocol => "tls protocol violated",
            Self::Internal => "tls failed on our side",
        }
    }
}

fn kind_of(errno: i32) -> NetErrorKind {
    match errno {
        libc::ETIMEDOUT => NetErrorKind::Timeout,
        libc::EPIPE | libc::ENOTCONN | libc::ESHUTDOWN => NetErrorKind::Closed,
        libc::ECONNRESET | libc::ECONNABORTED => NetErrorKind::Reset,
        libc::ECONNREFUSED => NetErrorKind::Refused,
        libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EADDRNOTAVAIL => {
            NetErrorKind::Unreachable
        }
        libc::EADDRINUSE => NetErrorKind::InUse,
        libc::ECANCELED => NetErrorKind::Stopped,
        libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => NetErrorKind::Exhausted,
        other => NetErrorKind::Os(other),
    }
}

fn kind_without_number(kind: io::ErrorKind) -> NetErrorKind {
    match kind {
        io::ErrorKind::TimedOut => NetErrorKind::Timeout,
        io::ErrorKind::UnexpectedEof => NetErrorKind::Closed,
        io::ErrorKind::NotFound => NetErrorKind::NoAddress,
        _ => NetErrorKind::Os(0),
    }
}

#[cfg(test)]
mod tests {
    use super::{NetError, NetErrorKind, NetOperation, TlsFault};

    #[test]
    fn from_io_known_numbers_become_kinds() {
        let cases = [
            (libc::ECONNRESET, NetErrorKind::Reset),
            (libc::EPIPE, NetErrorKind::Closed),
            (libc::ECONNREFUSED, NetErrorKind::Refused),
            (libc::EMFILE, NetErrorKind::Exhausted),
            (libc::ECANCELED, NetErrorKind::Stopped),
            (libc::EIO, NetErrorKind::Os(libc::EIO)),
        ];
        for (errno, kind) in cases {
            let error = NetError::from_io(
                NetOperation::Read,
                &std::io::Error::from_raw_os_error(errno),
            );
            assert_eq!(error.kind(), kind);
            assert_eq!(error.act(), NetOperation::Read);
        }
    }

    #[test]
    fn error_value_stays_small() {
        assert!(size_of::<NetError>() <= 12);
    }

    #[test]
    fn display_names_act_and_kind() {
        let error = NetError::new(
            NetOperation::Handshake,
            NetErrorKind::Tls(TlsFault::Expired),
        );
        assert_eq!(
            error.to_string(),
            "handshake: tls certificate is not valid now"
        );
    }
}
