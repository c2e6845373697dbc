//! What Prometheus reads of the usage records.

/// What is known of usage records on their way to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrainFacts {
    /// Bytes of the journal that the store does not have yet.
    pub waiting_bytes: u64,
    /// Records that it has taken.
    pub drained: u64,
    /// How often it began to refuse them.
    pub failures: u64,
}

/// What is known of the usage records' keeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageFacts {
    /// Records that found no room.
    pub dropped: u64,
    /// Bytes that the journal holds.
    pub journal_bytes: u64,
    /// Bytes that its bound took from its old end.
    pub expired_bytes: u64,
    /// Bytes of a torn record that were cut off at start.
    pub torn_bytes: u64,
    /// The disk refuses.
    pub is_stuck: bool,
    /// Their way to the store, where there is one.
    pub drain: Option<DrainFacts>,
}

/// Name, kind, help and value of a metric.
pub type Row = (&'static str, &'static str, &'static str, u64);

/// Metrics of the usage records.
pub fn rows(usage: &UsageFacts) -> impl Iterator<Item = Row> {
    let kept = [
        (
            "ringway_usage_records_dropped_total",
            "counter",
            "Usage records that found no room.",
            usage.dropped,
        ),
        (
            "ringway_usage_journal_bytes",
            "gauge",
            "Bytes of the usage journal.",
            usage.journal_bytes,
        ),
        (
            "ringway_usage_journal_expired_bytes_total",
            "counter",
            "Bytes that the journal's bound took from its old end.",
            usage.expired_bytes,
        ),
        (
            "ringway_usage_journal_torn_bytes",
            "gauge",
            "Bytes of a torn record, cut off at start.",
            usage.torn_bytes,
        ),
        (
            "ringway_usage_journal_stuck",
            "gauge",
            "1 while the usage journal cannot be written.",
            u64::from(usage.is_stuck),
        ),
    ];
    kept.into_iter().chain(usage.drain.iter().flat_map(drained))
}

fn drained(drain: &DrainFacts) -> [Row; 3] {
    [
        (
            "ringway_usage_waiting_bytes",
            "gauge",
            "Bytes of usage records that the store does not have yet.",
            drain.waiting_bytes,
        ),
        (
            "ringway_usage_drained_total",
            "counter",
            "Usage records that the store has taken.",
            drain.drained,
        ),
        (
            "ringway_usage_drain_failures_total",
            "counter",
            "How often the store began to refuse usage records.",
            drain.failures,
        ),
    ]
}
