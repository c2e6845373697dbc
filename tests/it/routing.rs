//! Who is asked first: orders, sessions, circuits, pools over both wires.

use std::collections::HashSet;

use ringway::server::admin::api::document;
use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::{Answer, Client, End};
use crate::support::directions::{DIRECTIONS, Direction, Driver, drivers, each, each_way};
use crate::support::gateway::{ADMIN_KEY, Gateway, MODEL, Setup};
use crate::support::http::{LAST_CHUNK, chunk, json, post, request, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::routes::{ask, failing, good, routing, words};
use crate::support::script::{Step, always};
use crate::support::wait;
use crate::support::wires::{
    WIRES, chat, events, finish, path, start_up, terminator, text, told, whole,
};

/// Header lines and members that name a session.
type Carried = fn(&str) -> (String, String);

/// A model in that order with two targets of the same priority.
fn pair(driver: Driver, wire: Wire, providers: [&Provider; 2], order: &str) -> Setup {
    let [first, second] = providers;
    Setup::new(driver)
        .provider("p0", wire, first, "")
        .provider("p1", wire, second, "")
        .text(&format!(
            "[[model]]\nid = {MODEL:?}\norder = {order:?}\ntargets = [\"p0/up\", \"p1/up\"]"
        ))
}

#[test]
fn lg10_weights_share_requests_and_a_session_stays_at_its_target() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        let (first, second) = (Provider::all(good(wire)), Provider::all(good(wire)));
        let gateway = pair(driver, wire, [&first, &second], "weighted").start();
        let counts = || [first.requests().len(), second.requests().len()];
        for _ in 0..64 {
            assert_eq!(ask(&gateway, wire, "", "").status, 200);
        }
        assert!(counts().iter().all(|&count| count > 0), "{:?}", counts());
        // Each carrier of a session's name; what the body says goes on as it is.
        let carriers: [(&str, Carried); 5] = [
            ("header", |name| {
                (format!("x-session-id: {name}\r\n"), String::new())
            }),
            ("affinity", |name| {
                (format!("x-session-affinity: {name}\r\n"), String::new())
            }),
            ("cache key", |name| {
                (String::new(), format!("\"prompt_cache_key\":\"{name}\","))
            }),
            ("user", |name| {
                (String::new(), format!("\"user\":\"{name}\","))
            }),
            ("metadata", |name| {
                let metadata = format!("\"metadata\":{{\"a\":1,\"user_id\":\"{name}\"}},");
                (String::new(), metadata)
            }),
        ];
        for (carrier, carried) in carriers {
            let mut homes = HashSet::new();
            for session in 0..24 {
                let (fields, members) = carried(&format!("session-{session}"));
                let before = counts();
                for _ in 0..3 {
                    assert_eq!(ask(&gateway, wire, &fields, &members).status, 200);
                }
                let after = counts();
                let moved = [after[0] - before[0], after[1] - before[1]];
                assert!([[3, 0], [0, 3]].contains(&moved), "{carrier}: {moved:?}");
                homes.insert(moved);
            }
            assert_eq!(homes.len(), 2, "{carrier}");
        }
        let last = first.requests().len() + second.requests().len();
        let line = &gateway.lines(last)[last - 1];
        assert_eq!(words(line), ["weighted", "session"]);
    });
}

#[test]
fn lg10_only_the_sessions_of_a_dead_target_move() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let well = Provider::all(good(wire));
        let flaky = Provider::all(good(wire));
        let dead = Provider::all(failing("503 Service Unavailable", "", wire));
        let homes = |second: &Provider| -> Vec<bool> {
            let gateway = pair(driver, wire, [&well, second], "weighted")
                .limit("cooldown_ms", 60_000)
                .start();
            let before = well.requests().len();
            (0..24)
                .scan(before, |before, session| {
                    let fields = format!("x-session-id: {session}\r\n");
                    assert_eq!(ask(&gateway, wire, &fields, "").status, 200);
                    let after = well.requests().len();
                    Some(core::mem::replace(before, after) < after)
                })
                .collect()
        };
        let at_first = homes(&flaky);
        let after = homes(&dead);
        assert!(at_first.iter().any(|&it| it) && at_first.iter().any(|&it| !it));
        assert!(after.iter().all(|&it| it));
        // Once it had failed nobody asked it any more.
        assert_eq!(dead.requests().len(), 1);
    });
}

