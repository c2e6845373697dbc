//! Whole answers: translated, and read for their usage on the way of their own wire.

use std::hint::black_box;

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::answer_context::AnswerContext;
use ringway::translate::response::translate;
use ringway::translate::tap::{self, Whole};
use ringway::wire::kind::Wire;

use super::case::Case;
use super::shapes::WORDS;
use super::streams::other;

const OPENAI_TEXT: &str = include_str!("../../tests/fixtures/openai/answers/text.json");
const OPENAI_TOOLS: &str = include_str!("../../tests/fixtures/openai/answers/tools.json");
const ANTHROPIC_TEXT: &str = include_str!("../../tests/fixtures/anthropic/answers/text.json");
const ANTHROPIC_TOOLS: &str = include_str!("../../tests/fixtures/anthropic/answers/tools.json");

pub(crate) fn cases() -> Vec<Case> {
    let (openai, anthropic) = (Wire::OpenAiChat, Wire::AnthropicMessages);
    let text = WORDS.concat().repeat(80);
    let openai_long = OPENAI_TEXT.replacen(r#""content": ""#, &format!(r#""content": "{text}"#), 1);
    let anthropic_long = ANTHROPIC_TEXT.replacen(r#""text": ""#, &format!(r#""text": "{text}"#), 1);
    let answers = [
        ("openai-text", openai, OPENAI_TEXT),
        ("openai-tools", openai, OPENAI_TOOLS),
        ("openai-4k", openai, &openai_long),
        ("anthropic-text", anthropic, ANTHROPIC_TEXT),
        ("anthropic-tools", anthropic, ANTHROPIC_TOOLS),
        ("anthropic-4k", anthropic, &anthropic_long),
    ];
    let ways = answers.map(|(name, wire, body)| translated(name, wire, body));
    let reads = answers.map(|(name, wire, body)| read(name, wire, body));
    ways.into_iter().chain(reads).collect()
}

fn translated(name: &str, from: Wire, body: &str) -> Case {
    let body = body.as_bytes().to_vec();
    let (context, limits) = (AnswerContext::default(), Limits::default());
    let mut tape = Tape::new();
    let mut out = Vec::with_capacity(8192);
    Case::piece(format!("answer/{name}"), body.len(), move || {
        out.clear();
        let wires = (from, other(from));
        let body = black_box(&body);
        let facts = translate(wires, body, &context, &mut tape, &limits, &mut out);
        assert!(facts.expect("an answer").usage.is_known() && out.ends_with(b"}"));
    })
}

fn read(name: &str, wire: Wire, body: &str) -> Case {
    let body = body.as_bytes().to_vec();
    let mut tape = Tape::new();
    Case::piece(format!("usage/{name}"), body.len(), move || {
        let whole = tap::whole(wire, black_box(&body), &mut tape).expect("JSON");
        assert!(matches!(whole, Whole::Answer(facts) if facts.usage.is_known()));
    })
}
