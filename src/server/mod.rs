//! Threads, listeners, signals, the admin side.
//!
//! `run` starts and ends everything, `worker` is a data thread, `control` the tokio thread beside
//! them (names, admin, drain), `admin` its listener, `gate` that one's connections, `output` the thread
//! that writes log lines, `ledger` the one that keeps usage records, `drain` their way to the store,
//! `clerk` asks it for them, `retention` removes old ones, `books` puts these together, `lender` leases what replicas share, `host`
//! what the machine allows.

pub mod admin;
pub mod api;
pub mod books;
pub mod clerk;
pub mod clock_watch;
pub mod control;
pub mod drain;
pub mod gate;
pub mod governor;
pub mod host;
pub mod keeper;
pub mod ledger;
pub mod lender;
pub mod output;
pub mod progress;
pub mod recollection;
pub mod retention;
pub mod run;
pub mod supervise;
pub mod worker;
