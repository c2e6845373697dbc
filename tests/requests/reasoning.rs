//! Reasoning of OpenRouter's models through a client of the Anthropic wire, there and back.

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::response;
use ringway::wire::kind::Dialect;
use ringway::wire::kind::Wire::{AnthropicMessages as A, OpenAiChat as C};
use serde_json::{Value, json};

use crate::support::Run;

/// The blocks that a client of the Anthropic wire gets, and what the answer lost.
fn blocks(details: &Value) -> (Value, String) {
    let message = json!({"role": "assistant", "content": "Yes", "reasoning_details": details});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let body = json!({"id": "c", "model": "m", "choices": [choice]}).to_string();
    let (mut out, mut tape) = (Vec::new(), Tape::new());
    let (context, limits) = (AnswerContext::default(), Limits::default());
    let body = body.as_bytes();
    let facts = response::translate((C, A), body, &context, &mut tape, &limits, &mut out).unwrap();
    let answer: Value = serde_json::from_slice(&out).unwrap();
    (answer["content"].clone(), facts.notes.header())
}

fn history(blocks: &Value) -> String {
    json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "U"},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": "V"},
    ]})
    .to_string()
}

#[test]
fn b3_reasoning_of_any_format_goes_back_to_where_it_came_from() {
    let details = json!([
        {"type": "reasoning.encrypted", "data": "gA\"\u{e9}==", "format": "openai-responses-v1", "id": "rs_1", "index": 0},
        {"type": "reasoning.encrypted", "data": "CiQ:", "format": "google-gemini-v1", "index": 1},
        {"type": "reasoning.encrypted", "data": "EvsC", "format": "anthropic-claude-v1", "index": 2},
        {"type": "reasoning.text", "text": "t", "signature": "AY8=", "format": "google-gemini-v1", "index": 3},
        {"type": "reasoning.text", "text": "", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 4},
    ]);
    let (blocks, lost) = blocks(&details);
    assert_eq!(lost, "");
    let blocks_of = |kind: &str| {
        let blocks = blocks.as_array().unwrap().iter();
        blocks.filter(|it| it["type"] == kind).count()
    };
    let counts = ["redacted_thinking", "thinking", "text"].map(blocks_of);
    assert_eq!(counts, [3, 2, 1]);
    let body = history(&blocks);
    let router = Run::to_openai("m").dialect(|dialect| dialect.reasoning_details_back = true);
    let out = router.ok(&body);
    assert_eq!(out.json["messages"][1]["reasoning_details"], details);
    assert_eq!(out.notes, "");
    // Elsewhere it is named, also where text alone is wanted back.
    let elsewhere = [
        Dialect::default(),
        Dialect {
            reasoning_content_back: true,
            ..Dialect::default()
        },
    ];
    for dialect in elsewhere {
        let run = Run {
            dialect,
            ..Run::to_openai("m")
        };
        let out = run.ok(&body);
        assert_eq!(out.notes, "dropped=thinking");
        assert!(!String::from_utf8_lossy(&out.bytes).contains("ringway:"));
    }
}

#[test]
fn b3_what_cannot_be_carried_is_named() {
    for detail in [
        json!({"type": "reasoning.encrypted", "data": "d", "format": "odd format", "index": 0}),
        json!({"type": "reasoning.encrypted", "data": "d", "format": "f", "id": "a:b", "index": 0}),
        json!({"type": "reasoning.text", "text": "t", "signature": "s", "format": "", "index": 0}),
    ] {
        let (blocks, lost) = blocks(&json!([detail]));
        assert_eq!(lost, "dropped=reasoning_details", "{detail}");
        assert!(!blocks.to_string().contains("redacted"), "{blocks}");
    }
}
