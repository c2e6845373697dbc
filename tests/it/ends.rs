//! Where an answer ends, and what may stand there: lengths, last chunks, terminators, errors.

use ringway::wire::kind::Wire;

use crate::support::client::{Answer, End};
use crate::support::directions::{CROSSED, DIRECTIONS, Direction, Driver, SAME_WIRE, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{LAST_CHUNK, answer, chunk, json, post, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Script, Step, always, once, then};
use crate::support::wires::{
    chat, end_mark, error_body, error_event, events, path, start_up, text, told, told_last, whole,
};

fn ask(gateway: &Gateway, direction: Direction, stream: bool) -> Answer {
    let body = chat(direction.client, MODEL, stream);
    gateway.client().ask(post(path(direction.client), "", body))
}

/// The same by a client of HTTP/1.0.
fn old(direction: Direction, body: &str) -> String {
    format!(
        "POST {} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
        path(direction.client),
        body.len()
    )
}

/// A chat on the OpenAI wire with usage asked for: nothing is taken out of its stream.
fn with_usage(wire: Wire) -> String {
    let body = chat(wire, MODEL, true);
    match wire {
        Wire::OpenAiChat => body.replace(
            "\"stream\":true",
            "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
        ),
        Wire::AnthropicMessages => body,
    }
}

/// The head of an answer of this type and length.
fn sized(kind: &str, length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n")
}

/// A stream of a declared length, of which the last bytes are missing.
fn short_stream(text: &str, missing: usize) -> Script {
    let head = sized("text/event-stream", text.len());
    let sent = [&*head, &text[..text.len() - missing]].concat();
    then(sent, Step::Close)
}

#[test]
fn p12_a_stream_of_declared_length_that_is_cut_is_cut_for_the_client_too() {
    each_way(&DIRECTIONS, |driver, direction| {
        let text = events(direction.upstream);
        let cuts = [1, 2, 8, 30, 60, 100, 200];
        let scripts = cuts.map(|missing| short_stream(&text, missing));
        let provider = Provider::start(scripts.to_vec());
        let gateway = Gateway::on(driver, direction, &provider);
        for missing in cuts {
            let body = with_usage(direction.client);
            let request = post(path(direction.client), "", body);
            let got = gateway.client().ask(request);
            assert_eq!((got.status, got.end), (200, End::Cut), "{missing} missing");
            assert_eq!(got.field("content-length"), None, "{missing} missing");
            if !direction.is_translated() {
                let came = &text[..text.len() - missing];
                assert!(got.text().starts_with(came), "{missing} missing");
                if missing <= 2 {
                    // Whatever followed would end the provider's terminator for it.
                    assert_eq!(got.text(), came, "{missing} missing");
                } else {
                    told_last(direction.client, got.text());
                }
            }
        }
        for line in gateway.lines(cuts.len()) {
            assert_eq!(line["end"], "truncated", "{line}");
        }
    });
}

#[test]
fn a_stream_of_declared_length_comes_whole_without_it() {
    each_way(&SAME_WIRE, |driver, direction| {
        let text = events(direction.upstream);
        let provider = Provider::all(short_stream(&text, 0));
        let gateway = Gateway::on(driver, direction, &provider);
        let body = with_usage(direction.client);
        let got = gateway
            .client()
            .ask(post(path(direction.client), "", &body));
        assert_eq!((got.text(), got.end), (&*text, End::Whole));
        assert_eq!(got.field("transfer-encoding"), Some("chunked"));
        let got = gateway.client().ask(old(direction, &body));
        assert_eq!((got.text(), got.end), (&*text, End::Closed));
        assert_eq!(got.field("content-length"), None);
        for line in gateway.lines(2) {
            assert_eq!(line["end"], "complete", "{line}");
        }
    });
}

/// Heads of JSON answers whose body ends with the connection, and by chunks.
const UNSIZED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn p12_a_whole_answer_without_length_that_is_cut_at_any_byte_is_truncated() {
    each_way(&SAME_WIRE, |driver, direction| {
        let body = whole(direction.upstream);
        let cut = |at: usize| then([UNSIZED, &body[..at]].concat(), Step::Close);
        let scripts = (0..=body.len()).map(cut).collect();
        let provider = Provider::start(scripts);
        let gateway = Gateway::on(driver, direction, &provider);
        for at in 0..=body.len() {
            let got = ask(&gateway, direction, false);
            let line = &gateway.lines(at + 1)[at];
            if at == 0 {
                assert_eq!(got.status, 502, "nothing came: {}", got.text());
                told(direction.client, &got);
                continue;
            }
            let (client, log) = if at == body.len() {
                (End::Whole, "complete")
            } else {
                (End::Cut, "truncated")
            };
            assert_eq!((got.text(), got.end), (&body[..at], client), "cut at {at}");
            assert_eq!(line["end"], log, "cut at {at}: {line}");
        }
        let name =
            "ringway_exchanges_total{operation=\"chat\",outcome=\"truncated\",status=\"200\"}";
        assert!(gateway.metric(name) >= (body.len() - 1) as f64);
        // Over HTTP/1.0 a cut could pass for an end: it is a reset.
        let provider = Provider::all(cut(body.len() - 1));
        let gateway = Gateway::on(driver, direction, &provider);
        let chat = chat(direction.client, MODEL, false);
        let got = gateway.client().ask(old(direction, &chat));
        assert_eq!(got.end, End::Cut, "{}", got.text());
    });
}

/// A gateway whose model `two` has a second target that answers well; MODEL has the first alone.
fn with_next(
    driver: Driver,
    direction: Direction,
    provider: &Provider,
    streamed: bool,
) -> (Gateway, Provider) {
    let good = if streamed {
        stream(events(direction.client))
    } else {
        json(whole(direction.client))
    };
    let second = Provider::all(always(good));
    let gateway = Setup::upstream(driver, direction.upstream, provider)
        .provider("next", direction.client, &second, "")
        .model("two", &["up/x", "next/y"])
        .start();
    (gateway, second)
}

#[test]
fn whole_answers_that_are_no_json_are_a_502_or_the_next_target() {
    each_way(&SAME_WIRE, |driver, direction| {
        let body = whole(direction.upstream);
        let half = &body[..body.len() / 2];
        let pieces = [chunk(half), chunk("}"), LAST_CHUNK.to_vec()].concat();
        let rows: [(&str, Vec<u8>); 6] = [
            ("nothing", json("")),
            ("no chunks", [CHUNKED.as_bytes(), LAST_CHUNK].concat()),
            ("text", json("ok")),
            ("half of it", json(half)),
            ("half in chunks", [CHUNKED.as_bytes(), &pieces].concat()),
            ("unnamed nothing", answer("200 OK", "", "")),
        ];
        for (row, sent) in rows {
            for streamed in [false, true] {
                // Without a type, a stream is what was asked for.
                if streamed && row.starts_with("unnamed") {
                    continue;
                }
                let provider = Provider::answering(sent.clone());
                let (gateway, second) = with_next(driver, direction, &provider, streamed);
                let got = ask(&gateway, direction, streamed);
                assert_eq!(got.status, 502, "{row} {streamed}: {}", got.text());
                told(direction.client, &got);
                let line = gateway.only_line();
                assert_eq!(line["end"], "refused", "{row} {streamed}: {line}");
                assert_eq!(line["fault"], "not_an_answer", "{row} {streamed}: {line}");
                let body = chat(direction.client, "two", streamed);
                let request = post(path(direction.client), "", body);
                let got = gateway.client().ask(request);
                assert_eq!((got.status, got.end), (200, End::Whole), "{row} {streamed}");
                assert_eq!(second.requests().len(), 1, "{row} {streamed}");
            }
        }
    });
}

#[test]
fn json_that_is_no_answer_is_never_called_complete() {
    each_way(&SAME_WIRE, |driver, direction| {
        for body in [
            "{\"ok\":true}",
            "{\"choices\":[],\"content\":1}",
            "[1]",
            "null",
        ] {
            // Who asked for it whole gets it as it came: the client may know better. In the place
            // of a stream it would read as one without a word.
            for (streamed, status, end) in [(false, 200, "upstream_error"), (true, 502, "refused")]
            {
                let provider = Provider::answering(json(body));
                let (gateway, second) = with_next(driver, direction, &provider, streamed);
                let got = ask(&gateway, direction, streamed);
                assert_eq!(
                    (got.status, got.end),
                    (status, End::Whole),
                    "{body} {streamed}"
                );
                if streamed {
                    told(direction.client, &got);
                } else {
                    assert_eq!(got.text(), body);
                }
                let line = gateway.only_line();
                assert_eq!(line["end"], end, "{body} {streamed}: {line}");
                assert_eq!(line["fault"], "not_an_answer", "{body} {streamed}: {line}");
                let asked = chat(direction.client, "two", streamed);
                let request = post(path(direction.client), "", asked);
                let got = gateway.client().ask(request);
                assert_eq!(
                    (got.status, got.end),
                    (200, End::Whole),
                    "{body} {streamed}"
                );
                assert_eq!(second.requests().len(), 1, "{body} {streamed}");
            }
        }
    });
}

#[test]
fn a_whole_answer_that_turns_out_cut_behind_its_commit_never_looks_whole() {
    each_way(&SAME_WIRE, |driver, direction| {
        let body = whole(direction.upstream);
        let (first, rest) = body[..body.len() - 2].split_at(20);
        let length = sized("application/json", first.len() + rest.len());
        let rows = [
            (
                [length.as_bytes(), first.as_bytes()].concat(),
                rest.as_bytes().to_vec(),
            ),
            (
                [CHUNKED.as_bytes(), &chunk(first)].concat(),
                [&*chunk(rest), LAST_CHUNK].concat(),
            ),
        ];
        for (begun, ended) in rows {
            let script = vec![
                Step::Request,
                Step::Send(begun),
                Step::Gate,
                Step::Send(ended),
            ];
            let provider = Provider::all(script);
            let gateway = Gateway::on(driver, direction, &provider);
            let mut client = gateway.client();
            let chat = chat(direction.client, MODEL, false);
            client.send(post(path(direction.client), "", chat));
            let mut got = client.head();
            client.until(&mut got, first);
            provider.open();
            client.finish(&mut got);
            assert_eq!((got.status, got.end), (200, End::Cut), "{}", got.text());
            let line = gateway.only_line();
            assert_eq!(line["end"], "truncated", "{line}");
            assert_eq!(line["fault"], "not_an_answer", "{line}");
        }
    });
}

#[test]
fn an_error_in_place_of_an_answer_is_never_called_complete() {
    each_way(&SAME_WIRE, |driver, direction| {
        let error = error_body(direction.upstream, "overloaded_error", "melted");
        let pieces = error
            .as_bytes()
            .chunks(3)
            .flat_map(chunk)
            .collect::<Vec<u8>>();
        let chunked = [CHUNKED.as_bytes(), &pieces, LAST_CHUNK].concat();
        for sent in [json(&*error), chunked] {
            for streamed in [false, true] {
                let provider = Provider::answering(sent.clone());
                let (gateway, second) = with_next(driver, direction, &provider, streamed);
                let got = ask(&gateway, direction, streamed);
                let line = gateway.only_line();
                assert_eq!(line["fault"], "not_an_answer", "{line}");
                if streamed {
                    // The status that its class has.
                    let status = match direction.upstream {
                        Wire::OpenAiChat => 502,
                        Wire::AnthropicMessages => 529,
                    };
                    assert!([status, 503].contains(&got.status), "{}", got.status);
                    assert_eq!(told(direction.client, &got).message, "melted");
                    assert_eq!(line["end"], "refused", "{line}");
                } else {
                    assert_eq!((got.status, got.end), (200, End::Whole));
                    assert_eq!(got.text(), error);
                    assert_eq!(line["end"], "upstream_error", "{line}");
                }
                let body = chat(direction.client, "two", streamed);
                let request = post(path(direction.client), "", body);
                let got = gateway.client().ask(request);
                assert_eq!((got.status, got.end), (200, End::Whole), "{streamed}");
                assert_eq!(second.requests().len(), 1, "{streamed}");
            }
        }
    });
}

#[test]
fn d2_framing_that_breaks_before_any_payload_is_a_502_or_the_next_target() {
    each_way(&DIRECTIONS, |driver, direction| {
        for streamed in [false, true] {
            let head = if streamed {
                stream_head()
            } else {
                CHUNKED.as_bytes().to_vec()
            };
            let together = |rest: &str| [&*head, rest.as_bytes()].concat();
            for rest in ["zz\r\n", "5\rx", "0\r\nbad trailer\r\n"] {
                let provider = Provider::all(then(together(rest), Step::Close));
                let good = if streamed {
                    stream(events(direction.client))
                } else {
                    json(whole(direction.client))
                };
                let second = Provider::all(always(good));
                let gateway = Setup::upstream(driver, direction.upstream, &provider)
                    .provider("next", direction.client, &second, "")
                    .model("two", &["up/x", "next/y"])
                    .start();
                let got = ask(&gateway, direction, streamed);
                assert_eq!(got.status, 502, "{streamed} {rest:?}: {}", got.text());
                told(direction.client, &got);
                assert_eq!(gateway.only_line()["end"], "refused");
                let body = chat(direction.client, "two", streamed);
                let request = post(path(direction.client), "", body);
                let got = gateway.client().ask(request);
                assert_eq!((got.status, got.end), (200, End::Whole), "{rest:?}");
                assert_eq!(second.requests().len(), 1, "{rest:?}");
            }
        }
    });
}

#[test]
fn d2_a_whole_answer_waits_for_its_first_byte_before_it_is_promised() {
    each_way(&SAME_WIRE, |driver, direction| {
        let rows: [(&str, Vec<u8>, Option<Step>, u16); 4] = [
            (
                "closed",
                sized("application/json", 9).into(),
                Some(Step::Close),
                502,
            ),
            ("reset", CHUNKED.into(), Some(Step::Reset), 502),
            (
                "closed without length",
                UNSIZED.into(),
                Some(Step::Close),
                502,
            ),
            ("silent", CHUNKED.into(), None, 504),
        ];
        for (row, head, step, status) in rows {
            let mut script = once(head);
            script.push(Step::Gate);
            script.extend(step);
            let provider = Provider::all(script);
            let patience_ms = if status == 504 { 200 } else { 20_000 };
            let gateway = Setup::upstream(driver, direction.upstream, &provider)
                .limit("stream_stall_timeout_ms", patience_ms)
                .start();
            let mut client = gateway.client();
            let body = chat(direction.client, MODEL, false);
            client.send(post(path(direction.client), "", body));
            provider.wait_requests(1);
            provider.open();
            let got = client.answer();
            assert_eq!(got.status, status, "{row}: {}", got.text());
            told(direction.client, &got);
        }
    });
}

/// The text less the seconds at which its chunks were made: another second may have begun.
fn timeless(text: &str) -> String {
    let digit = |c: char| c.is_ascii_digit();
    let parts = text.split("\"created\":");
    parts.map(|part| part.trim_start_matches(digit)).collect()
}

#[test]
fn d5_d8_an_error_behind_content_is_told_behind_it_however_the_two_are_cut() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let said = [start_up(wire), &text(wire, "Hel", true)].concat();
        let mut heard = Vec::new();
        for before in [&*said, start_up(wire)] {
            let apart = vec![
                Step::Request,
                Step::Send([stream_head(), chunk(before)].concat()),
                Step::Gate,
                Step::Send([&*chunk(error_event(wire)), LAST_CHUNK].concat()),
            ];
            let together = once(stream([before, error_event(wire)].concat()));
            for script in [apart, together] {
                let provider = Provider::all(script);
                let gateway = Gateway::on(driver, direction, &provider);
                let mut client = gateway.client();
                let body = chat(direction.client, MODEL, true);
                client.send(post(path(direction.client), "", body));
                let mut got = client.head();
                client.until(&mut got, "assistant");
                provider.open();
                client.finish(&mut got);
                assert_eq!((got.status, got.end), (200, End::Cut), "{}", got.text());
                let told = told_last(direction.client, got.text());
                assert_eq!(told.message, "model melted");
                let line = gateway.only_line();
                assert_eq!(line["end"], "upstream_error", "{line}");
                assert_eq!(line["fault"], "upstream_error_event", "{line}");
                heard.push(timeless(got.text()));
            }
        }
        assert!(heard[0].contains("Hel") && !heard[2].contains("Hel"));
        assert!(heard[0] == heard[1] && heard[2] == heard[3], "{heard:?}");
    });
}

