//! Turns as messages: system text, results, pictures and documents, and what a dialect does not take.

use ringway::limits::NOTES_MAX;

use crate::anthropic_to_openai::shared::{GPT_4O, LOCAL, conversation};
use crate::support::{Run, json, messages};

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
fn calls_of_several_turns_in_a_row_stand_before_all_of_their_results() {
    let call = |id: &str| {
        format!(
            r#"{{"role":"assistant","content":[{{"type":"text","text":"{id}"}},{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}]}}"#
        )
    };
    let result =
        |id: &str| format!(r#"{{"type":"tool_result","tool_use_id":"{id}","content":"r{id}"}}"#);
    let (one, two, said) = (
        call("a"),
        call("b"),
        r#"{"role":"assistant","content":"c"}"#,
    );
    let (of_one, of_two) = (result("a"), result("b"));
    let body = conversation(&format!(
        r#"[{{"role":"user","content":"U"}},{said},{one},{two},{said},
            {{"role":"user","content":[{of_two}]}},{{"role":"user","content":[{of_one}]}}]"#
    ));
    let called = |id: &str| {
        format!(r#"{{"id":"{id}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}"#)
    };
    let (first, second) = (called("a"), called("b"));
    let expected = json(&format!(
        r#"[{{"role":"user","content":"U"}},{said},
            {{"role":"assistant","content":"abc","tool_calls":[{first},{second}]}},
            {{"role":"tool","tool_call_id":"b","content":"rb"}},
            {{"role":"tool","tool_call_id":"a","content":"ra"}}]"#
    ));
    let out = Run::to_openai(GPT_4O).ok(&body);
    assert_eq!(out.json["messages"], expected);
    assert_eq!(out.notes, "");
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
fn conversation_of_which_nothing_is_left_asks_a_dot() {
    let dot = r#"[{"role":"user","content":"."}]"#;
    let thought = r#"[{"type":"thinking","thinking":"t","signature":"s"}]"#;
    let cases = [
        ("assistant", r#""""#, "", dot, "changed=messages"),
        ("assistant", "[]", "", dot, "changed=messages"),
        ("system", r#""""#, "", dot, "changed=messages"),
        (
            "assistant",
            thought,
            "",
            dot,
            "dropped=thinking; changed=messages",
        ),
        (
            "assistant",
            r#""""#,
            r#","system":"S""#,
            r#"[{"role":"system","content":"S"}]"#,
            "",
        ),
    ];
    let late = |taken: bool| Run::to_openai(GPT_4O).dialect(|dialect| dialect.late_system = taken);
    for (role, content, more, expected, notes) in cases {
        let turn = format!(r#"[{{"role":"{role}","content":{content}}}]"#);
        let body = format!(r#"{{"model":"m","max_tokens":9,"messages":{turn}{more}}}"#);
        for run in [late(true), late(false)] {
            let out = run.ok(&body);
            assert_eq!(out.json["messages"], json(expected), "{body}");
            assert_eq!(out.notes, notes, "{body}");
        }
    }
}

#[test]
fn block_types_that_a_client_makes_up_are_named_up_to_a_bound() {
    let blocks: Vec<String> = (0..NOTES_MAX * 4)
        .map(|number| format!(r#"{{"type":"made_up_{number}"}}"#))
        .collect();
    let body = conversation(&format!(
        r#"[{{"role":"user","content":"hi"}},{{"role":"assistant","content":[{}]}},{{"role":"user","content":"go on"}}]"#,
        blocks.join(",")
    ));
    let out = Run::to_openai(GPT_4O).ok(&body);
    let names = out.notes.strip_prefix("dropped=").unwrap();
    let names = names.split(';').next().unwrap();
    assert_eq!(names.split(',').count(), NOTES_MAX + 1, "{}", out.notes);
    assert!(names.ends_with(",others"), "{}", out.notes);
}
