//! Requests of the OpenAI wire towards Anthropic models: each row of the rules with its verdict.

use serde_json::Value;

use crate::support::{Run, chat, chat_messages, json};

/// Takes temperature, effort and budgets apart from each other: nothing special.
const PLAIN: &str = "claude-sonnet-4-20250514";
const OPUS_5: &str = "claude-opus-5";
const OPUS_4_5: &str = "claude-opus-4-5";
const SONNET_4_5: &str = "claude-sonnet-4-5";

/// One member in, one member out (`null`: absent), and the notes.
#[track_caller]
fn check(model: &str, members: &str, name: &str, expected: &str, notes: &str) {
    let out = Run::to_anthropic(model).ok(&chat(members));
    let found = out.json.get(name).cloned().unwrap_or(Value::Null);
    assert_eq!(found, json(expected), "{members} at {model}: {}", out.json);
    assert_eq!(out.notes, notes, "{members} at {model}");
}

#[test]
fn members_map_one_to_one() {
    for (members, name, expected) in [
        (r#""temperature":0.70"#, "temperature", "0.70"),
        (r#""top_p":0.5"#, "top_p", "0.5"),
        (r#""top_k":40"#, "top_k", "40"),
        (r#""stop":"END""#, "stop_sequences", r#"["END"]"#),
        (r#""stop":["a\n","b"]"#, "stop_sequences", r#"["a\n","b"]"#),
        (r#""stream":true"#, "stream", "true"),
        (r#""stream":false"#, "stream", "null"),
        (
            r#""safety_identifier":"a1","user":"b2""#,
            "metadata",
            r#"{"user_id":"a1"}"#,
        ),
        (r#""user":"b2""#, "metadata", r#"{"user_id":"b2"}"#),
        (
            r#""metadata":{"user_id":"c3"}"#,
            "metadata",
            r#"{"user_id":"c3"}"#,
        ),
        (r#""service_tier":"auto""#, "service_tier", "null"),
        (
            r#""service_tier":"default""#,
            "service_tier",
            r#""standard_only""#,
        ),
        (r#""service_tier":"priority""#, "service_tier", r#""auto""#),
        (r#""service_tier":"fast""#, "service_tier", r#""auto""#),
        (
            r#""cache_control":{"type":"ephemeral"}"#,
            "cache_control",
            r#"{"type":"ephemeral"}"#,
        ),
        (
            r#""stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}"#,
            "stream_options",
            "null",
        ),
        (
            r#""response_format":{"type":"text"}"#,
            "output_config",
            "null",
        ),
    ] {
        check(PLAIN, members, name, expected, "");
    }
}

#[test]
fn hints_without_a_word_are_dropped_and_named() {
    for (members, notes) in [
        (r#""seed":12345678901234567890"#, "dropped=seed"),
        (r#""logit_bias":{"5":1}"#, "dropped=logit_bias"),
        (
            r#""frequency_penalty":0.5,"presence_penalty":-1"#,
            "dropped=frequency_penalty,presence_penalty",
        ),
        (
            r#""store":true,"verbosity":"low""#,
            "dropped=store,verbosity",
        ),
        (r#""service_tier":"flex""#, "dropped=service_tier"),
        (r#""service_tier":"scale""#, "dropped=service_tier"),
        (r#""metadata":{"team":"a"}"#, "dropped=metadata"),
        (r#""user":"a@b.example""#, "dropped=user"),
        (r#""user":"+49 170 1234567""#, "dropped=user"),
        (r#""stop":["  ","x"]"#, "dropped=stop"),
        (
            r#""chat_template_kwargs":{}"#,
            "dropped=chat_template_kwargs",
        ),
        (r#""we\nird":1"#, "dropped=unknown"),
        (r#""temperature":1.7"#, "changed=temperature"),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&chat(members));
        assert_eq!(out.notes, notes, "{members}");
        let strict = Run::to_anthropic(PLAIN).hints(|hints| hints.strict = true);
        let param = strict.refused(&chat(members));
        assert!(notes.contains(&param), "{members}: {param}");
    }
}

#[test]
fn members_that_ask_for_nothing_are_silent_even_when_strict() {
    for members in [
        r#""n":1"#,
        r#""store":false"#,
        r#""frequency_penalty":0,"presence_penalty":0.0"#,
        r#""logit_bias":{}"#,
        r#""logprobs":false,"top_logprobs":0"#,
        r#""modalities":["text"]"#,
        r#""stop":[]"#,
        r#""parallel_tool_calls":true"#,
        r#""seed":null,"n":null,"tools":null,"response_format":null,"reasoning_effort":null"#,
        r#""allow_fallbacks":false,"routing":"price""#,
    ] {
        let strict = Run::to_anthropic(PLAIN).hints(|hints| hints.strict = true);
        assert_eq!(strict.ok(&chat(members)).notes, "", "{members}");
    }
}

#[test]
fn contracts_without_a_word_are_refused_by_name() {
    for (members, param) in [
        (r#""n":2"#, "n"),
        (r#""logprobs":true"#, "logprobs"),
        (r#""top_logprobs":3"#, "top_logprobs"),
        (r#""audio":{"format":"wav","voice":"a"}"#, "audio"),
        (r#""modalities":["text","audio"]"#, "modalities"),
        (r#""moderation":{"model":"m"}"#, "moderation"),
        (r#""inference_geo":"eu""#, "inference_geo"),
        (r#""mcp_servers":[{"type":"url"}]"#, "mcp_servers"),
        (r#""container":{"id":"c"}"#, "container"),
        (
            r#""tools":[{"type":"custom","custom":{"name":"c","format":{"type":"grammar","grammar":{}}}}]"#,
            "tools",
        ),
        (
            r#""tool_choice":{"type":"function","function":{"name":"g"}},"tools":[{"type":"function","function":{"name":"f"}}]"#,
            "tool_choice",
        ),
        (r#""temperature":"hot""#, "temperature"),
        (r#""stream":"yes""#, "stream"),
        (r#""reasoning_effort":"extreme""#, "reasoning_effort"),
        (r#""seed":1,"seed":2"#, "seed"),
    ] {
        assert_eq!(
            Run::to_anthropic(PLAIN).refused(&chat(members)),
            param,
            "{members}"
        );
    }
    for (tokens, param) in [
        ("0", "max_tokens"),
        ("-1", "max_tokens"),
        ("1.5", "max_tokens"),
        (r#""9""#, "max_tokens"),
    ] {
        let body = format!(
            r#"{{"model":"m","max_tokens":{tokens},"messages":[{{"role":"user","content":"x"}}]}}"#
        );
        assert_eq!(Run::to_anthropic(PLAIN).refused(&body), param, "{tokens}");
    }
}

#[test]
fn lg9_pk13_max_tokens_absent_takes_the_models_maximum() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    for (model, tokens) in [
        ("claude-opus-4-6", 128_000),
        ("claude-3-haiku-20240307", 4096),
        ("someone-elses", 8192),
    ] {
        let out = Run::to_anthropic(model).ok(body);
        assert_eq!(out.json["max_tokens"], tokens, "{model}");
        assert_eq!(out.notes, "changed=max_tokens");
    }
    let both = r#"{"model":"m","max_tokens":5,"max_completion_tokens":7,"messages":[{"role":"user","content":"x"}]}"#;
    assert_eq!(Run::to_anthropic(PLAIN).ok(both).json["max_tokens"], 7);
}

#[test]
fn b_max_tokens_above_the_models_limit_is_lowered_to_it() {
    let body = |tokens: u32| chat("").replace("4000", &tokens.to_string());
    for (model, asked, sent, notes) in [
        (OPUS_5, 128_000, 128_000, ""),
        (OPUS_5, 128_001, 128_000, "changed=max_tokens"),
        ("claude-3-haiku-20240307", 4097, 4096, "changed=max_tokens"),
        ("someone-elses", 500_000, 500_000, ""),
    ] {
        let out = Run::to_anthropic(model).ok(&body(asked));
        assert_eq!(out.json["max_tokens"], sent, "{model}");
        assert_eq!(out.notes, notes, "{model}");
    }
    // A beta may allow more.
    let run = Run::to_anthropic(OPUS_5).hints(|hints| hints.betas = true);
    assert_eq!(run.ok(&body(300_000)).json["max_tokens"], 300_000);
}

#[test]
fn sampling_gives_way_where_a_model_refuses_it() {
    check(OPUS_5, r#""temperature":1"#, "temperature", "null", "");
    check(
        OPUS_5,
        r#""temperature":0.2,"top_p":0.5,"top_k":3"#,
        "temperature",
        "null",
        "dropped=temperature,top_k,top_p",
    );
    check(OPUS_5, r#""top_p":1"#, "top_p", "null", "");
    check(
        SONNET_4_5,
        r#""temperature":0.2,"top_p":0.5"#,
        "temperature",
        "0.2",
        "dropped=top_p",
    );
    check(SONNET_4_5, r#""top_p":0.5"#, "top_p", "0.5", "");
    for model in [
        "claude-opus-4-1",
        OPUS_4_5,
        "claude-opus-4-6",
        "claude-sonnet-4-6",
    ] {
        let both = r#""temperature":0.2,"top_p":0.5"#;
        check(model, both, "temperature", "0.2", "dropped=top_p");
        check(model, both, "top_p", "null", "dropped=top_p");
    }
}

#[test]
fn b_sampling_gives_way_to_adaptive_thinking() {
    let asked = r#""temperature":0.5,"top_k":3,"reasoning_effort":"low""#;
    let notes = "dropped=temperature,top_k";
    check("claude-opus-4-6", asked, "temperature", "null", notes);
    let own = r#""temperature":0.5,"thinking":{"type":"adaptive"}"#;
    let notes = "dropped=temperature";
    check("claude-sonnet-4-6", own, "temperature", "null", notes);
    let narrow = r#""top_p":0.94,"reasoning_effort":"low""#;
    check("claude-opus-4-6", narrow, "top_p", "null", "dropped=top_p");
    let wide = r#""top_p":0.95,"reasoning_effort":"low""#;
    check("claude-opus-4-6", wide, "top_p", "0.95", "");
}

#[test]
fn b_thinking_switched_on_without_a_budget_is_a_level() {
    let on = r#""thinking":{"type":"enabled"}"#;
    let shown = r#"{"type":"adaptive","display":"summarized"}"#;
    let budget = r#"{"type":"enabled","budget_tokens":2048}"#;
    check("claude-opus-4-6", on, "thinking", shown, "");
    check(
        "claude-opus-4-6",
        on,
        "output_config",
        r#"{"effort":"medium"}"#,
        "",
    );
    let low = format!(r#"{on},"reasoning_effort":"low""#);
    check(PLAIN, &low, "thinking", budget, "");
    check(OPUS_5, &low, "output_config", r#"{"effort":"low"}"#, "");
    check(
        "claude-3-haiku-20240307",
        on,
        "thinking",
        "null",
        "dropped=reasoning_effort",
    );
}

#[test]
fn lg4_to6_tools_keep_their_schema_to_the_byte() {
    let schema = r##"{"type":"object", "properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"anyOf":[{"type":"null"}]}},"additionalProperties":false,"minimum":1.50}"##;
    let members = format!(
        r#""tools":[{{"type":"function","function":{{"name":"f","description":"d\u00e9","parameters":{schema}}}}}]"#
    );
    let out = Run::to_anthropic(PLAIN).ok(&chat(&members));
    let text = String::from_utf8(out.bytes).unwrap();
    let expected = format!(r#"{{"name":"f","description":"d\u00e9","input_schema":{schema}}}"#);
    assert!(text.contains(&expected), "{text}");
    assert_eq!(out.notes, "");
}

#[test]
fn tool_schemas_without_type_or_at_all_become_objects() {
    for (parameters, expected) in [
        ("", r#"{"type":"object","properties":{}}"#),
        (r#","parameters":{}"#, r#"{"type":"object"}"#),
        (
            r#","parameters":{"properties":{"a":{}}}"#,
            r#"{"type":"object","properties":{"a":{}}}"#,
        ),
    ] {
        let members =
            format!(r#""tools":[{{"type":"function","function":{{"name":"f"{parameters}}}}}]"#);
        let out = Run::to_anthropic(PLAIN).ok(&chat(&members));
        assert_eq!(
            out.json["tools"][0]["input_schema"],
            json(expected),
            "{parameters}"
        );
    }
}

#[test]
fn strict_tools_stay_strict_inside_the_subset_only() {
    let tool = |schema: &str| {
        format!(
            r#""tools":[{{"type":"function","function":{{"name":"f","strict":true,"parameters":{schema}}}}}]"#
        )
    };
    let inside = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    let outside = r#"{"type":"object","properties":{"a":{"type":"integer","minimum":3}}}"#;
    for (model, schema, strict, notes) in [
        (OPUS_5, inside, true, ""),
        (OPUS_5, outside, false, "dropped=strict"),
        (PLAIN, inside, false, "dropped=strict"),
    ] {
        let out = Run::to_anthropic(model).ok(&chat(&tool(schema)));
        assert_eq!(
            out.json["tools"][0].get("strict").is_some(),
            strict,
            "{model} {schema}"
        );
        assert_eq!(out.notes, notes);
    }
}

#[test]
fn a12_tool_choice_has_a_form_for_every_value() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#;
    for (choice, expected) in [
        ("", "null"),
        (r#","tool_choice":"auto""#, r#"{"type":"auto"}"#),
        (r#","tool_choice":"required""#, r#"{"type":"any"}"#),
        (r#","tool_choice":"none""#, r#"{"type":"none"}"#),
        (
            r#","tool_choice":{"type":"function","function":{"name":"g"}}"#,
            r#"{"type":"tool","name":"g"}"#,
        ),
        (
            r#","parallel_tool_calls":false"#,
            r#"{"type":"auto","disable_parallel_tool_use":true}"#,
        ),
        (
            r#","tool_choice":"required","parallel_tool_calls":false"#,
            r#"{"type":"any","disable_parallel_tool_use":true}"#,
        ),
        (
            r#","tool_choice":"none","parallel_tool_calls":false"#,
            r#"{"type":"none"}"#,
        ),
        (
            r#","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}"#,
            r#"{"type":"auto"}"#,
        ),
        (
            r#","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","name":"g"}]}},"parallel_tool_calls":false"#,
            r#"{"type":"any","disable_parallel_tool_use":true}"#,
        ),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&chat(&format!("{tools}{choice}")));
        let found = out.json.get("tool_choice").cloned().unwrap_or(Value::Null);
        assert_eq!(found, json(expected), "{choice}");
        let count = out.json["tools"].as_array().unwrap().len();
        assert_eq!(
            count,
            if choice.contains("allowed") { 1 } else { 2 },
            "{choice}"
        );
        assert_eq!(out.notes, "", "{choice}");
    }
    // Without tools there is nothing to choose among.
    assert_eq!(
        Run::to_anthropic(PLAIN)
            .ok(&chat(r#""parallel_tool_calls":false,"tool_choice":"auto""#))
            .json
            .get("tool_choice"),
        None
    );
    assert_eq!(
        Run::to_anthropic(PLAIN).refused(&chat(r#""tool_choice":"required""#)),
        "tool_choice"
    );
    assert_eq!(
        Run::to_anthropic("claude-fable-5-1")
            .refused(&chat(&format!(r#"{tools},"tool_choice":"required""#))),
        "tool_choice"
    );
}

#[test]
fn custom_tools_take_text_in_an_object() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"custom","custom":{"name":"sh","input":"ls \"-l\""}}]},
            {"role":"tool","tool_call_id":"c1","content":"ok"}],
           "tools":[{"type":"custom","custom":{"name":"sh","description":"d"}}],
           "tool_choice":{"type":"custom","custom":{"name":"sh"}}"#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert_eq!(
        out.json["messages"][1]["content"][0]["input"],
        json(r#"{"input":"ls \"-l\""}"#)
    );
    assert_eq!(
        out.json["tools"][0]["input_schema"]["required"],
        json(r#"["input"]"#)
    );
    assert_eq!(
        out.json["tool_choice"],
        json(r#"{"type":"tool","name":"sh"}"#)
    );
    assert!(out.translated.answer.custom_tools.iter().eq(["sh"]));
}

#[test]
fn legacy_functions_become_tools_one_call_at_a_time() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},
            {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},
            {"role":"function","name":"f","content":"ok"},
            {"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}},
            {"role":"function","name":"f","content":null}],
           "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}"#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert!(out.translated.answer.legacy_function);
    assert_eq!(
        out.json["tool_choice"],
        json(r#"{"type":"tool","name":"f","disable_parallel_tool_use":true}"#)
    );
    assert_eq!(
        out.json["messages"][1]["content"][0]["id"],
        out.json["messages"][2]["content"][0]["tool_use_id"]
    );
    assert_eq!(
        out.json["messages"][3]["content"][0]["id"],
        out.json["messages"][4]["content"][0]["tool_use_id"]
    );
    assert_ne!(
        out.json["messages"][1]["content"][0]["id"],
        out.json["messages"][3]["content"][0]["id"]
    );
    assert_eq!(out.json["messages"][4]["content"][0].get("content"), None);
    assert_eq!(out.notes, "");
}

#[test]
fn pk9_web_search_tools_in_either_spelling_are_native() {
    for (tool, expected) in [
        (
            r#"{"type":"web_search","web_search":{"name":"web_search_20250305","max_uses":2}}"#,
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#,
        ),
        (
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#,
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#,
        ),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&chat(&format!(r#""tools":[{tool}]"#)));
        assert_eq!(out.json["tools"][0], json(expected), "{tool}");
    }
    assert_eq!(
        Run::to_anthropic(PLAIN).refused(&chat(r#""tools":[{"type":"file_search"}]"#)),
        "tools[0].type"
    );
}

#[test]
fn web_search_options_become_the_search_tool() {
    let members = r#""web_search_options":{"search_context_size":"high","user_location":{"type":"approximate","approximate":{"city":"Bonn","country":"DE"}}}"#;
    check(
        PLAIN,
        members,
        "tools",
        r#"[{"type":"web_search_20250305","name":"web_search","max_uses":10,"user_location":{"type":"approximate","city":"Bonn","country":"DE"}}]"#,
        "",
    );
}

#[test]
fn web_search_options_outlast_a_list_of_allowed_tools() {
    let out = Run::to_anthropic(PLAIN).ok(&chat(
        r#""web_search_options":{},"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}"#,
    ));
    let tools = out.json["tools"].as_array().unwrap().iter();
    let names: Vec<&Value> = tools.map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["g", "web_search"]);
    assert_eq!(out.notes, "");
}

#[test]
fn pk11_beta_of_the_body_goes_to_the_header() {
    let out = Run::to_anthropic(PLAIN).ok(&chat(r#""anthropic_beta":["a-1","b-2"]"#));
    assert_eq!(out.translated.beta.as_deref(), Some("a-1,b-2"));
    assert_eq!(out.json.get("anthropic_beta"), None);
    let out = Run::to_anthropic(PLAIN).ok(&chat(r#""anthropic_beta":"a-1, b\u000d\n-2""#));
    assert_eq!(out.translated.beta, None);
}

#[test]
fn lg5_effort_is_said_in_the_words_of_each_class() {
    let adaptive = |display: &str| format!(r#"{{"type":"adaptive","display":"{display}"}}"#);
    let shown = adaptive("summarized");
    for (model, effort, thinking, config, notes) in [
        (OPUS_5, "minimal", shown.as_str(), r#"{"effort":"low"}"#, ""),
        (OPUS_5, "medium", &shown, r#"{"effort":"medium"}"#, ""),
        (OPUS_5, "max", &shown, r#"{"effort":"max"}"#, ""),
        (OPUS_5, "none", r#"{"type":"disabled"}"#, "null", ""),
        (
            "claude-fable-5",
            "none",
            "null",
            r#"{"effort":"low"}"#,
            "changed=reasoning_effort",
        ),
        ("claude-fable-5", "high", &shown, r#"{"effort":"high"}"#, ""),
        (
            "claude-opus-4-6",
            "xhigh",
            &shown,
            r#"{"effort":"high"}"#,
            "changed=reasoning_effort",
        ),
        ("claude-opus-4-6", "none", "null", "null", ""),
        (PLAIN, "none", "null", "null", ""),
        (
            PLAIN,
            "minimal",
            r#"{"type":"enabled","budget_tokens":1024}"#,
            "null",
            "",
        ),
        (
            PLAIN,
            "low",
            r#"{"type":"enabled","budget_tokens":2048}"#,
            "null",
            "",
        ),
        (
            PLAIN,
            "high",
            r#"{"type":"enabled","budget_tokens":3999}"#,
            "null",
            "changed=reasoning_effort",
        ),
        (
            OPUS_4_5,
            "low",
            r#"{"type":"enabled","budget_tokens":2048}"#,
            r#"{"effort":"low"}"#,
            "",
        ),
        (
            "claude-3-haiku-20240307",
            "high",
            "null",
            "null",
            "dropped=reasoning_effort",
        ),
    ] {
        let members = format!(r#""reasoning_effort":"{effort}""#);
        check(model, &members, "thinking", thinking, notes);
        check(model, &members, "output_config", config, notes);
    }
    let run = Run::to_anthropic(OPUS_5).hints(|hints| hints.reasoning = Some(b"none"));
    let out = run.ok(&chat(r#""reasoning_effort":"high""#));
    assert_eq!(out.json["thinking"], json(&adaptive("omitted")));
}

#[test]
fn effort_is_noted_once_and_only_where_it_means_less() {
    let strict = |model| Run::to_anthropic(model).hints(|hints| hints.strict = true);
    let none = chat(r#""reasoning_effort":"none""#);
    assert_eq!(
        strict("claude-3-5-haiku-20241022")
            .ok(&none)
            .json
            .get("thinking"),
        None
    );
    let room = chat(r#""reasoning_effort":"xhigh""#).replace("4000", "40000");
    let out = Run::to_anthropic(OPUS_4_5).ok(&room);
    assert_eq!(out.json["output_config"], json(r#"{"effort":"high"}"#));
    assert_eq!(out.json["thinking"]["budget_tokens"], 24_576);
    assert_eq!(out.notes, "changed=reasoning_effort");
    assert_eq!(strict(OPUS_4_5).refused(&room), "reasoning_effort");
    let minimal = room.replace("xhigh", "minimal");
    assert_eq!(Run::to_anthropic(OPUS_4_5).ok(&minimal).notes, "");
    // Lowered for want of room, then left out for the forced tool.
    let forced = chat(
        r#""reasoning_effort":"high","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required""#,
    );
    assert_eq!(
        Run::to_anthropic(PLAIN).ok(&forced).notes,
        "dropped=reasoning_effort"
    );
}

#[test]
fn budgets_stay_under_the_output_limit() {
    let body = |tokens: &str, effort: &str| {
        format!(
            r#"{{"model":"m"{tokens},"reasoning_effort":"{effort}","messages":[{{"role":"user","content":"x"}}]}}"#
        )
    };
    let budget =
        |body: &str| Run::to_anthropic(PLAIN).ok(body).json["thinking"]["budget_tokens"].as_u64();
    assert_eq!(budget(&body("", "max")), Some(32_768));
    assert_eq!(budget(&body(r#","max_tokens":1025"#, "max")), Some(1024));
    assert_eq!(budget(&body(r#","max_tokens":1024"#, "max")), None);
    let out = Run::to_anthropic(PLAIN).ok(&body(r#","max_tokens":1024"#, "max"));
    assert_eq!(out.notes, "dropped=reasoning_effort");
}

#[test]
fn pk6_own_thinking_members_go_on_as_they_stand() {
    check(
        PLAIN,
        r#""thinking":{"type":"enabled", "budget_tokens":2000},"reasoning_effort":"low""#,
        "thinking",
        r#"{"type":"enabled","budget_tokens":2000}"#,
        "dropped=reasoning_effort",
    );
    check(
        OPUS_5,
        r#""output_config":{"effort":"max","task_budget":{"type":"tokens","total":9}}"#,
        "output_config",
        r#"{"effort":"max","task_budget":{"type":"tokens","total":9}}"#,
        "",
    );
    check(
        PLAIN,
        r#""reasoning":{"max_tokens":2000}"#,
        "thinking",
        r#"{"type":"enabled","budget_tokens":2000}"#,
        "",
    );
    check(
        OPUS_5,
        r#""reasoning":{"max_tokens":2000}"#,
        "output_config",
        r#"{"effort":"low"}"#,
        "changed=reasoning",
    );
    check(
        OPUS_5,
        r#""reasoning":{"effort":"high"}"#,
        "output_config",
        r#"{"effort":"high"}"#,
        "",
    );
    check(
        OPUS_5,
        r#""reasoning":{"enabled":true}"#,
        "output_config",
        r#"{"effort":"medium"}"#,
        "",
    );
    let out = Run::to_anthropic(OPUS_5).ok(&chat(r#""reasoning":{"enabled":true,"exclude":true}"#));
    assert_eq!(out.json["thinking"]["display"], "omitted");
    assert!(!out.translated.answer.emission.text && !out.translated.answer.emission.details);
}

#[test]
fn manual_thinking_gives_way_to_forced_tools_and_sampling() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    check(
        PLAIN,
        &format!(r#"{tools},"tool_choice":"required","reasoning_effort":"low""#),
        "thinking",
        "null",
        "dropped=reasoning_effort",
    );
    check(
        PLAIN,
        r#""temperature":0.5,"top_k":3,"reasoning_effort":"low""#,
        "temperature",
        "null",
        "dropped=temperature,top_k",
    );
    check(
        PLAIN,
        r#""temperature":1.0,"reasoning_effort":"low""#,
        "temperature",
        "1.0",
        "",
    );
    // Adaptive thinking and forced tools go together.
    check(
        "claude-opus-4-6",
        &format!(r#"{tools},"tool_choice":"required","reasoning_effort":"low""#),
        "tool_choice",
        r#"{"type":"any"}"#,
        "",
    );
}

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
        json(r#"{"type":"tool","name":"json_response"}"#)
    );
    assert_eq!(
        out.translated.answer.json_answer,
        ringway::translate::context::JsonAnswer::Tool
    );

    let tools = r#","tools":[{"type":"function","function":{"name":"f"}}]"#;
    let out = Run::to_anthropic(PLAIN).ok(&chat(&format!("{format}{tools}")));
    assert_eq!(out.json["tool_choice"], json(r#"{"type":"any"}"#));
    let out = Run::to_anthropic(PLAIN).ok(&chat(&format!(r#"{format},"reasoning_effort":"low""#)));
    assert_eq!(out.json["tool_choice"], json(r#"{"type":"auto"}"#));
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
fn b_every_loss_has_a_note() {
    let say = |more: &str| {
        chat_messages(&format!(
            r#"[{{"role":"user","content":"U"}},{{"role":"assistant","content":"A"{more}}},{{"role":"user","content":"V"}}]"#
        ))
    };
    let call = |more: &str| {
        chat_messages(&format!(
            r#"[{{"role":"user","content":"U"}},{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":""}}{more}}}]}},{{"role":"tool","tool_call_id":"c","content":"r"}}]"#
        ))
    };
    for (body, notes) in [
        (
            say(r#","annotations":[{"type":"url_citation"}]"#),
            "dropped=annotations",
        ),
        (say(r#","annotations":[]"#), ""),
        (call(r#","index":0"#), ""),
        (
            call(r#","extra_content":{"google":{"thought_signature":"x"}}"#),
            "dropped=extra_content",
        ),
        (
            chat(r#""web_search_options":{"filters":{"allowed_domains":["a"]}}"#),
            "dropped=filters",
        ),
        (
            chat(r#""tools":[{"type":"function","function":{"name":"f","odd":1}}]"#),
            "dropped=odd",
        ),
    ] {
        let out = Run::to_anthropic("claude-opus-4-6").ok(&body);
        assert_eq!(out.notes, notes, "{body}");
    }
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
fn o6_system_run_leads_and_later_ones_keep_their_place() {
    let messages = r#"[{"role":"system","content":"S1"},{"role":"developer","content":[{"type":"text","text":"S2"},{"type":"text","text":""}]},
        {"role":"user","content":"U"},{"role":"assistant","content":"A"},
        {"role":"system","content":"S3"},{"role":"user","content":"V"}]"#;
    let out = Run::to_anthropic(PLAIN).ok(&chat_messages(messages));
    assert_eq!(
        out.json["system"],
        json(r#"[{"type":"text","text":"S1"},{"type":"text","text":"S2"}]"#)
    );
    assert_eq!(
        out.json["messages"][2]["content"],
        json(r#"[{"type":"text","text":"[system instruction]\nS3"},{"type":"text","text":"V"}]"#)
    );
    assert_eq!(out.notes, "changed=messages");
    // A model that takes the role gets it behind the user turn.
    let out = Run::to_anthropic(OPUS_5).ok(&chat_messages(messages));
    assert_eq!(
        out.json["messages"][2]["content"],
        json(r#"[{"type":"text","text":"V"}]"#)
    );
    assert_eq!(
        out.json["messages"][3],
        json(r#"{"role":"system","content":[{"type":"text","text":"S3"}]}"#)
    );
    assert_eq!(out.notes, "");
    // In place after a user turn that the assistant answers.
    let messages = r#"[{"role":"user","content":"U"},{"role":"system","content":"S"},{"role":"assistant","content":"A"},{"role":"user","content":"V"}]"#;
    let out = Run::to_anthropic(OPUS_5).ok(&chat_messages(messages));
    assert_eq!(out.json["messages"][1]["role"], "system");
}

#[test]
fn o6_system_beside_an_empty_assistant_turn_is_placed_as_if_it_were_not_there() {
    let text = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let turns = |list: &[(&str, &str)]| {
        let list: Vec<String> = list.iter().map(|(role, it)| text(role, it)).collect();
        chat_messages(&format!("[{}]", list.join(",")))
    };
    for (messages, expected) in [
        (
            &[
                ("user", "U"),
                ("system", "S"),
                ("assistant", ""),
                ("user", "V"),
            ][..],
            r#"[["user","U","[system instruction]\nS","V"]]"#,
        ),
        (
            &[
                ("user", "U"),
                ("assistant", "A"),
                ("system", "S"),
                ("assistant", ""),
                ("user", "V"),
            ],
            r#"[["user","U"],["assistant","A"],["user","V"],["system","S"]]"#,
        ),
        (
            &[
                ("user", "U"),
                ("assistant", ""),
                ("system", "S"),
                ("user", "V"),
                ("assistant", "A"),
                ("user", "W"),
            ],
            r#"[["user","U","[system instruction]\nS","V"],["assistant","A"],["user","W"]]"#,
        ),
        (
            &[
                ("user", "U"),
                ("assistant", ""),
                ("system", "S"),
                ("assistant", "A"),
                ("user", "W"),
            ],
            r#"[["user","U"],["system","S"],["assistant","A"],["user","W"]]"#,
        ),
    ] {
        let out = Run::to_anthropic(OPUS_5).ok(&turns(messages));
        let list = out.json["messages"].as_array().unwrap().iter();
        let found: Value = list
            .map(|message| {
                let texts = message["content"].as_array().unwrap().iter();
                let texts = texts.map(|block| block["text"].clone());
                core::iter::once(message["role"].clone())
                    .chain(texts)
                    .collect::<Value>()
            })
            .collect();
        assert_eq!(found, json(expected), "{messages:?}");
    }
}

#[test]
fn o5_must_pass_example_one() {
    let messages = r#"[{"role":"system","content":"S1"},{"role":"user","content":"U"},
        {"role":"assistant","content":"T","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{\"x\": 1}"}}]},
        {"role":"tool","tool_call_id":"c2","content":"R2"},{"role":"tool","tool_call_id":"c1","content":"R1"},
        {"role":"system","content":"S2"},{"role":"user","content":"V"}]"#;
    let body = chat_messages(&format!(
        r#"{messages},"tools":[{{"type":"function","function":{{"name":"f"}}}},{{"type":"function","function":{{"name":"g"}}}}]"#
    ));
    for model in [PLAIN, OPUS_5] {
        let out = Run::to_anthropic(model).ok(&body);
        assert_eq!(out.json["system"], json(r#"[{"type":"text","text":"S1"}]"#));
        let expected = json(
            r#"[
            {"role":"user","content":[{"type":"text","text":"U"}]},
            {"role":"assistant","content":[{"type":"text","text":"T"},{"type":"tool_use","id":"c1","name":"f","input":{}},{"type":"tool_use","id":"c2","name":"g","input":{"x":1}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"c2","content":"R2"},{"type":"tool_result","tool_use_id":"c1","content":"R1"},{"type":"text","text":"[system instruction]\nS2"},{"type":"text","text":"V"}]}]"#,
        );
        assert_eq!(out.json["messages"], expected, "{model}");
    }
}

#[test]
fn a9_arguments_empty_or_broken_never_fail_the_conversation() {
    for (arguments, input, notes) in [
        (r#""""#, "{}", ""),
        (r#""{}""#, "{}", ""),
        (
            r#""{\"a\": 9007199254740993}""#,
            r#"{"a":9007199254740993}"#,
            "",
        ),
        (r#""[1]""#, r#"{"_raw":"[1]"}"#, "changed=tool_calls"),
        (r#""{\"a""#, r#"{"_raw":"{\"a"}"#, "changed=tool_calls"),
        (r#"{"a":1}"#, r#"{"a":1}"#, ""),
        ("null", "{}", ""),
    ] {
        let messages = format!(
            r#"[{{"role":"user","content":"x"}},{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}},{{"role":"tool","tool_call_id":"c","content":"r"}}],"tools":[{{"type":"function","function":{{"name":"f"}}}}]"#
        );
        let out = Run::to_anthropic(PLAIN).ok(&chat_messages(&messages));
        assert_eq!(
            out.json["messages"][1]["content"][0]["input"],
            json(input),
            "{arguments}"
        );
        assert_eq!(out.notes, notes, "{arguments}");
    }
}

#[test]
fn o1_o2_empty_null_and_blank_text_is_never_sent() {
    let messages = r#"[{"role":"user","content":[{"type":"text","text":"  "},{"type":"text","text":null},{"type":"text","text":"x"}]},
        {"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c","content":""},{"role":"assistant","content":"\n"},{"role":"assistant","content":null},{"role":"user","content":""}]"#;
    let out = Run::to_anthropic(PLAIN).ok(&chat_messages(messages));
    let expected = json(
        r#"[{"role":"user","content":[{"type":"text","text":"x"}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"c","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}]"#,
    );
    assert_eq!(out.json["messages"], expected);
    // Tool blocks without tools: one inert tool.
    assert_eq!(
        out.json["tools"],
        json(r#"[{"name":"unused_tool","input_schema":{"type":"object","properties":{}}}]"#)
    );
    assert_eq!(out.json["tool_choice"], json(r#"{"type":"none"}"#));
    assert_eq!(out.notes, "");
}

#[test]
fn histories_are_repaired_with_a_note_or_refused() {
    let run = Run::to_anthropic(PLAIN);
    for (messages, expected) in [
        (
            r#"[{"role":"user","content":""}]"#,
            r#"[{"role":"user","content":[{"type":"text","text":"."}]}]"#,
        ),
        (
            r#"[{"role":"system","content":"S"}]"#,
            r#"[{"role":"user","content":[{"type":"text","text":"S"}]}]"#,
        ),
        (
            r#"[{"role":"assistant","content":"A"},{"role":"user","content":"U"}]"#,
            r#"[{"role":"user","content":[{"type":"text","text":"."}]},{"role":"assistant","content":[{"type":"text","text":"A"}]},{"role":"user","content":[{"type":"text","text":"U"}]}]"#,
        ),
    ] {
        let out = run.ok(&chat_messages(messages));
        assert_eq!(out.json["messages"], json(expected), "{messages}");
        assert_eq!(out.notes, "changed=messages", "{messages}");
    }
    let call = r#"{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    for (messages, param) in [
        (
            format!(r#"[{{"role":"user","content":"x"}},{call},{{"role":"user","content":"y"}}]"#),
            "messages[1]",
        ),
        (
            r#"[{"role":"user","content":"x"},{"role":"tool","tool_call_id":"c","content":"r"}]"#
                .into(),
            "messages[1]",
        ),
        (
            format!(
                r#"[{{"role":"user","content":"x"}},{call},{{"role":"tool","tool_call_id":"d","content":"r"}}]"#
            ),
            "messages[2]",
        ),
        ("[]".into(), "messages"),
        (
            r#"[{"role":"wizard","content":"x"}]"#.into(),
            "messages[0].role",
        ),
        (r#"[{"content":"x"}]"#.into(), "messages[0].role"),
        (
            r#"[{"role":"user","content":5}]"#.into(),
            "messages[0].content",
        ),
        (
            r#"[{"role":"user","content":[{"type":"hologram"}]}]"#.into(),
            "messages[0].content[0].type",
        ),
        (
            r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]"#.into(),
            "messages[0].content[0]",
        ),
    ] {
        assert_eq!(run.refused(&chat_messages(&messages)), param, "{messages}");
    }
}

#[test]
fn user_names_are_dropped_with_a_note() {
    let out = Run::to_anthropic(PLAIN).ok(&chat_messages(
        r#"[{"role":"user","name":"bob","content":"x"}]"#,
    ));
    assert_eq!(out.notes, "dropped=name");
    let out = Run::to_anthropic(PLAIN).ok(&chat_messages(
        r#"[{"role":"user","name":null,"content":"x"}]"#,
    ));
    assert_eq!(out.notes, "");
}

#[test]
fn prefill_is_trimmed_or_refused_by_model() {
    let body =
        chat_messages(r#"[{"role":"user","content":"x"},{"role":"assistant","content":"A: \n"}]"#);
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert_eq!(out.json["messages"][1]["content"][0]["text"], "A:");
    let refusal = Run::to_anthropic(OPUS_5).run(&body).unwrap_err();
    assert!(
        refusal
            .message
            .starts_with("This model does not support assistant message prefill.")
    );
}

#[test]
fn b1_b2_b5_signed_thinking_returns_and_unsigned_goes() {
    let turn = |carrier: &str| {
        chat_messages(&format!(
            r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":"A",{carrier}}},{{"role":"user","content":"y"}}]"#
        ))
    };
    let text = r#"{"type":"text","text":"A"}"#;
    for (carrier, expected, notes) in [
        (
            r#""reasoning_details":[{"type":"reasoning.text","text":"t\u00e9","signature":"s","format":"anthropic-claude-v1","index":0}]"#,
            r#"{"type":"thinking","thinking":"té","signature":"s"},"#,
            "",
        ),
        (
            r#""reasoning_details":[{"type":"reasoning.text","text":"a","format":"anthropic-claude-v1","index":0},{"type":"reasoning.text","text":"b","index":0},{"type":"reasoning.text","signature":"s","index":0}]"#,
            r#"{"type":"thinking","thinking":"ab","signature":"s"},"#,
            "",
        ),
        (
            r#""reasoning_details":[{"type":"reasoning.text","signature":"s"}]"#,
            r#"{"type":"thinking","thinking":"","signature":"s"},"#,
            "",
        ),
        (
            r#""reasoning_details":[{"type":"reasoning.encrypted","data":"d"}]"#,
            r#"{"type":"redacted_thinking","data":"d"},"#,
            "",
        ),
        (
            r#""reasoning_details":[{"type":"reasoning.text","text":"t","signature":null}]"#,
            "",
            "dropped=reasoning_details",
        ),
        (
            r#""reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"google-gemini-v1"},{"type":"reasoning.summary","summary":"z"}]"#,
            "",
            "dropped=reasoning_details",
        ),
        (
            r#""thinking_blocks":[{"type":"thinking","thinking":"","signature":"s"},{"type":"redacted_thinking","data":"d"}]"#,
            r#"{"type":"thinking","thinking":"","signature":"s"},{"type":"redacted_thinking","data":"d"},"#,
            "",
        ),
        (
            r#""thinking_blocks":[{"type":"thinking","thinking":"t","signature":""}]"#,
            "",
            "dropped=reasoning_details",
        ),
        (r#""reasoning_content":"t","reasoning":"t""#, "", ""),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&turn(carrier));
        assert_eq!(
            out.json["messages"][1]["content"],
            json(&format!("[{expected}{text}]")),
            "{carrier}"
        );
        assert_eq!(out.notes, notes, "{carrier}");
    }
}

#[test]
fn b1_b7_thinking_within_the_content_returns_if_it_is_signed() {
    let turn = |content: &str, more: &str| {
        chat_messages(&format!(
            r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{content}]{more}}},{{"role":"user","content":"y"}}]"#
        ))
    };
    let text = r#"{"type":"text","text":"A"}"#;
    let signed = r#"{"type":"thinking","thinking":"T","signature":"S"}"#;
    let redacted = r#"{"type":"redacted_thinking","data":"D"}"#;
    let unsigned = r#"{"type":"thinking","thinking":[{"type":"text","text":"T"}],"signature":"S"}"#;
    let run = Run::to_anthropic("claude-opus-4-6");
    for (content, expected, notes) in [
        (
            format!("{signed},{redacted},{text}"),
            format!("{signed},{redacted},{text}"),
            "",
        ),
        (format!("{text},{signed}"), format!("{signed},{text}"), ""),
        (
            format!("{unsigned},{text}"),
            text.to_owned(),
            "dropped=reasoning_details",
        ),
    ] {
        let out = run.ok(&turn(&content, ""));
        let expected = json(&format!("[{expected}]"));
        assert_eq!(out.json["messages"][1]["content"], expected, "{content}");
        assert_eq!(out.notes, notes, "{content}");
    }
    let details = r#","reasoning_details":[{"type":"reasoning.text","text":"T","signature":"S"}]"#;
    let out = run.ok(&turn(&format!("{signed},{text}"), details));
    let expected = json(&format!("[{signed},{text}]"));
    assert_eq!(
        out.json["messages"][1]["content"], expected,
        "told twice, sent once"
    );
    let user = chat_messages(&format!(r#"[{{"role":"user","content":[{signed}]}}]"#));
    assert_eq!(run.refused(&user), "messages[0].content[0].type");
}

#[test]
fn pk7_content_blocks_come_back_in_place_of_content() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},{"role":"assistant","content":"A","content_blocks":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"A"},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}],
            "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]"#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    let kinds: Vec<&str> = out.json["messages"][1]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "server_tool_use", "tool_use"]);
}

#[test]
fn b7_thinking_stands_before_text_and_calls() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}],"content":"A","reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s"}]},{"role":"tool","tool_call_id":"c","content":"r"}],
           "tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"low""#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    let kinds: Vec<&str> = out.json["messages"][1]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    assert_eq!(out.json["thinking"]["type"], "enabled");
}

#[test]
fn b3_lost_thinking_in_a_tool_loop_turns_manual_thinking_off() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}],"reasoning_details":[{"type":"reasoning.text","text":"t"}]},{"role":"tool","tool_call_id":"c","content":"r"}],
           "tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"low""#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert_eq!(out.json.get("thinking"), None);
    assert_eq!(out.notes, "dropped=reasoning_details; changed=thinking");
    let out = Run::to_anthropic("claude-opus-4-6").ok(&body);
    assert_eq!(out.json["thinking"]["type"], "adaptive");
}

#[test]
fn pk8_pk10_o3_images_and_files_become_sources() {
    let part = |part: &str| chat_messages(&format!(r#"[{{"role":"user","content":[{part}]}}]"#));
    for (given, expected) in [
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO\/w==","detail":"low"}}"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO/w=="}}"#,
        ),
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/jpg;charset=x;base64,AA"}}"#,
            r#"{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AA"}}"#,
        ),
        (
            r#"{"type":"image_url","image_url":"https://e.example/a.png"}"#,
            r#"{"type":"image","source":{"type":"url","url":"https://e.example/a.png"}}"#,
        ),
        (
            r#"{"type":"image_url","image_url":{"url":"data:application/pdf;base64,JVBE"}}"#,
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
        ),
        (
            r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBE","filename":"a.pdf"}}"#,
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"},"title":"a.pdf"}"#,
        ),
        (
            r#"{"type":"file","file":{"file_data":"JVBE"}}"#,
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
        ),
        (
            r#"{"type":"file","file":{"file_data":"JVBE","mime_type":"application/pdf"}}"#,
            r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}"#,
        ),
        (
            r#"{"type":"file","file":{"file_data":"data:text/plain;base64,aMOp"}}"#,
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"hé"}}"#,
        ),
        (
            r#"{"type":"file","file":{"file_id":"file_011"}}"#,
            r#"{"type":"document","source":{"type":"file","file_id":"file_011"}}"#,
        ),
        (
            r#"{"type":"file","file":{"file_url":"https://e.example/a.pdf","mime_type":"application/pdf"}}"#,
            r#"{"type":"document","source":{"type":"url","url":"https://e.example/a.pdf"}}"#,
        ),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&part(given));
        assert_eq!(
            out.json["messages"][0]["content"][0],
            json(expected),
            "{given}"
        );
        assert_eq!(out.notes, "");
    }
    for given in [
        r#"{"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,AA"}}"#,
        r#"{"type":"image_url","image_url":{"url":"data:image/png,raw"}}"#,
        r#"{"type":"image_url","image_url":{"url":"gs://bucket/a.png"}}"#,
        r#"{"type":"file","file":{"file_id":"file-abc"}}"#,
        r#"{"type":"file","file":{"file_data":"data:text/plain;base64,_w"}}"#,
        r#"{"type":"video_url","video_url":{"url":"https://e.example/a.mp4"}}"#,
    ] {
        let param = Run::to_anthropic(PLAIN).refused(&part(given));
        assert!(
            param.starts_with("messages[0].content[0]"),
            "{given}: {param}"
        );
    }
    let clouds = Run::to_anthropic(PLAIN).dialect(|dialect| dialect.url_sources = false);
    assert_eq!(
        clouds.refused(&part(
            r#"{"type":"image_url","image_url":{"url":"https://e.example/a.png"}}"#
        )),
        "messages[0].content"
    );
}

#[test]
fn ni14_images_for_a_model_without_eyes_are_refused() {
    let body = chat_messages(
        r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]"#,
    );
    let refusal = Run::to_anthropic("claude-2.1").run(&body).unwrap_err();
    assert_eq!(
        refusal.message,
        "messages[0].content: this model takes no images"
    );
}

#[test]
fn o4_tool_messages_keep_text_and_images() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"t","cache_control":{"type":"ephemeral"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}]}]"#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    let expected = json(
        r#"{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"t"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}],"cache_control":{"type":"ephemeral"}}"#,
    );
    assert_eq!(out.json["messages"][2]["content"][0], expected);
}

#[test]
fn lg6_e2_e3_marks_are_kept_with_their_ttl() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[
        {"role":"system","content":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}]},
        {"role":"user","content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}},{"type":"text","text":"b"}]},
        {"role":"assistant","content":"A","cache_control":{"type":"ephemeral"}},{"role":"user","content":"c"}],
        "tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral"}}]}"#;
    let out = Run::to_anthropic(PLAIN).ok(body);
    assert_eq!(
        out.json["system"][0]["cache_control"],
        json(r#"{"type":"ephemeral","ttl":"1h"}"#)
    );
    assert_eq!(
        out.json["messages"][0]["content"][0]["cache_control"],
        json(r#"{"type":"ephemeral","ttl":"1h"}"#)
    );
    assert_eq!(
        out.json["messages"][1]["content"][0]["cache_control"],
        json(r#"{"type":"ephemeral"}"#)
    );
    assert_eq!(
        out.json["tools"][0]["cache_control"],
        json(r#"{"type":"ephemeral"}"#)
    );
    assert_eq!(out.notes, "");
}

#[test]
fn e5_never_a_fifth_mark() {
    let parts: Vec<String> = (0..6)
        .map(|n| {
            format!(r#"{{"type":"text","text":"{n}","cache_control":{{"type":"ephemeral"}}}}"#)
        })
        .collect();
    let messages = format!(r#"[{{"role":"user","content":[{}]}}]"#, parts.join(","));
    for (more, kept) in [("", 4), (r#","cache_control":{"type":"ephemeral"}"#, 3)] {
        let run = Run::to_anthropic(PLAIN).hints(|hints| hints.auto_cache = true);
        let out = run.ok(&chat_messages(&format!("{messages}{more}")));
        let blocks = out.json["messages"][0]["content"].as_array().unwrap();
        let marked: Vec<bool> = blocks
            .iter()
            .map(|block| block.get("cache_control").is_some())
            .collect();
        assert_eq!(marked.iter().filter(|m| **m).count(), kept);
        assert!(marked[5] && !marked[0], "the earliest go first");
        assert_eq!(out.notes, "dropped=cache_control");
        assert_eq!(out.json.get("cache_control").is_some(), !more.is_empty());
    }
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.auto_cache = true);
    assert_eq!(
        run.ok(&chat("")).json["cache_control"],
        json(r#"{"type":"ephemeral"}"#)
    );
    assert_eq!(
        Run::to_anthropic(PLAIN)
            .ok(&chat(""))
            .json
            .get("cache_control"),
        None
    );
}

#[test]
fn ids_are_respelled_alike_for_call_and_result_and_never_twice() {
    let turn = |id: &str| {
        format!(
            r#"{{"role":"assistant","tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},{{"role":"tool","tool_call_id":"{id}","content":"r"}}"#
        )
    };
    let messages = format!(
        r#"[{{"role":"user","content":"x"}},{},{},{},{}]"#,
        turn("a.b:1"),
        turn("a_b_1"),
        turn("call_0"),
        turn("call_0")
    );
    let out = Run::to_anthropic(PLAIN).ok(&chat_messages(&messages));
    let ids: Vec<&str> = [1, 3, 5, 7]
        .iter()
        .map(|at| {
            out.json["messages"][at]["content"][0]["id"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(ids, ["a_b_1", "a_b_1_2", "call_0", "call_0_2"]);
    for at in [1, 3, 5, 7] {
        assert_eq!(
            out.json["messages"][at]["content"][0]["id"],
            out.json["messages"][at + 1]["content"][0]["tool_use_id"]
        );
    }
}

#[test]
fn e1_dot_of_an_empty_turn_stays_when_its_answer_was_empty() {
    let user = r#"{"role":"user","content":""}"#;
    let nothing = r#"{"role":"assistant","content":""}"#;
    let start = r#"{"role":"user","content":"U"},{"role":"assistant","content":"A"},"#;
    let bytes = |messages: &str| {
        let out = Run::to_anthropic(PLAIN).ok(&chat_messages(&format!("[{messages}]")));
        assert_eq!(out.notes, "changed=messages", "{messages}");
        String::from_utf8(out.bytes).unwrap()
    };
    for start in ["", start] {
        let before = bytes(&format!("{start}{user}"));
        let before = before.strip_suffix("]}]}").unwrap();
        assert!(before.ends_with(r#""text":"."}"#), "{before}");
        for more in ["", nothing, user] {
            let gap = if more.is_empty() { "" } else { "," };
            let after = bytes(&format!(
                r#"{start}{user},{nothing}{gap}{more},{{"role":"user","content":"V"}}"#
            ));
            assert!(after.starts_with(before), "{after}\n{before}");
            assert_eq!(after.matches(r#""text":"."}"#).count(), 1, "{after}");
        }
    }
}

#[test]
fn e1_one_turn_is_the_start_of_the_next() {
    let turns = [
        r#"{"role":"system","content":"S"},{"role":"user","content":"U1"}"#,
        r#"{"role":"assistant","content":"A1","tool_calls":[{"id":"x.1","type":"function","function":{"name":"f","arguments":"{ \"a\" : 1 }"}}]},{"role":"tool","tool_call_id":"x.1","content":"R"}"#,
        r#"{"role":"assistant","content":"A2"},{"role":"user","content":"U2"}"#,
        r#"{"role":"assistant","content":"A3"},{"role":"system","content":"late"},{"role":"user","content":"U3"}"#,
    ];
    let mut before: Option<Vec<u8>> = None;
    for count in 1..=turns.len() {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"tools":[{{"type":"function","function":{{"name":"f"}}}}],"messages":[{}]}}"#,
            turns[..count].join(",")
        );
        for _ in 0..3 {
            let bytes = Run::to_anthropic(PLAIN).ok(&body).bytes;
            assert_eq!(bytes, Run::to_anthropic(PLAIN).ok(&body).bytes);
        }
        let bytes = Run::to_anthropic(PLAIN).ok(&body).bytes;
        if let Some(before) = before {
            let start = before.strip_suffix(b"]}").unwrap();
            assert!(bytes.starts_with(start), "turn {count}");
        }
        before = Some(bytes);
    }
}

#[test]
fn emission_follows_the_headers() {
    use ringway::translate::context::Emission;
    for (name, expected) in [
        ("none", Emission::NONE),
        (
            "text",
            Emission {
                text: true,
                ..Emission::NONE
            },
        ),
        (
            "details",
            Emission {
                details: true,
                ..Emission::NONE
            },
        ),
        (
            "thinking_blocks",
            Emission {
                thinking_blocks: true,
                ..Emission::NONE
            },
        ),
        (
            "content_blocks",
            Emission {
                content_blocks: true,
                ..Emission::NONE
            },
        ),
    ] {
        let run = Run::to_anthropic(PLAIN).hints(|hints| hints.reasoning = Some(name.as_bytes()));
        assert_eq!(
            run.ok(&chat("")).translated.answer.emission,
            expected,
            "{name}"
        );
    }
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.reasoning = Some(b"loud"));
    assert_eq!(run.refused(&chat("")), "x-ringway-reasoning");
}

#[test]
fn pk5_lenient_clients_get_content_blocks_beside_the_rest() {
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.portkey_strict = Some(false));
    let emission = run.ok(&chat("")).translated.answer.emission;
    assert!(emission.content_blocks && emission.text && emission.details);
    let run = Run::to_anthropic(PLAIN).hints(|hints| hints.portkey_strict = Some(true));
    assert!(!run.ok(&chat("")).translated.answer.emission.content_blocks);
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

#[test]
fn lg1_lg7_model_of_the_target_is_sent() {
    let out = Run::to_anthropic("claude-3-5-sonnet-20241022").ok(&chat(""));
    assert_eq!(out.json["model"], "claude-3-5-sonnet-20241022");
}
