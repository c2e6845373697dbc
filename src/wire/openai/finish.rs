//! Finish reasons of the OpenAI wire.

use crate::chat::usage::StopReason;
use crate::json::raw::Raw;

/// A finish reason as an upstream says it; nothing for an empty one. Those of [`is_failure`] are not
/// among them: they are no way to stop (see `stream`). Services pass on the words of the wires and
/// engines behind them, in either case.
#[must_use]
pub fn read(reason: Raw<'_>) -> Option<StopReason> {
    if reason.is_empty() {
        return None;
    }
    let word = reason.plain().unwrap_or_default();
    let found = WORDS
        .iter()
        .find(|(known, _)| word.eq_ignore_ascii_case(known));
    Some(found.map_or(StopReason::Other, |(_, stop)| *stop))
}

/// Whether a finish reason says that the answer broke off: the provider failed, or gave it up.
#[must_use]
pub fn is_failure(reason: Raw<'_>) -> bool {
    let is = |known: &&str| reason.bytes().eq_ignore_ascii_case(known.as_bytes());
    FAILURES.iter().any(is)
}

/// What the answer's content says about the reason. Upstreams report `stop` after tool calls
/// (forced tools, several servers), and `tool_calls` without any.
#[must_use]
pub const fn settle(reason: Option<StopReason>, tools: bool, refused: bool) -> StopReason {
    match reason {
        Some(StopReason::MaxTokens) => StopReason::MaxTokens,
        _ if refused => StopReason::Refusal,
        Some(StopReason::Other) if !tools => StopReason::Other,
        None | Some(StopReason::EndTurn | StopReason::Other | StopReason::ToolUse) => {
            if tools {
                StopReason::ToolUse
            } else {
                StopReason::EndTurn
            }
        }
        Some(reason) => reason,
    }
}

/// The finish reason of an answer. `calls` when it holds tool calls that the client shall run,
/// `legacy` when the client asked with `functions`.
#[must_use]
pub const fn name(stop: StopReason, calls: bool, legacy: bool) -> &'static str {
    match stop {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::Other => "stop",
        StopReason::MaxTokens
        | StopReason::ContextWindow
        | StopReason::Pause
        | StopReason::Compaction => "length",
        StopReason::ToolUse if !calls => "stop",
        StopReason::ToolUse if legacy => "function_call",
        StopReason::ToolUse => "tool_calls",
        StopReason::Refusal => "content_filter",
    }
}

/// OpenAI's own words first; then Mistral's, Anthropic's, Gemini's, Cohere's and those of engines.
const WORDS: [(&str, StopReason); 28] = [
    ("stop", StopReason::EndTurn),
    ("length", StopReason::MaxTokens),
    ("tool_calls", StopReason::ToolUse),
    ("function_call", StopReason::ToolUse),
    ("content_filter", StopReason::Refusal),
    ("model_length", StopReason::MaxTokens),
    ("max_tokens", StopReason::MaxTokens),
    ("max_output_tokens", StopReason::MaxTokens),
    ("max_length", StopReason::MaxTokens),
    ("model_context_window_exceeded", StopReason::MaxTokens),
    ("end_turn", StopReason::EndTurn),
    ("stop_sequence", StopReason::EndTurn),
    ("eos", StopReason::EndTurn),
    ("eos_token", StopReason::EndTurn),
    ("complete", StopReason::EndTurn),
    ("completed", StopReason::EndTurn),
    ("tool_use", StopReason::ToolUse),
    ("tool_call", StopReason::ToolUse),
    ("refusal", StopReason::Refusal),
    ("safety", StopReason::Refusal),
    ("recitation", StopReason::Refusal),
    ("blocklist", StopReason::Refusal),
    ("prohibited_content", StopReason::Refusal),
    ("spii", StopReason::Refusal),
    ("image_safety", StopReason::Refusal),
    ("content_filtered", StopReason::Refusal),
    ("guardrail_intervened", StopReason::Refusal),
    ("error_toxic", StopReason::Refusal),
];
/// DeepSeek's word for having run out of machines, vLLM's and SGLang's for a request given up.
const FAILURES: [&str; 7] = [
    "error",
    "abort",
    "aborted",
    "cancelled",
    "timeout",
    "insufficient_system_resource",
    "malformed_function_call",
];
