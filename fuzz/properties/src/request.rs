//! Translated requests: valid bodies of the other wire, of bounded size, the same each time, or a
//! refusal and nothing written.

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::count::estimate;
use ringway::translate::models::ModelTable;
use ringway::translate::request::translate;
use ringway::translate::setting::{Hints, RequestContext};
use ringway::wire::kind::{Dialect, Wire};
use ringway::wire::peek::peek;

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

fn one(body: &[u8], from: Wire, model: &str, dialect: &Dialect, hints: Hints<'_>) {
    let (table, limits) = (ModelTable::builtin(), Limits::default());
    let context = RequestContext {
        from,
        to: other(from),
        dialect,
        model,
        facts: table.facts(model),
        hints,
        limits: &limits,
        created: 1,
        seed: 2,
    };
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
