//! Thinking, levels and schemas, in the words that the model takes.

use crate::anthropic_to_openai::shared::{GPT_4O, GPT_5, GPT_5_6, LOCAL, check};
use crate::support::{Run, json, messages};

#[test]
fn lg5_thinking_is_a_level_that_the_model_takes() {
    for (model, members, expected, notes) in [
        (
            GPT_5,
            r#""thinking":{"type":"enabled","budget_tokens":1024}"#,
            r#""low""#,
            "",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"enabled","budget_tokens":4000}"#,
            r#""medium""#,
            "",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"enabled","budget_tokens":10000}"#,
            r#""high""#,
            "",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"enabled","budget_tokens":30000}"#,
            r#""high""#,
            "",
        ),
        (
            "gpt-5.2",
            r#""thinking":{"type":"enabled","budget_tokens":30000}"#,
            r#""xhigh""#,
            "",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"disabled"}"#,
            r#""minimal""#,
            "",
        ),
        (
            "gpt-5.1",
            r#""thinking":{"type":"disabled"}"#,
            r#""none""#,
            "",
        ),
        (
            "o3",
            r#""thinking":{"type":"disabled"}"#,
            "null",
            "changed=thinking",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"adaptive"}"#,
            r#""medium""#,
            "",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"low"}"#,
            r#""low""#,
            "",
        ),
        (
            GPT_5,
            r#""output_config":{"effort":"max"}"#,
            r#""high""#,
            "changed=output_config",
        ),
        (
            "gpt-5.2",
            r#""output_config":{"effort":"max"}"#,
            r#""xhigh""#,
            "changed=output_config",
        ),
        (
            GPT_5,
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"xhigh"}"#,
            r#""high""#,
            "changed=output_config",
        ),
        (
            LOCAL,
            r#""thinking":{"type":"enabled","budget_tokens":30000}"#,
            "null",
            "dropped=thinking",
        ),
        (
            "qwen3:8b",
            r#""thinking":{"type":"enabled","budget_tokens":30000}"#,
            r#""high""#,
            "",
        ),
        (
            GPT_5_6,
            r#""output_config":{"effort":"max"}"#,
            r#""max""#,
            "",
        ),
        (GPT_5, "", "null", ""),
        (
            "Qwen/Qwen3-32B",
            r#""output_config":{"effort":"max"}"#,
            r#""high""#,
            "changed=output_config",
        ),
        (
            GPT_4O,
            r#""output_config":{"effort":"high"}"#,
            "null",
            "dropped=output_config",
        ),
        (
            GPT_4O,
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#,
            "null",
            "dropped=output_config,thinking",
        ),
        (GPT_4O, r#""thinking":{"type":"disabled"}"#, "null", ""),
    ] {
        check(
            &Run::to_openai(model),
            members,
            "reasoning_effort",
            expected,
            notes,
        );
    }
    let plain = Run::to_openai(LOCAL).dialect(|dialect| dialect.reasoning_effort = false);
    check(
        &plain,
        r#""thinking":{"type":"adaptive"}"#,
        "reasoning_effort",
        "null",
        "dropped=thinking",
    );
}

#[test]
fn b_effort_goes_to_models_that_are_known_to_reason_alone() {
    for (model, level) in [
        ("llama3.2", "null"),
        ("grok-4", "null"),
        ("grok-code-fast-1", "null"),
        ("llama-3.3-70b-versatile", "null"),
        ("qwen/qwen3-32b", "null"),
        ("mistral-small-latest", "null"),
        ("gemini-2.0-flash", "null"),
        ("qwen3-coder:30b", "null"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "null"),
        ("openai/gpt-4o", "null"),
        ("anthropic/claude-3.5-haiku", "null"),
        ("grok-3-mini", r#""low""#),
        ("x-ai/grok-4.3", r#""medium""#),
        ("gemini-2.5-pro", r#""medium""#),
        ("google/gemini-3-pro-preview", r#""medium""#),
        ("openai/gpt-oss-120b", r#""medium""#),
        ("deepseek/deepseek-r1", r#""medium""#),
        ("qwen3:8b", r#""medium""#),
        ("anthropic/claude-opus-4.6", r#""medium""#),
        ("openai/gpt-5-mini", r#""medium""#),
        ("gpt-6", r#""medium""#),
        ("o3", r#""medium""#),
    ] {
        let notes = match level {
            "null" => "dropped=thinking",
            r#""low""# => "changed=output_config",
            _ => "",
        };
        let run = Run::to_openai(model);
        let thinking = r#""thinking":{"type":"adaptive"}"#;
        check(&run, thinking, "reasoning_effort", level, notes);
        // Open models sample while they reason.
        if model.contains("gpt-oss") || model.contains("qwen3:") {
            check(&run, r#""temperature":0.3"#, "temperature", "0.3", "");
        }
    }
}

#[test]
fn pk14_schemas_are_strict_where_they_can_be() {
    let strict =
        r#"{"type":"object","properties":{"a":{}},"required":["a"],"additionalProperties":false}"#;
    let loose = r#"{"type":"object","properties":{"a":{}}}"#;
    for (member, schema, value, notes) in [
        ("output_config", strict, true, ""),
        ("output_config", loose, false, "changed=output_config"),
        ("output_format", strict, true, ""),
    ] {
        let inner = format!(r#"{{"type":"json_schema","schema":{schema}}}"#);
        let members = match member {
            "output_config" => format!(r#""output_config":{{"format":{inner}}}"#),
            _ => format!(r#""output_format":{inner}"#),
        };
        let expected = format!(
            r#"{{"type":"json_schema","json_schema":{{"name":"output","strict":{value},"schema":{schema}}}}}"#
        );
        check(
            &Run::to_openai(GPT_4O),
            &members,
            "response_format",
            &expected,
            notes,
        );
    }
    let old = Run::to_openai(LOCAL).dialect(|dialect| dialect.json_schema = false);
    let out = old.ok(&messages(&format!(
        r#""output_format":{{"type":"json_schema","schema":{strict}}}"#
    )));
    assert_eq!(
        out.json["response_format"],
        json(r#"{"type":"json_object"}"#)
    );
    assert!(
        out.json["messages"][0]["content"]
            .as_str()
            .unwrap()
            .ends_with(strict)
    );
}

#[test]
fn b2_thinking_of_history_never_becomes_text() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"secret\u00e9","signature":"s"},{"type":"redacted_thinking","data":"d"},{"type":"text","text":"A"},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}]},
        {"role":"user","content":"y"}]}"#;
    let out = Run::to_openai(GPT_4O).ok(body);
    assert_eq!(
        out.json["messages"][1],
        json(r#"{"role":"assistant","content":"A"}"#)
    );
    assert_eq!(out.notes, "dropped=server_tool_use,thinking");
    let content = Run::to_openai(LOCAL).dialect(|dialect| dialect.reasoning_content_back = true);
    assert_eq!(
        content.ok(body).json["messages"][1]["reasoning_content"],
        "secreté"
    );
    let details = Run::to_openai(LOCAL).dialect(|dialect| dialect.reasoning_details_back = true);
    assert_eq!(
        details.ok(body).json["messages"][1]["reasoning_details"],
        json(
            r#"[{"type":"reasoning.text","text":"secreté","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"d","format":"anthropic-claude-v1","index":1}]"#
        )
    );
}
