//! Sources of an answer that its text refers to by number: Perplexity's `citations` and
//! `search_results`, which `[2]` in the text points into.
//!
//! Invariants: each source is told at most once, and only the first `SOURCES_MAX` are; a number may be
//! cut anywhere between two pieces of the text.

use crate::chat::event::Citation;
use crate::chat::response::Lost;
use crate::json::raw::Raw;
use crate::json::tape::{JsonKind, Value};

/// What was referred to in one answer.
#[derive(Debug, Default)]
pub struct Sources {
    /// Digits of the number that is open, as far as they were read.
    open: Option<usize>,
    /// Numbers that stand in the text.
    said: Numbers,
    /// Numbers whose source was told.
    told: Numbers,
    /// A number stands in the text whose source may be told now.
    is_asked: bool,
    /// Sources that the answer lists, in either member.
    citations: usize,
    results: usize,
}

/// The members that list sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listed<'t> {
    /// `citations`: addresses.
    pub citations: Option<Value<'t>>,
    /// `search_results`: objects with `title`, `url` and `snippet`.
    pub results: Option<Value<'t>>,
}

impl Sources {
    /// Takes a piece of the answer's text.
    pub fn text(&mut self, text: Raw<'_>) {
        let bytes = text.bytes();
        if self.open.is_none() && memchr::memchr(b'[', bytes).is_none() {
            return;
        }
        for &byte in bytes {
            self.open = match (byte, self.open) {
                (b'[', _) => Some(0),
                (b'0'..=b'9', Some(number)) => {
                    let number = number * 10 + usize::from(byte - b'0');
                    (1..=SOURCES_MAX).contains(&number).then_some(number)
                }
                (b']', Some(number @ 1..)) => {
                    self.is_asked |= !self.told.has(number);
                    self.said.set(number);
                    None
                }
                _ => None,
            };
        }
    }

    /// Takes the lists, which must be known before [`Sources::tell`].
    pub fn list(&mut self, listed: Listed<'_>) {
        let count = |list: Option<Value<'_>>| list.map_or(0, |list| list.elements().count());
        self.citations = self.citations.max(count(listed.citations));
        self.results = self.results.max(count(listed.results));
        self.is_asked = true;
    }

    /// Hands the sources that the text refers to and that were not told yet to `sink`.
    ///
    /// # Errors
    /// The sink's own.
    pub fn tell<'t, E>(
        &mut self,
        listed: Listed<'t>,
        mut sink: impl FnMut(Citation<'t>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !core::mem::take(&mut self.is_asked) {
            return Ok(());
        }
        for number in 1..=SOURCES_MAX.min(self.citations.max(self.results)) {
            if self.said.has(number)
                && !self.told.has(number)
                && let Some(citation) = listed.source(number - 1)
            {
                self.told.set(number);
                sink(citation)?;
            }
        }
        Ok(())
    }

    /// Adds the members that list a source which has no place in the text.
    pub fn lost(&self, lost: &mut Lost) {
        let all_told = |count| (1..=count).all(|number| self.told.has(number));
        if !all_told(self.citations) {
            lost.add("citations");
        }
        if !all_told(self.results) {
            lost.add("search_results");
        }
    }
}

impl<'t> Listed<'t> {
    /// Whether neither member is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.citations.is_none() && self.results.is_none()
    }

    fn source(&self, at: usize) -> Option<Citation<'t>> {
        let nth = |list: Option<Value<'t>>| list?.elements().nth(at);
        let result = nth(self.results).filter(|result| result.kind() == JsonKind::Object);
        let string = |name: &str| result?.get_set(name)?.as_raw();
        let address = nth(self.citations).and_then(Value::as_raw);
        let url = address.or_else(|| string("url"))?;
        // A list of another order would give a page the words of another.
        let same = string("url").is_some_and(|own| own.bytes() == url.bytes());
        Some(Citation {
            url,
            title: string("title").filter(|_| same).unwrap_or(Raw::EMPTY),
            cited: string("snippet").filter(|_| same),
            range: None,
        })
    }
}

/// A set of numbers up to `SOURCES_MAX`.
#[derive(Debug, Default)]
struct Numbers([u64; 4]);

impl Numbers {
    fn set(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn has(&self, number: usize) -> bool {
        let word = self.0.get(number / 64);
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }
}

/// Sources of one answer that are told.
const SOURCES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tape::Tape;

    fn said(pieces: &[&str]) -> Vec<usize> {
        let mut sources = Sources::default();
        for piece in pieces {
            sources.text(Raw::from_checked(piece.as_bytes()));
        }
        (0..=300).filter(|at| sources.said.has(*at)).collect()
    }

    #[test]
    fn numbers_are_read_however_the_text_is_cut() {
        for pieces in [&["a[1][12] b"][..], &["a[", "1", "][1", "2] b"]] {
            assert_eq!(said(pieces), [1, 12]);
        }
        assert_eq!(
            said(&["[255][256][0][][x1][1x][9", "9999999999999]", "[7"]),
            [255]
        );
    }

    #[test]
    fn each_source_is_told_once_and_what_has_no_place_is_lost() {
        let list: Vec<String> = (1..=300)
            .map(|at| format!("\"https://{at}.example\""))
            .collect();
        let json = format!("[{}]", list.join(","));
        let mut tape = Tape::new();
        let listed = Listed {
            citations: Some(tape.read(json.as_bytes(), 8, 1000).unwrap()),
            results: None,
        };
        let mut sources = Sources::default();
        sources.list(listed);
        let mut told = 0;
        for number in 1..=300 {
            sources.text(Raw::from_checked(
                format!("[{number}][{number}]").as_bytes(),
            ));
            let told = sources.tell(listed, |_| {
                told += 1;
                Ok::<(), ()>(())
            });
            assert_eq!(told, Ok(()));
        }
        assert_eq!(told, SOURCES_MAX);
        let mut lost = Lost::default();
        sources.lost(&mut lost);
        assert_eq!(lost.names(), ["citations"]);
    }
}