#[test]
fn lg10_a_request_may_choose_its_order_and_the_rest_of_its_body_stays() {
    each(|driver| {
        for wire in WIRES {
            let (first, second) = (Provider::all(good(wire)), Provider::all(good(wire)));
            let gateway = pair(driver, wire, [&first, &second], "weighted").start();
            for _ in 0..16 {
                let got = ask(&gateway, wire, "", "\"routing\" : \"pri\\u006frity\",");
                assert_eq!(got.status, 200, "{}", got.text());
                let fields = "x-ringway-routing: priority\r\n";
                assert_eq!(ask(&gateway, wire, fields, "").status, 200);
            }
            assert_eq!(second.connections(), 0);
            let plain = chat(wire, "up", false);
            for request in first.requests() {
                assert_eq!(request.body, plain.as_bytes());
                assert_eq!(request.head.field("x-ringway-routing"), None);
            }
            assert_eq!(words(&gateway.lines(1)[0]), ["priority"]);
            for (fields, members, choices) in [
                ("", "\"routing\":\"fastest\",", true),
                ("", "\"routing\":\"\",", true),
                ("", "\"routing\":1,", true),
                ("", "\"routing\":{\"by\":\"price\"},", true),
                ("x-ringway-routing: Latency\r\n", "", true),
                (
                    "x-ringway-routing: latency\r\n",
                    "\"routing\":\"priority\",",
                    false,
                ),
            ] {
                let got = ask(&gateway, wire, fields, members);
                assert_eq!(got.status, 400, "{fields}{members}: {}", got.text());
                let message = told(wire, &got).message;
                for word in ["priority", "weighted", "latency", "throughput", "cost"] {
                    assert!(!choices || message.contains(word), "{message}");
                }
                assert!(message.contains("routing"), "{message}");
            }
            let same = ("x-ringway-routing: latency\r\n", "\"routing\":\"latency\",");
            assert_eq!(ask(&gateway, wire, same.0, same.1).status, 200);
            assert_eq!(ask(&gateway, wire, "", "\"routing\":null,").status, 200);
        }
    });
}

#[test]
fn ni12_a_pinned_request_has_the_first_of_the_list_whatever_the_order() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = Provider::all(failing("503 Service Unavailable", "", wire));
        let second = Provider::all(good(wire));
        let gateway = pair(driver, wire, [&first, &second], "weighted").start();
        for _ in 0..8 {
            let got = ask(&gateway, wire, "", "\"allow_fallbacks\":false,");
            assert_eq!(got.status, 503);
        }
        assert_eq!(second.connections(), 0);
        assert_eq!(words(&gateway.lines(1)[0]), ["pinned"]);
    });
}

