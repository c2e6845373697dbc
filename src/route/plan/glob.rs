//! Patterns over ids and header names: `*` stands for any characters, `/` included.
//!
//! Matching is linear in the text: pieces between stars are found left to right, and the leftmost
//! place of each is always good enough.

use memchr::memmem;

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// What the text starts with.
    first: Box<str>,
    /// What follows the last star; `None` without any star: the text is `first`, exactly.
    last: Option<Box<str>>,
    /// What stands between two stars, in order; none is empty.
    middle: Box<[Box<str>]>,
}

impl Glob {
    /// Compiles a pattern; every character but `*` stands for itself.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        let mut pieces = pattern.split('*');
        let first = pieces.next().unwrap_or_default().into();
        let last = pieces.next_back().map(Into::into);
        let middle = pieces.filter(|piece| !piece.is_empty());
        Self {
            first,
            last,
            middle: middle.map(Into::into).collect(),
        }
    }

    /// Whether the whole of `text` fits.
    #[must_use]
    pub fn matches(&self, text: impl AsRef<[u8]>) -> bool {
        let Some(rest) = text.as_ref().strip_prefix(self.first.as_bytes()) else {
            return false;
        };
        let Some(last) = &self.last else {
            return rest.is_empty();
        };
        let Some(mut rest) = rest.strip_suffix(last.as_bytes()) else {
            return false;
        };
        for piece in &self.middle {
            let Some(at) = memmem::find(rest, piece.as_bytes()) else {
                return false;
            };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        true
    }

    /// Whether some text fits both patterns.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let (left, right) = (self.pattern(), other.pattern());
        let (left, right) = (left.as_bytes(), right.as_bytes());
        // `below[j]`: whether what is left of one pattern and `right[j..]` have a text in common.
        let mut below: Vec<bool> = Vec::new();
        for i in (0..=left.len()).rev() {
            let mut row = vec![false; right.len() + 1];
            for j in (0..=right.len()).rev() {
                let less_left = below.get(j).copied().unwrap_or(false);
                let less_right = row.get(j + 1).copied().unwrap_or(false);
                let less_both = below.get(j + 1).copied().unwrap_or(false);
                let meets = match (left.get(i), right.get(j)) {
                    (None, None) => true,
                    (Some(b'*'), _) | (_, Some(b'*')) => less_left || less_right,
                    (Some(one), Some(other)) => one == other && less_both,
                    (None, Some(_)) | (Some(_), None) => false,
                };
                if let Some(slot) = row.get_mut(j) {
                    *slot = meets;
                }
            }
            below = row;
        }
        below.first().copied().unwrap_or(false)
    }

    /// The one text that fits, where there is no star.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.last.is_none().then_some(&*self.first)
    }

    /// The pattern as it was written, runs of stars as one.
    #[must_use]
    pub fn pattern(&self) -> String {
        let mut text = self.first.to_string();
        let Some(last) = &self.last else {
            return text;
        };
        text.push('*');
        for piece in &self.middle {
            text.push_str(piece);
            text.push('*');
        }
        text.push_str(last);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    /// The textbook matcher, by recursion.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|at| naive(rest, &text[at..])),
            Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
        }
    }

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            Glob::new(pattern).matches(text),
            expected,
            "{pattern} {text}"
        );
    }

    #[test]
    fn glob_with_star_crosses_slashes() {
        check("bedrock/*", "bedrock/global.anthropic.claude/x:0", true);
        check("*claude*", "@anthropic/claude-opus-4-7", true);
        check("claude-*", "anthropic/claude-opus", false);
        check("claude-*-20250929", "claude-sonnet-4-5-20250929", true);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("a*a", "a", false);
        check("gpt-4o", "gpt-4o-mini", false);
    }

    #[test]
    fn glob_on_every_short_text_agrees_with_naive_twin() {
        let words = |alphabet: &[u8], length: usize| -> Vec<String> {
            let mut all = vec![String::new()];
            let mut level = all.clone();
            for _ in 0..length {
                level = level
                    .iter()
                    .flat_map(|word| {
                        alphabet
                            .iter()
                            .map(move |&b| format!("{word}{}", b as char))
                    })
                    .collect();
                all.extend(level.iter().cloned());
            }
            all
        };
        for pattern in words(b"ab*", 5) {
            let glob = Glob::new(&pattern);
            for text in words(b"ab", 5) {
                let expected = naive(pattern.as_bytes(), text.as_bytes());
                assert_eq!(glob.matches(&text), expected, "{pattern} {text}");
            }
        }
    }

    #[test]
    fn patterns_meet_where_some_text_fits_both() {
        let words = (0..=6_u32).flat_map(|length| (0..1_u32 << length).map(move |n| (length, n)));
        let letter = |n: u32, at: u32| if n >> at & 1 == 0 { 'a' } else { 'b' };
        let texts: Vec<String> = words
            .map(|(length, n)| (0..length).map(|at| letter(n, at)).collect())
            .collect();
        let patterns = [
            "", "*", "a", "b", "a*", "*a", "*b*", "a*b", "ab", "b*a*", "*ab*", "aab", "a*a",
        ];
        for one in patterns {
            for other in patterns {
                let (left, right) = (Glob::new(one), Glob::new(other));
                let expected = texts
                    .iter()
                    .any(|text| left.matches(text) && right.matches(text));
                assert_eq!(left.meets(&right), expected, "{one} {other}");
            }
        }
        assert!(Glob::new("*/gpt-*").meets(&Glob::new("openai/*")));
        assert!(!Glob::new("gtp-*").meets(&Glob::new("gpt-*")));
    }

    #[test]
    fn glob_pattern_prints_as_written() {
        for pattern in ["", "*", "a", "a*", "*a", "a*b*c"] {
            assert_eq!(Glob::new(pattern).pattern(), pattern);
        }
        assert_eq!(Glob::new("a***b").pattern(), "a*b");
    }
}
