//! What answers say of where a request went.

use ringway::wire::kind::Wire;

use crate::support::client::Answer;
use crate::support::directions::{DIRECTIONS, Direction, Driver, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{answer, chunk, json, post, request, stream, stream_head};
use crate::support::provider::{ClosedPort, Provider};
use crate::support::script::{Step, always};
use crate::support::wires::{WIRES, chat, error_body, events, path, start_up, text, whole};

/// What a target in Canada states.
const CANADA: &str = "tier = \"managed_canadian_cloud\"\nregion = \"ca-central-1\"\n\
    jurisdiction = \"CA\"\ncustody_label = \"Bedrock-CA\"\ncredential_source = \"platform\"\n";

fn ni(driver: Driver) -> Setup {
    Setup::new(driver)
        .server("header_prefix = \"X-NI-\"")
        .server("custody_origin = \"NI-CA\"")
}

/// The fields that start like this, without that start, by name; but for the exchange's id and what
/// a translation lost.
fn facts<'a>(got: &'a Answer, prefix: &str) -> Vec<(&'a str, &'a str)> {
    let fields = got.head.fields.iter();
    let own = fields.filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, &**value)));
    let is_told = |name: &str| !["request-id", "translation"].contains(&name);
    let mut own: Vec<(&str, &str)> = own.filter(|(name, _)| is_told(name)).collect();
    own.sort_unstable();
    own
}

/// What is said of the target in Canada.
fn of_canada(model: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("credential-source", "platform"),
        ("custody-path", "NI-CA -> Bedrock-CA"),
        ("resolved-jurisdiction", "CA"),
        ("resolved-litellm-model", model),
        ("resolved-model", model),
        ("resolved-provider", "p0"),
        ("resolved-region", "ca-central-1"),
        ("resolved-tier", "managed_canadian_cloud"),
    ]
}

#[test]
fn ni6_custody_headers_stand_on_whole_answers_streams_and_errors_on_both_wires_and_across() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let error = error_body(upstream, "some_error", "no luck");
        let json_type = "content-type: application/json\r\nx-ni-resolved-tier: forged\r\n\
                         X-Ringway-Model: forged\r\n";
        for (streamed, script) in [
            (false, json(whole(upstream))),
            (true, stream(events(upstream))),
            (false, answer("400 Bad Request", json_type, &error)),
            (true, answer("529 Overloaded", json_type, &error)),
        ] {
            let provider = Provider::answering(script);
            let gateway = ni(driver)
                .provider("p0", upstream, &provider, CANADA)
                .model(MODEL, &["p0/up-0"])
                .start();
            let got = gateway
                .client()
                .ask(post(path(client), "", chat(client, MODEL, streamed)));
            assert_eq!(facts(&got, "x-ni-"), of_canada("up-0"), "{got:?}");
            let id = got.field("x-ni-request-id").unwrap();
            assert_eq!(gateway.only_line()["id"], id);
            let expected = [
                ("last-used-option-index", "0"),
                ("model", "up-0"),
                ("retry-attempt-count", "0"),
                ("trace-id", id),
            ];
            assert_eq!(facts(&got, "x-ringway-"), expected, "{got:?}");
        }
    });
}

#[test]
fn ni6_facts_that_nobody_stated_are_left_out_and_the_default_prefix_is_ours() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let got = gateway
                .client()
                .ask(post(path(wire), "", chat(wire, MODEL, false)));
            let id = got.field("x-ringway-request-id").unwrap();
            let expected = [
                ("last-used-option-index", "0"),
                ("model", "up-model"),
                ("resolved-litellm-model", "up-model"),
                ("resolved-model", "up-model"),
                ("resolved-provider", "up"),
                ("retry-attempt-count", "0"),
                ("trace-id", id),
            ];
            assert_eq!(facts(&got, "x-ringway-"), expected);
        }
    });
}

#[test]
fn ni6_pk15_after_a_fallback_the_headers_are_those_of_the_target_that_answered() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        for streamed in [false, true] {
            let error = error_body(client, "some_error", "no luck");
            let fields = "content-type: application/json\r\n";
            let first = Provider::all(always(answer("503 Service Unavailable", fields, error)));
            let second = match streamed {
                true => Provider::answering(stream(events(upstream))),
                false => Provider::answering(json(whole(upstream))),
            };
            let gateway = ni(driver)
                .provider(
                    "p9",
                    client,
                    &first,
                    "tier = \"other\"\nregion = \"us-east-1\"\n",
                )
                .provider("p0", upstream, &second, CANADA)
                .model(MODEL, &["p9/up-9", "p0/up-0"])
                .start();
            let fields = "x-portkey-trace-id: trace-7\r\n";
            let got =
                gateway
                    .client()
                    .ask(post(path(client), fields, chat(client, MODEL, streamed)));
            assert_eq!(got.status, 200, "{got:?}");
            assert_eq!(facts(&got, "x-ni-"), of_canada("up-0"), "{got:?}");
            let expected = [
                ("last-used-option-index", "1"),
                ("model", "up-0"),
                ("retry-attempt-count", "1"),
                ("trace-id", "trace-7"),
            ];
            assert_eq!(facts(&got, "x-ringway-"), expected, "{got:?}");
        }
    });
}

