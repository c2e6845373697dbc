//! Keys from the store to the data threads, and leases of shared limits.

pub mod clock_watch;
pub mod key_sync;
pub mod lease_client;
pub mod snapshot_keeper;
