//! Limits and budgets of keys and tenants, as clients of both wires meet them.

use std::thread;

use ringway::wire::kind::Wire;

use crate::support::client::Answer;
use crate::support::directions::{DIRECTIONS, Direction, Driver, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, answer, json, post, stream_head};
use crate::support::provider::{ClosedPort, Provider};
use crate::support::script::{Step, once};
use crate::support::wait;
use crate::support::wires::{WIRES, chat, error_body, path, start_up, text, told, whole};

/// A cent for every token, so that the usual answer of 9 and 2 tokens costs 11.
const PRICES: &str = "[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
                      [budgets]\noutput_tokens_reserved = 10\n";

/// A gateway with one key, `k`, of one tenant, `one`; `bounds` are further lines of the key.
fn bounded(driver: Driver, wire: Wire, provider: &Provider, bounds: &str) -> Setup {
    let setup = Setup::upstream(driver, wire, provider).text(PRICES);
    setup.key("k", "one", None).text(bounds)
}

/// Fields of a client of the Anthropic wire.
const VERSIONED: &str = "x-api-key: k\r\nanthropic-version: 2023-06-01\r\n";

fn ask(gateway: &Gateway, wire: Wire, key: &str) -> Answer {
    let fields = format!("authorization: Bearer {key}\r\n");
    let body = chat(wire, MODEL, false);
    gateway.client().ask(post(path(wire), &fields, body))
}

/// How a client of the wire is told of a rate.
fn rate(wire: Wire, got: &Answer, what: &str) -> [Option<String>; 3] {
    ["limit", "remaining", "reset"].map(|measure| {
        let name = match wire {
            Wire::OpenAiChat => format!("x-ratelimit-{measure}-{what}"),
            Wire::AnthropicMessages => format!("anthropic-ratelimit-{what}-{measure}"),
        };
        got.field(&name).map(str::to_owned)
    })
}

#[test]
fn a_rate_of_requests_is_told_on_every_answer_and_refused_in_the_clients_wire() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        // The provider tells of its own rates too.
        let theirs = match upstream {
            Wire::OpenAiChat => {
                "x-ratelimit-limit-requests: 5000\r\nx-ratelimit-limit-tokens: 70000\r\n"
            }
            Wire::AnthropicMessages => {
                "anthropic-ratelimit-requests-limit: 5000\r\nanthropic-ratelimit-tokens-limit: 70000\r\n"
            }
        };
        let head = format!("content-type: application/json\r\n{theirs}");
        let provider = Provider::answering(answer("200 OK", &head, whole(upstream)));
        let gateway = bounded(driver, upstream, &provider, "requests_per_minute = 2\n").start();
        for left in ["1", "0"] {
            let got = ask(&gateway, client, "k");
            assert_eq!(got.status, 200, "{}", got.text());
            let [limit, remaining, reset] = rate(client, &got, "requests");
            assert_eq!(limit.as_deref(), Some("2"), "ours, and once");
            assert_eq!(remaining.as_deref(), Some(left));
            let reset = reset.unwrap();
            match client {
                Wire::OpenAiChat => assert!(reset == "1m0s" || reset.contains('s'), "{reset}"),
                Wire::AnthropicMessages => assert!(reset.ends_with('Z'), "{reset}"),
            }
            let [tokens, ..] = rate(client, &got, "tokens");
            assert_eq!(tokens.as_deref(), Some("70000"), "the provider's passes");
        }
        let got = ask(&gateway, client, "k");
        assert_eq!(got.status, 429);
        let error = told(client, &got);
        assert_eq!(error.kind, "rate_limit_error");
        assert!(
            error.message.contains("2 requests per minute of this key"),
            "{}",
            error.message
        );
        if client == Wire::OpenAiChat {
            assert_eq!(error.code.as_deref(), Some("rate_limit_exceeded"));
        }
        let seconds: u64 = got.field("retry-after").unwrap().parse().unwrap();
        assert!((50..=61).contains(&seconds), "{seconds}");
        assert_eq!(got.field("x-should-retry"), None, "it may be tried again");
        assert_eq!(rate(client, &got, "requests")[1].as_deref(), Some("0"));
        assert_eq!(provider.requests().len(), 2);
        assert_eq!(gateway.lines(3)[2]["fault"], "limit_requests");
    });
}

