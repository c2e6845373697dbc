//! Calls that come in pieces: which piece belongs to which call, and what is held until it is known.

use ringway::chat::event::StreamFault;
use ringway::chat::usage::End;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::stream::StreamTranslator;
use ringway::wire::kind::Wire::{AnthropicMessages as A, OpenAiChat as O};

use crate::support::{context, tap_pieces};

#[test]
fn calls_of_a_server_without_ids_that_repeats_each_name_stay_apart() {
    let call = |text: &str| {
        let text = text.replace('"', "\\\"");
        format!(
            r#"data: {{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"function":{{"name":"f","arguments":"{text}"}}}}]}}}}]}}"#
        ) + "\n\n"
    };
    // The second call looks like the frame before it, its arguments apart.
    let body: String = [r#"{"a""#, ":1}", r#"{"a":2}"#, r#"{"a":3}"#]
        .map(call)
        .concat();
    let finish = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    let mut translator = StreamTranslator::new(O, A, AnswerContext::default(), 1 << 20);
    let mut out = Vec::new();
    translator.push([&body, finish].concat().as_bytes(), &mut out);
    assert_eq!(translator.end(), End::Complete);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("content_block_start").count(), 2 * 3, "{text}");
}

#[test]
fn members_of_chunks_have_one_reading_however_they_are_spelled() {
    let chunk = r#"data: {"id":"A1","choices":[{"index":0,"delta":{"content":"Hello"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    let finish = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let plain = format!("{chunk}\n\n{finish}\n\ndata: [DONE]\n\n");
    for (name, spelled) in [
        ("content", r"\u0063ontent"),
        ("choices", r"choice\u0073"),
        ("usage", r"u\u0073age"),
        ("id", r"\u0069d"),
        ("delta", r"d\u0065lta"),
    ] {
        let body = plain.replace(&format!("\"{name}\""), &format!("\"{spelled}\""));
        let mut translator = StreamTranslator::new(O, A, context(), 1 << 20);
        let mut out = Vec::new();
        translator.push(body.as_bytes(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains(r#""text":"Hello""#), "{name}: {text}");
        assert!(text.contains("msg_A1"), "{name}: {text}");
        assert_eq!(translator.usage().output, Some(4), "{name}");
        assert_eq!(
            tap_pieces(O, &[body.as_bytes()], true).0.usage().output,
            Some(4),
            "{name}"
        );
    }
}

#[test]
fn calls_without_a_name_break_the_stream_of_either_wire() {
    for name in ["", r#","name":"""#, r#","name":null"#] {
        let body = format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\"id\":\"m\",\"model\":\"c\"}}}}\n\n\
             event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t\"{name},\"input\":{{}}}}}}\n\n"
        );
        let mut translator = StreamTranslator::new(A, O, context(), 1 << 20);
        let mut out = Vec::new();
        assert_eq!(
            translator.push(body.as_bytes(), &mut out).end,
            End::Truncated
        );
        assert_eq!(translator.fault(), Some(StreamFault::Nameless));
    }
}

#[test]
fn signature_behind_the_start_of_a_name_stays_with_its_call() {
    let piece = |name: &str, more: &str| {
        format!(
            r#"data: {{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"name":"{name}"}}{more}}}]}}}}]}}"#
        ) + "\n\n"
    };
    let signed = r#","extra_content":{"google":{"thought_signature":"c2ln"}}"#;
    let done = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    let run = |first: String, second: String| {
        // A name that is no tool of the request waits for the rest of it.
        let context = AnswerContext {
            whole_names: vec![1],
            ..context()
        };
        let mut translator = StreamTranslator::new(O, A, context, 1 << 20);
        let mut out = Vec::new();
        translator.push(
            [first, second, done.to_owned()].concat().as_bytes(),
            &mut out,
        );
        String::from_utf8(out).unwrap()
    };
    let first = run(piece("get_", signed), piece("time", ""));
    assert!(first.contains("__thought__"), "{first}");
    assert_eq!(run(piece("get_", ""), piece("time", signed)), first);
}

#[test]
fn everything_that_a_translation_holds_back_is_counted_and_bounded_together() {
    // Calls without names, each below the bound.
    let mut translator = StreamTranslator::new(O, A, context(), 1 << 20);
    let mut out = Vec::new();
    let fragment = "x".repeat(200_000);
    let mut end = End::Open;
    for index in 0..5 {
        assert_eq!(end, End::Open, "{index}");
        let frame = format!(
            r#"data: {{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"function":{{"arguments":"{fragment}"}}}}]}}}}]}}"#
        ) + "\n\n";
        end = translator.push(frame.as_bytes(), &mut out).end;
        assert!(translator.held_bytes() >= (index + 1) * fragment.len());
    }
    let frame = r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":9,"function":{"arguments":"FRAGMENT"}}]}}]}"#;
    let frame = frame.replace("FRAGMENT", &fragment) + "\n\n";
    assert_eq!(
        translator.push(frame.as_bytes(), &mut out).end,
        End::Truncated
    );
    assert_eq!(translator.fault(), Some(StreamFault::TooLarge));
}

#[test]
fn name_in_a_hundred_thousand_pieces_is_one_name() {
    let mut translator = StreamTranslator::new(
        O,
        A,
        AnswerContext {
            whole_names: vec![1],
            ..context()
        },
        1 << 20,
    );
    let mut out = Vec::new();
    for number in 0..100_000 {
        let letter = char::from(b'a' + (number % 2) as u8);
        let frame = format!(
            r#"data: {{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"function":{{"name":"{letter}"}}}}]}}}}]}}"#
        ) + "\n\n";
        translator.push(frame.as_bytes(), &mut out);
    }
    translator.push(
        b"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n",
        &mut out,
    );
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&"ab".repeat(50_000)), "{} bytes", text.len());
}
