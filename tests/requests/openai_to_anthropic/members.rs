//! Members of a request of the OpenAI wire: each row of the rules with its verdict.

use crate::openai_to_anthropic::shared::{OPUS_4_5, OPUS_5, PLAIN, SONNET_4_5, check};
use crate::support::{Run, chat, chat_messages};

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
fn pk11_beta_of_the_body_goes_to_the_header() {
    let out = Run::to_anthropic(PLAIN).ok(&chat(r#""anthropic_beta":["a-1","b-2"]"#));
    assert_eq!(out.translated.beta.as_deref(), Some("a-1,b-2"));
    assert_eq!(out.json.get("anthropic_beta"), None);
    let out = Run::to_anthropic(PLAIN).ok(&chat(r#""anthropic_beta":"a-1, b\u000d\n-2""#));
    assert_eq!(out.translated.beta, None);
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
fn lg1_lg7_model_of_the_target_is_sent() {
    let out = Run::to_anthropic("claude-3-5-sonnet-20241022").ok(&chat(""));
    assert_eq!(out.json["model"], "claude-3-5-sonnet-20241022");
}
