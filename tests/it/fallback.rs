//! From one target to the next: when, when not, and what is told in the end.

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::End;
use crate::support::directions::{
    CROSSED, DIRECTIONS, Direction, Driver, SAME_WIRE, each, each_way,
};
use crate::support::gateway::{MODEL, Setup};
use crate::support::http::{LAST_CHUNK, answer, chunk, json, post, stream, stream_head};
use crate::support::provider::{ClosedPort, Provider};
use crate::support::routes::ask_chat;
use crate::support::script::{Script, Step, always, once, then};
use crate::support::wires::{
    WIRES, chat, error_body, error_event, events, finish, path, start_up, terminator, text, told,
    told_last, whole,
};

/// The good answer of a provider that is asked in this way.
fn good(wire: Wire, stream_asked: bool) -> Script {
    if stream_asked {
        always(stream(events(wire)))
    } else {
        always(json(whole(wire)))
    }
}

fn failing(status: &str, wire: Wire) -> Script {
    let fields = "content-type: application/json\r\nretry-after: 9\r\n";
    always(answer(
        status,
        fields,
        error_body(wire, "some_error", "no luck"),
    ))
}

/// First targets that fail in a way that lets the next one have a try, and the words for it.
fn failures(wire: Wire) -> Vec<(&'static str, Script, &'static str)> {
    vec![
        ("reset", then("", Step::Reset), "reset"),
        ("closed", then("", Step::Close), "reset"),
        (
            "reset amid the head",
            then("HTTP/1.1 2", Step::Reset),
            "reset",
        ),
        ("silent", once(""), "head_timeout"),
        ("garbage", then("garbage\r\n\r\n", Step::Close), "framing"),
        ("429", failing("429 Too Many Requests", wire), "status"),
        ("500", failing("500 Internal Server Error", wire), "status"),
        ("503", failing("503 Service Unavailable", wire), "status"),
        ("F3 529", failing("529 Overloaded", wire), "status"),
        (
            "F9 401 for our key",
            failing("401 Unauthorized", wire),
            "credential",
        ),
    ]
}

#[test]
fn h2_f3_failures_before_commit_go_to_the_next_target_which_may_speak_the_other_wire() {
    each_way(&DIRECTIONS, |driver, direction| {
        // The client speaks `client`, and so does the first target; the second speaks `upstream`.
        let Direction { client, upstream } = direction;
        for (row, script, word) in failures(client) {
            let first = Provider::all(script);
            for streamed in [false, true] {
                let second = Provider::all(good(upstream, streamed));
                let patience = match word {
                    "head_timeout" => "answer_head_timeout_ms = 150",
                    _ => "",
                };
                let gateway = Setup::new(driver)
                    .provider("p0", client, &first, patience)
                    .provider("p1", upstream, &second, "")
                    .model(MODEL, &["p0/up-0", "p1/up-1"])
                    .start();
                let got = ask_chat(&gateway, client, streamed);
                assert_eq!(
                    (got.status, got.end),
                    (200, End::Whole),
                    "{row}: {}",
                    got.text()
                );
                assert!(got.text().contains("Hel"), "{row}: {}", got.text());
                assert_eq!(got.field("retry-after"), None, "{row}");
                let body: Value = serde_json::from_slice(&second.only_request().body).unwrap();
                assert_eq!(body["model"], "up-1", "{row}");
                let line = gateway.only_line();
                let attempts = line["attempts"].as_array().unwrap();
                assert_eq!(attempts.len(), 2, "{row}: {line}");
                assert_eq!(attempts[0]["fault"], word, "{row}: {line}");
                assert_eq!(
                    (&attempts[0]["provider"], &attempts[1]["provider"]),
                    (&"p0".into(), &"p1".into())
                );
                assert_eq!(
                    (&line["end"], &line["provider"]),
                    (&"complete".into(), &"p1".into())
                );
                assert_eq!(gateway.metric("ringway_fallbacks_total"), 1.0);
            }
        }
    });
}

#[test]
fn connect_refused_goes_to_the_next_target() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let closed = ClosedPort::bind();
        let second = Provider::all(good(upstream, false));
        let gateway = Setup::new(driver)
            .provider_at("p0", client, &closed.origin(), "key = \"none\"")
            .provider("p1", upstream, &second, "")
            .model(MODEL, &["p0/x", "p1/x"])
            .start();
        let got = ask_chat(&gateway, client, false);
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(gateway.only_line()["attempts"][0]["fault"], "connect");
    });
}

