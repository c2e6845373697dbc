//! Whole answers of the Anthropic wire.

use std::collections::BTreeSet;

use crate::chat::event::{Citation, Ending};
use crate::chat::opaque::Opaque;
use crate::chat::response::{Answer, Arguments, Block, Lost, TooLong, Written};
use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};
use crate::json::write::{Writer, escape_into};
use crate::wire::anthropic::answer::cited_text::{CharIndex, CitedRoom};
use crate::wire::anthropic::stream::decode::read_citation;
use crate::wire::anthropic::stream::encode::{message_id, write_citation, write_ending};
use crate::wire::anthropic::{stop, usage};
use crate::wire::common::ids::{fingerprint, push_id, spell_reversibly};
use crate::wire::common::{arguments, foreign_reasoning, gemini_signature};

/// Reads an answer; nothing if the document is none.
#[must_use]
pub fn read(root: Value<'_>) -> Option<Answer<'_>> {
    let members = Members::of(root);
    let content = members.content.filter(|_| members.is_answer())?;
    let mut usage = Usage::default();
    if let Some(counts) = members.usage {
        usage::merge(counts, &mut usage);
    }
    if content.elements().any(is_nameless) {
        return None;
    }
    let explanation = members
        .stop_details
        .and_then(|details| details.get_set("explanation")?.as_raw());
    Some(Answer {
        id: members.id.and_then(Value::as_raw).unwrap_or(Raw::EMPTY),
        model: members.model.and_then(Value::as_raw).unwrap_or(Raw::EMPTY),
        blocks: content.elements().map(read_block).collect(),
        ending: Ending {
            stop: members
                .stop_reason
                .and_then(Value::as_raw)
                .map_or(StopReason::Other, stop::read),
            sequence: members.stop_sequence.and_then(Value::as_raw),
            explanation,
            usage,
        },
        service_tier: members
            .usage
            .and_then(|counts| counts.get_set("service_tier")?.as_raw()),
        lost: lost(content),
    })
}

/// The members of an answer that are read, `null` left out.
#[derive(Default)]
struct Members<'t> {
    id: Option<Value<'t>>,
    kind: Option<Value<'t>>,
    model: Option<Value<'t>>,
    content: Option<Value<'t>>,
    stop_reason: Option<Value<'t>>,
    stop_sequence: Option<Value<'t>>,
    stop_details: Option<Value<'t>>,
    usage: Option<Value<'t>>,
}

impl<'t> Members<'t> {
    /// One walk over the document's members.
    fn of(root: Value<'t>) -> Self {
        let mut members = Self::default();
        root.each_member(|name, value| {
            let place = match name {
                b"id" => &mut members.id,
                b"type" => &mut members.kind,
                b"model" => &mut members.model,
                b"content" => &mut members.content,
                b"stop_reason" => &mut members.stop_reason,
                b"stop_sequence" => &mut members.stop_sequence,
                b"stop_details" => &mut members.stop_details,
                b"usage" => &mut members.usage,
                _ => return,
            };
            *place = (!value.is_null()).then_some(value);
        });
        members
    }

    fn is_answer(&self) -> bool {
        let content = self.content.map(Value::kind);
        content == Some(JsonKind::Array) && self.kind.is_none_or(|kind| kind.is_str("message"))
    }
}

/// Whether a document is an answer: a message with content.
#[must_use]
pub fn is_answer(root: Value<'_>) -> bool {
    Members::of(root).is_answer()
}

/// Appends an answer of at most `bytes_max` bytes. `seed` makes the ids that the upstream left out.
///
/// # Errors
/// [`TooLong`]: `out` holds the start of it.
pub fn write(
    answer: &Answer<'_>,
    seed: u64,
    bytes_max: usize,
    out: &mut Vec<u8>,
) -> Result<Written, TooLong> {
    let end = out.len().saturating_add(bytes_max);
    let mut id = Vec::new();
    message_id(answer.id, seed, &mut id);
    let mut w = Writer::new(out);
    w.open_object();
    w.name("id").raw(Raw::from_checked(&id));
    w.name("type")
        .string("message")
        .name("role")
        .string("assistant");
    w.name("model").raw(answer.model);
    w.name("content").open_array();
    let mut content = Content::new(seed, end);
    for block in &answer.blocks {
        content.block(block, &mut w);
        if !w.fits(end) {
            return Err(TooLong);
        }
    }
    w.close_array();
    write_ending(&answer.ending, &mut w);
    let mut counts = answer.ending.usage;
    counts.input = Some(counts.input.unwrap_or(0));
    w.name("usage");
    usage::write(&counts, &mut w);
    w.close_object();
    if !w.fits(end) {
        return Err(TooLong);
    }
    Ok(content.written)
}

