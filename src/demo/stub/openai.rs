//! Scripts on the OpenAI wire: chunks, and whole completions.
//!
//! As the provider does it: one growth a chunk, the role first, finish on its own, usage on its own
//! where asked for, padding in `obfuscation`. Thinking goes out as `reasoning_content`, the member
//! that compatible services use. Characters beyond ASCII leave as `\u` escapes: both spellings
//! occur, and the other wire's stub uses the other.

use core::fmt::Write;

use crate::demo::stub::frame::Frame;
use crate::demo::stub::script::{Block, Counts, Script, Stop};
use crate::json::raw::Raw;
use crate::json::write::{Writer, escape_into};

/// What an answer is labelled with.
#[derive(Clone, Debug)]
pub struct Label {
    /// The model's name.
    pub model: String,
    /// Which request this is; ids are made of it.
    pub number: u64,
    /// Seconds since 1970.
    pub created: u64,
    /// A usage chunk was asked for.
    pub include_usage: bool,
}

/// The stream of an answer, its end included.
#[must_use]
pub fn frames(script: &Script, label: &Label) -> Vec<Frame> {
    let mut frames = Vec::new();
    frames.push(label.frame(false, None, |w| {
        w.name("role")
            .string("assistant")
            .name("content")
            .string("");
        w.name("refusal").null();
    }));
    let refused = script.stop == Stop::Refusal;
    let mut call = 0;
    for block in &script.blocks {
        if let Block::Tool { name, .. } = block {
            frames.push(label.frame(false, None, |w| call_start(label, call, name, w)));
        }
        for piece in block.pieces() {
            frames.push(label.frame(true, None, |w| match block {
                Block::Thinking(_) => ascii(w.name("reasoning_content"), piece),
                Block::Text(_) if refused => ascii(w.name("refusal"), piece),
                Block::Text(_) => ascii(w.name("content"), piece),
                Block::Tool { .. } => call_growth(call, piece, w),
            }));
        }
        call += u64::from(matches!(block, Block::Tool { .. }));
    }
    frames.push(label.frame(false, Some(finish(script.stop)), |_| {}));
    if label.include_usage {
        frames.push(label.usage_frame(&script.counts));
    }
    frames.push(Frame {
        bytes: b"data: [DONE]\n\n".to_vec(),
        is_token: false,
    });
    frames
}

/// The whole answer.
#[must_use]
pub fn whole(script: &Script, label: &Label) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.open_object();
    label.open(&mut w, "chat.completion");
    w.name("choices").open_array().open_object();
    w.name("index").number(0).name("message").open_object();
    w.name("role").string("assistant");
    message(script, label, &mut w);
    w.close_object().name("logprobs").null();
    w.name("finish_reason").string(finish(script.stop));
    w.close_object().close_array().name("usage");
    usage(&script.counts, &mut w);
    w.close_object();
    out
}

