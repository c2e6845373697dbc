//! Requests of the Anthropic wire towards OpenAI models: each row of the rules with its verdict.

use ringway::wire::error::write_body;
use ringway::wire::ids::fingerprint;
use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::{Run, json, messages};

const GPT_4O: &str = "gpt-4o";
const GPT_5: &str = "gpt-5";
const GPT_5_6: &str = "gpt-5.6";
const LOCAL: &str = "some-local-model";

#[track_caller]
fn check(run: &Run<'_>, members: &str, name: &str, expected: &str, notes: &str) {
    let out = run.ok(&messages(members));
    let found = out.json.get(name).cloned().unwrap_or(Value::Null);
    assert_eq!(found, json(expected), "{members}: {}", out.json);
    assert_eq!(out.notes, notes, "{members}");
}

/// A request with these messages and a tool `f`.
fn conversation(list: &str) -> String {
    format!(
        r#"{{"model":"m","max_tokens":9,"messages":{list},"tools":[{{"name":"f","input_schema":{{"type":"object"}}}}]}}"#
    )
}

#[test]
fn to8_members_map_one_to_one() {
    let run = Run::to_openai(GPT_4O);
    for (members, name, expected) in [
        ("", "max_completion_tokens", "4000"),
        (r#""temperature":0.70,"top_p":1.0"#, "temperature", "0.70"),
        (
            r#""stop_sequences":["a","b\u00e9"]"#,
            "stop",
            r#"["a","bé"]"#,
        ),
        (
            r#""stream":true"#,
            "stream_options",
            r#"{"include_usage":true}"#,
        ),
        (
            r#""service_tier":"standard_only""#,
            "service_tier",
            r#""default""#,
        ),
        (r#""service_tier":"auto""#, "service_tier", "null"),
        (
            r#""metadata":{"user_id":"u1"}"#,
            "safety_identifier",
            r#""u1""#,
        ),
        (r#""metadata":{"user_id":"u1"}"#, "user", r#""u1""#),
    ] {
        check(&run, members, name, expected, "");
    }
    let compatible = Run {
        dialect: ringway::wire::kind::Dialect::compatible(),
        ..Run::to_openai(LOCAL)
    };
    check(&compatible, r#""top_k":5"#, "top_k", "5", "");
    check(&compatible, "", "max_tokens", "4000", "");
    check(
        &compatible,
        r#""metadata":{"user_id":"u1"}"#,
        "safety_identifier",
        "null",
        "",
    );
    let silent = Run::to_openai(LOCAL).dialect(|dialect| dialect.stream_usage = false);
    check(&silent, r#""stream":true"#, "stream_options", "null", "");
}

#[test]
fn b_max_tokens_above_the_models_limit_is_lowered_to_it() {
    let body = |tokens: u32| messages("").replace("4000", &tokens.to_string());
    for (model, asked, sent, notes) in [
        (GPT_4O, 16_384, 16_384, ""),
        (GPT_4O, 16_385, 16_384, "changed=max_tokens"),
        (GPT_5, 200_000, 128_000, "changed=max_tokens"),
        (LOCAL, 200_000, 200_000, ""),
    ] {
        let out = Run::to_openai(model).ok(&body(asked));
        assert_eq!(out.json["max_completion_tokens"], sent, "{model}");
        assert_eq!(out.notes, notes, "{model}");
    }
}

#[test]
fn hints_without_a_word_are_dropped_and_named() {
    for (model, members, notes) in [
        (GPT_4O, r#""top_k":5"#, "dropped=top_k"),
        (
            GPT_4O,
            r#""context_management":{"edits":[]}"#,
            "dropped=context_management",
        ),
        (
            GPT_4O,
            r#""speed":"fast","diagnostics":{}"#,
            "dropped=diagnostics,speed",
        ),
        (
            GPT_4O,
            r#""cache_control":{"type":"ephemeral"}"#,
            "dropped=cache_control",
        ),
        (GPT_4O, r#""metadata":{"team":1}"#, "dropped=metadata"),
        (GPT_4O, r#""novelty":1"#, "dropped=novelty"),
        (
            GPT_4O,
            r#""thinking":{"type":"adaptive"}"#,
            "dropped=thinking",
        ),
        (
            GPT_5,
            r#""temperature":0.5,"top_p":0.5"#,
            "dropped=temperature,top_p",
        ),
        (GPT_5, r#""temperature":1"#, ""),
        (GPT_4O, r#""container":null,"mcp_servers":[]"#, ""),
    ] {
        let out = Run::to_openai(model).ok(&messages(members));
        assert_eq!(out.notes, notes, "{members}");
    }
}

#[test]
fn beta_flags_of_the_head_are_dropped_and_named() {
    let run = Run::to_openai(GPT_4O).hints(|hints| hints.betas = true);
    assert_eq!(run.ok(&messages("")).notes, "dropped=anthropic-beta");
}

#[test]
fn contracts_without_a_word_are_refused_by_name() {
    for (members, param) in [
        (r#""inference_geo":"eu""#, "inference_geo"),
        (r#""mcp_servers":[{"type":"url"}]"#, "mcp_servers"),
        (r#""container":"c""#, "container"),
        (r#""fallbacks":"default""#, "fallbacks"),
        (r#""thread":{}"#, "thread"),
        (r#""compaction":{}"#, "compaction"),
        (r#""billing_policy":"x""#, "billing_policy"),
        (
            r#""stop_sequences":["a","b","c","d","e"]"#,
            "stop_sequences",
        ),
        (
            r#""tools":[{"type":"bash_20250124","name":"bash"}]"#,
            "tools",
        ),
        (
            r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
            "tools",
        ),
        (
            r#""tools":[{"type":"mcp_toolset","mcp_server_name":"s"}]"#,
            "tools",
        ),
        (r#""tools":[{"name":"f"}]"#, "tools[0].input_schema"),
        (
            r#""tool_choice":{"type":"tool","name":"g"},"tools":[{"name":"f","input_schema":{}}]"#,
            "tool_choice",
        ),
        (r#""tool_choice":{"type":"sometimes"}"#, "tool_choice.type"),
        (r#""thinking":{"type":"sideways"}"#, "thinking.type"),
        (r#""system":5"#, "system"),
    ] {
        assert_eq!(
            Run::to_openai(GPT_4O).refused(&messages(members)),
            param,
            "{members}"
        );
    }
    for tokens in ["0", r#""x""#, "null"] {
        let body = format!(
            r#"{{"model":"m","max_tokens":{tokens},"messages":[{{"role":"user","content":"x"}}]}}"#
        );
        assert_eq!(
            Run::to_openai(GPT_4O).refused(&body),
            "max_tokens",
            "{tokens}"
        );
    }
}

#[test]
fn b_thread_is_refused_in_the_words_that_tool_runners_go_on_from() {
    let body = messages(r#""thread":{"type":"create"}"#);
    let refusal = Run::to_openai(GPT_4O).run(&body).unwrap_err();
    let mut out = Vec::new();
    write_body(
        Wire::AnthropicMessages,
        &refusal.as_error(),
        "req_1",
        &mut out,
    );
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(told["error"]["type"], "invalid_request_error");
    let details = json(r#"{"error_code":"thread_unsupported_request"}"#);
    assert_eq!(told["error"]["details"], details);
    // No other refusal has details.
    let other = Run::to_openai(GPT_4O).run(&messages(r#""container":"c""#));
    let mut out = Vec::new();
    let other = other.unwrap_err();
    write_body(Wire::AnthropicMessages, &other.as_error(), "", &mut out);
    assert!(!out.windows(9).any(|piece| piece == b"\"details\""));
}

#[test]
fn to5_system_is_one_message_string_or_parts() {
    let run = Run::to_openai(GPT_4O);
    for (system, expected) in [
        (r#""be\u00e9""#, r#"{"role":"system","content":"beé"}"#),
        (
            r#"[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]"#,
            r#"{"role":"system","content":"a"}"#,
        ),
        (
            r#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#,
            r#"{"role":"system","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
        ),
        (
            r#"[{"type":"text","text":"x-anthropic-billing-header: cc=1"},{"type":"text","text":"b"}]"#,
            r#"{"role":"system","content":"b"}"#,
        ),
    ] {
        let out = run.ok(&messages(&format!(r#""system":{system}"#)));
        assert_eq!(out.json["messages"][0], json(expected), "{system}");
        let marked = system.contains("cache_control");
        assert_eq!(out.notes, if marked { "dropped=cache_control" } else { "" });
    }
    let developer = Run::to_openai(GPT_4O).dialect(|dialect| dialect.developer_role = true);
    assert_eq!(
        developer.ok(&messages(r#""system":"s""#)).json["messages"][0]["role"],
        "developer"
    );
}

#[test]
fn e4_strict_upstreams_get_plain_strings_without_marks() {
    let run = Run::to_openai(LOCAL).dialect(|dialect| dialect.array_content = false);
    let body = r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"a"},{"type":"text","text":"b"}],
        "messages":[{"role":"user","content":[{"type":"text","text":"c","cache_control":{"type":"ephemeral"}},{"type":"text","text":"d"}]}]}"#;
    let out = run.ok(body);
    assert_eq!(
        out.json["messages"],
        json(r#"[{"role":"system","content":"a\n\nb"},{"role":"user","content":"c\n\nd"}]"#)
    );
    assert_eq!(out.notes, "dropped=cache_control");
    // Text without text is no text.
    let null = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":null},{"type":"text","text":"x"}]}]}"#;
    assert_eq!(
        run.ok(null).json["messages"],
        json(r#"[{"role":"user","content":"x"}]"#)
    );
    // Where marks are taken they are carried.
    let run = Run::to_openai(LOCAL).dialect(|dialect| dialect.cache_control = true);
    let out = run.ok(body);
    assert_eq!(
        out.json["messages"][1]["content"][0]["cache_control"],
        json(r#"{"type":"ephemeral"}"#)
    );
    assert_eq!(out.notes, "");
}

#[test]
fn to6_lg4_tools_keep_their_schema_to_the_byte() {
    let schema = r##"{"type":"object","$defs":{"x":{}}, "properties":{"a":{"$ref":"#/$defs/x"}},"minimum":1.50}"##;
    let body = messages(&format!(
        r#""tools":[{{"name":"f","description":"d","input_schema":{schema},"input_examples":[],"defer_loading":true,"cache_control":{{"type":"ephemeral"}}}}]"#
    ));
    let out = Run::to_openai(GPT_4O).ok(&body);
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(
        text.contains(&format!(
            r#"{{"name":"f","description":"d","parameters":{schema}}}"#
        )),
        "{text}"
    );
    assert_eq!(
        out.notes,
        "dropped=cache_control,defer_loading,input_examples"
    );
}

#[test]
fn a12_tool_choice_has_a_form_for_every_value() {
    let tools = r#""tools":[{"name":"f","input_schema":{"type":"object"}}]"#;
    for (choice, expected, parallel) in [
        ("", "null", "null"),
        (r#","tool_choice":{"type":"auto"}"#, r#""auto""#, "null"),
        (
            r#","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
            r#""required""#,
            "false",
        ),
        (r#","tool_choice":{"type":"none"}"#, r#""none""#, "null"),
        (
            r#","tool_choice":{"type":"tool","name":"f"}"#,
            r#"{"type":"function","function":{"name":"f"}}"#,
            "null",
        ),
    ] {
        let out = Run::to_openai(GPT_4O).ok(&messages(&format!("{tools}{choice}")));
        assert_eq!(
            out.json.get("tool_choice").cloned().unwrap_or_default(),
            json(expected),
            "{choice}"
        );
        assert_eq!(
            out.json
                .get("parallel_tool_calls")
                .cloned()
                .unwrap_or_default(),
            json(parallel),
            "{choice}"
        );
    }
    let any = Run::to_openai(LOCAL).dialect(|dialect| dialect.tool_choice_any = true);
    let out = any.ok(&messages(&format!(
        r#"{tools},"tool_choice":{{"type":"any"}}"#
    )));
    assert_eq!(out.json["tool_choice"], "any");
}

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
fn user_ids_too_long_are_digested() {
    let long = "u".repeat(65);
    let out =
        Run::to_openai(GPT_4O).ok(&messages(&format!(r#""metadata":{{"user_id":"{long}"}}"#)));
    let digest = out.json["user"].as_str().unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(out.notes, "changed=metadata");
}

#[test]
fn turns_become_messages_results_first() {
    let body = conversation(
        r#"[{"role":"user","content":[{"type":"text","text":"U"}]},
            {"role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"x" : 1.50, "y":"\u00e9\"" }},{"type":"text","text":"b"},{"type":"tool_use","id":"toolu_2","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"text","text":"V"},{"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"r"},{"type":"text","text":"s"}]},{"type":"tool_result","tool_use_id":"toolu_1"}]},
            {"role":"assistant","content":[{"type":"tool_use","id":"toolu_3","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_3","content":"R","is_error":true}]}]"#,
    );
    let out = Run::to_openai(GPT_4O).ok(&body);
    let expected = json(
        r#"[{"role":"user","content":"U"},
            {"role":"assistant","content":"ab","tool_calls":[
               {"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{\"x\" : 1.50, \"y\":\"\\u00e9\\\"\" }"}},
               {"id":"toolu_2","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"toolu_2","content":[{"type":"text","text":"[tool error] r"},{"type":"text","text":"s"}]},
            {"role":"tool","tool_call_id":"toolu_1","content":""},
            {"role":"user","content":"V"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"toolu_3","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"toolu_3","content":"[tool error] R"}]"#,
    );
    assert_eq!(out.json["messages"], expected);
    assert_eq!(out.notes, "");
    let flat = Run::to_openai(LOCAL).dialect(|dialect| dialect.array_content = false);
    assert_eq!(
        flat.ok(&body).json["messages"][2]["content"],
        "[tool error] r\ns"
    );
}

#[test]
fn o4_images_in_results_follow_in_a_user_message() {
    let image =
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}"#;
    let body = conversation(&format!(
        r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"t1","name":"f","input":{{}}}}]}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t1","content":[{{"type":"text","text":"seen"}},{image}]}},{{"type":"text","text":"go on"}}]}}]"#
    ));
    let part = json(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}"#);
    let out = Run::to_openai(GPT_4O).ok(&body);
    assert_eq!(
        out.json["messages"][2],
        json(r#"{"role":"tool","tool_call_id":"t1","content":"seen"}"#)
    );
    let rest = &out.json["messages"][3]["content"];
    assert_eq!(rest[0]["text"], "Attachment from tool result t1:");
    assert_eq!(rest[1], part);
    assert_eq!(rest[2]["text"], "go on");
    let inside = Run::to_openai(LOCAL).dialect(|dialect| dialect.images_in_tool_messages = true);
    assert_eq!(inside.ok(&body).json["messages"][2]["content"][1], part);
}

#[test]
fn o3_pk8_images_and_documents_become_parts_or_are_refused() {
    let body = |block: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{{"type":"text","text":"x"}},{block}]}}]}}"#
        )
    };
    for (block, expected) in [
        (
            r#"{"type":"image","source":{"type":"url","url":"https://e.example/a.png"}}"#,
            r#"{"type":"image_url","image_url":{"url":"https://e.example/a.png"}}"#,
        ),
        (
            r#"{"type":"document","title":"t.pdf","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
            r#"{"type":"file","file":{"filename":"t.pdf","file_data":"data:application/pdf;base64,JVBE"}}"#,
        ),
        (
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
            r#"{"type":"file","file":{"filename":"document.pdf","file_data":"data:application/pdf;base64,JVBE"}}"#,
        ),
        (
            r#"{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"hello"}}"#,
            r#"{"type":"text","text":"T\nhello"}"#,
        ),
        (
            r#"{"type":"search_result","title":"T","source":"s","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
            r#"{"type":"text","text":"T\ns\na\nb"}"#,
        ),
    ] {
        let out = Run::to_openai(GPT_4O).ok(&body(block));
        assert_eq!(
            out.json["messages"][0]["content"][1],
            json(expected),
            "{block}"
        );
    }
    let out = Run::to_openai(GPT_4O).ok(&body(r#"{"type":"document","citations":{"enabled":true},"source":{"type":"content","content":[{"type":"text","text":"in"}]}}"#));
    assert_eq!(
        out.json["messages"][0]["content"][1],
        json(r#"{"type":"text","text":"in"}"#)
    );
    assert_eq!(out.notes, "dropped=citations");
    for block in [
        r#"{"type":"image","source":{"type":"file","file_id":"file_1"}}"#,
        r#"{"type":"document","source":{"type":"file","file_id":"file_1"}}"#,
        r#"{"type":"document","source":{"type":"url","url":"https://e.example/a.pdf"}}"#,
    ] {
        assert_eq!(
            Run::to_openai(GPT_4O).refused(&body(block)),
            "messages[0].content",
            "{block}"
        );
    }
    let pdf = body(
        r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
    );
    let local = Run::to_openai(LOCAL).dialect(|dialect| dialect.files = false);
    assert_eq!(local.refused(&pdf), "messages[0].content");
}

#[test]
fn ni14_images_for_a_model_without_eyes_are_refused() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]}"#;
    assert_eq!(
        Run::to_openai("gpt-3.5-turbo").refused(body),
        "messages[0].content"
    );
    let blind = Run::to_openai(LOCAL).dialect(|dialect| dialect.images = false);
    assert_eq!(blind.refused(body), "messages[0].content");
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

#[test]
fn o6_system_within_the_conversation_stays_in_place() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"system","content":"S"},{"role":"assistant","content":"A"},{"role":"user","content":"y"}]}"#;
    let out = Run::to_openai(GPT_4O).ok(body);
    assert_eq!(
        out.json["messages"][1],
        json(r#"{"role":"system","content":"S"}"#)
    );
}

#[test]
fn o6_system_that_a_template_refuses_later_is_user_text_in_its_place() {
    let call =
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    let called = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"t1","content":"r"}"#;
    let text = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let (u, v, a) = (text("user", "U"), text("user", "V"), text("assistant", "A"));
    let (s, t) = (text("system", "S"), text("system", r"T\u00e9"));
    let (said, said_both) = (
        text("user", r"[system instruction]\nS"),
        text("user", r"[system instruction]\nS\nT\u00e9"),
    );
    let top = text("system", "top");
    for (sent, expected, notes) in [
        // Alone and in a run, before an answer, before the user, at the end.
        (
            format!("{u},{s},{a},{v}"),
            format!("{top},{u},{said},{a},{v}"),
            true,
        ),
        (
            format!("{u},{a},{s},{t},{v}"),
            format!("{top},{u},{a},{said_both},{v}"),
            true,
        ),
        (format!("{u},{s}"), format!("{top},{u},{said}"), true),
        // What opens the conversation joins the system text: nothing is lost.
        (
            format!("{s},{t},{u}"),
            format!(
                r#"{{"role":"system","content":[{{"type":"text","text":"top"}},{{"type":"text","text":"S"}},{{"type":"text","text":"T\u00e9"}}]}},{u}"#
            ),
            false,
        ),
        // Instructions alone are what is asked.
        (format!("{s},{t}"), format!("{top},{said_both}"), true),
        // Results stay behind their calls.
        (
            format!(r#"{u},{call},{s},{{"role":"user","content":[{result}]}}"#),
            format!(
                r#"{top},{u},{called},{{"role":"tool","tool_call_id":"t1","content":"r"}},{said}"#
            ),
            true,
        ),
        (
            format!(r#"{u},{call},{{"role":"user","content":[{result}]}},{s},{a},{v}"#),
            format!(
                r#"{top},{u},{called},{{"role":"tool","tool_call_id":"t1","content":"r"}},{said},{a},{v}"#
            ),
            true,
        ),
    ] {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"system":"top","messages":[{sent}],"tools":[{{"name":"f","input_schema":{{}}}}]}}"#
        );
        let run = Run {
            dialect: ringway::wire::kind::Dialect::compatible(),
            ..Run::to_openai(LOCAL)
        };
        let out = run.ok(&body);
        assert_eq!(
            out.json["messages"],
            json(&format!("[{expected}]")),
            "{sent}"
        );
        let names = if notes { "changed=messages" } else { "" };
        assert_eq!(out.notes, names, "{sent}");
        // Said in another place, and said.
        let strict = run.hints(|hints| hints.strict = true);
        assert_eq!(strict.ok(&body).notes, names, "{sent}");
    }
}

#[test]
fn results_in_several_user_turns_stand_behind_their_calls() {
    let body = conversation(
        r#"[{"role":"user","content":"U"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}},{"type":"tool_use","id":"t2","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"r2"},{"type":"text","text":"x"}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r1"}]},{"role":"user","content":"V"}]"#,
    );
    for repeated in [true, false] {
        let run = Run::to_openai(GPT_4O).dialect(|dialect| dialect.repeated_roles = repeated);
        let out = run.ok(&body);
        let list = out.json["messages"].as_array().unwrap();
        let roles: Vec<_> = list.iter().map(|it| it["role"].as_str().unwrap()).collect();
        let start = ["user", "assistant", "tool", "tool", "user", "user"];
        let count = if repeated { 6 } else { 5 };
        assert_eq!(roles, start[..count]);
        assert_eq!(list[2]["tool_call_id"], "t2");
    }
}

#[test]
fn tools_that_join_later_are_listed_and_removal_is_refused() {
    let body = |block: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}},{{"role":"system","content":[{block}]}}],"tools":[{{"name":"f","input_schema":{{}}}}]}}"#
        )
    };
    let out = Run::to_openai(GPT_4O).ok(&body(
        r#"{"type":"tool_addition","tool":{"name":"g","input_schema":{"type":"object"}}}"#,
    ));
    assert_eq!(out.json["tools"][1]["function"]["name"], "g");
    let out = Run::to_openai(GPT_4O).ok(&body(
        r#"{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}"#,
    ));
    assert_eq!(out.json["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        Run::to_openai(GPT_4O).refused(&body(r#"{"type":"tool_removal","tool":{}}"#)),
        "messages[1].content[0]"
    );
}

#[test]
fn calls_and_results_must_pair() {
    let use_ =
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    for (list, param) in [
        (format!(r#"[{{"role":"user","content":"x"}},{use_},{{"role":"user","content":"y"}}]"#), "messages[1]"),
        (r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r"}]}]"#.to_owned(), "messages[0]"),
        (r#"[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}},{"type":"tool_use","id":"t1","name":"f","input":{}}]}]"#.to_owned(), "messages[0]"),
    ] {
        assert_eq!(Run::to_openai(GPT_4O).refused(&conversation(&list)), param, "{list}");
    }
}

#[test]
fn a13_names_and_ids_too_long_are_shortened_and_restored() {
    let name = "n".repeat(100);
    let id = format!("toolu_{}", "x".repeat(60));
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"tools":[{{"name":"{name}","input_schema":{{}}}},{{"name":"a.b","input_schema":{{}}}}],"tool_choice":{{"type":"tool","name":"{name}"}},
        "messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"{name}","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"r"}}]}}]}}"#
    );
    let out = Run::to_openai(GPT_4O).ok(&body);
    let sent = out.json["tools"][0]["function"]["name"].as_str().unwrap();
    assert_eq!(sent.len(), 64);
    assert!(sent.starts_with(&"n".repeat(55)));
    assert_eq!(out.json["tool_choice"]["function"]["name"], sent);
    assert_eq!(
        out.json["messages"][1]["tool_calls"][0]["function"]["name"],
        sent
    );
    let own: Vec<_> = out.translated.answer.tool_names.values().collect();
    assert_eq!(own, [b"a.b".as_slice(), name.as_bytes()]);
    let short = out.json["messages"][1]["tool_calls"][0]["id"]
        .as_str()
        .unwrap();
    assert_eq!(short.len(), 40);
    assert_eq!(out.json["messages"][2]["tool_call_id"], short);
    // Nine letters or digits, where an upstream wants that.
    let nine = Run::to_openai(LOCAL).dialect(|dialect| dialect.tool_id_bytes_max = 9);
    let out = nine.ok(&body);
    let short = out.json["messages"][1]["tool_calls"][0]["id"]
        .as_str()
        .unwrap();
    assert!(short.len() == 9 && short.bytes().all(|b| b.is_ascii_alphanumeric()));
}

#[test]
fn b5_signature_within_an_id_goes_back_where_it_is_wanted() {
    let id = "c1__thought__Cp-p-sw-e-e";
    let body = conversation(&format!(
        r#"[{{"role":"user","content":"U"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"r"}}]}}]"#
    ));
    let out = Run::to_openai(LOCAL)
        .dialect(|dialect| dialect.thought_signatures = true)
        .ok(&body);
    assert_eq!(
        out.json["messages"][1]["tool_calls"][0],
        json(
            r#"{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"Cp+/w=="}}}"#
        )
    );
    assert_eq!(out.json["messages"][2]["tool_call_id"], "c1");
    assert_eq!(out.notes, "");
    let other = Run::to_openai(LOCAL).ok(&body);
    let call = &other.json["messages"][1]["tool_calls"][0];
    assert_eq!(call["id"], "c1");
    assert_eq!(call.get("extra_content"), None);
    assert_eq!(other.notes, "dropped=thought_signature");
}

#[test]
fn roles_in_a_row_are_joined_where_refused() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#;
    assert_eq!(
        Run::to_openai(GPT_4O).ok(body).json["messages"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let strict = Run::to_openai(LOCAL).dialect(|dialect| {
        dialect.repeated_roles = false;
        dialect.array_content = false;
    });
    assert_eq!(
        strict.ok(body).json["messages"],
        json(r#"[{"role":"user","content":"a\n\nb"}]"#)
    );
}

#[test]
fn b_every_loss_has_a_note_and_is_refused_when_strict() {
    let say = |blocks: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"U"}},{{"role":"assistant","content":[{blocks}]}},{{"role":"user","content":"V"}}]}}"#
        )
    };
    let text = |more: &str| say(&format!(r#"{{"type":"text","text":"t"{more}}}"#));
    let tool = |more: &str| {
        let tool = format!(r#""tools":[{{"name":"f","input_schema":{{}}{more}}}]"#);
        messages(&tool)
    };
    for (body, notes) in [
        (
            text(r#","citations":[{"type":"char_location"}]"#),
            "dropped=citations",
        ),
        (text(r#","citations":[]"#), ""),
        (text(r#","citations":null,"odd":null"#), ""),
        (text(r#","odd":1"#), "dropped=odd"),
        (tool(r#","odd":1"#), "dropped=odd"),
        (tool(r#","type":"custom""#), ""),
        (
            messages(r#""thinking":{"type":"disabled","display":"omitted"}"#),
            "dropped=display",
        ),
        (
            tool("").replace(r#"]}"#, r#"],"tool_choice":{"type":"auto","odd":1}}"#),
            "dropped=odd",
        ),
        (
            messages("").replace(r#""content":"hi""#, r#""content":"hi","odd":1"#),
            "dropped=odd",
        ),
    ] {
        let run = Run::to_openai(GPT_4O);
        assert_eq!(run.ok(&body).notes, notes, "{body}");
        let strict = run.hints(|hints| hints.strict = true).run(&body);
        assert_eq!(strict.is_err(), !notes.is_empty(), "{body}");
    }
    let called = |more: &str| {
        conversation(&format!(
            r#"[{{"role":"user","content":"U"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"f","input":{{}}{more}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t"}}]}}]"#
        ))
    };
    for (caller, notes) in [
        (r#","caller":{"type":"direct"}"#, ""),
        (
            r#","caller":{"type":"code_execution_20250825"}"#,
            "dropped=caller",
        ),
    ] {
        assert_eq!(Run::to_openai(GPT_4O).ok(&called(caller)).notes, notes);
    }
}

#[test]
fn b_user_behind_a_tool_is_parted_from_it_where_refused() {
    let call =
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    let called = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"t1","content":"r"}"#;
    let tool = r#"{"role":"tool","tool_call_id":"t1","content":"r"}"#;
    let text = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let (u, a, v) = (text("user", "U"), text("assistant", "A"), text("user", "V"));
    let bridge = text("assistant", "Understood.");
    let alone = format!(r#"{{"role":"user","content":[{result}]}}"#);
    let beside = format!(r#"{{"role":"user","content":[{result},{{"type":"text","text":"V"}}]}}"#);
    let run = Run::to_openai(LOCAL).dialect(|dialect| dialect.user_after_tool = false);
    for (sent, expected, notes) in [
        (
            format!("{u},{call},{beside}"),
            format!("{u},{called},{tool},{bridge},{v}"),
            true,
        ),
        (
            format!("{u},{call},{alone},{v}"),
            format!("{u},{called},{tool},{bridge},{v}"),
            true,
        ),
        (
            format!("{u},{call},{alone}"),
            format!("{u},{called},{tool}"),
            false,
        ),
        (
            format!("{u},{call},{alone},{a},{v}"),
            format!("{u},{called},{tool},{a},{v}"),
            false,
        ),
        (format!("{u},{v}"), format!("{u},{v}"), false),
    ] {
        let body = conversation(&format!("[{sent}]"));
        let out = run.ok(&body);
        assert_eq!(
            out.json["messages"],
            json(&format!("[{expected}]")),
            "{sent}"
        );
        let names = if notes { "changed=messages" } else { "" };
        assert_eq!(out.notes, names, "{sent}");
        assert_eq!(Run::to_openai(LOCAL).ok(&body).notes, "", "{sent}");
    }
}

#[test]
fn b_prefill_is_an_answer_of_its_own_or_marked_and_noted() {
    let body =
        conversation(r#"[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]"#);
    let out = Run::to_openai(GPT_4O).ok(&body);
    let last = r#"{"role":"assistant","content":"A"}"#;
    assert_eq!(out.json["messages"][1], json(last));
    assert_eq!(out.notes, "changed=messages");
    let marked = Run::to_openai(LOCAL).dialect(|dialect| dialect.assistant_prefix = true);
    let out = marked.ok(&body);
    let last = r#"{"role":"assistant","content":"A","prefix":true}"#;
    assert_eq!(out.json["messages"][1], json(last));
    let earlier = conversation(
        r#"[{"role":"user","content":"U"},{"role":"assistant","content":"A"},{"role":"user","content":"V"}]"#,
    );
    let out = marked.ok(&earlier);
    assert_eq!(out.json["messages"][1].get("prefix"), None);
    assert_eq!(out.notes, "");
}

#[test]
fn web_search_tool_becomes_options_where_they_are_taken() {
    let run = Run::to_openai(LOCAL).dialect(|dialect| dialect.web_search_options = true);
    let tool = r#""tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3,"user_location":{"type":"approximate","city":"Bonn"}}]"#;
    check(
        &run,
        tool,
        "web_search_options",
        r#"{"search_context_size":"medium","user_location":{"type":"approximate","approximate":{"city":"Bonn"}}}"#,
        "",
    );
}

#[test]
fn b_search_that_is_no_tool_cannot_be_chosen() {
    let run = Run::to_openai(GPT_4O).dialect(|dialect| dialect.web_search_options = true);
    let search = r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#;
    for choice in [
        r#"{"type":"tool","name":"web_search"}"#,
        r#"{"type":"any"}"#,
    ] {
        let members = format!(r#"{search},"tool_choice":{choice}"#);
        check(&run, &members, "tool_choice", "null", "changed=tool_choice");
    }
}

#[test]
fn e1_one_turn_is_the_start_of_the_next() {
    let turns = [
        r#"{"role":"user","content":[{"type":"text","text":"U","cache_control":{"type":"ephemeral"}}]}"#,
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{ "a":1 }}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r"}]}"#,
        r#"{"role":"assistant","content":"A"},{"role":"user","content":"V"}"#,
    ];
    let mut before: Vec<u8> = Vec::new();
    for count in 1..=turns.len() {
        let body = conversation(&format!("[{}]", turns[..count].join(",")));
        let bytes = Run::to_openai(GPT_4O).ok(&body).bytes;
        assert_eq!(bytes, Run::to_openai(GPT_4O).ok(&body).bytes);
        let start = before.strip_suffix(b"]}").unwrap_or_default();
        assert!(bytes.starts_with(start), "turn {count}");
        before = bytes;
    }
}

#[test]
fn o7_shapes_of_the_other_wire_are_refused_by_place() {
    for (members, param) in [
        (
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"tool","tool_call_id":"c","content":"r"}]}"#,
            "messages[0].role",
        ),
        (
            r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#,
            "messages[0].content",
        ),
    ] {
        assert_eq!(Run::to_openai(GPT_4O).refused(members), param, "{members}");
    }
}

#[test]
fn names_that_no_other_begins_with_are_known_to_the_answer() {
    let tools = ["get", "get_weather", "f", "get_weathers", "f"]
        .map(|name| format!(r#"{{"name":"{name}","input_schema":{{}}}}"#));
    let out = Run::to_openai(GPT_4O).ok(&messages(&format!(r#""tools":[{}]"#, tools.join(","))));
    let mut expected = [b"f".as_slice(), b"get_weathers"].map(fingerprint);
    expected.sort_unstable();
    assert_eq!(out.translated.answer.whole_names, expected);
}
