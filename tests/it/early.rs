//! Heads that go out before any provider has answered.

use ringway::wire::kind::Wire;

use crate::support::client::{Answer, Client, End};
use crate::support::directions::{DIRECTIONS, Direction, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, LAST_CHUNK, answer, chunk, post, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Script, Step, once};
use crate::support::wires::{
    WIRES, chat, error_body, error_event, events, finish, path, start_up, terminator, text,
    told_last, whole,
};

const EARLY: &str = "early_head_after_ms = 1";
const PING: &str = ": ping\n\n";

/// Takes a request, waits to be let on, and does this.
fn late(step: Step) -> Script {
    vec![Step::Request, Step::Gate, step]
}

fn late_answer(answer: impl Into<Vec<u8>>) -> Script {
    let mut script = late(Step::Send(answer.into()));
    script.push(Step::Again);
    script
}

/// Sends a streamed chat, and reads its head and the first comment before a provider says anything.
fn begun(gateway: &Gateway, wire: Wire) -> (Client, Answer) {
    let mut client = gateway.client();
    client.send(post(path(wire), "", chat(wire, MODEL, true)));
    let got = head_and_ping(&mut client);
    (client, got)
}

fn head_and_ping(client: &mut Client) -> Answer {
    let mut got = client.head();
    assert_eq!(got.status, 200);
    assert_eq!(
        got.field("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert!(got.field("x-ringway-request-id").is_some());
    client.until(&mut got, PING);
    got
}

#[test]
fn head_and_comments_go_out_and_the_stream_follows_them() {
    each_way(&DIRECTIONS, |driver, direction| {
        let Direction {
            client: wire,
            upstream,
        } = direction;
        let provider = Provider::all(late_answer(stream(events(upstream))));
        let gateway = Setup::upstream(driver, upstream, &provider)
            .server(EARLY)
            .limit("ping_interval_ms", 20)
            .start();
        let mut client = gateway.client();
        for round in 0..2 {
            client.send(post(path(wire), "", chat(wire, MODEL, true)));
            let mut got = head_and_ping(&mut client);
            client.until(&mut got, &PING.repeat(2));
            provider.wait_requests(round + 1);
            provider.open();
            client.finish(&mut got);
            assert_eq!(got.end, End::Whole, "{}", got.text());
            let said = got.text().trim_start_matches(PING);
            if direction.is_translated() {
                assert!(
                    said.contains("Hel") && said.ends_with(terminator(wire)),
                    "{said}"
                );
            } else {
                assert_eq!(said, events(wire));
            }
        }
        assert_eq!(provider.connections(), 1);
        for line in gateway.lines(2) {
            assert_eq!(
                (&line["status"], &line["end"], &line["early_head"]),
                (&200.into(), &"complete".into(), &true.into()),
                "{line}"
            );
            assert!(line["bytes_out"].as_u64().unwrap() > 400, "{line}");
        }
        assert_eq!(gateway.metric("ringway_early_heads_total"), 2.0);
    });
}

#[test]
fn a_byte_order_mark_behind_the_head_is_not_passed_on() {
    each_way(&DIRECTIONS, |driver, direction| {
        let Direction {
            client: wire,
            upstream,
        } = direction;
        let body = events(upstream);
        let parts = [&b"\xEF\xBB"[..], b"\xBF", body.as_bytes()];
        // At once and cut within the mark.
        let whole = Step::Send(stream(parts.concat()));
        let mut cut = stream_head();
        cut.extend(chunk(parts[0]));
        let rest = [chunk(parts[1]), chunk(parts[2]), LAST_CHUNK.to_vec()].concat();
        for steps in [
            vec![whole],
            vec![Step::Send(cut), Step::Gate, Step::Send(rest)],
        ] {
            let pieces = steps.len();
            let mut script = vec![Step::Request, Step::Gate];
            script.extend(steps);
            script.push(Step::Again);
            let provider = Provider::all(script);
            let gateway = Setup::upstream(driver, upstream, &provider)
                .server(EARLY)
                .limit("ping_interval_ms", 20)
                .start();
            let (mut client, mut got) = begun(&gateway, wire);
            for _ in 0..pieces {
                provider.wait_requests(1);
                provider.open();
            }
            client.finish(&mut got);
            assert_eq!(got.end, End::Whole, "{}", got.text());
            assert!(!got.text().contains('\u{feff}'), "{}", got.text());
            let said = got.text().trim_start_matches(PING);
            if !direction.is_translated() {
                assert_eq!(said, events(wire));
            }
            assert!(said.contains("Hel"), "{said}");
            assert_eq!(gateway.only_line()["end"], "complete");
        }
        // Without an early head every byte passes as it came.
        if !direction.is_translated() {
            let provider = Provider::answering(stream(parts.concat()));
            let gateway = Setup::upstream(driver, upstream, &provider).start();
            let body = chat(wire, MODEL, true);
            let got = gateway.client().ask(post(path(wire), "", body));
            assert_eq!(got.text().as_bytes(), parts.concat());
        }
    });
}

/// What goes wrong behind the head: its name, what the provider does, the message told, the end logged.
fn failures(upstream: Wire) -> [(&'static str, Step, &'static str, &'static str); 11] {
    const TOLD: &str = "upstream_error";
    const CUT: &str = "truncated";
    let error = || error_body(upstream, "some_error", "no luck");
    let fields = "content-type: application/json\r\nretry-after: 9\r\n";
    let status = |status: &str| Step::Send(answer(status, fields, error()));
    let json = |body: &str| Step::Send(http::json(body));
    let page = Step::Send(answer("200 OK", "content-type: text/html\r\n", "<html>"));
    let first_event = Step::Send(stream(error_event(upstream)));
    let garbage = Step::Send(b"garbage\r\n\r\n".to_vec());
    let half = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 9999\r\n\r\n{}",
        text(upstream, "Hel", true)
    );
    let half = Step::Send(half.into_bytes());
    let no_answer = "upstream connection ended before an answer";
    let neither = "upstream sent no answer of the kind that was asked for";
    let malformed = "upstream sent a malformed answer";
    let early = "upstream stream ended early";
    [
        ("429", status("429 Too Many Requests"), "no luck", TOLD),
        ("500", status("500 Internal Server Error"), "no luck", TOLD),
        ("400", status("400 Bad Request"), "no luck", TOLD),
        ("reset", Step::Reset, no_answer, CUT),
        ("closed", Step::Close, no_answer, CUT),
        ("page", page, neither, CUT),
        ("JSON", json(whole(upstream)), neither, CUT),
        ("an error as JSON", json(&error()), "no luck", TOLD),
        (
            "an error as the first event",
            first_event,
            "model melted",
            TOLD,
        ),
        ("garbage", garbage, malformed, CUT),
        ("half an answer", half, early, CUT),
    ]
}

#[test]
fn what_fails_behind_the_head_is_an_error_event_and_no_other_target_is_asked() {
    each_way(&DIRECTIONS, |driver, direction| {
        let Direction {
            client: wire,
            upstream,
        } = direction;
        for (row, step, message, end) in failures(upstream) {
            let mut script = late(step);
            script.push(Step::Close);
            let first = Provider::all(script);
            let second = Provider::answering(stream(events(wire)));
            let gateway = Setup::chain(driver, &[(upstream, &first), (wire, &second)])
                .server(EARLY)
                .start();
            let (mut client, mut got) = begun(&gateway, wire);
            first.wait_requests(1);
            first.open();
            client.finish(&mut got);
            assert_eq!(got.end, End::Cut, "{row}: {}", got.text());
            let said = told_last(wire, got.text());
            assert_eq!(said.message, message, "{row}");
            assert_eq!(
                got.text().matches("\"error\":{").count(),
                1,
                "{row}: {}",
                got.text()
            );
            assert!(!got.text().contains(terminator(wire)), "{row}");
            assert_eq!(second.connections(), 0, "{row}");
            let line = gateway.only_line();
            assert_eq!(
                (&line["status"], &line["end"], &line["stream"]),
                (&200.into(), &end.into(), &true.into()),
                "{row}: {line}"
            );
            assert!(line["fault"].is_string(), "{row}: {line}");
        }
    });
}

#[test]
fn lg10_behind_the_head_no_first_token_is_missed_for_another_target() {
    each_way(&DIRECTIONS, |driver, direction| {
        let Direction {
            client: wire,
            upstream,
        } = direction;
        let slow = Provider::all(late_answer(stream(events(upstream))));
        let other = Provider::answering(stream(events(upstream)));
        let gateway = Setup::new(driver)
            .server(EARLY)
            .limit("ping_interval_ms", 20)
            .limit("first_token_timeout_ms", 60)
            .provider("slow", upstream, &slow, "")
            .provider("other", upstream, &other, "")
            .model(MODEL, &["slow/up", "other/up"])
            .start();
        let (mut client, mut got) = begun(&gateway, wire);
        // These take longer than the first token may.
        client.until(&mut got, &PING.repeat(6));
        slow.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole, "{}", got.text());
        assert!(got.text().ends_with(terminator(wire)), "{}", got.text());
        assert_eq!((slow.requests().len(), other.requests().len()), (1, 0));
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete", "{line}");
        assert_eq!(gateway.metric("ringway_fallbacks_total"), 0.0);
    });
}

#[test]
fn an_answer_in_time_is_an_answer_with_its_status_and_the_next_target_has_its_try() {
    each_way(
        &DIRECTIONS,
        |driver,
         Direction {
             client: wire,
             upstream,
         }| {
            let failing = answer(
                "503 Service Unavailable",
                "content-type: application/json\r\n",
                error_body(upstream, "some_error", "no luck"),
            );
            let first = Provider::answering(failing);
            let second = Provider::all(late_answer(stream(events(wire))));
            let setup = |late: &str| {
                Setup::chain(driver, &[(upstream, &first), (wire, &second)]).server(late)
            };
            let gateway = setup("early_head_after_ms = 3600000").start();
            let mut client = gateway.client();
            client.send(post(path(wire), "", chat(wire, MODEL, true)));
            second.wait_requests(1);
            second.open();
            let got = client.answer();
            assert_eq!((got.status, got.text()), (200, events(wire).as_str()));
            assert!(gateway.only_line()["early_head"].is_null());
            assert_eq!(gateway.metric("ringway_early_heads_total"), 0.0);

            // The second one keeps the client waiting: its head does not come first.
            let gateway = setup("early_head_after_ms = 300").start();
            let (mut client, mut got) = begun(&gateway, wire);
            second.wait_requests(2);
            second.open();
            client.finish(&mut got);
            assert_eq!(got.end, End::Whole);
            assert_eq!(got.text().trim_start_matches(PING), events(wire));
            let line = gateway.only_line();
            assert_eq!(line["provider"], "p1", "{line}");

            let alone = Setup::upstream(driver, upstream, &first)
                .server("early_head_after_ms = 3600000")
                .start();
            let body = chat(wire, MODEL, true);
            let got = alone.client().ask(post(path(wire), "", body));
            assert_eq!(got.status, 503);
            assert!(got.text().contains("no luck"), "{}", got.text());
        },
    );
}

#[test]
fn a_code_of_the_openai_wire_is_told_behind_the_head_in_the_providers_word() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let error = |code: &str| {
            format!(
                "{{\"error\":{{\"message\":\"no luck\",\"type\":\"x\",\"param\":null,\"code\":{code}}}}}"
            )
        };
        let fields = "content-type: application/json\r\n";
        let refused = |code: &str| answer("400 Bad Request", fields, error(code));
        for (got, expected) in [
            (
                refused("\"context_length_exceeded\""),
                Some("context_length_exceeded"),
            ),
            (refused("\"of_its_own\""), Some("of_its_own")),
            (refused("400"), None),
            (refused("null"), None),
            (
                http::json(error("\"content_filter\"")),
                Some("content_filter"),
            ),
        ] {
            let mut script = late(Step::Send(got));
            script.push(Step::Close);
            let provider = Provider::all(script);
            let gateway = Setup::upstream(driver, wire, &provider)
                .server(EARLY)
                .start();
            let (mut client, mut got) = begun(&gateway, wire);
            provider.wait_requests(1);
            provider.open();
            client.finish(&mut got);
            let said = told_last(wire, got.text());
            assert_eq!(
                (&*said.message, said.code.as_deref()),
                ("no luck", expected)
            );
        }
    });
}

