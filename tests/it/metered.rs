//! What relayed endpoints take of limits and budgets: as chats where their answers tell their tokens,
//! else by a configured price.

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::Answer;
use crate::support::directions::{Driver, each};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, chunk, json, post, request, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::once;
use crate::support::wires::told;

const WIRE: Wire = Wire::OpenAiChat;
/// A cent for every token.
const PRICES: &str = "[prices.\"up/*\"]\ninput = 10000\noutput = 10000\n\
                      [budgets]\noutput_tokens_reserved = 10\n";

fn bounded(driver: Driver, provider: &Provider, bounds: &str) -> Setup {
    let setup = Setup::upstream(driver, WIRE, provider).text(PRICES);
    setup.key("k", "one", None).text(bounds)
}

fn ask(gateway: &Gateway, path: &str, members: &str) -> Answer {
    let body = format!("{{\"model\":\"{MODEL}\",\"input\":\"x\"{members}}}");
    gateway.client().ask(post(path, "x-api-key: k\r\n", body))
}

const RESPONSE: &str = r#"{"id":"resp_1","object":"response","status":"completed","model":"up-model",
"output":[{"type":"message","usage":{"input_tokens":1}}],"usage":{"input_tokens":1200,
"input_tokens_details":{"cached_tokens":200},"output_tokens":50,
"output_tokens_details":{"reasoning_tokens":20},"total_tokens":1250}}"#;

/// The events of the same response.
fn events() -> [String; 3] {
    let event = |kind: &str, rest: &str| {
        format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":0,{rest}}}\n\n")
    };
    let whole = RESPONSE.replace('\n', "");
    [
        event(
            "response.created",
            "\"response\":{\"status\":\"in_progress\",\"usage\":null}",
        ),
        event("response.output_text.delta", "\"delta\":\"hello\""),
        event("response.completed", &format!("\"response\":{whole}")),
    ]
}

fn cents(line: &Value) -> u64 {
    line["cost_nanos"].as_u64().expect("a cost that is known") / 10_000_000
}

#[test]
fn responses_and_embeddings_are_counted_by_what_their_answers_tell() {
    each(|driver| {
        let embeddings = r#"{"object":"list","data":[{"embedding":[0.5,1e-3]}],"model":"e",
            "usage":{"prompt_tokens":1250,"total_tokens":1250}}"#;
        let completion = r#"{"object":"text_completion","choices":[{"text":"a"}],
            "usage":{"prompt_tokens":1000,"completion_tokens":250,"total_tokens":1250}}"#;
        let cases: [(&str, Vec<u8>, [u64; 3]); 5] = [
            ("/v1/responses", json(RESPONSE), [1_000, 200, 50]),
            ("/v1/responses", stream(events().concat()), [1_000, 200, 50]),
            ("/v1/Responses;a=b", json(RESPONSE), [1_000, 200, 50]),
            ("/v1/embeddings", json(embeddings), [1_250, 0, 0]),
            ("/v1/completions", json(completion), [1_000, 0, 250]),
        ];
        for (path, answer, [input, cached, output]) in cases {
            let expected = http::find(&answer, b"\r\n\r\n").map(|end| answer[end + 4..].to_vec());
            let provider = Provider::answering(answer);
            let bounds = "tokens_per_minute = 100\n";
            let gateway = bounded(driver, &provider, bounds).start();
            let got = ask(&gateway, path, "");
            assert_eq!(got.status, 200, "{path}: {}", got.text());
            if got.head.field("transfer-encoding").is_none() {
                assert_eq!(got.body, expected.unwrap(), "{path}");
            }
            let line = gateway.only_line();
            let usage = &line["usage"];
            assert_eq!(usage["input"], input, "{path}: {line}");
            assert_eq!(usage["cache_read"].as_u64().unwrap_or(0), cached, "{path}");
            assert_eq!(usage["output"], output, "{path}: {line}");
            assert_eq!(cents(&line), 1_250, "{path}: {line}");
            // What it took is past the limit: the next one waits.
            let got = ask(&gateway, path, "");
            assert_eq!(got.status, 429, "{path}: {}", got.text());
            assert!(told(WIRE, &got).message.contains("100 per minute"));
            assert_eq!(provider.requests().len(), 1);
        }
    });
}

#[test]
fn relayed_requests_reserve_before_they_are_sent_and_are_charged_to_budgets() {
    each(|driver| {
        for (path, members, reserved) in [
            ("/v1/responses", "", 10),
            ("/v1/responses", ",\"max_output_tokens\":70", 70),
            ("/v1/completions", ",\"max_tokens\":20,\"n\":3", 60),
            ("/v1/embeddings", ",\"max_tokens\":70", 0),
        ] {
            let provider = Provider::answering(json(RESPONSE));
            let bounds = "tokens_per_minute = 2000\nbudget_day = 20\n";
            let gateway = bounded(driver, &provider, bounds).start();
            let body = format!("{{\"model\":\"{MODEL}\",\"input\":\"x\"{members}}}");
            let input = (body.len() as u64).div_ceil(4);
            let got = ask(&gateway, path, members);
            assert_eq!(got.status, 200, "{}", got.text());
            let left = got.field("x-ratelimit-remaining-tokens").unwrap();
            let left: u64 = left.parse().unwrap();
            assert_eq!(left, 2_000 - input - reserved, "{path} {members}");
            gateway.lines(1);
            // 12.50 of 20 dollars are spent.
            let got = ask(
                &gateway,
                path,
                ",\"max_output_tokens\":900,\"max_tokens\":900",
            );
            let status = if reserved == 0 { 200 } else { 429 };
            assert_eq!(got.status, status, "{path}: {}", got.text());
        }
    });
}

