//! What holds for every body: no panic, valid output of bounded size, nothing lost that both wires
//! can say.

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::response;
use ringway::wire::kind::{Dialect, Wire};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::golden::fixtures;
use crate::recorded;
use crate::support::{Out, Run, json};

fn run(from: Wire, model: &'static str) -> Run<'static> {
    match from {
        Wire::OpenAiChat => Run::to_anthropic(model),
        Wire::AnthropicMessages => Run::to_openai(model),
    }
}

/// Fixtures of both wires.
fn bodies() -> Vec<(Wire, Vec<u8>)> {
    let of = |wire: Wire, name: &str| {
        let read = move |path| (wire, std::fs::read(path).unwrap());
        fixtures(name).into_iter().map(read).collect::<Vec<_>>()
    };
    let mut all = of(Wire::OpenAiChat, "openai");
    all.extend(of(Wire::AnthropicMessages, "anthropic"));
    all
}

/// Whatever comes: a refusal, or JSON of bounded size. The judge reads no strings: lone surrogate
/// escapes are passed as they came.
fn survive(from: Wire, body: &[u8]) {
    for model in ["claude-opus-5", "claude-sonnet-4-20250514", "gpt-4o"] {
        if let Ok((bytes, _)) = run(from, model).bytes(body) {
            serde_json::from_slice::<&RawValue>(&bytes)
                .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(body)));
            assert!(bytes.len() <= 8 * body.len() + 4096);
        }
    }
}

#[test]
fn bodies_cut_anywhere_are_refused() {
    for (from, body) in bodies() {
        let whole = body.trim_ascii_end().len();
        for end in 0..whole {
            assert!(run(from, "claude-opus-5").bytes(&body[..end]).is_err());
        }
    }
}

#[test]
fn bodies_with_values_swapped_never_panic() {
    let values = [
        "null",
        "true",
        "0",
        "-1",
        "1e400",
        r#""""#,
        r#""\ud83d""#,
        "[]",
        "{}",
        "[null]",
        r#"[{"type":"text"}]"#,
        r#"{"type":"x"}"#,
    ];
    for (from, body) in bodies() {
        let document: Value = serde_json::from_slice(&body).unwrap();
        let places = places(&document);
        for place in &places {
            for value in values {
                // 1e400 has no form in the judge's own numbers: swapped in as text.
                let mut changed = document.clone();
                *changed.pointer_mut(place).unwrap() = Value::String("@@".into());
                let text = changed.to_string().replace(r#""@@""#, value);
                survive(from, text.as_bytes());
            }
        }
    }
}

#[test]
fn bodies_with_bytes_changed_never_panic() {
    // A fixed sequence: the same bytes on every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (from, body) in bodies() {
        for _ in 0..1500 {
            let mut changed = body.clone();
            for _ in 0..=next() % 3 {
                let at = usize::try_from(next()).unwrap() % changed.len();
                match next() % 3 {
                    0 => changed[at] = br#"{}[]",:0nt\"#[usize::try_from(next()).unwrap() % 11],
                    1 => drop(changed.remove(at)),
                    _ => {
                        let end = (at + 40).min(changed.len());
                        let piece = changed[at..end].to_vec();
                        changed.splice(at..at, piece);
                    }
                }
            }
            survive(from, &changed);
        }
    }
}

#[test]
fn recorded_bodies_of_the_wrong_wire_never_panic() {
    for (_, wire, body) in recorded::requests() {
        let other = match wire {
            Wire::OpenAiChat => Wire::AnthropicMessages,
            Wire::AnthropicMessages => Wire::OpenAiChat,
        };
        survive(other, body.as_bytes());
    }
}

#[test]
fn m5_p16_numbers_keep_their_digits() {
    let body = r#"{"model":"m","max_tokens":9,"temperature":0.10000000000000001,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"id\":12345678901234567890123,\"x\":1e400}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","const":1e400}}}]}"#;
    let (bytes, _) = Run::to_anthropic("claude-sonnet-4-20250514")
        .bytes(body.as_bytes())
        .unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for digits in [
        "0.10000000000000001",
        r#"{"id":12345678901234567890123,"x":1e400}"#,
        r#""const":1e400"#,
    ] {
        assert!(text.contains(digits), "{digits}: {text}");
    }
}