fn read_block(block: Value<'_>) -> Block<'_> {
    let string = |name: &str| {
        block
            .get_set(name)
            .and_then(Value::as_raw)
            .unwrap_or(Raw::EMPTY)
    };
    let source = Some(block.source());
    match block
        .get("type")
        .and_then(Value::as_raw)
        .and_then(Raw::plain)
    {
        Some("text") => Block::Text {
            text: string("text"),
            citations: read_citations(block),
            source,
        },
        Some("thinking") => Block::Thinking {
            text: vec![string("thinking")],
            signature: Opaque::plain(string("signature")),
            source,
        },
        Some("redacted_thinking") => Block::Redacted {
            data: Opaque::plain(string("data")),
            source,
        },
        Some("tool_use") => Block::Tool {
            id: string("id"),
            name: string("name"),
            arguments: Arguments::Json(block.get_set("input").map_or(b"{}", Value::source)),
            signature: None,
        },
        _ => Block::Foreign(block.source()),
    }
}

/// Whether a block is a call of nobody knows what.
fn is_nameless(block: Value<'_>) -> bool {
    let name = || block.get_set("name").and_then(Value::as_raw);
    block
        .get("type")
        .is_some_and(|kind| kind.is_str("tool_use"))
        && name().is_none_or(Raw::is_empty)
}

/// Whether a block of text rests on something that is no page on the web.
fn cites_documents(block: Value<'_>) -> bool {
    let is_text = block.get("type").is_some_and(|kind| kind.is_str("text"));
    let list = block.get_set("citations").filter(|_| is_text).into_iter();
    let mut all = list.flat_map(Value::elements);
    all.any(|citation| read_citation(citation).is_none())
}

/// What an answer says that no other wire can.
fn lost(content: Value<'_>) -> Lost {
    let mut lost = Lost::default();
    if content.elements().any(cites_documents) {
        lost.add("citations");
    }
    lost
}

fn read_citations(block: Value<'_>) -> Vec<Citation<'_>> {
    let list = block.get_set("citations").into_iter();
    list.flat_map(Value::elements)
        .filter_map(read_citation)
        .collect()
}

/// The blocks of one answer, as far as they depend on those before them.
struct Content {
    /// Makes the ids that the upstream left out.
    seed: u64,
    /// Where the output must end.
    end: usize,
    /// Fingerprints of the call ids written so far.
    calls: BTreeSet<u64>,
    room: CitedRoom,
    written: Written,
}

impl Content {
    fn new(seed: u64, end: usize) -> Self {
        Self {
            seed,
            end,
            calls: BTreeSet::new(),
            room: CitedRoom::default(),
            written: Written::default(),
        }
    }

    fn block(&mut self, block: &Block<'_>, w: &mut Writer<'_>) {
        match block {
            Block::Text {
                text, citations, ..
            } => self.text(*text, citations, w),
            Block::Refusal(text) => self.text(*text, &[], w),
            Block::Thinking {
                text, signature, ..
            } => {
                w.open_object().name("type").string("thinking");
                w.name("thinking").raw_parts(text);
                w.name("signature")
                    .raw_parts(&foreign_reasoning::spelt(signature));
                w.close_object();
            }
            Block::Redacted { data, .. } => {
                w.open_object().name("type").string("redacted_thinking");
                w.name("data")
                    .raw_parts(&foreign_reasoning::spelt(data))
                    .close_object();
            }
            Block::Tool {
                id,
                name,
                arguments,
                signature,
            } => {
                let id = self.call_id(*id, *signature);
                w.open_object().name("type").string("tool_use");
                w.name("id")
                    .raw(Raw::from_checked(&id))
                    .name("name")
                    .raw(*name);
                w.name("input");
                self.input(arguments, w);
                w.close_object();
            }
            Block::Foreign(source) => {
                w.value(source);
            }
        }
    }

    fn call_id(&mut self, id: Raw<'_>, signature: Option<Raw<'_>>) -> Vec<u8> {
        let mut own = spell_reversibly(id).into_owned();
        signature.map(|signature| gemini_signature::join(&mut own, signature));
        if own.is_empty() || self.calls.contains(&fingerprint(&own)) {
            own.clear();
            own.extend_from_slice(b"call_");
            push_id(self.seed, self.calls.len() as u64, &mut own);
        }
        self.calls.insert(fingerprint(&own));
        own
    }

    fn text(&mut self, text: Raw<'_>, citations: &[Citation<'_>], w: &mut Writer<'_>) {
        if text.is_empty() {
            return;
        }
        w.open_object()
            .name("type")
            .string("text")
            .name("text")
            .raw(text);
        if !citations.is_empty() {
            let index = CharIndex::new(text.decode());
            let mut words = Vec::new();
            w.name("citations").open_array();
            for citation in citations {
                words.clear();
                if let (None, Some((start, end))) = (citation.cited, citation.range) {
                    escape_into(self.room.take(index.range(start, end)), &mut words);
                }
                let cited = citation.cited.unwrap_or_else(|| Raw::from_checked(&words));
                write_citation(citation, cited, w);
                if !w.fits(self.end) {
                    // The caller finds the same, and gives up.
                    return;
                }
            }
            w.close_array();
        }
        w.close_object();
    }

    /// The input of a call: an object as it stands. Anything else would be refused when it comes
    /// back, so it is wrapped.
    fn input(&mut self, arguments: &Arguments<'_>, w: &mut Writer<'_>) {
        match *arguments {
            Arguments::Json(source) => w.value(source),
            Arguments::Text(text) => {
                let (object, is_object) = arguments::to_object(text);
                self.written.has_raw_arguments |= !is_object;
                w.value(&object)
            }
            Arguments::Input(text) => w.value(&arguments::wrap("input", text)),
        };
    }
}