#[test]
fn a_stream_that_breaks_behind_content_delivers_it_in_one_read_as_in_two() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let said = [start_up(wire), &text(wire, "Hel", true)].concat();
        let bad = "event: content_block_delta\ndata: {\n\n".replace(
            "event: content_block_delta\n",
            match wire {
                Wire::OpenAiChat => "",
                Wire::AnthropicMessages => "event: content_block_delta\n",
            },
        );
        let rows = [
            (
                [stream_head(), chunk(&said), b"zz\r\n".to_vec()].concat(),
                "ended early",
            ),
            (stream([&*said, &bad].concat()), "malformed stream"),
            (stream(&said), "ended early"),
        ];
        for (sent, says) in rows {
            let provider = Provider::all(then(sent, Step::Close));
            let gateway = Gateway::on(driver, direction, &provider);
            let got = ask(&gateway, direction, true);
            assert_eq!(
                (got.status, got.end),
                (200, End::Cut),
                "{says}: {}",
                got.text()
            );
            assert!(got.text().contains("Hel"), "{says}: {}", got.text());
            let told = told_last(direction.client, got.text());
            assert!(told.message.contains(says), "{says}: {told:?}");
            assert_eq!(gateway.only_line()["end"], "truncated", "{says}");
        }
    });
}

/// Errors as a stream's first event, and the answers that they become for the other wire's client:
/// status, type, code, message, `x-should-retry`.
type FirstError = (
    &'static str,
    u16,
    &'static str,
    Option<&'static str>,
    &'static str,
    Option<&'static str>,
);