#[test]
fn a_tenants_limit_holds_for_all_of_its_keys_and_no_others() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = bounded(driver, wire, &provider, "")
            .key("k2", "one", None)
            .key("free", "two", None)
            .text("[[tenant]]\nname = \"one\"\nrequests_per_minute = 3\n")
            .start();
        let status = |key| ask(&gateway, wire, key).status;
        let got = ["k", "k2", "k", "k2", "k"].map(status);
        assert_eq!(got, [200, 200, 200, 429, 429]);
        let free = ask(&gateway, wire, "free");
        assert_eq!(free.status, 200);
        assert_eq!(rate(wire, &free, "requests"), [None, None, None]);
        let error = told(wire, &ask(&gateway, wire, "k2"));
        assert!(
            error.message.contains("this key's tenant"),
            "{}",
            error.message
        );
    });
}

#[test]
fn tokens_are_estimated_on_admission_and_settled_by_what_was_used() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let provider = Provider::answering(json(whole(upstream)));
        let gateway = bounded(driver, upstream, &provider, "tokens_per_minute = 200\n").start();
        let got = ask(&gateway, client, "k");
        assert_eq!(got.status, 200);
        let left = |got: &Answer| -> u64 {
            let [limit, remaining, _] = rate(client, got, "tokens");
            assert_eq!(limit.as_deref(), Some("200"));
            remaining.unwrap().parse().unwrap()
        };
        let estimate = 200 - left(&got);
        assert!((20..=100).contains(&estimate), "{estimate}");
        gateway.lines(1);
        let second = ask(&gateway, client, "k");
        assert_eq!(left(&second), 200 - 11 - estimate, "11 were used");
        // One that can never fit is told so, and not to be sent again.
        let body = chat(client, MODEL, false).replace("hello", &"hello ".repeat(200));
        let fields = "x-api-key: k\r\n";
        let got = gateway.client().ask(post(path(client), fields, body));
        assert_eq!(got.status, 429);
        assert!(told(client, &got).message.contains("200 per minute"));
        assert_eq!(got.field("x-should-retry"), Some("false"));
        assert_eq!(got.field("retry-after"), None);
    });
}

#[test]
fn what_a_key_may_not_relay_is_no_request_of_its_rate() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let bounds = "relay = [\"batches\"]\nrequests_per_minute = 2\n";
        let gateway = bounded(driver, wire, &provider, bounds).start();
        for _ in 0..3 {
            let list = http::request("GET", "/v1/files", "x-api-key: k\r\n", "");
            let got = gateway.client().ask(list);
            assert_eq!(got.status, 403, "{}", got.text());
            let error = told(wire, &got);
            assert_eq!(error.kind, "permission_error");
            assert!(
                error.message.contains("relay = [\"files\"]"),
                "{}",
                error.message
            );
        }
        let list = http::request("GET", "/v1/batches", "x-api-key: k\r\n", "");
        assert_eq!(gateway.client().ask(list).status, 200);
        assert_eq!(ask(&gateway, wire, "k").status, 200);
        let line = &gateway.lines(5)[0];
        assert_eq!(line["fault"], "relay_not_allowed", "{line}");
        assert_eq!(provider.requests().len(), 2);
    });
}

