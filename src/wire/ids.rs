//! Ids for what a provider left without one, and the letters of ids.
//!
//! A made id is a pure function of the exchange's seed and a number, so the same input gives the same
//! bytes.

use std::borrow::Cow;

use crate::json::raw::Raw;

/// Appends 24 base-62 digits that stand for `number` in the exchange of `seed`.
pub fn push_id(seed: u64, number: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut state = mix(seed ^ mix(number));
    for place in 0..24u64 {
        if place % 8 == 0 {
            state = mix(state.wrapping_add(place + 1));
        }
        let digit = usize::try_from(state % 62).unwrap_or_default();
        out.extend(DIGITS.get(digit));
        state /= 62;
    }
}

/// A 64-bit fingerprint of an id, to find repeated ones without keeping them.
#[must_use]
pub fn fingerprint(id: &[u8]) -> u64 {
    let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    id.iter().fold(0xcbf2_9ce4_8422_2325, fold)
}

/// A call's id in the letters that the Anthropic wire takes, and takes back: what it is, or `_` for any
/// other.
#[must_use]
pub fn legal(id: Raw<'_>) -> Cow<'_, [u8]> {
    if id.bytes().iter().all(|byte| is_letter(*byte)) {
        return Cow::Borrowed(id.bytes());
    }
    Cow::Owned(spelled(id))
}

#[cold]
fn spelled(id: Raw<'_>) -> Vec<u8> {
    let spelled: String = id.decode().chars().map(letter).collect();
    spelled.into_bytes()
}

/// The character, or `_` for one that ids and names of tools may not hold.
#[must_use]
pub fn letter(c: char) -> char {
    match u8::try_from(c) {
        Ok(byte) if is_letter(byte) => c,
        _ => '_',
    }
}

/// Whether ids and names of tools may hold it.
#[must_use]
pub const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Spreads the bits of a word (the finaliser of splitmix64).
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_seed_and_number_and_repeat_for_the_same() {
        let id = |seed, number| {
            let mut out = Vec::new();
            push_id(seed, number, &mut out);
            out
        };
        assert_eq!(id(1, 2), id(1, 2));
        assert_ne!(id(1, 2), id(2, 1));
        assert_ne!(id(1, 2), id(1, 3));
        assert_eq!(id(0, 0).len(), 24);
        assert!(id(7, 7).iter().all(u8::is_ascii_alphanumeric));
    }

    #[test]
    fn letters_that_no_id_may_hold_are_spelled_out() {
        for (id, expected) in [
            ("toolu_01-a", "toolu_01-a"),
            ("functions.f:0", "functions_f_0"),
            (r#"a\"b\u00e9/"#, "a_b__"),
            ("", ""),
        ] {
            let id = Raw::from_checked(id.as_bytes());
            assert_eq!(*legal(id), *expected.as_bytes());
        }
    }
}
