//! Whole answers of the OpenAI wire.

use std::collections::BTreeSet;

use crate::chat::event::{Citation, Ending};
use crate::chat::opaque::Opaque;
use crate::chat::response::{Answer, Arguments, Block, Lost, TooLong, Written};
use crate::chat::usage::StopReason;
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Tape, Value};
use crate::json::write::{Writer, escape_into};
use crate::wire::common::ids::{fingerprint, push_id};
use crate::wire::common::{arguments, error_text, foreign_reasoning, gemini_signature};
use crate::wire::openai::answer::annotations::{Annotations, is_stray, read_annotation};
use crate::wire::openai::answer::called_tool::CalledTool;
use crate::wire::openai::answer::failure;
use crate::wire::openai::answer::reasoning_members::{fits, write_reasoning};
use crate::wire::openai::answer::sources::{Listed, Sources};
use crate::wire::openai::reasoning::{self, Carriers, Piece};
use crate::wire::openai::settings::Needs;
use crate::wire::openai::stream::arguments::says_something;
use crate::wire::openai::stream::chunk::completion_id;
use crate::wire::openai::{custom, finish, tier, usage};

/// Reads the answer of choice 0; nothing if the document is no answer. A choice without a message
/// is one where a filter took it: Azure leaves nothing else of it.
#[must_use]
pub fn read(root: Value<'_>) -> Option<Answer<'_>> {
    let choice = first_choice(root.get_set("choices")?)?;
    let message = choice.get_set("message");
    let is_message = message.is_none_or(|message| message.kind() == JsonKind::Object);
    if !is_message || failure::of_answer(root).is_some() {
        return None;
    }
    let reason = choice
        .get_set("finish_reason")
        .and_then(reasoning::non_empty)
        .and_then(finish::read);
    if message.is_none() && reason != Some(StopReason::Refusal) {
        return None;
    }
    let string = |name: &str| root.get_set(name)?.as_raw();
    let mut reader = Reader::default();
    let mut lost = Lost::default();
    if let Some(message) = message {
        reader.message(message);
        strays(message, &mut lost);
    }
    reader.sources(root, &mut lost);
    if reader.nameless {
        return None;
    }
    let counts = root.get_set("usage").and_then(usage::read);
    let stop = finish::settle(reason, reader.calls, reader.refused);
    Some(Answer {
        id: string("id").unwrap_or(Raw::EMPTY),
        model: string("model").unwrap_or(Raw::EMPTY),
        blocks: reader.blocks,
        ending: Ending {
            stop,
            sequence: None,
            explanation: None,
            usage: counts.unwrap_or_default(),
        },
        service_tier: string("service_tier"),
        lost,
    })
}

/// Whether a document is an answer: it has a choice.
#[must_use]
pub fn is_answer(root: Value<'_>) -> bool {
    root.get_set("choices")
        .is_some_and(|choices| choices.elements().next().is_some())
}

/// Appends an answer.
///
/// # Errors
/// [`TooLong`]: it is longer, and `out` holds the start of it.
pub fn write(
    answer: &Answer<'_>,
    needs: &Needs,
    (seed, bytes_max): (u64, usize),
    out: &mut Vec<u8>,
) -> Result<Written, TooLong> {
    let end = out.len().saturating_add(bytes_max);
    let mut id = Vec::new();
    completion_id(answer.id, seed, &mut id);
    let mut w = Writer::new(out);
    w.open_object();
    w.name("id").raw(Raw::from_checked(&id));
    w.name("object").string("chat.completion");
    w.name("created").number(needs.created);
    w.name("model").raw(answer.model);
    w.name("choices").open_array().open_object();
    w.name("index").number(0).name("message").open_object();
    w.name("role").string("assistant");
    write_content(answer, &mut w);
    write_reasoning(answer, needs.reasoning, end, &mut w)?;
    let calls = write_calls(answer, (needs, seed), end, &mut w)?;
    w.close_object().name("logprobs").null();
    let reason = finish::name(answer.ending.stop, calls, needs.legacy_function);
    w.name("finish_reason").string(reason);
    if let Some(sequence) = answer.ending.sequence {
        w.name("stop_sequence").raw(sequence);
    }
    w.close_object().close_array();
    if answer.ending.usage.is_known() {
        w.name("usage");
        usage::write(&answer.ending.usage, &mut w);
    }
    if let Some(tier) = answer.service_tier.and_then(tier::read) {
        w.name("service_tier").string(tier);
    }
    w.close_object();
    fits(&w, end)?;
    Ok(Written::default())
}

/// The choice with the index 0, wherever it stands; the first where none has an index of its own.
fn first_choice(choices: Value<'_>) -> Option<Value<'_>> {
    let is_first = |choice: &Value<'_>| {
        let index = choice.get("index").and_then(Value::as_u64);
        index.unwrap_or(0) == 0
    };
    let found = choices.elements().find(is_first);
    found.or_else(|| choices.elements().next())
}

#[derive(Default)]
struct Reader<'t> {
    blocks: Vec<Block<'t>>,
    calls: bool,
    refused: bool,
    /// A call came with arguments and without a name: the answer is not all.
    nameless: bool,
}

