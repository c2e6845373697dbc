//! A worker's own counters and histograms.
//!
//! One [`Meter`] belongs to one worker and is written without locks or atomics. A scrape takes a
//! [`Meter::snapshot`] of each and [`Meter::merge`]s them.
//!
//! Bounds: all workers together keep as many label sets apart as their [`LabelSets`] has room for, which
//! is counted in bytes of a scrape's text. What comes later, and what no provider has answered well
//! yet (clients can make up ids), is counted under `other`.

use std::sync::{Arc, Mutex, PoisonError};

use crate::chat::small_str::SmallStr;
use crate::telemetry::counters::{Counters, LIMITED};
use crate::telemetry::ends::{ATTEMPT_ENDS_MAX, AttemptEnd, ExchangeEnd, Tally};
use crate::telemetry::exchange::{ExchangeRecord, Operation};
use crate::telemetry::values::Values;
use crate::wire::kind::Wire;

/// The labels of a series. What is not said is `other`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// What was asked for.
    pub operation: Operation,
    /// The provider, by the number that it has for good.
    pub provider: Option<usize>,
    /// Model as the provider was asked for it, cut to [`MODEL_LABEL_BYTES_MAX`].
    pub model: Option<String>,
    /// The client's wire.
    pub client: Option<Wire>,
    /// The provider's wire.
    pub upstream: Option<Wire>,
}

/// The label sets that are kept apart, for all workers: asked only when one meets a set that is new
/// to it.
#[derive(Debug, Default)]
pub struct LabelSets(Mutex<KnownLabels>);

#[derive(Debug, Default)]
struct KnownLabels {
    known: Vec<Labels>,
    /// What they may take of a scrape's text. 0 <= bytes <= [`SERIES_TEXT_BYTES_MAX`].
    bytes: usize,
}

impl LabelSets {
    /// Whether these labels have a place, or get one.
    fn admits(&self, labels: &Labels) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.known.contains(labels) {
            return true;
        }
        let bytes = places.bytes.saturating_add(labels.text_bytes_max());
        let has_room = bytes <= SERIES_TEXT_BYTES_MAX;
        if has_room {
            places.known.push(labels.clone());
            places.bytes = bytes;
        }
        has_room
    }
}

impl Labels {
    /// Most bytes that a series of these labels takes of a scrape's text.
    fn text_bytes_max(&self) -> usize {
        let model = self.model.as_deref().unwrap_or(OTHER);
        let escapes = model
            .bytes()
            .filter(|it| matches!(it, b'"' | b'\\' | b'\n'));
        SERIES_LINES * (LINE_BYTES_MAX + model.len() + escapes.count())
    }
}

/// The histograms of one label set.
#[derive(Clone, Debug)]
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

