//! A neutral request fitted to the Anthropic wire.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{Request, ServiceTier};
use crate::json::raw::Raw;
use crate::translate::adapt::fit::{Fit, Verdict, value_of};
use crate::translate::adapt::{cache_marks, format, thinking, to_anthropic_messages, tools};
use crate::translate::models::Sampling;

/// Fits the whole request; every block left in it can be said.
///
/// # Errors
/// For whatever the wire or the model cannot keep.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
    fit.judge(request, verdict)?;
    let limited = request.max_tokens.is_some();
    if !limited {
        request.max_tokens = Some(u64::from(fit.facts.output_tokens_asked()));
        fit.notes.changed(Member::MaxTokens);
    } else if !fit.hints.betas && request.betas.is_empty() {
        // A beta may allow more than the model's own limit.
        fit.output_limit(request);
    }
    sampling(fit, request);
    identity(fit, request);
    tools::fit(fit, request)?;
    to_anthropic_messages::fit(fit, request)?;
    thinking::fit(fit, request, limited);
    format::fit(fit, request)?;
    cache_marks::fit(fit, request);
    Ok(())
}

/// What the Anthropic wire does with a member that it has no word for.
fn verdict(member: &Member) -> Verdict {
    match member {
        Member::ChoiceCount => {
            Verdict::Refuse("several choices cannot be had from this model: ask once for each")
        }
        Member::Logprobs | Member::TopLogprobs => {
            Verdict::Refuse("this model gives no token probabilities")
        }
        Member::Audio => Verdict::Refuse("this model gives no audio"),
        Member::Modalities => Verdict::Refuse("this model answers with text only"),
        Member::Moderation => Verdict::Refuse("the provider of this model has no such check"),
        Member::InferenceGeo => Verdict::Refuse(
            "where the model runs cannot be promised on this wire: use /v1/messages",
        ),
        Member::McpServers => {
            Verdict::Refuse("no servers are called for a client of this wire: use /v1/messages")
        }
        Member::Container => {
            Verdict::Refuse("there are no containers on this wire: use /v1/messages")
        }
        Member::Tools | Member::ToolCalls => Verdict::Change,
        Member::MaxTokens
        | Member::Temperature
        | Member::TopP
        | Member::TopK
        | Member::Stop
        | Member::Seed
        | Member::LogitBias
        | Member::FrequencyPenalty
        | Member::PresencePenalty
        | Member::Verbosity
        | Member::Prediction
        | Member::StreamOptions
        | Member::Store
        | Member::Metadata
        | Member::EndUser
        | Member::ServiceTier
        | Member::PromptCacheKey
        | Member::PromptCacheOptions
        | Member::PromptCacheRetention
        | Member::CacheControl
        | Member::Betas
        | Member::BetaHeader
        | Member::Effort
        | Member::ReasoningBudget
        | Member::Thinking
        | Member::ReasoningHistory
        | Member::CallSignature
        | Member::OutputFormat
        | Member::StrictSchema
        | Member::ServerTools
        | Member::ToolChoice
        | Member::DeferLoading
        | Member::EagerInputStreaming
        | Member::Caller
        | Member::Messages
        | Member::Image
        | Member::Document
        | Member::Citations
        | Member::DocumentContext
        | Member::ContextManagement
        | Member::Speed
        | Member::Diagnostics
        | Member::Fallbacks
        | Member::Thread
        | Member::Compaction
        | Member::BillingPolicy
        | Member::StopReason
        | Member::Content
        | Member::Unknown(_) => Verdict::Drop,
    }
}

fn sampling(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let above = |digits: Option<&str>, limit| digits.is_some_and(|d| value_of(d) > limit);
    match fit.facts.sampling {
        Sampling::None => {
            let temperature = request.temperature.take();
            if temperature.is_some_and(|digits| value_of(digits) != 1.0) {
                fit.notes.dropped(Member::Temperature);
            }
            if request
                .top_p
                .take()
                .is_some_and(|digits| value_of(digits) < 0.99)
            {
                fit.notes.dropped(Member::TopP);
            }
            if request.top_k.take().is_some() {
                fit.notes.dropped(Member::TopK);
            }
        }
        Sampling::Exclusive if request.temperature.is_some() => {
            if request.top_p.take().is_some() {
                fit.notes.dropped(Member::TopP);
            }
        }
        Sampling::Exclusive | Sampling::All => {}
    }
    if above(request.temperature, 1.0) {
        request.temperature = Some("1");
        fit.notes.changed(Member::Temperature);
    }
    let before = request.stop.len();
    request.stop.retain(|stop| !stop.is_blank());
    if request.stop.len() < before {
        fit.notes.dropped(Member::Stop);
    }
}

fn identity(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    if request.user.is_some_and(is_personal) {
        request.user = None;
        fit.notes.dropped(Member::EndUser);
    }
    if request.service_tier == Some(ServiceTier::Flex) {
        request.service_tier = None;
        fit.notes.dropped(Member::ServiceTier);
    }
}

/// Whether an id looks like an address or a phone number; the API asks for opaque ones.
fn is_personal(user: Raw<'_>) -> bool {
    let user = user.decode();
    let phone = |c: char| c.is_ascii_digit() || " ()-+".contains(c);
    let digits = user.chars().filter(char::is_ascii_digit).count();
    user.contains('@') || (digits >= 7 && user.chars().all(phone))
}
