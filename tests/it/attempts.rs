//! What is kept between the attempts of one request, and between requests: the retry budget,
//! cool-downs, deadlines, the record.

use ringway::wire::kind::Wire;

use crate::support::client::End;
use crate::support::directions::{DIRECTIONS, Direction, Driver, SAME_WIRE, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{LAST_CHUNK, answer, chunk, json, post, request, stream, stream_head};
use crate::support::provider::{ClosedPort, Provider};
use crate::support::routes::ask_chat;
use crate::support::script::{Step, always, once, then};
use crate::support::wait;
use crate::support::wires::{
    WIRES, chat, error_body, error_event, events, finish, path, start_up, terminator, text, told,
    whole,
};

/// A stream that begins, as providers' do when they are ill, and breaks at once.
fn ill_start(wire: Wire) -> Vec<u8> {
    stream([start_up(wire), error_event(wire)].concat())
}

/// The frames with which a tool call opens, no argument yet; and, where the wire has them, those of
/// a tool that the provider runs itself.
fn tool_starts(wire: Wire) -> Vec<String> {
    match wire {
        Wire::OpenAiChat => vec![
            "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"up-model\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]},\"finish_reason\":null}]}\n\n".to_owned(),
        ],
        Wire::AnthropicMessages => [("tool_use", "toolu_1"), ("server_tool_use", "srvtoolu_1")]
            .map(|(kind, id)| {
                format!(
                    "event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"{kind}\",\"id\":\"{id}\",\"name\":\"f\",\"input\":{{}}}}}}\n\n"
                )
            })
            .to_vec(),
    }
}

#[test]
fn d9_a_failed_attempts_deltas_neither_release_the_next_stream_nor_stay_in_the_record() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        // Content and an error in one read: nothing of it was sent, so it is thrown away.
        let begun = [
            start_up(upstream),
            &text(upstream, "BAD", true),
            error_event(upstream),
        ];
        let first = Provider::all(once(stream(begun.concat())));
        let second = Provider::all(once(ill_start(upstream)));
        let third = Provider::all(always(stream(events(client))));
        let targets = [(upstream, &first), (upstream, &second), (client, &third)];
        let gateway = Setup::chain(driver, &targets).start();
        let got = ask_chat(&gateway, client, true);
        assert_eq!(
            (got.status, got.text(), got.end),
            (200, &*events(client), End::Whole)
        );
        let line = gateway.only_line();
        assert_eq!(line["attempts"].as_array().unwrap().len(), 3, "{line}");
        assert_eq!(line["deltas"], 2, "{line}");
        let frames = events(client).matches("data: ").count();
        assert_eq!(line["events"], frames, "{line}");
    });
}

#[test]
fn ni12_the_start_of_a_tool_call_is_content_that_ends_the_hold() {
    each_way(&SAME_WIRE, |driver, Direction { client, upstream }| {
        for start in tool_starts(upstream) {
            let first = Provider::all(vec![
                Step::Request,
                Step::Send(stream_head()),
                Step::Send(chunk([start_up(upstream), &start].concat())),
                Step::Gate,
                Step::Send(chunk([finish(upstream), terminator(upstream)].concat())),
                Step::Send(LAST_CHUNK.to_vec()),
            ]);
            let second = Provider::all(always(stream(events(client))));
            let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)]).start();
            let mut reader = gateway.client();
            reader.send(post(path(client), "", chat(client, MODEL, true)));
            let mut got = reader.head();
            reader.until(&mut got, &start);
            first.open();
            reader.finish(&mut got);
            assert_eq!(got.end, End::Whole);
            assert_eq!(second.connections(), 0);
        }
    });
}

