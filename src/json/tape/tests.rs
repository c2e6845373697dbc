use ringway_test_support::stride::STRIDE;

use super::*;

#[test]
fn read_walks_nested_values_with_exact_sources() {
    let text = br#" {"a":[1, 2.50,{"b":"x\n"}],"c":null ,"d":true} "#;
    let mut tape = Tape::new();
    let root = tape.read(text, 8, 100).unwrap();
    let names: Vec<_> = root.members().map(|(name, _)| name.decode()).collect();
    assert_eq!(names, ["a", "c", "d"]);
    let list: Vec<_> = root.get("a").unwrap().elements().collect();
    assert_eq!(list[1].as_number(), Some("2.50"));
    assert_eq!(list[2].source(), br#"{"b":"x\n"}"#);
    assert_eq!(list[2].get("b").unwrap().source(), br#""x\n""#);
    assert!(root.get_set("c").is_none());
    assert_eq!(root.source().len(), text.len() - 2);
}

#[test]
fn repeated_names_are_found_among_few_and_many_and_the_last_counts() {
    let mut tape = Tape::new();
    for (text, expected) in [
        ("{}", None),
        ("[1,1]", None),
        (r#"{"a":1,"b":{"a":2}}"#, None),
        (r#"{"a":1,"b":2,"a":3}"#, Some("a")),
        (r#"{"a":1,"\u0061":3}"#, Some(r"\u0061")),
        (r#"{"\u0061":1,"\u0061\u0062":3}"#, None),
        (r#"{"":1,"":3}"#, Some("")),
    ] {
        let root = tape.read(text.as_bytes(), 8, 100).unwrap();
        let found = root.repeated_name().map(Raw::bytes);
        assert_eq!(found, expected.map(str::as_bytes), "{text}");
    }
    let root = tape.read(br#"{"a":1,"b":2,"a":3}"#, 8, 100).unwrap();
    assert_eq!(root.get("a").and_then(Value::as_u64), Some(3));
    for count in [PAIRWISE_MAX - 1, PAIRWISE_MAX, 5_000 / STRIDE] {
        let names: Vec<String> = (0..count).map(|at| format!("\"n{at}\":0")).collect();
        let names = names.join(",");
        let text = format!("{{{names}}}");
        let root = tape.read(text.as_bytes(), 8, 20_000).unwrap();
        assert_eq!(root.repeated_name(), None, "{count}");
        let text = format!("{{{names},\"\\u006e0\":0}}");
        let root = tape.read(text.as_bytes(), 8, 20_000).unwrap();
        let found = root.repeated_name().map(Raw::decode);
        assert_eq!(found.as_deref(), Some("n0"), "{count}");
    }
}

#[test]
fn values_limit_holds_at_and_past() {
    let mut tape = Tape::new();
    assert!(tape.read(b"[1,2,3]", 8, 4).is_ok());
    let error = tape.read(b"[1,2,3]", 8, 3).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::Values);
}

#[test]
fn whole_numbers_in_float_form_are_read() {
    let mut tape = Tape::new();
    let root = tape
        .read(b"[3,3.0,3e2,3.5,-1,1e300,9007199254740993]", 8, 100)
        .unwrap();
    let numbers: Vec<_> = root.elements().map(Value::as_u64).collect();
    let expected = [
        Some(3),
        Some(3),
        Some(300),
        None,
        None,
        None,
        Some(9_007_199_254_740_993),
    ];
    assert_eq!(numbers, expected);
}

/// The value as a tree of another parser, built through the cursors alone.
fn tree(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        JsonKind::Object => value
            .members()
            .map(|(name, value)| (name.decode(), tree(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        JsonKind::Array => value.elements().map(tree).collect::<Vec<_>>().into(),
        JsonKind::String => value.as_raw().unwrap().decode().into(),
        JsonKind::Number => value
            .as_number()
            .unwrap()
            .parse::<serde_json::Number>()
            .unwrap()
            .into(),
        JsonKind::Bool => value.as_bool().unwrap().into(),
        JsonKind::Null => serde_json::Value::Null,
    }
}

#[test]
fn cursors_see_the_tree_that_another_parser_sees() {
    let texts = [
        "1",
        "\"a\\u00e9\"",
        "[]",
        "{}",
        "[[],[[]],{},{\"a\":{}},[{}]]",
        r#"{"a":{"b":[1,2,{"c":[]}],"d":null},"e":[true,false,"x"],"":-1.5}"#,
    ];
    let mut tape = Tape::new();
    for text in texts {
        let value = tape.read(text.as_bytes(), 16, 100).unwrap();
        assert_eq!(tree(value), text.parse::<serde_json::Value>().unwrap());
        assert_eq!(value.source(), text.as_bytes());
    }
}

#[test]
fn wrong_kinds_answer_nothing() {
    let mut tape = Tape::new();
    let root = tape
        .read(br#"["a",1,true,null,[1],{"a":1}]"#, 8, 100)
        .unwrap();
    for (at, value) in root.elements().enumerate() {
        assert_eq!(value.as_raw().is_some(), at == 0);
        assert_eq!(value.as_number().is_some(), at == 1);
        assert_eq!(value.as_u64().is_some(), at == 1);
        assert_eq!(value.as_bool().is_some(), at == 2);
        assert_eq!(value.is_null(), at == 3);
        assert_eq!(value.elements().count(), usize::from(at == 4));
        assert_eq!(value.members().count(), usize::from(at == 5));
        assert_eq!(value.get("a").is_some(), at == 5);
        assert_eq!(value.is_str("a"), at == 0);
    }
}

#[test]
fn last_of_repeated_members_is_got_and_debug_shows_no_body() {
    let mut tape = Tape::new();
    let root = tape.read(br#"{"k":2,"\u006b":"secret"}"#, 8, 100).unwrap();
    assert!(root.get("k").unwrap().is_str("secret"));
    assert_eq!(format!("{:?}", root.get("k").unwrap()), "String at 16..24");
}

#[test]
fn tape_forgets_the_document_before_and_gives_memory_back() {
    let mut tape = Tape::new();
    let long = format!("[{}0]", "0,".repeat(1_000));
    tape.read(long.as_bytes(), 8, 10_000).unwrap();
    assert!(tape.held_bytes() >= 16_000);
    tape.read(b"[", 8, 10).unwrap_err();
    assert_eq!(tape.read(b"[7]", 8, 10).unwrap().elements().count(), 1);
    tape.shrink_to(16);
    assert!(tape.held_bytes() < 2_000);
}

#[test]
fn each_member_hands_out_decoded_names_in_order_repeats_and_nulls_among_them() {
    let mut tape = Tape::new();
    let text = br#"{"a":[{"x":1}],"\u0062":null,"c\n":{},"a":"last"}"#;
    let root = tape.read(text, 8, 100).unwrap();
    let mut seen = Vec::new();
    root.each_member(|name, value| seen.push((name.to_vec(), value.source().to_vec())));
    let expected = [
        ("a", r#"[{"x":1}]"#),
        ("b", "null"),
        ("c\n", "{}"),
        ("a", r#""last""#),
    ];
    let expected = expected.map(|(name, value)| (name.as_bytes().to_vec(), value.into()));
    assert_eq!(seen, expected);
    let empty = root.get("c\n").unwrap();
    empty.each_member(|_, _| panic!("it has none"));
    for other in [&b"[1]"[..], b"7", b"null"] {
        let value = tape.read(other, 8, 100);
        if let Ok(value) = value {
            value.each_member(|_, _| panic!("objects alone have members"));
        }
    }
}
