//! Edits on the bytes equal the same edits on the document taken apart; every source that is not
//! edited stays byte for byte.

use ringway::json::rewrite::{EditPiece, Edits};
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::wire::codec::strip_reasoning;
use ringway::wire::common::reasoning_history::REASONING;
use ringway::wire::kind::Wire;
use ringway::wire::peek::body::peek;
use ringway::wire::peek::edits::{Overrides, edits_for};
use ringway::wire::peek::routed_members::OWN;

use crate::{json, recipe};

/// A request's body, as a route edits it, and its history without reasoning.
pub fn check(input: &[u8]) {
    let body = recipe::request(input);
    for wire in recipe::WIRES {
        route(&body, wire);
        history(&body, wire);
    }
}

const MODEL: &str = "a/\"b\n";

fn route(body: &[u8], wire: Wire) {
    let limits = Limits::default();
    let Ok(found) = peek(body, wire, &limits) else {
        return;
    };
    let overrides = Overrides {
        model: Some(MODEL),
        inject_usage: true,
    };
    let out = applied(body, &edits_for(&found, &overrides));
    assert!(peek(&out, wire, &limits).is_ok_and(|again| again.model(&out).is(MODEL)));
    let read = |text| json::members(text).expect("an edited body is an object");
    assert_eq!(owned(read(&out)), routed(read(body)));

    let nothing = edits_for(&found, &Overrides::default());
    assert!(!nothing.is_empty() || applied(body, &nothing) == body);
}

type Members = Vec<(String, String)>;

/// The edits of [`route`] on the members.
fn routed(members: Vec<(&str, &str)>) -> Members {
    let is = |name: &str, what: &str| json::text(name).as_deref() == Some(what);
    let streams = json::all(&members, "stream") == ["true"];
    let mut members = owned(members);
    members.retain(|(name, _)| !OWN.iter().any(|own| is(name, own.name())));
    for (name, value) in &mut members {
        if is(name, "model") {
            *value = serde_json::to_string(MODEL).expect("a string has a form in JSON");
        }
    }
    if !streams {
        return members;
    }
    let ask = r#"{"include_usage":true}"#;
    match members
        .iter_mut()
        .find(|(name, _)| is(name, "stream_options"))
    {
        None => members.push(("\"stream_options\"".into(), ask.into())),
        Some((_, value)) if value == "null" => *value = ask.into(),
        Some((_, value)) => {
            if let Some(options) = json::members(value.as_bytes()) {
                *value = asking(value, &options);
            }
        }
    }
    members
}

/// The source of `stream_options` with usage asked for.
fn asking(source: &str, options: &[(&str, &str)]) -> String {
    match json::all(options, "include_usage")[..] {
        [] if options.is_empty() => source.replacen('{', r#"{"include_usage":true"#, 1),
        [] => {
            // Behind the last value, before the blanks in front of the brace.
            let end = source[..source.len() - 1]
                .trim_end_matches([' ', '\t', '\n', '\r'])
                .len();
            format!(
                r#"{},"include_usage":true{}"#,
                &source[..end],
                &source[end..]
            )
        }
        [one] if one != "true" => {
            let at = one.as_ptr().addr() - source.as_ptr().addr();
            format!("{}true{}", &source[..at], &source[at + one.len()..])
        }
        _ => source.to_owned(),
    }
}

fn history(body: &[u8], wire: Wire) {
    let Ok(edits) = strip_reasoning(wire, body, &mut Tape::new(), &Limits::default()) else {
        return;
    };
    let out = applied(body, &edits);
    assert_eq!(json::is_json(&out), json::is_json(body));
    let (Some(before), Some(after)) = (json::members(body), json::members(&out)) else {
        return assert_eq!(out, body);
    };
    assert_eq!(before.len(), after.len());
    for ((name, before), (same, after)) in before.iter().zip(&after) {
        assert_eq!(name, same);
        let lists = (
            json::elements(before.as_bytes()),
            json::elements(after.as_bytes()),
        );
        let (Some(before), Some(after), true) = (lists.0, lists.1, is(name, "messages")) else {
            assert_eq!(before, after);
            continue;
        };
        match wire {
            Wire::OpenAiChat => {
                let expected: Vec<_> = before.iter().map(|it| without_reasoning(it)).collect();
                let found: Vec<_> = after.iter().map(|it| apart(it)).collect();
                assert_eq!(found, expected);
            }
            Wire::AnthropicMessages => assert!(after.len() <= before.len()),
        }
    }
    let again = strip_reasoning(wire, &out, &mut Tape::new(), &Limits::default());
    assert!(again.is_ok_and(|again| again.is_empty() || wire == Wire::AnthropicMessages));
}

/// A message: its members, or its source if it has none.
fn apart(message: &str) -> Result<Members, String> {
    json::members(message.as_bytes())
        .map(owned)
        .ok_or_else(|| message.to_owned())
}

fn without_reasoning(message: &str) -> Result<Members, String> {
    let mut members = apart(message)?;
    let roles: Vec<_> = members
        .iter()
        .filter(|(name, _)| is(name, "role"))
        .collect();
    if roles.last().is_some_and(|(_, role)| is(role, "assistant")) {
        members.retain(|(name, _)| !REASONING.iter().any(|it| is(name, it)));
    }
    Ok(members)
}

fn is(source: &str, text: &str) -> bool {
    json::text(source).as_deref() == Some(text)
}

fn owned(members: Vec<(&str, &str)>) -> Members {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The body after `edits`, its pieces of the source in their order.
fn applied(body: &[u8], edits: &Edits) -> Vec<u8> {
    let mut out = Vec::new();
    edits.apply(body, &mut out);
    assert_eq!(out.len(), edits.len_after(body.len()));
    let mut behind = 0;
    for piece in edits.pieces(body.len()) {
        if let EditPiece::Source(span) = piece {
            assert!(behind <= span.start && span.start < span.end && span.end <= body.len());
            behind = span.end;
        }
    }
    out
}
