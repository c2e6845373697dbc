//! Recorded exchanges of real providers through tap, strip and translator.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ringway::chat::usage::End;
use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::notes::Notes;
use ringway::translate::response::{self, AnswerFacts, AnswerFault};
use ringway::translate::tap::{self, Whole};
use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::meaning::{self, Meaning};
use crate::support::{context, other, strip_pieces, tap_pieces, translate_pieces};

struct Exchange {
    name: String,
    wire: Wire,
    complete: bool,
    stream: Option<Vec<u8>>,
    answer: Option<Vec<u8>>,
}

/// The successful answers of both wires; none where the folder is absent, which CI refuses.
#[expect(clippy::print_stdout, reason = "a test that was not run says so")]
fn exchanges() -> Vec<Exchange> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded");
    let folder = std::env::var_os("RINGWAY_RECORDED").map_or(beside, PathBuf::from);
    let Ok(entries) = fs::read_dir(&folder) else {
        let told = format!(
            "no recorded exchanges in {}: set RINGWAY_RECORDED",
            folder.display()
        );
        assert!(std::env::var_os("CI").is_none(), "{told}");
        println!("not run: {told}");
        return Vec::new();
    };
    let mut exchanges: Vec<Exchange> = entries
        .filter_map(|entry| exchange(&entry.unwrap().path()))
        .collect();
    exchanges.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(exchanges.len() > 200, "only {} exchanges", exchanges.len());
    exchanges
}

fn exchange(folder: &Path) -> Option<Exchange> {
    let meta = fs::read(folder.join("meta.json")).ok()?;
    let meta: Value = serde_json::from_slice(&meta).unwrap();
    let wire = match meta["api"].as_str()? {
        "chat" => Wire::OpenAiChat,
        "messages" => Wire::AnthropicMessages,
        _ => return None,
    };
    if meta["status"] != 200 {
        return None;
    }
    Some(Exchange {
        name: folder.file_name()?.to_string_lossy().into_owned(),
        wire,
        complete: meta["response"]["complete"] != false,
        stream: fs::read(folder.join("response.sse")).ok(),
        answer: fs::read(folder.join("response.json")).ok(),
    })
}

fn streams() -> impl Iterator<Item = (Exchange, Vec<u8>)> {
    exchanges().into_iter().filter_map(|mut exchange| {
        let body = exchange.stream.take()?;
        Some((exchange, body))
    })
}

fn chunks(body: &[u8], size: usize) -> Vec<&[u8]> {
    body.chunks(size).collect()
}

#[test]
fn recorded_streams_mean_the_same_before_and_after_translation() {
    for (exchange, body) in streams() {
        let before = meaning::of_stream(exchange.wire, &body);
        let out = translate_pieces(exchange.wire, context(), &[&body], true);
        let after = meaning::of_stream(other(exchange.wire), &out.bytes);
        if before.error.is_some() {
            assert_eq!(out.end, End::UpstreamError, "{}", exchange.name);
            assert_eq!(before.error, after.error, "{}", exchange.name);
            assert!(
                !after.terminated && after.stop.is_empty(),
                "{}",
                exchange.name
            );
            continue;
        }
        assert_eq!(out.end, End::Complete, "{}\n{}", exchange.name, out.text());
        assert!(after.terminated, "{}", exchange.name);
        let expected = Meaning {
            terminated: true,
            ..expected_after(before)
        };
        assert_eq!(after, expected, "{}", exchange.name);
    }
}

/// Counts that an upstream did not name stay unnamed or zero on the other side.
fn expected_after(mut before: Meaning) -> Meaning {
    before.usage = before.usage.or(Some((0, 0, 0, 0, None)));
    before
}

#[test]
fn recorded_streams_translate_the_same_in_pieces_of_any_size() {
    for (exchange, body) in streams() {
        let whole = translate_pieces(exchange.wire, context(), &[&body], true);
        for size in [1, 7, 64, 1000] {
            let pieces = translate_pieces(exchange.wire, context(), &chunks(&body, size), true);
            assert_eq!(pieces, whole, "{} in pieces of {size}", exchange.name);
        }
    }
}

#[test]
fn recorded_streams_pass_the_tap_with_their_usage_stop_and_end() {
    for (exchange, body) in streams() {
        let before = meaning::of_stream(exchange.wire, &body);
        let (whole_tap, whole) = tap_pieces(exchange.wire, &[&body], true);
        let end = if before.error.is_some() {
            End::UpstreamError
        } else {
            End::Complete
        };
        assert_eq!(whole.end, end, "{}", exchange.name);
        let usage = whole_tap.usage();
        let told = usage.is_known().then(|| {
            let count = |count: Option<u64>| count.unwrap_or(0);
            let (read, written) = (count(usage.cache_read), count(usage.cache_write));
            (
                usage.input_total(),
                read,
                written,
                count(usage.output),
                usage.reasoning,
            )
        });
        assert_eq!(told, before.usage, "{}", exchange.name);
        let translated = translate_pieces(exchange.wire, context(), &[&body], true);
        assert_eq!(whole.content, translated.content, "{}", exchange.name);
        assert_eq!(
            whole_tap.is_between_frames(),
            body.ends_with(b"\n\n") || body.ends_with(b"\r\n\r\n"),
            "{}",
            exchange.name
        );
        for size in [1, 7, 64, 1000] {
            let (tap, pieces) = tap_pieces(exchange.wire, &chunks(&body, size), true);
            assert_eq!(pieces, whole, "{} in pieces of {size}", exchange.name);
            assert_eq!(tap.usage(), usage, "{} in pieces of {size}", exchange.name);
            assert_eq!(
                tap.stop(),
                whole_tap.stop(),
                "{} in pieces of {size}",
                exchange.name
            );
        }
    }
}