#[test]
fn lg10_latency_goes_to_the_target_whose_first_token_comes_sooner() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let slow = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(start_up(wire))].concat()),
            Step::Gate,
            Step::Send(chunk(
                [
                    &*text(wire, "Hel", true),
                    &text(wire, "lo", false),
                    finish(wire),
                    terminator(wire),
                ]
                .concat(),
            )),
            Step::Send(LAST_CHUNK.to_vec()),
            Step::Again,
        ]);
        let fast = Provider::all(always(stream(events(wire))));
        let gateway = pair(driver, wire, [&fast, &slow], "latency")
            .admin_api()
            .start();
        let body = chat(wire, MODEL, true);
        let to_fast = |fields: &str| {
            let got = gateway.client().ask(post(path(wire), fields, &body));
            assert_eq!((got.status, got.end), (200, End::Whole));
        };
        let by_list = "x-ringway-routing: priority\r\n";
        to_fast(by_list);
        // Nobody knows the other one yet: it is tried.
        let mut waiting = gateway.client();
        waiting.send(post(path(wire), "", &body));
        slow.wait_requests(1);
        // All of these lie within the other one's wait.
        for _ in 0..20 {
            to_fast(by_list);
        }
        slow.open();
        assert_eq!(waiting.answer().status, 200);
        for _ in 0..10 {
            to_fast("");
        }
        assert_eq!(slow.requests().len(), 1);
        assert_eq!(words(gateway.lines(32).last().unwrap()), ["latency"]);
        let shown = routing(&gateway);
        let figures = [0, 1].map(|at| {
            let target = &shown["models"][0]["targets"][at];
            target["first_token_us"].as_u64().unwrap()
        });
        assert!(figures[0] < figures[1], "{shown}");
    });
}

#[test]
fn lg10_cost_asks_the_cheapest_target_for_this_request_first_and_unpriced_ones_last() {
    // Cheap to read, cheap to write, dear in both, and one that nobody knows the price of.
    const PRICES: &str = "[prices.\"reads/*\"]\ninput = 1\noutput = 100\n\
                          [prices.\"writes/*\"]\ninput = 10\noutput = 10\n\
                          [prices.\"dear/*\"]\ninput = 20\noutput = 200\n\
                          [budgets]\noutput_tokens_reserved = 1000\n";
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let long = "hello ".repeat(4_000);
        let names = ["unpriced", "dear", "reads", "writes"];
        let targets = names.map(|name| format!("\"{name}/up\"")).join(", ");
        // 6,000 tokens in and 10 out; 25 in and 1,000 out.
        let (to_read, to_write) = (["reads", "writes"], ["writes", "reads"]);
        let rows = [
            (MODEL, &*long, 10, "", "", to_read),
            (MODEL, "hello", 1_000, "", "", to_write),
            (
                "listed",
                &long,
                10,
                "x-ringway-routing: cost\r\n",
                "",
                to_read,
            ),
            (
                "listed",
                "hello",
                1_000,
                "x-ringway-routing: price\r\n",
                "",
                to_write,
            ),
            ("listed", &long, 10, "", "\"routing\":\"price\",", to_read),
            (
                "listed",
                "hello",
                1_000,
                "",
                "\"routing\":\"cost\",",
                to_write,
            ),
        ];
        for (model, text, tokens, fields, routing, cheap) in rows {
            let providers = names.map(|_| Provider::all(failing("500 Oops", "", upstream)));
            let mut setup = Setup::new(driver).limit("attempts_max", 4);
            for (name, provider) in names.iter().zip(&providers) {
                setup = setup.provider(name, upstream, provider, "");
            }
            let gateway = setup
                .text(PRICES)
                .text(&format!(
                    "[[model]]\nid = {MODEL:?}\norder = \"cost\"\ntargets = [{targets}]\n\
                     [[model]]\nid = \"listed\"\ntargets = [{targets}]"
                ))
                .start();
            let body = format!(
                "{{{routing}\"model\":{model:?},\"max_tokens\":{tokens},\
                 \"messages\":[{{\"role\":\"user\",\"content\":{text:?}}}]}}"
            );
            let got = gateway.client().ask(post(path(client), fields, body));
            assert_eq!(got.status, 500, "{}", got.text());
            let line = gateway.only_line();
            let asked = line["attempts"].as_array().unwrap().iter();
            let asked: Vec<_> = asked.map(|it| it["provider"].as_str().unwrap()).collect();
            let expected = [cheap[0], cheap[1], "dear", "unpriced"];
            assert_eq!(asked, expected, "{model} {fields}{routing}");
            assert_eq!(words(&line)[0], "cost", "{line}");
        }
    });
}