#[test]
fn m3_large_images_are_copied_and_not_decoded() {
    let data = "A".repeat(5_000_000);
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
    );
    let (bytes, _) = Run::to_anthropic("claude-opus-5")
        .bytes(body.as_bytes())
        .unwrap();
    assert!(bytes.len() < body.len() + 200);
}

#[test]
fn what_both_wires_can_say_survives_the_round_trip() {
    let body = r#"{"model":"gpt-4o","max_completion_tokens":64,"temperature":0.5,"top_p":0.5,"stop":["x"],
        "messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}]},
          {"role":"assistant","content":"A","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\": [1, 2.50]}"}}]},
          {"role":"tool","tool_call_id":"call_1","content":"r"},{"role":"assistant","content":"B"},{"role":"user","content":"c"}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"a":{"type":"array"}}}}}],
        "tool_choice":"required","parallel_tool_calls":false,"user":"u1","service_tier":"default"}"#;
    let there = Run::to_anthropic("claude-sonnet-4-20250514").ok(body);
    assert_eq!(there.notes, "");
    let mut back = Run::to_openai("gpt-4o");
    back.dialect = Dialect {
        safety_identifier: false,
        ..Dialect::default()
    };
    let back: Out = back.ok(&String::from_utf8(there.bytes).unwrap());
    assert_eq!(back.notes, "");
    assert_eq!(back.json, json(body));
}

/// Pointers to every value of a document but the whole.
fn places(value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    walk(value, String::new(), &mut out);
    out
}

fn walk(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                walk(
                    inner,
                    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    out,
                );
            }
        }
        Value::Array(list) => {
            for (index, inner) in list.iter().enumerate() {
                walk(inner, format!("{at}/{index}"), out);
            }
        }
        _ => {}
    }
    if !at.is_empty() {
        out.push(at);
    }
}

/// Members, tools and names without number: as many as bodies may hold. Work by the square of them
/// would take minutes, so that the end of this test is an assertion.
#[test]
fn p30_work_grows_with_the_body_and_not_with_its_square() {
    const COUNT: usize = 20_000;
    let list = |count: usize, one: &dyn Fn(usize) -> String| {
        let all: Vec<String> = (0..count).map(one).collect();
        all.join(",")
    };
    let members = list(8 * COUNT, &|at| format!(r#""m{at}":1"#));
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x",{members}}}]}}"#);
    let (_, translated) = Run::to_anthropic("claude-opus-5")
        .bytes(body.as_bytes())
        .unwrap();
    assert!(!translated.notes.is_empty());

    let tools = list(COUNT, &|at| {
        format!(r#"{{"type":"function","function":{{"name":"a.{at}","parameters":{{}}}}}}"#)
    });
    let names = list(COUNT, &|at| {
        format!(r#"{{"type":"function","function":{{"name":"a.{at}"}}}}"#)
    });
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"tools":[{tools}],"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{names}]}}}}}}"#
    );
    let (_, translated) = Run::to_anthropic("claude-opus-5")
        .bytes(body.as_bytes())
        .unwrap();
    assert_eq!(translated.answer.tool_names.len(), COUNT);

    // And their names in an answer.
    let context = translated.answer;
    let calls = list(COUNT, &|at| {
        format!(r#"{{"type":"tool_use","id":"t{at}","name":"b{at}","input":{{}}}}"#)
    });
    let body = format!(
        r#"{{"id":"i","type":"message","role":"assistant","model":"m","content":[{calls}],"stop_reason":"tool_use"}}"#
    );
    let wires = (Wire::AnthropicMessages, Wire::OpenAiChat);
    let (limits, mut out) = (Limits::default(), Vec::new());
    response::translate(
        wires,
        body.as_bytes(),
        &context,
        &mut Tape::new(),
        &limits,
        &mut out,
    )
    .unwrap();
    assert_eq!(
        memchr::memmem::find_iter(&out, br#""type":"function""#).count(),
        COUNT
    );
}
