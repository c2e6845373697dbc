//! Token counts of the Anthropic wire.
//!
//! Counts within a stream are cumulative: the last value of each member holds, nothing is added
//! up. `iterations` (compaction, advisor, fallback) is the exception the wire makes itself: there
//! the top-level members do not cover all rounds, and the rounds are summed.

use crate::chat::usage::Usage;
use crate::json::tape::Value;
use crate::json::write::Writer;

/// Lays the counts of a `usage` object over those known so far.
pub fn merge(usage: Value<'_>, into: &mut Usage) {
    let mut update = read_counts(usage);
    if let Some(rounds) = usage.get_set("iterations")
        && let Some(sum) = sum_rounds(rounds)
    {
        update.input = sum.input.or(update.input);
        update.cache_read = sum.cache_read.or(update.cache_read);
        update.cache_write = sum.cache_write.or(update.cache_write);
        update.output = sum.output.or(update.output);
    }
    into.input = update.input.or(into.input);
    into.cache_read = update.cache_read.or(into.cache_read);
    into.cache_write = update.cache_write.or(into.cache_write);
    into.output = update.output.or(into.output);
    into.reasoning = update.reasoning.or(into.reasoning);
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

fn read_counts(usage: Value<'_>) -> Usage {
    let count = |name: &str| usage.get_set(name)?.as_u64();
    Usage {
        input: count("input_tokens"),
        cache_read: count("cache_read_input_tokens"),
        cache_write: count("cache_creation_input_tokens"),
        output: count("output_tokens"),
        reasoning: usage
            .get_set("output_tokens_details")
            .and_then(|details| details.get_set("thinking_tokens")?.as_u64()),
    }
}

fn sum_rounds(rounds: Value<'_>) -> Option<Usage> {
    rounds.elements().map(read_counts).reduce(|a, b| Usage {
        input: add(a.input, b.input),
        cache_read: add(a.cache_read, b.cache_read),
        cache_write: add(a.cache_write, b.cache_write),
        output: add(a.output, b.output),
        reasoning: None,
    })
}

fn add(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.saturating_add(b)),
        (a, b) => a.or(b),
    }
}
