//! A neutral request fitted to the OpenAI wire and the dialect of the upstream.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::{
    Block, Effort, Format, Json, Request, TextRun, ThinkingMode, Tool, ToolChoice,
};
use crate::json::raw::Raw;
use crate::translate::adapt::fit::{Fit, Verdict, value_of};
use crate::translate::adapt::{names, thinking, to_openai_messages};
use crate::translate::models::Sampling;
use crate::translate::schema;

/// Fits the whole request. `user` is the buffer that a digested user id is kept in.
///
/// # Errors
/// For whatever the wire, the dialect or the model cannot keep.
pub fn fit<'a>(
    fit: &mut Fit<'_>,
    request: &mut Request<'a>,
    user: &'a mut String,
) -> Result<(), Rejection> {
    fit.judge(request, verdict)?;
    if fit.hints.betas {
        fit.notes.dropped(Member::BetaHeader);
    }
    fit.output_limit(request);
    sampling(fit, request)?;
    identity(fit, request, user);
    reasoning(fit, request);
    tools(fit, request)?;
    format(fit, request);
    to_openai_messages::fit(fit, request)
}

/// What the OpenAI wire does with a member that it has no word for.
fn verdict(member: &Member) -> Verdict {
    match member {
        Member::ServerTools => Verdict::Refuse(
            "this model cannot run server tools or versioned client tools of another provider",
        ),
        Member::InferenceGeo => Verdict::Refuse("where this model runs cannot be promised"),
        Member::McpServers => Verdict::Refuse("this model calls no servers of its own"),
        Member::Container => Verdict::Refuse("this model has no containers"),
        Member::Fallbacks => Verdict::Refuse("the provider of this model has no fallbacks"),
        Member::Thread => Verdict::Refuse("the provider of this model keeps no threads"),
        Member::Compaction => Verdict::Refuse("the provider of this model does not compact"),
        Member::BillingPolicy => Verdict::Refuse("the provider of this model has no such policy"),
        Member::MaxTokens
        | Member::Temperature
        | Member::TopP
        | Member::TopK
        | Member::Stop
        | Member::Seed
        | Member::LogitBias
        | Member::FrequencyPenalty
        | Member::PresencePenalty
        | Member::ChoiceCount
        | Member::Logprobs
        | Member::TopLogprobs
        | Member::Verbosity
        | Member::Prediction
        | Member::Audio
        | Member::Modalities
        | Member::Moderation
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
        | Member::Tools
        | Member::ToolChoice
        | Member::ToolCalls
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
        | Member::StopReason
        | Member::Content
        | Member::Unknown(_) => Verdict::Drop,
    }
}

fn sampling(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
    let fixed = fit.facts.sampling == Sampling::None;
    let odd = |digits: &&str| fixed && value_of(digits) != 1.0;
    if request
        .temperature
        .take_if(|digits| odd(&&**digits))
        .is_some()
    {
        fit.notes.dropped(Member::Temperature);
    }
    if request.top_p.take_if(|digits| odd(&&**digits)).is_some() {
        fit.notes.dropped(Member::TopP);
    }
    if !fit.dialect.top_k && request.top_k.take().is_some() {
        fit.notes.dropped(Member::TopK);
    }
    if request.stop.len() > fit.dialect.stop_max as usize {
        let text = format!(
            "stop_sequences: this model takes at most {} of them",
            fit.dialect.stop_max
        );
        return Err(Rejection::invalid("stop_sequences", text));
    }
    Ok(())
}

fn identity<'a>(fit: &mut Fit<'_>, request: &mut Request<'a>, kept: &'a mut String) {
    let Some(user) = request.user else { return };
    if user.char_count() > USER_CHARS_MAX {
        *kept = names::digest(&user.decode(), 64);
        request.user = Raw::from_plain(kept);
        fit.notes.changed(Member::EndUser);
    }
}

