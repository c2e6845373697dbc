//! Stop reasons of the Anthropic wire.

use crate::chat::usage::StopReason;
use crate::json::raw::Raw;

/// A stop reason as an upstream says it.
#[must_use]
pub fn read(reason: Raw<'_>) -> StopReason {
    match reason.plain().unwrap_or_default() {
        "end_turn" => StopReason::EndTurn,
        "stop_sequence" => StopReason::StopSequence,
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        "tool_use" => StopReason::ToolUse,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::Pause,
        "compaction" => StopReason::Compaction,
        _ => StopReason::Other,
    }
}

/// The name of a stop reason.
#[must_use]
pub const fn name(stop: StopReason) -> &'static str {
    match stop {
        StopReason::EndTurn | StopReason::Other => "end_turn",
        StopReason::StopSequence => "stop_sequence",
        StopReason::MaxTokens => "max_tokens",
        StopReason::ContextWindow => "model_context_window_exceeded",
        StopReason::ToolUse => "tool_use",
        StopReason::Refusal => "refusal",
        StopReason::Pause => "pause_turn",
        StopReason::Compaction => "compaction",
    }
}
