//! Plain counters of a worker: a row for each, from which its field, its sum over workers and its metric
//! are made.

/// Makes [`Counters`]: a row names the field, how those of several workers become one, and the metric
/// with its type and help.
macro_rules! counters {
    ($($field:ident: $merge:ident $kind:literal, $name:literal, $help:literal;)*) => {
        /// Plain counters of a worker.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Counters {
            $(#[doc = $help] pub $field: u64,)*
            /// Requests rejected by what a key or tenant may use, by [`LIMITED`].
            pub limited: [u64; LIMITED.len()],
        }

        impl Counters {
            /// Adds another worker's.
            pub fn add(&mut self, other: &Self) {
                $(self.$field = $merge(self.$field, other.$field);)*
                for (count, more) in self.limited.iter_mut().zip(other.limited) {
                    *count = sum(*count, more);
                }
            }

            /// Each with the name, type and help of its metric; but for `limited`.
            #[must_use]
            pub fn rows(&self) -> [(&'static str, &'static str, &'static str, u64); COUNT] {
                [$(($name, $kind, $help, self.$field),)*]
            }
        }

        const COUNT: usize = [$($name),*].len();
    };
}

counters! {
    open: sum "gauge", "ringway_connections_open", "Client connections open.";
    accepted: sum "counter", "ringway_connections_accepted_total", "Client connections accepted.";
    refused: sum "counter", "ringway_connections_refused_total", "Client connections refused.";
    accept_errors: sum "counter", "ringway_accept_errors_total", "Accepts that failed.";
    connected: sum "counter", "ringway_upstream_connected_total", "Upstream connections opened.";
    reused: sum "counter", "ringway_upstream_reused_total", "Upstream connections reused.";
    stale: sum "counter", "ringway_upstream_stale_total", "Pooled connections found dead.";
    stale_retries: sum "counter", "ringway_stale_retries_total", "Requests sent once more on a fresh connection.";
    pooled: sum "gauge", "ringway_upstream_pooled", "Idle upstream connections.";
    fallbacks: sum "counter", "ringway_fallbacks_total", "Attempts at a further target.";
    early_heads: sum "counter", "ringway_early_heads_total", "Heads of streams that went out before any provider had answered.";
    rotations: sum "counter", "ringway_credential_rotations_total", "Attempts at the same target with another credential.";
    stepped_back: sum "counter", "ringway_stepped_back_total", "Requests whose first target stepped back because it had failed.";
    probes: sum "counter", "ringway_probes_total", "Requests that went to see whether a target is well again.";
    opened: sum "counter", "ringway_circuits_opened_total", "Failures that opened a circuit.";
    doubled_prefix: sum "counter", "ringway_doubled_prefix_total", "Requests to /v1/v1.";
    credential_refused: sum "counter", "ringway_credential_refused_total", "Answers that refused the gateway's own credential.";
    panics: sum "counter", "ringway_panics_total", "Exchanges ended by a panic.";
    held_bytes: max "gauge", "ringway_held_bytes", "Bytes charged to the buffer budget.";
    losses: sum "counter", "ringway_translation_losses_total", "Members dropped or changed.";
    cost_nanos: sum "counter", "ringway_cost_nanodollars_total", "What exchanges cost, where that is known.";
}

/// Of what each worker counts for itself; a cost is as large as the figures that a provider makes up.
const fn sum(one: u64, other: u64) -> u64 {
    one.saturating_add(other)
}

/// Of what all workers see of the process.
const fn max(one: u64, other: u64) -> u64 {
    if one > other { one } else { other }
}

/// What requests are rejected for by what their key or tenant may use, as the log says it.
pub const LIMITED: [&str; 6] = [
    "limit_requests",
    "limit_tokens",
    "limit_concurrent",
    "budget",
    "limits_unknown",
    "unpriced",
];
