use super::{Body, End, KEY, Reply, Request, answer};
use crate::demo::meaning::Meaning;
use crate::demo::reader::Reader;
use crate::demo::stub::asked;
use crate::demo::stub::model::{Act, LISTED, Model};
use crate::demo::stub::script::{SIGNATURE, Script, Stop};
use crate::demo::{anthropic_check, openai_check};
use crate::http1::method::Method;
use crate::wire::kind::Wire;

const WIRES: [Wire; 2] = [Wire::OpenAiChat, Wire::AnthropicMessages];

fn request<'r>(wire: Wire, path: &'r [u8], body: &'r [u8]) -> Request<'r> {
    let bearer: &[u8] = b"Bearer sk-stub-0000";
    let is_anthropic = wire == Wire::AnthropicMessages;
    Request {
        method: if body.is_empty() {
            Method::Get
        } else {
            Method::Post
        },
        path,
        authorization: (!is_anthropic).then_some(bearer),
        api_key: is_anthropic.then_some(KEY.as_bytes()),
        anthropic_version: is_anthropic.then_some(b"2023-06-01"),
        body,
        number: 7,
        now: 1_700_000_000,
    }
}

fn chat(wire: Wire, model: &str, stream: bool) -> (String, Option<Reply>) {
    let (path, tools, usage): (&[u8], _, _) = match wire {
        Wire::OpenAiChat => (
            b"/v1/chat/completions",
            r#"[{"type":"function","function":{"name":"f","parameters":{"const":{"a":1}}}},{"type":"function","function":{"name":"g"}}]"#,
            if stream {
                r#","stream_options":{"include_usage":true}"#
            } else {
                ""
            },
        ),
        Wire::AnthropicMessages => (
            b"/v1/messages",
            r#"[{"name":"f","input_schema":{"const":{"a":1}}},{"name":"g","input_schema":{}}]"#,
            "",
        ),
    };
    let body = format!(
        r#"{{"model":"{model}","max_tokens":500,"stream":{stream},"tools":{tools}{usage},"messages":[{{"role":"user","content":"say Zürich"}}]}}"#
    );
    let reply = answer(&request(wire, path, body.as_bytes()));
    (body, reply)
}

fn events(reply: &Reply) -> Vec<u8> {
    match &reply.body {
        Body::Events(frames) => frames.iter().flat_map(|f| f.bytes.clone()).collect(),
        Body::Whole(body) => panic!("no stream: {}", String::from_utf8_lossy(body)),
    }
}

fn whole(reply: &Reply) -> serde_json::Value {
    match &reply.body {
        Body::Whole(body) => serde_json::from_slice(body).unwrap(),
        Body::Events(_) => panic!("a stream"),
    }
}

fn gathered(wire: Wire, stream: &[u8]) -> Result<Meaning, String> {
    let mut reader = Reader::default();
    reader.push(stream)?;
    let mut openai = openai_check::Checker::default();
    let mut anthropic = anthropic_check::Checker::default();
    while let Some(record) = reader.take()? {
        match wire {
            Wire::OpenAiChat => openai.record(&record)?,
            Wire::AnthropicMessages => anthropic.record(&record)?,
        };
    }
    reader.finish()?;
    match wire {
        Wire::OpenAiChat => openai.finish(),
        Wire::AnthropicMessages => anthropic.finish(),
    }
}

#[test]
fn answers_streamed_are_right_on_both_wires() {
    for wire in WIRES {
        for model in [
            "stub-text",
            "stub-thinking",
            "stub-tools",
            "stub-all",
            "stub-echo",
        ] {
            let (body, reply) = chat(wire, model, true);
            let meaning = gathered(wire, &events(&reply.unwrap())).unwrap();
            let Some(Act::Tell(kind)) = Model::of(model).map(|model| model.act) else {
                panic!("{model}");
            };
            let script = Script::new(kind, &asked::read(wire, body.as_bytes()).unwrap());
            let thinks = !meaning.thinking.is_empty();
            let (id_start, signature) = match wire {
                Wire::OpenAiChat => ("call_", ""),
                Wire::AnthropicMessages => ("toolu_", if thinks { SIGNATURE } else { "" }),
            };
            meaning.compare(&script, id_start, signature).unwrap();
        }
    }
}

#[test]
fn answers_in_one_piece_tell_what_streams_tell() {
    for wire in WIRES {
        let (_, streamed) = chat(wire, "stub-all", true);
        let meaning = gathered(wire, &events(&streamed.unwrap())).unwrap();
        let (_, reply) = chat(wire, "stub-all", false);
        let told = whole(&reply.unwrap());
        let counts = meaning.counts.unwrap();
        match wire {
            Wire::OpenAiChat => {
                let choice = &told["choices"][0];
                assert_eq!(choice["message"]["content"], meaning.text);
                assert_eq!(choice["message"]["reasoning_content"], meaning.thinking);
                let call = &choice["message"]["tool_calls"][0]["function"];
                assert_eq!(call["arguments"], meaning.calls[0].arguments);
                assert_eq!(choice["finish_reason"], "tool_calls");
                assert_eq!(told["usage"]["completion_tokens"], counts.output);
            }
            Wire::AnthropicMessages => {
                assert_eq!(told["content"][0]["thinking"], meaning.thinking);
                assert_eq!(told["content"][0]["signature"], SIGNATURE);
                assert_eq!(told["content"][1]["text"], meaning.text);
                assert_eq!(told["content"][2]["input"], serde_json::json!({"a": 1}));
                assert_eq!(told["content"][3]["input"], serde_json::json!({}));
                assert_eq!(told["stop_reason"], "tool_use");
                assert_eq!(told["usage"]["output_tokens"], counts.output);
            }
        }
    }
}