#[test]
fn lg10_cost_reckons_what_a_request_leaves_open_as_it_is_reserved_and_each_model_by_its_own_limit()
{
    each(|driver| {
        let wire = Wire::OpenAiChat;
        // A page of input costs the one as much as 100 tokens of output the other.
        let text = "hello ".repeat(400);
        for (members, reserved, expected) in [
            ("", 10, "reads"),
            ("", 1_000, "writes"),
            ("\"n\":100,", 10, "writes"),
            ("\"max_tokens\":10,", 1_000, "reads"),
            ("\"max_tokens\":10,\"n\":100,", 1_000, "writes"),
            // One that gives no more than ten tokens costs no more than they do.
            ("\"model_limit\":1,\"max_tokens\":1000,", 1_000, "reads"),
        ] {
            let [reads, writes] = ["r", "w"].map(|_| Provider::all(good(wire)));
            let limit = match members.contains("model_limit") {
                true => "[model_facts.\"brief\"]\noutput_tokens_max = 10\n",
                false => "",
            };
            let gateway = Setup::new(driver)
                .provider("writes", wire, &writes, "")
                .provider("reads", wire, &reads, "")
                .text(&format!(
                    "[prices.\"reads/*\"]\ninput = 1\noutput = 50\n\
                     [prices.\"writes/*\"]\ninput = 10\noutput = 10\n\
                     [budgets]\noutput_tokens_reserved = {reserved}\n{limit}\
                     [[model]]\nid = {MODEL:?}\norder = \"cost\"\n\
                     targets = [\"writes/up\", \"reads/brief\"]"
                ))
                .start();
            let body = format!(
                "{{{members}\"model\":{MODEL:?},\
                 \"messages\":[{{\"role\":\"user\",\"content\":{text:?}}}]}}"
            );
            assert_eq!(gateway.client().ask(post(path(wire), "", body)).status, 200);
            let line = gateway.only_line();
            assert_eq!(line["provider"], expected, "{members} {reserved}");
        }
    });
}

#[test]
fn lg10_throughput_is_measured_and_counts() {
    each(|driver| {
        let wire = Wire::AnthropicMessages;
        // Both stop behind their first token until they are told.
        let start = [start_up(wire), &text(wire, "Hel", true)].concat();
        let rest = [&*text(wire, "lo", false), finish(wire), terminator(wire)].concat();
        let script = vec![
            Step::Request,
            Step::Send([stream_head(), chunk(start)].concat()),
            Step::Gate,
            Step::Send([chunk(rest), LAST_CHUNK.to_vec()].concat()),
            Step::Again,
        ];
        let (slow, fast) = (Provider::all(script.clone()), Provider::all(script));
        let gateway = pair(driver, wire, [&fast, &slow], "throughput")
            .admin_api()
            .start();
        let body = chat(wire, MODEL, true);
        let begin = |fields: &str| {
            let mut waiting = gateway.client();
            waiting.send(post(path(wire), fields, &body));
            let mut got = waiting.head();
            waiting.until(&mut got, "Hel");
            (waiting, got)
        };
        let end = |provider: &Provider, (mut waiting, mut got): (Client, Answer)| {
            provider.open();
            waiting.finish(&mut got);
            assert_eq!((got.status, got.end), (200, End::Whole));
        };
        // Nobody is known: chance decides; then the one that is still unknown is tried.
        let mut waiting = begin("");
        if slow.requests().is_empty() {
            end(&fast, waiting);
            waiting = begin("");
        }
        assert_eq!(slow.requests().len(), 1);
        // All of these lie within the other one's wait for its second token.
        for _ in 0..20 {
            end(&fast, begin("x-ringway-routing: priority\r\n"));
        }
        end(&slow, waiting);
        for _ in 0..10 {
            end(&fast, begin(""));
        }
        assert_eq!(slow.requests().len(), 1);
        let shown = routing(&gateway);
        for target in shown["models"][0]["targets"].as_array().unwrap() {
            assert!(target["per_token_us"].is_u64(), "{target}");
        }
    });
}

