//! The byte rules of HTTP/1.1 that several files need: tokens, values, numbers, lists.
//!
//! Stricter than RFC 9110 where a second reading would be possible: numbers have one spelling.

/// Whether `byte` may stand in a token (RFC 9110 section 5.6.2).
#[must_use]
pub const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether `text` is a token: a method or a field name.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is_token_byte(b))
}

/// Whether `byte` may stand in a field value: printable, blank, tab, or beyond ASCII.
#[must_use]
pub const fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7F)
}

/// Whether `text` can be sent as a field value: no control bytes, so no second line either.
///
/// Looks at every byte even after a bad one: without the early way out the compiler compares
/// vectors, and values are good but for attacks.
#[must_use]
pub fn is_value(text: &[u8]) -> bool {
    let bad = text
        .iter()
        .fold(0, |bad, &b| bad | u8::from(!is_value_byte(b)));
    bad == 0
}

/// `text` without blanks and tabs around it.
#[must_use]
pub fn trim(text: &[u8]) -> &[u8] {
    let blank = |b: &&u8| matches!(b, b' ' | b'\t');
    let start = text.iter().take_while(blank).count();
    let rest = text.get(start..).unwrap_or_default();
    let tail = rest.iter().rev().take_while(blank).count();
    rest.get(..rest.len() - tail).unwrap_or_default()
}

/// The members of a comma-separated list, trimmed, empty ones left out.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&b| b == b',')
        .map(trim)
        .filter(|member| !member.is_empty())
}

/// A plain decimal: digits only, no leading zeros, in range.
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || (text.len() > 1 && text.first() == Some(&b'0')) {
        return None;
    }
    text.iter()
        .try_fold(0, |number, &digit| append_digit(number, digit, 10))
}

/// `number` with one more digit behind it; nothing if that is no digit or does not fit. Every
/// length and chunk size is read through here.
#[must_use]
pub fn append_digit(number: u64, digit: u8, radix: u32) -> Option<u64> {
    let digit = char::from(digit).to_digit(radix)?;
    number
        .checked_mul(u64::from(radix))?
        .checked_add(u64::from(digit))
}

const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        let b = byte as u8;
        token[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    token
};

#[cfg(test)]
mod tests;
