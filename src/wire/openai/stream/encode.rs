//! Neutral events to chunks of the OpenAI wire.
//!
//! Every chunk carries the same id, time and model. What clients' accumulators demand holds: the
//! role once; calls numbered from 0 without gaps, other blocks aside; all annotations in one delta
//! at the end.
//!
//! Invariant: what is held back (thinking for `thinking_blocks`, the input of custom tools,
//! annotations) is at most `held_bytes_max` bytes each.

use crate::chat::event::{Ending, Event, StreamFault};
use crate::chat::usage::StopReason;
use crate::json::raw::Raw;
use crate::limits::ANSWER_NAME_BYTES_MAX;
use crate::wire::openai::answer::annotations::Annotations;
use crate::wire::openai::settings::Needs;
use crate::wire::openai::stream::calls::Calls;
use crate::wire::openai::stream::chunk::{Chunk, completion_id};
use crate::wire::openai::stream::thinking::{Thinking, write_content_block};
use crate::wire::openai::{finish, tier, usage};

/// Writes one stream.
#[derive(Debug)]
pub struct Encoder {
    needs: Needs,
    seed: u64,
    held_bytes_max: usize,
    chunk: Chunk,
    calls: Calls,
    thinking: Thinking,
    annotations: Annotations,
}

impl Encoder {
    /// An encoder of one stream. `seed` makes the ids that the upstream left out.
    #[must_use]
    pub fn new(needs: Needs, seed: u64, held_bytes_max: usize) -> Self {
        Self {
            chunk: Chunk::new(needs.include_usage),
            calls: Calls::default(),
            thinking: Thinking::new(needs.reasoning, held_bytes_max),
            annotations: Annotations::new(held_bytes_max),
            needs,
            seed,
            held_bytes_max,
        }
    }

    /// Appends what `event` means.
    ///
    /// # Errors
    /// The event contradicts those before it, or too much would be held back.
    pub fn encode(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), StreamFault> {
        let chunk = &self.chunk;
        match *event {
            Event::Start { id, model, tier } => self.start([id, model, tier], out),
            Event::Text { block, text } => self.text(block, text, out),
            Event::Refusal { text } => chunk.with(out, |w| {
                w.name("refusal").raw(text);
            }),
            Event::Thinking { block, text } => self.thinking.text(block, text, chunk, out)?,
            Event::Signature { block, signature } => {
                self.thinking.signature(block, signature.data, chunk, out);
            }
            Event::Redacted { block, data } => {
                self.thinking.redacted(block, data.data, chunk, out);
            }
            Event::Citation(citation) => self.annotations.add(&citation)?,
            Event::BlockStop { block } => {
                self.annotations.close_block();
                self.thinking.block_stop(block, chunk, out);
            }
            Event::ToolStart { id, name, .. } => {
                self.calls
                    .start(id, name, (&self.needs, self.seed), chunk, out)?;
            }
            Event::ToolArguments { tool, json, .. } => {
                self.calls
                    .arguments(tool, json, self.held_bytes_max, chunk, out)?;
            }
            Event::ToolStop { tool } => self.calls.stop(tool as usize, chunk, out),
            Event::Ping => ping(out),
            Event::End(ending) => self.end(&ending, out),
        }
        Ok(())
    }

    /// Bytes that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        let thinking = self.thinking.held_bytes();
        let rest = self.annotations.held_bytes() + self.calls.held_bytes();
        thinking.saturating_add(rest)
    }

    fn start(&mut self, [id, model, tier]: [Raw<'_>; 3], out: &mut Vec<u8>) {
        let mut own = Vec::new();
        completion_id(short(id), self.seed, &mut own);
        let created = self.needs.created;
        self.chunk
            .start(&own, short(model), created, tier::read(tier));
        self.chunk.with(out, |w| {
            w.name("role")
                .string("assistant")
                .name("content")
                .string("");
        });
    }

    fn text(&mut self, block: u32, text: Raw<'_>, out: &mut Vec<u8>) {
        self.annotations.advance(text);
        if self.needs.reasoning.content_blocks {
            self.chunk.with(out, |w| {
                w.name("content").raw(text);
                write_content_block(block, "text", text, w);
            });
        } else {
            let pieces: [&[u8]; 3] = [b"{\"content\":\"", text.bytes(), b"\"}"];
            self.chunk.pieces(out, pieces);
        }
    }

    fn end(&mut self, ending: &Ending<'_>, out: &mut Vec<u8>) {
        let chunk = &self.chunk;
        self.calls.stop_all(chunk, out);
        self.annotations.close_block();
        if !self.annotations.is_empty() {
            chunk.with(out, |w| {
                w.name("annotations").value(&self.annotations.array());
            });
        }
        if ending.stop == StopReason::Refusal {
            let explanation = ending.explanation.unwrap_or(Raw::EMPTY);
            chunk.with(out, |w| {
                w.name("refusal").raw(explanation);
            });
        }
        let legacy = self.needs.legacy_function;
        let reason = finish::name(ending.stop, self.calls.any(), legacy);
        chunk.finish(reason, ending.sequence, out);
        if self.needs.include_usage && ending.usage.is_known() {
            chunk.usage(out, |w| usage::write(&ending.usage, w));
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// A name that may stand in every chunk; nothing in place of one that is too long.
const fn short(name: Raw<'_>) -> Raw<'_> {
    if name.bytes().len() > ANSWER_NAME_BYTES_MAX {
        return Raw::EMPTY;
    }
    name
}

/// Appends the comment that keeps a quiet stream alive.
pub fn ping(out: &mut Vec<u8>) {
    out.extend_from_slice(b": ping\n\n");
}