#[test]
fn lg10_a_target_that_is_well_again_is_found_by_one_request() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = Provider::start(vec![
            failing("503 Service Unavailable", "", wire),
            good(wire),
        ]);
        let second = Provider::all(good(wire));
        let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)])
            .limit("cooldown_ms", 50)
            .admin_api()
            .start();
        assert_eq!(ask(&gateway, wire, "", "").status, 200);
        let asked = wait::until("a probe", || {
            assert_eq!(ask(&gateway, wire, "", "").status, 200);
            (first.requests().len() > 1).then(|| second.requests().len() + 1)
        });
        let lines = gateway.lines(asked);
        assert_eq!(words(&lines[0]), ["priority"]);
        for line in &lines[1..asked - 1] {
            assert_eq!(words(line), ["priority", "skipped:cooling"]);
        }
        assert_eq!(words(&lines[asked - 1]), ["priority", "probe"]);
        assert_eq!(ask(&gateway, wire, "", "").status, 200);
        assert_eq!(words(&gateway.lines(asked + 1)[asked]), ["priority"]);
        assert_eq!(gateway.metric("ringway_probes_total"), 1.0);
        let shown = routing(&gateway);
        assert_eq!(shown["models"][0]["targets"][0]["state"], "closed");
    });
}

#[test]
fn lg10_an_estimate_of_tokens_is_no_probe() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let first = Provider::start(vec![
            failing("503 Service Unavailable", "", wire),
            good(wire),
        ]);
        let second = Provider::all(good(wire));
        let gateway = Setup::chain(driver, &[(wire, &first), (wire, &second)])
            .limit("cooldown_ms", 50)
            .admin_api()
            .start();
        assert_eq!(ask(&gateway, wire, "", "").status, 200);
        wait::until("a half-open circuit", || {
            let shown = routing(&gateway);
            (shown["models"][0]["targets"][0]["state"] == "half_open").then_some(())
        });
        let count = post(
            "/v1/messages/count_tokens",
            "",
            chat(Wire::AnthropicMessages, MODEL, false),
        );
        for _ in 0..3 {
            let got = gateway.client().ask(&count);
            assert_eq!(got.status, 200, "{}", got.text());
            assert_eq!(got.field("x-ringway-estimate"), Some("1"));
        }
        assert_eq!(gateway.metric("ringway_probes_total"), 0.0);
        // The next chat still goes to see.
        assert_eq!(ask(&gateway, wire, "", "").status, 200);
        assert_eq!(gateway.metric("ringway_probes_total"), 1.0);
        assert_eq!((first.requests().len(), second.requests().len()), (2, 1));
        let lines = gateway.lines(5);
        assert_eq!(words(&lines[1]), ["priority"]);
        assert_eq!(words(&lines[4]), ["priority", "probe"]);
    });
}

#[test]
fn lg10_a_request_that_its_target_cannot_take_is_no_probe() {
    each(|driver| {
        let (client, deaf) = (Wire::OpenAiChat, Wire::AnthropicMessages);
        let first = Provider::start(vec![
            failing("503 Service Unavailable", "", deaf),
            good(deaf),
        ]);
        let second = Provider::all(good(client));
        let gateway = Setup::chain(driver, &[(deaf, &first), (client, &second)])
            .limit("cooldown_ms", 50)
            .admin_api()
            .start();
        assert_eq!(ask(&gateway, client, "", "").status, 200);
        wait::until("a half-open circuit", || {
            let shown = routing(&gateway);
            (shown["models"][0]["targets"][0]["state"] == "half_open").then_some(())
        });
        for _ in 0..3 {
            let strict = "x-ringway-strict: 1\r\n";
            let got = ask(&gateway, client, strict, "\"logprobs\":true,");
            assert_eq!(got.status, 200, "{}", got.text());
        }
        assert_eq!(gateway.metric("ringway_probes_total"), 0.0);
        assert_eq!(first.requests().len(), 1);
        let shown = routing(&gateway);
        let target = &shown["models"][0]["targets"][0];
        assert_eq!(target["state"], "half_open", "{shown}");
        // Whoever can be told to it goes to see.
        assert_eq!(ask(&gateway, client, "", "").status, 200);
        assert_eq!(first.requests().len(), 2);
        let lines = gateway.lines(5);
        assert_eq!(words(&lines[3]), ["priority"], "{}", lines[3]);
        assert_eq!(words(&lines[4]), ["priority", "probe"]);
    });
}

