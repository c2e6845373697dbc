//! What `/metrics` tells of databases.

use super::{SharedFacts, StoreFacts, head, line};

/// Metrics of the store that keys are kept in.
pub(super) fn store(out: &mut String, store: &StoreFacts) {
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
    ];
    for (name, kind, help, value) in lines {
        head(out, name, kind, help);
        line(out, name, "", value);
    }
}

/// Metrics of the counters that several replicas share.
pub(super) fn shared(out: &mut String, shared: &SharedFacts) {
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
