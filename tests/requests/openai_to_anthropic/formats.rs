//! The form of the answer: asked for by schema, by tool or in words, and what carries reasoning.

use crate::openai_to_anthropic::shared::{OPUS_5, PLAIN, check};
use crate::support::{Run, chat, json};

#[test]
fn pk14_schemas_are_native_or_a_tool() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}"#;
    let format = format!(
        r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true,"schema":{schema}}}}}"#
    );
    check(
        OPUS_5,
        &format,
        "output_config",
        &format!(r#"{{"format":{{"type":"json_schema","schema":{schema}}}}}"#),
        "",
    );

    let out = Run::to_anthropic(PLAIN).ok(&chat(&format));
    assert_eq!(out.json["tools"][0]["name"], "json_response");
    assert_eq!(out.json["tools"][0]["input_schema"], json(schema));
    assert_eq!(
        out.json["tool_choice"],
        json(r#"{"type":"tool","name":"json_response","disable_parallel_tool_use":true}"#)
    );
    assert_eq!(
        out.translated.answer.json_answer,
        ringway::translate::answer_context::JsonAnswer::Tool
    );

    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    let out = Run::to_anthropic(PLAIN).ok(&chat(&format!("{format}{tools}")));
    assert_eq!(out.json["tool_choice"], json(r#"{"type":"any"}"#));
    let out = Run::to_anthropic(PLAIN).ok(&chat(&format!(r#"{format},"reasoning_effort":"low""#)));
    assert_eq!(
        out.json["tool_choice"],
        json(r#"{"type":"auto","disable_parallel_tool_use":true}"#)
    );
    assert_eq!(out.json["thinking"]["type"], "enabled");
}

#[test]
fn schemas_without_an_object_at_the_root_are_wrapped_unless_streamed() {
    let format = r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"array","items":{"type":"string"}}}}"#;
    for model in [OPUS_5, PLAIN] {
        let out = Run::to_anthropic(model).ok(&chat(format));
        assert!(out.translated.answer.json_wrapped, "{model}");
        let streamed = chat(&format!(r#"{format},"stream":true"#));
        assert_eq!(
            Run::to_anthropic(model).refused(&streamed),
            "response_format.json_schema.schema"
        );
    }
    let recursive = r##""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"$ref":"#"}}}}}"##;
    assert_eq!(
        Run::to_anthropic(OPUS_5).refused(&chat(recursive)),
        "response_format.json_schema.schema"
    );
}

#[test]
fn b_schemas_of_any_members_are_noted_and_none_at_all_is_any_json() {
    let format = |schema: &str| {
        chat(&format!(
            r#""response_format":{{"type":"json_schema","json_schema":{{"name":"n"{schema}}}}}"#
        ))
    };
    let run = Run::to_anthropic("claude-opus-4-6");
    for (schema, notes) in [
        (r#","schema":{"type":"object"}"#, "changed=response_format"),
        (
            r#","schema":{"type":"object","properties":{"m":{"type":"object","additionalProperties":{"type":"string"}}}}"#,
            "changed=response_format",
        ),
        (
            r#","schema":{"type":"object","properties":{"m":{"type":"string"}}}"#,
            "",
        ),
        (
            r#","schema":{"type":"object","additionalProperties":false}"#,
            "",
        ),
    ] {
        assert_eq!(run.ok(&format(schema)).notes, notes, "{schema}");
    }
    let any = run.ok(&format(""));
    assert_eq!(any.notes, "changed=response_format");
    assert_eq!(any.json.get("output_config"), None);
}

#[test]
fn json_object_asks_in_words() {
    let out = Run::to_anthropic(PLAIN).ok(&chat(r#""response_format":{"type":"json_object"}"#));
    assert_eq!(
        out.json["system"][0]["text"],
        "Answer with one JSON object and nothing else."
    );
    assert_eq!(out.notes, "changed=response_format");
}

#[test]
fn reasoning_members_follow_the_headers() {
    use ringway::wire::openai::settings::ReasoningMembers;
    for (name, expected) in [
        ("none", ReasoningMembers::NONE),
        (
            "text",
            ReasoningMembers {
                text: true,
                ..ReasoningMembers::NONE
            },
        ),
        (
            "details",
            ReasoningMembers {
                details: true,
                ..ReasoningMembers::NONE
            },
        ),
        (
            "thinking_blocks",
            ReasoningMembers {
                thinking_blocks: true,
                ..ReasoningMembers::NONE
            },
        ),
        (
            "content_blocks",
            ReasoningMembers {
                content_blocks: true,
                ..ReasoningMembers::NONE
            },
        ),
    ] {
        let run = Run::to_anthropic(PLAIN).hints(|hints| hints.reasoning = Some(name.as_bytes()));
        assert_eq!(run.ok(&chat("")).needs().reasoning, expected, "{name}");
    }
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.reasoning = Some(b"loud"));
    assert_eq!(run.refused(&chat("")), "x-ringway-reasoning");
}

#[test]
fn pk5_lenient_clients_get_content_blocks_beside_the_rest() {
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.portkey_strict = Some(false));
    let reasoning = run.ok(&chat("")).needs().reasoning;
    assert!(reasoning.content_blocks && reasoning.text && reasoning.details);
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.portkey_strict = Some(true));
    assert!(!run.ok(&chat("")).needs().reasoning.content_blocks);
}

#[test]
fn a13_tool_names_are_restored_by_the_answer() {
    let long = "n".repeat(140);
    let members = format!(
        r#""tools":[{{"type":"function","function":{{"name":"a.b"}}}},{{"type":"function","function":{{"name":"{long}"}}}}],"tool_choice":{{"type":"function","function":{{"name":"a.b"}}}}"#
    );
    let out = Run::to_anthropic(PLAIN).ok(&chat(&members));
    let sent: Vec<&str> = out.json["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["name"].as_str().unwrap())
        .collect();
    assert!(sent.iter().all(|name| {
        name.len() <= 64
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }));
    assert_eq!(out.json["tool_choice"]["name"], sent[0]);
    let map = &out.translated.answer.tool_names;
    assert_eq!(map[sent[0]], b"a.b");
    assert_eq!(map[sent[1]], long.into_bytes());
}
