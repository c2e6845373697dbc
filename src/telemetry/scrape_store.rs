//! What Prometheus reads of the store of keys, and of the counters that replicas share.

use crate::telemetry::exposition::{head, line};

/// How a store does.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreFacts {
    /// It answers.
    pub is_up: bool,
    /// The keys in force are its own, not those of a snapshot or of the configuration alone.
    pub is_current: bool,
    /// Keys in force.
    pub keys: u64,
    /// Rows that make no sense.
    pub skipped: u64,
    /// How often it went away.
    pub failures: u64,
    /// Rows of keys and tenants that were read.
    pub rows_read: u64,
    /// Bytes that were written to the snapshot.
    pub snapshot_bytes: u64,
}

/// How the counters do that several replicas share.
#[derive(Clone, Copy, Debug, Default)]
pub struct SharedFacts {
    /// They answer.
    pub is_up: bool,
    /// How often they went away.
    pub failures: u64,
    /// Accounts that were brought up to date, each time.
    pub orders: u64,
    /// Requests that had to wait for a lease.
    pub waits: u64,
}

/// Metrics of the store that keys are kept in.
pub fn store(out: &mut String, store: &StoreFacts) {
    let lines = [
        (
            "ringway_store_up",
            "gauge",
            "1 while the store answers.",
            u64::from(store.is_up),
        ),
        (
            "ringway_store_current",
            "gauge",
            "1 once the keys in force are the store's, not those of a snapshot.",
            u64::from(store.is_current),
        ),
        ("ringway_keys", "gauge", "Client keys in force.", store.keys),
        (
            "ringway_store_rows_skipped",
            "gauge",
            "Rows of the store that make no sense.",
            store.skipped,
        ),
        (
            "ringway_store_failures_total",
            "counter",
            "Times that the store went away.",
            store.failures,
        ),
        (
            "ringway_store_rows_read_total",
            "counter",
            "Rows of keys and tenants that were read from the store.",
            store.rows_read,
        ),
        (
            "ringway_store_snapshot_bytes_total",
            "counter",
            "Bytes that were written to the snapshot of keys.",
            store.snapshot_bytes,
        ),
    ];
    for (name, kind, help, value) in lines {
        head(out, name, kind, help);
        line(out, name, "", value);
    }
}

/// Metrics of the counters that several replicas share.
pub fn shared(out: &mut String, shared: &SharedFacts) {
    let lines = [
        (
            "ringway_shared_up",
            "gauge",
            "1 while the counters answer that replicas share.",
            u64::from(shared.is_up),
        ),
        (
            "ringway_shared_failures_total",
            "counter",
            "Times that they went away.",
            shared.failures,
        ),
        (
            "ringway_shared_orders_total",
            "counter",
            "Leases of an account that were renewed.",
            shared.orders,
        ),
        (
            "ringway_shared_waits_total",
            "counter",
            "Requests that waited for a lease.",
            shared.waits,
        ),
    ];
    for (name, kind, help, value) in lines {
        head(out, name, kind, help);
        line(out, name, "", value);
    }
}
