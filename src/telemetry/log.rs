//! One access line per exchange: JSON, no bodies, no keys, every text bounded and escaped.

use crate::chat::usage::StopReason;
use crate::json::write::{Writer, escape_into};
use crate::limits::LOGGED_ID_BYTES_MAX;
use crate::telemetry::exchange::Exchange;

/// Appends the line of one exchange, its newline included.
///
/// `unix_ms` is the wall clock at the end; `provider` names one by its place in the plan.
pub fn line<'p>(
    exchange: &Exchange,
    unix_ms: u64,
    provider: impl Fn(usize) -> Option<&'p str>,
    out: &mut Vec<u8>,
) {
    let mut w = Writer::new(out);
    w.open_object();
    w.name("time_ms").number(unix_ms);
    w.name("id").string(id_text(exchange.id).as_str());
    w.name("operation").string(exchange.operation.name());
    text(&mut w, "tenant", exchange.tenant.as_deref());
    text(
        &mut w,
        "client_wire",
        exchange.client_wire.map(|wire| wire.name()),
    );
    text(
        &mut w,
        "upstream_wire",
        exchange.upstream_wire.map(|wire| wire.name()),
    );
    text(&mut w, "model_asked", exchange.model_asked.as_deref());
    text(&mut w, "model_sent", exchange.model_sent.as_deref());
    text(&mut w, "model_answered", exchange.model_answered.as_deref());
    text(&mut w, "provider", exchange.provider.and_then(&provider));
    let upstream_id = exchange.upstream_request_id.as_deref();
    text(&mut w, "upstream_request_id", upstream_id);
    attempts(&mut w, exchange, provider);
    w.name("status").number(u64::from(exchange.status));
    w.name("end").string(exchange.outcome.name());
    text(&mut w, "fault", exchange.fault);
    w.name("stream").boolean(exchange.stream);
    w.name("bytes_in").number(exchange.bytes_in);
    w.name("bytes_out").number(exchange.bytes_out);
    w.name("events").number(exchange.events);
    w.name("deltas").number(exchange.deltas);
    usage(&mut w, exchange);
    text(&mut w, "stop", exchange.stop.map(stop_name));
    text(&mut w, "losses", exchange.losses.as_deref());
    times(&mut w, exchange);
    w.close_object();
    out.push(b'\n');
}

/// An exchange's id as clients and logs see it: `rw_` and 32 hex digits, on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdText([u8; 35]);

impl IdText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The text of an exchange's id.
#[must_use]
pub fn id_text(id: u128) -> IdText {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"rw_00000000000000000000000000000000";
    let (_, digits) = text.split_at_mut(3);
    for (pair, byte) in digits.chunks_exact_mut(2).zip(id.to_be_bytes()) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    IdText(text)
}

fn attempts<'p>(w: &mut Writer<'_>, exchange: &Exchange, name: impl Fn(usize) -> Option<&'p str>) {
    w.name("attempts").open_array();
    for attempt in &exchange.attempts {
        w.open_object();
        text(w, "provider", name(attempt.provider));
        if attempt.status > 0 {
            w.name("status").number(u64::from(attempt.status));
        }
        text(w, "fault", attempt.fault);
        text(w, "detail", attempt.detail.as_deref());
        w.name("ms");
        millis(w, attempt.nanos);
        w.close_object();
    }
    w.close_array();
}

fn usage(w: &mut Writer<'_>, exchange: &Exchange) {
    let usage = &exchange.usage;
    let members = [
        ("input", usage.input),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
    ];
    if members.iter().all(|(_, count)| count.is_none()) {
        return;
    }
    w.name("usage").open_object();
    for (name, count) in members {
        if let Some(count) = count {
            w.name(name).number(count);
        }
    }
    w.close_object();
}

fn times(w: &mut Writer<'_>, exchange: &Exchange) {
    if let Some(ns) = exchange.ttft() {
        w.name("ttft_ms");
        millis(w, ns);
    }
    if let Some(gaps) = exchange.gaps.as_deref().filter(|gaps| gaps.count() > 0) {
        w.name("gap_ms").open_object();
        for (name, us) in [
            ("p50", gaps.quantile_us(50)),
            ("p99", gaps.quantile_us(99)),
            ("max", gaps.max_us()),
        ] {
            w.name(name);
            millis(w, us.saturating_mul(1_000));
        }
        w.close_object();
    }
    w.name("queue_ms");
    millis(w, exchange.request_at.saturating_sub(exchange.started_at));
    if let Some(ns) = exchange.gateway() {
        w.name("gateway_ms");
        millis(w, ns);
    }
    w.name("total_ms");
    millis(w, exchange.total());
}