const FROM_ANTHROPIC: [FirstError; 6] = [
    (
        r#"{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}"#,
        400,
        "invalid_request_error",
        Some("context_length_exceeded"),
        "prompt is too long: 9 > 8",
        None,
    ),
    (
        r#"{"type":"authentication_error","message":"no"}"#,
        401,
        "invalid_request_error",
        Some("invalid_api_key"),
        "no",
        None,
    ),
    (
        r#"{"type":"billing_error","message":"no"}"#,
        402,
        "insufficient_quota",
        Some("insufficient_quota"),
        "no",
        Some("false"),
    ),
    (
        r#"{"type":"rate_limit_error","message":"no"}"#,
        429,
        "rate_limit_error",
        Some("rate_limit_exceeded"),
        "no",
        None,
    ),
    (
        r#"{"type":"api_error","message":"no"}"#,
        502,
        "server_error",
        None,
        "no",
        None,
    ),
    (
        r#"{"type":"overloaded_error","message":"no"}"#,
        529,
        "server_error",
        Some("overloaded"),
        "no",
        None,
    ),
];

const FROM_OPENAI: [FirstError; 5] = [
    (
        r#"{"message":"9 > 8","type":"invalid_request_error","code":"context_length_exceeded"}"#,
        400,
        "invalid_request_error",
        None,
        "prompt is too long: 9 > 8",
        None,
    ),
    (
        r#"{"message":"no","type":"insufficient_quota","code":"insufficient_quota"}"#,
        402,
        "billing_error",
        None,
        "no",
        Some("false"),
    ),
    (
        r#"{"message":"no","type":"requests","code":429}"#,
        429,
        "rate_limit_error",
        None,
        "no",
        None,
    ),
    (
        r#"{"message":"no","type":"server_error"}"#,
        502,
        "api_error",
        None,
        "no",
        None,
    ),
    (
        r#"{"message":"no","code":503}"#,
        503,
        "overloaded_error",
        None,
        "no",
        None,
    ),
];