impl<'t> Reader<'t> {
    fn message(&mut self, message: Value<'t>) {
        if let Some(signature) = gemini_signature::of_message(message) {
            self.blocks.push(Block::Thinking {
                text: Vec::new(),
                signature: foreign_reasoning::message(signature),
                source: None,
            });
        }
        let carriers = Carriers {
            content: message.get("reasoning_content"),
            plain: message.get("reasoning"),
            details: message.get("reasoning_details"),
        };
        let reasoned = carriers.each(|piece| {
            self.piece(piece);
            Ok::<(), core::convert::Infallible>(())
        });
        let reasoned = reasoned.unwrap_or_default();
        if let Some(content) = message.get_set("content") {
            self.content(content, reasoned);
        }
        if let Some(text) = message.get_set("refusal").and_then(reasoning::non_empty) {
            self.refused = true;
            self.blocks.push(Block::Refusal(text));
        }
        self.citations(message);
        for call in message
            .get_set("tool_calls")
            .into_iter()
            .flat_map(Value::elements)
        {
            if let Some(said) = CalledTool::of(call) {
                let id = call.get_set("id").and_then(Value::as_raw);
                let signature = gemini_signature::of_call(call);
                self.call(id.unwrap_or(Raw::EMPTY), said, signature);
            }
        }
        if let Some(function) = message.get_set("function_call") {
            self.call(Raw::EMPTY, CalledTool::function(function), None);
        }
    }

    fn piece(&mut self, piece: Piece<'t>) {
        match (piece, self.blocks.last_mut()) {
            (
                Piece::Text(piece),
                Some(Block::Thinking {
                    text, signature, ..
                }),
            ) if signature.is_empty() => {
                text.push(piece);
            }
            (Piece::Text(text), _) => self.thinking(vec![text]),
            (Piece::Signature(own), _) => self.signature(own),
            (Piece::Summary(mark), Some(Block::Thinking { signature, .. }))
                if signature.is_empty() =>
            {
                *signature = mark;
            }
            // Several summaries whose text another member told as one.
            (Piece::Summary(_), _) => {}
            (Piece::Encrypted(data), _) => self.blocks.push(Block::Redacted { data, source: None }),
        }
    }

    /// The signature of the thinking before it, or of one that is not shown.
    fn signature(&mut self, own: Opaque<'t>) {
        let open = self.blocks.last_mut().and_then(|block| match block {
            Block::Thinking { signature, .. } if signature.data.is_empty() => Some(signature),
            _ => None,
        });
        match open {
            Some(signature) => *signature = own,
            None => self.blocks.push(Block::Thinking {
                text: Vec::new(),
                signature: own,
                source: None,
            }),
        }
    }

    fn thinking(&mut self, text: Vec<Raw<'t>>) {
        self.blocks.push(Block::Thinking {
            text,
            signature: Opaque::plain(Raw::EMPTY),
            source: None,
        });
    }

    fn content(&mut self, content: Value<'t>, reasoned: bool) {
        if let Some(text) = reasoning::non_empty(content) {
            return self.text(text);
        }
        for part in content.elements() {
            if part.get("type").is_some_and(|kind| kind.is_str("thinking")) {
                if reasoned {
                    continue;
                }
                let mut texts = Vec::new();
                let read = reasoning::thinking_part(part, |text| {
                    texts.push(text);
                    Ok::<(), core::convert::Infallible>(())
                });
                debug_assert!(read.is_ok());
                self.thinking(texts);
            } else if let Some(text) = part.get("text").and_then(reasoning::non_empty) {
                self.text(text);
            }
        }
    }