/// Parts of OpenAI's wire with 400 kB of base64, which as text are 100,000 tokens, and whether a budget
/// has room for what is reserved.
const OPENAI_PARTS: &[(&str, bool)] = &[
    (r#"{"type":"text","text":"DATA"}"#, false),
    (r#"{"type":"text","text":"ADDRESS"}"#, false),
    (
        r#"{"type":"text","text":"x","image_url":{"url":"ADDRESS"}}"#,
        false,
    ),
    (
        r#"{"type":"image_url","image_url":{"url":"ADDRESS"}}"#,
        true,
    ),
    (
        r#"{"im\u0061ge_url":{"u\u0072l":"ADDRESS"},"typ\u0065":"image_url"}"#,
        true,
    ),
];
/// The same of Anthropic's.
const ANTHROPIC_PARTS: &[(&str, bool)] = &[
    (r#"{"type":"text","text":"DATA"}"#, false),
    (r#"{"type":"text","text":"ADDRESS"}"#, false),
    (
        r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"DATA"}}"#,
        false,
    ),
    (r#"{"type":"image","source":PNG}"#, true),
    (r#"{"sourc\u0065":PNG,"t\u0079pe":"image"}"#, true),
    (
        r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"DATA"}}"#,
        true,
    ),
    (
        r#"{"type":"document","source":{"type":"content","content":[{"type":"image","source":PNG}]}}"#,
        true,
    ),
    (
        r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":PNG}]}"#,
        true,
    ),
];

#[test]
fn base64_in_a_text_is_reserved_as_text_and_images_by_their_type() {
    let data = "QUJD".repeat(100_000);
    let png = r#"{"type":"base64","media_type":"image/png","data":"DATA"}"#;
    let call = r#"{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":{}}]},{"role":"user""#;
    each(|driver| {
        for (wire, cases) in WIRES.into_iter().zip([OPENAI_PARTS, ANTHROPIC_PARTS]) {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::upstream(driver, wire, &provider)
                .text("[prices.\"up/*\"]\ninput = 75\noutput = 75\n")
                .text("[budgets]\noutput_tokens_reserved = 10\n")
                .key("k", "one", None)
                .text("budget_day = \"1.00\"\n")
                .start();
            let mut let_in = 0;
            for (parts, expected) in cases {
                let mut body = chat(wire, MODEL, false);
                if parts.contains("tool_result") {
                    body = body.replace(r#"{"role":"user""#, call);
                }
                let body = body
                    .replace("\"Say hello.\"", &format!("[{parts}]"))
                    .replace("ADDRESS", "data:image/png;base64,DATA")
                    .replace("PNG", png)
                    .replace("DATA", &data);
                let request = post(path(wire), "x-api-key: k\r\n", body);
                let got = gateway.client().ask(request);
                let is_in = got.status == 200;
                assert_eq!(is_in, *expected, "{parts}: {}", got.text());
                let_in += usize::from(is_in);
            }
            assert_eq!(provider.requests().len(), let_in);
        }
    });
}

#[test]
fn each_of_several_answers_is_reserved() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        for (members, output) in [
            ("\"max_tokens\":100,", 100),
            ("\"max_tokens\":100,\"n\":3,", 300),
            ("\"n\":4,", 40),
            ("\"n\":null,", 10),
            // Some services take these.
            ("\"n\":2.0,\"max_tokens\":1e2,", 200),
        ] {
            let provider = Provider::answering(json(whole(wire)));
            let bounds = "tokens_per_minute = 1000\nbudget_day = 100\n";
            let gateway = bounded(driver, wire, &provider, bounds).start();
            let body = chat(wire, MODEL, false).replacen('{', &format!("{{{members}"), 1);
            let input = (body.len() as u64).div_ceil(4);
            let got = gateway
                .client()
                .ask(post(path(wire), "x-api-key: k\r\n", body));
            assert_eq!(got.status, 200, "{}", got.text());
            let left: u64 = rate(wire, &got, "tokens")[1]
                .as_deref()
                .unwrap()
                .parse()
                .unwrap();
            assert_eq!(left, 1000 - input - output, "{members}");
        }
        // A thousand answers of a budget that has room for ten.
        let provider = Provider::answering(json(whole(wire)));
        let gateway = bounded(driver, wire, &provider, "budget_day = 2\n").start();
        let body = chat(wire, MODEL, false).replacen('{', "{\"n\":1000,", 1);
        let got = gateway
            .client()
            .ask(post(path(wire), "x-api-key: k\r\n", body));
        assert_eq!((got.status, provider.connections()), (429, 0));
    });
}