#[test]
fn d9_an_error_in_the_start_up_frames_is_held_back_and_the_next_target_answers() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let held = [start_up(upstream), error_event(upstream)].concat();
        let cut = [stream_head(), chunk(start_up(upstream))].concat();
        let empty = [stream_head(), LAST_CHUNK.to_vec()].concat();
        let rows: [(&str, Script, &str); 4] = [
            ("an error", once(stream(&held)), "stream_error"),
            (
                "an error at once",
                once(stream(error_event(upstream))),
                "stream_error",
            ),
            ("a reset", then(cut, Step::Reset), "body_cut"),
            ("an empty stream", once(empty), "body_cut"),
        ];
        for (row, script, word) in rows {
            // The first target speaks `upstream`, the second the client's own wire.
            let first = Provider::all(script);
            let second = Provider::all(good(client, true));
            let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)]).start();
            let got = ask_chat(&gateway, client, true);
            assert_eq!(
                (got.status, got.text(), got.end),
                (200, &*events(client), End::Whole),
                "{row}"
            );
            let line = gateway.only_line();
            assert_eq!(line["attempts"][0]["fault"], word, "{row}: {line}");
            assert_eq!(line["end"], "complete", "{row}");
        }
    });
}

#[test]
fn a_healthy_stream_with_a_next_target_is_let_go_with_its_first_content() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let first = Provider::all(vec![
            Step::Request,
            Step::Send(stream_head()),
            Step::Send(chunk(start_up(upstream))),
            Step::Gate,
            Step::Send(chunk(text(upstream, "Hel", true))),
            Step::Gate,
            Step::Send(chunk(
                [
                    &*text(upstream, "lo", false),
                    finish(upstream),
                    terminator(upstream),
                ]
                .concat(),
            )),
            Step::Send(LAST_CHUNK.to_vec()),
        ]);
        let second = Provider::all(good(client, true));
        let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)]).start();
        let mut reader = gateway.client();
        reader.send(post(path(client), "", chat(client, MODEL, true)));
        first.wait_requests(1);
        first.open();
        let mut got = reader.head();
        reader.until(&mut got, "Hel");
        first.open();
        reader.finish(&mut got);
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        assert_eq!(second.connections(), 0);
    });
}

#[test]
fn without_a_next_target_start_up_frames_are_not_held() {
    each_way(&SAME_WIRE, |driver, Direction { client, upstream }| {
        let script = vec![
            Step::Request,
            Step::Send([stream_head(), chunk(start_up(upstream))].concat()),
            Step::Gate,
            Step::Send(chunk(error_event(upstream))),
            Step::Send(LAST_CHUNK.to_vec()),
        ];
        let provider = Provider::all(script);
        let gateway = Setup::chain(driver, &[(upstream, &provider)]).start();
        let mut reader = gateway.client();
        reader.send(post(path(client), "", chat(client, MODEL, true)));
        let mut got = reader.head();
        reader.until(&mut got, start_up(upstream));
        provider.open();
        reader.finish(&mut got);
        assert_eq!(got.end, End::Cut);
        assert_eq!(provider.connections(), 1);
    });
}

#[test]
fn d3_after_commit_there_is_no_further_attempt() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let start = [stream_head(), chunk(begun)].concat();
        let mut script = then(start, Step::Gate);
        script.push(Step::Reset);
        let first = Provider::all(script);
        let second = Provider::all(good(client, true));
        let gateway = Setup::chain(driver, &[(upstream, &first), (client, &second)]).start();
        let mut reader = gateway.client();
        reader.send(post(path(client), "", chat(client, MODEL, true)));
        let mut got = reader.head();
        reader.until(&mut got, "Hel");
        first.open();
        reader.finish(&mut got);
        assert_eq!(got.end, End::Cut);
        told_last(client, got.text());
        assert_eq!(gateway.only_line()["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(second.connections(), 0);
    });
}

#[test]
fn ni12_allow_fallbacks_false_pins_to_the_first_target() {
    each(|driver| {
        for wire in WIRES {
            let first = Provider::all(failing("529 Overloaded", wire));
            let second = Provider::all(good(wire, false));
            let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)]).start();
            let body = chat(wire, MODEL, false);
            let pinned = body.replace("\"stream\"", "\"allow_fallbacks\":false,\"stream\"");
            for _ in 0..2 {
                let got = gateway.client().ask(post(path(wire), "", &pinned));
                assert_eq!(got.status, 529, "the provider's own answer");
                assert!(got.text().contains("no luck"));
                assert_eq!(got.field("retry-after"), Some("9"));
            }
            assert_eq!(second.connections(), 0);
            let allowed = body.replace("\"stream\"", "\"allow_fallbacks\":true,\"stream\"");
            let got = gateway.client().ask(post(path(wire), "", allowed));
            assert_eq!(got.status, 200);
            for request in [first.requests(), second.requests()].concat() {
                assert!(
                    !String::from_utf8(request.body)
                        .unwrap()
                        .contains("fallbacks")
                );
            }
        }
    });
}

