//! The text that Prometheus reads, from the merged meters of all workers.
//!
//! Names: the OpenTelemetry GenAI conventions where they have one (`gen_ai_*`, with the unit
//! suffix that Prometheus wants), `ringway_*` for the rest.

use core::fmt::Write as _;

use crate::telemetry::counters::{Counters, LIMITED};
use crate::telemetry::exposition::{Unit, escape, head, histogram, histogram_head, line};
use crate::telemetry::losses::ByTenant;
use crate::telemetry::meter::{Labels, Meter, OTHER, Series};
use crate::telemetry::scrape_store::{self, SharedFacts, StoreFacts};
use crate::telemetry::scrape_usage::{self, UsageFacts};
use crate::telemetry::values::Values;
use crate::wire::kind::Wire;

/// What the process knows beside its workers' meters.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// Names of providers, by the numbers that they have for good.
    pub providers: Vec<String>,
    /// Driver of each worker.
    pub drivers: Vec<&'static str>,
    /// Log lines dropped.
    pub log_dropped: u64,
    /// Tasks of the control thread that ended by a panic and were begun again.
    pub control_restarts: u64,
    /// How often clocks have begun to differ.
    pub clock_jumps: u64,
    /// Figures of the usage records, where they are kept.
    pub usage: Option<UsageFacts>,
    /// Usage records that were lost.
    pub usage_lost: ByTenant,
    /// Version of the program.
    pub version: &'static str,
    /// Seconds since start.
    pub uptime_seconds: u64,
    /// Whether the process is draining.
    pub draining: bool,
    /// How many circuits there are by scope and state, but for closed ones.
    pub circuits: Vec<(&'static str, &'static str, u64)>,
    /// The store that keys are kept in, where there is one.
    pub store: Option<StoreFacts>,
    /// The counters that several replicas share, where they do.
    pub shared: Option<SharedFacts>,
}

impl ProcessFacts {
    /// What stands for a provider in a label.
    fn provider(&self, number: Option<usize>) -> &str {
        let Some(number) = number else { return OTHER };
        let name = self.providers.get(number).map_or("", String::as_str);
        let end = name.floor_char_boundary(PROVIDER_LABEL_BYTES_MAX);
        name.get(..end).unwrap_or_default()
    }
}

/// Prints all metrics in the text exposition format.
#[must_use]
pub fn text(meter: &Meter, facts: &ProcessFacts) -> String {
    let mut out = String::with_capacity(16 * 1024);
    process(&mut out, facts);
    let usage = facts.usage.iter().flat_map(scrape_usage::rows);
    for (name, kind, help, value) in usage {
        head(&mut out, name, kind, help);
        line(&mut out, name, "", value);
    }
    if facts.usage.is_some() {
        scrape_usage::losses(&mut out, &facts.usage_lost);
    }
    counters(&mut out, &meter.counters);
    ends(&mut out, meter, facts);
    histogram_head(
        &mut out,
        "ringway_gateway_seconds",
        "From a request being read to its being sent on.",
    );
    histogram(
        &mut out,
        "ringway_gateway_seconds",
        "",
        &meter.gateway_us,
        Unit::Time,
    );
    type Pick = fn(&Series) -> &Values;
    let timed: [(&str, &str, Pick); 4] = [
        (
            "gen_ai_server_time_to_first_token_seconds",
            "Time to the first token.",
            |s| &s.ttft_us,
        ),
        (
            "gen_ai_server_time_per_output_token_seconds",
            "Time per output token after the first.",
            |s| &s.per_token_us,
        ),
        (
            "gen_ai_server_request_duration_seconds",
            "The whole exchange.",
            |s| &s.duration_us,
        ),
        (
            "ringway_gap_seconds",
            "Every gap between two deltas.",
            |s| &s.gap_us,
        ),
    ];
    for (name, help, pick) in timed {
        histogram_head(&mut out, name, help);
        for (labels, series) in &meter.series {
            if !pick(series).is_empty() {
                let labels = label_text(labels, facts);
                histogram(&mut out, name, &labels, pick(series), Unit::Time);
            }
        }
    }
    tokens(&mut out, meter, facts);
    stalls(&mut out, meter, facts);
    out
}

fn control(out: &mut String, facts: &ProcessFacts) {
    let name = "ringway_control_restarts_total";
    let help = "Tasks of the control thread that were begun again after a panic.";
    head(out, name, "counter", help);
    line(out, name, "", facts.control_restarts);
    let name = "ringway_clock_jumps_total";
    let help = "Times that the local clock, or that of the store or of Redis, began to differ by more than a minute.";
    head(out, name, "counter", help);
    line(out, name, "", facts.clock_jumps);
}

