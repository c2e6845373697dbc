//! Messages as turns: order, pairs, repairs, and the prefix that a cache finds again.

use serde_json::Value;

use crate::openai_to_anthropic::shared::{OPUS_5, PLAIN};
use crate::support::{Run, chat_messages, json};

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
    // Nor within a result.
    for (content, expected) in [
        (
            r#"[{"type":"text","text":" \n"},{"type":"text","text":"r"},{"type":"text","text":""}]"#,
            r#"{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"}]}"#,
        ),
        (
            r#"[{"type":"text","text":"\u0020"},{"type":"text"}]"#,
            r#"{"type":"tool_result","tool_use_id":"c"}"#,
        ),
    ] {
        let messages = format!(
            r#"[{{"role":"user","content":"x"}},
            {{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}},
            {{"role":"tool","tool_call_id":"c","content":{content}}}]"#
        );
        let out = Run::to_anthropic(PLAIN).ok(&chat_messages(&messages));
        assert_eq!(out.json["messages"][2]["content"][0], json(expected));
    }
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
fn prefill_is_trimmed_or_refused_by_model() {
    let body =
        chat_messages(r#"[{"role":"user","content":"x"},{"role":"assistant","content":"A: \n"}]"#);
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert_eq!(out.json["messages"][1]["content"][0]["text"], "A:");
    let rejection = Run::to_anthropic(OPUS_5).run(&body).unwrap_err();
    assert!(
        rejection
            .message()
            .starts_with("This model does not support assistant message prefill.")
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
