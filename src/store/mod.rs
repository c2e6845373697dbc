//! Where keys are kept that are made at run time: a file of this host, or a server that several
//! replicas share. For the control side and the commands alone.

pub mod error;
pub mod handle;
pub mod migrations;
pub mod postgres;
pub mod row;
pub mod snapshot;
pub mod sql;
pub mod sqlite;