fn process(out: &mut String, facts: &ProcessFacts) {
    head(
        out,
        "ringway_build_info",
        "gauge",
        "Version of the program.",
    );
    line(
        out,
        "ringway_build_info",
        &format!("version=\"{}\"", facts.version),
        1,
    );
    head(
        out,
        "ringway_uptime_seconds",
        "gauge",
        "Seconds since start.",
    );
    line(out, "ringway_uptime_seconds", "", facts.uptime_seconds);
    control(out, facts);
    head(
        out,
        "ringway_draining",
        "gauge",
        "1 while the process finishes its last streams.",
    );
    line(out, "ringway_draining", "", u64::from(facts.draining));
    head(
        out,
        "ringway_driver_info",
        "gauge",
        "Driver of each worker.",
    );
    for (worker, driver) in facts.drivers.iter().enumerate() {
        line(
            out,
            "ringway_driver_info",
            &format!("worker=\"{worker}\",driver=\"{driver}\""),
            1,
        );
    }
    if let Some(store) = &facts.store {
        scrape_store::store(out, store);
    }
    if let Some(shared) = &facts.shared {
        scrape_store::shared(out, shared);
    }
    head(
        out,
        "ringway_log_lines_dropped_total",
        "counter",
        "Log lines that found no room.",
    );
    line(
        out,
        "ringway_log_lines_dropped_total",
        "",
        facts.log_dropped,
    );
    let name = "ringway_circuits";
    head(out, name, "gauge", "Circuits that are not closed.");
    for (scope, state, count) in &facts.circuits {
        let labels = format!("scope=\"{scope}\",state=\"{state}\"");
        line(out, name, &labels, *count);
    }
}

fn counters(out: &mut String, counters: &Counters) {
    for (name, kind, help, value) in counters.rows() {
        head(out, name, kind, help);
        line(out, name, "", value);
    }
    let name = "ringway_refused_total";
    let help = "Requests refused by what their key or tenant may use.";
    head(out, name, "counter", help);
    for (reason, count) in LIMITED.iter().zip(counters.limited) {
        line(out, name, &format!("reason=\"{reason}\""), count);
    }
}

fn ends(out: &mut String, meter: &Meter, facts: &ProcessFacts) {
    let name = "ringway_exchanges_total";
    head(out, name, "counter", "Exchanges by how they ended.");
    for (end, count) in meter.ends.iter() {
        let labels = format!(
            "operation=\"{}\",outcome=\"{}\",status=\"{}\"",
            end.operation.name(),
            end.outcome.name(),
            end.status
        );
        line(out, name, &labels, count);
    }
    let name = "ringway_attempts_total";
    head(
        out,
        name,
        "counter",
        "Requests to providers by how they ended.",
    );
    for (end, count) in meter.attempt_ends.iter() {
        let provider = facts.provider(end.provider);
        let labels = format!(
            "provider=\"{}\",status=\"{}\",reason=\"{}\"",
            escape(provider),
            end.status,
            end.fault.unwrap_or("none")
        );
        line(out, name, &labels, count);
    }
}

fn tokens(out: &mut String, meter: &Meter, facts: &ProcessFacts) {
    let name = "gen_ai_client_token_usage";
    histogram_head(
        out,
        name,
        "Tokens of a request by kind, as the provider counted them.",
    );
    for (labels, series) in &meter.series {
        let text = label_text(labels, facts);
        for (kind, values) in [
            ("input", &series.input_tokens),
            ("output", &series.output_tokens),
        ] {
            if values.is_empty() {
                continue;
            }
            let labels = format!("gen_ai_token_type=\"{kind}\",{text}");
            histogram(out, name, &labels, values, Unit::Tokens);
        }
    }
}

fn stalls(out: &mut String, meter: &Meter, facts: &ProcessFacts) {
    head(
        out,
        "ringway_stalls_total",
        "counter",
        "Gaps of a second and more.",
    );
    for (labels, series) in &meter.series {
        line(
            out,
            "ringway_stalls_total",
            &label_text(labels, facts),
            series.stalls,
        );
    }
}

