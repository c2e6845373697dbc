//! Faults of the provider once its answer has begun: in every direction, streamed and whole.
//!
//! What must never happen: an end that looks good. The client gets what came, an error event in
//! its wire, and a body that is not ended.

use core::time::Duration;

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::{Answer, End};
use crate::support::directions::{CROSSED, DIRECTIONS, Direction, Driver, SAME_WIRE, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{LAST_CHUNK, answer, chunk, json, post, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Script, Step, once, then};
use crate::support::wires::{
    chat, end_mark, error_event, events, finish, path, start_up, terminator, text, told, told_last,
    whole,
};

/// How long providers may be silent in these tests.
const STALL_MS: u64 = 200;

/// A stream that breaks, and what its end is called.
struct Break {
    name: &'static str,
    /// What is sent of the body once the client has read its beginning; and what comes then.
    sent: Vec<u8>,
    then: Option<Step>,
    /// `end` and `fault` in the access line.
    end: &'static str,
    fault: &'static str,
    /// A part of the message that the client reads.
    says: &'static str,
}

fn cut(name: &'static str, sent: Vec<u8>, then: Step) -> Break {
    Break {
        name,
        sent,
        then: Some(then),
        end: "truncated",
        fault: "body_cut",
        says: "ended early",
    }
}

fn breaks(wire: Wire) -> Vec<Break> {
    let mid_event = &text(wire, "lo", false)[..40];
    let silent = |name, sent| Break {
        then: None,
        fault: "body_stall",
        says: "fell silent",
        ..cut(name, sent, Step::Close)
    };
    let last = LAST_CHUNK;
    let none = Vec::new;
    vec![
        cut("reset between events", none(), Step::Reset),
        cut("closed between events", none(), Step::Close),
        cut("reset amid an event", chunk(mid_event), Step::Reset),
        cut("closed amid an event", chunk(mid_event), Step::Close),
        cut("closed amid a line", chunk("data: {\"ty"), Step::Close),
        cut(
            "closed amid a chunk",
            b"40\r\ndata: {".to_vec(),
            Step::Close,
        ),
        cut(
            "ended by its framing, amid an answer",
            last.to_vec(),
            Step::Close,
        ),
        cut(
            "ended by its framing, amid an event",
            [&chunk(mid_event), last].concat(),
            Step::Close,
        ),
        silent("silence between events", none()),
        silent("silence amid an event", chunk(mid_event)),
        Break {
            fault: "framing",
            ..cut("a bad chunk", b"zz\r\nx".to_vec(), Step::Close)
        },
        Break {
            fault: "framing",
            ..cut(
                "chunk data too long",
                b"2\r\n: hi\n\n\r\n".to_vec(),
                Step::Close,
            )
        },
    ]
}

/// The start of a stream that says `Hel`.
fn begun(wire: Wire) -> String {
    [start_up(wire), &text(wire, "Hel", true)].concat()
}

/// Begins a stream, waits until the client has read that, sends the rest.
fn in_two(wire: Wire, rest: impl Into<Vec<u8>>, step: Option<Step>) -> Script {
    let start = [stream_head(), chunk(begun(wire))].concat();
    let mut script = then(start, Step::Gate);
    script.push(Step::Send(rest.into()));
    script.extend(step);
    script
}

/// Asks for a stream and reads it to its end; the provider's gate opens once the start is there.
fn ask_in_two(gateway: &Gateway, direction: Direction, provider: &Provider, model: &str) -> Answer {
    let mut client = gateway.client();
    client.send(post(
        path(direction.client),
        "",
        chat(direction.client, model, true),
    ));
    let mut got = client.head();
    client.until(&mut got, "Hel");
    provider.open();
    client.finish(&mut got);
    got
}

/// A gateway with one provider, and a model, for each script.
fn gateway_of(
    driver: Driver,
    direction: Direction,
    scripts: impl IntoIterator<Item = Script>,
) -> (Gateway, Vec<Provider>) {
    let mut setup = Setup::new(driver).limit("stream_stall_timeout_ms", STALL_MS);
    let mut providers = Vec::new();
    for (number, script) in scripts.into_iter().enumerate() {
        let provider = Provider::all(script);
        let name = format!("up{number}");
        setup = setup
            .provider(&name, direction.upstream, &provider, "")
            .model(&format!("m{number}"), &[&format!("{name}/up-model")]);
        providers.push(provider);
    }
    (setup.start(), providers)
}

fn ask(gateway: &Gateway, direction: Direction, model: &str, stream: bool) -> Answer {
    let body = chat(direction.client, model, stream);
    gateway.client().ask(post(path(direction.client), "", body))
}

/// The text of all deltas that the client read.
fn text_of(wire: Wire, stream: &str) -> String {
    let data = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let events = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let deltas = events.filter_map(|event| {
        let text = match wire {
            Wire::OpenAiChat => &event["choices"][0]["delta"]["content"],
            Wire::AnthropicMessages => &event["delta"]["text"],
        };
        text.as_str().map(str::to_owned)
    });
    deltas.collect()
}

/// A stream that broke: an error event in the client's wire is the last it says, nothing looks
/// like a good end, and the body is not ended.
fn assert_broken(row: &str, wire: Wire, got: &Answer, says: &str) {
    assert_eq!(
        (got.status, got.end),
        (200, End::Cut),
        "{row}: {}",
        got.text()
    );
    let stream = got.text();
    assert!(!stream.contains(end_mark(wire)), "{row}: {stream}");
    for word in [
        "\"finish_reason\":\"stop\"",
        "end_turn",
        "\"stop_reason\":\"stop",
    ] {
        assert!(!stream.contains(word), "{row}: {stream}");
    }
    assert_eq!(
        text_of(wire, stream),
        "Hel",
        "{row}: what came is delivered"
    );
    let told = told_last(wire, stream);
    assert!(told.message.contains(says), "{row}: {told:?}");
    assert!(!told.message.contains("127.0.0.1"), "{row}: {told:?}");
}

#[test]
fn p12_d1_d3_d4_d7_streams_that_break_say_so_and_never_end_well() {
    each_way(&DIRECTIONS, |driver, direction| {
        let rows = breaks(direction.upstream);
        let upstream = direction.upstream;
        let scripts = rows
            .iter()
            .map(|row| in_two(upstream, row.sent.clone(), row.then.clone()));
        let (gateway, providers) = gateway_of(driver, direction, scripts);
        for (number, row) in rows.iter().enumerate() {
            let model = format!("m{number}");
            let got = ask_in_two(&gateway, direction, &providers[number], &model);
            assert_broken(row.name, direction.client, &got, row.says);
            if !direction.is_translated() {
                // Passthrough: the bytes that came, then the error event on a line of its own.
                assert!(got.text().starts_with(&begun(upstream)), "{}", row.name);
            }
            let line = &gateway.lines(number + 1)[number];
            assert_eq!(line["end"], row.end, "{}: {line}", row.name);
            assert_eq!(line["status"], 200, "{}", row.name);
            assert_eq!(
                line["attempts"].as_array().unwrap().len(),
                1,
                "no retry after commit"
            );
            assert_eq!(providers[number].requests().len(), 1, "{}", row.name);
            providers[number].wait_over(0);
            if direction.is_translated() && line["fault"] != row.fault {
                // A translator may see before the framing does that the answer is no answer.
                assert_eq!(line["fault"], "body_cut", "{}: {line}", row.name);
            } else {
                assert_eq!(line["fault"], row.fault, "{}: {line}", row.name);
            }
        }
        let name =
            "ringway_exchanges_total{operation=\"chat\",outcome=\"truncated\",status=\"200\"}";
        assert!(
            gateway.metric(name) >= (rows.len() - 1) as f64,
            "{}",
            gateway.metrics()
        );
    });
}

#[test]
fn d5_d6_d8_an_error_in_the_stream_reaches_the_client_in_its_wire_and_nothing_follows() {
    each_way(&DIRECTIONS, |driver, direction| {
        let (client, upstream) = (direction.client, direction.upstream);
        let failed = [&*begun(upstream), error_event(upstream)].concat();
        let error = chunk(error_event(upstream));
        let more = chunk([finish(upstream), terminator(upstream)].concat());
        let scripts = [
            in_two(upstream, [&error, &*more, LAST_CHUNK].concat(), None),
            in_two(upstream, [&error, LAST_CHUNK].concat(), None),
        ];
        let (gateway, providers) = gateway_of(driver, direction, scripts);
        for (number, model) in ["m0", "m1"].into_iter().enumerate() {
            let got = ask_in_two(&gateway, direction, &providers[number], model);
            assert_eq!((got.status, got.end), (200, End::Cut), "{}", got.text());
            if !direction.is_translated() {
                // The provider's own event is one already: none is added, and it is the last.
                assert_eq!(got.text(), failed);
            }
            let end = got.text().split("\"error\"").last().unwrap();
            assert!(end.contains("model melted"), "{}", got.text());
            assert_eq!(told_last(client, got.text()).message, "model melted");
            assert!(!got.text().contains(end_mark(client)), "{}", got.text());
            let line = &gateway.lines(number + 1)[number];
            assert_eq!(
                (&line["end"], &line["fault"]),
                (&"upstream_error".into(), &"upstream_error_event".into())
            );
        }
    });
}

#[test]
fn d2_streams_that_break_before_their_first_event_are_502_or_504_or_end_in_an_error() {
    each_way(&DIRECTIONS, |driver, direction| {
        let rows: [(&str, Vec<u8>, Option<Step>, u16); 5] = [
            ("reset", Vec::new(), Some(Step::Reset), 502),
            ("closed", Vec::new(), Some(Step::Close), 502),
            ("ended", LAST_CHUNK.to_vec(), Some(Step::Close), 502),
            ("silent", Vec::new(), None, 504),
            ("a bad chunk", b"zz\r\n".to_vec(), Some(Step::Close), 502),
        ];
        let scripts = rows.iter().map(|(_, sent, step, _)| {
            let sent = [stream_head(), sent.clone()].concat();
            match step {
                Some(step) => then(sent, step.clone()),
                None => once(sent),
            }
        });
        let (gateway, _providers) = gateway_of(driver, direction, scripts);
        for (number, (row, _, _, status)) in rows.iter().enumerate() {
            let got = ask(&gateway, direction, &format!("m{number}"), true);
            if got.status == 200 {
                // The head has gone out; then the end must be as loud as amid a stream.
                assert_eq!(got.end, End::Cut, "{row}: {}", got.text());
                told_last(direction.client, got.text());
            } else {
                assert_eq!(got.status, *status, "{row}: {}", got.text());
                told(direction.client, &got);
            }
            let line = &gateway.lines(number + 1)[number];
            assert_ne!(line["end"], "complete", "{row}: {line}");
        }
    });
}

#[test]
fn b_an_error_in_place_of_the_first_event_is_a_status_however_its_bytes_arrive() {
    each_way(&CROSSED, |driver, direction| {
        let (error, status) = match direction.upstream {
            Wire::OpenAiChat => (r#"{"error":{"message":"slow down","code":429}}"#, 429),
            Wire::AnthropicMessages => (
                r#"{"type":"error","error":{"type":"overloaded_error","message":"slow down"}}"#,
                529,
            ),
        };
        let event = chunk(format!("data: {error}\n\n"));
        let (start, rest) = event.split_at(event.len() / 2);
        // In one piece; the head alone first; a comment, then the event in two pieces.
        let scripts = [
            once([stream_head(), event.clone(), LAST_CHUNK.to_vec()].concat()),
            vec![
                Step::Send(stream_head()),
                Step::Gate,
                Step::Send([&event, LAST_CHUNK].concat()),
            ],
            vec![
                Step::Send([stream_head(), chunk(": hi\n\n")].concat()),
                Step::Send(start.to_vec()),
                Step::Gate,
                Step::Send([rest, LAST_CHUNK].concat()),
            ],
        ];
        let (gateway, providers) = gateway_of(driver, direction, scripts);
        for (number, provider) in providers.iter().enumerate() {
            provider.open();
            let got = ask(&gateway, direction, &format!("m{number}"), true);
            assert_eq!(got.status, status, "{number}: {}", got.text());
            assert!(got.text().contains("slow down"), "{}", got.text());
        }
    });
}

#[test]
fn whole_answers_that_break_are_502_in_translation_and_cut_on_the_same_wire() {
    each_way(&DIRECTIONS, |driver, direction| {
        let body = whole(direction.upstream);
        let head = |length: usize| {
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            )
        };
        let chunked = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
        let half = &body[..body.len() / 2];
        let long = [head(body.len() + 9), body.to_owned()].concat();
        let open = [chunked.as_bytes(), &chunk(body)].concat();
        let bad = [chunked.as_bytes(), &chunk(half), b"zz\r\n"].concat();
        let rows: [(&str, Script, u16); 6] = [
            (
                "reset amid the body",
                then([head(body.len()), half.into()].concat(), Step::Reset),
                502,
            ),
            (
                "closed amid the body",
                then([head(body.len()), half.into()].concat(), Step::Close),
                502,
            ),
            ("declared too long", then(long, Step::Close), 502),
            ("no last chunk", then(open, Step::Close), 502),
            ("a bad chunk", then(bad, Step::Close), 502),
            (
                "silent amid the body",
                once([head(body.len()), half.into()].concat()),
                504,
            ),
        ];
        let scripts = rows.iter().map(|(_, script, _)| script.clone());
        let (gateway, _providers) = gateway_of(driver, direction, scripts);
        for (number, (row, _, status)) in rows.iter().enumerate() {
            let got = ask(&gateway, direction, &format!("m{number}"), false);
            if direction.is_translated() {
                assert_eq!(got.status, *status, "{row}: {}", got.text());
                told(direction.client, &got);
            } else {
                assert_eq!(
                    (got.status, got.end),
                    (200, End::Cut),
                    "{row}: {}",
                    got.text()
                );
                assert!(
                    body.starts_with(got.text()),
                    "{row}: nothing is added to JSON"
                );
            }
            let line = &gateway.lines(number + 1)[number];
            let end = if direction.is_translated() {
                "refused"
            } else {
                "truncated"
            };
            assert_eq!(line["end"], end, "{row}: {line}");
        }
    });
}

#[test]
fn p9_bytes_behind_an_answer_are_dropped_and_its_connection_is_not_used_again() {
    each_way(&DIRECTIONS, |driver, direction| {
        let good = json(whole(direction.upstream));
        let poisoned = [good.clone(), json("{\"poison\":true}")].concat();
        let provider = Provider::start(vec![once(poisoned), once(good)]);
        let gateway = Gateway::on(driver, direction, &provider);
        for _ in 0..2 {
            let got = ask(&gateway, direction, MODEL, false);
            assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
            assert!(got.text().contains("Hello") && !got.text().contains("poison"));
        }
        assert_eq!(provider.connections(), 2);
    });
}

#[test]
fn answers_that_are_no_answers_of_their_wire_are_502_in_translation() {
    each_way(&DIRECTIONS, |driver, direction| {
        if !direction.is_translated() {
            return;
        }
        let kind = "content-type: text/event-stream\r\n";
        let scripts = [
            once(json("{\"ok\":true}")),
            once(json("[]")),
            once(json("not JSON")),
            once(json("")),
            once(answer("204 No Content", "", "")),
            once(answer("200 OK", kind, events(direction.upstream))),
        ];
        let count = scripts.len();
        let (gateway, _providers) = gateway_of(driver, direction, scripts);
        for number in 0..count {
            let got = ask(&gateway, direction, &format!("m{number}"), false);
            assert_eq!(got.status, 502, "{number}: {}", got.text());
            told(direction.client, &got);
        }
    });
}

/// An event that is no JSON, under the name by which a client of the wire reads it.
const fn garbage(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "data: {\"choices\":[{\"delta\":oops\n\n",
        Wire::AnthropicMessages => {
            "event: content_block_delta\ndata: {\"choices\":[{\"delta\":oops\n\n"
        }
    }
}