    fn text(&mut self, text: Raw<'t>) {
        self.blocks.push(Block::Text {
            text,
            citations: Vec::new(),
            source: None,
        });
    }

    /// Ranges count from the start of the content: the first text has them.
    fn citations(&mut self, message: Value<'t>) {
        let list = message
            .get_set("annotations")
            .into_iter()
            .flat_map(Value::elements);
        let found: Vec<Citation<'t>> = list.filter_map(read_annotation).collect();
        let first = self.blocks.iter_mut().find_map(|block| match block {
            Block::Text { citations, .. } => Some(citations),
            Block::Refusal(_)
            | Block::Thinking { .. }
            | Block::Redacted { .. }
            | Block::Tool { .. }
            | Block::Foreign(_) => None,
        });
        if let Some(citations) = first {
            *citations = found;
        }
    }

    /// Sources that stand beside the message, each with the text that refers to it.
    fn sources(&mut self, root: Value<'t>, lost: &mut Lost) {
        let listed = Listed {
            citations: root.get_set("citations"),
            results: root.get_set("search_results"),
        };
        if listed.is_empty() {
            return;
        }
        let mut sources = Sources::default();
        sources.list(listed);
        for block in &mut self.blocks {
            if let Block::Text {
                text, citations, ..
            } = block
            {
                sources.text(*text);
                let told = sources.tell(listed, |citation| {
                    citations.push(citation);
                    Ok::<(), core::convert::Infallible>(())
                });
                debug_assert!(told.is_ok());
            }
        }
        sources.lost(lost);
    }

    /// A call without a name is none, if it is empty: some services send one with every answer.
    fn call(&mut self, id: Raw<'t>, said: CalledTool<'t>, signature: Option<Raw<'t>>) {
        let given = said.arguments();
        let text = given.and_then(Value::as_raw);
        let Some(name) = said.name() else {
            self.nameless |= text.is_some_and(says_something);
            return;
        };
        let object = given.filter(|it| it.kind() == JsonKind::Object);
        let arguments = match object {
            _ if said.is_custom => Arguments::Input(text.unwrap_or(Raw::EMPTY)),
            Some(object) => Arguments::Json(object.source()),
            None => Arguments::Text(text.unwrap_or(Raw::EMPTY)),
        };
        self.calls = true;
        self.blocks.push(Block::Tool {
            id,
            name,
            arguments,
            signature,
        });
    }
}

fn write_content(answer: &Answer<'_>, w: &mut Writer<'_>) {
    let mut texts = Vec::new();
    let mut refusals = Vec::new();
    let mut annotations = Annotations::new(usize::MAX);
    // Where nothing is cited, nobody asks how many characters there are.
    let cites = answer.blocks.iter().any(cites_pages);
    for block in &answer.blocks {
        match block {
            Block::Text {
                text, citations, ..
            } => {
                if cites {
                    annotations.advance(*text);
                }
                for citation in citations {
                    let added = annotations.add(citation);
                    debug_assert!(added.is_ok());
                }
                annotations.close_block();
                texts.push(*text);
            }
            Block::Refusal(text) => refusals.push(*text),
            Block::Thinking { .. } | Block::Redacted { .. } => {}
            Block::Tool { .. } | Block::Foreign(_) => {}
        }
    }
    w.name("content");
    if texts.is_empty() {
        w.null();
    } else {
        w.raw_parts(&texts);
    }
    w.name("refusal");
    match answer.ending.stop {
        _ if !refusals.is_empty() => w.raw_parts(&refusals),
        StopReason::Refusal => w.raw(answer.ending.explanation.unwrap_or(Raw::EMPTY)),
        _ => w.null(),
    };
    if !annotations.is_empty() {
        w.name("annotations").value(&annotations.array());
    }
}

const fn cites_pages(block: &Block<'_>) -> bool {
    matches!(block, Block::Text { citations, .. } if !citations.is_empty())
}

