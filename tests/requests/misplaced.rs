//! Calls, results and marks in places where they would vanish.

use crate::support::{Run, chat_messages};

#[test]
fn calls_outside_of_the_assistants_messages_are_refused() {
    let call =
        r#""tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    let old = r#""function_call":{"name":"f","arguments":"{}"}"#;
    for role in ["user", "system"] {
        for (member, name) in [(call, "tool_calls"), (old, "function_call")] {
            let body = chat_messages(&format!(
                r#"[{{"role":"user","content":"q"}},{{"role":"{role}","content":"a",{member}}}]"#
            ));
            let param = Run::to_anthropic("claude-opus-5").refused(&body);
            assert_eq!(param, format!("messages[1].{name}"));
        }
    }
    // What asks for nothing is nothing.
    let body = r#"[{"role":"user","content":"q","tool_calls":[],"function_call":null}]"#;
    let out = Run::to_anthropic("claude-opus-5").ok(&chat_messages(body));
    assert_eq!(out.notes, "");
}

#[test]
fn calls_and_results_in_system_text_and_documents_are_refused() {
    let call = r#"{"type":"tool_use","id":"c","name":"f","input":{}}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"c","content":"r"}"#;
    for block in [call, result] {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"system":[{block}],"messages":[{{"role":"user","content":"q"}}]}}"#
        );
        assert_eq!(Run::to_openai("gpt-4o").refused(&body), "system");
        let document =
            format!(r#"{{"type":"document","source":{{"type":"content","content":[{block}]}}}}"#);
        let body = chat_messages(&format!(r#"[{{"role":"user","content":[{document}]}}]"#));
        let param = Run::to_openai("gpt-4o").refused(&body);
        assert_eq!(param, "messages[0].content[0].source.content");
    }
}

#[test]
fn mark_of_text_that_is_left_out_is_noted() {
    let empty = r#"{"type":"text","text":"","cache_control":{"type":"ephemeral"}}"#;
    let body = chat_messages(&format!(
        r#"[{{"role":"user","content":[{{"type":"text","text":"q"}},{empty}]}}]"#
    ));
    let out = Run::to_anthropic("claude-opus-5").ok(&body);
    assert_eq!(out.notes, "dropped=cache_control");
    let kept = Run::to_openai("gpt-4o").dialect(|dialect| {
        dialect.cache_control = true;
        dialect.array_content = true;
    });
    assert_eq!(kept.ok(&body).notes, "dropped=cache_control");
}

#[test]
fn marks_of_blocks_that_go_on_as_they_stand_count() {
    let mark = r#""cache_control":{"type":"ephemeral"}"#;
    let foreign = format!(r#"{{"type":"container_upload","file_id":"f",{mark}}}"#);
    let text = format!(r#"{{"type":"text","text":"a",{mark}}}"#);
    let body = chat_messages(&format!(
        r#"[{{"role":"user","content":[{text},{text},{text},{text}]}},
            {{"role":"assistant","content":"x","content_blocks":[{{"type":"text","text":"x"}},{foreign}]}},
            {{"role":"user","content":"q"}}]"#
    ));
    let out = Run::to_anthropic("claude-opus-5").ok(&body);
    let sent = String::from_utf8(out.bytes).unwrap();
    assert_eq!(sent.matches("cache_control").count(), 4, "{sent}");
    assert_eq!(out.notes, "dropped=cache_control");
}
