//! Requests and whole answers that are valid in their wire.

use ringway::wire::kind::Wire;
use serde_json::{Value, json};

use crate::cook::Cook;

/// A request body of `wire`.
pub fn request(cook: &mut Cook<'_>, wire: Wire) -> Value {
    match wire {
        Wire::OpenAiChat => openai(cook),
        Wire::AnthropicMessages => anthropic(cook),
    }
}

/// An answer of `wire`.
pub fn answer(cook: &mut Cook<'_>, wire: Wire) -> Value {
    match wire {
        Wire::OpenAiChat => openai_answer(cook),
        Wire::AnthropicMessages => anthropic_answer(cook),
    }
}

fn openai(cook: &mut Cook<'_>) -> Value {
    let mut messages = Vec::new();
    for _ in 0..cook.below(5) {
        openai_turn(cook, &mut messages);
    }
    messages.push(json!({"role": "user", "content": openai_content(cook)}));
    let mut body = json!({"model": cook.text() + "m", "messages": messages});
    let b = &mut body;
    cook.maybe(b, "stream", |cook| json!(cook.below(2) == 0));
    cook.maybe(
        b,
        "stream_options",
        |cook| json!({"include_usage": cook.below(2) == 0}),
    );
    cook.maybe(b, "max_tokens", |cook| json!(1 + cook.below(9000)));
    cook.maybe(b, "max_completion_tokens", |cook| {
        json!(1 + cook.below(9000))
    });
    cook.maybe(b, "temperature", |cook| json!(cook.below(20) as f64 / 10.0));
    cook.maybe(b, "top_p", |cook| json!(cook.below(11) as f64 / 10.0));
    cook.maybe(b, "stop", |cook| match cook.below(2) {
        0 => json!(cook.text()),
        _ => json!(cook.some(5, |cook| json!(cook.text() + "."))),
    });
    cook.maybe(b, "reasoning_effort", |cook| {
        json!(cook.one(&["none", "minimal", "low", "medium", "high", "xhigh"]))
    });
    cook.maybe(b, "user", |cook| json!(cook.text()));
    cook.maybe(b, "service_tier", |cook| {
        json!(cook.one(&["auto", "default", "flex", "priority"]))
    });
    if cook.below(2) == 0 {
        let mut tools = cook.some(3, openai_tool);
        tools.push(json!({"type": "function", "function": {"name": "f"}}));
        b["tools"] = json!(tools);
        cook.maybe(b, "parallel_tool_calls", |cook| json!(cook.below(2) == 0));
        cook.maybe(b, "tool_choice", |cook| match cook.below(4) {
            0 => json!("auto"),
            1 => json!("required"),
            2 => json!("none"),
            _ => json!({"type": "function", "function": {"name": "f"}}),
        });
    } else if cook.rarely(4) {
        b["functions"] = json!([{"name": name(cook), "parameters": schema(cook)}]);
    }
    cook.maybe(b, "response_format", |cook| match cook.below(3) {
        0 => json!({"type": "json_object"}),
        1 => json!({"type": "text"}),
        _ => json!({"type": "json_schema", "json_schema":
            {"name": name(cook), "strict": cook.below(2) == 0, "schema": schema(cook)}}),
    });
    cook.maybe(b, "metadata", |cook| json!({"a": cook.text()}));
    cook.maybe(b, "seed", |cook| json!(cook.below(9)));
    cook.maybe(b, "n", |_| json!(1));
    if cook.rarely(16) {
        // What cannot be kept, or has another form.
        let rare = [
            "n",
            "logprobs",
            "logit_bias",
            "web_search_options",
            "reasoning",
        ];
        b[cook.one(&rare)] = cook.odd();
    }
    body
}

/// One or several messages that belong together: calls are followed by their results.
fn openai_turn(cook: &mut Cook<'_>, messages: &mut Vec<Value>) {
    match cook.below(5) {
        0 => messages.push(json!({"role": "user", "content": openai_content(cook)})),
        1 => {
            let role = cook.one(&["system", "developer"]);
            messages.push(json!({"role": role, "content": cook.text()}));
        }
        2 => {
            messages.push(json!({"role": "assistant", "content": null,
                "function_call": {"name": "f", "arguments": cook.text()}}));
            messages.push(json!({"role": "function", "name": "f", "content": cook.text()}));
        }
        3 => messages.push(openai_assistant(cook)),
        _ => {
            let mut message = openai_assistant(cook);
            let ids: Vec<String> = (0..=cook.below(2))
                .map(|n| id(cook, messages.len(), n))
                .collect();
            let calls: Vec<Value> = ids.iter().map(|id| openai_call(cook, id)).collect();
            message["tool_calls"] = json!(calls);
            messages.push(message);
            for id in ids {
                let content = openai_content(cook);
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": content}));
            }
        }
    }
}

