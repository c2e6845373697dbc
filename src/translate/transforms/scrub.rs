//! Takes a provider's credentials out of what the provider sends.
//!
//! The bytes are overwritten by `*`, so lengths stay as they were; a credential that is cut
//! between two reads is found because the end of a read that may be its beginning waits for the
//! next. Everything else passes at once. Spelt with JSON's escapes it is found as well (see
//! `escaped`), for which only what has an escape of one of its letters is read letter by letter.
//!
//! Invariant: at most the longest spelling of each credential is held back.

use memchr::memmem::Finder;

use crate::chat::error::ErrorFacts;
use crate::chat::small_str::SmallStr;
use crate::translate::progress::Progress;
use crate::translate::transforms::escaped::{self, Found};

/// Looks for one credential; made once per provider.
#[derive(Debug)]
pub struct Needle {
    finder: Finder<'static>,
    /// JSON doubles it: any backslash may be the credential's own.
    has_backslash: bool,
}

/// Watches one answer for every credential of its provider; nearly always there is one.
#[derive(Debug)]
pub struct Scrubber<'k> {
    first: Watch<'k>,
    rest: Vec<Watch<'k>>,
}

/// Watches one answer for one credential.
#[derive(Debug)]
struct Watch<'k> {
    needle: Held<'k>,
    held: Vec<u8>,
}

#[derive(Debug)]
enum Held<'k> {
    /// The provider's, which lives as long as the worker.
    Lent(&'k Needle),
    /// The caller's, of this exchange alone.
    Own(Box<Needle>),
}

impl Needle {
    /// Looks for `credential`; one of fewer than eight bytes is not looked for (it would blank
    /// out ordinary text).
    #[must_use]
    pub fn new(credential: &[u8]) -> Option<Self> {
        (credential.len() >= CREDENTIAL_BYTES_MIN).then(|| Self {
            finder: Finder::new(credential).into_owned(),
            has_backslash: memchr::memchr(b'\\', credential).is_some(),
        })
    }
}

impl<'k> Scrubber<'k> {
    /// A scrubber for a provider's credentials; none where nothing is to be looked for.
    #[must_use]
    pub fn new(needles: &'k [Needle]) -> Option<Self> {
        let mut watches = needles.iter().map(|needle| Watch::new(Held::Lent(needle)));
        Some(Self {
            first: watches.next()?,
            rest: watches.collect(),
        })
    }

    /// A scrubber for a caller's credential.
    #[must_use]
    pub fn owned(credential: &[u8]) -> Option<Self> {
        let needle = Held::Own(Box::new(Needle::new(credential)?));
        Some(Self {
            first: Watch::new(needle),
            rest: Vec::new(),
        })
    }

    /// The credentials.
    #[must_use]
    pub fn credentials(&self) -> Vec<&[u8]> {
        let needles = self.watches().map(|watch| watch.finder().needle());
        needles.collect()
    }

