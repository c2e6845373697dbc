//! What outlives the process, for the control thread and the commands alone.
//!
//! `database` holds keys and usage records in SQLite or PostgreSQL, `journal` the folder of usage
//! records that are not in a database yet, `snapshot` the last state of the keys on this host, `shared_counters`
//! the counters of limits that replicas share, `prior_spend` what was spent before the start.

pub mod database;
pub mod error;
pub mod journal;
pub mod prior_spend;
pub mod shared_counters;
pub mod snapshot;