#[test]
fn ni17_reasoning_that_a_provider_counts_apart_is_charged_once() {
    each(|driver| {
        for client in WIRES {
            for apart in [false, true] {
                let completion = if apart { 2 } else { 20 };
                let usage = format!(
                    "\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":{completion},\
                     \"total_tokens\":29,\"completion_tokens_details\":{{\"reasoning_tokens\":18}}}}"
                );
                let body = whole(Wire::OpenAiChat);
                let start = body.find("\"usage\"").unwrap();
                let body = format!("{}{usage}}}", &body[..start]);
                let provider = Provider::answering(json(body));
                let prices =
                    "[prices.\"up/*\"]\ninput = 10000\noutput = 10000\nreasoning = 20000\n";
                let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
                    .text(prices)
                    .key("k", "one", None)
                    .start();
                let got = ask(&gateway, client, "k");
                assert_eq!(got.status, 200, "{}", got.text());
                let line = gateway.only_line();
                assert_eq!(line["usage"]["output"], 20, "{line}");
                assert_eq!(line["usage"]["reasoning"], 18, "{line}");
                // 9 and 2 at a cent, 18 at two.
                assert_eq!(line["cost_nanos"], 470_000_000_u64, "{line}");
            }
        }
    });
}

/// The bound, and one past it; what no model can reach.
#[test]
fn figures_beyond_any_context_window_are_marked_and_charged_as_unknown() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        for (figure, is_believed) in [
            ("19999998", true),
            ("20000001", false),
            ("9223372036854775808", false),
        ] {
            let body = whole(upstream)
                .replace("_tokens\":9", &format!("_tokens\":{figure}"))
                .replace("total_tokens\":11", "total_tokens\":0");
            assert!(body.contains(figure), "{body}");
            let provider = Provider::answering(json(body));
            let bounds = "budget_day = 1000\n";
            let gateway = bounded(driver, upstream, &provider, bounds).start();
            assert_eq!(ask(&gateway, client, "k").status, 200);
            let line = gateway.only_line();
            assert_eq!(line["usage_rejected"] == true, !is_believed, "{line}");
            assert_eq!(line["cost_estimated"] == true, !is_believed, "{line}");
            assert_eq!(line["usage"]["input"].is_u64(), is_believed, "{line}");
            let status = ask(&gateway, client, "k").status;
            assert_eq!(status == 200, !is_believed, "{figure}: {line}");
        }
    });
}

#[test]
fn a_place_among_the_running_is_held_until_the_answers_end_or_the_clients() {
    each(|driver| {
        for wire in WIRES {
            let begun = [stream_head(), http::chunk(start_up(wire))].concat();
            let waits = vec![Step::Request, Step::Send(begun), Step::Gate, Step::Reset];
            let provider = Provider::start(vec![waits.clone(), waits, once(json(whole(wire)))]);
            let gateway = bounded(driver, wire, &provider, "concurrent = 1\n").start();
            let request = post(path(wire), "x-api-key: k\r\n", chat(wire, MODEL, true));
            for leaves in [false, true] {
                let mut client = gateway.client();
                client.send(&request);
                let mut streamed = client.head();
                let refused = ask(&gateway, wire, "k");
                assert_eq!(refused.status, 429);
                assert_eq!(refused.field("retry-after"), Some("1"));
                assert_eq!(told(wire, &refused).kind, "rate_limit_error");
                if leaves {
                    client.leave();
                } else {
                    provider.open();
                    client.finish(&mut streamed);
                }
                gateway.wait_metric(
                    "ringway_refused_total{reason=\"limit_concurrent\"}",
                    if leaves { 2.0 } else { 1.0 },
                );
                // The place is free once the exchange has its line.
                gateway.lines(if leaves { 4 } else { 2 });
            }
            assert_eq!(ask(&gateway, wire, "k").status, 200);
        }
    });
}

