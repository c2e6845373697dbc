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

/// Whether two texts are the same, letters' case aside: eight bytes at a time, the last of them twice.
/// Names of fields are compared all the time, and are not much longer.
#[inline]
#[must_use]
pub fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (Some(a_end), Some(b_end)) = (a.last_chunk(), b.last_chunk()) else {
        return is_same_short(a, b);
    };
    let pairs = a.as_chunks().0.iter().zip(b.as_chunks().0);
    is_same_word(*a_end, *b_end) && pairs.into_iter().all(|(a, b)| is_same_word(*a, *b))
}

/// The same of less than eight bytes.
#[inline]
fn is_same_short(a: &[u8], b: &[u8]) -> bool {
    let ends = |text: &[u8]| {
        let [a, b, c, d] = *text.first_chunk::<4>()?;
        let [e, f, g, h] = *text.last_chunk::<4>()?;
        Some([a, b, c, d, e, f, g, h])
    };
    match (ends(a), ends(b)) {
        (Some(a), Some(b)) => is_same_word(a, b),
        _ => a.eq_ignore_ascii_case(b),
    }
}

/// The same of eight bytes: no bit differs but that of the case, and that one in letters alone.
#[inline]
const fn is_same_word(a: [u8; 8], b: [u8; 8]) -> bool {
    let (a, b) = (u64::from_le_bytes(a), u64::from_le_bytes(b));
    (a ^ b) & !(letters(a) >> 2) == 0
}

#[inline]
const fn lower_word(word: [u8; 8]) -> [u8; 8] {
    let word = u64::from_le_bytes(word);
    (word | (letters(word) >> 2)).to_le_bytes()
}

/// The high bit of every byte that is a letter.
#[inline]
const fn letters(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES * 0x80;
    // No sum runs over into the next byte: the high bit of each is left out.
    let low = (word | (ONES * 0x20)) & !HIGH;
    let from_a = low.wrapping_add(ONES * (0x80 - b'a' as u64));
    let past_z = low.wrapping_add(ONES * (0x80 - b'z' as u64 - 1));
    from_a & !past_z & !word & HIGH
}

/// `text` in lower case, in `room`; nothing if that is too small. Eight bytes at a time, as above.
#[must_use]
pub fn lower<'r>(text: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
    let room = room.get_mut(..text.len())?;
    match (room.last_chunk_mut(), text.last_chunk()) {
        (Some(to), Some(from)) => *to = lower_word(*from),
        _ => {
            room.copy_from_slice(text);
            room.make_ascii_lowercase();
        }
    }
    let words = room.as_chunks_mut().0.iter_mut();
    for (to, from) in words.zip(text.as_chunks().0) {
        *to = lower_word(*from);
    }
    Some(room)
}

/// `text` without blanks and tabs around it.
#[must_use]
#[inline]
pub fn trim(text: &[u8]) -> &[u8] {
    match text {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => trim_blanks(text),
        _ => text,
    }
}

fn trim_blanks(text: &[u8]) -> &[u8] {
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
