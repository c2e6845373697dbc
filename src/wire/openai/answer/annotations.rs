//! Citations of pages on the web, as the OpenAI wire has them: ranges of the answer's text.
//!
//! A citation holds for the text block it stands in, whose end is known only when the block stops.
//! The annotations of an answer are collected, because clients' accumulators take one delta of
//! them.

use crate::chat::event::{Citation, StreamFault};
use crate::json::raw::Raw;
use crate::json::tape::Value;
use crate::json::write::{Writer, number_into};

/// The annotations of one answer.
#[derive(Debug)]
pub struct Annotations {
    held_bytes_max: usize,
    /// Characters (Unicode code points) of the text so far.
    chars: u64,
    /// Where the open block began. `block_start <= chars`.
    block_start: u64,
    /// Finished entries, with commas between them.
    done: Vec<u8>,
    /// Entries of the open block, cut before their end index; each ends at a mark.
    open: Vec<u8>,
    marks: Vec<usize>,
}

impl Annotations {
    /// No annotation, no text. At most `held_bytes_max` bytes are collected.
    #[must_use]
    pub const fn new(held_bytes_max: usize) -> Self {
        Self {
            held_bytes_max,
            chars: 0,
            block_start: 0,
            done: Vec::new(),
            open: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// Text of the open block went by.
    pub fn advance(&mut self, text: Raw<'_>) {
        self.chars = self.chars.saturating_add(char_count(text.bytes()));
    }

    /// A citation of the open block. One that knows its own range keeps it.
    ///
    /// # Errors
    /// More would be held than allowed.
    pub fn add(&mut self, citation: &Citation<'_>) -> Result<(), StreamFault> {
        if let Some((start, end)) = citation.range {
            let mut entry = core::mem::take(&mut self.done);
            separate(&mut entry);
            write_start(citation, start, &mut entry);
            write_end(end, &mut entry);
            self.done = entry;
        } else {
            write_start(citation, self.block_start, &mut self.open);
            self.marks.push(self.open.len());
        }
        if self.held_bytes() > self.held_bytes_max {
            return Err(StreamFault::TooLarge);
        }
        Ok(())
    }

    /// The open block is over: its end is known.
    pub fn close_block(&mut self) {
        let mut from = 0;
        for &mark in &self.marks {
            separate(&mut self.done);
            self.done
                .extend_from_slice(self.open.get(from..mark).unwrap_or_default());
            write_end(self.chars, &mut self.done);
            from = mark;
        }
        self.marks.clear();
        self.open.clear();
        self.block_start = self.chars;
    }

    /// Bytes that are collected.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.done.len().saturating_add(self.open.len())
    }

    /// Whether no annotation is finished.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// The finished annotations as a JSON array.
    #[must_use]
    pub fn array(&self) -> Vec<u8> {
        [b"[", self.done.as_slice(), b"]"].concat()
    }
}

fn separate(list: &mut Vec<u8>) {
    if !list.is_empty() {
        list.push(b',');
    }
}

fn write_start(citation: &Citation<'_>, start: u64, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.open_object().name("type").string("url_citation");
    w.name("url_citation").open_object();
    w.name("url")
        .raw(citation.url)
        .name("title")
        .raw(citation.title);
    w.name("start_index").number(start);
    out.extend_from_slice(b",\"end_index\":");
}

fn write_end(end: u64, out: &mut Vec<u8>) {
    number_into(end, out);
    out.extend_from_slice(b"}}");
}

/// Code points of a string body that is still escaped. The second half of an escaped pair counts
/// for nothing, so that pairs cut between two deltas come out right.
fn char_count(body: &[u8]) -> u64 {
    if body.len() <= SHORT_BYTES_MAX
        && let Some(count) = short_count(body)
    {
        return count;
    }
    let starts = body.iter().filter(|&&b| b & 0xC0 != 0x80).count();
    let mut count = u64::try_from(starts).unwrap_or(u64::MAX);
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let escape = rest.get(at..).unwrap_or_default();
        let (bytes, chars) = match escape {
            [_, b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => (6, 0),
            [_, b'u', ..] => (6, 1),
            _ => (2, 1),
        };
        count = count.saturating_sub(bytes - chars);
        rest = escape
            .get(usize::try_from(bytes).unwrap_or(6)..)
            .unwrap_or_default();
    }
    count
}

/// Reads an annotation that cites a page on the web.
#[must_use]
pub fn read_annotation(annotation: Value<'_>) -> Option<Citation<'_>> {
    let place = annotation.get_set("url_citation")?;
    let number = |name: &str| place.get_set(name)?.as_u64();
    Some(Citation {
        url: place.get_set("url")?.as_raw()?,
        title: place
            .get_set("title")
            .and_then(Value::as_raw)
            .unwrap_or(Raw::EMPTY),
        cited: None,
        range: number("start_index").zip(number("end_index")),
    })
}

/// Whether an annotation says something that no other wire can: OpenRouter's `file` with the text of a
/// document that was read.
#[must_use]
pub fn is_stray(annotation: Value<'_>) -> bool {
    read_annotation(annotation).is_none()
}

/// The same of a short text, as deltas are: what prepares the vector loops of the general way costs
/// more than their work. Nothing for one with code units in hexadecimal.
fn short_count(body: &[u8]) -> Option<u64> {
    let mut rest = body;
    let mut count = 0;
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'\\', [b'u', ..] | []) => return None,
            (b'\\', [_, after @ ..]) => after,
            _ => after,
        };
        count += u64::from(byte & 0xC0 != 0x80);
    }
    Some(count)
}

const SHORT_BYTES_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn char_count_counts_code_points_across_split_pairs() {
        let cases = [
            ("", 0),
            ("aé€😀", 4),
            (r"a\nb", 3),
            (r"\u00e9", 1),
            (r"\ud83d\ude00", 1),
            (r"\\u", 2),
            ("say ", 4),
            (r#" \"é\"\n"#, 5),
            ("a text that is longer than what is short, é\\n", 44),
            (r"one with \u00e9 is no short one", 26),
        ];
        for (body, count) in cases {
            assert_eq!(char_count(body.as_bytes()), count, "{body}");
        }
        assert_eq!(char_count(br"\ud83d") + char_count(br"\ude00"), 1);
    }
}