    fn watches(&self) -> impl Iterator<Item = &Watch<'k>> {
        core::iter::once(&self.first).chain(&self.rest)
    }

    /// Whether `text` holds a credential.
    #[must_use]
    pub fn finds(&self, text: &[u8]) -> bool {
        self.watches().any(|watch| watch.finds(text))
    }

    /// Hands `input` to `pass`, the credentials blanked out; almost always as it is.
    pub fn pass(&mut self, input: &[u8], mut pass: impl FnMut(&[u8]) -> Progress) -> Progress {
        if self.rest.is_empty() {
            return self.first.pass(input, pass);
        }
        let rest = &mut self.rest;
        let through = |text: &[u8]| pass_through(rest, text, &mut pass);
        self.first.pass(input, through)
    }

    /// Ends the answer: what was held back.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let mut held = self.first.finish();
        for watch in &mut self.rest {
            let mut out = Vec::new();
            if let Some(text) = held {
                watch.pass(&text, |clean| {
                    out.extend_from_slice(clean);
                    Progress::START
                });
            }
            out.extend(watch.finish().unwrap_or_default());
            held = (!out.is_empty()).then_some(out);
        }
        held
    }

    /// Blanks a whole text in place.
    pub fn blank(&self, text: &mut [u8]) {
        for watch in self.watches() {
            watch.blank_open(text);
        }
    }

    /// A text that was decoded with the credentials blanked out, if it had to be: escapes may have
    /// hidden them until then. Where the text was cut, a credential's beginning may stand at its end.
    #[must_use]
    pub fn cleaned(&self, text: &str) -> Option<String> {
        let mut clean = None;
        for watch in self.watches() {
            let cleaner = watch.cleaned(clean.as_deref().unwrap_or(text));
            clean = cleaner.or(clean);
        }
        clean
    }

    /// Cleans the name of a model.
    pub fn clean_model(&self, model: &mut Option<SmallStr>) {
        if let Some(clean) = model.as_deref().and_then(|it| self.cleaned(it)) {
            *model = Some(clean.as_str().into());
        }
    }

    /// Cleans what a provider's error says.
    pub fn clean_error(&self, facts: &mut ErrorFacts) {
        let texts = [&mut facts.message, &mut facts.param, &mut facts.code];
        for text in texts.into_iter().flatten() {
            if let Some(clean) = self.cleaned(text) {
                *text = clean;
            }
        }
    }
}

