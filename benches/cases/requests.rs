//! Requests into the other wire.

use std::hint::black_box;

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::provider::{anthropic, openai};
use ringway::translate::models::ModelTable;
use ringway::translate::request::translate;
use ringway::translate::request_context::{Hints, RequestContext};
use ringway::wire::kind::{Dialect, Wire};

use super::bodies::chat;
use super::case::Case;

const THINKING_LOOP: &[u8] =
    include_bytes!("../../tests/fixtures/openai/requests/thinking-loop.json");
const CODING_CLIENT: &[u8] =
    include_bytes!("../../tests/fixtures/anthropic/requests/coding-client.json");

pub(crate) fn cases() -> Vec<Case> {
    let agent = chat(240, r#""And now?""#);
    // The same conversation as a client of the other wire has it.
    let mut other = Vec::new();
    run(&agent, &TO_ANTHROPIC, &mut Tape::new(), &mut other);
    vec![
        case("request/openai-thinking-loop", THINKING_LOOP, &TO_ANTHROPIC),
        case("request/openai-100k", &agent, &TO_ANTHROPIC),
        case("request/anthropic-coding-client", CODING_CLIENT, &TO_OPENAI),
        case("request/anthropic-100k", &other, &TO_OPENAI),
    ]
}

struct Way {
    from: Wire,
    to: Wire,
    dialect: fn() -> Dialect,
    model: &'static str,
}

const TO_ANTHROPIC: Way = Way {
    from: Wire::OpenAiChat,
    to: Wire::AnthropicMessages,
    dialect: anthropic::KIND.dialect,
    model: "claude-sonnet-4-5",
};

const TO_OPENAI: Way = Way {
    from: Wire::AnthropicMessages,
    to: Wire::OpenAiChat,
    dialect: openai::KIND.dialect,
    model: "gpt-5-mini",
};

fn case(name: &str, body: &[u8], way: &'static Way) -> Case {
    let body = body.to_vec();
    let mut tape = Tape::new();
    let mut out = Vec::with_capacity(2 * body.len());
    Case::piece(name, body.len(), move || {
        out.clear();
        run(&body, way, &mut tape, &mut out);
    })
}

fn run(body: &[u8], way: &Way, tape: &mut Tape, out: &mut Vec<u8>) {
    let models = ModelTable::builtin();
    let limits = Limits::default();
    let context = RequestContext {
        from: way.from,
        to: way.to,
        dialect: &(way.dialect)(),
        model: way.model,
        facts: models.facts(way.model),
        hints: Hints::default(),
        limits: &limits,
        created: 1,
        seed: 2,
    };
    let translated = translate(black_box(body), tape, &context, out).expect("can be said");
    assert!(out.ends_with(b"}") && out.len() > body.len() / 2);
    black_box(translated);
}
