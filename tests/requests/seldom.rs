//! Forms that are valid and seldom sent.

use serde_json::{Value, json};

use crate::support::{Run, chat, chat_messages, messages};

/// An Anthropic request that ends in one tool's result of these members.
fn result(members: &str) -> String {
    messages("").replace(
        r#"[{"role":"user","content":"hi"}]"#,
        &format!(
            r#"[{{"role":"user","content":"a"}},
            {{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"f","input":{{}}}}]}},
            {{"role":"user","content":[{{"type":"tool_result","tool_use_id":"t",{members}}}]}}]"#
        ),
    )
}

#[test]
fn tool_results_that_failed_say_so_in_their_first_text() {
    let document = r#"{"type":"document","title":"T","source":{"type":"text",
        "media_type":"text/plain","data":"d"}}"#;
    let found = r#"{"type":"search_result","title":"T","source":"s",
        "content":[{"type":"text","text":"d"}]}"#;
    let texts = r#"{"type":"text","text":"x"},{"type":"text","text":"y"}"#;
    for (members, listed, joined) in [
        ("", json!("[tool error] "), "[tool error] "),
        (
            r#","content":"x""#,
            json!("[tool error] x"),
            "[tool error] x",
        ),
        (r#","content":[]"#, json!("[tool error] "), "[tool error] "),
        (
            &format!(r#","content":[{texts}]"#),
            json!([{"type": "text", "text": "[tool error] x"}, {"type": "text", "text": "y"}]),
            "[tool error] x\ny",
        ),
        (
            &format!(r#","content":[{document}]"#),
            json!("[tool error] T\nd"),
            "[tool error] T\nd",
        ),
        (
            &format!(r#","content":[{found}]"#),
            json!("[tool error] T\ns\nd"),
            "[tool error] T\ns\nd",
        ),
    ] {
        let body = result(&format!(r#""is_error":true{members}"#));
        let content = |run: Run<'_>| run.ok(&body).json["messages"][2]["content"].clone();
        assert_eq!(content(Run::to_openai("gpt-4o")), listed, "{members}");
        let texts_alone = Run::to_openai("gpt-4o").dialect(|it| it.array_content = false);
        assert_eq!(content(texts_alone), json!(joined), "{members}");
    }
}

#[test]
fn marks_and_contexts_within_tool_results_are_lost_by_name() {
    let marked = result(r#""content":"x","cache_control":{"type":"ephemeral"}"#);
    let out = Run::to_openai("gpt-4o").ok(&marked);
    assert_eq!(out.notes, "dropped=cache_control");
    let keeping = Run::to_openai("gpt-4o").dialect(|it| it.cache_control = true);
    let out = keeping.ok(&marked);
    assert_eq!(out.notes, "");
    let mark = &out.json["messages"][2]["cache_control"];
    assert_eq!(mark, &json!({"type": "ephemeral"}));
    let document = result(
        r#""content":[{"type":"document","title":"T","context":"c","source":{"type":"content",
        "content":[{"type":"text","text":"d"},{"type":"text","text":"e"}]}}]"#,
    );
    let out = Run::to_openai("gpt-4o").ok(&document);
    assert_eq!(out.notes, "dropped=context");
    let texts = out.json["messages"][2]["content"].as_array().cloned();
    let texts: Vec<Value> = texts.unwrap().iter().map(|it| it["text"].clone()).collect();
    assert_eq!(texts, ["T", "d", "e"]);
}

#[test]
fn choice_among_no_tools_is_refused() {
    let run = Run::to_openai("gpt-4o");
    for (members, param) in [
        (r#""tool_choice":{"type":"any"}"#, "tool_choice"),
        (
            r#""tools":[{"name":"f","input_schema":{}}],"tool_choice":{"type":"tool","name":"g"}"#,
            "tool_choice",
        ),
        (
            r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
            "tools",
        ),
    ] {
        assert_eq!(run.refused(&messages(members)), param, "{members}");
    }
}

#[test]
fn effort_beyond_a_model_is_its_highest() {
    let body = messages(r#""output_config":{"effort":"max"}"#);
    for (model, expected) in [("o3", "high"), ("gpt-5.2", "xhigh")] {
        let out = Run::to_openai(model).ok(&body);
        assert_eq!(out.json["reasoning_effort"], expected, "{model}");
    }
    let out = Run::to_openai("unheard-of").ok(&body);
    assert!(out.json.get("reasoning_effort").is_none(), "may not reason");
}

#[test]
fn budget_for_a_model_that_does_not_think_is_dropped_by_name() {
    let body = chat(r#""reasoning":{"max_tokens":2000}"#);
    let out = Run::to_anthropic("claude-3-haiku-20240307").ok(&body);
    assert_eq!(out.notes, "dropped=reasoning");
    assert!(out.json.get("thinking").is_none());
    let out = Run::to_anthropic("claude-opus-4-6").ok(&body);
    assert_eq!(out.notes, "changed=reasoning");
    assert_eq!(out.json["thinking"]["type"], "adaptive");
}

#[test]
fn widest_search_is_ten_uses() {
    let body = chat(
        r#""web_search_options":{"search_context_size":"high","user_location":
        {"type":"approximate","approximate":{"city":"x"}}}"#,
    );
    let out = Run::to_anthropic("claude-opus-5").ok(&body);
    let tool = &out.json["tools"][0];
    assert_eq!(
        (&tool["max_uses"], &tool["user_location"]["city"]),
        (&json!(10), &json!("x"))
    );
}

#[test]
fn system_messages_amid_a_chat_are_one_text_of_the_user() {
    let body = chat_messages(
        r#"[{"role":"user","content":"a"},{"role":"system","content":"one"},
        {"role":"developer","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]},
        {"role":"assistant","content":"b"},{"role":"user","content":"c"}]"#,
    );
    let out = Run::to_anthropic("claude-sonnet-4-5").ok(&body);
    let told = &out.json["messages"][0]["content"][1]["text"];
    assert_eq!(told, "[system instruction]\none\ntwo\nthree");
    let empty = chat_messages(
        r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"},
        {"role":"system","content":""},{"role":"user","content":"c"}]"#,
    );
    let out = Run::to_anthropic("claude-opus-5").ok(&empty);
    assert_eq!(out.json["messages"].as_array().map(Vec::len), Some(3));
    let alone = chat_messages(r#"[{"role":"system","content":"only"}]"#);
    let out = Run::to_anthropic("claude-opus-5").ok(&alone);
    assert_eq!(out.json["messages"][0]["content"][0]["text"], "only");
    assert_eq!(out.notes, "changed=messages");
}

#[test]
fn what_a_model_cannot_be_shown_is_refused_by_its_place() {
    for (model, messages, param) in [
        (
            "claude-2.1",
            r#"[{"role":"user","content":[{"type":"file","file":
            {"file_data":"data:application/pdf;base64,JVBE"}}]}]"#,
            "messages[0].content",
        ),
        (
            "claude-opus-5",
            r#"[{"role":"system","content":[{"type":"image_url","image_url":
            {"url":"https://a.example/b"}}]},{"role":"user","content":"c"}]"#,
            "messages[0].content",
        ),
        (
            "claude-opus-5",
            r#"[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[
            {"id":"t","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"t","content":"x"}]"#,
            "messages[1]",
        ),
    ] {
        let refused = Run::to_anthropic(model).refused(&chat_messages(messages));
        assert_eq!(refused, param, "{messages}");
    }
}