#[test]
fn a_stream_that_is_held_back_is_let_go_when_the_early_head_would_be_due() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let content = text(upstream, "Hel", true);
        let end = [finish(upstream), terminator(upstream)].concat();
        let first = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(start_up(upstream))].concat()),
            Step::Gate,
            Step::Send([chunk(content + &end), LAST_CHUNK.to_vec()].concat()),
        ]);
        let second = Provider::answering(stream(events(client)));
        let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)])
            .server("early_head_after_ms = 300")
            .start();
        let mut reader = gateway.client();
        reader.send(post(path(client), "", chat(client, MODEL, true)));
        let mut got = reader.head();
        first.open();
        reader.finish(&mut got);
        assert_eq!(got.end, End::Whole, "{}", got.text());
        assert!(got.text().contains("Hel"), "{}", got.text());
        assert_eq!(second.connections(), 0);
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete", "{line}");
        // Where the provider was in time its own head came, with all it says.
        if line["early_head"].is_null() {
            assert_eq!(got.field("x-ringway-model"), Some("up-0"));
        }
    });
}

#[test]
fn whole_answers_counts_and_models_that_say_nought_wait_for_their_status() {
    each(|driver| {
        for wire in WIRES {
            let body = error_body(wire, "some_error", "no luck");
            let fields = "content-type: application/json\r\n";
            let provider = Provider::all(late_answer(answer("500 Oh", fields, body)));
            let gateway = Setup::upstream(driver, wire, &provider)
                .server(EARLY)
                .text("[[model]]\nid = \"patient\"\nearly_head_after_ms = 0\ntargets = [\"up/x\"]")
                .start();
            let mut asked = vec![
                post(path(wire), "", chat(wire, MODEL, false)),
                post(path(wire), "", chat(wire, "patient", true)),
            ];
            if wire == Wire::AnthropicMessages {
                let counted = chat(wire, MODEL, true);
                asked.push(post("/v1/messages/count_tokens", "", counted));
            }
            for (number, request) in asked.into_iter().enumerate() {
                let mut client = gateway.client();
                client.send(request);
                provider.wait_requests(number + 1);
                assert!(client.is_quiet(core::time::Duration::from_millis(50)));
                provider.open();
                assert_eq!(client.answer().status, 500);
            }
        }
        let provider = Provider::all(late_answer(stream(events(Wire::OpenAiChat))));
        let gateway = Setup::new(driver)
            .provider("up", Wire::OpenAiChat, &provider, "")
            .text(&format!(
                "[[model]]\nid = {MODEL:?}\n{EARLY}\ntargets = [\"up/x\"]"
            ))
            .start();
        let (mut client, mut got) = begun(&gateway, Wire::OpenAiChat);
        provider.wait_requests(1);
        provider.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole);
    });
}

