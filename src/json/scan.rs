//! The JSON grammar (RFC 8259), strict, in one pass, without a tree.
//!
//! [`document`] checks one whole document and tells a [`Sink`] what it passes: names, scalars,
//! opened and closed containers, each as a span of the input. Everything that reads JSON in this
//! crate reads it through here, so no two readings of one body can differ.
//!
//! Accepted because the grammar does: numbers of any size, lone surrogate escapes, repeated names.
//!
//! `grammar` says what may follow what, over tokens: the offsets of quotes, operators and first bytes of
//! other scalars. `index` finds these 64 bytes at a time by vector instructions (see `simd`), `tokens` one
//! byte after the other; tests hold both to be the same.
//!
//! Not here: strings and numbers by themselves (see `lexeme`), what a name means, decoding of escapes (see
//! `raw`).

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::scan::grammar::Grammar;
use crate::json::scan::index::{Blocks, Index};
use crate::json::simd;
use crate::json::simd::isa::{Isa, Task};
use crate::json::sink::Sink;

mod grammar;
mod index;
mod tokens;

/// Deepest nesting that any caller may ask for.
pub const DEPTH_MAX: u32 = 128;

/// Checks that `text` is one JSON document of at most `depth_max` nested containers.
///
/// # Errors
/// The first fault and its offset, or the sink's own.
pub fn document<S: Sink>(text: &[u8], depth_max: u32, sink: &mut S) -> Result<(), JsonError> {
    if text.starts_with(MARK) {
        return Err(JsonError {
            kind: JsonErrorKind::ByteOrderMark,
            at: 0,
        });
    }
    behind_mark(text, 0, depth_max, sink)
}

/// The same of a text that may open with a byte order mark. Offsets count from the mark.
///
/// # Errors
/// The first fault and its offset, or the sink's own.
pub fn marked_document<S: Sink>(
    text: &[u8],
    depth_max: u32,
    sink: &mut S,
) -> Result<(), JsonError> {
    let at = if text.starts_with(MARK) {
        MARK.len()
    } else {
        0
    };
    behind_mark(text, at, depth_max, sink)
}

/// `text` less the blanks of JSON around it: no others, such as a form feed.
#[must_use]
pub const fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..]
    | [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] = text
    {
        text = rest;
    }
    text
}

/// `text` less the byte order mark that it may open with.
#[must_use]
pub fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn behind_mark<S: Sink>(
    text: &[u8],
    at: usize,
    depth_max: u32,
    sink: &mut S,
) -> Result<(), JsonError> {
    let read = simd::best::run(ReadDocument {
        text,
        at,
        depth_max: depth_max.min(DEPTH_MAX),
        sink,
    });
    read.map_err(|error| encoding_fault(text, error))
}

/// Reads a document that begins at an offset.
struct ReadDocument<'t, 's, S> {
    text: &'t [u8],
    at: usize,
    depth_max: u32,
    sink: &'s mut S,
}

impl<S: Sink> Task for ReadDocument<'_, '_, S> {
    type Output = Result<(), JsonError>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let mut blocks = Blocks::new(self.at);
        let tokens = Index::new(self.text, isa, &mut blocks);
        let mut around = [false; DEPTH_MAX as usize];
        Grammar::new(self.text, tokens, self.depth_max, &mut around).document(self.sink)
    }
}

/// Names the encoding as the cause of a fault at or behind bytes that are no UTF-8.
#[cold]
fn encoding_fault(text: &[u8], error: JsonError) -> JsonError {
    let end = text.len().min(error.at.saturating_add(UTF8_BYTES_MAX));
    let Err(fault) = core::str::from_utf8(text.get(..end).unwrap_or_default()) else {
        return error;
    };
    let cut_by_us = fault.error_len().is_none() && end < text.len();
    if fault.valid_up_to() > error.at || cut_by_us {
        return error;
    }
    JsonError {
        kind: JsonErrorKind::Utf8,
        at: fault.valid_up_to(),
    }
}

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Longest encoding of one character.
const UTF8_BYTES_MAX: usize = 4;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin_tests;
