//! Reasoning in a stream's chunks, in each of its carriers.
//!
//! `reasoning_details` are numbered from 0 without gaps, and only the first fragment of an entry
//! carries its `format`: clients' accumulators merge by number and concatenate strings.
//!
//! Invariant: thinking that is held back for `thinking_blocks` is at most `held_bytes_max` bytes.

use crate::chat::event::StreamFault;
use crate::json::raw::Raw;
use crate::json::write::{Writer, number_into};
use crate::wire::openai::reasoning::FORMAT;
use crate::wire::openai::settings::ReasoningMembers;
use crate::wire::openai::stream::chunk::Chunk;

/// The reasoning of one stream.
#[derive(Debug)]
pub struct Thinking {
    members: ReasoningMembers,
    held_bytes_max: usize,
    /// The entry of `reasoning_details` that is open.
    entry: Option<Entry>,
    next: u32,
    /// Text of the open block, for `thinking_blocks`.
    held: Vec<u8>,
    /// What follows the text of a fragment that is not the first of its entry.
    suffix: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    block: u32,
    index: u32,
    signed: bool,
}

impl Thinking {
    /// No reasoning yet.
    #[must_use]
    pub const fn new(members: ReasoningMembers, held_bytes_max: usize) -> Self {
        Self {
            members,
            held_bytes_max,
            entry: None,
            next: 0,
            held: Vec::new(),
            suffix: Vec::new(),
        }
    }

    /// Bytes that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// A piece of thinking.
    ///
    /// # Errors
    /// Too much is held back.
    pub fn text(
        &mut self,
        block: u32,
        text: Raw<'_>,
        chunk: &Chunk,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamFault> {
        let members = self.members;
        if members.thinking_blocks {
            self.held.extend_from_slice(text.bytes());
            if self.held.len() > self.held_bytes_max {
                return Err(StreamFault::TooLarge);
            }
        }
        if !(members.text || members.details || members.content_blocks) {
            return Ok(());
        }
        let (index, first) = self.entry(block, false);
        if members.text && members.details && !members.content_blocks && !first {
            let text = text.bytes();
            chunk.pieces(out, [TEXT, text, DETAIL, text, &self.suffix]);
            return Ok(());
        }
        chunk.with(out, |w| {
            if members.text {
                w.name("reasoning_content").raw(text);
            }
            if members.details {
                write_detail(index, first, "text", text, w);
            }
            if members.content_blocks {
                write_content_block(block, "thinking", text, w);
            }
        });
        Ok(())
    }

    /// The signature of the open thinking.
    pub fn signature(&mut self, block: u32, signature: Raw<'_>, chunk: &Chunk, out: &mut Vec<u8>) {
        let members = self.members;
        let (index, first) = self.entry(block, true);
        if !(members.details || members.content_blocks || members.thinking_blocks) {
            return;
        }
        let held = core::mem::take(&mut self.held);
        chunk.with(out, |w| {
            if members.details {
                write_detail(index, first, "signature", signature, w);
            }
            if members.thinking_blocks {
                write_thinking_block(Raw::from_checked(&held), signature, w);
            }
            if members.content_blocks {
                write_content_block(block, "signature", signature, w);
            }
        });
    }

    /// A block that only the provider can read: an entry of its own.
    pub fn redacted(&mut self, block: u32, data: Raw<'_>, chunk: &Chunk, out: &mut Vec<u8>) {
        let members = self.members;
        let index = self.next;
        self.next = index.saturating_add(1);
        self.entry = None;
        if !(members.details || members.content_blocks || members.thinking_blocks) {
            return;
        }
        chunk.with(out, |w| {
            if members.details {
                w.name("reasoning_details").open_array().open_object();
                w.name("type").string("reasoning.encrypted");
                w.name("data").raw(data).name("format").string(FORMAT);
                w.name("index").number(u64::from(index));
                w.close_object().close_array();
            }
            if members.thinking_blocks {
                w.name("thinking_blocks").open_array().open_object();
                w.name("type").string("redacted_thinking");
                w.name("data").raw(data).close_object().close_array();
            }
            if members.content_blocks {
                write_content_block(block, "data", data, w);
            }
        });
    }

    /// A block is over. Thinking that never got a signature is told without one.
    pub fn block_stop(&mut self, block: u32, chunk: &Chunk, out: &mut Vec<u8>) {
        if self.entry.is_some_and(|entry| entry.block == block) {
            self.entry = None;
        }
        if self.held.is_empty() {
            return;
        }
        let held = core::mem::take(&mut self.held);
        chunk.with(out, |w| {
            write_thinking_block(Raw::from_checked(&held), Raw::EMPTY, w);
        });
    }

    /// The entry that a piece belongs to, and whether it is its first. Wires without block numbers
    /// tell by the signature: text after one is a new entry.
    fn entry(&mut self, block: u32, signed: bool) -> (u32, bool) {
        if let Some(entry) = self.entry.as_mut()
            && entry.block == block
            && (signed || !entry.signed)
        {
            entry.signed = signed;
            return (entry.index, false);
        }
        let index = self.next;
        self.next = index.saturating_add(1);
        self.entry = Some(Entry {
            block,
            index,
            signed,
        });
        self.suffix.clear();
        self.suffix.extend_from_slice(b"\",\"index\":");
        number_into(u64::from(index), &mut self.suffix);
        self.suffix.extend_from_slice(b"}]}");
        (index, true)
    }
}

/// Writes `content_blocks` with one piece of a block.
pub fn write_content_block(block: u32, name: &str, text: Raw<'_>, w: &mut Writer<'_>) {
    w.name("content_blocks").open_array().open_object();
    w.name("index").number(u64::from(block));
    w.name("delta").open_object().name(name).raw(text);
    w.close_object().close_object().close_array();
}

fn write_detail(index: u32, first: bool, name: &str, text: Raw<'_>, w: &mut Writer<'_>) {
    w.name("reasoning_details").open_array().open_object();
    w.name("type").string("reasoning.text").name(name).raw(text);
    if first {
        w.name("format").string(FORMAT);
    }
    w.name("index").number(u64::from(index));
    w.close_object().close_array();
}

fn write_thinking_block(thinking: Raw<'_>, signature: Raw<'_>, w: &mut Writer<'_>) {
    w.name("thinking_blocks").open_array().open_object();
    w.name("type").string("thinking");
    w.name("thinking").raw(thinking);
    w.name("signature").raw(signature);
    w.close_object().close_array();
}

const TEXT: &[u8] = b"{\"reasoning_content\":\"";
const DETAIL: &[u8] = b"\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"";
