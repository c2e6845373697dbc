//! Citations repeat a bounded part of an answer, however many there are and whatever they cover.

use std::fmt::Write as _;

use ringway::json::tape::Tape;
use ringway::limits::{CITED_ANSWER_BYTES_MAX, CITED_WORDS_BYTES_MAX, Limits};
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::response::{self, AnswerFault};
use ringway::translate::stream::StreamTranslator;
use ringway::wire::kind::Wire;
use serde_json::Value;

const WIRES: (Wire, Wire) = (Wire::OpenAiChat, Wire::AnthropicMessages);

/// Annotations with these character ranges.
fn annotations(ranges: impl Iterator<Item = (usize, usize)>) -> String {
    let mut list = String::from("[");
    for (start, end) in ranges {
        let comma = if list.len() > 1 { "," } else { "" };
        write!(
            list,
            r#"{comma}{{"type":"url_citation","url_citation":{{"url":"u","title":"t","start_index":{start},"end_index":{end}}}}}"#
        )
        .unwrap();
    }
    list.push(']');
    list
}

fn whole(text: &str, annotations: &str) -> String {
    format!(
        r#"{{"id":"1","model":"m","choices":[{{"index":0,"finish_reason":"stop","message":{{"role":"assistant","content":"{text}","annotations":{annotations}}}}}]}}"#
    )
}

fn translated(body: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (context, limits) = (AnswerContext::default(), Limits::default());
    response::translate(
        WIRES,
        body.as_bytes(),
        &context,
        &mut Tape::new(),
        &limits,
        &mut out,
    )
    .unwrap();
    out
}

fn cited(out: &[u8]) -> Vec<String> {
    let answer: Value = serde_json::from_slice(out).unwrap();
    let list = answer["content"][0]["citations"].as_array().unwrap();
    let words = |citation: &Value| citation["cited_text"].as_str().unwrap().to_owned();
    list.iter().map(words).collect()
}

#[test]
fn citations_of_the_whole_text_repeat_no_more_than_their_bounds() {
    let text = "x".repeat(100_000);
    let ranges = (0..4_000).map(|_| (0, text.len()));
    let out = translated(&whole(&text, &annotations(ranges)));
    let words = cited(&out);
    assert_eq!(words.len(), 4_000);
    assert_eq!(words[0].len(), CITED_WORDS_BYTES_MAX);
    let total: usize = words.iter().map(String::len).sum();
    assert_eq!(total, CITED_ANSWER_BYTES_MAX);
    assert_eq!(words[3_999], "");
}

#[test]
fn narrow_citations_of_a_long_text_are_found_in_one_walk() {
    // Counted from the start for each of them this would take hours.
    let text = "\u{e9}b".repeat(1_000_000);
    let ranges = (0..40_000).map(|number| (number * 50 + 1, number * 50 + 3));
    let words = cited(&translated(&whole(&text, &annotations(ranges))));
    assert_eq!(words.len(), 40_000);
    assert!(words.iter().all(|words| words == "b\u{e9}"));
}

#[test]
fn citations_of_a_stream_repeat_no_more_than_their_bounds() {
    let text = "Q".repeat(10_000);
    let mut translator = StreamTranslator::new(WIRES.0, WIRES.1, AnswerContext::default(), 1 << 20);
    let mut out = Vec::new();
    let frame = format!(
        "data: {{\"id\":\"1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
    );
    translator.push(frame.as_bytes(), &mut out);
    let ranges = (0..4_000).map(|_| (0, text.len()));
    let frame = format!(
        "data: {{\"id\":\"1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"annotations\":{}}}}}]}}\n\n",
        annotations(ranges)
    );
    let mut more = Vec::new();
    translator.push(frame.as_bytes(), &mut more);
    let text = String::from_utf8(more).unwrap();
    assert_eq!(text.matches("citations_delta").count(), 4_000);
    assert_eq!(text.matches('Q').count(), CITED_ANSWER_BYTES_MAX);
}

#[test]
fn answer_that_is_too_long_once_translated_is_a_fault_and_writes_nothing() {
    let ranges = (0..100).map(|_| (0, 1_000));
    let body = whole(&"x".repeat(1_000), &annotations(ranges));
    let full = translated(&body).len();
    for (bytes_max, expected) in [(full, Ok(())), (full / 2, Err(AnswerFault::TooLong))] {
        let limits = Limits {
            answer_bytes_max: bytes_max,
            ..Limits::default()
        };
        let mut out = b"before".to_vec();
        let told = response::translate(
            WIRES,
            body.as_bytes(),
            &AnswerContext::default(),
            &mut Tape::new(),
            &limits,
            &mut out,
        );
        assert_eq!(told.map(|_| ()), expected);
        assert_eq!(out == b"before", expected.is_err());
    }
}