/// Hands `text` through one watch after the other.
fn pass_through(
    watches: &mut [Watch<'_>],
    text: &[u8],
    pass: &mut dyn FnMut(&[u8]) -> Progress,
) -> Progress {
    match watches.split_first_mut() {
        None => pass(text),
        Some((watch, rest)) => watch.pass(text, |text| pass_through(rest, text, pass)),
    }
}

impl<'k> Watch<'k> {
    const fn new(needle: Held<'k>) -> Self {
        Self {
            needle,
            held: Vec::new(),
        }
    }

    const fn needle(&self) -> &Needle {
        match &self.needle {
            Held::Lent(needle) => needle,
            Held::Own(needle) => needle,
        }
    }

    const fn finder(&self) -> &Finder<'static> {
        &self.needle().finder
    }

    fn finds(&self, text: &[u8]) -> bool {
        self.finder().find(text).is_some()
    }

    fn pass(&mut self, input: &[u8], mut pass: impl FnMut(&[u8]) -> Progress) -> Progress {
        if self.held.is_empty()
            && !self.finds(input)
            && self.open_end(input) == 0
            && !self.may_be_escaped(input)
        {
            return pass(input);
        }
        let mut text = core::mem::take(&mut self.held);
        text.extend_from_slice(input);
        let cut = self.blank_open(&mut text);
        self.held
            .extend_from_slice(text.get(cut..).unwrap_or_default());
        pass(text.get(..cut).unwrap_or_default())
    }

    /// Whether the credential may stand in `text` other than plainly.
    fn may_be_escaped(&self, text: &[u8]) -> bool {
        escaped::may_stand_in(self.finder().needle(), text)
            || self.needle().has_backslash && memchr::memchr(b'\\', text).is_some()
    }

    fn finish(&mut self) -> Option<Vec<u8>> {
        (!self.held.is_empty()).then(|| core::mem::take(&mut self.held))
    }

    /// Blanks a text in place; where the beginning of one more credential starts at its end.
    fn blank_open(&self, text: &mut [u8]) -> usize {
        let needle = self.finder().needle();
        if !self.may_be_escaped(text) {
            self.blank_plain(text);
            return text.len() - self.open_end(text);
        }
        let mut from = 0;
        loop {
            match escaped::find(needle, text, from) {
                Found::Whole(span) => {
                    from = span.end;
                    text.get_mut(span).unwrap_or_default().fill(b'*');
                }
                Found::Open(at) => return at,
                Found::Nothing => return text.len(),
            }
        }
    }

    fn blank_plain(&self, text: &mut [u8]) {
        let len = self.finder().needle().len();
        let mut from = 0;
        while let Some(at) = self.finder().find(text.get(from..).unwrap_or_default()) {
            let start = from + at;
            if let Some(found) = text.get_mut(start..start + len) {
                found.fill(b'*');
            }
            from = start + len;
        }
    }

    fn cleaned(&self, text: &str) -> Option<String> {
        let open = self.open_end(text.as_bytes());
        if !self.finds(text.as_bytes()) && open < CREDENTIAL_BYTES_MIN {
            return None;
        }
        let mut bytes = text.as_bytes().to_vec();
        self.blank_plain(&mut bytes);
        let cut = bytes.len() - self.open_end(&bytes);
        if bytes.len() - cut >= CREDENTIAL_BYTES_MIN
            && let Some(end) = bytes.get_mut(cut..)
        {
            end.fill(b'*');
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How many bytes at the end of `text` may be the beginning of the credential.
    fn open_end(&self, text: &[u8]) -> usize {
        let needle = self.finder().needle();
        let Some(&first) = needle.first() else {
            return 0;
        };
        let window = text.len().saturating_sub(needle.len() - 1);
        let tail = text.get(window..).unwrap_or_default();
        memchr::memchr_iter(first, tail)
            .map(|at| tail.get(at..).unwrap_or_default())
            .find(|end| needle.starts_with(end))
            .map_or(0, <[u8]>::len)
    }
}

/// Shorter credentials are not looked for.
const CREDENTIAL_BYTES_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(scrubber: &mut Scrubber<'_>, input: &[u8], out: &mut Vec<u8>) {
        scrubber.pass(input, |text| {
            out.extend_from_slice(text);
            Progress::START
        });
    }

    #[test]
    fn p24_credential_is_blanked_however_the_answer_is_cut() {
        let key = b"sk-secret-1";
        let text = b"data: sk-sk-secret-1 sk-secret sk-secret-1sk-secret-1\n\nsk-secret-";
        let expected = b"data: sk-*********** sk-secret **********************\n\nsk-secret-";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut scrubber = Scrubber::owned(key).unwrap();
                let mut out = Vec::new();
                for part in [&text[..first], &text[first..second], &text[second..]] {
                    pass(&mut scrubber, part, &mut out);
                }
                out.extend(scrubber.finish().unwrap_or_default());
                assert_eq!(out, expected, "{first} {second}");
            }
        }
    }

    #[test]
    fn p24_decoded_texts_are_blanked_and_what_is_cut_off_at_their_end() {
        let scrubber = Scrubber::owned(b"sk-secret-1").unwrap();
        for (text, expected) in [
            ("gpt-4o", "gpt-4o"),
            ("a sk-secret-1 b", "a *********** b"),
            ("a sk-secret", "a *********"),
            ("a sk-secre", "a ********"),
            ("a sk-secr", "a sk-secr"),
        ] {
            let clean = scrubber.cleaned(text);
            assert_eq!(clean.as_deref().unwrap_or(text), expected);
            assert_eq!(clean.is_some(), text != expected);
        }
    }

    #[test]
    fn p24_escaped_credential_is_blanked_however_the_answer_is_cut() {
        let key = b"sk-se/cret-1";
        for spelt in [
            r"sk\u002dse/cret-1",
            r"\u0073k-se\/cret-1",
            r"\u0073\u006B\u002d\u0073\u0065\u002F\u0063\u0072\u0065\u0074\u002D\u0031",
            r"sk\\u002dse\\/cret-1",
            r"sk\\\\u002dse/cret\\u002d1",
        ] {
            let text = format!(r#"data: {{"a":"\n\\ {spelt}\t","b":"\u00e9sk\u002d"}}"#);
            let expected = text.replacen(spelt, &"*".repeat(spelt.len()), 1);
            let (text, expected) = (text.as_bytes(), expected.as_bytes());
            for first in 0..=text.len() {
                for second in [first, (first + 1).min(text.len()), text.len()] {
                    let mut scrubber = Scrubber::owned(key).unwrap();
                    let mut out = Vec::new();
                    for part in [&text[..first], &text[first..second], &text[second..]] {
                        pass(&mut scrubber, part, &mut out);
                    }
                    out.extend(scrubber.finish().unwrap_or_default());
                    assert_eq!(out, expected, "{first} {second}");
                }
            }
            let mut whole = text.to_vec();
            Scrubber::owned(key).unwrap().blank(&mut whole);
            assert_eq!(whole, expected);
        }
    }

    #[test]
    fn p24_credential_of_quotes_and_backslashes_is_blanked_however_the_answer_is_cut() {
        let key = br#"sk-"se\cret\\"#;
        for spelt in [
            r#"sk-"se\cret\\"#,
            r#"sk-\"se\\cret\\\\"#,
            r#"sk-\"\u0073e\u005Ccret\\\\"#,
            r#"sk-\\\"se\\\\cret\\\\\\\\"#,
        ] {
            let text = format!(r#"data: {{"a":"\n{spelt}","b":"sk-\\"}}"#);
            let expected = text.replacen(spelt, &"*".repeat(spelt.len()), 1);
            for cut in 0..=text.len() {
                let mut scrubber = Scrubber::owned(key).unwrap();
                let mut out = Vec::new();
                let (first, second) = text.as_bytes().split_at(cut);
                pass(&mut scrubber, first, &mut out);
                pass(&mut scrubber, second, &mut out);
                out.extend(scrubber.finish().unwrap_or_default());
                assert_eq!(String::from_utf8(out).unwrap(), expected, "{cut}");
            }
        }
    }

    #[test]
    fn what_is_held_back_is_at_most_the_longest_spelling() {
        let key = b"aaaaaaaaaaab";
        let mut scrubber = Scrubber::owned(key).unwrap();
        let text = r"\\\\u0061".repeat(100) + &r"\".repeat(50);
        let mut out = Vec::new();
        for byte in text.as_bytes() {
            pass(&mut scrubber, &[*byte], &mut out);
            assert!(scrubber.first.held.len() <= key.len() * escaped::LETTER_BYTES_MAX);
        }
        out.extend(scrubber.finish().unwrap_or_default());
        assert_eq!(out, text.as_bytes());
    }

    #[test]
    fn p24_every_credential_of_a_provider_is_blanked_however_the_answer_is_cut() {
        let needles = [&b"sk-secret-1"[..], b"sk-secret-22", b"other-key"].map(Needle::new);
        let needles: Vec<Needle> = needles.into_iter().flatten().collect();
        let text = br#"sk-sk-secret-1 sk-secret-22 oth\u0065r-key sk-secret-2sk-secret-22"#;
        let expected = br#"sk-*********** ************ ************** sk-secret-2************"#;
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut scrubber = Scrubber::new(&needles).unwrap();
                let mut out = Vec::new();
                for part in [&text[..first], &text[first..second], &text[second..]] {
                    pass(&mut scrubber, part, &mut out);
                }
                out.extend(scrubber.finish().unwrap_or_default());
                assert_eq!(out, expected, "{first} {second}");
            }
        }
        let scrubber = Scrubber::new(&needles).unwrap();
        let clean = scrubber.cleaned("sk-secret-1 other-key sk-secret-2");
        assert_eq!(clean.as_deref(), Some("*********** ********* ***********"));
        assert!(scrubber.finds(b"an other-key") && !scrubber.finds(b"another key"));
        assert_eq!(scrubber.credentials().len(), 3);
        assert!(Scrubber::new(&[]).is_none());
    }

    #[test]
    fn ordinary_ends_of_events_are_not_held_back() {
        let mut scrubber = Scrubber::owned(b"sk-secret-1").unwrap();
        let mut out = Vec::new();
        pass(&mut scrubber, b"data: {\"a\":\"tasks\"}\n\n", &mut out);
        assert_eq!(out.len(), 21);
        assert!(Scrubber::owned(b"short").is_none());
    }
}
