//! How much to think, in the words of each class of models.

use crate::openai_to_anthropic::shared::{OPUS_4_5, OPUS_5, PLAIN, check};
use crate::support::{Run, chat, chat_messages, json};

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
    assert!(!out.needs().reasoning.text && !out.needs().reasoning.details);
}

#[test]
fn thinking_that_is_none_of_anthropics_asks_for_none() {
    for (members, notes) in [
        (
            r#""thinking":{"clear_thinking":false}"#,
            "dropped=clear_thinking",
        ),
        (r#""thinking":{}"#, ""),
        (r#""thinking":{"type":null,"keep":"all"}"#, "dropped=keep"),
        (r#""reasoning_effort":"default""#, ""),
    ] {
        let out = Run::to_anthropic(OPUS_5).ok(&chat(members));
        assert_eq!(out.json.get("thinking"), None, "{members}");
        assert_eq!(out.json.get("output_config"), None, "{members}");
        assert_eq!(out.notes, notes, "{members}");
    }
    // The level that stands beside it counts.
    check(
        OPUS_5,
        r#""thinking":{"clear_thinking":false},"reasoning_effort":"high""#,
        "output_config",
        r#"{"effort":"high"}"#,
        "dropped=clear_thinking",
    );
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