#[test]
fn p11_without_retries_left_a_streams_own_error_is_shown() {
    each_way(&SAME_WIRE, |driver, Direction { client, upstream }| {
        let first = Provider::all(always(ill_start(upstream)));
        let second = Provider::all(always(stream(events(client))));
        let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)])
            .limit("retry_budget_percent", 0)
            .limit("cooldown_ms", 0)
            .start();
        // Ten retries are free.
        for _ in 0..10 {
            assert_eq!(ask_chat(&gateway, client, true).text(), events(client));
        }
        let got = ask_chat(&gateway, client, true);
        let own = [start_up(upstream), error_event(upstream)].concat();
        assert_eq!((got.status, got.text(), got.end), (200, &*own, End::Cut));
        assert_eq!(second.requests().len(), 10);
        let line = &gateway.lines(11)[10];
        assert_eq!(line["end"], "upstream_error", "{line}");
        assert_eq!(line["attempts"].as_array().unwrap().len(), 1, "{line}");
    });
}

#[test]
fn a_head_alone_is_no_success_and_an_answer_that_breaks_at_its_start_moves_its_target_back() {
    each_way(&SAME_WIRE, |driver, Direction { client, upstream }| {
        let cut = [
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n",
            whole(upstream),
        ];
        let rows = [
            ("a stream", true, once(ill_start(upstream))),
            ("a whole answer", false, then(cut.concat(), Step::Close)),
        ];
        for (row, streamed, script) in rows {
            let first = Provider::all(script);
            let good = match streamed {
                true => stream(events(client)),
                false => json(whole(client)),
            };
            let second = Provider::all(always(good));
            // With one attempt a request there is nothing to hold back for.
            let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)])
                .limit("attempts_max", 1)
                .limit("cooldown_ms", 60_000)
                .start();
            assert_eq!(ask_chat(&gateway, client, streamed).end, End::Cut, "{row}");
            assert_eq!(
                ask_chat(&gateway, client, streamed).end,
                End::Whole,
                "{row}"
            );
            assert_eq!(
                (first.requests().len(), second.requests().len()),
                (1, 1),
                "{row}"
            );
        }
    });
}

#[test]
fn a_stream_that_breaks_behind_its_content_leaves_its_target_in_place() {
    each_way(&SAME_WIRE, |driver, Direction { client, upstream }| {
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let start = [stream_head(), chunk(begun)].concat();
        let mut script = then(start, Step::Gate);
        script.push(Step::Reset);
        let first = Provider::all(script);
        let second = Provider::all(always(stream(events(client))));
        let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)])
            .limit("cooldown_ms", 60_000)
            .start();
        for _ in 0..2 {
            let mut reader = gateway.client();
            reader.send(post(path(client), "", chat(client, MODEL, true)));
            let mut got = reader.head();
            reader.until(&mut got, "Hel");
            first.open();
            reader.finish(&mut got);
            assert_eq!(got.end, End::Cut);
        }
        assert_eq!((first.requests().len(), second.requests().len()), (2, 0));
    });
}

#[test]
fn a_healthy_second_target_answers_however_few_retries_there_are() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let busy = answer("429 Too Many Requests", "", "{}");
        let ill = Provider::all(always(busy));
        let well = Provider::all(always(json(whole(wire))));
        let gateway = Setup::chain(driver, &[(wire, &ill), (wire, &well)])
            .limit("retry_budget_percent", 0)
            .limit("cooldown_ms", 60_000)
            .start();
        for _ in 0..30 {
            assert_eq!(ask_chat(&gateway, wire, false).status, 200);
        }
        // It stays behind, whatever the second one answers: one retry was spent.
        assert_eq!((ill.requests().len(), well.requests().len()), (1, 30));
        assert_eq!(gateway.metric("ringway_fallbacks_total"), 1.0);
    });
}

/// A gateway whose models are each at a provider of their own with a timeout of its own.
fn timed(driver: Driver, models: &[(&str, &Provider, u64)]) -> Gateway {
    let mut setup = Setup::new(driver);
    for (name, provider, ms) in models {
        let own = format!("answer_head_timeout_ms = {ms}");
        let target = format!("{name}/x");
        setup = setup
            .provider(name, Wire::OpenAiChat, provider, &own)
            .model(name, &[&target]);
    }
    setup.start()
}