#[test]
fn a_client_that_leaves_behind_the_head_ends_the_request_upstream() {
    each_way(
        &DIRECTIONS,
        |driver,
         Direction {
             client: wire,
             upstream,
         }| {
            let provider = Provider::all(once(""));
            let gateway = Setup::upstream(driver, upstream, &provider)
                .server(EARLY)
                .start();
            let (client, _) = begun(&gateway, wire);
            provider.wait_requests(1);
            client.leave();
            provider.wait_end(0);
            let line = gateway.only_line();
            assert_eq!(
                (&line["end"], &line["fault"], &line["status"]),
                (&"cancelled".into(), &"client_gone".into(), &200.into()),
                "{line}"
            );
        },
    );
}

#[test]
fn a_client_of_http_1_0_gets_the_same_until_the_connection_ends() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::all(late_answer(stream(events(wire))));
            let gateway = Setup::upstream(driver, wire, &provider)
                .server(EARLY)
                .start();
            let body = chat(wire, MODEL, true);
            let mut client = gateway.client();
            client.send(format!(
                "POST {} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}",
                path(wire),
                body.len()
            ));
            let mut got = head_and_ping(&mut client);
            assert_eq!(got.field("transfer-encoding"), None);
            provider.wait_requests(1);
            provider.open();
            client.finish(&mut got);
            assert_eq!(got.end, End::Closed);
            assert_eq!(got.text().trim_start_matches(PING), events(wire));
        }
    });
}

#[test]
fn a_head_that_no_provider_follows_in_time_ends_in_a_timeout() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::all(late(Step::Close));
            let gateway = Setup::new(driver)
                .server(EARLY)
                .provider("up", wire, &provider, "answer_head_timeout_ms = 150")
                .model(MODEL, &["up/x"])
                .start();
            let (mut client, mut got) = begun(&gateway, wire);
            client.finish(&mut got);
            assert_eq!(got.end, End::Cut);
            let said = told_last(wire, got.text());
            assert_eq!(said.message, "upstream did not answer in time");
            assert_eq!(gateway.only_line()["fault"], "head_timeout");
        }
    });
}
