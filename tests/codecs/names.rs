//! Names of tools that come in pieces.

use ringway::chat::event::Event;
use ringway::chat::usage::End;
use ringway::json::tape::Tape;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::wire::common::ids::fingerprint;
use ringway::wire::kind::Wire::{AnthropicMessages as A, OpenAiChat as O};
use ringway::wire::openai::stream::decode::Decoder;
use serde_json::{Value, json};

use crate::rows::{blocks, call, calling, pairs, stop_reason, values};
use crate::support::{EVENT_BYTES_MAX, context, translate, translate_pieces};

/// The context of a request with these tools, none of which begins with another.
fn declaring(names: &[&str]) -> AnswerContext {
    let mut whole_names: Vec<u64> = names.iter().map(|it| fingerprint(it.as_bytes())).collect();
    whole_names.sort_unstable();
    AnswerContext {
        whole_names,
        ..context()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a2_name_in_pieces_is_one_name() {
    let piece = |arguments: &str| json!({"index": 0, "function": {"arguments": arguments}});
    let id = json!({"index": 0, "id": "x"});
    let index = json!({"index": 0});
    let weather = |arguments: &'static str| ("get_weather", arguments);
    for (lists, expected) in [
        (
            vec![
                call(id.clone(), "get_", ""),
                call(index.clone(), "weather", ""),
                piece("{}"),
            ],
            vec![weather("{}")],
        ),
        (
            vec![
                call(id.clone(), "get_", ""),
                call(index.clone(), "weather", r#"{"n":1}"#),
            ],
            vec![weather(r#"{"n":1}"#)],
        ),
        // The id in each piece, no index, nothing at all; three pieces, no arguments.
        (
            vec![
                call(id.clone(), "get_", ""),
                call(id.clone(), "weather", "{}"),
            ],
            vec![weather("{}")],
        ),
        (
            vec![
                call(json!({"id": "x"}), "get_", ""),
                call(json!({}), "weather", "{}"),
            ],
            vec![weather("{}")],
        ),
        (
            vec![
                call(json!({}), "g", ""),
                call(json!({}), "et_", ""),
                call(json!({}), "weather", ""),
            ],
            vec![weather("")],
        ),
        // Another id is another call, and so is what comes behind a name that is whole.
        (
            vec![
                call(id.clone(), "get_", ""),
                call(json!({"index": 0, "id": "y"}), "f", "{}"),
            ],
            vec![("get_", ""), ("f", "{}")],
        ),
        (
            vec![
                call(id.clone(), "get_weather", ""),
                call(index.clone(), "f", "{}"),
            ],
            vec![weather(""), ("f", "{}")],
        ),
        // A name that nobody declared, repeated.
        (
            vec![
                call(id.clone(), "odd", ""),
                call(id.clone(), "odd", ""),
                call(id, "odd", "{}"),
            ],
            vec![("odd", "{}")],
        ),
        // The second call waits for its name while the first one goes on.
        (
            vec![
                call(json!({"index": 0, "id": "x"}), "f", r#"{"n":"#),
                call(json!({"index": 1, "id": "y"}), "get_", ""),
                piece("1}"),
                json!({"index": 1, "function": {"arguments": "{}"}}),
            ],
            vec![("f", r#"{"n":1}"#), ("get_", "{}")],
        ),
    ] {
        let lists: Vec<Value> = lists.iter().map(|call| json!([call])).collect();
        let body = calling(&lists);
        let out = translate(O, declaring(&["f", "get_weather"]), &body);
        assert_eq!(blocks(&values(&out)), pairs(&expected), "{body}");
        assert_eq!(stop_reason(&values(&out)), "tool_use");
        for at in 0..body.len() {
            let (a, b) = body.as_bytes().split_at(at);
            let cut = translate_pieces(O, declaring(&["f", "get_weather"]), &[a, b], true);
            assert_eq!(cut.bytes, out.bytes, "{at}");
        }
    }
}

#[test]
fn a2_name_of_the_old_form_in_pieces_is_one_name() {
    let pieces = [("get_", ""), ("weather", ""), ("", "{}")];
    let body: String = pieces
        .iter()
        .map(|(name, arguments)| {
            let delta = json!({"function_call": {"name": name, "arguments": arguments}});
            let choice = json!({"index": 0, "delta": delta});
            format!(
                "data: {}\n\n",
                json!({"id": "c", "model": "m", "choices": [choice]})
            )
        })
        .collect();
    let out = translate(O, declaring(&["get_weather"]), &(body + "data: [DONE]\n\n"));
    assert_eq!(blocks(&values(&out)), pairs(&[("get_weather", "{}")]));
}

#[test]
fn a2_call_starts_at_once_where_its_name_is_known_and_else_with_the_next_frame() {
    let starts = |name: &str, context: AnswerContext| {
        let body = calling(&[json!([call(json!({"index": 0, "id": "x"}), name, "")])]);
        let (first, rest) = body.split_once("\n\n").unwrap();
        let mut translator = StreamTranslator::new(O, A, context, EVENT_BYTES_MAX);
        [format!("{first}\n\n"), rest.to_owned()].map(|piece| {
            let mut out = Vec::new();
            translator.push(piece.as_bytes(), &mut out);
            let out = String::from_utf8(out).unwrap();
            out.matches("\"type\":\"tool_use\"").count()
        })
    };
    assert_eq!(starts("f", declaring(&["f"])), [1, 0]);
    assert_eq!(starts("g", declaring(&["f"])), [0, 1]);
    assert_eq!(starts("g", context()), [1, 0], "nothing is known");
}

#[test]
fn a2_name_in_pieces_is_held_up_to_its_limit() {
    let max = 64;
    for (length, end) in [(max - 1, End::Complete), (max, End::Truncated)] {
        let mut lists = vec![json!([call(json!({"index": 0, "id": "x"}), "a", "")])];
        lists.extend((1..length).map(|at| {
            // No piece repeats the name so far.
            json!([call(
                json!({"index": 0}),
                if at % 2 == 0 { "c" } else { "b" },
                ""
            )])
        }));
        let mut decoder = Decoder::new(max, vec![1]);
        let mut tape = Tape::new();
        let mut sink = |_: Event<'_>| Ok(());
        let mut found = End::Complete;
        for record in calling(&lists).split_terminator("\n\n") {
            let data = record.strip_prefix("data: ").unwrap().as_bytes();
            if decoder.decode(b"", data, &mut tape, &mut sink).is_err() {
                found = End::Truncated;
                break;
            }
        }
        assert_eq!(found, end, "{length}");
    }
}