impl Label {
    /// One chunk.
    fn frame(
        &self,
        is_token: bool,
        finish: Option<&str>,
        delta: impl FnOnce(&mut Writer<'_>),
    ) -> Frame {
        let mut bytes = b"data: ".to_vec();
        let mut w = Writer::new(&mut bytes);
        w.open_object();
        self.open(&mut w, "chat.completion.chunk");
        w.name("choices").open_array().open_object();
        w.name("index").number(0).name("delta").open_object();
        delta(&mut w);
        w.close_object()
            .name("logprobs")
            .null()
            .name("finish_reason");
        match finish {
            Some(finish) => w.string(finish),
            None => w.null(),
        };
        w.close_object().close_array();
        if self.include_usage {
            w.name("usage").null();
        }
        if is_token {
            w.name("obfuscation").string("wkq3Fz7Lh0");
        }
        w.close_object();
        bytes.extend_from_slice(b"\n\n");
        Frame { bytes, is_token }
    }

    fn usage_frame(&self, counts: &Counts) -> Frame {
        let mut bytes = b"data: ".to_vec();
        let mut w = Writer::new(&mut bytes);
        w.open_object();
        self.open(&mut w, "chat.completion.chunk");
        w.name("choices").open_array().close_array().name("usage");
        usage(counts, &mut w);
        w.close_object();
        bytes.extend_from_slice(b"\n\n");
        Frame {
            bytes,
            is_token: false,
        }
    }

    fn open(&self, w: &mut Writer<'_>, object: &str) {
        w.name("id")
            .string(&format!("chatcmpl-stub{:08}", self.number));
        w.name("object").string(object);
        w.name("created").number(self.created);
        w.name("model").string(&self.model);
        w.name("service_tier").string("default");
        w.name("system_fingerprint").string("fp_stub");
    }

    fn call_id(&self, call: u64) -> String {
        format!("call_stub{:08}n{call}", self.number)
    }
}

fn message(script: &Script, label: &Label, w: &mut Writer<'_>) {
    let joined = |wanted: fn(&Block) -> bool| {
        let blocks = script.blocks.iter().filter(|block| wanted(block));
        let text: String = blocks.flat_map(Block::pieces).map(String::as_str).collect();
        (!text.is_empty()).then_some(text)
    };
    let text = joined(|block| matches!(block, Block::Text(_)));
    let (text, refusal) = match script.stop {
        Stop::Refusal => (None, text),
        Stop::Done | Stop::Length | Stop::Tools => (text, None),
    };
    for (name, text) in [("content", text), ("refusal", refusal)] {
        w.name(name);
        match text {
            Some(text) => ascii(w, &text),
            None => drop(w.null()),
        }
    }
    if let Some(thinking) = joined(|block| matches!(block, Block::Thinking(_))) {
        ascii(w.name("reasoning_content"), &thinking);
    }
    let calls = script.blocks.iter().filter_map(|block| match block {
        Block::Tool { name, pieces } => Some((name, pieces)),
        Block::Thinking(_) | Block::Text(_) => None,
    });
    for (call, (name, pieces)) in (0..).zip(calls) {
        if call == 0 {
            w.name("tool_calls").open_array();
        }
        w.open_object().name("id").string(&label.call_id(call));
        w.name("type").string("function").name("function");
        w.open_object().name("name").string(name).name("arguments");
        ascii(w, &pieces.concat());
        w.close_object().close_object();
    }
    if script
        .blocks
        .iter()
        .any(|block| matches!(block, Block::Tool { .. }))
    {
        w.close_array();
    }
    w.name("annotations").open_array().close_array();
}

fn call_start(label: &Label, call: u64, name: &str, w: &mut Writer<'_>) {
    w.name("tool_calls").open_array().open_object();
    w.name("index")
        .number(call)
        .name("id")
        .string(&label.call_id(call));
    w.name("type").string("function").name("function");
    w.open_object().name("name").string(name);
    w.name("arguments").string("").close_object();
    w.close_object().close_array();
}

fn call_growth(call: u64, piece: &str, w: &mut Writer<'_>) {
    w.name("tool_calls").open_array().open_object();
    w.name("index").number(call).name("function").open_object();
    ascii(w.name("arguments"), piece);
    w.close_object().close_object().close_array();
}

fn usage(counts: &Counts, w: &mut Writer<'_>) {
    w.open_object().name("prompt_tokens").number(counts.input);
    w.name("completion_tokens").number(counts.output);
    w.name("total_tokens").number(counts.input + counts.output);
    w.name("prompt_tokens_details").open_object();
    w.name("cached_tokens").number(counts.cached);
    w.name("audio_tokens").number(0).close_object();
    w.name("completion_tokens_details").open_object();
    w.name("reasoning_tokens").number(counts.thinking);
    w.name("audio_tokens").number(0);
    w.name("accepted_prediction_tokens").number(0);
    w.name("rejected_prediction_tokens").number(0);
    w.close_object().close_object();
}

const fn finish(stop: Stop) -> &'static str {
    match stop {
        Stop::Done => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Refusal => "content_filter",
    }
}

/// A string whose characters beyond ASCII are spelled as escapes.
fn ascii(w: &mut Writer<'_>, text: &str) {
    let mut escaped = Vec::with_capacity(text.len());
    escape_into(text, &mut escaped);
    let escaped = String::from_utf8(escaped).unwrap_or_default();
    let mut spelled = String::with_capacity(escaped.len());
    let mut units = [0; 2];
    for character in escaped.chars() {
        if character.is_ascii() {
            spelled.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            // Writing to a string cannot fail.
            let _ = write!(spelled, "\\u{unit:04x}");
        }
    }
    w.raw(Raw::from_checked(spelled.as_bytes()));
}