/// All that one worker has counted.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Plain counters.
    pub counters: Counters,
    /// Exchanges by how they ended.
    pub ends: Tally<ExchangeEnd>,
    /// Requests to providers by how they ended.
    pub attempt_ends: Tally<AttemptEnd>,
    /// Histograms by label set.
    pub series: Vec<(Labels, Series)>,
    /// Microseconds between a request being read and its being sent on.
    pub gateway_us: Values,
    /// Which label sets are kept apart.
    label_sets: Arc<LabelSets>,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Meter {
    /// The meter of a worker that shares `label_sets` with others.
    #[must_use]
    pub fn new(label_sets: Arc<LabelSets>) -> Self {
        Self {
            counters: Counters::default(),
            ends: Tally::default(),
            attempt_ends: Tally::default(),
            series: Vec::new(),
            gateway_us: Values::short(),
            label_sets,
        }
    }

    /// Records a finished exchange. `number_of` gives the number that a provider has for good, by its place
    /// in the plan.
    pub fn settle(
        &mut self,
        exchange: &ExchangeRecord,
        number_of: impl Fn(usize) -> Option<usize>,
    ) {
        self.ends.count(ExchangeEnd {
            operation: exchange.operation,
            outcome: exchange.outcome,
            status: exchange.status,
        });
        for attempt in exchange.attempts.iter() {
            if let Some(end) = AttemptEnd::of(attempt, number_of(attempt.provider)) {
                let other = AttemptEnd::default();
                self.attempt_ends.count_within(end, other, ATTEMPT_ENDS_MAX);
            }
        }
        if let Some(ns) = exchange.gateway() {
            self.gateway_us.record(ns / 1_000);
        }
        if let Some(fault) = exchange.fault {
            let counts = LIMITED.iter().zip(&mut self.counters.limited);
            for (_, count) in counts.filter(|(word, _)| **word == fault) {
                *count += 1;
            }
        }
        // A cost is as large as the figures that a provider makes up.
        let cost = exchange.cost_nanos.unwrap_or(0);
        self.counters.cost_nanos = self.counters.cost_nanos.saturating_add(cost);
        let (Some(provider), Some(client), Some(upstream)) = (
            exchange.provider.and_then(number_of),
            exchange.client_wire,
            exchange.upstream_wire,
        ) else {
            return;
        };
        let sent = exchange.model_sent.as_ref();
        let sent = sent.map(SmallStr::as_bytes).unwrap_or_default();
        let model = match sent.len() <= MODEL_LABEL_BYTES_MAX {
            true => sent,
            false => cut(sent),
        };
        let at = self.series.iter().position(|(known, _)| {
            known.model.as_deref().map(str::as_bytes) == Some(model)
                && known.provider == Some(provider)
                && known.operation == exchange.operation
                && (known.client, known.upstream) == (Some(client), Some(upstream))
        });
        let at = at.unwrap_or_else(|| {
            let labels = Labels {
                operation: exchange.operation,
                provider: Some(provider),
                model: Some(String::from_utf8_lossy(model).into_owned()),
                client: Some(client),
                upstream: Some(upstream),
            };
            self.new_series(labels, exchange.status < 400)
        });
        if let Some((_, series)) = self.series.get_mut(at) {
            series.settle(exchange);
        }
    }

    /// The place of labels that this worker has not met: their own, or the rest's.
    fn new_series(&mut self, labels: Labels, answered: bool) -> usize {
        let labels = match answered && self.label_sets.admits(&labels) {
            true => labels,
            false => Labels {
                operation: labels.operation,
                provider: None,
                model: None,
                client: None,
                upstream: None,
            },
        };
        let known = self.series.iter().position(|(known, _)| *known == labels);
        known.unwrap_or_else(|| {
            self.series.push((labels, Series::default()));
            self.series.len() - 1
        })
    }

    /// A copy to be merged elsewhere.
    #[must_use]
    pub fn snapshot(&self) -> Self {
        self.clone()
    }

    /// Adds another worker's figures.
    pub fn merge(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        self.ends.merge(&other.ends);
        self.attempt_ends.merge(&other.attempt_ends);
        self.gateway_us.add(&other.gateway_us);
        for (labels, series) in &other.series {
            match self.series.iter_mut().find(|(known, _)| known == labels) {
                Some((_, sum)) => sum.add(series),
                None => self.series.push((labels.clone(), series.clone())),
            }
        }
    }
}

/// The start of a long model's name, whole characters.
fn cut(model: &[u8]) -> &[u8] {
    let text = core::str::from_utf8(model).unwrap_or_default();
    let end = text.floor_char_boundary(MODEL_LABEL_BYTES_MAX);
    model.get(..end).unwrap_or_default()
}

impl Default for Series {
    fn default() -> Self {
        Self {
            input_tokens: Values::tokens(),
            output_tokens: Values::tokens(),
            ttft_us: Values::long(),
            per_token_us: Values::long(),
            duration_us: Values::long(),
            gap_us: Values::short(),
            stalls: 0,
        }
    }
}

