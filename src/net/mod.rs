//! Sockets, timers, TLS and tasks: the only door to the runtime.
//!
//! What is above (`proxy`, `server`) sees streams, deadlines, tasks, a clock and randomness, and
//! neither the runtime nor the kernel. One thread runs one runtime; nothing here is shared between
//! threads but addresses ([`endpoint::connect::ProviderEndpoint`]) and TLS settings.
//!
//! | room | file | holds |
//! |---|---|---|
//! | `endpoint` | `listen`, `spare_descriptor` | listening sockets; the descriptor kept for a last reply |
//! | | `connect`, `resolve` | connecting to a provider; its addresses |
//! | | `handshake` | bringing a TLS session up over a stream |
//! | | `pool` | idle connections to providers |
//! | `connection` | `stream`, `reader`, `writer` | a connection and its two halves |
//! | | `pump`, `socket`, `vectored_write` | the read that is never dropped; system calls on a socket; vectored writes |
//! | | `tls` | sessions and settings |
//! | `runtime` | `driver` | io_uring or epoll, and running a worker on it |
//! | | `task`, `timer`, `alarm`, `loop_turn` | tasks that contain panics; deadlines; one timer for all; writes of one turn together |
//! | | `clock`, `checked_time`, `random` | the only callers of the system's clocks and randomness |
//! | | `buffers`, `recycled_future` | free lists per thread; futures in recycled buffers |
//! | `error` | | what can go wrong, as one small value |
//!
//! Not here: HTTP, and anything else of the domain.

pub mod connection;
pub mod endpoint;
pub mod error;
pub mod runtime;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(not(any(test, feature = "sim")))]
#[path = "sim/absent.rs"]
mod sim;
#[cfg(test)]
pub(crate) mod test_support;
