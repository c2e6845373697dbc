//! Signatures that Gemini gives its calls and wants back with them, within ids of the Anthropic wire.
//!
//! That wire has no place for one on a call. An id comes back with the call from every client, and
//! takes letters, digits, `_` and `-`: the signature stands behind the provider's own id, the other
//! letters of base64 spelled with `-`.
//!
//! Promise: what [`split`] gives is what [`join`] was given; a signature of other letters, or longer
//! than [`SIGNATURE_BYTES_MAX`], is not carried.

use crate::json::raw::Raw;
use crate::json::tape::Value;
use crate::json::write::number_into;
use crate::wire::common::ids::fingerprint;

/// The signature of a call of the OpenAI wire: `extra_content.google.thought_signature`.
#[must_use]
pub fn of_call(call: Value<'_>) -> Option<Raw<'_>> {
    let signature = of_extra(call.get_set("extra_content")?)?.as_raw();
    signature.filter(|signature| !signature.is_empty())
}

/// The signature of a whole message, which Gemini 2.5 gives in two places.
#[must_use]
pub fn of_message(message: Value<'_>) -> Option<Raw<'_>> {
    let signature = of_call(message);
    signature.or_else(|| {
        let signature = message.get_set("thought_signature")?.as_raw();
        signature.filter(|signature| !signature.is_empty())
    })
}

/// The signature in `extra_content`.
#[must_use]
pub fn of_extra(extra: Value<'_>) -> Option<Value<'_>> {
    extra.get_set("google")?.get_set("thought_signature")
}

/// Appends the signature to the id in `id`; an empty one gets a name of its own. Tells whether it is
/// carried: else `id` is as it was.
pub fn join(id: &mut Vec<u8>, signature: Raw<'_>) -> bool {
    let signature = signature.decode();
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'_' | b'-');
    if signature.len() > SIGNATURE_BYTES_MAX || !signature.bytes().all(known) {
        return false;
    }
    if id.is_empty() {
        id.extend_from_slice(b"call_");
        number_into(fingerprint(signature.as_bytes()), id);
    }
    id.extend_from_slice(MARK.as_bytes());
    for letter in signature.bytes() {
        if letter.is_ascii_alphanumeric() {
            id.push(letter);
            continue;
        }
        match SPELLED.iter().find(|(plain, _)| *plain == letter) {
            Some((_, spelled)) => id.extend_from_slice(&[b'-', *spelled]),
            None => id.push(letter),
        }
    }
    true
}

/// The provider's own id, and the signature that stands behind it.
#[must_use]
pub fn split(id: &str) -> (&str, Option<String>) {
    let Some((own, spelled)) = id.split_once(MARK) else {
        return (id, None);
    };
    let mut signature = String::with_capacity(spelled.len());
    let mut letters = spelled.bytes();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            b'-' => {
                let next = letters.next();
                let found = SPELLED.iter().find(|(_, spelled)| Some(*spelled) == next);
                match found {
                    Some((plain, _)) => *plain,
                    // Not of our making.
                    None => return (id, None),
                }
            }
            other => other,
        };
        signature.push(char::from(plain));
    }
    (own, Some(signature))
}

/// Longest signature that is carried.
pub const SIGNATURE_BYTES_MAX: usize = 64 * 1024;
const MARK: &str = "__thought__";
const SPELLED: [(u8, u8); 4] = [(b'+', b'p'), (b'/', b's'), (b'=', b'e'), (b'-', b'-')];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b5_what_is_joined_is_split_again_and_fits_an_id() {
        for (id, signature) in [
            ("call_1", "CpwB+/a=="),
            ("function-call-7", "a-_b--"),
            ("x", "__thought__"),
        ] {
            let mut joined = id.as_bytes().to_vec();
            assert!(join(&mut joined, Raw::from_checked(signature.as_bytes())));
            let joined = String::from_utf8(joined).unwrap();
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            assert!(joined.chars().all(fits), "{joined}");
            assert_eq!(split(&joined), (id, Some(signature.to_owned())));
        }
        let mut made = Vec::new();
        assert!(join(&mut made, Raw::from_checked(b"Cg==")));
        let made = String::from_utf8(made).unwrap();
        let (own, signature) = split(&made);
        assert!(own.starts_with("call_") && own.len() > 5);
        assert_eq!(signature.as_deref(), Some("Cg=="));
    }

    #[test]
    fn signatures_of_other_letters_or_too_long_are_not_carried() {
        let longest = "a".repeat(SIGNATURE_BYTES_MAX);
        let mut id = b"c".to_vec();
        assert!(join(&mut id, Raw::from_checked(longest.as_bytes())));
        for signature in ["a b", "\\u00e9", &format!("{longest}a")] {
            let mut id = b"c".to_vec();
            assert!(!join(&mut id, Raw::from_checked(signature.as_bytes())));
            assert_eq!(id, b"c");
        }
        assert_eq!(split("call_1"), ("call_1", None));
        assert_eq!(split("call_1__thought__-x"), ("call_1__thought__-x", None));
    }
}
