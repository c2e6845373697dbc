use super::Checker;
use crate::demo::meaning::{Delta, Meaning};
use crate::demo::reader::Record;

const USAGE: &str = r#"{"input_tokens":2,"cache_creation_input_tokens":0,
    "cache_read_input_tokens":1,"output_tokens":2,"output_tokens_details":{"thinking_tokens":1}}"#;

fn event(name: &str, members: &str) -> Record {
    let comma = if members.is_empty() { "" } else { "," };
    Record {
        event: Some(name.to_owned()),
        data: format!(r#"{{"type":"{name}"{comma}{members}}}"#),
    }
}

fn start(index: u32, block: &str) -> Record {
    let members = format!(r#""index":{index},"content_block":{{{block}}}"#);
    event("content_block_start", &members)
}

fn delta(index: u32, delta: &str) -> Record {
    let members = format!(r#""index":{index},"delta":{{{delta}}}"#);
    event("content_block_delta", &members)
}

fn stop(index: u32) -> Record {
    event("content_block_stop", &format!(r#""index":{index}"#))
}

fn message_start() -> Record {
    let members = format!(
        r#""message":{{"id":"m","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{USAGE}}}"#
    );
    event("message_start", &members)
}

fn message_delta() -> Record {
    let members = format!(r#""delta":{{"stop_reason":"tool_use"}},"usage":{USAGE}"#);
    event("message_delta", &members)
}

/// A right stream, to be spoiled.
fn right() -> Vec<Record> {
    vec![
        message_start(),
        start(0, r#""type":"thinking","thinking":"","signature":"""#),
        event("ping", ""),
        delta(0, r#""type":"thinking_delta","thinking":"hm""#),
        delta(0, r#""type":"signature_delta","signature":"s""#),
        stop(0),
        start(1, r#""type":"text","text":"""#),
        delta(1, r#""type":"text_delta","text":"\u00fc""#),
        stop(1),
        start(2, r#""type":"tool_use","id":"t","name":"f","input":{}"#),
        delta(2, r#""type":"input_json_delta","partial_json":"""#),
        delta(2, r#""type":"input_json_delta","partial_json":"{\"a\":1}""#),
        stop(2),
        start(3, r#""type":"tool_use","id":"u","name":"g","input":{}"#),
        stop(3),
        message_delta(),
        event("message_stop", ""),
    ]
}

fn read(stream: &[Record]) -> Result<(Vec<Delta>, Meaning), String> {
    let mut checker = Checker::default();
    let mut deltas = Vec::new();
    for record in stream {
        deltas.push(checker.record(record)?);
    }
    Ok((deltas, checker.finish()?))
}

#[test]
fn right_stream_is_gathered() {
    let (deltas, meaning) = read(&right()).unwrap();
    assert_eq!(deltas.iter().filter(|delta| delta.is_token()).count(), 3);
    assert_eq!(meaning.thinking, "hm");
    assert_eq!(meaning.signature, "s");
    assert_eq!(meaning.text, "ü");
    assert_eq!(meaning.calls[0].arguments, r#"{"a":1}"#);
    assert_eq!(meaning.calls[1].arguments, "{}");
    assert_eq!(meaning.counts.unwrap().input, 3);
}

#[test]
fn stream_cut_anywhere_is_not_whole() {
    let stream = right();
    for end in 0..stream.len() {
        let fault = read(&stream[..end]).unwrap_err();
        assert!(fault.contains("ended early"), "{end}: {fault}");
    }
}

#[test]
fn stream_without_any_one_event_is_found_wrong_or_means_less() {
    let stream = right();
    let (_, whole) = read(&stream).unwrap();
    for left_out in 0..stream.len() {
        let mut spoiled = stream.clone();
        let lost = spoiled.remove(left_out);
        let carries_nothing = lost.event.as_deref() == Some("ping") || left_out == 10;
        let same = read(&spoiled).is_ok_and(|(_, meaning)| meaning == whole);
        assert_eq!(same, carries_nothing, "without {left_out}");
    }
}

#[test]
fn events_against_the_grammar_are_named() {
    let cases: [(usize, Record, &str); 14] = [
        (0, event("message_stop", ""), "out of order"),
        (1, message_start(), "out of order"),
        (1, message_delta_with("odd"), "stop reason"),
        (1, start(1, r#""type":"text","text":"""#), "index"),
        (1, start(0, r#""type":"text","text":"a""#), "not empty"),
        (
            1,
            start(
                0,
                r#""type":"tool_use","id":"t","name":"f","input":{"a":1}"#,
            ),
            "empty input",
        ),
        (1, stop(0), "out of order"),
        (2, start(1, r#""type":"text","text":"""#), "out of order"),
        (
            2,
            delta(0, r#""type":"text_delta","text":"a""#),
            "text_delta in a block",
        ),
        (
            2,
            delta(1, r#""type":"thinking_delta","thinking":"a""#),
            "index",
        ),
        (
            5,
            delta(0, r#""type":"thinking_delta","thinking":"a""#),
            "Signed",
        ),
        (16, start(4, r#""type":"text","text":"""#), "out of order"),
        (17, event("ping", ""), "out of order"),
        (
            3,
            event("error", r#""error":{}"#),
            "an error within the stream",
        ),
    ];
    for (at, record, text) in cases {
        let mut stream = right()[..at].to_vec();
        stream.push(record.clone());
        let fault = read(&stream).unwrap_err();
        assert!(fault.contains(text), "{at} {record:?}: {fault}");
    }
}

fn message_delta_with(reason: &str) -> Record {
    let mut record = message_delta();
    record.data = record.data.replace("tool_use", reason);
    record
}

#[test]
fn records_without_or_with_another_event_name_are_refused() {
    let mut nameless = message_start();
    nameless.event = None;
    assert!(
        read(&[nameless])
            .unwrap_err()
            .contains("without an event name")
    );
    let mut other = message_start();
    other.event = Some("ping".to_owned());
    assert!(read(&[other]).unwrap_err().contains("another type"));
}
