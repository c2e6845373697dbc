//! What both wires look like: requests, answers, streams, errors.

use ringway::wire::kind::Wire;
use serde_json::Value;

use super::client::Answer;

/// Both of them.
pub(crate) const WIRES: [Wire; 2] = [Wire::OpenAiChat, Wire::AnthropicMessages];

/// The path of a chat.
pub(crate) const fn path(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "/v1/chat/completions",
        Wire::AnthropicMessages => "/v1/messages",
    }
}

/// A small chat.
pub(crate) fn chat(wire: Wire, model: &str, stream: bool) -> String {
    let limit = match wire {
        Wire::OpenAiChat => "",
        Wire::AnthropicMessages => r#""max_tokens":64,"#,
    };
    format!(
        r#"{{"model":"{model}",{limit}"messages":[{{"role":"user","content":"Say hello."}}],"stream":{stream}}}"#
    )
}

/// A whole answer that says `Hello`.
pub(crate) const fn whole(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => {
            r#"{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"up-model","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#
        }
        Wire::AnthropicMessages => {
            r#"{"id":"msg_1","type":"message","role":"assistant","model":"up-model","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":2}}"#
        }
    }
}

/// The events before the first content.
pub(crate) const fn start_up(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => {
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
        }
        Wire::AnthropicMessages => {
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"up-model\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
        }
    }
}

/// An event with a piece of text; on the Anthropic wire the first one opens its block.
pub(crate) fn text(wire: Wire, piece: &str, first: bool) -> String {
    match wire {
        Wire::OpenAiChat => format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n"
        ),
        Wire::AnthropicMessages => {
            let open = if first {
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
            } else {
                ""
            };
            format!(
                "{open}event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{piece}\"}}}}\n\n"
            )
        }
    }
}

/// The events behind the last content, without the terminator.
pub(crate) const fn finish(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => {
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        }
        Wire::AnthropicMessages => {
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n"
        }
    }
}

/// The usage chunk of the OpenAI wire.
pub(crate) const USAGE_CHUNK: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n";

/// The event that ends a stream.
pub(crate) const fn terminator(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "data: [DONE]\n\n",
        Wire::AnthropicMessages => "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    }
}

/// A whole stream that says `Hello`.
pub(crate) fn events(wire: Wire) -> String {
    [
        start_up(wire),
        &text(wire, "Hel", true),
        &text(wire, "lo", false),
        finish(wire),
        terminator(wire),
    ]
    .concat()
}

/// An error within a stream.
pub(crate) const fn error_event(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => {
            "data: {\"error\":{\"message\":\"model melted\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"
        }
        Wire::AnthropicMessages => {
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"model melted\"}}\n\n"
        }
    }
}

/// An error answer's body.
pub(crate) fn error_body(wire: Wire, kind: &str, message: &str) -> String {
    match wire {
        Wire::OpenAiChat => format!(
            r#"{{"error":{{"message":"{message}","type":"{kind}","param":null,"code":null}}}}"#
        ),
        Wire::AnthropicMessages => {
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#)
        }
    }
}

/// What stands where a stream of the wire ends well.
pub(crate) const fn end_mark(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "[DONE]",
        Wire::AnthropicMessages => "message_stop",
    }
}

/// An error as either wire says it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<String>,
}

/// The error that an answer of ours tells, in the wire's shape to the member.
pub(crate) fn told(wire: Wire, answer: &Answer) -> Told {
    assert_eq!(answer.field("content-type"), Some("application/json"));
    let id = answer.field("x-ringway-request-id").expect("has an id");
    for name in ["x-request-id", "request-id"] {
        assert_eq!(answer.field(name), Some(id), "{answer:?}");
    }
    let told = told_by(wire, &answer.json());
    if wire == Wire::AnthropicMessages {
        assert_eq!(answer.json()["request_id"], id);
    }
    told
}

/// The error that the last event of a broken stream tells.
pub(crate) fn told_last(wire: Wire, stream: &str) -> Told {
    let event = stream.strip_suffix("\n\n").expect("a whole last event");
    let event = event.rsplit("\n\n").next().unwrap();
    let data = match wire {
        Wire::OpenAiChat => event.strip_prefix("data: "),
        Wire::AnthropicMessages => event.strip_prefix("event: error\ndata: "),
    };
    let data = data.unwrap_or_else(|| panic!("no error at the end: {stream}"));
    told_by(wire, &serde_json::from_str(data).expect("JSON"))
}

fn told_by(wire: Wire, json: &Value) -> Told {
    let error = &json["error"];
    let text = |name: &str| error[name].as_str().map(str::to_owned);
    let names: Vec<&str> = error
        .as_object()
        .unwrap_or_else(|| panic!("no error: {json}"))
        .keys()
        .map(String::as_str)
        .collect();
    match wire {
        Wire::OpenAiChat => assert_eq!(names, ["message", "type", "param", "code"]),
        Wire::AnthropicMessages => {
            assert_eq!(json["type"], "error");
            assert_eq!(names, ["type", "message"]);
        }
    }
    Told {
        kind: text("type").expect("a type"),
        message: text("message").expect("a message"),
        param: text("param"),
        code: text("code"),
    }
}