fn label_text(labels: &Labels, facts: &ProcessFacts) -> String {
    let mut text = String::new();
    let wire = |wire: Option<Wire>| wire.map_or(OTHER, Wire::name);
    let pairs = [
        ("gen_ai_operation_name", labels.operation.name()),
        ("gen_ai_provider_name", facts.provider(labels.provider)),
        (
            "gen_ai_request_model",
            labels.model.as_deref().unwrap_or(OTHER),
        ),
        ("client_wire", wire(labels.client)),
        ("upstream_wire", wire(labels.upstream)),
    ];
    for (name, value) in pairs {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{comma}{name}=\"{}\"", escape(value));
    }
    text
}

/// Longest name of a provider in a label.
const PROVIDER_LABEL_BYTES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::usage::Usage;
    use crate::telemetry::attempts::{Attempt, Attempts};
    use crate::telemetry::exchange::{ExchangeRecord, Operation, Outcome};
    use crate::telemetry::gaps::Gaps;

    /// One that failed, one that was passed over, one that was shown.
    fn attempts() -> Attempts {
        let mut attempts = Attempts::default();
        for (started_at, status, fault) in [
            (1, 503, Some("status")),
            (0, 0, Some("lacks_capability")),
            (2, 200, None),
        ] {
            attempts.push(Attempt {
                started_at,
                status,
                fault,
                ..Attempt::default()
            });
        }
        attempts
    }

    #[test]
    fn text_has_cumulative_buckets_and_escaped_labels() {
        let mut meter = Meter::default();
        meter.settle(
            &ExchangeRecord {
                operation: Operation::Chat,
                outcome: Outcome::Complete,
                status: 200,
                client_wire: Some(Wire::OpenAiChat),
                upstream_wire: Some(Wire::OpenAiChat),
                provider: Some(0),
                model_sent: Some("a\"b".into()),
                usage: Usage {
                    input: Some(20),
                    output: Some(3),
                    ..Usage::default()
                },
                started_at: 1,
                ended_at: 2_000_001,
                attempts: attempts(),
                ..ExchangeRecord::default()
            },
            Some,
        );
        let facts = ProcessFacts {
            providers: vec!["stub".to_owned()],
            ..ProcessFacts::default()
        };
        let text = text(&meter, &facts);
        let labels = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"stub\",\
                      gen_ai_request_model=\"a\\\"b\",client_wire=\"openai\",upstream_wire=\"openai\"";
        let expected = [
            format!(
                "gen_ai_client_token_usage_bucket{{gen_ai_token_type=\"input\",{labels},le=\"16\"}} 0"
            ),
            format!(
                "gen_ai_client_token_usage_bucket{{gen_ai_token_type=\"input\",{labels},le=\"64\"}} 1"
            ),
            format!("gen_ai_client_token_usage_sum{{gen_ai_token_type=\"output\",{labels}}} 3"),
            format!("gen_ai_server_request_duration_seconds_sum{{{labels}}} 0.002000"),
            "ringway_exchanges_total{operation=\"chat\",outcome=\"complete\",status=\"200\"} 1"
                .to_owned(),
            "ringway_attempts_total{provider=\"stub\",status=\"503\",reason=\"status\"} 1"
                .to_owned(),
            "ringway_attempts_total{provider=\"stub\",status=\"200\",reason=\"none\"} 1".to_owned(),
        ];
        for line in expected {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn text_of_all_label_sets_and_values_that_there_can_be_stays_under_a_mebibyte() {
        let mut meter = Meter::default();
        for n in 0..2_000u64 {
            let mut gaps = Gaps::default();
            gaps.record(1_999_999);
            let operations = [Operation::Chat, Operation::CountTokens, Operation::Relay];
            let length = [3, 20, 60, 128][usize::try_from(n % 4).unwrap()];
            meter.settle(
                &ExchangeRecord {
                    operation: operations[usize::try_from(n % 3).unwrap()],
                    outcome: Outcome::Complete,
                    status: 200,
                    client_wire: Some(Wire::AnthropicMessages),
                    upstream_wire: Some(Wire::AnthropicMessages),
                    provider: Some(0),
                    model_sent: Some((n.to_string() + &"\"".repeat(length)).as_str().into()),
                    usage: Usage {
                        input: Some(1 << 40),
                        output: Some(1 << 40),
                        ..Usage::default()
                    },
                    started_at: 1,
                    first_delta_at: 1 << 50,
                    last_delta_at: 1 << 60,
                    ended_at: 1 << 62,
                    gaps: Some(Box::new(gaps)),
                    ..ExchangeRecord::default()
                },
                Some,
            );
        }
        let facts = ProcessFacts {
            providers: vec!["p".repeat(300)],
            ..ProcessFacts::default()
        };
        let length = text(&meter, &facts).len();
        assert!((600 << 10..1 << 20).contains(&length), "{length}");
    }
}