#[test]
fn lg7_a_pool_spans_the_wires_and_its_aliases_are_one_model() {
    each(|driver| {
        let openai = Provider::all(good(Wire::OpenAiChat));
        let anthropic = Provider::all(good(Wire::AnthropicMessages));
        let gateway = Setup::new(driver)
            .provider("oai", Wire::OpenAiChat, &openai, "")
            .provider("ant", Wire::AnthropicMessages, &anthropic, "")
            .text(
                "[[model]]\nid = \"auto\"\nalias = [\"gpt-5\"]\norder = \"weighted\"\n\
                 targets = [\"oai/gpt-5\", \"ant/claude-x\"]",
            )
            .start();
        let mut served = Vec::new();
        for wire in WIRES {
            for model in ["auto", "gpt-5"] {
                for _ in 0..32 {
                    let body = chat(wire, model, false);
                    let got = gateway.client().ask(post(path(wire), "", body));
                    assert_eq!(got.status, 200, "{}", got.text());
                    assert!(got.text().contains("Hello"), "{}", got.text());
                    served.push(got.field("x-ringway-model").unwrap().to_owned());
                }
            }
        }
        let lines = gateway.lines(128);
        for (line, served) in lines.iter().zip(&served) {
            assert_eq!(line["model_sent"], served.as_str(), "{line}");
        }
        for wire in WIRES {
            for model in ["auto", "gpt-5"] {
                let sent: HashSet<_> = lines
                    .iter()
                    .filter(|line| line["client_wire"] == wire.name())
                    .filter(|line| line["model_asked"] == model)
                    .map(|line| line["model_sent"].as_str().unwrap())
                    .collect();
                assert_eq!(sent, HashSet::from(["gpt-5", "claude-x"]));
            }
        }
    });
}

#[test]
fn every_path_of_the_api_is_for_those_with_its_credential_and_health_and_metrics_for_all() {
    let document: Value = serde_json::from_str(&document::text()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/api/routing"));
    let driver = drivers()[0];
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let setup = || Setup::upstream(driver, Wire::OpenAiChat, &provider);
    let (off, on) = (setup().start(), setup().admin_api().start());
    let ask = |gateway: &Gateway, method: &str, path: &str, fields: &str| {
        let path = path.replace("{id}", "k").replace("{name}", "k");
        let fields = format!("{fields}connection: close\r\n");
        gateway.admin().ask(request(method, &path, &fields, ""))
    };
    let good = format!("authorization: Bearer {ADMIN_KEY}\r\n");
    for (path, methods) in paths {
        let methods = methods.as_object().unwrap().keys();
        for method in methods.filter(|it| *it != "parameters") {
            let method = method.to_uppercase();
            let got = ask(&off, &method, path, &good);
            assert_eq!(got.status, 404, "{method} {path}");
            assert!(got.text().contains("admin_key"), "{path}: {}", got.text());
            for fields in ["", "authorization: Bearer admin\r\n"] {
                let got = ask(&on, &method, path, fields);
                assert_eq!(got.status, 401, "{method} {path} {fields}");
                assert_eq!(got.field("www-authenticate"), Some("Bearer"));
            }
            assert_ne!(
                ask(&on, &method, path, &good).status,
                401,
                "{method} {path}"
            );
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&on, "GET", path, "").status, 200, "{path}");
    }
    assert_eq!(ask(&on, "GET", "/api/nothing", &good).status, 404);
}
