//! Edits against a twin that parses, edits the tree and prints.

use serde_json::Value;

use ringway_test_support::stride::STRIDE;

use super::*;
use crate::json::tape::Tape;

/// The members of the outermost object of `text`, and where it ends.
fn members(text: &str) -> (Vec<MemberSpan>, ObjectEnd) {
    let mut tape = Tape::new();
    let root = tape.read(text.as_bytes(), 64, 10_000).unwrap();
    let mut members: Vec<MemberSpan> = Vec::new();
    let mut before_end = text.find('{').unwrap() + 1;
    for (index, (name, value)) in root.members().enumerate() {
        let start = name.bytes().as_ptr().addr() - text.as_ptr().addr() - 1;
        if let Some(last) = members.last_mut() {
            last.after_start = Some(start);
        }
        members.push(MemberSpan {
            index,
            start,
            end: value.span().end,
            before_end,
            after_start: None,
        });
        before_end = value.span().end;
    }
    let member_count = members.len();
    let tail = ObjectEnd {
        at: before_end,
        member_count,
    };
    (members, tail)
}

fn applied(edits: &Edits, text: &str) -> String {
    let mut out = Vec::new();
    edits.apply(text.as_bytes(), &mut out);
    assert_eq!(out.len(), edits.len_after(text.len()), "{text}");
    let mut joined = Vec::new();
    for piece in edits.pieces(text.len()) {
        let bytes = match &piece {
            EditPiece::Source(span) => text.as_bytes().get(span.clone()).unwrap(),
            EditPiece::New(bytes) => bytes,
        };
        assert!(!bytes.is_empty());
        joined.extend_from_slice(bytes);
    }
    assert_eq!(joined, out);
    String::from_utf8(out).unwrap()
}

/// Objects with every way of spacing, names and values that must survive to the byte.
const OBJECTS: &[&str] = &[
    "{}",
    " { } ",
    r#"{"a":1}"#,
    r#" {"a" : 1.50e+2 } "#,
    r#"{"a":1,"b":[1, 2,{"c":3}],"c":"x\u0041\n"}"#,
    "{\n  \"a\": {\"a\": {}},\n  \"b\": null ,\n  \"c\":true\n}\n",
    r#"{ "a":"é" ,"b" :-0.0, "\u0063":123456789012345678901234567890 ,"d":[],"e":"" }"#,
];

#[test]
fn every_set_of_members_removed_equals_the_twin() {
    for text in OBJECTS {
        let (members, tail) = members(text);
        for set in (0..1u32 << members.len()).step_by(STRIDE) {
            let removed: Vec<MemberSpan> = members
                .iter()
                .filter(|member| set >> member.index & 1 == 1)
                .copied()
                .collect();
            for insert in [false, true] {
                let mut edits = Edits::new();
                edits.remove_members(&removed);
                if insert {
                    edits.append_member(tail, removed.len(), "new", b"[1.0]");
                }
                let after = applied(&edits, text);
                assert_eq!(
                    twin(text, set, insert),
                    after.parse::<Value>().unwrap(),
                    "{after}"
                );
                let kept = members.iter().filter(|member| set >> member.index & 1 == 0);
                assert_in_order(
                    &after,
                    kept.map(|member| text.get(member.start..member.end).unwrap()),
                );
            }
        }
    }
}

/// Parse, edit the tree.
fn twin(text: &str, set: u32, insert: bool) -> Value {
    let Value::Object(tree) = text.parse().unwrap() else {
        panic!("an object");
    };
    let mut kept: serde_json::Map<String, Value> = tree
        .into_iter()
        .enumerate()
        .filter(|(index, _)| set >> index & 1 == 0)
        .map(|(_, member)| member)
        .collect();
    if insert {
        kept.insert("new".into(), "[1.0]".parse().unwrap());
    }
    Value::Object(kept)
}

/// Every part stands in `text` to the byte, one behind the other.
fn assert_in_order<'a>(text: &str, parts: impl Iterator<Item = &'a str>) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap();
        rest = rest.get(at + part.len()..).unwrap();
    }
}

