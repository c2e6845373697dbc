//! Finds a word that may be spelt with the escapes of JSON strings.
//!
//! A letter is itself, `\u` with its number, `\/` or `\"`; a string within a string doubles the
//! backslashes, so one to four of them count as one. What a run has beyond them stands for itself,
//! and only whole escapes are taken for letters: blanking them leaves the string valid. A backslash
//! that is a letter itself is written as one, two or four, the same all over a word.
//!
//! Work per byte is bounded by the length of the word.

use core::ops::Range;

/// What was found of a word.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// All of it.
    Whole(Range<usize>),
    /// The text ends within what may be the word, which starts here.
    Open(usize),
    /// Nothing.
    Nothing,
}

/// Whether `text` has an escape of one of the word's letters, or ends within an escape: else the word,
/// if it has no backslash, stands there plainly or not at all.
#[must_use]
pub fn may_stand_in(word: &[u8], text: &[u8]) -> bool {
    let mut passed = 0;
    memchr::memchr_iter(b'\\', text).any(|at| {
        if at < passed {
            return false;
        }
        let start = at + odd(text, at);
        let letter = letter(text, start);
        passed = start + backslashes(text, start);
        match letter {
            Letter::Is(byte, _) => memchr::memchr(byte, word).is_some(),
            Letter::Cut => true,
            Letter::Other => false,
        }
    })
}

/// The first spelling of `word` in `text` from `from` on.
#[must_use]
pub fn find(word: &[u8], text: &[u8], from: usize) -> Found {
    let Some(&first) = word.first() else {
        return Found::Nothing;
    };
    let rest = text.get(from..).unwrap_or_default();
    let mut passed = from;
    for at in memchr::memchr2_iter(first, b'\\', rest).map(|at| from + at) {
        if at < passed {
            continue;
        }
        let mut start = at;
        if text.get(at) == Some(&b'\\') {
            start += odd(text, at);
            passed = start + backslashes(text, start);
        }
        match spelt(word, text, start) {
            Found::Nothing => {}
            found => return found,
        }
    }
    Found::Nothing
}

/// What stands at `start`, if it is the word.
fn spelt(word: &[u8], text: &[u8], start: usize) -> Found {
    let mut found = Found::Nothing;
    for width in [1, 2, BACKSLASHES_MAX] {
        match spelt_by(width, word, text, start) {
            whole @ Found::Whole(_) => return whole,
            open @ Found::Open(_) => found = open,
            Found::Nothing => {}
        }
        if memchr::memchr(b'\\', word).is_none() {
            break;
        }
    }
    found
}

/// What stands at `start`, if it is the word with so many backslashes for one.
fn spelt_by(width: usize, word: &[u8], text: &[u8], start: usize) -> Found {
    let mut at = start;
    for &wanted in word {
        if at == text.len() {
            return Found::Open(start);
        }
        if wanted == b'\\' && text.get(at) == Some(&b'\\') {
            let run = backslashes(text, at).min(width);
            if run == width {
                at += width;
                continue;
            }
            if at + run == text.len() {
                return Found::Open(start);
            }
        }
        match letter(text, at) {
            Letter::Is(byte, len) if byte == wanted => at += len,
            Letter::Cut => return Found::Open(start),
            Letter::Is(..) | Letter::Other => return Found::Nothing,
        }
    }
    Found::Whole(start..at)
}

enum Letter {
    /// This one, in so many bytes.
    Is(u8, usize),
    /// The text ends within an escape.
    Cut,
    /// No letter of any word that is looked for.
    Other,
}

fn letter(text: &[u8], at: usize) -> Letter {
    let Some(&byte) = text.get(at) else {
        return Letter::Cut;
    };
    if byte != b'\\' {
        return Letter::Is(byte, 1);
    }
    let run = backslashes(text, at);
    let rest = text.get(at + run..).unwrap_or_default();
    match rest.split_first() {
        _ if run > BACKSLASHES_MAX => Letter::Other,
        None => Letter::Cut,
        Some((b'/', _)) => Letter::Is(b'/', run + 1),
        // Behind an even run it ends the string.
        Some((b'"', _)) if run % 2 == 1 => Letter::Is(b'"', run + 1),
        Some((b'u', digits)) => numbered(digits, run + 1),
        Some(_) => Letter::Other,
    }
}