#[test]
fn f1_when_all_targets_fail_the_last_ones_own_answer_is_returned() {
    each(|driver| {
        for wire in WIRES {
            let first = Provider::all(then("", Step::Reset));
            let second = Provider::all(failing("429 Too Many Requests", wire));
            let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)]).start();
            let got = ask_chat(&gateway, wire, true);
            assert_eq!(got.status, 429);
            assert!(got.text().contains("no luck"));
            assert_eq!(got.field("retry-after"), Some("9"));
            assert_eq!(got.field("content-type"), Some("application/json"));
        }
    });
}

#[test]
fn cool_downs_only_reorder_and_a_lone_target_is_asked_every_time() {
    each(|driver| {
        for wire in WIRES {
            let first = Provider::start(vec![failing("529 Overloaded", wire)]);
            let second = Provider::all(good(wire, false));
            let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)])
                .limit("cooldown_ms", 60_000)
                .start();
            for _ in 0..3 {
                assert_eq!(ask_chat(&gateway, wire, false).status, 200);
            }
            // The first request found the first target ill; the others went past it.
            assert_eq!(first.requests().len(), 1);
            assert_eq!(second.requests().len(), 3);
            let lone = Provider::all(failing("529 Overloaded", wire));
            let gateway = Setup::chain(driver, &[(wire, &lone)])
                .limit("cooldown_ms", 60_000)
                .start();
            for _ in 0..3 {
                let got = ask_chat(&gateway, wire, false);
                assert_eq!((got.status, got.field("retry-after")), (529, Some("9")));
            }
            assert_eq!(lone.requests().len(), 3, "exactly one attempt each");
        }
    });
}

/// Two models at one provider, and one elsewhere: what a failure of the first moves back.
fn moved_back(driver: Driver, wire: Wire, status: &str) -> (usize, usize) {
    let ill = Provider::start(vec![failing(status, wire), always(json(whole(wire)))]);
    let well = Provider::all(good(wire, false));
    let gateway = Setup::new(driver)
        .provider("ill", wire, &ill, "")
        .provider("well", wire, &well, "")
        .model("one", &["ill/one", "well/x"])
        .model("two", &["ill/two", "well/x"])
        .limit("cooldown_ms", 60_000)
        .start();
    let ask = |model: &str| {
        let body = chat(wire, model, false);
        let got = gateway.client().ask(post(path(wire), "", body.as_bytes()));
        assert_eq!(got.status, 200, "{}", got.text());
    };
    ask("one");
    assert_eq!((ill.requests().len(), well.requests().len()), (1, 1));
    ask("one");
    assert_eq!((ill.requests().len(), well.requests().len()), (1, 2));
    ask("two");
    (ill.requests().len() - 1, well.requests().len() - 2)
}

#[test]
fn a_models_cool_down_is_its_own_and_a_refused_credential_is_its_providers() {
    each(|driver| {
        for wire in WIRES {
            for status in ["429 Too Many Requests", "529 Overloaded", "500 Oops"] {
                assert_eq!(moved_back(driver, wire, status), (1, 0), "{status}");
            }
            assert_eq!(moved_back(driver, wire, "401 Unauthorized"), (0, 1));
        }
    });
}

#[test]
fn a_provider_that_cannot_be_reached_steps_back_with_all_its_models() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let closed = ClosedPort::bind();
        let well = Provider::all(good(wire, false));
        let gateway = Setup::new(driver)
            .provider_at("ill", wire, &closed.origin(), "key = \"none\"")
            .provider("well", wire, &well, "")
            .model("one", &["ill/one", "well/x"])
            .model("two", &["ill/two", "well/x"])
            .limit("cooldown_ms", 60_000)
            .start();
        for model in ["one", "two"] {
            let body = chat(wire, model, false);
            let got = gateway.client().ask(post(path(wire), "", body));
            assert_eq!(got.status, 200, "{}", got.text());
        }
        let lines = gateway.lines(2);
        let attempts = |line: &Value| line["attempts"].as_array().unwrap().len();
        assert_eq!((attempts(&lines[0]), attempts(&lines[1])), (2, 1));
    });
}

