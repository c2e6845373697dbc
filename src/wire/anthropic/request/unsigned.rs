//! Thinking without a signature, that of other models, and citations without an index, in a history
//! that goes to Anthropic as it stands.
//!
//! Answers translated from another wire carry thinking with an empty signature, because their
//! provider gave none; some clients send such blocks back without the member. A conversation that
//! moves to Anthropic sends them along, and is refused for them. Only those blocks go; every other byte
//! of the body stays, and so does thinking that is signed, with or without text. What carries another
//! model's signature or encrypted reasoning (`wire::sealed`) goes likewise. Web citations of such
//! answers have an empty `encrypted_index`, which is refused likewise: they go, and the text stays.
//!
//! Not here: translated requests (their reader never takes such blocks over).

use memchr::memmem;

use crate::json::rewrite::{Edits, MemberSpan};
use crate::json::tape::{JsonKind, Value};
use crate::wire::common::foreign_reasoning::{self, MARK};

/// Whether the body may hold such a block: one look at its bytes, so that almost no body is read
/// twice.
#[must_use]
pub fn may_stand_in(body: &[u8]) -> bool {
    let is_empty = |value: &[u8]| value.starts_with(br#""""#) || value.starts_with(b"null");
    let is_text = |value: &&[u8]| value.starts_with(b"\"");
    let texts = |name| values(body, name).filter(is_text).count();
    values(body, SIGNATURE).any(is_empty)
        || values(body, br#""encrypted_index""#).any(is_empty)
        || memmem::find(body, MARK.bytes()).is_some()
        || matches!(texts(br#""thinking""#), count @ 1.. if count > texts(SIGNATURE))
}

/// What follows each place where `name` is the name of a member.
fn values<'b>(body: &'b [u8], name: &'static [u8]) -> impl Iterator<Item = &'b [u8]> {
    memmem::find_iter(body, name).filter_map(move |at| {
        let rest = body.get(at + name.len()..)?.trim_ascii_start();
        Some(rest.strip_prefix(b":")?.trim_ascii_start())
    })
}

/// The edits that take such blocks out of a body, and messages that hold nothing else.
#[must_use]
pub fn edits(root: Value<'_>) -> Edits {
    let mut edits = Edits::new();
    let Some(messages) = root.get_set("messages") else {
        return edits;
    };
    let whole = elements(messages, holds_nothing_else);
    if messages.elements().count() > whole.len() {
        edits.remove_members(&whole);
    }
    for message in messages.elements() {
        if is_assistant(message) && !holds_nothing_else(message) {
            edits.remove_members(&elements(content(message), is_unsigned));
            for block in content(message).elements() {
                if let Some(citations) = block.get_set("citations") {
                    edits.remove_members(&elements(citations, is_unindexed));
                }
            }
        }
    }
    edits
}

fn is_assistant(message: Value<'_>) -> bool {
    message
        .get("role")
        .is_some_and(|role| role.is_str("assistant"))
}

fn content(message: Value<'_>) -> Value<'_> {
    message.get("content").unwrap_or(message)
}

fn holds_nothing_else(message: Value<'_>) -> bool {
    let mut blocks = content(message).elements();
    let first = blocks.next();
    is_assistant(message) && first.is_some_and(is_unsigned) && blocks.all(is_unsigned)
}

fn is_unsigned(block: Value<'_>) -> bool {
    let sealed = |data: Value<'_>| data.as_raw().and_then(foreign_reasoning::split).is_some();
    let unsigned = |signature: Value<'_>| {
        let is_empty = signature.as_raw().is_some_and(|it| it.is_empty());
        signature.is_null() || is_empty || sealed(signature)
    };
    let is = |name: &str| block.get("type").is_some_and(|kind| kind.is_str(name));
    (is("thinking") && block.get("signature").is_none_or(unsigned))
        || (is("redacted_thinking") && block.get("data").is_some_and(sealed))
}

fn is_unindexed(citation: Value<'_>) -> bool {
    let index = citation.get("encrypted_index");
    citation
        .get("type")
        .is_some_and(|kind| kind.is_str("web_search_result_location"))
        && index.is_some_and(|it| it.is_null() || it.as_raw().is_some_and(|it| it.is_empty()))
}

/// The elements of an array that `goes` picks, as they lie among the others.
fn elements(array: Value<'_>, goes: fn(Value<'_>) -> bool) -> Vec<MemberSpan> {
    let mut picked: Vec<MemberSpan> = Vec::new();
    if array.kind() != JsonKind::Array {
        return picked;
    }
    let mut before_end = 0;
    let mut last_picked = false;
    for (index, element) in array.elements().enumerate() {
        let span = element.span();
        if last_picked && let Some(last) = picked.last_mut() {
            last.after_start = Some(span.start);
        }
        last_picked = goes(element);
        if last_picked {
            picked.push(MemberSpan {
                index,
                start: span.start,
                end: span.end,
                before_end,
                after_start: None,
            });
        }
        before_end = span.end;
    }
    picked
}

const SIGNATURE: &[u8] = br#""signature""#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::tape::Tape;

    const UNSIGNED: &str = r#"{"type":"thinking","thinking":"t","signature": ""}"#;
    const SIGNED: &str = r#"{"type":"thinking","thinking":"","signature":"c2ln"}"#;
    const TEXT: &str = r#"{"type":"text","text":"\"signature\":\"\""}"#;

    fn check(messages: &str, expected: &str) {
        let body = format!(r#"{{ "model":"m", "messages" : [{messages}] , "max_tokens":1.0}}"#);
        let expected = body.replace(messages, expected);
        let mut tape = Tape::new();
        let edits = edits(tape.read(body.as_bytes(), 16, 200).unwrap());
        let mut out = Vec::new();
        edits.apply(body.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(edits.is_empty() || may_stand_in(body.as_bytes()), "{body}");
    }

    fn assistant(blocks: &str) -> String {
        format!(r#"{{"role":"assistant","content":[{blocks}]}}"#)
    }

    #[test]
    fn b2_unsigned_thinking_goes_and_every_other_byte_stays() {
        let user = r#"{"role":"user","content":"hi"}"#;
        let null = UNSIGNED.replace("\"\"", "null");
        let none = UNSIGNED.replace(",\"signature\": \"\"", "");
        let cases = [
            (format!("{UNSIGNED}, {TEXT}"), TEXT.to_owned()),
            (format!("{TEXT} ,{UNSIGNED}"), TEXT.to_owned()),
            (format!("{UNSIGNED},{null}, {TEXT}"), TEXT.to_owned()),
            (format!("{none}, {TEXT}"), TEXT.to_owned()),
            (
                format!("{SIGNED}, {none}, {TEXT}"),
                format!("{SIGNED}, {TEXT}"),
            ),
            (
                format!("{SIGNED},{UNSIGNED} ,{TEXT}"),
                format!("{SIGNED} ,{TEXT}"),
            ),
            (format!("{SIGNED}, {TEXT}"), format!("{SIGNED}, {TEXT}")),
        ];
        for (blocks, left) in cases {
            let messages = |blocks: &str| format!("{user}, {}", assistant(blocks));
            check(&messages(&blocks), &messages(&left));
        }
    }

    #[test]
    fn b3_reasoning_that_other_models_signed_goes_and_that_of_claude_stays() {
        let block = |data: &str| format!(r#"{{"type":"redacted_thinking","data":"{data}"}}"#);
        let (theirs, own) = (
            block("ringway:openai-responses-v1:rs_1:gA=="),
            block("EvsC"),
        );
        check(
            &assistant(&format!("{theirs}, {own} ,{TEXT}")),
            &assistant(&format!("{own} ,{TEXT}")),
        );
        let signed = SIGNED.replace("c2ln", "ringway:google-gemini-v1::CiQ=");
        check(
            &assistant(&format!("{SIGNED}, {signed} ,{TEXT}")),
            &assistant(&format!("{SIGNED} ,{TEXT}")),
        );
        let odd = assistant(&format!("{},{TEXT}", block("ringway:of the user")));
        check(&odd, &odd);
    }

    #[test]
    fn b2_message_of_nothing_else_goes_as_a_whole() {
        let (user, gone) = (r#"{"role":"user","content":"hi"}"#, assistant(UNSIGNED));
        check(
            &format!("{user}, {gone} , {user}"),
            &format!("{user} , {user}"),
        );
        check(&format!("{gone}, {user}"), user);
        // A body of nothing else at all is the provider's to refuse.
        check(&gone, &gone);
    }

    #[test]
    fn citations_of_our_making_go_and_their_text_stays() {
        let cite = |index: &str| {
            format!(
                r#"{{"type":"web_search_result_location","url":"u","encrypted_index":{index}}}"#
            )
        };
        let (ours, null, theirs) = (cite("\"\""), cite("null"), cite("\"e\""));
        let other = r#"{"type":"page_location","encrypted_index":""}"#;
        let text = |list: &str| format!(r#"{{"type":"text","text":"t","citations":[{list}]}}"#);
        for (sent, left) in [
            (ours.clone(), String::new()),
            (format!("{ours},{null}"), String::new()),
            (format!("{ours}, {theirs}"), theirs.clone()),
            (
                format!("{theirs} ,{ours}, {other}"),
                format!("{theirs}, {other}"),
            ),
            (theirs.clone(), theirs.clone()),
        ] {
            check(&assistant(&text(&sent)), &assistant(&text(&left)));
            let both = format!("{UNSIGNED},{}", text(&sent));
            check(&assistant(&both), &assistant(&text(&left)));
        }
        let user = format!(r#"{{"role":"user","content":[{}]}}"#, text(&ours));
        check(&user, &user);
    }

    #[test]
    fn b2_blocks_of_others_and_odd_shapes_stay() {
        let user = format!(r#"{{"role":"user","content":[{UNSIGNED}]}}"#);
        check(&user, &user);
        let odd = r#"{"role":"assistant","content":"s"},{"role":"assistant"},7,{"role":"assistant","content":[]}"#;
        check(odd, odd);
    }

    #[test]
    fn may_stand_in_sees_every_spelling_of_an_empty_signature_alone() {
        for body in [
            r#""signature":"""#,
            "\"signature\" :\n \"\"",
            r#""signature":null"#,
            r#""encrypted_index": """#,
            r#""data":"ringway:f::d""#,
            r#""thinking" : "t""#,
            r#""thinking":"","signature":"a","thinking":"""#,
        ] {
            assert!(may_stand_in(body.as_bytes()), "{body}");
        }
        for body in [
            r#""signature":"a""#,
            r#""signature""#,
            r#"\"signature\":\"\""#,
            r#""signature":"a","thinking":"t""#,
            r#""type":"thinking","thinking":{"type":"enabled"}"#,
            r#"\"thinking\":\"t\""#,
            "",
        ] {
            assert!(!may_stand_in(body.as_bytes()), "{body}");
        }
    }
}