#[test]
fn writing_the_request_counts_against_the_wait_for_the_answers_head() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        // Reads nothing until it is told to, then says nothing.
        let slow = Provider::all(vec![Step::Gate, Step::Request]);
        let silent = Provider::all(once(""));
        let models = [
            ("slow", &slow, 900),
            ("later", &silent, 1_100),
            ("first", &silent, 300),
        ];
        let gateway = timed(driver, &models);
        let ask = |model: &str, text: &str| {
            let mut client = gateway.client();
            let body = chat(wire, model, false).replace("Say hello.", text);
            client.send(post(path(wire), "", body));
            client
        };
        let mut of_slow = ask("slow", &"x".repeat(8 << 20));
        wait::until("a connection", || (slow.connections() == 1).then_some(()));
        let mut of_later = ask("later", "");
        let mut of_first = ask("first", "");
        assert_eq!(of_first.answer().status, 504);
        slow.open();
        slow.wait_requests(1);
        assert_eq!(of_slow.answer().status, 504);
        assert_eq!(of_later.answer().status, 504);
        // In the order of their ends: a wait that began anew once all was written would be last.
        let asked = gateway
            .lines(3)
            .into_iter()
            .map(|line| line["model_asked"].clone());
        assert_eq!(asked.collect::<Vec<_>>(), ["first", "slow", "later"]);
    });
}

#[test]
fn all_attempts_of_a_request_share_one_deadline() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let busy = answer("503 Service Unavailable", "retry-after: 9\r\n", "{}");
        let silent = Provider::all(once(""));
        let ill = Provider::all(always(busy));
        // Its own timeout ends the first attempt, behind the deadline: no further one is begun.
        let well = Provider::all(always(json(whole(wire))));
        let gateway = Setup::chain(driver, &[(wire, &silent), (wire, &well)])
            .limit("answer_head_timeout_ms", 300)
            .limit("attempts_timeout_ms", 200)
            .start();
        assert_eq!(ask_chat(&gateway, wire, false).status, 504);
        assert_eq!(well.connections(), 0);
        // Ahead of it: one is.
        let gateway = Setup::new(driver)
            .provider("p0", wire, &silent, "answer_head_timeout_ms = 300")
            .provider("p1", wire, &well, "")
            .model(MODEL, &["p0/x", "p1/x"])
            .limit("attempts_timeout_ms", 60_000)
            .start();
        assert_eq!(ask_chat(&gateway, wire, false).status, 200);
        // The deadline ends a further attempt whose own timeout is longer than this test may take.
        let gateway = Setup::chain(driver, &[(wire, &ill), (wire, &silent)])
            .limit("attempts_timeout_ms", 300)
            .start();
        assert_eq!(ask_chat(&gateway, wire, false).status, 504);
        let line = gateway.only_line();
        assert_eq!(line["attempts"][1]["fault"], "head_timeout", "{line}");
    });
}

#[test]
fn the_deadline_of_all_attempts_does_not_end_the_first() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let script = vec![Step::Request, Step::Gate, Step::Send(json(whole(wire)))];
        let slow = Provider::all(script);
        let silent = Provider::all(once(""));
        let gateway = Setup::chain(driver, &[(wire, &slow), (wire, &silent)])
            .provider("silent", wire, &silent, "answer_head_timeout_ms = 400")
            .limit("attempts_timeout_ms", 100)
            .start();
        let mut client = gateway.client();
        client.send(post(path(wire), "", chat(wire, MODEL, false)));
        slow.wait_requests(1);
        // Long enough for the deadline to have passed.
        let body = chat(wire, "silent/x", false);
        let got = gateway.client().ask(post(path(wire), "", body));
        assert_eq!(got.status, 504, "{}", got.text());
        slow.open();
        assert_eq!(client.answer().status, 200);
    });
}

