use super::Checker;
use crate::demo::meaning::{Delta, Meaning};
use crate::demo::reader::Record;

/// A chunk with this choice.
fn chunk(choice: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{choice}]}}"#
    )
}

fn delta(members: &str) -> String {
    chunk(&format!(
        r#"{{"index":0,"delta":{{{members}}},"finish_reason":null}}"#
    ))
}

fn usage() -> String {
    let usage = r#","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,
        "prompt_tokens_details":{"cached_tokens":1},
        "completion_tokens_details":{"reasoning_tokens":1}}}"#;
    let open = chunk("");
    format!("{}{usage}", open.strip_suffix('}').unwrap())
}

/// A right stream, to be spoiled.
fn right() -> Vec<String> {
    vec![
        delta(r#""role":"assistant","content":"""#),
        delta(
            r#""reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]"#,
        ),
        delta(r#""reasoning_details":[{"type":"reasoning.text","signature":"s","index":0}]"#),
        delta(r#""content":"\u00fc","refusal":null"#),
        delta(
            r#""tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"f","arguments":""}}]"#,
        ),
        delta(r#""tool_calls":[{"index":0,"function":{"arguments":"{}"}}]"#),
        chunk(r#"{"index":0,"delta":{},"finish_reason":"tool_calls"}"#),
        usage(),
        "[DONE]".to_owned(),
    ]
}

fn read(stream: &[String]) -> Result<(Vec<Delta>, Meaning), String> {
    let mut checker = Checker::default();
    let mut deltas = Vec::new();
    for data in stream {
        let record = Record {
            event: None,
            data: data.clone(),
        };
        deltas.push(checker.record(&record)?);
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
    assert_eq!(meaning.calls[0].arguments, "{}");
    assert_eq!(meaning.counts.unwrap().cached, 1);
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
fn stream_without_any_one_chunk_is_found_wrong_or_means_less() {
    let stream = right();
    let (_, whole) = read(&stream).unwrap();
    for left_out in 0..stream.len() {
        let mut spoiled = stream.clone();
        spoiled.remove(left_out);
        let same = read(&spoiled).is_ok_and(|(_, meaning)| meaning == whole);
        assert!(!same, "without {left_out}");
    }
}

#[test]
fn stream_with_any_chunk_twice_is_found_wrong_or_means_more() {
    let stream = right();
    let (_, whole) = read(&stream).unwrap();
    for twice in 0..stream.len() {
        let mut spoiled = stream.clone();
        spoiled.insert(twice, stream[twice].clone());
        let same = read(&spoiled).is_ok_and(|(_, meaning)| meaning == whole);
        assert!(!same, "{twice} twice");
    }
}

#[test]
fn chunks_against_the_grammar_are_named() {
    let start = || right()[..1].to_vec();
    let cases = [
        (
            delta(r#""content":"a","reasoning_content":"b""#),
            "two ways",
        ),
        (delta(r#""role":"assistant""#), "role came twice"),
        (delta(r#""audio":{}"#), "audio"),
        (delta(r#""content":1"#), "no string"),
        (
            delta(r#""tool_calls":[{"index":1,"function":{"arguments":"x"}}]"#),
            "arguments for call 1",
        ),
        (
            delta(r#""content":"a""#).replace(r#""id":"c""#, r#""id":"d""#),
            "changed",
        ),
        (
            delta(r#""content":"a""#).replace(r#""created":1,"#, ""),
            "without created",
        ),
        (
            chunk(r#"{"index":1,"delta":{},"finish_reason":null}"#),
            "not asked for",
        ),
        (
            chunk(r#"{"index":0,"delta":{},"finish_reason":"eos"}"#),
            "finish reason",
        ),
        (
            chunk(r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#),
            "beside",
        ),
        (usage(), "out of order"),
        ("[DONE]".to_owned(), "out of order"),
        (
            r#"{"error":{"message":"no"}}"#.to_owned(),
            "an error within the stream",
        ),
        ("{".to_owned(), "no JSON"),
    ];
    for (data, text) in cases {
        let mut stream = start();
        stream.push(data.clone());
        let fault = read(&stream).unwrap_err();
        assert!(fault.contains(text), "{data}: {fault}");
    }
    let named = Record {
        event: Some("x".to_owned()),
        data: delta(""),
    };
    assert!(Checker::default().record(&named).is_err());
}