#[test]
fn an_answer_without_figures_is_charged_what_was_reserved() {
    each(|driver| {
        let queued = r#"{"id":"resp_1","object":"response","status":"queued","usage":null}"#;
        let provider = Provider::answering(json(queued));
        let gateway = bounded(driver, &provider, "budget_day = 20\n").start();
        let members = ",\"background\":true,\"max_output_tokens\":900";
        let got = ask(&gateway, "/v1/responses", members);
        assert_eq!(got.status, 200, "{}", got.text());
        let line = gateway.only_line();
        assert_eq!(line["cost_estimated"], true, "{line}");
        assert!(cents(&line) >= 900, "{line}");
        // What is read later is no second use.
        let list = request("GET", "/v1/responses/resp_1", "x-api-key: k\r\n", "");
        assert_eq!(gateway.client().ask(list).status, 200);
        assert_eq!(gateway.lines(2)[1]["usage"], Value::Null);
        let got = ask(&gateway, "/v1/responses", members);
        assert_eq!(got.status, 200, "{}", got.text());
        gateway.lines(3);
        assert_eq!(ask(&gateway, "/v1/responses", members).status, 429);
    });
}

#[test]
fn what_nobody_can_tell_costs_its_configured_price_or_is_refused_with_the_cure() {
    each(|driver| {
        let provider = Provider::answering(json("{\"data\":[]}"));
        let bounds = "budget_day = \"0.10\"\n";
        let gateway = bounded(driver, &provider, bounds).start();
        for path in ["/v1/images/generations", "/v1/files", "/v1/unheard-of"] {
            let got = ask(&gateway, path, "");
            assert_eq!(got.status, 403, "{path}: {}", got.text());
            let message = told(WIRE, &got).message;
            assert!(message.contains("[request_prices]"), "{message}");
        }
        let prices = "[request_prices]\n\"images/*\" = \"0.04\"\nfiles = 0\n";
        let gateway = bounded(driver, &provider, bounds).text(prices).start();
        for (path, status) in [
            ("/v1/files", 200),
            ("/v1/images/generations", 200),
            ("/v1/Images/edits;a=b", 200),
            ("/v1/images/generations", 429),
            ("/v1/unheard-of", 403),
        ] {
            let got = ask(&gateway, path, "");
            assert_eq!(got.status, status, "{path}: {}", got.text());
        }
        let lines = gateway.lines(5);
        assert_eq!(lines[0]["cost_nanos"], 0, "{}", lines[0]);
        assert_eq!(cents(&lines[1]), 4, "{}", lines[1]);
        assert_eq!(lines[3]["cost_nanos"], Value::Null, "{}", lines[3]);
        // A model without a price has that of its path.
        let gateway = Setup::upstream(driver, WIRE, &provider)
            .key("k", "one", None)
            .text(bounds)
            .text("[request_prices]\nresponses = \"0.06\"\n")
            .start();
        assert_eq!(ask(&gateway, "/v1/responses", "").status, 200);
        assert_eq!(cents(&gateway.only_line()), 6);
        assert_eq!(ask(&gateway, "/v1/responses", "").status, 429);
        assert_eq!(ask(&gateway, "/v1/embeddings", "").status, 403);
    });
}

#[test]
fn a_request_that_its_provider_refuses_takes_nothing() {
    each(|driver| {
        let refused = http::answer(
            "400 Bad Request",
            "content-type: application/json\r\n",
            "{\"error\":{\"message\":\"no\"},\"usage\":{\"input_tokens\":9}}",
        );
        let provider = Provider::answering(refused);
        let bounds = "tokens_per_minute = 300\nbudget_day = 1\n";
        let prices = "[request_prices]\n\"images/*\" = \"0.60\"\n";
        let gateway = bounded(driver, &provider, bounds).text(prices).start();
        for path in ["/v1/responses", "/v1/images/edits"].repeat(3) {
            let got = ask(&gateway, path, ",\"max_output_tokens\":60");
            assert_eq!(got.status, 400, "{path}: {}", got.text());
        }
        for line in gateway.lines(6) {
            assert_eq!(line["cost_nanos"], Value::Null, "{line}");
        }
    });
}

#[test]
fn a_client_that_leaves_behind_the_last_event_of_a_response_has_all_of_it() {
    each(|driver| {
        let events = events().concat();
        let provider = Provider::all(once([stream_head(), chunk(&events)].concat()));
        let gateway = bounded(driver, &provider, "tokens_per_minute = 5000\n").start();
        let mut client = gateway.client();
        let body = format!("{{\"model\":\"{MODEL}\",\"stream\":true}}");
        client.send(post("/v1/responses", "x-api-key: k\r\n", body));
        let mut got = client.head();
        client.until(&mut got, "\"total_tokens\":1250}}}\n\n");
        client.leave();
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete", "{line}");
        assert_eq!(cents(&line), 1_250, "{line}");
    });
}