#[test]
fn refusals_are_told_in_the_way_of_each_wire() {
    let (_, reply) = chat(Wire::OpenAiChat, "stub-refusal", false);
    let told = whole(&reply.unwrap());
    assert_eq!(told["choices"][0]["finish_reason"], "content_filter");
    assert!(told["choices"][0]["message"]["content"].is_null());
    assert_eq!(
        told["choices"][0]["message"]["refusal"],
        "I cannot help with that."
    );
    let (_, reply) = chat(Wire::AnthropicMessages, "stub-refusal", true);
    let meaning = gathered(Wire::AnthropicMessages, &events(&reply.unwrap())).unwrap();
    assert_eq!(meaning.stop, Some(Stop::Refusal));
}

#[test]
fn spoiled_streams_are_never_taken_for_whole_ones() {
    for wire in WIRES {
        for (model, end, text) in [
            ("stub-error-start", End::Whole, "an error within the stream"),
            ("stub-error-mid", End::Whole, "an error within the stream"),
            ("stub-break", End::Cut, "ended early"),
            ("stub-end", End::Whole, "ended early"),
            ("stub-silent", End::Never, "ended early"),
        ] {
            let (_, reply) = chat(wire, model, true);
            let reply = reply.unwrap();
            assert_eq!((reply.status, reply.end), (200, end), "{model}");
            let fault = gathered(wire, &events(&reply)).unwrap_err();
            assert!(fault.contains(text), "{model}: {fault}");
        }
        assert!(chat(wire, "stub-reset", true).1.is_none());
    }
}

#[test]
fn statuses_come_with_the_error_body_of_the_wire() {
    let kinds = [
        (
            "stub-error-400",
            "invalid_request_error",
            "invalid_request_error",
        ),
        ("stub-error-429", "requests", "rate_limit_error"),
        ("stub-error-529", "server_error", "overloaded_error"),
        ("stub-unknown", "invalid_request_error", "not_found_error"),
    ];
    for (model, openai, anthropic) in kinds {
        for (wire, kind) in WIRES.into_iter().zip([openai, anthropic]) {
            let reply = chat(wire, model, true).1.unwrap();
            assert_eq!(whole(&reply)["error"]["type"], kind, "{model}");
            let fields = String::from_utf8(reply.fields).unwrap();
            let waits = matches!(reply.status, 429 | 529);
            assert_eq!(fields.contains("retry-after: 1\r\n"), waits, "{model}");
        }
    }
}

#[test]
fn output_limit_cuts_an_answer() {
    let body =
        br#"{"model":"stub-text","max_tokens":3,"messages":[{"role":"user","content":"x"}]}"#;
    let reply = answer(&request(Wire::AnthropicMessages, b"/v1/messages", body)).unwrap();
    let told = whole(&reply);
    assert_eq!(told["stop_reason"], "max_tokens");
    assert_eq!(told["usage"]["output_tokens"], 3);
}

#[test]
fn requests_without_key_version_or_path_are_refused() {
    let mut no_key = request(Wire::OpenAiChat, b"/v1/models", b"");
    no_key.authorization = Some(b"Bearer sk-other");
    assert_eq!(answer(&no_key).unwrap().status, 401);
    let mut no_version = request(Wire::AnthropicMessages, b"/v1/messages", b"{}");
    no_version.anthropic_version = None;
    assert_eq!(answer(&no_version).unwrap().status, 400);
    let elsewhere = request(Wire::OpenAiChat, b"/v1/embeddings", b"{}");
    assert_eq!(answer(&elsewhere).unwrap().status, 404);
    let wrong_method = request(Wire::OpenAiChat, b"/v1/chat/completions", b"");
    assert_eq!(answer(&wrong_method).unwrap().status, 405);
}

#[test]
fn models_and_counts_have_the_shape_of_the_wire() {
    let openai = answer(&request(Wire::OpenAiChat, b"/v1/models", b"")).unwrap();
    let openai = whole(&openai);
    assert_eq!(openai["object"], "list");
    assert_eq!(openai["data"].as_array().unwrap().len(), LISTED.len());
    let anthropic = answer(&request(Wire::AnthropicMessages, b"/v1/models", b"")).unwrap();
    let anthropic = whole(&anthropic);
    assert_eq!(anthropic["data"][0]["type"], "model");
    assert_eq!(anthropic["last_id"], LISTED[LISTED.len() - 1]);
    let one = answer(&request(Wire::OpenAiChat, b"/v1/models/stub%2dslow", b"")).unwrap();
    assert_eq!(whole(&one)["id"], "stub-slow");
    let none = answer(&request(Wire::OpenAiChat, b"/v1/models/gpt-4o", b"")).unwrap();
    assert_eq!(none.status, 404);
    let body = br#"{"model":"stub-text","messages":[{"role":"user","content":"a b c"}]}"#;
    let path = b"/v1/messages/count_tokens";
    let count = answer(&request(Wire::AnthropicMessages, path, body)).unwrap();
    assert_eq!(whole(&count), serde_json::json!({"input_tokens": 3}));
}
