//! Token counts of the OpenAI wire.
//!
//! Here `prompt_tokens` holds everything that went in; the neutral form keeps cached and written
//! input apart, so both are subtracted on the way in and added on the way out.
//!
//! Some services (xAI, Gemini) leave reasoning out of `completion_tokens` and count it in
//! `total_tokens` alone: output is what the total has beyond the prompt, where that is more.

use crate::chat::usage::Usage;
use crate::json::tape::Value;
use crate::json::write::Writer;

/// Reads a `usage` object; nothing if it is none.
#[must_use]
pub fn read(usage: Value<'_>) -> Option<Usage> {
    let (mut prompt, mut output, mut reasoning) = (None, None, None);
    let mut total = None;
    let (mut audio_input, mut audio_output, mut web_searches) = (None, None, None);
    let (mut cached, mut hits, mut plain_cached, mut written) = (None, None, None, None);
    usage.each_member(|name, value| match name {
        b"prompt_tokens" => prompt = value.as_u64(),
        b"completion_tokens" => output = value.as_u64(),
        b"total_tokens" => total = value.as_u64(),
        b"prompt_cache_hit_tokens" => hits = value.as_u64(),
        b"cached_tokens" => plain_cached = value.as_u64(),
        b"prompt_tokens_details" => {
            (cached, written, audio_input) = (None, None, None);
            value.each_member(|name, value| match name {
                b"cached_tokens" => cached = value.as_u64(),
                b"cache_write_tokens" => written = value.as_u64(),
                b"audio_tokens" => audio_input = value.as_u64(),
                _ => {}
            });
        }
        b"completion_tokens_details" => {
            reasoning = value.get("reasoning_tokens").and_then(Value::as_u64);
            audio_output = value.get("audio_tokens").and_then(Value::as_u64);
        }
        // OpenRouter's, for what Anthropic has in `server_tool_use`.
        b"server_tool_use_details" => {
            web_searches = value.get("web_search_requests").and_then(Value::as_u64);
        }
        _ => {}
    });
    if prompt.is_none() && output.is_none() {
        return None;
    }
    let beyond = total
        .unwrap_or(0)
        .saturating_sub(prompt.unwrap_or(u64::MAX));
    if beyond > output.unwrap_or(0) {
        output = Some(beyond);
    }
    let cache_read = cached.or(hits).or(plain_cached);
    let apart = cache_read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    Some(Usage {
        input: prompt.map(|all| all.saturating_sub(apart)),
        cache_read,
        cache_write: written,
        output,
        reasoning,
        audio_input,
        audio_output,
        web_searches,
        ..Usage::default()
    })
}

/// Writes a `usage` object. The Anthropic wire's cache members ride along where they are known:
/// clients of other gateways read them.
pub fn write(usage: &Usage, w: &mut Writer<'_>) {
    let prompt = usage.input_total();
    let output = usage.output.unwrap_or(0);
    w.open_object();
    w.name("prompt_tokens").number(prompt);
    w.name("completion_tokens").number(output);
    w.name("total_tokens").number(prompt.saturating_add(output));
    if usage.cache_read.is_some() || usage.cache_write.is_some() {
        w.name("prompt_tokens_details").open_object();
        optional(w, "cached_tokens", usage.cache_read);
        optional(w, "cache_write_tokens", usage.cache_write);
        w.close_object();
    }
    if let Some(reasoning) = usage.reasoning {
        w.name("completion_tokens_details").open_object();
        w.name("reasoning_tokens").number(reasoning).close_object();
    }
    optional(w, "cache_creation_input_tokens", usage.cache_write);
    optional(w, "cache_read_input_tokens", usage.cache_read);
    w.close_object();
}

fn optional(w: &mut Writer<'_>, name: &str, count: Option<u64>) {
    if let Some(count) = count {
        w.name(name).number(count);
    }
}