#[test]
fn a_malformed_event_ends_a_stream_in_an_error_and_nothing_behind_it_is_sent() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let garbage = garbage(upstream);
        let lo = text(upstream, "lo", false);
        let cut_delta = format!("{}\n\n", lo.split_once("lo\"").unwrap().0);
        // One that lacks its last brace alone.
        let braced = format!("{}\n\n", lo.trim_end().strip_suffix('}').unwrap());
        let bad = [garbage, &cut_delta, &braced];
        let scripts = bad.map(|bad| {
            let rest = [bad, &lo, finish(upstream), terminator(upstream)].concat();
            in_two(upstream, [&chunk(&rest), LAST_CHUNK].concat(), None)
        });
        let (gateway, providers) = gateway_of(driver, direction, scripts);
        for (number, bad) in bad.into_iter().enumerate() {
            let model = format!("m{number}");
            let got = ask_in_two(&gateway, direction, &providers[number], &model);
            if direction.is_translated() {
                assert_broken(bad, direction.client, &got, "malformed");
            } else {
                let sent = [&begun(upstream), bad].concat();
                let error = got.text().strip_prefix(&*sent);
                let error = error.unwrap_or_else(|| panic!("{}", got.text()));
                assert_eq!(error.matches("\n\n").count(), 1, "one event: {error}");
                let told = told_last(upstream, got.text());
                assert!(told.message.contains("malformed stream"), "{told:?}");
                assert_eq!(got.end, End::Cut);
            }
            let line = &gateway.lines(number + 1)[number];
            assert_eq!(line["end"], "truncated", "{line}");
            assert_eq!(line["fault"], "malformed_stream", "{line}");
        }
    });
}

