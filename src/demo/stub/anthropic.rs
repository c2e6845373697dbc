//! Scripts on the Anthropic wire: events, and whole messages.
//!
//! As the provider does it: one open block at a time, a ping behind the first block's start, an
//! empty fragment before a tool's input, no fragment at all for a tool without arguments, the
//! signature at the end of thinking, padding blanks before the last brace.

use crate::demo::stub::frame::Frame;
use crate::demo::stub::openai::Label;
use crate::demo::stub::script::{Block, Counts, SIGNATURE, Script, Stop};
use crate::json::write::Writer;

/// The stream of an answer, its end included.
#[must_use]
pub fn frames(script: &Script, label: &Label) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut events = Events {
        frames: &mut frames,
    };
    events.add("message_start", false, |w| {
        w.name("message").open_object();
        open(label, w);
        w.name("content").open_array().close_array();
        stop(None, w);
        w.name("usage");
        let begun = Counts {
            output: 1,
            thinking: 0,
            ..script.counts
        };
        usage(&begun, w);
        w.close_object();
    });
    for (index, block) in (0..).zip(&script.blocks) {
        events.block(label, index, block);
    }
    events.add("message_delta", false, |w| {
        w.name("delta").open_object();
        stop(Some(script.stop), w);
        w.close_object().name("usage");
        usage(&script.counts, w);
    });
    events.add("message_stop", false, |_| {});
    frames
}

/// The whole answer.
#[must_use]
pub fn whole(script: &Script, label: &Label) -> Vec<u8> {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.open_object();
    open(label, &mut w);
    w.name("content").open_array();
    for (index, block) in (0..).zip(&script.blocks) {
        let text = block.pieces().concat();
        w.open_object();
        match block {
            Block::Thinking(_) => {
                w.name("type").string("thinking");
                w.name("thinking").string(&text);
                w.name("signature").string(SIGNATURE);
            }
            Block::Text(_) => {
                w.name("type").string("text").name("text").string(&text);
                w.name("citations").null();
            }
            Block::Tool { name, .. } => {
                let id = tool_id(label, index);
                w.name("type").string("tool_use").name("id").string(&id);
                w.name("name").string(name);
                let is_cut = script.stop == Stop::Length;
                let input = if is_cut { "{}" } else { &text };
                w.name("input").value(input.as_bytes());
            }
        }
        w.close_object();
    }
    w.close_array();
    stop(Some(script.stop), &mut w);
    w.name("usage");
    usage(&script.counts, &mut w);
    w.close_object();
    out
}

/// An error within a stream.
#[must_use]
pub fn error_frame(body: &[u8]) -> Frame {
    let mut bytes = b"event: error\ndata: ".to_vec();
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\n\n");
    Frame {
        bytes,
        is_token: false,
    }
}

struct Events<'f> {
    frames: &'f mut Vec<Frame>,
}

impl Events<'_> {
    fn add(&mut self, name: &str, is_token: bool, members: impl FnOnce(&mut Writer<'_>)) {
        let mut bytes = format!("event: {name}\ndata: ").into_bytes();
        let mut w = Writer::new(&mut bytes);
        w.open_object().name("type").string(name);
        members(&mut w);
        let padding = self.frames.len() % PADDING_PERIOD;
        bytes.extend(core::iter::repeat_n(b' ', padding));
        bytes.extend_from_slice(b"}\n\n");
        self.frames.push(Frame { bytes, is_token });
    }

    fn block(&mut self, label: &Label, index: u64, block: &Block) {
        self.add("content_block_start", false, |w| {
            w.name("index")
                .number(index)
                .name("content_block")
                .open_object();
            match block {
                Block::Thinking(_) => {
                    w.name("type").string("thinking");
                    w.name("thinking").string("").name("signature").string("");
                }
                Block::Text(_) => {
                    w.name("type").string("text").name("text").string("");
                }
                Block::Tool { name, .. } => {
                    let id = tool_id(label, index);
                    w.name("type").string("tool_use").name("id").string(&id);
                    w.name("name").string(name);
                    w.name("input").open_object().close_object();
                }
            }
            w.close_object();
        });
        if index == 0 {
            self.add("ping", false, |_| {});
        }
        self.pieces(index, block);
        if matches!(block, Block::Thinking(_)) {
            self.delta(index, false, ("signature_delta", "signature"), SIGNATURE);
        }
        self.add("content_block_stop", false, |w| {
            w.name("index").number(index);
        });
    }

    fn pieces(&mut self, index: u64, block: &Block) {
        let names = match block {
            Block::Thinking(_) => ("thinking_delta", "thinking"),
            Block::Text(_) => ("text_delta", "text"),
            Block::Tool { .. } => ("input_json_delta", "partial_json"),
        };
        if let Block::Tool { pieces, .. } = block {
            self.delta(index, false, names, "");
            if pieces.concat() == "{}" {
                return;
            }
        }
        for piece in block.pieces() {
            self.delta(index, true, names, piece);
        }
    }

    fn delta(&mut self, index: u64, is_token: bool, names: (&str, &str), piece: &str) {
        self.add("content_block_delta", is_token, |w| {
            w.name("index").number(index).name("delta").open_object();
            w.name("type").string(names.0).name(names.1).string(piece);
            w.close_object();
        });
    }
}

fn open(label: &Label, w: &mut Writer<'_>) {
    w.name("id").string(&format!("msg_stub{:08}", label.number));
    w.name("type")
        .string("message")
        .name("role")
        .string("assistant");
    w.name("model").string(&label.model);
}

fn stop(stop: Option<Stop>, w: &mut Writer<'_>) {
    let reason = stop.map(|stop| match stop {
        Stop::Done => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Tools => "tool_use",
        Stop::Refusal => "refusal",
    });
    w.name("stop_reason");
    match reason {
        Some(reason) => w.string(reason),
        None => w.null(),
    };
    w.name("stop_sequence").null().name("stop_details");
    if stop == Some(Stop::Refusal) {
        w.open_object().name("type").string("refusal");
        w.name("category").null().name("explanation").null();
        w.close_object();
    } else {
        w.null();
    }
}

fn usage(counts: &Counts, w: &mut Writer<'_>) {
    w.open_object();
    w.name("input_tokens")
        .number(counts.input.saturating_sub(counts.cached));
    w.name("cache_creation_input_tokens").number(0);
    w.name("cache_read_input_tokens").number(counts.cached);
    w.name("cache_creation").open_object();
    w.name("ephemeral_5m_input_tokens").number(0);
    w.name("ephemeral_1h_input_tokens").number(0).close_object();
    w.name("output_tokens").number(counts.output);
    w.name("output_tokens_details").open_object();
    w.name("thinking_tokens")
        .number(counts.thinking)
        .close_object();
    w.name("service_tier").string("standard").close_object();
}

fn tool_id(label: &Label, index: u64) -> String {
    format!("toolu_stub{:08}n{index}", label.number)
}

/// Events have 0 to 4 padding blanks in turn.
const PADDING_PERIOD: usize = 5;