#[test]
fn a_budget_that_is_gone_is_told_as_such_and_not_to_be_tried_again() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let provider = Provider::answering(json(whole(upstream)));
        let gateway = bounded(driver, upstream, &provider, "budget_day = \"1.20\"\n").start();
        let mut served = 0;
        let refused = loop {
            let got = ask(&gateway, client, "k");
            if got.status != 200 {
                break got;
            }
            served += 1;
            let line = &gateway.lines(served)[served - 1];
            assert_eq!(line["cost_nanos"], 110_000_000);
            assert!(line.get("cost_estimated").is_none());
        };
        assert!((1..=10).contains(&served), "{served}");
        let error = told(client, &refused);
        match client {
            Wire::OpenAiChat => {
                assert_eq!(
                    (refused.status, error.kind.as_str()),
                    (429, "insufficient_quota")
                );
                assert_eq!(error.code.as_deref(), Some("insufficient_quota"));
            }
            Wire::AnthropicMessages => {
                assert_eq!(
                    (refused.status, error.kind.as_str()),
                    (402, "billing_error")
                );
            }
        }
        assert!(
            error.message.contains("1.20 dollars per day"),
            "{}",
            error.message
        );
        assert_eq!(refused.head.values("x-should-retry"), ["false"]);
        assert_eq!(refused.field("retry-after"), None);
        assert_eq!(provider.requests().len(), served);
    });
}

#[test]
fn two_hundred_requests_at_once_at_the_edge_of_a_budget_do_not_overrun_it() {
    let wire = Wire::OpenAiChat;
    let script = vec![
        Step::Request,
        Step::Gate,
        Step::Send(json(whole(wire))),
        Step::Close,
    ];
    let provider = Provider::all(script);
    let gateway = bounded(Driver::Epoll, wire, &provider, "budget_month = 10\n").start();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let threads: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| ask(&gateway, wire, "k").status))
            .collect();
        // Those that are not let in say so at once; the others wait for the provider.
        let running = wait::until("all that are refused", || {
            let refused = gateway.metric("ringway_refused_total{reason=\"budget\"}");
            let running = provider.requests().len();
            (refused + running as f64 == 200.0).then_some(running)
        });
        // Each reserves its estimate, 35 cents or so, and will cost 11.
        assert!((20..=40).contains(&running), "{running}");
        for _ in 0..running {
            provider.open();
        }
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let served = statuses.iter().filter(|&&status| status == 200).count();
    assert_eq!(served, provider.requests().len());
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)));
    let spent: u64 = gateway
        .lines(200)
        .iter()
        .filter_map(|line| line["cost_nanos"].as_u64())
        .sum();
    assert_eq!(spent, 110_000_000 * served as u64);
    assert!(spent <= 10_000_000_000);
}

#[test]
fn what_never_reached_the_model_costs_nothing() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let closed = ClosedPort::bind();
        let failing = Provider::answering(answer(
            "400 Bad Request",
            "content-type: application/json\r\n",
            error_body(wire, "invalid_request_error", "no"),
        ));
        let gateway = Setup::new(driver)
            .provider_at("gone", wire, &closed.origin(), "key = \"none\"")
            .provider("no", wire, &failing, "")
            .model("gone", &["gone/m"])
            .model("no", &["no/m"])
            .text("[prices.\"*\"]\ninput = 10000\noutput = 10000\n")
            .key("k", "one", None)
            // Room for one reservation, with the default of 4,096 tokens of output.
            .text("budget_day = 60\nconcurrent = 1\ntokens_per_minute = 5000\n")
            .start();
        let status = |model: &str| {
            let body = chat(wire, model, false);
            let request = post(path(wire), "x-api-key: k\r\n", body);
            gateway.client().ask(request).status
        };
        for count in 1..=3 {
            assert_eq!((status("gone"), status("no")), (502, 400));
            gateway.lines(2 * count);
        }
    });
}

#[test]
fn what_failed_behind_an_early_head_costs_nothing_and_what_was_left_there_its_input() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let fields = "content-type: application/json\r\n";
        let error = |status| Step::Send(answer(status, fields, error_body(upstream, "e", "no")));
        let steps = [
            Some(error("500 Internal Server Error")),
            Some(error("429 Too Many Requests")),
            Some(Step::Send(json(whole(upstream)))),
            Some(Step::Reset),
            None,
        ];
        for step in steps {
            let is_left = step.is_none();
            let mut script = vec![Step::Request];
            script.extend(step.map(|step| [Step::Gate, step]).into_iter().flatten());
            let provider = Provider::all(script);
            let gateway = bounded(driver, upstream, &provider, "budget_day = 100\n")
                .server("early_head_after_ms = 1")
                .start();
            let mut connection = gateway.client();
            let body = chat(client, MODEL, true);
            connection.send(post(path(client), "x-api-key: k\r\n", body));
            let mut got = connection.head();
            connection.until(&mut got, ": ping");
            provider.wait_requests(1);
            if is_left {
                connection.leave();
                provider.wait_end(0);
            } else {
                provider.open();
                connection.finish(&mut got);
            }
            let line = gateway.only_line();
            assert_eq!(line["status"], 200, "{line}");
            match line["cost_nanos"].as_u64() {
                // A cent for each of some twenty tokens.
                Some(cost) => assert!(is_left && cost < 400_000_000, "{line}"),
                None => assert!(!is_left, "{line}"),
            }
        }
    });
}