impl Series {
    fn settle(&mut self, exchange: &ExchangeRecord) {
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

/// Bytes of a scrape's text for what is kept apart; with the rest it stays under 1 MiB. Some 25 sets
/// of labels.
const SERIES_TEXT_BYTES_MAX: usize = 820 << 10;
/// Lines of a series whose histograms all hold something: see `scrape`.
const SERIES_LINES: usize = 115;
/// Most bytes of a line, less the model's.
const LINE_BYTES_MAX: usize = 250;
/// Longest model in a label.
pub const MODEL_LABEL_BYTES_MAX: usize = 128;
/// What stands in the labels of all that is not kept apart.
pub const OTHER: &str = "other";
/// A gap this long is a stall.
pub const STALL_US: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::usage::Usage;
    use crate::telemetry::exchange::Outcome;

    fn exchange(model: &str) -> ExchangeRecord {
        ExchangeRecord {
            operation: Operation::Chat,
            outcome: Outcome::Complete,
            status: 200,
            client_wire: Some(Wire::OpenAiChat),
            upstream_wire: Some(Wire::AnthropicMessages),
            provider: Some(0),
            model_sent: Some(model.into()),
            usage: Usage {
                input: Some(10),
                output: Some(5),
                ..Usage::default()
            },
            started_at: 1_000,
            ended_at: 2_001_000,
            ..ExchangeRecord::default()
        }
    }

    #[test]
    fn merge_adds_what_workers_counted() {
        let (mut one, mut two) = (Meter::default(), Meter::default());
        one.settle(&exchange("a"), Some);
        two.settle(&exchange("a"), Some);
        two.settle(&exchange("b"), Some);
        one.merge(&two);
        assert_eq!(
            one.ends.iter().map(|(_, count)| count).collect::<Vec<_>>(),
            [3]
        );
        assert_eq!(one.series.len(), 2);
        assert_eq!(one.series[0].1.input_tokens.sum(), 20);
        let durations: Vec<_> = one.series[0].1.duration_us.up_to_edges().collect();
        assert_eq!(durations[..2], [("0.001", 0), ("0.005", 2)]);
    }

    #[test]
    fn a_cost_by_figures_that_a_provider_made_up_is_counted_to_the_bound_and_no_further() {
        let dear = ExchangeRecord {
            cost_nanos: Some(u64::MAX),
            ..exchange("a")
        };
        let (mut one, mut two) = (Meter::default(), Meter::default());
        for meter in [&mut one, &mut two] {
            meter.settle(&dear, Some);
            meter.settle(&dear, Some);
        }
        one.merge(&two);
        assert_eq!(one.counters.cost_nanos, u64::MAX);
        assert_eq!(one.ends.iter().map(|it| it.1).sum::<u64>(), 4);
    }

    #[test]
    fn label_sets_past_the_bound_of_all_workers_are_counted_as_other() {
        let label_sets = Arc::<LabelSets>::default();
        let mut meters = [(); 2].map(|()| Meter::new(Arc::clone(&label_sets)));
        let cost = SERIES_LINES * (LINE_BYTES_MAX + "m00".len());
        let most = SERIES_TEXT_BYTES_MAX / cost;
        for n in 0..most + 10 {
            meters[n % 2].settle(&exchange(&format!("m{n:02}")), Some);
        }
        // What one has, the other has room for.
        meters[1].settle(&exchange("m00"), Some);
        let mut all = Meter::default();
        meters.iter().for_each(|meter| all.merge(meter));
        assert_eq!(all.series.len(), most + 1);
        let count = |model: Option<&str>| {
            let mut found = all.series.iter();
            let found = found.find(|(it, _)| it.model.as_deref() == model);
            found.map(|(_, series)| series.input_tokens.count())
        };
        assert_eq!((count(None), count(Some("m00"))), (Some(10), Some(2)));
        let (last, over) = (format!("m{:02}", most - 1), format!("m{most:02}"));
        assert_eq!((count(Some(&last)), count(Some(&over))), (Some(1), None));
    }

    #[test]
    fn ids_that_no_provider_answered_and_long_ones_take_no_more_room_than_others() {
        let mut meter = Meter::default();
        for n in 0..100 {
            meter.settle(
                &ExchangeRecord {
                    status: 404,
                    ..exchange(&format!("made-up-{n}"))
                },
                Some,
            );
        }
        assert_eq!(meter.series.len(), 1);
        let long = format!(
            "{}{}",
            "x".repeat(MODEL_LABEL_BYTES_MAX - 1),
            "é".repeat(90)
        );
        meter.settle(&exchange(&long), Some);
        meter.settle(
            &exchange(long.get(..MODEL_LABEL_BYTES_MAX + 1).unwrap()),
            Some,
        );
        let last = &meter.series[1];
        assert_eq!(
            last.0.model.as_ref().unwrap().len(),
            MODEL_LABEL_BYTES_MAX - 1
        );
        assert_eq!((meter.series.len(), last.1.input_tokens.count()), (2, 2));
        // Known by now, it is itself also where it fails.
        meter.settle(
            &ExchangeRecord {
                status: 500,
                ..exchange(&long)
            },
            Some,
        );
        assert_eq!(meter.series[1].1.input_tokens.count(), 3);
    }
}
