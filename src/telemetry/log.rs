//! One access line per exchange: JSON, no bodies, no keys, every text bounded and escaped.
//!
//! Members are written with what stands around their names, so that most of a line is copied from
//! constants: half the instructions of a writer that keeps track of commas.

use crate::chat::small_str::SmallStr;
use crate::chat::usage::StopReason;
use crate::json::hex;
use crate::json::write::{PAIRS, escape_into, number_into, plain_into};
use crate::limits::LOGGED_ID_BYTES_MAX;
use crate::telemetry::exchange::ExchangeRecord;

/// Appends the line of one exchange, its newline included.
///
/// `unix_ms` is the wall clock at the end; `provider` names one by its place in the plan.
pub fn line<'p>(
    exchange: &ExchangeRecord,
    unix_ms: u64,
    provider: impl Fn(usize) -> Option<&'p str>,
    out: &mut Vec<u8>,
) {
    count(out, "{\"time_ms\":", unix_ms);
    word(out, ",\"id\":\"", id_text(exchange.id).as_str());
    word(out, ",\"operation\":\"", exchange.operation.name());
    text(out, ",\"tenant\":\"", bytes(exchange.tenant.as_ref()));
    let wires = [
        (",\"client_wire\":\"", exchange.client_wire),
        (",\"upstream_wire\":\"", exchange.upstream_wire),
    ];
    for (name, wire) in wires {
        if let Some(wire) = wire {
            word(out, name, wire.name());
        }
    }
    text(
        out,
        ",\"model_asked\":\"",
        bytes(exchange.model_asked.as_ref()),
    );
    text(
        out,
        ",\"model_sent\":\"",
        bytes(exchange.model_sent.as_ref()),
    );
    let answered = bytes(exchange.model_answered.as_ref());
    text(out, ",\"model_answered\":\"", answered);
    let named = exchange.provider.and_then(&provider);
    text(out, ",\"provider\":\"", named.map(str::as_bytes));
    let upstream_id = bytes(exchange.upstream_request_id.as_ref());
    text(out, ",\"upstream_request_id\":\"", upstream_id);
    route(out, exchange);
    attempts(out, exchange, provider);
    cut(out, &exchange.refused);
    count(out, ",\"status\":", u64::from(exchange.status));
    word(out, ",\"end\":\"", exchange.outcome.name());
    if let Some(fault) = exchange.fault {
        word(out, ",\"fault\":\"", fault);
    }
    out.extend_from_slice(if exchange.stream {
        b",\"stream\":true"
    } else {
        b",\"stream\":false"
    });
    if exchange.early_head {
        out.extend_from_slice(b",\"early_head\":true");
    }
    count(out, ",\"bytes_in\":", exchange.bytes_in);
    count(out, ",\"bytes_out\":", exchange.bytes_out);
    count(out, ",\"events\":", exchange.events);
    count(out, ",\"deltas\":", exchange.deltas);
    usage(out, exchange);
    if exchange.usage_rejected {
        out.extend_from_slice(b",\"usage_rejected\":true");
    }
    if let Some(nanos) = exchange.cost_nanos {
        count(out, ",\"cost_nanos\":", nanos);
    }
    if exchange.cost_estimated {
        out.extend_from_slice(b",\"cost_estimated\":true");
    }
    if let Some(stop) = exchange.stop {
        word(out, ",\"stop\":\"", stop_name(stop));
    }
    let losses = exchange.losses.as_deref().map(str::as_bytes);
    text(out, ",\"losses\":\"", losses);
    times(out, exchange);
    out.extend_from_slice(b"}\n");
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

    /// The same as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The text of an exchange's id.
#[must_use]
pub fn id_text(id: u128) -> IdText {
    let mut text = *b"rw_00000000000000000000000000000000";
    let (_, digits) = text.split_at_mut(3);
    for (digits, bytes) in digits
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(id.to_be_bytes().as_chunks().0)
    {
        *digits = hex::digits(*bytes);
    }
    IdText(text)
}

/// A number behind the name of its member.
#[inline]
fn count(out: &mut Vec<u8>, name: &str, count: u64) {
    out.extend_from_slice(name.as_bytes());
    number_into(count, out);
}

/// A word of ours behind the name of its member, which ends with a quote.
#[inline]
fn word(out: &mut Vec<u8>, name: &str, word: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// A duration behind the name of its member.
#[inline]
fn duration(out: &mut Vec<u8>, name: &str, nanos: u64) {
    out.extend_from_slice(name.as_bytes());
    millis(out, nanos);
}

/// Why the targets were tried in their order, where there was a choice.
fn route(out: &mut Vec<u8>, exchange: &ExchangeRecord) {
    for (rank, reason) in exchange.route.iter().enumerate() {
        word(
            out,
            if rank == 0 { ",\"route\":[\"" } else { ",\"" },
            reason,
        );
    }
    if exchange.route.iter().next().is_some() {
        out.push(b']');
    }
}

fn attempts<'p>(
    out: &mut Vec<u8>,
    exchange: &ExchangeRecord,
    name: impl Fn(usize) -> Option<&'p str>,
) {
    out.extend_from_slice(b",\"attempts\":[");
    for (rank, attempt) in exchange.attempts.iter().enumerate() {
        let start = out.len();
        let named = name(attempt.provider).map(str::as_bytes);
        text(out, ",\"provider\":\"", named);
        if attempt.status > 0 {
            count(out, ",\"status\":", u64::from(attempt.status));
        }
        if let Some(fault) = attempt.fault {
            word(out, ",\"fault\":\"", fault);
        }
        let detail = attempt.detail.as_deref().map(str::as_bytes);
        text(out, ",\"detail\":\"", detail);
        duration(out, ",\"ms\":", attempt.nanos);
        out.push(b'}');
        open_object(out, start);
        if rank > 0 {
            out.insert(start, b',');
        }
    }
    out.push(b']');
}

/// The policies that took targets out.
fn cut(out: &mut Vec<u8>, words: &[&str]) {
    if words.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"cut\":[");
    for (rank, word) in words.iter().enumerate() {
        let quote: &[u8] = if rank > 0 { b",\"" } else { b"\"" };
        out.extend_from_slice(quote);
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}

/// Makes the comma before an object's first member its brace.
fn open_object(out: &mut [u8], start: usize) {
    if let Some(first) = out.get_mut(start) {
        *first = b'{';
    }
}

fn usage(out: &mut Vec<u8>, exchange: &ExchangeRecord) {
    let usage = &exchange.usage;
    let members = [
        (",\"input\":", usage.input),
        (",\"cache_read\":", usage.cache_read),
        (",\"cache_write\":", usage.cache_write),
        (",\"output\":", usage.output),
        (",\"reasoning\":", usage.reasoning),
        (",\"cache_write_hour\":", usage.cache_write_hour),
        (",\"audio_input\":", usage.audio_input),
        (",\"audio_output\":", usage.audio_output),
        (",\"web_searches\":", usage.web_searches),
        (",\"web_fetches\":", usage.web_fetches),
    ];
    if members.iter().all(|(_, count)| count.is_none()) {
        return;
    }
    out.extend_from_slice(b",\"usage\":");
    let start = out.len();
    for (name, known) in members {
        if let Some(known) = known {
            count(out, name, known);
        }
    }
    out.push(b'}');
    open_object(out, start);
}

fn times(out: &mut Vec<u8>, exchange: &ExchangeRecord) {
    if let Some(ns) = exchange.ttft() {
        duration(out, ",\"ttft_ms\":", ns);
    }
    if let Some(gaps) = exchange.gaps.as_deref().filter(|gaps| gaps.count() > 0) {
        let nanos = |us: u64| us.saturating_mul(1_000);
        duration(out, ",\"gap_ms\":{\"p50\":", nanos(gaps.quantile_us(50)));
        duration(out, ",\"p99\":", nanos(gaps.quantile_us(99)));
        duration(out, ",\"max\":", nanos(gaps.max_us()));
        out.push(b'}');
    }
    let queued = exchange.request_at.saturating_sub(exchange.started_at);
    duration(out, ",\"queue_ms\":", queued);
    if let Some(ns) = exchange.gateway() {
        duration(out, ",\"gateway_ms\":", ns);
    }
    duration(out, ",\"total_ms\":", exchange.total());
}

/// Milliseconds with three decimals.
fn millis(out: &mut Vec<u8>, nanos: u64) {
    let micros = nanos / 1_000;
    number_into(micros / 1_000, out);
    let [tens, ones] = PAIRS[(micros % 100) as usize];
    let [_, hundreds] = PAIRS[(micros / 100 % 10) as usize];
    out.extend_from_slice(&[b'.', hundreds, tens, ones]);
}

/// A text behind the name of its member, which ends with a quote; left out when there is none. It is
/// cut to its bound and holds no terminal escapes.
fn text(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    let Some(value) = value else { return };
    out.extend_from_slice(name.as_bytes());
    if value.len() > LOGGED_ID_BYTES_MAX || !plain_into(value, out) {
        escape_into(&safe(value), out);
    }
    out.push(b'"');
}

fn bytes(text: Option<&SmallStr>) -> Option<&[u8]> {
    text.map(SmallStr::as_bytes)
}

/// The start of a text, less what a terminal may obey.
fn safe(value: &[u8]) -> String {
    let value = core::str::from_utf8(value).unwrap_or_default();
    let end = value.floor_char_boundary(LOGGED_ID_BYTES_MAX);
    let kept = value.get(..end).unwrap_or_default();
    let clean = |c| if is_unsafe(c) { '?' } else { c };
    kept.chars().map(clean).collect()
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
    number_into(unix_ms, out);
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
    use crate::telemetry::attempts::{Attempt, Attempts};
    use crate::telemetry::exchange::Outcome;

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
            millis(&mut out, nanos);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        millis(&mut Vec::new(), u64::MAX);
    }

    #[test]
    fn ids_are_told_in_hex_digits_of_lower_case() {
        for shift in 0..16 {
            let id = 0xFEDC_BA98_7654_3210_0123_4567_89AB_CDEF_u128.rotate_left(4 * shift);
            assert_eq!(id_text(id).as_str(), format!("rw_{id:032x}"));
        }
    }

    #[test]
    fn p25_line_is_one_json_object_on_one_line_with_bounded_text() {
        let hostile = format!("gpt\"\n\u{1b}[31m\u{9b}\u{202e}{}", "x".repeat(1_000));
        let mut exchange = ExchangeRecord {
            id: 7,
            model_asked: Some(hostile.as_str().into()),
            outcome: Outcome::Truncated,
            status: 200,
            attempts: {
                let mut attempts = Attempts::default();
                let reset = Attempt {
                    fault: Some("reset"),
                    nanos: 1_500_000,
                    ..Attempt::default()
                };
                attempts.push(reset.clone());
                attempts.push(reset);
                attempts
            },
            usage: Usage {
                output: Some(3),
                ..Usage::default()
            },
            started_at: 1_000,
            ended_at: 12_346_000,
            ..ExchangeRecord::default()
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
        assert_eq!(json["attempts"][1]["provider"], "stub");
        assert_eq!(json["usage"]["output"], 3);
        assert_eq!(json["total_ms"], 12.345);
        assert_eq!(json["gap_ms"]["max"], 0.0);
        assert_eq!(json["id"], "rw_00000000000000000000000000000007");
    }
}
