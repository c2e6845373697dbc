//! The members of a chunk, and of its delta, that mean something.

use crate::json::raw::Raw;
use crate::json::tape::Value;
use crate::wire::common::{error_text, gemini_signature};
use crate::wire::openai::answer::sources::Listed;
use crate::wire::openai::reasoning::{self, Carriers};

/// The members of a chunk that mean something.
pub(super) struct Chunk<'t> {
    pub(super) id: Raw<'t>,
    pub(super) model: Raw<'t>,
    pub(super) choices: Option<Value<'t>>,
    pub(super) usage: Option<Value<'t>>,
    pub(super) listed: Listed<'t>,
    pub(super) failed: bool,
}

impl<'t> Chunk<'t> {
    pub(super) fn read(root: Value<'t>) -> Self {
        let mut chunk = Self {
            id: Raw::EMPTY,
            model: Raw::EMPTY,
            choices: None,
            usage: None,
            listed: Listed::default(),
            failed: false,
        };
        let mut groq = None;
        root.each_member(|name, value| match name {
            b"id" => chunk.id = value.as_raw().unwrap_or(Raw::EMPTY),
            b"model" => chunk.model = value.as_raw().unwrap_or(Raw::EMPTY),
            b"choices" => chunk.choices = Some(value),
            // Of members that stand twice the last one counts, as a watcher reads them.
            b"usage" => chunk.usage = Some(value).filter(|value| !value.is_null()),
            b"x_groq" => groq = value.get_set("usage"),
            b"citations" => chunk.listed.citations = Some(value),
            b"search_results" => chunk.listed.results = Some(value),
            b"error" => chunk.failed = error_text::is_truthy(value),
            _ => {}
        });
        chunk.usage = chunk.usage.or(groq);
        chunk
    }
}

/// The members of a delta that mean something.
#[derive(Default)]
pub(super) struct Delta<'t> {
    pub(super) reasoning: Carriers<'t>,
    pub(super) content: Option<Value<'t>>,
    pub(super) refusal: Option<Value<'t>>,
    pub(super) tool_calls: Option<Value<'t>>,
    pub(super) function_call: Option<Value<'t>>,
    pub(super) annotations: Option<Value<'t>>,
    pub(super) images: Option<Value<'t>>,
    pub(super) audio: Option<Value<'t>>,
    /// Gemini's signature of the whole message.
    pub(super) signature: Option<Value<'t>>,
}

impl<'t> Delta<'t> {
    pub(super) fn read(value: Value<'t>) -> Self {
        let mut delta = Self::default();
        value.each_member(|name, value| match name {
            b"content" => delta.content = Some(value),
            b"reasoning_content" => delta.reasoning.content = Some(value),
            b"reasoning" => delta.reasoning.plain = Some(value),
            b"reasoning_details" => delta.reasoning.details = Some(value),
            b"refusal" => delta.refusal = Some(value),
            b"tool_calls" => delta.tool_calls = Some(value),
            b"function_call" => delta.function_call = Some(value),
            b"annotations" => delta.annotations = Some(value),
            b"images" => delta.images = Some(value),
            b"audio" => delta.audio = value.get_set("data"),
            b"thought_signature" => delta.signature = Some(value),
            b"extra_content" => {
                delta.signature = gemini_signature::of_extra(value).or(delta.signature)
            }
            _ => {}
        });
        delta
    }

    /// Whether there is more than reasoning.
    pub(super) fn says_more(&self) -> bool {
        self.tool_calls.is_some() || self.function_call.is_some() || self.is_text()
    }

    /// Whether there is text, or a refusal.
    #[inline]
    pub(super) fn is_text(&self) -> bool {
        let text = [self.content, self.refusal].into_iter().flatten();
        let says = |value: Value<'_>| {
            reasoning::non_empty(value).is_some() || value.elements().next().is_some()
        };
        text.into_iter().any(says)
    }
}

/// Strings of a chunk that vary from one to the next and mean nothing: padding, and the second
/// spelling of a piece of reasoning.
pub(super) fn noise(root: Value<'_>) -> [Option<Raw<'_>>; 2] {
    let padding = root.get("obfuscation").or_else(|| root.get("p"));
    let choice = root.get("choices").and_then(|all| all.elements().next());
    let delta = choice.and_then(|choice| choice.get("delta"));
    let again = delta.and_then(|delta| {
        let plain = delta
            .get("reasoning")
            .or_else(|| delta.get("reasoning_content"));
        plain.and_then(reasoning::non_empty)?;
        let detail = delta.get("reasoning_details")?.elements().next()?;
        detail.get("text").or_else(|| detail.get("summary"))
    });
    [padding, again].map(|value| value.and_then(Value::as_raw))
}