#[test]
fn ni6_errors_of_ours_name_the_target_asked_last_and_refusals_that_asked_nobody_none() {
    each(|driver| {
        for wire in WIRES {
            let closed = ClosedPort::bind();
            let extra = format!("key = \"none\"\n{CANADA}");
            let gateway = ni(driver)
                .provider_at("p0", wire, &closed.origin(), &extra)
                .model(MODEL, &["p0/up-0"])
                .start();
            let mut client = gateway.client();
            let got = client.ask(post(path(wire), "", chat(wire, MODEL, false)));
            assert_eq!(got.status, 502);
            assert_eq!(facts(&got, "x-ni-"), of_canada("up-0"));
            let got = client.ask(post(path(wire), "", chat(wire, "unknown", false)));
            assert_eq!((got.status, facts(&got, "x-ni-")), (404, vec![]));
            assert!(got.field("x-ni-request-id").is_some());
            assert_eq!(facts(&got, "x-ringway-"), []);
            let got = client.ask(request("GET", "/healthz", "x-ringway-trace-id: t\r\n", ""));
            assert_eq!(facts(&got, "x-ringway-"), [("trace-id", "t")]);
        }
    });
}

#[test]
fn ni6_relayed_answers_say_where_they_come_from_and_the_model_where_one_is_named() {
    each(|driver| {
        let provider = Provider::answering(json("{}"));
        let gateway = ni(driver)
            .provider("p0", Wire::OpenAiChat, &provider, CANADA)
            .model(MODEL, &["p0/up-0"])
            .start();
        let mut client = gateway.client();
        let got = client.ask(post("/v1/responses", "", "{\"model\":\"m\"}"));
        assert_eq!(facts(&got, "x-ni-"), of_canada("up-0"));
        let unnamed = |mut facts: Vec<(&'static str, &'static str)>| {
            facts.retain(|(name, _)| !name.ends_with("-model"));
            facts
        };
        for asked in [
            request("GET", "/v1/files", "", ""),
            request("POST", "/v1/files", "content-type: text/plain\r\n", "text"),
        ] {
            let got = client.ask(asked);
            assert_eq!(got.status, 200, "{got:?}");
            assert_eq!(facts(&got, "x-ni-"), unnamed(of_canada("")));
        }
    });
}

#[test]
fn pk15_trace_ids_that_could_not_stand_in_a_head_are_not_repeated() {
    each(|driver| {
        let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        let long = "x".repeat(129);
        for (said, told) in [
            ("a b", None),
            ("", None),
            (&*long, None),
            (&long[1..], Some(&long[1..])),
        ] {
            let fields = format!("x-portkey-trace-id: {said}\r\n");
            let body = chat(Wire::OpenAiChat, MODEL, false);
            let got = client.ask(post("/v1/chat/completions", &fields, body));
            let id = got.field("x-ringway-request-id");
            assert_eq!(got.field("x-ringway-trace-id"), told.or(id), "{said}");
        }
    });
}

#[test]
fn ni6_counts_of_tokens_say_where_they_come_from_too() {
    each(|driver| {
        let provider = Provider::answering(json("{\"input_tokens\":5}"));
        let gateway = ni(driver)
            .provider("p0", Wire::AnthropicMessages, &provider, CANADA)
            .model(MODEL, &["p0/up-0"])
            .start();
        let body = chat(Wire::AnthropicMessages, MODEL, false);
        let asked = post("/v1/messages/count_tokens", "", body);
        let got = gateway.client().ask(asked);
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(facts(&got, "x-ni-"), of_canada("up-0"));
    });
}

#[test]
fn ni7_a_stream_that_was_cut_has_its_record_with_attempts_and_what_policies_took_out() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let folder = tempfile::tempdir().unwrap();
        let error = error_body(upstream, "some_error", "no luck");
        let fields = "content-type: application/json\r\n";
        let failing = Provider::answering(answer("503 Service Unavailable", fields, error));
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let cut = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(begun)].concat()),
            Step::Reset,
        ]);
        let start = || {
            let journal = format!("[usage]\njournal = \"{}\"", folder.path().display());
            ni(driver)
                .provider("p9", upstream, &failing, "jurisdiction = \"US\"\n")
                .provider("p8", upstream, &failing, "jurisdiction = \"CA\"\n")
                .provider("p0", upstream, &cut, CANADA)
                .model(MODEL, &["p9/up-9", "p8/up-8", "p0/up-0"])
                .text(&journal)
                .key("key-1", "blue", None)
                .text("residency = { jurisdictions = [\"CA\"] }\n")
                .start()
        };
        let gateway = start();
        let key = "x-api-key: key-1\r\n";
        let body = chat(client, MODEL, true);
        let got = gateway.client().ask(post(path(client), key, body));
        assert_eq!(facts(&got, "x-ni-"), of_canada("up-0"), "{got:?}");
        let id = got.field("x-ni-request-id").unwrap().to_owned();
        let record = |gateway: &Gateway| {
            let target = format!("/api/usage/custody/{id}");
            let got = gateway.client().ask(request("GET", &target, key, ""));
            assert_eq!(got.status, 200, "{}", got.text());
            got.json()
        };
        let at_once = record(&gateway);
        assert_eq!(at_once["outcome"], "truncated", "{at_once}");
        assert_eq!(at_once["refused"], serde_json::json!(["key_residency"]));
        assert_eq!(at_once["custody_path"], "NI-CA -> Bedrock-CA");
        let attempts = at_once["attempts"].as_array().unwrap();
        let told: Vec<_> = attempts
            .iter()
            .map(|one| (one["provider"].as_str().unwrap(), one["status"].as_u64()))
            .collect();
        assert_eq!(told, [("p8", Some(503)), ("p0", Some(200))], "{at_once}");
        assert_eq!(failing.requests().len(), 1);
        drop(gateway);
        assert_eq!(record(&start()), at_once, "after a restart");
    });
}
