//! Signatures and encrypted reasoning of other models, within blocks of the Anthropic wire.
//!
//! Services that pass many models on (OpenRouter) want such reasoning back with its format and id,
//! for which that wire has no place. Its clients send a block's `signature` or `data` back as it
//! was: format and id stand before it, behind a mark.
//!
//! Promise: what [`split`] gives of a spelling is what [`join`] was given; formats and ids of other
//! letters, or longer than 128 bytes, are not carried.

use crate::chat::response::Opaque;
use crate::json::raw::Raw;

/// A string with what its service wants back beside it, where both can be carried. An id may be empty.
#[must_use]
pub fn join<'a>(format: Raw<'a>, id: Raw<'a>, data: Raw<'a>) -> Option<Opaque<'a>> {
    let is_carried = !format.is_empty() && is_name(format) && is_name(id);
    is_carried.then_some(Opaque {
        data,
        origin: Some([format, id]),
    })
}

/// What such a string is spelt as on the Anthropic wire, piece by piece.
#[must_use]
pub const fn spelt<'a>(opaque: &Opaque<'a>) -> [Raw<'a>; 6] {
    match opaque.origin {
        Some([format, id]) => [MARK, format, GAP, id, GAP, opaque.data],
        None => {
            let none = Raw::EMPTY;
            [none, none, none, none, none, opaque.data]
        }
    }
}

/// Format, id and data of what [`spelt`] made of them; nothing of any other.
#[must_use]
pub fn split(sealed: Raw<'_>) -> Option<[Raw<'_>; 3]> {
    let rest = sealed.bytes().strip_prefix(MARK.bytes())?;
    let mut parts = rest.splitn(3, |byte| *byte == b':').map(Raw::from_checked);
    let [format, id, data] = [parts.next()?, parts.next()?, parts.next()?];
    join(format, id, data).map(|_| [format, id, data])
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

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::from_checked(text.as_bytes())
    }

    #[test]
    fn what_was_joined_is_split_and_nothing_else() {
        let long = "i".repeat(NAME_BYTES_MAX);
        for (format, id, data) in [
            ("openai-responses-v1", "rs_1", "gAAA=="),
            ("google-gemini-v1", "", ""),
            ("unknown", "a.b", r"a:b:\u00e9:ringway:"),
            ("f", long.as_str(), "d"),
        ] {
            let parts = spelt(&join(raw(format), raw(id), raw(data)).unwrap());
            let joined: Vec<u8> = parts.iter().flat_map(|it| it.bytes()).copied().collect();
            let found = split(Raw::from_checked(&joined)).unwrap();
            assert_eq!(found.map(Raw::bytes), [format, id, data].map(str::as_bytes));
        }
        let longer = "i".repeat(NAME_BYTES_MAX + 1);
        for (format, id) in [
            ("", "i"),
            ("f:", "i"),
            ("f", "i:"),
            (r"\u0066", ""),
            ("f", longer.as_str()),
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
        ] {
            assert!(split(raw(data)).is_none(), "{data}");
        }
    }
}
