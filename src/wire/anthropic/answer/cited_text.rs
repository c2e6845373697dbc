//! The words of an answer that its citations refer to.
//!
//! The OpenAI wire cites by character range, the Anthropic wire by words: each citation repeats a
//! part of the answer. [`CharIndex`] finds a range in constant time; [`CitedRoom`] bounds what one
//! citation and all citations of one answer repeat.

use crate::limits::{CITED_ANSWER_BYTES_MAX, CITED_WORDS_BYTES_MAX};

/// A text whose characters are found by their number.
#[derive(Debug)]
pub struct CharIndex {
    text: String,
    /// Where every [`STEP`]th character starts.
    marks: Vec<usize>,
}

impl CharIndex {
    /// Counts the characters once.
    #[must_use]
    pub fn new(text: String) -> Self {
        let starts = text.char_indices().map(|(at, _)| at);
        let marks = starts.step_by(STEP).collect();
        Self { text, marks }
    }

    /// Characters `start..end`, as far as the text has them.
    #[must_use]
    pub fn range(&self, start: u64, end: u64) -> &str {
        let end = self.start_of(end).unwrap_or(self.text.len());
        let start = self.start_of(start).unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default()
    }

    /// Whether the text has at least `count` characters.
    #[must_use]
    pub fn reaches(&self, count: u64) -> bool {
        count == 0 || self.start_of(count - 1).is_some()
    }

    fn start_of(&self, number: u64) -> Option<usize> {
        let number = usize::try_from(number).ok()?;
        let mark = *self.marks.get(number / STEP)?;
        let rest = self.text.get(mark..)?;
        let (at, _) = rest.char_indices().nth(number % STEP)?;
        Some(mark + at)
    }
}

/// How many bytes the citations of one answer may still repeat.
#[derive(Debug)]
pub struct CitedRoom(usize);

impl Default for CitedRoom {
    fn default() -> Self {
        Self(CITED_ANSWER_BYTES_MAX)
    }
}

impl CitedRoom {
    /// The start of `words` that a citation may repeat; nothing once the room is used up.
    pub fn take<'w>(&mut self, words: &'w str) -> &'w str {
        let most = CITED_WORDS_BYTES_MAX.min(self.0);
        let cut = words.get(..words.floor_char_boundary(most));
        let cut = cut.unwrap_or_default();
        self.0 -= cut.len();
        cut
    }

    /// Whether nothing more can be repeated.
    #[must_use]
    pub const fn is_used_up(&self) -> bool {
        self.0 == 0
    }
}

/// Characters from one mark to the next: the most that a look-up walks.
const STEP: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_equals_a_walk_over_all_characters() {
        let text: String = (0..200)
            .map(|at| ['a', '\u{e9}', '\u{1f600}'][at % 3])
            .collect();
        let chars: Vec<char> = text.chars().collect();
        let index = CharIndex::new(text);
        for start in 0..205 {
            for end in 0..205 {
                let from = start.min(chars.len());
                let walked: String = chars[from..end.min(chars.len()).max(from)].iter().collect();
                assert_eq!(
                    index.range(start as u64, end as u64),
                    walked,
                    "{start}..{end}"
                );
            }
            assert_eq!(index.reaches(start as u64), start <= chars.len(), "{start}");
        }
        assert_eq!(index.range(0, u64::MAX).chars().count(), 200);
        assert_eq!(CharIndex::new(String::new()).range(0, 1), "");
    }

    #[test]
    fn room_cuts_at_a_character_and_is_used_up_at_its_bound() {
        let mut room = CitedRoom::default();
        let longest = "\u{e9}".repeat(CITED_WORDS_BYTES_MAX);
        assert_eq!(room.take("abc"), "abc");
        assert_eq!(room.take(&longest).len(), CITED_WORDS_BYTES_MAX);
        assert_eq!(
            room.take(&format!("a{longest}")).len(),
            CITED_WORDS_BYTES_MAX - 1
        );
        let mut room = CitedRoom::default();
        for _ in 0..CITED_ANSWER_BYTES_MAX / CITED_WORDS_BYTES_MAX {
            assert!(!room.is_used_up());
            assert_eq!(room.take(&longest).len(), CITED_WORDS_BYTES_MAX);
        }
        assert!(room.is_used_up());
        assert_eq!(room.take("a"), "");
    }
}
