//! Finish reasons of the OpenAI wire.

use crate::chat::usage::StopReason;
use crate::json::raw::Raw;

/// A finish reason as an upstream says it; nothing for an empty one. `error` is not among them:
/// it is no way to stop (see `stream`).
#[must_use]
pub fn read(reason: Raw<'_>) -> Option<StopReason> {
    if reason.is_empty() {
        return None;
    }
    Some(match reason.plain().unwrap_or_default() {
        "stop" => StopReason::EndTurn,
        "length" | "model_length" => StopReason::MaxTokens,
        "tool_calls" | "function_call" => StopReason::ToolUse,
        "content_filter" => StopReason::Refusal,
        _ => StopReason::Other,
    })
}

/// What the answer's content says about the reason. Upstreams report `stop` after tool calls
/// (forced tools, several servers), and `tool_calls` without any.
#[must_use]
pub const fn settle(reason: Option<StopReason>, tools: bool, refused: bool) -> StopReason {
    match reason {
        Some(StopReason::MaxTokens) => StopReason::MaxTokens,
        _ if refused => StopReason::Refusal,
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