#[test]
fn a_later_target_that_cannot_be_told_the_request_does_not_hide_an_earlier_answer() {
    each_way(&CROSSED, |driver, Direction { client, upstream }| {
        // What the other wire cannot say, and a client that wants no loss.
        let unsayable = match client {
            Wire::OpenAiChat => "\"top_logprobs\":2,\"logprobs\":true,",
            Wire::AnthropicMessages => "\"top_k\":5,",
        };
        let strict = "x-ringway-strict: 1\r\n";
        let body = chat(client, MODEL, false).replacen('{', &format!("{{{unsayable}"), 1);
        let first = Provider::all(failing("429 Too Many Requests", client));
        let second = Provider::all(good(upstream, false));
        let third = Provider::all(good(client, false));
        let gateway = Setup::chain(driver, &[(client, &first), (upstream, &second)]).start();
        let got = gateway.client().ask(post(path(client), strict, &body));
        assert_eq!((got.status, got.field("retry-after")), (429, Some("9")));
        assert!(got.text().contains("no luck"), "{}", got.text());
        let line = gateway.only_line();
        assert_eq!(line["attempts"][0]["status"], 429, "{line}");
        assert_eq!(line["attempts"][1]["fault"], "refused_by_translation");
        // One further on that can take it is asked.
        let all = [(client, &first), (upstream, &second), (client, &third)];
        let gateway = Setup::chain(driver, &all).start();
        let got = gateway.client().ask(post(path(client), strict, &body));
        assert_eq!(got.status, 200, "{}", got.text());
        // The first cannot be told, the second fails: what was asked outranks what was not.
        let gateway = Setup::chain(driver, &[(upstream, &second), (client, &first)]).start();
        let got = gateway.client().ask(post(path(client), strict, &body));
        assert_eq!(got.status, 429, "{}", got.text());
        // No connection at all is told as such.
        let closed = ClosedPort::bind();
        let gateway = Setup::new(driver)
            .provider_at("p0", client, &closed.origin(), "key = \"none\"")
            .provider("p1", upstream, &second, "")
            .model(MODEL, &["p0/x", "p1/x"])
            .start();
        let got = gateway.client().ask(post(path(client), strict, &body));
        assert_eq!(got.status, 502, "{}", got.text());
        assert_eq!(second.connections(), 0);
    });
}

#[test]
fn p11_targets_that_are_passed_over_cost_no_attempt() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let deaf = Provider::all(good(Wire::AnthropicMessages, false));
        let ill = Provider::all(failing("503 Service Unavailable", wire));
        let well = Provider::all(good(wire, false));
        let foreign = (Wire::AnthropicMessages, &deaf);
        let targets = [foreign, (wire, &ill), foreign, (wire, &well)];
        let gateway = Setup::chain(driver, &targets)
            .limit("attempts_max", 2)
            .start();
        let body = chat(wire, MODEL, false).replacen('{', "{\"logprobs\":true,", 1);
        let strict = "x-ringway-strict: 1\r\n";
        let got = gateway.client().ask(post(path(wire), strict, body));
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(gateway.metric("ringway_fallbacks_total"), 1.0);
        assert_eq!(deaf.connections(), 0);
    });
}

#[test]
fn p11_without_retries_left_the_targets_own_answer_comes_back() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let ill = Provider::all(failing("429 Too Many Requests", wire));
        let other = Provider::all(failing("503 Service Unavailable", wire));
        let gateway = Setup::chain(driver, &[(wire, &ill), (wire, &other)])
            .limit("retry_budget_percent", 0)
            .limit("cooldown_ms", 0)
            .start();
        // Ten retries are free.
        for _ in 0..10 {
            assert_eq!(ask_chat(&gateway, wire, false).status, 503);
        }
        let got = ask_chat(&gateway, wire, false);
        assert_eq!((got.status, got.field("retry-after")), (429, Some("9")));
        assert_eq!(other.requests().len(), 10);
    });
}

#[test]
fn both_cooling_targets_are_still_asked_in_order() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = Provider::all(failing("503 Service Unavailable", wire));
        let second = Provider::all(failing("429 Too Many Requests", wire));
        let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)])
            .limit("cooldown_ms", 60_000)
            .start();
        for _ in 0..2 {
            assert_eq!(ask_chat(&gateway, wire, false).status, 429);
        }
        assert_eq!((first.requests().len(), second.requests().len()), (2, 2));
    });
}