/// Writes the tool calls; tells whether there were any.
fn write_calls(
    answer: &Answer<'_>,
    (needs, seed): (&Needs, u64),
    end: usize,
    w: &mut Writer<'_>,
) -> Result<bool, TooLong> {
    let calls = answer.blocks.iter().filter_map(|block| match block {
        Block::Tool {
            id,
            name,
            arguments,
            ..
        } => Some((*id, *name, arguments)),
        Block::Text { .. }
        | Block::Refusal(_)
        | Block::Thinking { .. }
        | Block::Redacted { .. }
        | Block::Foreign(_) => None,
    });
    let mut calls = calls.peekable();
    let Some((_, name, arguments)) = calls.peek() else {
        return Ok(false);
    };
    if needs.legacy_function {
        let json = escaped(arguments);
        w.name("function_call").open_object();
        w.name("name").raw(*name);
        w.name("arguments")
            .raw(Raw::from_checked(&json))
            .close_object();
        fits(w, end)?;
        return Ok(true);
    }
    w.name("tool_calls").open_array();
    let mut seen = BTreeSet::new();
    for (id, name, arguments) in calls {
        let mut own = id.bytes().to_vec();
        if own.is_empty() || seen.contains(&fingerprint(&own)) {
            own.clear();
            own.extend_from_slice(b"call_");
            push_id(seed, seen.len() as u64, &mut own);
        }
        seen.insert(fingerprint(&own));
        w.open_object().name("id").raw(Raw::from_checked(&own));
        write_call(name, &escaped(arguments), needs, w);
        w.close_object();
        fits(w, end)?;
    }
    w.close_array();
    Ok(true)
}

fn write_call(name: Raw<'_>, json: &[u8], needs: &Needs, w: &mut Writer<'_>) {
    let json = Raw::from_checked(json);
    if needs.is_custom(name) {
        custom::with_input(json, &mut Tape::new(), |input| {
            w.name("type").string("custom").name("custom").open_object();
            w.name("name")
                .raw(name)
                .name("input")
                .raw(input)
                .close_object();
        });
        return;
    }
    w.name("type")
        .string("function")
        .name("function")
        .open_object();
    w.name("name")
        .raw(name)
        .name("arguments")
        .raw(json)
        .close_object();
}

/// Arguments as the body of a JSON string.
fn escaped(given: &Arguments<'_>) -> Vec<u8> {
    match *given {
        Arguments::Text(text) => text.bytes().to_vec(),
        Arguments::Json(source) => {
            let mut body = Vec::with_capacity(source.len() + source.len() / 4);
            escape_into(core::str::from_utf8(source).unwrap_or_default(), &mut body);
            body
        }
        Arguments::Input(text) => {
            let object = arguments::wrap("input", text).into_owned();
            let mut body = Vec::with_capacity(object.len() + object.len() / 4);
            escape_into(core::str::from_utf8(&object).unwrap_or_default(), &mut body);
            body
        }
    }
}

/// Adds what a message says that no other wire can. Some services send an audio of nothing.
fn strays(message: Value<'_>, lost: &mut Lost) {
    let audio = message
        .get_set("audio")
        .and_then(|audio| audio.get_set("data"));
    let parts = message.get_set("content").into_iter();
    let picture = parts.flat_map(Value::elements).find(|part| {
        let kind = part.get("type");
        kind.is_some_and(|kind| kind.is_str("image_url"))
    });
    let said = [
        ("images", message.get("images").or(picture)),
        ("audio", audio),
        ("citations", message.get("citations")),
    ];
    let says = |(name, value): (&'static str, Option<Value<'_>>)| {
        value.is_some_and(error_text::is_truthy).then_some(name)
    };
    let mut details = message
        .get_set("reasoning_details")
        .into_iter()
        .flat_map(Value::elements);
    let behind = details
        .any(reasoning::stays_behind)
        .then_some("reasoning_details");
    let mut annotations = message
        .get_set("annotations")
        .into_iter()
        .flat_map(Value::elements);
    let cited = annotations.any(is_stray).then_some("annotations");
    let names = said.into_iter().filter_map(says).chain(behind).chain(cited);
    names.for_each(|name| lost.add(name));
}
