//! What outlives the process, for the control side and the commands alone: keys that are made at run
//! time, in a file of this host or a server that several replicas share, in `segments` the folder of
//! the usage journal, in `shared` the counters of limits that replicas share.

pub mod changes;
pub mod error;
pub mod handle;
pub mod identity;
pub mod memory;
pub mod migrations;
pub mod postgres;
pub mod postgres_line;
pub mod postgres_usage;
pub mod row;
pub mod segments;
pub mod shared;
pub mod snapshot;
pub mod sql;
pub mod sqlite;
pub mod sqlite_usage;
pub mod tail;
pub mod usage;
pub mod usage_row;
pub mod usage_sql;