#[test]
fn a_stream_is_not_held_past_the_deadline_of_all_attempts() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let rest = [
            &*text(upstream, "Hel", true),
            finish(upstream),
            terminator(upstream),
        ];
        let first = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(start_up(upstream))].concat()),
            Step::Gate,
            Step::Send([chunk(rest.concat()), LAST_CHUNK.to_vec()].concat()),
        ]);
        let second = Provider::all(always(stream(events(client))));
        let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)])
            .limit("attempts_timeout_ms", 200)
            .start();
        let mut reader = gateway.client();
        reader.send(post(path(client), "", chat(client, MODEL, true)));
        // Its head comes although no content has.
        let mut got = reader.head();
        first.open();
        reader.finish(&mut got);
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        assert!(got.text().contains("Hel"), "{}", got.text());
        assert_eq!(second.connections(), 0);
    });
}

#[test]
fn an_upload_that_a_fresh_connection_loses_is_no_stale_one() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::all(vec![Step::Head, Step::Reset]);
        let gateway = Gateway::before(driver, wire, &provider);
        let fields = "content-type: application/octet-stream\r\n";
        let body = vec![0; 4 << 20];
        let got = gateway
            .client()
            .ask(request("POST", "/v1/files", fields, body));
        assert_eq!(got.status, 502);
        let line = gateway.only_line();
        assert_eq!(
            (&line["fault"], &line["attempts"][0]["fault"]),
            (&"reset".into(), &"reset".into())
        );
    });
}

#[test]
fn refusals_that_no_further_try_can_cure_say_so_and_providers_errors_are_left_alone() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let good = chat(wire, MODEL, false);
        let provider = Provider::all(always(json(whole(wire))));
        let gateway = Setup::upstream(driver, wire, &provider)
            .key("rk-0123456789abcdef0123456789abcdef", "t", None)
            .start();
        let key = "authorization: Bearer rk-0123456789abcdef0123456789abcdef\r\n";
        let gzip = [key, "content-encoding: gzip\r\n"].concat();
        let rows = [
            (401, post(path(wire), "", &good)),
            (400, post(path(wire), key, "{")),
            (404, post(path(wire), key, chat(wire, "unknown", false))),
            (404, post("/unknown", key, &good)),
            (405, request("GET", path(wire), key, "")),
            (415, post(path(wire), &gzip, &good)),
            (
                413,
                format!(
                    "POST {} HTTP/1.1\r\nhost: x\r\n{key}content-length: 99999999\r\n\r\n",
                    path(wire)
                )
                .into_bytes(),
            ),
            (400, b"nonsense\r\n\r\n".to_vec()),
        ];
        for (status, request) in rows {
            let got = gateway.client().ask(request);
            assert_eq!(
                (got.status, got.field("x-should-retry")),
                (status, Some("false"))
            );
            told(wire, &got);
        }
        assert_eq!(provider.connections(), 0);
        for client in WIRES {
            for status in [
                "400 Bad Request",
                "401 Unauthorized",
                "404 Not Found",
                "503 Busy",
            ] {
                let own = answer(
                    status,
                    "content-type: application/json\r\n",
                    error_body(wire, "x", "no"),
                );
                let provider = Provider::answering(own);
                let got = ask_chat(&Gateway::before(driver, wire, &provider), client, false);
                assert_eq!(got.status.to_string(), status[..3]);
                assert_eq!(got.field("x-should-retry"), None, "{status}");
            }
        }
        let closed = ClosedPort::bind();
        let gateway = Setup::new(driver)
            .provider_at("p", wire, &closed.origin(), "key = \"none\"")
            .model(MODEL, &["p/x"])
            .start();
        let got = ask_chat(&gateway, wire, false);
        assert_eq!((got.status, got.field("x-should-retry")), (502, None));
    });
}

