//! The words that citations of a stream refer to, and those that come before their text.
//!
//! The OpenAI wire cites by range, the Anthropic wire by words: what was said is kept for the
//! citations behind it, from the start of the answer on, as ranges are counted.
//!
//! Invariants: at most [`CITED_TEXT_BYTES_MAX`] bytes are kept, and a range that reaches beyond them
//! has no words; the text is decoded once for all citations between two pieces of it.

use crate::chat::event::Citation;
use crate::json::raw::Raw;
use crate::json::write::escape_into;
use crate::limits::CITED_TEXT_BYTES_MAX;
use crate::wire::anthropic::answer::cited_text::{CharIndex, CitedRoom};

/// The start of an answer's text, still escaped.
#[derive(Debug, Default)]
pub struct Cited {
    text: Vec<u8>,
    /// More was said than is kept.
    over: bool,
    /// The text decoded, where a citation asked since it grew.
    index: Option<CharIndex>,
    room: CitedRoom,
}

impl Cited {
    /// Takes the next piece of the answer's text. The room is taken at once: growing would
    /// allocate along the stream.
    pub fn push(&mut self, piece: Raw<'_>) {
        let room = CITED_TEXT_BYTES_MAX.saturating_sub(self.text.len());
        self.over |= piece.bytes().len() > room;
        if !self.over {
            self.index = None;
            self.text.reserve_exact(room);
            self.text.extend_from_slice(piece.bytes());
        }
    }

    /// Whether nothing was said yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.over
    }

    /// The words of a range, escaped; nothing where they are not kept or the answer's citations have
    /// repeated enough.
    #[must_use]
    pub fn words(&mut self, (start, end): (u64, u64)) -> Vec<u8> {
        let mut words = Vec::new();
        if self.room.is_used_up() {
            return words;
        }
        let text = &self.text;
        let index = self
            .index
            .get_or_insert_with(|| CharIndex::new(Raw::from_checked(text).decode()));
        if !self.over || index.reaches(end) {
            escape_into(self.room.take(index.range(start, end)), &mut words);
        }
        words
    }
}

/// A citation that waits for the text that it stands in.
#[derive(Debug)]
pub struct Waiting {
    url: Vec<u8>,
    title: Vec<u8>,
    cited: Option<Vec<u8>>,
    range: Option<(u64, u64)>,
}

impl Waiting {
    /// A copy of the citation.
    #[must_use]
    pub fn new(citation: &Citation<'_>) -> Self {
        Self {
            url: citation.url.bytes().to_vec(),
            title: citation.title.bytes().to_vec(),
            cited: citation.cited.map(|words| words.bytes().to_vec()),
            range: citation.range,
        }
    }

    /// Bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let cited = self.cited.as_ref().map_or(0, Vec::len);
        let strings = self.url.len().saturating_add(self.title.len());
        strings
            .saturating_add(cited)
            .saturating_add(size_of::<Self>())
    }

    /// The citation.
    #[must_use]
    pub fn citation(&self) -> Citation<'_> {
        Citation {
            url: Raw::from_checked(&self.url),
            title: Raw::from_checked(&self.title),
            cited: self.cited.as_deref().map(Raw::from_checked),
            range: self.range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(cited: &mut Cited, range: (u64, u64)) -> String {
        String::from_utf8(cited.words(range)).unwrap()
    }

    #[test]
    fn words_are_counted_in_characters_across_pieces_and_escapes() {
        let mut cited = Cited::default();
        for piece in [r"h\u00e9 ", "\u{1f600}", r"\ud83d", r"\ude00\n", "end"] {
            cited.push(Raw::from_checked(piece.as_bytes()));
        }
        for (range, expected) in [
            ((0, 2), "h\u{e9}"),
            ((3, 5), "\u{1f600}\u{1f600}"),
            ((5, 9), r"\nend"),
            ((6, 99), "end"),
            ((99, 100), ""),
            ((4, 2), ""),
        ] {
            assert_eq!(words(&mut cited, range), expected, "{range:?}");
        }
    }

    #[test]
    fn words_are_kept_at_the_limit_and_not_past_it() {
        let text = "a".repeat(CITED_TEXT_BYTES_MAX);
        let end = text.len() as u64;
        let mut cited = Cited::default();
        cited.push(Raw::from_checked(text.as_bytes()));
        assert_eq!(words(&mut cited, (end - 2, end)), "aa");
        cited.push(Raw::from_checked(b"b"));
        assert_eq!(words(&mut cited, (end - 2, end)), "aa");
        assert_eq!(words(&mut cited, (end - 2, end + 1)), "");
        assert_eq!(cited.text.capacity(), CITED_TEXT_BYTES_MAX);
    }
}
