//! What makes a stream valid in each wire, and which streams may end as finished: by readers that
//! share nothing with the codecs.

use ringway::translate::answer_context::{AnswerContext, JsonAnswer};
use ringway::wire::codec::ClientNeeds;
use ringway::wire::kind::Wire;
use ringway::wire::openai::settings::{Needs, ReasoningMembers};

use crate::json;
use crate::plain_sse::{self, Item};

/// The wire on the other side.
pub const fn other(wire: Wire) -> Wire {
    match wire {
        Wire::OpenAiChat => Wire::AnthropicMessages,
        Wire::AnthropicMessages => Wire::OpenAiChat,
    }
}

/// What requests may have asked of the translation of their answers.
pub fn contexts() -> [AnswerContext; 4] {
    let needing = |needs| AnswerContext {
        needs: ClientNeeds::OpenAi(needs),
        seed: 2,
        ..AnswerContext::default()
    };
    let asked = Needs {
        include_usage: true,
        created: 1,
        ..Needs::default()
    };
    let structured = AnswerContext {
        json_answer: JsonAnswer::Tool,
        json_wrapped: true,
        ..needing(Needs {
            reasoning: ReasoningMembers::NONE,
            include_usage: false,
            ..asked.clone()
        })
    };
    let renamed = AnswerContext {
        tool_names: [("f".into(), b"f \\u00e9".to_vec())].into(),
        ..needing(Needs {
            custom_tools: ["f \u{e9}".into(), "g".into()].into(),
            reasoning: ReasoningMembers {
                thinking_blocks: true,
                content_blocks: true,
                ..ReasoningMembers::default()
            },
            ..asked.clone()
        })
    };
    let legacy = needing(Needs {
        legacy_function: true,
        ..asked.clone()
    });
    [needing(asked), structured, renamed, legacy]
}

/// Whether an end of this stream of `wire` may be told as one: its terminator came, or, where the
/// body ended by its own framing, a reason to stop.
pub fn may_be_complete(wire: Wire, stream: &[u8], clean: bool) -> bool {
    plain_sse::data(stream, clean).iter().any(|data| {
        let text = String::from_utf8_lossy(data);
        match wire {
            Wire::OpenAiChat => {
                text.trim_ascii_start().starts_with("[DONE]")
                    || (clean && text.contains("finish_reason"))
            }
            Wire::AnthropicMessages => {
                let kinds = json::members(data).map(|members| json::all(&members, "type").concat());
                let kind = kinds.unwrap_or_default();
                kind.contains("message_stop") || (clean && kind.contains("message_delta"))
            }
        }
    })
}

/// Checks a whole stream of `wire`: valid events in a valid order, one end, nothing behind it.
/// Returns whether that end is the wire's own, and not an error.
pub fn judge(wire: Wire, stream: &[u8]) -> bool {
    let frames: Vec<(String, String)> = plain_sse::items(stream)
        .into_iter()
        .filter_map(|item| match item {
            Item::Comment => None,
            Item::Frame { event, data } => Some((text(event), text(data))),
            Item::Rest { .. } => panic!("an event has no end"),
        })
        .collect();
    let Some(((_, last), before)) = frames.split_last() else {
        panic!("a stream has an end")
    };
    for (_, data) in before {
        assert!(
            data != "[DONE]" && json::first(data, "error").is_none(),
            "a second end: {data}"
        );
    }
    let failed = json::first(last, "error");
    if let Some(error) = failed {
        assert!(
            json::first(error, "message").and_then(json::text).is_some(),
            "{last}"
        );
    }
    match wire {
        Wire::OpenAiChat => openai(&frames, failed.is_some()),
        Wire::AnthropicMessages => anthropic(&frames, failed.is_some()),
    }
    failed.is_none()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("a stream is UTF-8")
}

fn openai(frames: &[(String, String)], failed: bool) {
    let (mut finished, mut calls, mut id) = (0, 0, None);
    let (last, chunks) = frames.split_last().expect("the caller saw an end");
    assert!(failed || last.1 == "[DONE]", "{}", last.1);
    for (at, (event, data)) in chunks.iter().enumerate() {
        assert!(event.is_empty());
        let members = json::members(data.as_bytes()).unwrap_or_else(|| panic!("{data}"));
        let one = |name: &str| json::all(&members, name).first().copied();
        assert_eq!(one("object"), Some("\"chat.completion.chunk\""));
        assert_eq!(
            one("id"),
            *id.get_or_insert(one("id")),
            "every chunk has one id"
        );
        let choices = json::elements(one("choices").unwrap_or("").as_bytes());
        let choices = choices.unwrap_or_else(|| panic!("{data}"));
        assert!(choices.len() <= 1 && (choices.len() == 1 || one("usage").is_some()));
        let Some(choice) = choices.first() else {
            continue;
        };
        assert_eq!(json::first(choice, "index"), Some("0"));
        let delta = json::first(choice, "delta").unwrap_or_else(|| panic!("{data}"));
        assert_eq!(
            json::first(delta, "role").is_some(),
            at == 0,
            "the role comes once"
        );
        assert_eq!(finished, 0, "nothing follows the finish reason: {data}");
        finished += usize::from(json::first(choice, "finish_reason") != Some("null"));
        let list = json::first(delta, "tool_calls").and_then(|it| json::elements(it.as_bytes()));
        for call in list.into_iter().flatten() {
            let index: usize = json::first(call, "index").unwrap().parse().unwrap();
            assert!(index <= calls, "calls are numbered without gaps");
            assert_eq!(json::first(call, "id").is_some(), index == calls, "{call}");
            calls = calls.max(index + 1);
        }
    }
    assert!(failed || finished == 1, "one finish reason");
}

fn anthropic(frames: &[(String, String)], failed: bool) {
    let (mut open, mut next) = (None, 0);
    let mut order = vec!["message_start"];
    let frames = frames.iter().filter(|(event, _)| event != "ping");
    for (event, data) in frames {
        let kind = json::first(data, "type").and_then(json::text);
        assert_eq!(kind.as_deref(), Some(event.as_str()), "{data}");
        let index = || -> usize { json::first(data, "index").unwrap().parse().unwrap() };
        match event.as_str() {
            "error" => assert!(failed),
            "content_block_start" => {
                assert_eq!(
                    (open, index()),
                    (None, next),
                    "one block at a time, in order"
                );
                assert!(order.is_empty() && json::first(data, "content_block").is_some());
                open = Some(next);
                next += 1;
            }
            "content_block_delta" => {
                assert_eq!(open, Some(index()), "deltas belong to the open block");
                let delta = json::first(data, "delta").unwrap_or_else(|| panic!("{data}"));
                assert!(json::first(delta, "type").is_some(), "{data}");
            }
            "content_block_stop" => {
                assert_eq!(open, Some(index()));
                open = None;
            }
            "message_start" => assert_eq!(order.pop(), Some("message_start")),
            "message_delta" => {
                assert!(open.is_none() && order.is_empty());
                order = vec!["message_stop"];
            }
            "message_stop" => {
                assert_eq!(order.pop(), Some("message_stop"));
                order = vec!["nothing"];
            }
            other => panic!("{other}"),
        }
    }
    assert!(
        failed || order == ["nothing"],
        "a stream ends by its terminator"
    );
}