/// Milliseconds with three decimals.
fn millis(w: &mut Writer<'_>, nanos: u64) {
    let mut micros = nanos / 1_000;
    let mut digits = [0u8; 24];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(micros % 10).unwrap_or(0);
        micros /= 10;
        if start == 21 {
            start -= 1;
            digits[start] = b'.';
        }
        if start < 20 && micros == 0 {
            break;
        }
    }
    w.value(digits.get(start..).unwrap_or_default());
}

/// A text member, left out when there is none: cut to its bound, without terminal escapes.
fn text(w: &mut Writer<'_>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    let end = value.floor_char_boundary(LOGGED_ID_BYTES_MAX);
    let kept = value.get(..end).unwrap_or_default();
    if kept.bytes().any(|b| b >= 0x7f) && kept.chars().any(is_unsafe) {
        let clean: String = kept
            .chars()
            .map(|c| if is_unsafe(c) { '?' } else { c })
            .collect();
        w.name(name).string(&clean);
    } else {
        w.name(name).string(kept);
    }
}

/// Characters that a terminal may obey and JSON does not escape: controls, and what turns the
/// direction of text or ends a line.
const fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

fn stop_name(stop: StopReason) -> &'static str {
    match stop {
        StopReason::EndTurn => "end_turn",
        StopReason::StopSequence => "stop_sequence",
        StopReason::MaxTokens => "max_tokens",
        StopReason::ContextWindow => "context_window",
        StopReason::ToolUse => "tool_use",
        StopReason::Refusal => "refusal",
        StopReason::Pause => "pause",
        StopReason::Compaction => "compaction",
        StopReason::Other => "other",
    }
}

/// One line of the program's own log (not the access log): level, text, both escaped.
pub fn notice(level: &str, message: &str, unix_ms: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"time_ms\":");
    crate::json::write::number_into(unix_ms, out);
    out.extend_from_slice(b",\"level\":\"");
    escape_into(level, out);
    out.extend_from_slice(b"\",\"message\":\"");
    escape_into(message, out);
    out.extend_from_slice(b"\"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::usage::Usage;
    use crate::telemetry::exchange::{Attempt, Outcome};

    #[test]
    fn millis_keep_three_decimals_and_one_digit_before_them() {
        let cases = [
            (0, "0.000"),
            (999, "0.000"),
            (1_500, "0.001"),
            (1_234_567_890, "1234.567"),
        ];
        for (nanos, expected) in cases {
            let mut out = Vec::new();
            millis(&mut Writer::new(&mut out), nanos);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        millis(&mut Writer::new(&mut Vec::new()), u64::MAX);
    }

    #[test]
    fn p25_line_is_one_json_object_on_one_line_with_bounded_text() {
        let hostile = format!("gpt\"\n\u{1b}[31m\u{9b}\u{202e}{}", "x".repeat(1_000));
        let mut exchange = Exchange {
            id: 7,
            model_asked: Some(hostile),
            outcome: Outcome::Truncated,
            status: 200,
            attempts: vec![Attempt {
                fault: Some("reset"),
                nanos: 1_500_000,
                ..Attempt::default()
            }],
            usage: Usage {
                output: Some(3),
                ..Usage::default()
            },
            started_at: 1_000,
            ended_at: 12_346_000,
            ..Exchange::default()
        };
        exchange.passed_deltas(2, 5_000_000);
        let mut out = Vec::new();
        line(&exchange, 99, |_| Some("stub"), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert!(!text.contains('\u{1b}') && !text.contains(['\u{9b}', '\u{202e}']));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["model_asked"].as_str().unwrap().chars().count(), 253);
        assert_eq!(json["attempts"][0]["ms"], 1.5);
        assert_eq!(json["usage"]["output"], 3);
        assert_eq!(json["total_ms"], 12.345);
        assert_eq!(json["gap_ms"]["max"], 0.0);
        assert_eq!(json["id"], "rw_00000000000000000000000000000007");
    }
}