fn reasoning(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let asked = wanted(request);
    let effort_said = request.reasoning.effort.take().is_some();
    let Some(effort) = asked else { return };
    // Services refuse the member for models that do not reason: of an unknown one that is assumed.
    if !fit.dialect.reasoning_effort || fit.facts.reasoning != Some(true) {
        if effort != Effort::None {
            if request.reasoning.mode.is_some() {
                fit.notes.dropped(Member::Thinking);
            }
            if effort_said {
                fit.notes.dropped(Member::Effort);
            }
        }
        return;
    }
    let taken = level(fit, effort);
    // A budget is told as the nearest level, whichever: only a level that was asked for is lost.
    let by_name = request.reasoning.mode != Some(ThinkingMode::Enabled);
    if by_name && effort != Effort::None && taken != Some(effort) {
        fit.notes.changed(Member::Effort);
    }
    if effort == Effort::None && taken.is_none() {
        // It reasons all the same.
        fit.notes.changed(Member::Thinking);
    }
    request.reasoning.effort = taken;
}

/// The level that thinking switch, budget and effort ask for together.
fn wanted(request: &Request<'_>) -> Option<Effort> {
    let reasoning = &request.reasoning;
    match reasoning.mode {
        Some(ThinkingMode::Disabled | ThinkingMode::BetweenTools) => Some(Effort::None),
        Some(ThinkingMode::Enabled) => {
            let budget = reasoning.budget.unwrap_or(BUDGET_UNSAID);
            Some(thinking::effort_of(budget))
        }
        Some(ThinkingMode::Adaptive) => Some(reasoning.effort.unwrap_or(Effort::Medium)),
        None => reasoning.effort,
    }
}

/// The level as the model takes it. Where its levels are not known, those of old are assumed.
fn level(fit: &Fit<'_>, effort: Effort) -> Option<Effort> {
    let known = fit.facts.efforts;
    if known.is_empty() {
        return match effort {
            Effort::None => None,
            other => Some(other.min(Effort::High)),
        };
    }
    if effort == Effort::None {
        let off = [Effort::None, Effort::Minimal];
        return off.into_iter().find(|level| known.has(*level));
    }
    known.nearest(effort)
}

fn tools(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Rejection> {
    names::rename_tools(request, names::OPENAI_NAME_MAX, &mut fit.answer);
    fit.answer.whole_names = names::whole(request);
    if request.web_search.is_some() && !fit.dialect.web_search_options {
        let text = "tools: the provider of this model offers no web search";
        return Err(Rejection::invalid("tools", text));
    }
    for tool in &mut request.tools {
        if let Tool::Function(function) = tool {
            if !fit.dialect.cache_control && function.cache.take().is_some() {
                fit.notes.dropped(Member::CacheControl);
            }
            let strict = |schema: &Json<'_>| schema::is_strict(schema);
            if function.strict == Some(true) && !function.schema.as_ref().is_some_and(strict) {
                function.strict = Some(false);
                fit.notes.changed(Member::StrictSchema);
            }
        }
    }
    let of_search = match &request.tool_choice {
        Some(ToolChoice::Tool(name)) => name == "web_search",
        Some(ToolChoice::Any) => request.tools.is_empty(),
        _ => false,
    };
    if of_search && request.web_search.is_some() {
        // The search is no tool here: it cannot be asked for by name.
        request.tool_choice = None;
        fit.notes.changed(Member::ToolChoice);
    }
    if let Some(ToolChoice::Tool(name)) = &request.tool_choice {
        let named = |tool: &Tool<'_>| matches!(tool, Tool::Function(f) if f.name == *name);
        if !request.tools.iter().any(named) {
            let text = "tool_choice: names a tool that `tools` does not hold";
            return Err(Rejection::invalid("tool_choice", text));
        }
    }
    if request.tools.is_empty() && request.tool_choice == Some(ToolChoice::Any) {
        let text = "tool_choice: a tool is asked for, but `tools` is empty";
        return Err(Rejection::invalid("tool_choice", text));
    }
    Ok(())
}

fn format(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let Format::Schema(format) = &mut request.format else {
        return;
    };
    if fit.dialect.json_schema {
        format.strict = schema::is_strict(&format.schema);
        if !format.strict {
            fit.notes.changed(Member::OutputFormat);
        }
        return;
    }
    let schema = String::from_utf8_lossy(&format.schema);
    let text =
        format!("Answer with one JSON object by this JSON schema and nothing else: {schema}");
    request.system.push(Block::Text {
        text: TextRun::Plain(text),
        cache: None,
    });
    request.format = Format::JsonObject;
    fit.notes.changed(Member::OutputFormat);
}

/// Longest user id that OpenAI takes.
const USER_CHARS_MAX: usize = 64;
/// Budget that is assumed where thinking is enabled without one.
const BUDGET_UNSAID: u64 = 8192;