#[test]
fn events_that_mean_nothing_to_the_wire_pass_or_are_left_out_and_the_stream_ends_well() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let mut odd = vec![
            "event: heartbeat\ndata: ok\n\n",
            "event: ping\ndata: pong\n\n",
            "data: \"ping\"\n\n",
            "data: [1]\n\n",
            "data: 12\n\n",
            "data: null\n\n",
            "event: content_block_delta\ndata: []\n\n",
        ];
        // A chunk may have any name: one that is cut is not left out of a translation.
        if !direction.is_translated() || wire == Wire::AnthropicMessages {
            odd.push("event: vendor_hello\ndata: {not json\n\n");
        }
        let lo = text(wire, "lo", false);
        let rest = [&*odd.concat(), &lo, finish(wire), terminator(wire)].concat();
        let script = in_two(wire, [&chunk(&rest), LAST_CHUNK].concat(), None);
        let (gateway, providers) = gateway_of(driver, direction, [script]);
        let got = ask_in_two(&gateway, direction, &providers[0], "m0");
        assert_eq!(got.end, End::Whole);
        if direction.is_translated() {
            assert!(got.text().contains("\"lo\""), "{}", got.text());
            assert!(!got.text().contains("\"error\""), "{}", got.text());
        } else {
            assert_eq!(got.text(), [begun(wire), rest].concat());
        }
        let line = gateway.only_line();
        assert_eq!(
            (&line["end"], &line["deltas"]),
            (&"complete".into(), &2.into())
        );
    });
}

