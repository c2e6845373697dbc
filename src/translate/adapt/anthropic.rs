//! A neutral request fitted to the Anthropic wire.

use memchr::memmem;

use crate::chat::error::Refusal;
use crate::chat::member::Member;
use crate::chat::request::{
    Block, DocumentSource, Json, Request, ResultContent, ServiceTier, Source, Tool,
};
use crate::json::raw::Raw;
use crate::json::scan::DEPTH_MAX;
use crate::json::tape::Tape;
use crate::json::write::Writer;
use crate::translate::adapt::fit::{Fit, Verdict, value_of};
use crate::translate::adapt::{format, thinking, to_anthropic_messages, tools};
use crate::translate::models::Sampling;

/// Fits the whole request; every block left in it can be said.
///
/// # Errors
/// For whatever the wire or the model cannot keep.
pub fn fit(fit: &mut Fit<'_>, request: &mut Request<'_>) -> Result<(), Refusal> {
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
    sources(fit, request)?;
    thinking::fit(fit, request, limited);
    format::fit(fit, request)?;
    caching(fit, request);
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

/// Images, documents and where they may come from.
fn sources(fit: &Fit<'_>, request: &Request<'_>) -> Result<(), Refusal> {
    for message in &request.messages {
        for block in &message.blocks {
            source(fit, block, message.index)?;
        }
    }
    Ok(())
}

fn source(fit: &Fit<'_>, block: &Block<'_>, index: usize) -> Result<(), Refusal> {
    let from = match block {
        Block::Image { source, .. } if fit.facts.vision != Some(false) => source,
        Block::Image { .. } => return Err(refuse(index, "this model takes no images")),
        Block::Document { source, .. } => match source {
            DocumentSource::Pdf(source) if fit.facts.pdf != Some(false) => source,
            DocumentSource::Pdf(_) => {
                return Err(refuse(index, "this model takes no PDF documents"));
            }
            DocumentSource::Text(_) | DocumentSource::Content(_) => return Ok(()),
        },
        Block::ToolResult(result) => {
            if let ResultContent::Blocks(blocks) = &result.content {
                return blocks
                    .iter()
                    .try_for_each(|block| source_of(fit, block, index));
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    match from {
        Source::Url(_) if !fit.dialect.url_sources => Err(refuse(
            index,
            "the provider of this model takes no addresses: send the bytes as a data address",
        )),
        Source::Url(_) | Source::Base64 { .. } | Source::File(_) => Ok(()),
    }
}

/// One level down: results hold no results.
fn source_of(fit: &Fit<'_>, block: &Block<'_>, index: usize) -> Result<(), Refusal> {
    match block {
        Block::ToolResult(_) => Ok(()),
        _ => source(fit, block, index),
    }
}

#[cold]
fn refuse(index: usize, text: &str) -> Refusal {
    let param = format!("messages[{index}].content");
    let text = format!("{param}: {text}");
    Refusal::invalid(param, text)
}

/// At most four marks: the earliest go first. The whole request's own mark counts as one.
fn caching(fit: &mut Fit<'_>, request: &mut Request<'_>) {
    let whole = usize::from(request.cache.is_some());
    let mut marks = 0usize;
    each_mark(request, || {
        marks += 1;
        Keep::Yes
    });
    if fit.hints.auto_cache && marks + whole == 0 {
        request.cache = Some(Json::Borrowed(br#"{"type":"ephemeral"}"#));
        return;
    }
    let fixed = foreign_marks(request);
    let mut over = (marks + whole + fixed).saturating_sub(MARKS_MAX);
    if over == 0 {
        return;
    }
    fit.notes.dropped(Member::CacheControl);
    each_mark(request, || {
        if over == 0 {
            return Keep::Yes;
        }
        over -= 1;
        Keep::No
    });
}

/// Marks of blocks that go on as they stand.
fn foreign_marks(request: &Request<'_>) -> usize {
    let blocks = request.messages.iter().flat_map(|message| &message.blocks);
    let is_marked = |block: &&Block<'_>| match block {
        Block::Foreign { source, .. } if memmem::find(source, MARK.as_bytes()).is_some() => {
            let mut tape = Tape::new();
            let root = tape.read(source, DEPTH_MAX, usize::MAX);
            root.is_ok_and(|root| root.get_set(MARK).is_some())
        }
        _ => false,
    };
    blocks.filter(is_marked).count()
}

/// Whether a mark stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    Yes,
    No,
}

/// Asks `keep` of every mark that is set, in the order tools, system, messages.
fn each_mark(request: &mut Request<'_>, mut keep: impl FnMut() -> Keep) {
    for tool in &mut request.tools {
        match tool {
            Tool::Function(function) => slot_mark(&mut function.cache, &mut keep),
            Tool::Versioned { source, .. } => source_mark(source, &mut keep),
        }
    }
    let turns = request.messages.iter_mut().flat_map(|m| &mut m.blocks);
    for block in request.system.iter_mut().chain(turns) {
        block_marks(block, &mut keep);
    }
}

/// The marks of a block, those within its content first, as the provider counts them.
fn block_marks(block: &mut Block<'_>, keep: &mut impl FnMut() -> Keep) {
    let inner = match block {
        Block::ToolResult(result) => match &mut result.content {
            ResultContent::Blocks(inner) => Some(inner),
            ResultContent::Absent | ResultContent::Text(_) => None,
        },
        Block::Document {
            source: DocumentSource::Content(inner),
            ..
        } => Some(inner),
        _ => None,
    };
    for block in inner.into_iter().flatten() {
        block_marks(block, keep);
    }
    if let Some(slot) = block.cache_mut() {
        slot_mark(slot, keep);
    }
}

fn slot_mark(slot: &mut Option<Json<'_>>, keep: &mut impl FnMut() -> Keep) {
    if slot.is_some() && keep() == Keep::No {
        *slot = None;
    }
}

/// The mark of a tool that goes on as it stands.
fn source_mark(source: &mut Json<'_>, keep: &mut impl FnMut() -> Keep) {
    let mut tape = Tape::new();
    let Ok(tool) = tape.read(source, DEPTH_MAX, usize::MAX) else {
        return;
    };
    if tool.get_set(MARK).is_none() || keep() == Keep::Yes {
        return;
    }
    let mut rest = Vec::with_capacity(source.len());
    let mut w = Writer::new(&mut rest);
    w.open_object();
    for (name, value) in tool.members().filter(|(name, _)| !name.is(MARK)) {
        w.name_raw(name).value(value.source());
    }
    w.close_object();
    *source = Json::Owned(rest);
}

const MARK: &str = "cache_control";
const MARKS_MAX: usize = 4;
