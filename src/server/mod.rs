//! Threads, listeners, signals, the admin side.
//!
//! `run` starts and ends everything, `control` is the control thread (tokio: names, keys, admin,
//! signals), `thread` the other threads and what watches over them, `usage` the way of usage records,
//! `key` the way of keys and of leases, `admin` the admin listener with its API.

pub mod admin;
pub mod control;
pub mod key;
pub mod run;
pub mod thread;
pub mod usage;