#[test]
fn p12_no_error_follows_a_terminator_however_the_body_ends_behind_it() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let whole = [finish(upstream), terminator(upstream)].concat();
        let lacking = whole.strip_suffix('\n').unwrap();
        let tails: [(&[u8], Step); 3] = [
            (b"", Step::Close),
            (b"zz\r\n", Step::Close),
            (b"", Step::Reset),
        ];
        for end in [&*whole, lacking] {
            for (tail, step) in &tails {
                let rest = [&chunk(end), *tail].concat();
                let script = in_two(upstream, rest, Some(step.clone()));
                let (gateway, providers) = gateway_of(driver, direction, [script]);
                let got = ask_in_two(&gateway, direction, &providers[0], "m0");
                let line = gateway.only_line();
                if direction.is_translated() {
                    assert!(!got.text().contains("\"error\"") || end == lacking);
                } else {
                    let sent = [&*begun(upstream), end].concat();
                    assert_eq!(got.text(), sent, "{step:?} {tail:?}");
                    assert_eq!(got.end, End::Cut, "{step:?} {tail:?}");
                    assert_eq!(line["end"], "truncated", "{line}");
                }
            }
        }
    });
}

#[test]
fn j6_an_event_over_the_limit_ends_a_translated_stream_and_passes_on_the_same_wire() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        for (size, fits) in [(3_000, true), (9_000, false)] {
            let large = text(upstream, &"x".repeat(size), false);
            let rest = [&large, finish(upstream), terminator(upstream)].concat();
            let script = in_two(upstream, [&chunk(&rest), LAST_CHUNK].concat(), None);
            let provider = Provider::all(script);
            let gateway = Setup::upstream(driver, upstream, &provider)
                .limit("event_bytes_max", 4_096)
                .start();
            let got = ask_in_two(&gateway, direction, &provider, MODEL);
            if direction.is_translated() && !fits {
                assert_broken("large", direction.client, &got, "too large");
                let line = gateway.only_line();
                assert_ne!(line["end"], "complete");
                assert_eq!(line["fault"], "event_too_large");
            } else {
                assert_eq!(got.end, End::Whole, "{}", got.text());
                assert!(got.text().contains(&"x".repeat(size)));
            }
        }
    });
}