/// The letter whose four digits follow `len` bytes of its escape.
fn numbered(digits: &[u8], len: usize) -> Letter {
    let digits = digits.get(..4).unwrap_or(digits);
    let number = digits.iter().try_fold(0, |number: u32, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    });
    match number.map(u8::try_from) {
        Some(_) if digits.len() < 4 => Letter::Cut,
        Some(Ok(byte)) if byte.is_ascii() => Letter::Is(byte, len + 4),
        _ => Letter::Other,
    }
}

/// Backslashes in a row from `at` on.
fn backslashes(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| **byte == b'\\').count()
}

/// How many backslashes of the run at `at` stand for themselves: pairs, so that what remains is an
/// escape that is whole.
fn odd(text: &[u8], at: usize) -> usize {
    let over = backslashes(text, at).saturating_sub(BACKSLASHES_MAX);
    over + over % 2
}

const BACKSLASHES_MAX: usize = 4;
/// Bytes of one letter in its longest spelling.
#[cfg(test)]
pub(in crate::translate) const LETTER_BYTES_MAX: usize = BACKSLASHES_MAX + 5;

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &[u8] = b"sk-1/a";

    #[test]
    fn words_are_found_in_every_spelling_and_near_misses_are_not() {
        for (text, expected) in [
            ("a sk-1/a", Found::Whole(2..8)),
            (r"sk\u002d1/a", Found::Whole(0..11)),
            (r"sk\u002D1\/a", Found::Whole(0..12)),
            (r"\n\u0073k-1/a", Found::Whole(2..13)),
            (r"\\\\\\u0073k-1/a", Found::Whole(2..16)),
            (r"\\\\\u0073k-1/a", Found::Whole(2..15)),
            (r"sksk-1\\/a", Found::Whole(2..10)),
            (r"sk\u012d1/a", Found::Nothing),
            (r"sk\u00ad1/a", Found::Nothing),
            (r"sk\\\\\u002d1/a", Found::Nothing),
            (r"sk\-1/a", Found::Nothing),
            (r"sk\u02-1/a", Found::Nothing),
            (r"a sk\u002d", Found::Open(2)),
            (r"a sk\u00", Found::Open(2)),
            (r"a sk\", Found::Open(2)),
            (r"a \", Found::Open(2)),
            (r"a \\\\\", Found::Open(4)),
            ("a s", Found::Open(2)),
            ("a ", Found::Nothing),
        ] {
            assert_eq!(find(WORD, text.as_bytes(), 0), expected, "{text}");
        }
        assert_eq!(find(b"", b"text", 0), Found::Nothing);
    }

    #[test]
    fn quotes_and_backslashes_of_a_word_are_found_in_every_spelling() {
        const ODD: &[u8] = br#"k"1\\z\2"#;
        for (text, expected) in [
            (r#"a k"1\\z\2"#, Found::Whole(2..10)),
            (r#"a k\"1\\\\z\\2"#, Found::Whole(2..14)),
            (r#"a k\u00221\u005c\\z\\2"#, Found::Whole(2..22)),
            (r#"a k\\\"1\\\\\\\\z\\\\2"#, Found::Whole(2..22)),
            (r#"a k\\"1\\\\z\\2"#, Found::Nothing),
            (r#"a k\"1\\\z\\2"#, Found::Nothing),
            (r#"a k\"1\\\\z\"#, Found::Open(2)),
            (r#"a k\"1\\\"#, Found::Open(2)),
            (r#"a k\"#, Found::Open(2)),
        ] {
            assert_eq!(find(ODD, text.as_bytes(), 0), expected, "{text}");
        }
    }

    #[test]
    fn texts_without_an_escape_of_the_words_letters_are_passed_over() {
        for text in [
            "sk-1/a",
            r#"{\"a\":\n\\\u00e9\u0078}"#,
            r"\\\\\\\\\\u0-",
            "",
        ] {
            assert!(!may_stand_in(WORD, text.as_bytes()), "{text}");
        }
        for text in [
            r"\u0073",
            r"a\/",
            r"\\u002d",
            "\\",
            r"\u00",
            r"\\\\\\\u0031",
        ] {
            assert!(may_stand_in(WORD, text.as_bytes()), "{text}");
        }
    }
}
