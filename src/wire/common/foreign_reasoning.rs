//! Signatures and encrypted reasoning of other models, within blocks of the Anthropic wire.
//!
//! Services that pass many models on (OpenRouter) want such reasoning back with its format and id,
//! for which that wire has no place. Its clients send a block's `signature` or `data` back as it
//! was: format and id stand before it, behind a mark.
//!
//! Two more things travel in a `signature`: that a thinking block's text is a `reasoning.summary`, with
//! the format and id of that entry, and a signature of the whole message (Gemini 2.5).
//!
//! Promise: what [`split`] gives of a spelling is what [`join`], [`summary`] or [`message`] was given;
//! formats and ids of other letters, or longer than 128 bytes, are not carried.

use crate::chat::opaque::{Opaque, Seal};
use crate::json::raw::Raw;

/// A string with what its service wants back beside it, where both can be carried. An id may be empty.
#[must_use]
pub fn join<'a>(format: Raw<'a>, id: Raw<'a>, data: Raw<'a>) -> Option<Opaque<'a>> {
    let is_carried = !format.is_empty() && is_name(format) && is_name(id);
    is_carried.then_some(Opaque {
        data,
        origin: Some([format, id]),
        seal: Seal::Block,
    })
}

/// The mark of a summary's text. Format and id may be empty; those that cannot be carried are.
#[must_use]
pub fn summary<'a>(format: Raw<'a>, id: Raw<'a>) -> Opaque<'a> {
    let carried = |name: Raw<'a>| if is_name(name) { name } else { Raw::EMPTY };
    Opaque {
        data: Raw::EMPTY,
        origin: Some([carried(format), carried(id)]),
        seal: Seal::Summary,
    }
}

/// A signature of the whole message.
#[must_use]
pub const fn message(data: Raw<'_>) -> Opaque<'_> {
    Opaque {
        data,
        origin: None,
        seal: Seal::Message,
    }
}

/// What such a string is spelt as on the Anthropic wire, piece by piece.
#[must_use]
pub const fn spelt<'a>(opaque: &Opaque<'a>) -> [Raw<'a>; 7] {
    let none = Raw::EMPTY;
    let [format, id] = match opaque.origin {
        Some(origin) => origin,
        None => [none, none],
    };
    let kind = match (opaque.seal, opaque.origin) {
        (Seal::Block, None) => return [none, none, none, none, none, none, opaque.data],
        (Seal::Block, Some(_)) => none,
        (Seal::Summary, _) => SUMMARY,
        (Seal::Message, _) => MESSAGE,
    };
    [MARK, kind, format, GAP, id, GAP, opaque.data]
}

/// What [`spelt`] made such a spelling of; nothing of any other.
#[must_use]
pub fn split(sealed: Raw<'_>) -> Option<Opaque<'_>> {
    let rest = sealed.bytes().strip_prefix(MARK.bytes())?;
    let mut parts = rest.splitn(3, |byte| *byte == b':');
    let [kind, id, data] = [parts.next()?, parts.next()?, parts.next()?];
    let [id, data] = [id, data].map(Raw::from_checked);
    if let Some(format) = kind.strip_prefix(SUMMARY.bytes()) {
        let format = Raw::from_checked(format);
        return (is_name(format) && is_name(id) && data.is_empty()).then(|| summary(format, id));
    }
    if let Some(rest) = kind.strip_prefix(MESSAGE.bytes()) {
        return (rest.is_empty() && id.is_empty() && !data.is_empty()).then(|| message(data));
    }
    join(Raw::from_checked(kind), id, data)
}

/// The signature of a whole message that a thinking block's signature carries.
#[must_use]
pub fn of_message(signature: Option<Raw<'_>>) -> Option<Raw<'_>> {
    let sealed = split(signature?)?;
    (sealed.seal == Seal::Message).then_some(sealed.data)
}

/// Letters that need no escape and are no gap.
fn is_name(name: Raw<'_>) -> bool {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    name.bytes().len() <= NAME_BYTES_MAX && name.bytes().iter().all(known)
}

const NAME_BYTES_MAX: usize = 128;
/// What every such string opens with; no base64 does.
pub const MARK: Raw<'static> = Raw::from_checked(b"ringway:");
const GAP: Raw<'static> = Raw::from_checked(b":");
/// Before the format of a summary. No format holds the letter at its end.
const SUMMARY: Raw<'static> = Raw::from_checked(b"summary/");
/// Before the signature of a whole message, which has neither format nor id.
const MESSAGE: Raw<'static> = Raw::from_checked(b"message/");

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::from_checked(text.as_bytes())
    }

    #[test]
    fn what_was_joined_is_split_and_nothing_else() {
        let long = "i".repeat(NAME_BYTES_MAX);
        let longer = &"i".repeat(NAME_BYTES_MAX + 1);
        for (format, id, data) in [
            ("openai-responses-v1", "rs_1", "gAAA=="),
            ("google-gemini-v1", "", ""),
            ("unknown", "a.b", r"a:b:\u00e9:ringway:"),
            ("f", long.as_str(), "d"),
        ] {
            let parts = spelt(&join(raw(format), raw(id), raw(data)).unwrap());
            let joined: Vec<u8> = parts.iter().flat_map(|it| it.bytes()).copied().collect();
            let found = split(Raw::from_checked(&joined)).unwrap();
            assert_eq!(found.seal, Seal::Block);
            let found = [
                found.origin.unwrap()[0],
                found.origin.unwrap()[1],
                found.data,
            ];
            assert_eq!(found.map(Raw::bytes), [format, id, data].map(str::as_bytes));
        }
        for opaque in [
            summary(raw("openai-responses-v1"), raw("rs_1")),
            summary(raw(""), raw("")),
            summary(raw("a b"), raw(longer)),
            message(raw("CpwB+/a==:x")),
        ] {
            let spelling: Vec<u8> = spelt(&opaque)
                .iter()
                .flat_map(|it| it.bytes())
                .copied()
                .collect();
            let found = split(Raw::from_checked(&spelling)).unwrap();
            assert_eq!(
                (found.seal, found.data.bytes()),
                (opaque.seal, opaque.data.bytes())
            );
            let names = |it: Opaque<'_>| it.origin.map(|two| two.map(|name| name.bytes().to_vec()));
            assert_eq!(names(found), names(opaque));
        }
        for (format, id) in [
            ("", "i"),
            ("f:", "i"),
            ("f", "i:"),
            (r"\u0066", ""),
            ("f", longer.as_str()),
            ("summary/f", "i"),
        ] {
            assert!(
                join(raw(format), raw(id), raw("d")).is_none(),
                "{format} {id}"
            );
        }
        for data in [
            "",
            "EvsCCkgI",
            "ringway:",
            "ringway:f:i",
            "ringway::i:d",
            "ringway:f g:i:d",
            "ringway:summary/f:i:d",
            "ringway:message/:i:d",
            "ringway:message/::",
        ] {
            assert!(split(raw(data)).is_none(), "{data}");
        }
    }
}