#[test]
fn ni17_recorded_reasoning_apart_from_the_output_is_counted_once() {
    let exchanges = exchanges();
    for (name, output, reasoning) in [
        // 26 and 227, which is what its `cost_in_usd_ticks` comes to.
        ("xai-chat-xai-tool-call-chunks", 253, Some(227)),
        (
            "gemini-chat-compatible-api-with-tool-calls-without-id",
            74,
            None,
        ),
        (
            "gemini-chat-compatible-api-with-tool-calls-without-id-2",
            34,
            None,
        ),
        ("azure-chat-chat-reasoning", 203, Some(192)),
    ] {
        let Some(exchange) = exchanges.iter().find(|it| it.name == name) else {
            assert!(exchanges.is_empty(), "{name} is missing");
            return;
        };
        let usage = match (&exchange.stream, &exchange.answer) {
            (Some(body), _) => tap_pieces(exchange.wire, &[body], true).0.usage(),
            (None, Some(body)) => match tap::whole(exchange.wire, body, &mut Tape::new()) {
                Some(Whole::Answer(facts)) => facts.usage,
                _ => panic!("{name}: no answer"),
            },
            (None, None) => panic!("{name}: no body"),
        };
        assert_eq!(
            (usage.output, usage.reasoning),
            (Some(output), reasoning),
            "{name}"
        );
    }
}

#[test]
fn recorded_streams_lose_the_usage_chunk_and_nothing_else_in_the_strip() {
    for (exchange, body) in streams() {
        let expected = without_usage_chunk(&body);
        for size in [body.len(), 1, 7, 64, 1000] {
            let stripped = strip_pieces(&chunks(&body, size));
            assert_eq!(stripped, expected, "{} in pieces of {size}", exchange.name);
        }
    }
}

fn without_usage_chunk(body: &[u8]) -> Vec<u8> {
    let text = core::str::from_utf8(body).unwrap();
    let gap = if text.contains("\r\n\r\n") {
        "\r\n\r\n"
    } else {
        "\n\n"
    };
    let records = text.split_inclusive(gap).filter(|record| {
        let data = record.trim().strip_prefix("data:").unwrap_or_default();
        let chunk: Value = serde_json::from_str(data).unwrap_or_default();
        let empty = chunk["choices"].as_array().is_some_and(Vec::is_empty);
        !(empty && chunk["usage"].is_object())
    });
    records.collect::<String>().into_bytes()
}

#[test]
fn recorded_answers_mean_the_same_before_and_after_translation() {
    for exchange in exchanges() {
        let Some(body) = exchange.answer else {
            continue;
        };
        let mut tape = Tape::new();
        let facts = tap::whole(exchange.wire, &body, &mut tape);
        let mut out = Vec::new();
        let wires = (exchange.wire, other(exchange.wire));
        let limits = Limits::default();
        let found = response::translate(wires, &body, &context(), &mut tape, &limits, &mut out);
        if NO_ANSWERS.contains(&exchange.name.as_str()) {
            assert_eq!(found, Err(AnswerFault::NotAnAnswer), "{}", exchange.name);
            assert!(out.is_empty(), "{}", exchange.name);
            continue;
        }
        // What is lost on the way is told of the translated answer alone.
        let found = found.unwrap();
        let notes = found.notes.header();
        let found = AnswerFacts {
            notes: Notes::default(),
            ..found
        };
        let Some(Whole::Answer(facts)) = facts else {
            panic!("{}: no answer", exchange.name);
        };
        assert_eq!(found, facts, "{}", exchange.name);
        assert_eq!(notes, lost(&body), "{}", exchange.name);
        let before = meaning::of_answer(exchange.wire, &body);
        let after = meaning::of_answer(other(exchange.wire), &out);
        assert_eq!(after, expected_after(before), "{}", exchange.name);
        assert!(exchange.complete, "{}", exchange.name);
    }
}

/// The note on an answer of the Anthropic wire: citations of something else than pages on the web, and
/// blocks that no other wire has.
fn lost(body: &[u8]) -> String {
    let root: Value = serde_json::from_slice(body).unwrap();
    let mut names = BTreeSet::new();
    for block in root["content"].as_array().into_iter().flatten() {
        let mut citations = block["citations"].as_array().into_iter().flatten();
        if citations.any(|citation| citation["type"] != "web_search_result_location") {
            names.insert("citations");
        }
        let kind = block["type"].as_str().unwrap();
        if !["text", "thinking", "redacted_thinking", "tool_use"].contains(&kind) {
            names.insert(kind);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    format!(
        "dropped={}",
        names.into_iter().collect::<Vec<_>>().join(",")
    )
}

/// Recorded with status 200, but no answer of their wire.
const NO_ANSWERS: [&str; 1] = ["demo-endpoints.pydantic.workers.dev-chat-invalid-response"];
