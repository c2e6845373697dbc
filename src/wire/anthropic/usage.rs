//! Token counts of the Anthropic wire.
//!
//! Counts within a stream are cumulative: the last value of each member holds, nothing is added
//! up. `iterations` (compaction, advisor, fallback) is the exception the wire makes itself: there
//! the top-level members do not cover all rounds, and the rounds are summed. Requests of server tools
//! are told for all rounds at the top.

use crate::chat::usage::Usage;
use crate::json::tape::Value;
use crate::json::write::Writer;

/// Lays the counts of a `usage` object over those known so far.
pub fn merge(usage: Value<'_>, into: &mut Usage) {
    let (mut update, rounds) = read_counts(usage);
    if let Some(sum) = rounds.and_then(sum_rounds) {
        update.input = sum.input.or(update.input);
        update.cache_read = sum.cache_read.or(update.cache_read);
        update.cache_write = sum.cache_write.or(update.cache_write);
        update.cache_write_hour = sum.cache_write_hour.or(update.cache_write_hour);
        update.output = sum.output.or(update.output);
    }
    into.input = update.input.or(into.input);
    into.cache_read = update.cache_read.or(into.cache_read);
    into.cache_write = update.cache_write.or(into.cache_write);
    into.cache_write_hour = update.cache_write_hour.or(into.cache_write_hour);
    into.output = update.output.or(into.output);
    into.reasoning = update.reasoning.or(into.reasoning);
    into.web_searches = update.web_searches.or(into.web_searches);
    into.web_fetches = update.web_fetches.or(into.web_fetches);
}

/// Writes a `usage` object with what is known; `output_tokens` always, clients break without it.
pub fn write(usage: &Usage, w: &mut Writer<'_>) {
    w.open_object();
    if usage.input.is_some() {
        w.name("input_tokens").number(usage.input.unwrap_or(0));
        w.name("cache_creation_input_tokens")
            .number(usage.cache_write.unwrap_or(0));
        w.name("cache_read_input_tokens")
            .number(usage.cache_read.unwrap_or(0));
    }
    w.name("output_tokens").number(usage.output.unwrap_or(0));
    if let Some(reasoning) = usage.reasoning {
        w.name("output_tokens_details").open_object();
        w.name("thinking_tokens").number(reasoning).close_object();
    }
    w.close_object();
}

/// The counts of one object, and its rounds if it has any.
fn read_counts(usage: Value<'_>) -> (Usage, Option<Value<'_>>) {
    let (mut counts, mut rounds) = (Usage::default(), None);
    let (mut minutes, mut hour) = (None, None);
    usage.each_member(|name, value| match name {
        b"input_tokens" => counts.input = value.as_u64(),
        b"cache_read_input_tokens" => counts.cache_read = value.as_u64(),
        b"cache_creation_input_tokens" => counts.cache_write = value.as_u64(),
        b"cache_creation" => {
            (minutes, hour) = (None, None);
            value.each_member(|name, value| match name {
                b"ephemeral_5m_input_tokens" => minutes = value.as_u64(),
                b"ephemeral_1h_input_tokens" => hour = value.as_u64(),
                _ => {}
            });
        }
        b"server_tool_use" => {
            (counts.web_searches, counts.web_fetches) = (None, None);
            value.each_member(|name, value| match name {
                b"web_search_requests" => counts.web_searches = value.as_u64(),
                b"web_fetch_requests" => counts.web_fetches = value.as_u64(),
                _ => {}
            });
        }
        b"output_tokens" => counts.output = value.as_u64(),
        b"output_tokens_details" => {
            counts.reasoning = value.get("thinking_tokens").and_then(Value::as_u64);
        }
        b"iterations" => rounds = Some(value),
        _ => {}
    });
    counts.cache_write_hour = hour;
    // The two parts are the sum where it is not told.
    counts.cache_write = counts.cache_write.or_else(|| add(minutes, hour));
    (counts, rounds)
}

fn sum_rounds(rounds: Value<'_>) -> Option<Usage> {
    let counts = rounds.elements().map(|round| read_counts(round).0);
    counts.reduce(|a, b| Usage {
        input: add(a.input, b.input),
        cache_read: add(a.cache_read, b.cache_read),
        cache_write: add(a.cache_write, b.cache_write),
        cache_write_hour: add(a.cache_write_hour, b.cache_write_hour),
        output: add(a.output, b.output),
        ..Usage::default()
    })
}

fn add(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}
