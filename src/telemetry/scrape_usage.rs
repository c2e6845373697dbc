//! What Prometheus reads of the usage records.

use crate::telemetry::exposition::{escape, head, line};
use crate::telemetry::losses::{ByTenant, LostRecords};

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
    /// Bytes of records that its bound took.
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
            "Bytes of records that the journal's bound took.",
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

/// Prints the records that were lost.
pub fn losses(out: &mut String, losses: &ByTenant) {
    let name = "ringway_usage_records_lost_total";
    let help = "Usage records that were lost, by tenant and reason.";
    head(out, name, "counter", help);
    for (tenant, lost) in losses {
        let LostRecords {
            evicted,
            evicted_refusals,
            dropped,
        } = *lost;
        let tenant = escape(tenant);
        for (reason, count) in [
            ("evicted", evicted),
            ("evicted_refusal", evicted_refusals),
            ("dropped", dropped),
        ] {
            if count > 0 {
                let labels = format!("tenant=\"{tenant}\",reason=\"{reason}\"");
                line(out, name, &labels, count);
            }
        }
    }
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
