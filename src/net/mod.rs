//! Sockets, timers, TLS and tasks: the only door to the runtime.
//!
//! What is above (`proxy`, `server`) sees streams, deadlines, tasks, a clock and randomness, and
//! neither the runtime nor the kernel. One thread runs one runtime; nothing here is shared between
//! threads but addresses ([`connect::Endpoint`]) and TLS settings.
//!
//! | file | holds |
//! |---|---|
//! | `error` | what can go wrong, as one small value |
//! | `clock`, `random` | the only callers of the system's clock and randomness |
//! | `checked` | what of the wall clock is believed |
//! | `driver` | io_uring or epoll, and running a worker on it |
//! | `task`, `timer`, `alarm`, `turn` | spawning with panics contained; deadlines; one timer for all of them; writes of one turn together |
//! | `buffers` | free lists per thread, the process-wide budget |
//! | `socket`, `pump`, `gather` | descriptors, the read that is never dropped, writing in pieces |
//! | `reader`, `writer`, `stream` | the two halves of a connection, and the whole |
//! | `tls`, `handshake` | sessions and settings; bringing one up over a stream |
//! | `listen`, `reserve`, `connect`, `resolve`, `pool` | how streams begin and wait |
//!
//! Not here: HTTP, and anything else of the domain.

mod alarm;
pub mod boxed;
pub mod buffers;
pub mod checked;
pub mod clock;
pub mod connect;
pub mod driver;
pub mod error;
pub mod gather;
pub mod handshake;
pub mod listen;
pub mod pool;
mod pump;
pub mod random;
pub mod reader;
mod reserve;
pub mod resolve;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod socket;
pub mod stream;
pub mod task;
pub mod timer;
pub mod tls;
pub mod turn;
pub mod writer;

#[cfg(test)]
pub(crate) mod kit;