#[test]
fn edits_in_any_order_of_filing_give_one_result() {
    let text = r#"{"a":1, "b":{"x":[0]}, "c":3}"#;
    let (members, tail) = members(text);
    let inner = text.find("[0]").unwrap();
    let replace = |edits: &mut Edits| edits.replace_string(5..6, "\"é\n");
    let nested = |edits: &mut Edits| edits.replace(inner..inner + 3, b"{}");
    let remove = |edits: &mut Edits| edits.remove_members(&members[2..]);
    let append = |edits: &mut Edits| edits.append_member(tail, 1, "d", b"4");
    let steps: [&dyn Fn(&mut Edits); 4] = [&replace, &nested, &remove, &append];
    let expected = r#"{"a":"\"é\n", "b":{"x":{}},"d":4}"#;
    for first in 0..4 {
        for second in (0..4).filter(|&i| i != first) {
            for third in (0..4).filter(|&i| i != first && i != second) {
                let last = 6 - first - second - third;
                let mut edits = Edits::new();
                for step in [first, second, third, last] {
                    steps[step](&mut edits);
                }
                assert_eq!(applied(&edits, text), expected);
            }
        }
    }
}

#[test]
fn edit_inside_a_removed_member_is_dropped_whichever_came_first() {
    let text = r#"{"a":1,"b":{"x":1}}"#;
    let (members, _) = members(text);
    let inner = text.rfind('1').unwrap();
    for inner_first in [false, true] {
        let mut edits = Edits::new();
        if inner_first {
            edits.replace(inner..inner + 1, b"22");
        }
        edits.remove_members(&members[1..]);
        if !inner_first {
            edits.replace(inner..inner + 1, b"22");
        }
        assert_eq!(applied(&edits, text), r#"{"a":1}"#);
    }
}

#[test]
fn merged_edits_equal_those_filed_together() {
    let text = r#"{"a":1,"b":2,"c":3}"#;
    let (members, tail) = members(text);
    let mut one = Edits::new();
    one.remove_members(&members[..1]);
    let mut two = Edits::new();
    two.replace(11..12, b"null");
    two.append_member(tail, 1, "d", b"{}");
    two.merge(&one);
    assert_eq!(applied(&two, text), r#"{"b":null,"c":3,"d":{}}"#);
    one.merge(&Edits::new());
    assert_eq!(applied(&one, text), r#"{"b":2,"c":3}"#);
}

#[test]
fn no_edits_leave_the_source_in_one_piece() {
    let edits = Edits::new();
    assert!(edits.is_empty());
    assert_eq!(
        edits.pieces(7).collect::<Vec<_>>(),
        [EditPiece::Source(0..7)]
    );
    assert_eq!(edits.pieces(0).count(), 0);
    assert_eq!(edits.len_after(7), 7);
}

#[test]
fn new_name_that_needs_escapes_is_escaped() {
    let mut edits = Edits::new();
    let tail = ObjectEnd {
        at: 1,
        member_count: 0,
    };
    edits.append_member(tail, 0, "a\"\n", b"1");
    assert_eq!(applied(&edits, "{}"), r#"{"a\"\n":1}"#);
}

#[test]
fn random_objects_and_edits_equal_the_twin() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    let blanks = ["", " ", "\n", "\t ", "\r\n  "];
    let values = [
        "1",
        "-0.0e1",
        "\"\\u0041\"",
        "\"é\"",
        "null",
        "{ \"a\" :[ ] }",
        "[1,[2]]",
        "\"\"",
    ];
    for _ in 0..2_000 / STRIDE {
        let count = random(8);
        let mut text = String::from("{");
        for i in 0..count {
            let mut blank = || blanks[usize::try_from(random(5)).unwrap()];
            let around = [blank(), blank(), blank(), blank()];
            let value = values[usize::try_from(random(8)).unwrap()];
            let comma = if i > 0 { "," } else { "" };
            text += &format!(
                "{comma}{}\"n{i}\"{}:{}{value}{}",
                around[0], around[1], around[2], around[3]
            );
        }
        text += "}";
        let (members, tail) = members(&text);
        let removed_set = u32::try_from(random(1 << count)).unwrap();
        let removed: Vec<MemberSpan> = members
            .iter()
            .filter(|member| removed_set >> member.index & 1 == 1)
            .copied()
            .collect();
        let insert = random(2) == 1;
        let mut edits = Edits::new();
        if insert {
            edits.append_member(tail, removed.len(), "new", b"[1.0]");
        }
        edits.remove_members(&removed);
        let after = applied(&edits, &text);
        assert_eq!(
            twin(&text, removed_set, insert),
            after.parse::<Value>().unwrap(),
            "{text}"
        );
    }
}