#[test]
fn f2_f4_an_error_that_opens_a_stream_of_the_other_wire_is_an_error_answer_of_its_class() {
    each_way(&CROSSED, |driver, direction| {
        let (rows, open): (&[FirstError], _) = match direction.upstream {
            Wire::AnthropicMessages => {
                (&FROM_ANTHROPIC, "event: error\ndata: {\"type\":\"error\",")
            }
            Wire::OpenAiChat => (&FROM_OPENAI, "data: {"),
        };
        for (error, status, kind, code, message, retry) in rows {
            let event = format!("{open}\"error\":{error}}}\n\n");
            let provider = Provider::answering(stream(&event));
            let gateway = Gateway::on(driver, direction, &provider);
            let got = ask(&gateway, direction, true);
            assert_eq!(got.status, *status, "{error}: {}", got.text());
            let told = told(direction.client, &got);
            assert_eq!(
                (&*told.kind, told.code.as_deref()),
                (*kind, *code),
                "{error}"
            );
            assert_eq!(told.message, *message, "{error}");
            assert_eq!(got.field("x-should-retry"), *retry, "{error}");
            let line = gateway.only_line();
            assert_eq!(
                (&line["end"], &line["fault"]),
                (&"refused".into(), &"stream_error".into())
            );
            // Once the head has gone out, the same is told in the stream.
            let late = vec![
                Step::Request,
                Step::Send(stream_head()),
                Step::Gate,
                Step::Send([&*chunk(&event), LAST_CHUNK].concat()),
            ];
            let provider = Provider::all(late);
            let gateway = Gateway::on(driver, direction, &provider);
            let mut client = gateway.client();
            let body = chat(direction.client, MODEL, true);
            client.send(post(path(direction.client), "", body));
            let mut got = client.head();
            provider.open();
            client.finish(&mut got);
            assert_eq!((got.status, got.end), (200, End::Cut), "{error}");
            let told = told_last(direction.client, got.text());
            assert_eq!(
                (&*told.kind, told.code.as_deref()),
                (*kind, *code),
                "{error}"
            );
            assert_eq!(told.message, *message, "{error}");
        }
    });
}