#[test]
fn p11_attempts_stay_within_their_limit() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let providers: Vec<Provider> = (0..5)
            .map(|_| Provider::all(failing("500 Internal Server Error", wire)))
            .collect();
        let targets: Vec<(Wire, &Provider)> = providers.iter().map(|one| (wire, one)).collect();
        let gateway = Setup::chain(driver, &targets).start();
        assert_eq!(ask_chat(&gateway, wire, false).status, 500);
        let asked: Vec<usize> = providers.iter().map(|one| one.requests().len()).collect();
        assert_eq!(asked, [1, 1, 1, 1, 0]);
    });
}

#[test]
fn client_mistakes_are_not_retried_elsewhere() {
    each(|driver| {
        for wire in WIRES {
            for status in [
                "400 Bad Request",
                "403 Forbidden",
                "404 Not Found",
                "413 Content Too Large",
                "422 X",
            ] {
                let first = Provider::all(failing(status, wire));
                let second = Provider::all(good(wire, false));
                let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)]).start();
                let got = ask_chat(&gateway, wire, false);
                assert_eq!(got.status.to_string(), status[..3]);
                assert_eq!(second.connections(), 0, "{status}");
            }
        }
    });
}

#[test]
fn p9_p11_a_stale_pooled_connection_is_replaced_once_and_nobody_notices() {
    each(|driver| {
        for wire in WIRES {
            // Answers once, then closes when the next request has come: the classic race.
            let stale = vec![
                Step::Request,
                Step::Send(json(whole(wire))),
                Step::Request,
                Step::Reset,
            ];
            let provider = Provider::start(vec![stale, always(json(whole(wire)))]);
            let gateway = Setup::chain(driver, &[(wire, &provider)]).start();
            for _ in 0..2 {
                let got = ask_chat(&gateway, wire, false);
                assert_eq!((got.status, got.text()), (200, whole(wire)));
            }
            assert_eq!(provider.connections(), 2);
            let on: Vec<usize> = provider
                .requests()
                .iter()
                .map(|one| one.connection)
                .collect();
            assert_eq!(on, [0, 0, 1]);
            let line = &gateway.lines(2)[1];
            assert_eq!(line["end"], "complete", "{line}");
            let attempts = line["attempts"].as_array().unwrap();
            assert_eq!(
                (attempts.len(), &attempts[0]["fault"]),
                (2, &"stale".into())
            );
            assert_eq!(attempts[1]["status"], 200, "{line}");
            assert_eq!(gateway.metric("ringway_stale_retries_total"), 1.0);
        }
    });
}

#[test]
fn p9_a_connection_that_was_closed_while_idle_is_not_used() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = vec![
            Step::Request,
            Step::Send(json(whole(wire))),
            Step::Gate,
            Step::Close,
        ];
        let provider = Provider::start(vec![first, always(json(whole(wire)))]);
        let gateway = Setup::chain(driver, &[(wire, &provider)]).start();
        assert_eq!(ask_chat(&gateway, wire, false).status, 200);
        provider.open();
        provider.wait_over(0);
        assert_eq!(ask_chat(&gateway, wire, false).status, 200);
        assert_eq!(
            provider.requests().len(),
            2,
            "nothing was sent into the closed one"
        );
        assert_eq!(provider.connections(), 2);
    });
}

#[test]
fn n3_the_age_at_which_idle_connections_go_cuts_no_live_stream() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let rest = [
            chunk([finish(wire), terminator(wire)].concat()),
            LAST_CHUNK.into(),
        ]
        .concat();
        let mut live = then([stream_head(), chunk(begun)].concat(), Step::Gate);
        live.push(Step::Send(rest));
        let provider = Provider::start(vec![live, always(json(whole(wire)))]);
        let gateway = Setup::chain(driver, &[(wire, &provider)])
            .limit("pool_idle_timeout_ms", 1)
            .start();
        let mut client = gateway.client();
        client.send(post(path(wire), "", chat(wire, MODEL, true)));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        // A younger connection is put into the pool, grows too old there and is closed.
        assert_eq!(ask_chat(&gateway, wire, false).status, 200);
        provider.wait_end(1);
        provider.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole);
        assert!(got.text().ends_with(terminator(wire)), "{}", got.text());
    });
}

#[test]
fn stale_twice_is_a_502_and_no_third_try() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = vec![
            Step::Request,
            Step::Send(json(whole(wire))),
            Step::Request,
            Step::Reset,
        ];
        let provider = Provider::start(vec![first, then("", Step::Reset)]);
        let gateway = Setup::chain(driver, &[(wire, &provider)]).start();
        assert_eq!(ask_chat(&gateway, wire, false).status, 200);
        let got = ask_chat(&gateway, wire, false);
        assert_eq!(got.status, 502);
        told(wire, &got);
        assert_eq!(provider.connections(), 2);
    });
}