fn openai_assistant(cook: &mut Cook<'_>) -> Value {
    let mut message = json!({"role": "assistant", "content": cook.text()});
    let m = &mut message;
    cook.maybe(
        m,
        "content",
        |cook| json!([{"type": "text", "text": cook.text()}]),
    );
    cook.maybe(m, "refusal", |cook| json!(cook.text()));
    cook.maybe(m, "reasoning_content", |cook| json!(cook.text()));
    cook.maybe(m, "reasoning_details", |cook| {
        json!(cook.some(3, reasoning_detail))
    });
    cook.maybe(
        m,
        "thinking_blocks",
        |cook| json!([{"type": "thinking", "thinking": cook.text(), "signature": cook.text()}]),
    );
    message
}

fn openai_content(cook: &mut Cook<'_>) -> Value {
    if cook.below(2) == 0 {
        return json!(cook.text());
    }
    json!(cook.some(4, |cook| match cook.below(4) {
        0 => json!({"type": "text", "text": cook.text(), "cache_control": {"type": "ephemeral"}}),
        1 => json!({"type": "image_url", "image_url": {"url": address(cook), "detail": "low"}}),
        2 => json!({"type": "file", "file": {"filename": "a.pdf",
            "file_data": "data:application/pdf;base64,JVBE"}}),
        _ => json!({"type": "text", "text": cook.text()}),
    }))
}

fn openai_call(cook: &mut Cook<'_>, id: &str) -> Value {
    if cook.rarely(4) {
        return json!({"id": id, "type": "custom",
            "custom": {"name": name(cook), "input": cook.text()}});
    }
    json!({"id": id, "type": "function",
        "function": {"name": name(cook), "arguments": cook.text()}})
}

fn openai_tool(cook: &mut Cook<'_>) -> Value {
    if cook.rarely(5) {
        return json!({"type": "custom", "custom": {"name": name(cook), "description": "d"}});
    }
    let (name, strict) = (name(cook), cook.below(2) == 0);
    json!({"type": "function", "function":
        {"name": name, "description": cook.text(), "strict": strict, "parameters": schema(cook)}})
}

fn reasoning_detail(cook: &mut Cook<'_>) -> Value {
    match cook.below(3) {
        0 => json!({"type": "reasoning.text", "text": cook.text(), "signature": cook.text(),
            "format": "anthropic-claude-v1", "index": cook.below(3)}),
        1 => json!({"type": "reasoning.summary", "summary": cook.text()}),
        _ => json!({"type": "reasoning.encrypted", "data": cook.text(), "index": cook.below(3)}),
    }
}

fn anthropic(cook: &mut Cook<'_>) -> Value {
    let mut messages = Vec::new();
    for _ in 0..cook.below(5) {
        anthropic_turn(cook, &mut messages);
    }
    messages.push(json!({"role": "user", "content": cook.text() + "."}));
    let max = 1 + cook.below(9000);
    let mut body = json!({"model": cook.text() + "m", "max_tokens": max, "messages": messages});
    let b = &mut body;
    cook.maybe(b, "stream", |cook| json!(cook.below(2) == 0));
    cook.maybe(b, "system", |cook| match cook.below(2) {
        0 => json!(cook.text()),
        _ => json!(
            cook.some(3, |cook| json!({"type": "text", "text": cook.text(),
            "cache_control": {"type": "ephemeral", "ttl": "1h"}}))
        ),
    });
    cook.maybe(b, "thinking", |cook| match cook.below(3) {
        0 => json!({"type": "adaptive", "display": "omitted"}),
        1 => json!({"type": "disabled"}),
        _ => json!({"type": "enabled", "budget_tokens": 1024 + cook.below(9000)}),
    });
    cook.maybe(b, "temperature", |cook| json!(cook.below(11) as f64 / 10.0));
    cook.maybe(b, "top_k", |cook| json!(1 + cook.below(100)));
    cook.maybe(b, "stop_sequences", |cook| {
        json!(cook.some(5, |cook| json!(cook.text() + ".")))
    });
    cook.maybe(b, "metadata", |cook| json!({"user_id": cook.text()}));
    cook.maybe(b, "service_tier", |cook| {
        json!(cook.one(&["auto", "standard_only"]))
    });
    if cook.below(2) == 0 {
        let mut tools = cook.some(3, anthropic_tool);
        tools.push(json!({"name": "f", "input_schema": {"type": "object"}}));
        b["tools"] = json!(tools);
        cook.maybe(b, "tool_choice", |cook| {
            let parallel = cook.below(2) == 0;
            match cook.one(&["auto", "any", "none", "tool"]) {
                "tool" => {
                    json!({"type": "tool", "name": "f", "disable_parallel_tool_use": parallel})
                }
                kind => json!({"type": kind}),
            }
        });
    }
    cook.maybe(b, "output_config", |cook| {
        json!({"effort": cook.one(&["low", "high", "max"]),
            "format": {"type": "json_schema", "schema": schema(cook)}})
    });
    cook.maybe(b, "anthropic_beta", |cook| {
        json!([cook.text(), "a-2025-01-01"])
    });
    if cook.rarely(32) {
        // Contracts that the other wire cannot keep.
        let rare = [
            "container",
            "mcp_servers",
            "context_management",
            "speed",
            "inference_geo",
        ];
        b[cook.one(&rare)] = cook.odd();
    }
    body
}

