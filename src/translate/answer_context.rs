//! What the translation of an answer must know of its request.

use std::collections::BTreeMap;

use crate::chat::small_str::SmallStr;
use crate::json::write::escape_into;
use crate::wire::codec::ClientNeeds;

/// How a structured answer was asked for, where the target wire had to be asked in another way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonAnswer {
    /// Asked for in the target wire's own way, or not at all.
    #[default]
    Native,
    /// Asked for by a tool called `json_response`: its input is the answer's text.
    Tool,
}

/// Carried from the translated request to its answer; plain owned data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerContext {
    /// The model that the provider was asked for: whose answer it is where that names none.
    pub model: Option<SmallStr>,
    /// The client asked for a stream.
    pub stream: bool,
    /// What the client needs by its wire.
    pub needs: ClientNeeds,
    /// The answer's text comes as the input of a tool.
    pub json_answer: JsonAnswer,
    /// The schema's root was wrapped in `{"value": ...}`: the answer is unwrapped (whole only).
    pub json_wrapped: bool,
    /// Tools whose names had to change: by the name sent upstream, the client's as escaped JSON body.
    pub tool_names: BTreeMap<String, Vec<u8>>,
    /// Fingerprints, in order, of the names sent upstream that no other of them begins with: an
    /// answer that says one has said all of it.
    pub whole_names: Vec<u64>,
    /// Random per exchange, for ids that the provider left out.
    pub seed: u64,
}

/// The model that was asked for, escaped.
#[must_use]
pub fn escaped(model: Option<&SmallStr>) -> Vec<u8> {
    let mut escaped = Vec::new();
    escape_into(model.map_or("", |model| model), &mut escaped);
    escaped
}
