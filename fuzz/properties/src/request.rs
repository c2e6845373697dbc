//! Translated requests: valid bodies of the other wire, of bounded size, the same each time, or a
//! refusal and nothing written.

use ringway::chat::rejection::Rejection;
use ringway::json::tape::Tape;
use ringway::limits::{Limits, NOTES_MAX};
use ringway::translate::count::estimate;
use ringway::translate::models::ModelTable;
use ringway::translate::request::{Translated, translate};
use ringway::translate::request_context::{Hints, RequestContext};
use ringway::wire::kind::{Dialect, Wire};
use ringway::wire::peek::body::peek;

use ringway::translate::notes::Notes;
use serde_json::Value;

use crate::stream_judge::other;
use crate::{json, pieces, recipe};

/// A request's body, towards several models and dialects.
pub fn check(input: &[u8]) {
    for (from, body) in recipe::requests(input) {
        for setting in pieces::settings(input, 2 * MODELS.len() + 1) {
            towards(setting, &body, from);
        }
        let tokens = estimate(&body, &mut Tape::new(), &Limits::default());
        assert!(tokens.is_err() || json::is_json(&body));
    }
}

const MODELS: [&str; 4] = [
    "claude-opus-5",
    "claude-sonnet-4-20250514",
    "gpt-4o",
    "unknown/\u{e9}",
];

/// Every model with the usual settings and with the odd ones; behind them the strict one.
fn towards(setting: usize, body: &[u8], from: Wire) {
    let plain = Hints::default();
    let odd = Hints {
        reasoning: Some(b"thinking_blocks"),
        auto_cache: true,
        ..plain
    };
    let strict = Hints {
        strict: true,
        ..plain
    };
    match (MODELS.get(setting / 2), setting % 2) {
        (Some(model), 0) => one(body, from, model, &Dialect::default(), plain),
        (Some(model), _) => one(body, from, model, &odd_dialect(), odd),
        (None, _) => one(
            body,
            from,
            "claude-haiku-4-5",
            &Dialect::compatible(),
            strict,
        ),
    }
}

fn context<'c>(
    from: Wire,
    (model, table): (&'c str, &'c ModelTable),
    dialect: &'c Dialect,
    hints: Hints<'c>,
    limits: &'c Limits,
) -> RequestContext<'c> {
    RequestContext {
        from,
        to: other(from),
        dialect,
        model,
        facts: table.facts(model),
        hints,
        limits,
        created: 1,
        seed: 2,
    }
}

/// What a translation tells, and what it appended to an empty buffer.
pub fn translated(
    body: &[u8],
    from: Wire,
    model: &str,
    dialect: &Dialect,
    hints: Hints<'_>,
) -> (Result<Translated, Rejection>, Vec<u8>) {
    let (table, limits) = (ModelTable::builtin(), Limits::default());
    let context = context(from, (model, &table), dialect, hints, &limits);
    let mut out = Vec::new();
    let told = translate(body, &mut Tape::new(), &context, &mut out);
    (told, out)
}

fn one(body: &[u8], from: Wire, model: &str, dialect: &Dialect, hints: Hints<'_>) {
    let (table, limits) = (ModelTable::builtin(), Limits::default());
    let context = context(from, (model, &table), dialect, hints, &limits);
    let run = || {
        let mut out = b"before".to_vec();
        let told = translate(body, &mut Tape::new(), &context, &mut out);
        (told.map(|told| (told.notes, told.answer, told.beta)), out)
    };
    let (told, out) = run();
    assert_eq!(run().1, out, "the same input gives the same bytes");
    let out = out.strip_prefix(b"before").expect("a body is appended");
    let Ok((notes, _, beta)) = told else {
        assert!(out.is_empty(), "a refusal writes nothing");
        return;
    };
    assert!(!hints.strict || notes.loss().is_none());
    let is_header = |text: &str| text.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7F));
    assert!(is_header(&notes.header()) && beta.is_none_or(|beta| is_header(&beta)));
    assert!(json::is_json(out), "{}", out.escape_ascii());
    assert!(notes.count() <= NOTES_MAX + 2 && notes.header().len() <= 4096);
    loses_nothing_unnoted(body, out, other(from), &notes);
    assert!(
        out.len() <= 8 * body.len() + 4096,
        "{} from {}",
        out.len(),
        body.len()
    );
    match peek(out, other(from), &limits) {
        Ok(found) => assert_eq!(found.model(out).decode(), model),
        Err(fault) => panic!("{fault}: {}", out.escape_ascii()),
    }
}

