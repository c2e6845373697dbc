//! A worker's own counters and histograms; the only file that names hdrhistogram.
//!
//! One [`Meter`] belongs to one worker and is written without locks or atomics. A scrape takes a
//! [`Meter::snapshot`] of each and [`Meter::merge`]s them.
//!
//! Bounds: at most [`SERIES_MAX`] label sets; what comes later is counted under the model `other`.

use hdrhistogram::Histogram;

use crate::telemetry::exchange::{Exchange, Operation, Outcome};
use crate::wire::kind::Wire;

/// Values of one kind, two significant digits, growing with its largest value.
#[derive(Clone, Debug)]
pub struct Values {
    histogram: Histogram<u64>,
    sum: u64,
}

impl Default for Values {
    fn default() -> Self {
        // Two digits are always a legal precision; the fallback is never taken.
        let histogram = Histogram::new(2)
            .or_else(|_| Histogram::new(1))
            .unwrap_or_else(|_| unreachable!("hdrhistogram takes one significant digit"));
        Self { histogram, sum: 0 }
    }
}

impl Values {
    /// Records one value.
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Records a value `count` times.
    pub fn record_many(&mut self, value: u64, count: u64) {
        // Cannot fail: the histogram grows by itself and the value is bounded.
        let _ = self.histogram.record_n(value.min(VALUE_MAX), count);
        self.sum = self.sum.saturating_add(value.saturating_mul(count));
    }

    /// How many values were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The sum of all values, exact.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// How many values do not exceed `bound`.
    #[must_use]
    pub fn count_up_to(&self, bound: u64) -> u64 {
        if self.histogram.is_empty() {
            0
        } else {
            self.histogram.count_between(0, bound)
        }
    }

    fn add(&mut self, other: &Self) {
        // Both sides have one precision and resize; adding cannot fail.
        let _ = self.histogram.add(&other.histogram);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// The labels of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// What was asked for.
    pub operation: Operation,
    /// Index of the provider in the plan.
    pub provider: usize,
    /// Model as the provider was asked for it.
    pub model: String,
    /// The client's wire.
    pub client: Wire,
    /// The provider's wire.
    pub upstream: Wire,
}

/// The histograms of one label set.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// All input tokens of a request.
    pub input_tokens: Values,
    /// All output tokens of a request.
    pub output_tokens: Values,
    /// Microseconds to the first token.
    pub ttft_us: Values,
    /// Microseconds per output token after the first.
    pub per_token_us: Values,
    /// Microseconds of the whole exchange.
    pub duration_us: Values,
    /// Microseconds between deltas.
    pub gap_us: Values,
    /// Gaps of [`STALL_US`] and more.
    pub stalls: u64,
}

/// How many exchanges ended in which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndCount {
    /// What was asked for.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// Status sent; nought when nothing was.
    pub status: u16,
    /// How many.
    pub count: u64,
}

/// Plain counters of a worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Client connections accepted.
    pub accepted: u64,
    /// Client connections open now.
    pub open: u64,
    /// Client connections refused because there were too many.
    pub refused: u64,
    /// Accepts that failed, for want of descriptors or for a reason of the listener's own.
    pub accept_errors: u64,
    /// Upstream connections opened.
    pub connected: u64,
    /// Upstream connections reused.
    pub reused: u64,
    /// Pooled connections that turned out dead.
    pub stale: u64,
    /// Requests sent once more because theirs died under them.
    pub stale_retries: u64,
    /// Idle upstream connections now.
    pub pooled: u64,
    /// Attempts at a further target.
    pub fallbacks: u64,
    /// Requests whose path had a doubled `/v1`.
    pub doubled_prefix: u64,
    /// Requests refused because the gateway's own credential was refused upstream.
    pub credential_refused: u64,
    /// Tasks that ended by a panic.
    pub panics: u64,
    /// Body bytes held and charged to the budget now, process-wide.
    pub held_bytes: u64,
    /// Members dropped or changed in translation.
    pub losses: u64,
}

/// All that one worker has counted.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Plain counters.
    pub counters: Counters,
    /// Exchanges by how they ended.
    pub ends: Vec<EndCount>,
    /// Histograms by label set.
    pub series: Vec<(Labels, Series)>,
    /// Microseconds between a request being read and its being sent on.
    pub gateway_us: Values,
}

impl Meter {
    /// Records a finished exchange.
    pub fn settle(&mut self, exchange: &Exchange) {
        self.count_end(exchange.operation, exchange.outcome, exchange.status, 1);
        if let Some(ns) = exchange.gateway() {
            self.gateway_us.record(ns / 1_000);
        }
        let (Some(provider), Some(client), Some(upstream)) = (
            exchange.provider,
            exchange.client_wire,
            exchange.upstream_wire,
        ) else {
            return;
        };
        let model = exchange.model_sent.as_deref().unwrap_or_default();
        let labels = |model: &str| Labels {
            operation: exchange.operation,
            provider,
            model: model.to_owned(),
            client,
            upstream,
        };
        let series = self.series_of(
            model,
            provider,
            exchange.operation,
            (client, upstream),
            labels,
        );
        series.settle(exchange);
    }

