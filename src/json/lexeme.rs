//! Strings and numbers of JSON, each by itself.
//!
//! Not here: what stands between them (see `scan`), decoding of escapes (see `raw`).

use crate::json::error::{JsonError, JsonErrorKind};

/// The offset behind the string body that starts at `start` (where its closing quote stands), and
/// whether it holds an escape. Only strings can hold bytes beyond ASCII, and only those that do
/// are checked to be UTF-8: a second pass over all of the text costs as much as the first.
///
/// # Errors
/// The first fault of the string.
#[inline]
pub fn string_end(text: &[u8], start: usize) -> Result<(usize, bool), JsonError> {
    match short_string_end(text, start) {
        Ok(end) => Ok((end, false)),
        Err(plain) => long_string_end(text, start, plain),
    }
}

/// The end of a string body that is plain ASCII and ends within four words: most names and many values
/// do, and are found here without a call. Of any other, up to where it is known to be plain.
#[inline]
fn short_string_end(text: &[u8], start: usize) -> Result<usize, usize> {
    let mut at = start;
    for _ in 0..SHORT_WORDS {
        let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk()) else {
            break;
        };
        let hits = foreign_bytes(u64::from_le_bytes(*bytes));
        if hits != 0 {
            at += hits.trailing_zeros() as usize / 8;
            let ends = text.get(at) == Some(&b'"');
            return if ends { Ok(at) } else { Err(at) };
        }
        at += 8;
    }
    Err(at)
}

/// The same for any string; the bytes up to `at` are known to be plain.
fn long_string_end(text: &[u8], start: usize, mut at: usize) -> Result<(usize, bool), JsonError> {
    let mut escaped = false;
    let mut ascii = true;
    loop {
        let (stop, plain_ascii) = skip_plain(text, at);
        at = stop;
        ascii &= plain_ascii;
        match text.get(at) {
            Some(b'"') => break,
            Some(b'\\') => {
                escaped = true;
                at = escape_end(text, at)?;
            }
            Some(_) => {
                return Err(JsonError {
                    kind: JsonErrorKind::ControlByte,
                    at,
                });
            }
            None => {
                return Err(JsonError {
                    kind: JsonErrorKind::Cut,
                    at: text.len(),
                });
            }
        }
    }
    if !ascii && let Err(fault) = core::str::from_utf8(text.get(start..at).unwrap_or_default()) {
        return Err(JsonError {
            kind: JsonErrorKind::Utf8,
            at: start + fault.valid_up_to(),
        });
    }
    Ok((at, escaped))
}

/// How many bytes of `text` come before the first that a string body must escape.
#[must_use]
pub fn plain_length(text: &[u8]) -> usize {
    skip_plain(text, 0).0
}

/// The offset of the first byte at or after `at` that is a quote, a backslash or a control byte,
/// and whether all bytes before it are ASCII.
///
/// Three gears, each taken when the one before found nothing: words of 8 bytes, whose first hit is
/// found by arithmetic alone; blocks of 64, which the compiler turns into vector compares and
/// which make base64 images cheap; single bytes at the very end of the text.
fn skip_plain(text: &[u8], mut at: usize) -> (usize, bool) {
    let mut rest = text.get(at..).unwrap_or_default();
    let mut high = 0u64;
    loop {
        for _ in 0..WORDS_BEFORE_BLOCKS {
            let Some((bytes, after)) = rest.split_first_chunk::<8>() else {
                return skip_plain_tail(rest, at, high);
            };
            let word = u64::from_le_bytes(*bytes);
            let hits = special_bytes(word);
            if hits != 0 {
                let lowest = hits & hits.wrapping_neg();
                high |= word & (lowest - 1);
                at += hits.trailing_zeros() as usize / 8;
                return (at, high & HIGH_BITS == 0);
            }
            high |= word;
            at += 8;
            rest = after;
        }
        while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
            let (special, beyond_ascii) = survey(block);
            if special {
                break;
            }
            high |= u64::from(beyond_ascii) << 7;
            at += BLOCK;
            rest = after;
        }
    }
}

fn skip_plain_tail(rest: &[u8], at: usize, mut high: u64) -> (usize, bool) {
    let plain = rest
        .iter()
        .take_while(|&&b| b >= 0x20 && b != b'"' && b != b'\\')
        .inspect(|&&b| high |= u64::from(b))
        .count();
    (at + plain, high & HIGH_BITS == 0)
}

/// The high bit of the first byte of `word` that is a quote, a backslash or below 0x20. Bits above
/// it mean nothing: a borrow may have run through them.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let hits = (quote.wrapping_sub(ONES) & !quote)
        | (backslash.wrapping_sub(ONES) & !backslash)
        | (word.wrapping_sub(ONES * 0x20) & !word);
    hits & HIGH_BITS
}

/// The same of the first byte that is one of these or beyond ASCII, in fewer steps: below it no byte has a
/// high bit, and none borrows.
const fn foreign_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    (quote | backslash | control | word) & HIGH_BITS
}

/// Whether a block holds a quote, a backslash or a control byte, and whether one beyond ASCII.
fn survey(block: &[u8; BLOCK]) -> (bool, bool) {
    let mut special = 0u8;
    let mut high = 0u8;
    for &b in block {
        special |= u8::from(b == b'"') | u8::from(b == b'\\') | u8::from(b < 0x20);
        high |= b;
    }
    (special != 0, high >= 0x80)
}

fn escape_end(text: &[u8], at: usize) -> Result<usize, JsonError> {
    match text.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => {
            for digit in at + 2..at + 6 {
                match text.get(digit) {
                    Some(b) if b.is_ascii_hexdigit() => {}
                    Some(_) => {
                        return Err(JsonError {
                            kind: JsonErrorKind::Escape,
                            at: digit,
                        });
                    }
                    None => {
                        return Err(JsonError {
                            kind: JsonErrorKind::Cut,
                            at: text.len(),
                        });
                    }
                }
            }
            Ok(at + 6)
        }
        Some(_) => Err(JsonError {
            kind: JsonErrorKind::Escape,
            at: at + 1,
        }),
        None => Err(JsonError {
            kind: JsonErrorKind::Cut,
            at: text.len(),
        }),
    }
}

/// The offset behind the number that starts at `start`.
///
/// # Errors
/// The first fault of the number.
pub(in crate::json) fn number_end(text: &[u8], start: usize) -> Result<usize, JsonError> {
    let digits = |from: usize| {
        from + text
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let fault = |at: usize| JsonError {
        kind: if at < text.len() {
            JsonErrorKind::Number
        } else {
            JsonErrorKind::Cut
        },
        at,
    };
    let whole = if text.get(start) == Some(&b'-') {
        start + 1
    } else {
        start
    };
    let mut at = digits(whole);
    if at == whole {
        return Err(fault(at));
    }
    if text.get(whole) == Some(&b'0') && at > whole + 1 {
        return Err(fault(whole + 1));
    }
    if text.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(fraction);
        if at == fraction {
            return Err(fault(at));
        }
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        let exponent = at + 1 + sign;
        at = digits(exponent);
        if at == exponent {
            return Err(fault(at));
        }
    }
    Ok(at)
}

/// Bytes looked at together in long strings.
const BLOCK: usize = 64;

/// Words in which a short string ends.
const SHORT_WORDS: usize = 4;

/// Words looked at before blocks are tried: most strings end within them.
const WORDS_BEFORE_BLOCKS: usize = 8;

/// The high bit of each byte of a word.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
