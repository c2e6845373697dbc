//! A connection that exists: its socket, its halves, TLS over it.

pub(in crate::net) mod pump;
pub mod reader;
pub(in crate::net) mod socket;
pub mod stream;
pub mod tls;
pub mod vectored_write;
pub mod writer;
