//! How connections begin and wait: listening, connecting, resolving, handshakes, the idle pool.

pub mod connect;
pub mod handshake;
pub mod inherited;
pub mod listen;
pub mod pool;
pub mod resolve;
pub(in crate::net) mod spare_descriptor;