/// One or several messages that belong together: calls are followed by their results.
fn anthropic_turn(cook: &mut Cook<'_>, messages: &mut Vec<Value>) {
    match cook.below(4) {
        0 => messages.push(json!({"role": "user", "content": cook.some(4, anthropic_block)})),
        1 => messages.push(json!({"role": "assistant", "content": cook.text() + "."})),
        2 => messages.push(json!({"role": "system", "content": cook.text() + "."})),
        _ => {
            let mut blocks = cook.some(4, answer_block);
            let ids: Vec<String> = (0..=cook.below(2))
                .map(|n| id(cook, messages.len(), n))
                .collect();
            blocks.extend(ids.iter().map(|id| call(cook, id)));
            messages.push(json!({"role": "assistant", "content": blocks}));
            let mut results: Vec<Value> = ids.iter().map(|id| result(cook, id)).collect();
            results.extend(cook.some(3, anthropic_block));
            messages.push(json!({"role": "user", "content": results}));
        }
    }
}

fn call(cook: &mut Cook<'_>, id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": name(cook), "input": {"a": [1, 2.50, cook.text()]}})
}

fn result(cook: &mut Cook<'_>, id: &str) -> Value {
    let content = match cook.below(2) {
        0 => json!(cook.text()),
        _ => {
            json!([{"type": "text", "text": cook.text()}, {"type": "image", "source": source(cook)}])
        }
    };
    json!({"type": "tool_result", "tool_use_id": id, "content": content,
        "is_error": cook.below(2) == 0})
}

/// A block of a user's message.
fn anthropic_block(cook: &mut Cook<'_>) -> Value {
    let mut block = match cook.below(5) {
        0 => json!({"type": "image", "source": source(cook)}),
        1 => json!({"type": "document", "title": cook.text(), "source": document(cook)}),
        2 => json!({"type": "search_result", "source": cook.text(), "title": cook.text(),
            "content": [{"type": "text", "text": cook.text()}]}),
        _ => json!({"type": "text", "text": cook.text() + "."}),
    };
    cook.maybe(
        &mut block,
        "cache_control",
        |_| json!({"type": "ephemeral"}),
    );
    block
}

/// A block of an assistant's message.
fn answer_block(cook: &mut Cook<'_>) -> Value {
    match cook.below(5) {
        0 => json!({"type": "thinking", "thinking": cook.text(), "signature": cook.text()}),
        1 => json!({"type": "redacted_thinking", "data": cook.text()}),
        2 => json!({"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {}}),
        _ => json!({"type": "text", "text": cook.text() + ".", "citations": [{"cited_text": "c",
            "type": "web_search_result_location", "url": cook.text(), "title": cook.text()}]}),
    }
}

fn source(cook: &mut Cook<'_>) -> Value {
    match cook.below(2) {
        0 => json!({"type": "base64", "media_type": "image/png", "data": "AA=="}),
        _ => json!({"type": "url", "url": address(cook)}),
    }
}

fn document(cook: &mut Cook<'_>) -> Value {
    if cook.rarely(24) {
        return json!({"type": "url", "url": "https://a.example/a.pdf"});
    }
    match cook.below(3) {
        0 => json!({"type": "base64", "media_type": "application/pdf", "data": "JVBE"}),
        1 => json!({"type": "text", "media_type": "text/plain", "data": cook.text()}),
        _ => json!({"type": "content", "content": [{"type": "text", "text": cook.text()}]}),
    }
}

fn anthropic_tool(cook: &mut Cook<'_>) -> Value {
    if cook.rarely(48) {
        return json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 2});
    }
    let name = name(cook);
    let mut tool = json!({"name": name, "input_schema": schema(cook)});
    cook.maybe(&mut tool, "description", |cook| json!(cook.text()));
    cook.maybe(&mut tool, "strict", |cook| json!(cook.below(2) == 0));
    tool
}