    /// A copy to be merged elsewhere.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        self.clone()
    }

    /// Adds another worker's figures.
    pub fn merge(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        for end in &other.ends {
            self.count_end(end.operation, end.outcome, end.status, end.count);
        }
        self.gateway_us.add(&other.gateway_us);
        for (labels, series) in &other.series {
            match self.series.iter_mut().find(|(known, _)| known == labels) {
                Some((_, sum)) => sum.add(series),
                None => self.series.push((labels.clone(), series.clone())),
            }
        }
    }

    fn count_end(&mut self, operation: Operation, outcome: Outcome, status: u16, count: u64) {
        let known = self.ends.iter_mut().find(|end| {
            end.operation == operation && end.outcome == outcome && end.status == status
        });
        match known {
            Some(end) => end.count += count,
            None => self.ends.push(EndCount {
                operation,
                outcome,
                status,
                count,
            }),
        }
    }

    fn series_of(
        &mut self,
        model: &str,
        provider: usize,
        operation: Operation,
        wires: (Wire, Wire),
        labels: impl Fn(&str) -> Labels,
    ) -> &mut Series {
        let find = |series: &[(Labels, Series)], model: &str| {
            series.iter().position(|(known, _)| {
                known.model == model
                    && known.provider == provider
                    && known.operation == operation
                    && (known.client, known.upstream) == wires
            })
        };
        let full = self.series.len() >= SERIES_MAX;
        let at = match find(&self.series, model) {
            Some(at) => at,
            None if full => find(&self.series, OTHER_MODEL).unwrap_or_else(|| {
                self.series.push((labels(OTHER_MODEL), Series::default()));
                self.series.len() - 1
            }),
            None => {
                self.series.push((labels(model), Series::default()));
                self.series.len() - 1
            }
        };
        &mut self.series[at].1
    }
}

impl Series {
    fn settle(&mut self, exchange: &Exchange) {
        if exchange.usage.is_known() {
            self.input_tokens.record(exchange.usage.input_total());
            self.output_tokens
                .record(exchange.usage.output.unwrap_or(0));
        }
        if let Some(ns) = exchange.ttft() {
            self.ttft_us.record(ns / 1_000);
        }
        if let Some(ns) = exchange.per_output_token() {
            self.per_token_us.record(ns / 1_000);
        }
        self.duration_us.record(exchange.total() / 1_000);
        if let Some(gaps) = &exchange.gaps {
            gaps.for_each(|gap_us, count| {
                self.gap_us.record_many(gap_us, u64::from(count));
                if gap_us >= STALL_US {
                    self.stalls += u64::from(count);
                }
            });
        }
    }

    fn add(&mut self, other: &Self) {
        self.input_tokens.add(&other.input_tokens);
        self.output_tokens.add(&other.output_tokens);
        self.ttft_us.add(&other.ttft_us);
        self.per_token_us.add(&other.per_token_us);
        self.duration_us.add(&other.duration_us);
        self.gap_us.add(&other.gap_us);
        self.stalls += other.stalls;
    }
}

impl Counters {
    fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.open += other.open;
        self.refused += other.refused;
        self.accept_errors += other.accept_errors;
        self.connected += other.connected;
        self.reused += other.reused;
        self.stale += other.stale;
        self.stale_retries += other.stale_retries;
        self.pooled += other.pooled;
        self.fallbacks += other.fallbacks;
        self.doubled_prefix += other.doubled_prefix;
        self.credential_refused += other.credential_refused;
        self.panics += other.panics;
        self.held_bytes = self.held_bytes.max(other.held_bytes);
        self.losses += other.losses;
    }
}

/// Label sets kept apart by one worker.
pub const SERIES_MAX: usize = 128;
/// The model under which later label sets are counted.
pub const OTHER_MODEL: &str = "other";
/// A gap this long is a stall.
pub const STALL_US: u64 = 1_000_000;
/// Largest value kept: 2^40 microseconds are twelve days.
const VALUE_MAX: u64 = 1 << 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::usage::Usage;

    fn exchange(model: &str) -> Exchange {
        Exchange {
            operation: Operation::Chat,
            outcome: Outcome::Complete,
            status: 200,
            client_wire: Some(Wire::OpenAiChat),
            upstream_wire: Some(Wire::AnthropicMessages),
            provider: Some(0),
            model_sent: Some(model.to_owned()),
            usage: Usage {
                input: Some(10),
                output: Some(5),
                ..Usage::default()
            },
            started_at: 1_000,
            ended_at: 2_001_000,
            ..Exchange::default()
        }
    }

    #[test]
    fn merge_adds_what_workers_counted() {
        let (mut one, mut two) = (Meter::default(), Meter::default());
        one.settle(&exchange("a"));
        two.settle(&exchange("a"));
        two.settle(&exchange("b"));
        one.merge(&two);
        assert_eq!(
            one.ends.iter().map(|end| end.count).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(one.series.len(), 2);
        assert_eq!(one.series[0].1.input_tokens.sum(), 20);
        assert_eq!(one.series[0].1.duration_us.count_up_to(2_100), 2);
        assert_eq!(one.series[0].1.duration_us.count_up_to(1_000), 0);
    }

    #[test]
    fn label_sets_past_the_bound_are_counted_as_other() {
        let mut meter = Meter::default();
        for n in 0..SERIES_MAX + 10 {
            meter.settle(&exchange(&format!("m{n}")));
        }
        assert_eq!(meter.series.len(), SERIES_MAX + 1);
        let other = &meter.series[SERIES_MAX];
        assert_eq!(
            (other.0.model.as_str(), other.1.input_tokens.count()),
            (OTHER_MODEL, 10)
        );
    }
}