/// Calls, results, pictures and marks of a request stand in its translation, unless the notes name a
/// loss; and never are there more marks than the Anthropic wire takes.
fn loses_nothing_unnoted(body: &[u8], out: &[u8], to: Wire, notes: &Notes) {
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    let (Some(before), Some(after)) = (read(body), read(out)) else {
        return;
    };
    let (before, after) = (Parts::of(&before), Parts::of(&after));
    if to == Wire::AnthropicMessages {
        assert!(after.marks <= 4, "{} marks", after.marks);
    }
    assert_eq!(before.calls, after.calls);
    assert_eq!(before.results, after.results);
    let header = notes.header();
    let noted = |names: &[&str]| names.iter().any(|name| header.contains(name));
    if !noted(&["image", "others", "file"]) {
        assert!(
            before.images <= after.images,
            "{header}: {before:?} {after:?}"
        );
    }
    if !noted(&[
        "cache_control",
        "others",
        "image",
        "file",
        "document",
        "messages",
        "system",
    ]) {
        assert!(
            before.marks <= after.marks,
            "{header}: {before:?} {after:?} {}",
            body.escape_ascii()
        );
    }
}

fn is_attribution(block: &serde_json::Map<String, Value>) -> bool {
    let text = block.get("text").and_then(Value::as_str);
    text.is_some_and(|text| text.starts_with("x-anthropic-billing-header:"))
}

/// Whether this is a part with a picture, of either wire; one whose bytes are a PDF is a document.
fn is_picture(part: &serde_json::Map<String, Value>) -> bool {
    let is = |kind: &str| part.get("type").is_some_and(|it| it == kind);
    let of_openai = part.get("image_url").filter(|_| is("image_url"));
    let of_anthropic = part.get("source").filter(|_| is("image"));
    let is_pdf = |source: &Value| {
        let address = source.as_str().or_else(|| source["url"].as_str());
        address.is_some_and(|it| it.starts_with("data:application/pdf"))
    };
    match of_openai.or(of_anthropic) {
        Some(source) => !is_pdf(source),
        None => is("image"),
    }
}

/// What is counted of the messages of a request.
#[derive(Debug, Default)]
struct Parts {
    calls: usize,
    results: usize,
    images: usize,
    marks: usize,
}

impl Parts {
    fn of(body: &Value) -> Self {
        let mut parts = Self::default();
        for name in ["system", "messages"] {
            parts.add(&body[name]);
        }
        parts
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Array(list) => list.iter().for_each(|value| self.add(value)),
            // A client's attribution line is nothing of the request's.
            Value::Object(members) if is_attribution(members) => {}
            Value::Object(members) => {
                let is = |name: &str, text: &str| members.get(name).is_some_and(|it| it == text);
                self.results += usize::from(
                    is("role", "tool") || is("role", "function") || is("type", "tool_result"),
                );
                self.images += usize::from(is_picture(members));
                let calls = members.get("tool_calls").and_then(Value::as_array);
                let old = members.get("function_call").is_some_and(Value::is_object);
                let one = usize::from(is("type", "tool_use") || old);
                self.calls += calls.map_or(0, Vec::len) + one;
                // A block of thinking can have none, and takes it along where it goes.
                let thinks = is("type", "thinking") || is("type", "redacted_thinking");
                let mark = members.get("cache_control").filter(|_| !thinks);
                self.marks += usize::from(mark.is_some_and(|mark| !mark.is_null()));
                let marks = self.marks;
                // A text part has no parts, whatever member it has of that name.
                let inner = ["content", "source"].into_iter();
                inner
                    .filter(|_| !is("type", "text"))
                    .filter_map(|name| members.get(name))
                    .for_each(|inner| self.add(inner));
                if is("role", "tool") || is("role", "function") {
                    // Marks within a result are one on the result.
                    self.marks = self.marks.min(marks + 1);
                }
            }
            _ => {}
        }
    }
}

/// A service that differs from the defaults in everything.
fn odd_dialect() -> Dialect {
    Dialect {
        max_completion_tokens: false,
        developer_role: true,
        late_system: false,
        user_after_tool: false,
        assistant_prefix: true,
        array_content: false,
        files: false,
        images: false,
        images_in_tool_messages: true,
        strips_reasoning: true,
        reasoning_content_back: true,
        reasoning_details_back: true,
        thought_signatures: true,
        cache_control: true,
        stream_usage: false,
        top_k: true,
        reasoning_effort: false,
        web_search_options: true,
        json_schema: false,
        safety_identifier: false,
        repeated_roles: false,
        tool_id_bytes_max: 9,
        stop_max: 1,
        url_sources: false,
        tool_choice_any: true,
    }
}
