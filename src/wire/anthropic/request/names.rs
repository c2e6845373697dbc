//! Members and faults in the words of the Anthropic wire, as notes and refusals show them to its clients.

use crate::chat::error::CallFault;
use crate::chat::member::Member;
use crate::wire::anthropic::error::THREAD_UNSUPPORTED;

/// The name of `member`. What the wire has no name for is called as the wire that has it does.
#[must_use]
pub fn name(member: &Member) -> &str {
    match member {
        Member::MaxTokens => "max_tokens",
        Member::Temperature => "temperature",
        Member::TopP => "top_p",
        Member::TopK => "top_k",
        Member::Stop => "stop_sequences",
        Member::Seed => "seed",
        Member::LogitBias => "logit_bias",
        Member::FrequencyPenalty => "frequency_penalty",
        Member::PresencePenalty => "presence_penalty",
        Member::ChoiceCount => "n",
        Member::Logprobs => "logprobs",
        Member::TopLogprobs => "top_logprobs",
        Member::Verbosity => "verbosity",
        Member::Prediction => "prediction",
        Member::Audio => "audio",
        Member::Modalities => "modalities",
        Member::Moderation => "moderation",
        Member::StreamOptions => "stream_options",
        Member::Store => "store",
        Member::Metadata | Member::EndUser => "metadata",
        Member::ServiceTier => "service_tier",
        Member::PromptCacheKey => "prompt_cache_key",
        Member::PromptCacheOptions => "prompt_cache_options",
        Member::PromptCacheRetention => "prompt_cache_retention",
        Member::CacheControl => "cache_control",
        Member::Betas => "anthropic_beta",
        Member::BetaHeader => "anthropic-beta",
        Member::Effort | Member::OutputFormat => "output_config",
        Member::ReasoningBudget | Member::Thinking | Member::ReasoningHistory => "thinking",
        Member::CallSignature => "thought_signature",
        Member::StrictSchema => "strict",
        Member::Tools | Member::ServerTools => "tools",
        Member::ToolChoice => "tool_choice",
        Member::ToolCalls => "tool_calls",
        Member::DeferLoading => "defer_loading",
        Member::EagerInputStreaming => "eager_input_streaming",
        Member::Caller => "caller",
        Member::Messages => "messages",
        Member::Image => "image",
        Member::Document => "document",
        Member::Citations => "citations",
        Member::DocumentContext => "context",
        Member::ContextManagement => "context_management",
        Member::Speed => "speed",
        Member::Diagnostics => "diagnostics",
        Member::InferenceGeo => "inference_geo",
        Member::McpServers => "mcp_servers",
        Member::Container => "container",
        Member::Fallbacks => "fallbacks",
        Member::Thread => "thread",
        Member::Compaction => "compaction",
        Member::BillingPolicy => "billing_policy",
        Member::StopReason => "stop_reason",
        Member::Content => "content",
        Member::Unknown(name) => name,
    }
}

/// The code of a refusal for `member`, where clients know one.
#[must_use]
pub fn refusal_code(member: &Member) -> Option<&'static str> {
    (*member == Member::Thread).then_some(THREAD_UNSUPPORTED)
}

/// What is wrong with the call, or with the result, that has this `id`.
#[must_use]
pub fn call_fault(fault: CallFault, id: &str) -> String {
    match fault {
        CallFault::Unanswered => format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {id}"
        ),
        CallFault::NoCall => format!(
            "`tool_result` needs a `tool_use` block in the message before it; none has the id `{id}`"
        ),
        CallFault::RepeatedId => format!("`tool_use` has the id `{id}` twice"),
    }
}
