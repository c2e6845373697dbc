//! A request of one wire as a request of the other: body in, body out.
//!
//! The client's wire reads the body into the neutral vocabulary, `adapt` fits that to what the
//! upstream's wire, dialect and model can say, the upstream's wire writes it. What was lost on the
//! way is named in [`Translated::notes`]; what must not be lost is a [`Rejection`].
//!
//! Promises: the same input gives the same bytes; the output of one turn is, up to the closing
//! brackets, the start of the next turn's (provider caches find it again); strings and sub-objects
//! keep their digits and escapes; the output is at most a constant times the input.
//!
//! Not here: passthrough (bodies whose client and upstream speak one wire never come here).

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::Request;
use crate::chat::small_str::SmallStr;
use crate::json::tape::{JsonKind, Tape};
use crate::translate::adapt;
use crate::translate::adapt::fit::Fit;
use crate::translate::answer_context::AnswerContext;
use crate::translate::notes::Notes;
use crate::translate::request_context::RequestContext;

use crate::wire::anthropic::betas;
use crate::wire::codec::{self, ClientNeeds};
use crate::wire::kind::Wire;
use crate::wire::openai::settings::ReasoningMembers;

/// What a translation tells beside the bytes.
#[derive(Clone, Debug, Default)]
pub struct Translated {
    /// What was dropped or changed.
    pub notes: Notes,
    /// What the answer's translation must know.
    pub answer: AnswerContext,
    /// Values of the body's `anthropic_beta`, joined for the header.
    pub beta: Option<String>,
}

/// Appends the translated `body` to `out`.
///
/// # Errors
/// A [`Rejection`] where the body is no request of its wire, or promises what the upstream's wire
/// cannot keep. `out` is then as it was before.
pub fn translate(
    body: &[u8],
    tape: &mut Tape,
    context: &RequestContext<'_>,
    out: &mut Vec<u8>,
) -> Result<Translated, Rejection> {
    let limits = context.limits;
    let start = out.len();
    let root = tape
        .read(body, limits.json_depth_max, limits.json_values_max)
        .map_err(|error| malformed(&error.to_string()))?;
    if root.kind() != JsonKind::Object {
        return Err(malformed("expected a JSON object at byte 0"));
    }
    let mut user = String::new();
    let mut request = codec::read_request(context.from, root)?;
    let mut fit = Fit {
        dialect: context.dialect,
        facts: context.facts,
        hints: context.hints,
        notes: Notes::new(context.from),
        answer: answer(context, &request)?,
    };
    match context.to {
        Wire::OpenAiChat => adapt::openai::fit(&mut fit, &mut request, &mut user)?,
        Wire::AnthropicMessages => adapt::anthropic::fit(&mut fit, &mut request)?,
    }
    if context.hints.strict
        && let Some(member) = fit.notes.loss()
    {
        return Err(strict(context.from, member));
    }
    codec::write_request(context.to, &request, context.model, context.dialect, out);
    let translated = Translated {
        notes: fit.notes,
        answer: fit.answer,
        beta: beta(&request),
    };
    if tape.depth().saturating_add(DEEPER_MAX) > limits.json_depth_max as usize {
        let written = out.get(start..).unwrap_or_default();
        if tape
            .read(written, limits.json_depth_max, usize::MAX)
            .is_err()
        {
            out.truncate(start);
            return Err(too_deep(limits.json_depth_max));
        }
    }
    Ok(translated)
}

/// What the answer must know, as far as it is known before the request is fitted.
fn answer(context: &RequestContext<'_>, request: &Request<'_>) -> Result<AnswerContext, Rejection> {
    let mut reasoning = match context.hints.reasoning {
        None if request.reasoning.hidden => ReasoningMembers::NONE,
        None => ReasoningMembers::default(),
        Some(name) => reasoning_members(name)?,
    };
    if context.hints.portkey_strict == Some(false) {
        reasoning.content_blocks = true;
    }
    Ok(AnswerContext {
        model: Some(SmallStr::from(context.model)),
        stream: request.stream,
        needs: ClientNeeds::of(context.from, request, reasoning, context.created),
        seed: context.seed,
        ..AnswerContext::default()
    })
}

/// The carriers that `x-ringway-reasoning` names.
fn reasoning_members(name: &[u8]) -> Result<ReasoningMembers, Rejection> {
    ReasoningMembers::named(name).ok_or_else(|| {
        Rejection::invalid(
            "x-ringway-reasoning",
            "x-ringway-reasoning: expected none, text, details, thinking_blocks or content_blocks",
        )
    })
}

/// Values of the body's `anthropic_beta` as a header's value; what is no header value is left out.
fn beta(request: &Request<'_>) -> Option<String> {
    let values = request.betas.iter().filter_map(|value| value.plain());
    betas::joined(values)
}

#[cold]
fn malformed(text: &str) -> Rejection {
    Rejection::unreadable(text)
}

#[cold]
fn too_deep(depth_max: u32) -> Rejection {
    malformed(&format!(
        "nested deeper than {depth_max} levels in the words of this model's provider (limit \
         json_depth_max): nest schemas and marks less deeply"
    ))
}

#[cold]
fn strict(client: Wire, member: &Member) -> Rejection {
    let name = codec::member_name(client, member);
    let text =
        format!("{name}: cannot be carried to this model as it is, and x-ringway-strict is set");
    Rejection::invalid(name.to_owned(), text)
}

/// Levels that a translation may put around a part of the body: a schema within `function`, the mark
/// of a system text within a message.
const DEEPER_MAX: usize = 2;