#[test]
fn a_stream_whose_client_leaves_is_charged_by_an_estimate_that_is_marked() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let events = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let provider = Provider::all(once([stream_head(), http::chunk(events)].concat()));
        let gateway = bounded(driver, upstream, &provider, "budget_day = 100\n").start();
        let mut connection = gateway.client();
        let body = chat(client, MODEL, true);
        connection.send(post(path(client), "x-api-key: k\r\n", body));
        let mut got = connection.head();
        connection.until(&mut got, "Hel");
        connection.leave();
        let line = gateway.only_line();
        assert_eq!(line["end"], "cancelled");
        assert_eq!(line["cost_estimated"], true, "{line}");
        // One delta stands for four tokens, beside an input of some twenty, or of 9 where the
        // provider has told.
        let cents = line["cost_nanos"].as_u64().unwrap() / 10_000_000;
        let expected = match upstream {
            Wire::OpenAiChat => 20..=40,
            Wire::AnthropicMessages => 13..=13,
        };
        assert!(expected.contains(&cents), "{cents}: {line}");
    });
}

#[test]
fn with_a_budget_what_has_no_price_is_refused_unless_it_is_allowed() {
    each(|driver| {
        for wire in WIRES {
            for (unpriced, status) in [("refuse", 403), ("allow", 200)] {
                let provider = Provider::answering(json(whole(wire)));
                let gateway = Setup::upstream(driver, wire, &provider)
                    .text(&format!("[budgets]\nunpriced = \"{unpriced}\""))
                    .key("k", "one", None)
                    .text("budget_month = 1\n")
                    .start();
                let got = ask(&gateway, wire, "k");
                assert_eq!(got.status, status, "{}", got.text());
                let (fields, other) = match wire {
                    Wire::OpenAiChat => ("x-api-key: k\r\n", "/v1/embeddings"),
                    Wire::AnthropicMessages => (VERSIONED, "/v1/messages/batches"),
                };
                let relayed = gateway.client().ask(post(other, fields, "{}"));
                assert_eq!(relayed.status, status);
                if status == 403 {
                    let error = told(wire, &got);
                    assert_eq!(error.kind, "permission_error");
                    assert!(error.message.contains("price"), "{}", error.message);
                    assert_eq!(gateway.lines(1)[0]["fault"], "unpriced");
                }
                let list = http::request("GET", "/v1/files", fields, "");
                assert_eq!(gateway.client().ask(list).status, 200);
            }
        }
    });
}

#[test]
fn relayed_requests_and_counts_are_requests_too() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let provider = Provider::answering(json(r#"{"input_tokens":3}"#));
        let gateway = bounded(driver, wire, &provider, "requests_per_minute = 2\n").start();
        let fields = "x-api-key: k\r\n";
        let body = chat(wire, MODEL, false);
        let count = post("/v1/messages/count_tokens", fields, body);
        let got = gateway.client().ask(count);
        assert_eq!(got.status, 200, "{}", got.text());
        let relayed = http::request("GET", "/v1/files", VERSIONED, "");
        let got = gateway.client().ask(&relayed);
        assert_eq!(got.status, 200);
        assert_eq!(rate(wire, &got, "requests")[1].as_deref(), Some("0"));
        let got = gateway.client().ask(&relayed);
        assert_eq!((got.status, provider.requests().len()), (429, 2));
        let models = http::request("GET", "/v1/models", fields, "");
        assert_eq!(gateway.client().ask(models).status, 200, "our own list");
    });
}