fn address(cook: &mut Cook<'_>) -> &'static str {
    cook.one(&[
        "https://a.example/i.png",
        "data:image/png;base64,AA==",
        "http://b.example/?q=%20",
    ])
}

/// A tool's name; some must change on the way.
fn name(cook: &mut Cook<'_>) -> &'static str {
    cook.one(&[
        "f",
        "g",
        "get_weather-2",
        "json_response",
        "mcp.server/tool",
        "w\u{e9}tter",
    ])
}

/// A JSON schema of some depth.
fn schema(cook: &mut Cook<'_>) -> Value {
    nested_schema(cook, SCHEMA_DEPTH)
}

/// A schema of at most so many objects in objects.
fn nested_schema(cook: &mut Cook<'_>, depth: usize) -> Value {
    let mut schema = match cook.below(5) {
        0 => json!({"type": "object", "properties": {"a": schema_leaf(cook)}, "required": ["a"]}),
        1 => json!({"type": "array", "items": schema_leaf(cook), "minItems": 1}),
        2 => json!({"anyOf": [schema_leaf(cook), {"$ref": "#/$defs/a"}], "$defs": {"a": {}}}),
        4 if depth > 0 => {
            json!({"type": "object", "properties": {"n": nested_schema(cook, depth - 1)}})
        }
        _ => schema_leaf(cook),
    };
    cook.maybe(&mut schema, "additionalProperties", |cook| {
        json!(cook.below(2) == 0)
    });
    schema
}

/// Twice as many levels of JSON: a little more than any body may have.
const SCHEMA_DEPTH: usize = 66;

fn schema_leaf(cook: &mut Cook<'_>) -> Value {
    match cook.below(4) {
        0 => json!({"type": "string", "pattern": cook.text(), "minLength": 1}),
        1 => json!({"type": ["number", "null"], "minimum": 0, "multipleOf": 0.5}),
        2 => json!({"enum": [cook.text(), 1, null]}),
        _ => json!({"const": cook.text()}),
    }
}

/// The id of the call with this number in the message with that number; some are too long, or have
/// bytes that not every wire takes.
fn id(cook: &mut Cook<'_>, message: usize, number: usize) -> String {
    let start = cook.one(&[
        "call_",
        "toolu_",
        "call.with:odd ",
        "long_1234567890123456789012345678901234_",
    ]);
    format!("{start}{message}_{number}")
}

fn openai_answer(cook: &mut Cook<'_>) -> Value {
    let mut message = openai_assistant(cook);
    let (first, second) = (openai_call(cook, "call_1"), openai_call(cook, ""));
    cook.maybe(&mut message, "tool_calls", |_| json!([first, second]));
    cook.maybe(
        &mut message,
        "function_call",
        |cook| json!({"name": "f", "arguments": cook.text()}),
    );
    cook.maybe(&mut message, "annotations", |cook| {
        json!([{"type": "url_citation", "url_citation":
        {"url": cook.text(), "title": cook.text(), "start_index": cook.below(9), "end_index": 9}}])
    });
    let finish = cook.one(&[
        "stop",
        "length",
        "tool_calls",
        "content_filter",
        "function_call",
        "odd",
    ]);
    let mut body = json!({"id": cook.text(), "object": "chat.completion", "created": 1,
        "model": cook.text(),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}]});
    cook.maybe(&mut body, "usage", openai_usage);
    body
}

/// The counts of the OpenAI wire.
pub fn openai_usage(cook: &mut Cook<'_>) -> Value {
    json!({"prompt_tokens": cook.below(100), "completion_tokens": cook.below(100),
        "prompt_tokens_details": {"cached_tokens": cook.below(100), "audio_tokens": cook.below(100)},
        "completion_tokens_details": {"reasoning_tokens": cook.below(100),
            "audio_tokens": cook.below(100)}})
}

fn anthropic_answer(cook: &mut Cook<'_>) -> Value {
    let stop = cook.one(&STOPS);
    json!({"id": cook.text(), "type": "message", "role": "assistant", "model": cook.text(),
        "content": cook.some(5, answer_block), "stop_reason": stop, "stop_sequence": cook.text(),
        "usage": anthropic_usage(cook)})
}

/// The counts of the Anthropic wire.
pub fn anthropic_usage(cook: &mut Cook<'_>) -> Value {
    json!({"input_tokens": cook.below(100), "output_tokens": cook.below(100),
        "cache_read_input_tokens": cook.below(100), "cache_creation_input_tokens": null,
        "cache_creation": {"ephemeral_5m_input_tokens": cook.below(100),
            "ephemeral_1h_input_tokens": cook.below(100)},
        "server_tool_use": {"web_search_requests": cook.below(100)}})
}

/// Reasons to stop of the Anthropic wire.
pub const STOPS: [&str; 8] = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
    "odd",
];
