//! Parts of messages: pictures, files, marks, and thinking that comes back.

use crate::openai_to_anthropic::shared::{OPUS_5, PLAIN};
use crate::support::{Run, chat, chat_messages, json};

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
    let rejection = Run::to_anthropic("claude-2.1").run(&body).unwrap_err();
    assert_eq!(
        rejection.message(),
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
fn pictures_and_files_of_the_assistant_are_left_out_and_noted() {
    for (part, name) in [
        (
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}"#,
            "image_url",
        ),
        (
            r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,aGk="}}"#,
            "file",
        ),
    ] {
        let body = chat_messages(&format!(
            r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"text","text":"see"}},{part}]}},{{"role":"user","content":"y"}}]"#
        ));
        let out = Run::to_anthropic(OPUS_5).ok(&body);
        assert_eq!(out.notes, format!("dropped={name}"));
        assert_eq!(
            out.json["messages"][1]["content"].as_array().unwrap().len(),
            1
        );
        let strict = Run::to_anthropic(OPUS_5).hints(|hints| hints.strict = true);
        assert_eq!(strict.refused(&body), name);
    }
}

#[test]
fn no_more_than_four_cache_marks_are_sent_whatever_carries_them() {
    let mark = r#""cache_control":{"type":"ephemeral"}"#;
    let versioned = |number: usize| {
        format!(r#"{{"type":"web_search_20250305","name":"w{number}",{mark},"max_uses":{number}}}"#)
    };
    let part = format!(r#"{{"type":"text","text":"t",{mark}}}"#);
    let body = |tools: usize, parts: usize| {
        let tools: Vec<String> = (1..=tools).map(versioned).collect();
        let parts = vec![part.as_str(); parts.max(1)].join(",");
        format!(
            r#"{{"model":"m","max_tokens":9,"tools":[{},{{"type":"function","function":{{"name":"f"}}}}],"messages":[{{"role":"user","content":[{{"type":"text","text":"x"}},{parts}]}}]}}"#,
            tools.join(",")
        )
    };
    for (tools, parts) in [(2, 2), (3, 2), (1, 4), (5, 5), (6, 1)] {
        let out = Run::to_anthropic(OPUS_5).ok(&body(tools, parts));
        let sent = String::from_utf8(out.bytes).unwrap();
        let over = (tools + parts).saturating_sub(4);
        assert_eq!(
            sent.matches("cache_control").count(),
            4.min(tools + parts),
            "{sent}"
        );
        assert_eq!(
            out.notes,
            if over > 0 {
                "dropped=cache_control"
            } else {
                ""
            }
        );
        // The earliest go, and the rest of their tools stays.
        for number in 1..=tools {
            let tool = &out.json["tools"][number - 1];
            assert_eq!(tool["max_uses"], number);
            assert_eq!(tool.get("cache_control").is_some(), number > over, "{tool}");
        }
    }
}
