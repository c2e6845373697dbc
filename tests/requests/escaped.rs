//! Strings that are spelt with escapes mean what they spell, in names and in values.

use serde_json::Value;

use crate::support::{Run, chat, messages};
use crate::{documented, recorded};

/// The document with the last character of every plain string in hexadecimal.
fn respelt(body: &str) -> String {
    let mut out = String::with_capacity(body.len() * 2);
    let mut rest = body;
    while let Some((before, string)) = rest.split_once('"') {
        let end = end_of(string);
        let (text, behind) = string.split_at(end);
        out.push_str(before);
        out.push('"');
        match text.chars().last() {
            Some(last) if last.is_ascii_alphanumeric() && !text.contains('\\') => {
                out.push_str(text.strip_suffix(last).unwrap());
                out.push_str(&format!("\\u{:04x}", u32::from(last)));
            }
            _ => out.push_str(text),
        }
        out.push('"');
        rest = behind.strip_prefix('"').unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Where the string that `text` stands in ends.
fn end_of(text: &str) -> usize {
    let mut escaped = false;
    let quote = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    });
    quote.unwrap()
}

/// The document with the arguments of calls, which hold the client's own spelling, as documents.
fn read(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let read_member = |(name, value): (String, Value)| match &value {
                Value::String(text) if name == "arguments" => {
                    (name, serde_json::from_str(text).unwrap_or(value))
                }
                _ => (name, read(value)),
            };
            members.into_iter().map(read_member).collect()
        }
        Value::Array(list) => list.into_iter().map(read).collect(),
        other => other,
    }
}

/// A body and its other spelling come to the same.
#[track_caller]
fn check(run: &Run<'_>, body: &str) {
    let other = respelt(body);
    let same: [Value; 2] = [body, &other].map(|it| serde_json::from_str(it).unwrap());
    assert_eq!(same[0], same[1]);
    match (run.run(body), run.run(&other)) {
        (Ok(plain), Ok(escaped)) => {
            assert_eq!(read(escaped.json), read(plain.json), "{other}");
            told(&plain.notes, &escaped.notes);
        }
        (Err(plain), Err(escaped)) => told(
            plain.param().unwrap_or_default(),
            escaped.param().unwrap_or_default(),
        ),
        (plain, escaped) => panic!("{plain:?}\n{escaped:?}\n{other}"),
    }
}

/// The same is told, but for names of the client's: those that are not plain have one word for all.
#[track_caller]
fn told(plain: &str, escaped: &str) {
    assert!(
        escaped == plain || escaped.contains("unknown"),
        "{plain:?} {escaped:?}"
    );
}

#[test]
fn documented_members_mean_the_same_in_escapes() {
    for row in documented::rows("## OpenAI client") {
        let model = if row.model.is_empty() {
            "claude-opus-4-6"
        } else {
            &row.model
        };
        check(&Run::to_anthropic(model), &chat(&row.example));
    }
    for row in documented::rows("## Anthropic client") {
        let model = if row.model.is_empty() {
            "gpt-5.1"
        } else {
            &row.model
        };
        check(&Run::to_openai(model), &messages(&row.example));
    }
}

#[test]
fn recorded_requests_mean_the_same_in_escapes() {
    for (_, wire, body) in recorded::requests() {
        for run in recorded::targets(wire) {
            check(&run, &body);
        }
    }
}
