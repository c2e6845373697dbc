use super::*;

fn rewritten(source: &str) -> (String, bool) {
    let out = rewrite(source.as_bytes()).unwrap();
    serde_json::from_slice::<serde_json::Value>(&out.bytes).unwrap();
    (String::from_utf8(out.bytes).unwrap(), out.lossy)
}

#[test]
fn schema_inside_the_subset_gains_only_closed_objects() {
    for (source, expected) in [
        (
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#,
        ),
        (
            r#"{"type":"object","properties":{"a":{"type":"object","properties":{}}}}"#,
            r#"{"type":"object","properties":{"a":{"type":"object","properties":{},"additionalProperties":false}},"additionalProperties":false}"#,
        ),
        (
            r##"{"$defs":{"x":{"type":"integer"}},"anyOf":[{"$ref":"#/$defs/x"}]}"##,
            r##"{"$defs":{"x":{"type":"integer"}},"anyOf":[{"$ref":"#/$defs/x"}]}"##,
        ),
        (
            r#"{"type":"array","minItems":1,"items":{"type":"string","format":"date"}}"#,
            r#"{"type":"array","minItems":1,"items":{"type":"string","format":"date"}}"#,
        ),
        (
            r#"{"oneOf":[{"const":1.50}]}"#,
            r#"{"anyOf":[{"const":1.50}]}"#,
        ),
    ] {
        assert_eq!(rewritten(source), (expected.to_owned(), false), "{source}");
    }
    // An object of any members has none in the subset.
    let expected = r#"{"type":"object","additionalProperties":false}"#;
    let open = rewritten(r#"{"type":"object"}"#);
    assert_eq!(open, (expected.to_owned(), true));
}

#[test]
fn members_outside_the_subset_become_words() {
    for (source, expected) in [
        (
            r#"{"type":"integer","minimum":1,"maximum":9.0}"#,
            r#"{"type":"integer","description":"minimum: 1; maximum: 9.0"}"#,
        ),
        (
            r#"{"description":"An \"id\"","type":"string","pattern":"(?=a)b","format":"x-id"}"#,
            r#"{"type":"string","description":"An \"id\"; pattern: (?=a)b; format: x-id"}"#,
        ),
        (
            r#"{"type":"array","minItems":2,"items":[{"type":"string"}]}"#,
            r#"{"type":"array","description":"minItems: 2; items: [{\"type\":\"string\"}]"}"#,
        ),
        (
            r#"{"type":"object","additionalProperties":{"type":"string"}}"#,
            r#"{"type":"object","additionalProperties":false}"#,
        ),
    ] {
        assert_eq!(rewritten(source), (expected.to_owned(), true), "{source}");
    }
}

#[test]
fn references_to_themselves_or_outside_are_refused() {
    for (source, fault) in [
        (
            r##"{"properties":{"a":{"$ref":"#"}}}"##,
            SchemaFault::Recursive,
        ),
        (
            r##"{"$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"items":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
            SchemaFault::Recursive,
        ),
        (r#"{"$ref":"other.json"}"#, SchemaFault::External),
        (r##"{"$ref":"#/$defs/none"}"##, SchemaFault::External),
        ("[]", SchemaFault::NotASchema),
    ] {
        assert_eq!(rewrite(source.as_bytes()), Err(fault), "{source}");
    }
    // Used twice is not recursion.
    let twice = r##"{"$defs":{"a":{"type":"string"}},"anyOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}"##;
    assert!(rewrite(twice.as_bytes()).is_ok());
}

#[test]
fn wrapped_schema_keeps_definitions_at_the_root() {
    let source =
        r##"{"type":"array","items":{"$ref":"#/$defs/a"},"$defs":{"a":{"type":"string"}}}"##;
    assert!(!is_object_schema(source.as_bytes()));
    let out = String::from_utf8(wrapped(source.as_bytes())).unwrap();
    let expected = r##"{"type":"object","properties":{"value":{"type":"array","items":{"$ref":"#/$defs/a"}}},"required":["value"],"additionalProperties":false,"$defs":{"a":{"type":"string"}}}"##;
    assert_eq!(out, expected);
    assert!(rewrite(out.as_bytes()).is_ok());
}

#[test]
fn strict_schemas_of_openai_are_told_from_others() {
    for (source, expected) in [
        (
            r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#,
            true,
        ),
        (
            r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#,
            false,
        ),
        (
            r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#,
            false,
        ),
        (
            r#"{"type":"array","items":{"type":"object","properties":{}}}"#,
            false,
        ),
        (r#"{"type":"string"}"#, true),
    ] {
        assert_eq!(is_strict(source.as_bytes()), expected, "{source}");
    }
}
