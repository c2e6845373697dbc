//! Ids for what a provider left without one, and the letters of ids.
//!
//! A made id is a pure function of the exchange's seed and a number, so the same input gives the same
//! bytes.

use core::fmt::Write as _;
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
    fingerprint_on(0xcbf2_9ce4_8422_2325, id)
}

/// The fingerprint of an id that goes on with `more`, from the one of its start.
#[must_use]
pub fn fingerprint_on(start: u64, more: &[u8]) -> u64 {
    let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    more.iter().fold(start, fold)
}

/// A call's id in the letters that the Anthropic wire takes, and takes back: every other byte is
/// `_x2e_` (by its number), which [`own`] undoes. Some models name their calls by a pattern of their
/// own (`functions.f:0`) and go by it in a history.
#[must_use]
pub fn spell_reversibly(id: Raw<'_>) -> Cow<'_, [u8]> {
    let bytes = id.bytes();
    let is_spelled = |at: usize| spelled_at(&bytes[at..]).is_some();
    if (0..bytes.len()).all(|at| is_letter(bytes[at]) && !is_spelled(at)) {
        return Cow::Borrowed(bytes);
    }
    let id = id.decode();
    let mut legal = String::with_capacity(id.len() + 16);
    for (at, byte) in id.bytes().enumerate() {
        if is_letter(byte) && spelled_at(&id.as_bytes()[at..]).is_none() {
            legal.push(char::from(byte));
        } else {
            // Into a String it cannot fail.
            let _ = write!(legal, "_x{byte:02x}_");
        }
    }
    Cow::Owned(legal.into_bytes())
}

/// The id that [`spell_reversibly`] spelled so; what it cannot have spelled is its own.
#[must_use]
pub fn own(id: Cow<'_, str>) -> Cow<'_, str> {
    if !id.contains("_x") {
        return id;
    }
    let (mut own, mut rest) = (Vec::with_capacity(id.len()), id.as_bytes());
    while let Some((&first, behind)) = rest.split_first() {
        let spelled = spelled_at(rest);
        own.push(spelled.unwrap_or(first));
        rest = if spelled.is_some() {
            &rest[SPELLED_BYTES..]
        } else {
            behind
        };
    }
    String::from_utf8(own).map_or(id, Cow::Owned)
}

/// The byte that is spelled at the start of this text.
fn spelled_at(text: &[u8]) -> Option<u8> {
    let [b'_', b'x', high, low, b'_', ..] = *text else {
        return None;
    };
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let byte = digit(high)? * 16 + digit(low)?;
    (byte == b'_' || !is_letter(byte)).then_some(byte)
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

/// Bytes of one that is spelled: `_x2e_`.
const SPELLED_BYTES: usize = 5;

/// Spreads the bits of a word (the finaliser of splitmix64).
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use ringway_test_support::stride::STRIDE;

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
    fn letters_that_no_id_may_hold_are_spelled_out_and_come_back() {
        for (id, expected) in [
            ("toolu_01-a", "toolu_01-a"),
            ("functions.f:0", "functions_x2e_f_x3a_0"),
            (r#"a\"b\u00e9/"#, "a_x22_b_xc3__xa9__x2f_"),
            ("a_x2e_b", "a_x5f_x2e_b"),
            ("_x5f__x2e_", "_x5f_x5f__x5f_x2e_"),
            ("_x61_ _xG0_ _x2", "_x61__x20__xG0__x20__x2"),
            ("__", "__"),
            ("", ""),
        ] {
            let id = Raw::from_checked(id.as_bytes());
            let spelled = String::from_utf8(spell_reversibly(id).into_owned()).unwrap();
            assert_eq!(spelled, expected);
            assert_eq!(own(Cow::Borrowed(&spelled)), id.decode());
        }
        // Not of our making.
        assert_eq!(own(Cow::Borrowed("a_xff_b")), "a_xff_b");
    }

    #[test]
    fn any_id_of_few_letters_comes_back() {
        let letters = ["_", "x", "5", "f", "_x5f_", "_x2e_", ".", "\u{e9}"];
        for number in (0..letters.len().pow(4)).step_by(STRIDE) {
            let digit = |place: u32| letters[number / letters.len().pow(place) % letters.len()];
            let id: String = (0..4).map(digit).collect();
            let spelled = spell_reversibly(Raw::from_checked(id.as_bytes())).into_owned();
            assert!(spelled.iter().all(|byte| is_letter(*byte)));
            assert_eq!(own(String::from_utf8(spelled).unwrap().into()), id);
        }
    }
}
