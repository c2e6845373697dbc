//! Keys, tenants and usage records in SQLite or PostgreSQL.

pub mod changes;
pub mod handle;
pub mod migrations;
pub mod postgres;
pub mod postgres_connection;
pub mod postgres_usage;
pub mod row;
pub mod sql;
pub mod sqlite;
pub mod sqlite_usage;
pub mod usage;
pub mod usage_row;
pub mod usage_sql;
