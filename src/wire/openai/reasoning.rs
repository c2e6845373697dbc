//! Where services of the OpenAI wire put reasoning: four carriers, one reading.
//!
//! The first that holds text wins: `reasoning_content`, `reasoning`, the texts and summaries of
//! `reasoning_details`, the `thinking` parts of array content. Signatures and encrypted blocks
//! stand in `reasoning_details` alone. Those of a foreign format come with format and id, because
//! their own service wants them back with both.

use crate::chat::opaque::Opaque;
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::foreign_reasoning;

/// The members of a message or delta that may carry reasoning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Carriers<'t> {
    /// `reasoning_content`
    pub content: Option<Value<'t>>,
    /// `reasoning`
    pub plain: Option<Value<'t>>,
    /// `reasoning_details`
    pub details: Option<Value<'t>>,
}

/// A piece of reasoning.
#[derive(Clone, Copy, Debug)]
pub enum Piece<'t> {
    /// Text.
    Text(Raw<'t>),
    /// The signature of the text before it.
    Signature(Opaque<'t>),
    /// The text before it is that of a `reasoning.summary`; tells its format and id.
    Summary(Opaque<'t>),
    /// An opaque block.
    Encrypted(Opaque<'t>),
}

impl<'t> Carriers<'t> {
    /// Whether no member says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let says =
            |value: Value<'_>| non_empty(value).is_some() || value.elements().next().is_some();
        let all = [self.content, self.plain, self.details];
        !all.into_iter().flatten().any(says)
    }

    /// Hands every piece to `sink`, in order.
    ///
    /// # Errors
    /// The sink's own.
    pub fn each<E>(&self, mut sink: impl FnMut(Piece<'t>) -> Result<(), E>) -> Result<bool, E> {
        let plain = [self.content, self.plain];
        let text = plain.into_iter().flatten().find_map(non_empty);
        if let Some(text) = text {
            sink(Piece::Text(text))?;
        }
        let mut any = text.is_some();
        let details = self.details.into_iter().flat_map(Value::elements);
        for detail in details {
            let string = |name: &str| detail.get_set(name).and_then(non_empty);
            let words = string("text").or_else(|| string("summary"));
            if let (None, Some(words)) = (text, words) {
                any = true;
                sink(Piece::Text(words))?;
            }
            match opaque(detail, "signature") {
                Some(signature) => sink(Piece::Signature(signature))?,
                None if is_summary(detail) => {
                    let named = |name| string(name).unwrap_or(Raw::EMPTY);
                    let seal = foreign_reasoning::summary(named("format"), named("id"));
                    sink(Piece::Summary(seal))?;
                }
                None => {}
            }
            if let Some(data) = opaque(detail, "data") {
                sink(Piece::Encrypted(data))?;
            }
        }
        Ok(any)
    }
}

/// Whether an entry of `reasoning_details` came from an Anthropic model.
fn is_ours(detail: Value<'_>) -> bool {
    detail.get_set("format").is_none_or(|it| it.is_str(FORMAT))
}

/// Whether an entry of `reasoning_details` is a summary that says something.
fn is_summary(detail: Value<'_>) -> bool {
    let has = |name: &str| detail.get_set(name).and_then(non_empty).is_some();
    has("summary") && !has("text")
}

/// A string that is told with its origin, unless an Anthropic model is that.
fn opaque<'t>(detail: Value<'t>, name: &str) -> Option<Opaque<'t>> {
    let string = |name: &str| detail.get_set(name).and_then(non_empty);
    let data = string(name)?;
    match is_ours(detail) {
        true => Some(Opaque::plain(data)),
        false => {
            foreign_reasoning::join(string("format")?, string("id").unwrap_or(Raw::EMPTY), data)
        }
    }
}

/// Whether an entry of `reasoning_details` is of another format and cannot be carried.
#[must_use]
pub fn stays_behind(detail: Value<'_>) -> bool {
    let has = |name: &str| detail.get_set(name).and_then(non_empty).is_some();
    ["signature", "data"]
        .into_iter()
        .any(|name| has(name) && opaque(detail, name).is_none())
}

/// The texts of a `thinking` part of array content: a string, or an array of text parts.
pub fn thinking_part<'t, E>(
    part: Value<'t>,
    mut sink: impl FnMut(Raw<'t>) -> Result<(), E>,
) -> Result<(), E> {
    let Some(thinking) = part.get_set("thinking") else {
        return Ok(());
    };
    if let Some(text) = non_empty(thinking) {
        return sink(text);
    }
    let texts = thinking.elements().filter_map(|inner| match inner.kind() {
        JsonKind::String => non_empty(inner),
        _ => inner.get_set("text").and_then(non_empty),
    });
    for text in texts {
        sink(text)?;
    }
    Ok(())
}

/// A string that holds something.
#[must_use]
pub fn non_empty(value: Value<'_>) -> Option<Raw<'_>> {
    value.as_raw().filter(|raw| !raw.is_empty())
}

/// The `format` of reasoning that came from an Anthropic model.
pub const FORMAT: &str = "anthropic-claude-v1";
