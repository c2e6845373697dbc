//! Members of a request of the Anthropic wire: each row of the rules with its verdict.

use ringway::wire::codec::write_error;
use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::anthropic_to_openai::shared::{GPT_4O, GPT_5, LOCAL, check, conversation};
use crate::support::{Run, json, messages};

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
    let rejection = Run::to_openai(GPT_4O).run(&body).unwrap_err();
    let mut out = Vec::new();
    write_error(
        Wire::AnthropicMessages,
        &rejection.as_error(),
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
    write_error(Wire::AnthropicMessages, &other.as_error(), "", &mut out);
    assert!(!out.windows(9).any(|piece| piece == b"\"details\""));
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