#[test]
fn a_relayed_request_that_was_delivered_is_sent_again_only_where_that_does_no_harm() {
    each(|driver| {
        for (method, end, is_sent_again) in [
            ("POST", Step::Reset, false),
            ("POST", Step::Close, false),
            ("PATCH", Step::Reset, false),
            ("GET", Step::Reset, true),
            ("GET", Step::Close, true),
            ("PUT", Step::Reset, true),
            ("DELETE", Step::Close, true),
        ] {
            let row = format!("{method} {end:?}");
            // The second request has been read whole when the connection ends.
            let first = vec![Step::Request, Step::Send(json("{}")), Step::Request, end];
            let provider = Provider::start(vec![first, always(json("{}"))]);
            let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
            let mut client = gateway.client();
            let got = client.ask(request("GET", "/v1/batches", "", ""));
            assert_eq!(got.status, 200, "{row}");
            let body = if method == "GET" {
                ""
            } else {
                r#"{"input_file_id":"f"}"#
            };
            let fields = "content-type: application/json\r\n";
            let got = client.ask(request(method, "/v1/batches/b", fields, body));
            let (status, requests) = if is_sent_again { (200, 3) } else { (502, 2) };
            assert_eq!(got.status, status, "{row}: {}", got.text());
            assert_eq!(provider.requests().len(), requests, "{row}");
            let stale = gateway.metric("ringway_stale_retries_total");
            assert!((stale > 0.0) == is_sent_again, "{row}");
        }
    });
}

#[test]
fn p11_a_provider_that_drops_all_connections_costs_no_request_that_another_target_can_answer() {
    const REQUESTS: usize = 64;
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = Provider::all(vec![Step::Request, Step::Gate, Step::Reset]);
        let second = Provider::answering(json(whole(wire)));
        let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)]).start();
        let mut clients: Vec<_> = (0..REQUESTS).map(|_| gateway.client()).collect();
        for client in &mut clients {
            client.send(post(path(wire), "", chat(wire, MODEL, false)));
        }
        first.wait_requests(REQUESTS);
        for _ in 0..REQUESTS {
            first.open();
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let got = client.answer();
            assert_eq!(got.status, 200, "client {number}: {}", got.text());
        }
    });
}

#[test]
fn p11_stale_connections_and_other_lists_of_targets_use_up_no_retries() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let busy = answer("503 Service Unavailable", "", "{}");
        let (down, up) = (
            Provider::answering(busy),
            Provider::answering(json(whole(wire))),
        );
        let stale = vec![
            Step::Request,
            Step::Send(json(whole(wire))),
            Step::Request,
            Step::Reset,
        ];
        let fragile = Provider::start([vec![stale; 12], vec![always(json(whole(wire)))]].concat());
        let gateway = Setup::new(driver)
            .provider("down", wire, &down, "")
            .provider("up", wire, &up, "")
            .provider("fragile", wire, &fragile, "")
            .model("sick", &["down/a", "down/b"])
            .model("calm", &["down/a", "up/b"])
            .model("lone", &["fragile/a"])
            .limit("retry_budget_percent", 0)
            .limit("cooldown_ms", 0)
            .start();
        let ask = |model: &str| {
            let body = chat(wire, model, false);
            gateway.client().ask(post(path(wire), "", body)).status
        };
        // More often than there are retries.
        for _ in 0..12 {
            assert_eq!(ask("sick"), 503);
        }
        for number in 0..12 {
            assert_eq!(ask("lone"), 200, "{number}");
        }
        for number in 0..10 {
            assert_eq!(ask("calm"), 200, "{number}");
        }
        assert_eq!(down.requests().len(), 12 + 10 + 10);
    });
}

#[test]
fn p11_requests_that_all_fail_are_tried_again_no_more_often_than_were_under_way() {
    const ROUNDS: usize = 10;
    const TOGETHER: usize = 20;
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let busy = || Provider::answering(answer("503 Service Unavailable", "", "{}"));
        let (first, second) = (busy(), busy());
        let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)]).start();
        for _ in 0..ROUNDS {
            let mut clients: Vec<_> = (0..TOGETHER).map(|_| gateway.client()).collect();
            for client in &mut clients {
                client.send(post(path(wire), "", chat(wire, MODEL, false)));
            }
            for client in &mut clients {
                assert_eq!(client.answer().status, 503);
            }
        }
        let attempts = first.requests().len() + second.requests().len();
        let requests = ROUNDS * TOGETHER;
        // Where the minute ends meanwhile, another one's retries are there.
        assert!(attempts > requests, "{attempts}");
        assert!(attempts <= requests + 2 * TOGETHER, "{attempts}");
    });
}