#[test]
fn a_body_that_breaks_behind_its_terminator_is_truncated_and_one_that_stays_open_is_not() {
    each_way(&DIRECTIONS, |driver, direction| {
        let all = [stream_head(), chunk(events(direction.upstream))].concat();
        let rows = [
            (
                "garbage",
                once([&all, &b"zz\r\n"[..]].concat()),
                Some("framing"),
            ),
            ("cut", then(all.clone(), Step::Close), Some("body_cut")),
            ("reset", then(all.clone(), Step::Reset), Some("body_cut")),
            ("silence", then(all, Step::Gate), None),
        ];
        for (row, script, fault) in rows {
            if direction.client == direction.upstream && fault.is_none() {
                // The body is the client's as well: it ends where the provider's ends.
                continue;
            }
            let provider = Provider::all(script);
            let gateway = Gateway::on(driver, direction, &provider);
            let got = ask(&gateway, direction, true);
            let text = got.text();
            let last = text.trim_end().rsplit("\n\n").next().unwrap();
            assert!(last.contains(end_mark(direction.client)), "{row}: {text}");
            let line = gateway.only_line();
            let expected = match fault {
                Some(_) => (End::Cut, "truncated"),
                None => (End::Whole, "complete"),
            };
            assert_eq!(
                (got.end, line["end"].as_str().unwrap()),
                expected,
                "{row}: {line}"
            );
            assert_eq!(line["fault"].as_str(), fault, "{row}: {line}");
        }
    });
}

#[test]
fn a_client_that_leaves_with_the_terminator_has_had_all() {
    each_way(&DIRECTIONS, |driver, direction| {
        let all = [stream_head(), chunk(events(direction.upstream))].concat();
        let provider = Provider::all(once(all));
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        let mut answer = client.head();
        client.until(&mut answer, end_mark(direction.client));
        client.leave();
        provider.wait_end(0);
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete", "{line}");
        assert!(line["fault"].is_null(), "{line}");
    });
}