#[test]
fn p12_a_blank_line_goes_before_the_error_where_the_bytes_do_not_end_an_event() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let begun = begun(wire);
        for (tail, between) in [("", ""), ("data: {\"half", "\n\n"), (": comment", "\n\n")] {
            let sent = [stream_head(), chunk([&begun, tail].concat())].concat();
            let (gateway, _providers) = gateway_of(driver, direction, [then(sent, Step::Close)]);
            let got = ask(&gateway, direction, "m0", true);
            let rest = got
                .text()
                .strip_prefix(&[&begun, tail, between].concat()[..]);
            let event = rest.unwrap_or_else(|| panic!("{tail:?}: {}", got.text()));
            let start = match wire {
                Wire::OpenAiChat => "data: {\"error\":",
                Wire::AnthropicMessages => "event: error\ndata: {\"type\":\"error\",",
            };
            assert!(event.starts_with(start), "{tail:?}: {event}");
            assert_eq!(event.matches("\n\n").count(), 1, "{tail:?}: {event}");
        }
    });
}

#[test]
fn the_error_reaches_a_client_that_has_waited_longer_than_a_write_may_take() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        for (step, says) in [(None, "fell silent"), (Some(Step::Reset), "ended early")] {
            let start = [stream_head(), chunk(begun(upstream))].concat();
            let mut script = once(start);
            script.push(Step::Gate);
            script.extend(step);
            let provider = Provider::all(script);
            let patience_ms = if says == "fell silent" { 400 } else { 20_000 };
            let gateway = Setup::upstream(driver, upstream, &provider)
                .limit("write_stall_timeout_ms", 50)
                .limit("stream_stall_timeout_ms", patience_ms)
                .start();
            let mut client = gateway.client();
            let body = chat(direction.client, MODEL, true);
            client.send(post(path(direction.client), "", body));
            let mut got = client.head();
            client.until(&mut got, "Hel");
            if says == "ended early" {
                assert!(client.is_quiet(Duration::from_millis(150)));
            }
            provider.open();
            client.finish(&mut got);
            assert_broken("after a pause", direction.client, &got, says);
        }
    });
}
