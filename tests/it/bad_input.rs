//! The table of bad input, walked end to end: in both wires, on both drivers.
//!
//! Each row: what is sent, what the client reads, whether the connection serves on, and that the
//! provider sees nothing (but where the fault is its own).

use ringway::wire::kind::Wire;

use crate::support::client::{Answer, Client, End};
use crate::support::directions::{CROSSED, DIRECTIONS, Direction, SAME_WIRE, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, answer, json, post};
use crate::support::provider::{ClosedPort, Provider};
use crate::support::script::{Step, once, then};
use crate::support::wait;
use crate::support::wires::{WIRES, chat, path, told, whole};

/// What the client is told.
struct Expected {
    status: u16,
    /// Type of the error on the OpenAI wire, and on the Anthropic wire.
    kinds: [&'static str; 2],
    /// The member at fault, as the OpenAI wire names it.
    param: Option<&'static str>,
    /// A part of the message.
    says: &'static str,
    /// The connection serves the next request.
    stays: bool,
}

const INVALID: [&str; 2] = ["invalid_request_error", "invalid_request_error"];

const fn invalid(param: Option<&'static str>, says: &'static str) -> Expected {
    Expected {
        status: 400,
        kinds: INVALID,
        param,
        says,
        stays: true,
    }
}

fn kind_in(wire: Wire, kinds: [&'static str; 2]) -> &'static str {
    match wire {
        Wire::OpenAiChat => kinds[0],
        Wire::AnthropicMessages => kinds[1],
    }
}

fn check(wire: Wire, answer: &Answer, expected: &Expected, row: &str) {
    assert_eq!(answer.status, expected.status, "{row}: {}", answer.text());
    let told = told(wire, answer);
    assert_eq!(told.kind, kind_in(wire, expected.kinds), "{row}");
    if wire == Wire::OpenAiChat {
        assert_eq!(told.param.as_deref(), expected.param, "{row}: {told:?}");
        let code = match expected.status {
            401 => Some("invalid_api_key"),
            404 => Some("model_not_found"),
            408 => Some("request_timeout"),
            413 => Some("request_too_large"),
            503 => Some("overloaded"),
            504 => Some("timeout"),
            _ => None,
        };
        assert_eq!(told.code.as_deref(), code, "{row}: {told:?}");
    }
    assert!(told.message.contains(expected.says), "{row}: {told:?}");
    let close = answer.field("connection") == Some("close");
    assert_eq!(!close, expected.stays, "{row}: {answer:?}");
}

/// Sends one request on a connection of its own and holds the answer against the row; the
/// connection then ends or serves on as the row says, and the provider has seen nothing.
fn refused(gateway: &Gateway, wire: Wire, request: &[u8], expected: &Expected, row: &str) {
    let mut client = gateway.client();
    let answer = client.ask(request);
    check(wire, &answer, expected, row);
    if expected.stays {
        serves_on(&mut client, row);
    } else {
        assert!(client.is_closed(), "{row}: reset");
    }
}

fn serves_on(client: &mut Client, row: &str) {
    let answer = client.ask(http::request("GET", "/healthz", "", ""));
    assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{row}");
}

/// A provider that must not be asked anything.
fn unasked() -> Provider {
    Provider::answering(json("{}"))
}

#[expect(clippy::too_many_lines, reason = "one line per case")]
fn bodies_table(wire: Wire) -> Vec<(&'static str, Vec<u8>, Expected)> {
    let good = chat(wire, MODEL, false);
    let with = |from: &str, to: &str| good.replace(from, to).into_bytes();
    let cut = good.as_bytes()[..good.len() - 9].to_vec();
    let marked = [b"\xef\xbb\xbf", good.as_bytes()].concat();
    let twice = format!("{good}{good}").into_bytes();
    let mut bad_utf8 = good.clone().into_bytes();
    let at = http::find(&bad_utf8, b"hello").unwrap();
    bad_utf8[at] = 0xff;
    let deep = format!(
        "{{\"model\":\"m\",\"x\":{}{}}}",
        "[".repeat(129),
        "]".repeat(129)
    );
    let json = |says| invalid(None, says);
    let model = |says| invalid(Some("model"), says);
    let messages = |says| invalid(Some("messages"), says);
    vec![
        ("empty", Vec::new(), json("at byte 0")),
        ("no JSON", b"model=m".to_vec(), json("at byte 0")),
        ("byte order mark", marked, json("at byte 0")),
        ("cut", cut, json("at byte")),
        ("two documents", twice, json("at byte")),
        ("an array", b"[]".to_vec(), json("at byte 0")),
        ("a string", b"\"m\"".to_vec(), json("at byte 0")),
        ("bad UTF-8", bad_utf8, json("at byte")),
        ("depth 129", deep.into_bytes(), json("at byte")),
        ("no model", with("\"model\":\"m\",", ""), model("required")),
        (
            "empty model",
            with("\"m\"", "\"\""),
            model("non-empty string"),
        ),
        ("model a number", with("\"m\"", "7"), model("string")),
        ("model null", with("\"m\"", "null"), model("string")),
        (
            "no messages",
            with("\"messages\"", "\"massages\""),
            messages("required"),
        ),
        (
            "messages a string",
            with("\"messages\":[", "\"messages\":\"x\",\"y\":["),
            messages("array"),
        ),
        (
            "no message in messages",
            with("\"messages\":[", "\"messages\":[],\"y\":["),
            messages("non-empty array"),
        ),
        (
            "stream a string",
            with("\"stream\":false", "\"stream\":\"yes\""),
            invalid(Some("stream"), "boolean"),
        ),
        (
            "two models",
            with("\"m\",", "\"m\",\"model\":\"m\","),
            model("repeated"),
        ),
        (
            "two models, one escaped",
            with("\"m\",", "\"m\",\"mod\\u0065l\":\"m\","),
            model("repeated"),
        ),
        (
            "two streams",
            with("\"stream\":false", "\"stream\":false,\"stream\":true"),
            invalid(Some("stream"), "repeated"),
        ),
        (
            "a tier that nobody knows",
            with("\"stream\":false", "\"privacy_tier\":\"ca\""),
            invalid(Some("privacy_tier"), "unknown tier `ca`"),
        ),
        (
            "a tier that is no text",
            with("\"stream\":false", "\"privacy_tier\":7"),
            invalid(Some("privacy_tier"), "non-empty string"),
        ),
        (
            "a promise about persons",
            with("\"stream\":false", "\"pii_substitution\":true"),
            invalid(Some("pii_substitution"), "promise"),
        ),
    ]
}

#[test]
fn p14_bad_bodies_are_400_with_param_and_offset_and_nothing_goes_upstream() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let gateway = Gateway::before(driver, wire, &provider);
            for (row, body, expected) in bodies_table(wire) {
                refused(&gateway, wire, &post(path(wire), "", body), &expected, row);
            }
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn p20_unknown_and_forbidden_models_are_the_same_404_with_near_ids_of_the_keys_own() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let gateway = Setup::upstream(driver, wire, &provider)
                .model("model-blue-1", &["up/x"])
                .model("model-blue-2", &["up/x"])
                .key("key-1", "one", Some(&["model-blue-1", MODEL]))
                .start();
            let expected = |says| Expected {
                status: 404,
                kinds: ["invalid_request_error", "not_found_error"],
                param: Some("model"),
                says,
                stays: true,
            };
            let ask = |model: &str, says, row: &str| {
                let fields = "authorization: Bearer key-1\r\n";
                let request = post(path(wire), fields, chat(wire, model, false));
                refused(&gateway, wire, &request, &expected(says), row);
            };
            let text = "model `model-blue-3` does not exist or this key may not use it; \
                        near ids: model-blue-1";
            ask("model-blue-3", text, "unknown");
            let text = "model `model-blue-2` does not exist or this key may not use it; \
                        near ids: model-blue-1";
            ask("model-blue-2", text, "forbidden");
            ask("nothing-like-it", "`nothing-like-it` does not exist", "far");
            ask("up/anything", "`up/anything` does not exist", "by provider");
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn p19_no_wrong_and_doubled_keys_are_401_in_the_wire() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let setup = Setup::upstream(driver, wire, &provider);
            let gateway = setup.key("key-1", "one", None).start();
            let rows = [
                ("none", "", "missing API key"),
                ("empty", "x-api-key: \r\n", "missing API key"),
                ("basic", "authorization: Basic a2V5LTE=\r\n", "missing"),
                ("wrong", "x-api-key: key-2\r\n", "invalid API key"),
                ("wrong case", "x-api-key: KEY-1\r\n", "invalid API key"),
                ("a prefix", "authorization: Bearer key-\r\n", "invalid"),
                (
                    "two",
                    "authorization: Bearer key-1\r\nx-api-key: key-2\r\n",
                    "two different",
                ),
                (
                    "two of one",
                    "api-key: key-1\r\napi-key: key-2\r\n",
                    "two different",
                ),
            ];
            for (row, fields, says) in rows {
                let expected = Expected {
                    status: 401,
                    kinds: ["invalid_request_error", "authentication_error"],
                    param: None,
                    says,
                    // The body was not read: nothing behind it may be taken for a request.
                    stays: false,
                };
                let request = post(path(wire), fields, chat(wire, MODEL, false));
                refused(&gateway, wire, &request, &expected, row);
            }
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn p18_l3_compressed_bodies_are_415_and_nothing_goes_upstream() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let gateway = Gateway::before(driver, wire, &provider);
            for coding in ["gzip", "br", "deflate", "zstd", "identity, gzip"] {
                let expected = Expected {
                    status: 415,
                    kinds: INVALID,
                    param: None,
                    says: "compressed",
                    stays: false,
                };
                let fields = format!("content-encoding: {coding}\r\n");
                let request = post(path(wire), &fields, chat(wire, MODEL, false));
                refused(&gateway, wire, &request, &expected, coding);
            }
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn m1_m4_bodies_over_the_limit_are_413_in_the_wire_and_readable() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let setup = Setup::upstream(driver, wire, &provider);
            let gateway = setup.limit("body_bytes_max", 65_536).start();
            let expected = Expected {
                status: 413,
                kinds: ["invalid_request_error", "request_too_large"],
                param: None,
                says: "larger than this gateway takes",
                stays: false,
            };
            let mut client = gateway.client();
            let head = post(path(wire), "", "");
            let head = String::from_utf8(head).unwrap();
            // Refused by what is declared, before a byte of it has come.
            let declared = head.replace("content-length: 0", "content-length: 65537");
            check(wire, &client.ask(declared), &expected, "declared");
            assert!(client.is_closed());
            // The client that sends it all at once reads the refusal nevertheless.
            let body = vec![b' '; 4 << 20];
            refused(
                &gateway,
                wire,
                &post(path(wire), "", body),
                &expected,
                "sent",
            );
            let chunked = head.replace("content-length: 0", "transfer-encoding: chunked");
            let mut request = chunked.into_bytes();
            for _ in 0..5 {
                request.extend(http::chunk(vec![b' '; 16_384]));
            }
            refused(&gateway, wire, &request, &expected, "chunked");
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn heads_over_the_limits_are_431_and_targets_414() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let gateway = Gateway::before(driver, wire, &provider);
            let expected = |status, says| Expected {
                status,
                kinds: INVALID,
                param: None,
                says,
                stays: false,
            };
            let ask = |target: &str, fields: &str, status, says, row: &str| {
                let request = post(target, fields, chat(wire, MODEL, false));
                refused(&gateway, wire, &request, &expected(status, says), row);
            };
            let field = |name: usize, value: usize| {
                format!("{}: {}\r\n", "n".repeat(name), "v".repeat(value))
            };
            ask(path(wire), &field(257, 1), 431, "name too long", "name");
            ask(
                path(wire),
                &field(1, 16_385),
                431,
                "value too long",
                "value",
            );
            ask(
                path(wire),
                &"a: b\r\n".repeat(98),
                431,
                "too many",
                "fields",
            );
            ask(
                path(wire),
                &field(9, 12_000).repeat(3),
                431,
                "too large",
                "head",
            );
            let target = format!("{}?{}", path(wire), "q".repeat(8_192));
            ask(&target, "", 414, "target too long", "target");
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn heads_and_bodies_that_come_too_slowly_are_408_and_readable() {
    each(|driver| {
        for wire in WIRES {
            let provider = unasked();
            let gateway = Setup::upstream(driver, wire, &provider)
                .limit("head_timeout_ms", 150)
                .limit("body_stall_timeout_ms", 150)
                .start();
            let expected = |says| Expected {
                status: 408,
                kinds: ["invalid_request_error", "timeout_error"],
                param: None,
                says,
                stays: false,
            };
            let request = post(path(wire), "", chat(wire, MODEL, false));
            let head_end = http::find(&request, b"\r\n\r\n").unwrap();
            let cuts = [
                ("in the head", head_end - 2, "head came too slowly"),
                ("before the body", head_end + 4, "body came too slowly"),
                ("in the body", request.len() - 1, "body came too slowly"),
            ];
            for (row, cut, says) in cuts {
                refused(&gateway, wire, &request[..cut], &expected(says), row);
            }
            assert_eq!(provider.connections(), 0);
        }
    });
}

/// What the provider does, and what the client is told on either wire.
struct Broken {
    name: &'static str,
    script: Vec<Step>,
    status: u16,
    says: &'static str,
}

fn broken(name: &'static str, bytes: &[u8], status: u16, says: &'static str) -> Broken {
    Broken {
        name,
        script: then(bytes, Step::Close),
        status,
        says,
    }
}

/// Providers that break the rules before anything of theirs may be shown.
fn broken_providers(direction: Direction) -> Vec<Broken> {
    let page = answer("200 OK", "content-type: text/html\r\n", "<h1>hi</h1>");
    let moved = answer("302 Found", "location: http://elsewhere.test/\r\n", "");
    let permanent = answer("308 Permanent Redirect", "location: /v2\r\n", "{}");
    let unchanged = answer("304 Not Modified", "", "");
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n";
    let body = whole(direction.upstream);
    let both = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         transfer-encoding: chunked\r\n\r\n{body}",
        body.len()
    );
    let two = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{body}");
    let coded = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    let lines = "HTTP/1.1 200 OK\ncontent-length: 2\n\n{}";
    let folded = "HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 2\r\n\r\n{}";
    let status = "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\n{}";
    let large = format!("HTTP/1.1 200 OK\r\nbig: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(201));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    let early = "upstream connection ended before an answer";
    let malformed = "upstream sent a malformed answer";
    vec![
        broken("closes at once", b"", 502, early),
        broken("closes in the head", b"HTTP/1.1 200 OK\r\ncont", 502, early),
        Broken {
            script: then("HTTP/1.1 200", Step::Reset),
            ..broken("resets in the head", b"", 502, early)
        },
        Broken {
            script: then("", Step::Reset),
            ..broken("resets at once", b"", 502, early)
        },
        Broken {
            script: once(""),
            ..broken("says nothing", b"", 504, "did not answer in time")
        },
        Broken {
            script: once("HTTP/1.1 200 OK\r\nx: "),
            ..broken("stops in the head", b"", 504, "did not answer in time")
        },
        broken(
            "garbage",
            b"\x16\x03\x01 nothing of HTTP\r\n\r\n",
            502,
            malformed,
        ),
        broken("two framings", both.as_bytes(), 502, malformed),
        broken("two lengths", two.as_bytes(), 502, malformed),
        broken("a coding", coded.as_bytes(), 502, malformed),
        broken("bare line feeds", lines.as_bytes(), 502, malformed),
        broken("a folded line", folded.as_bytes(), 502, malformed),
        broken("status 999", status.as_bytes(), 502, malformed),
        broken("a large head", large.as_bytes(), 502, malformed),
        broken("many fields", many.as_bytes(), 502, malformed),
        broken("101", switch, 502, malformed),
        broken("17 interim heads", interim.as_bytes(), 502, malformed),
        broken(
            "text/html",
            &page,
            502,
            "no answer of the kind that was asked for",
        ),
        broken("302", &moved, 502, "redirect"),
        broken("308", &permanent, 502, "redirect"),
        broken("304", &unchanged, 502, "redirect"),
    ]
}

#[test]
fn p8_p10_f5_providers_that_are_slow_lie_or_redirect_are_502_or_504_in_the_wire() {
    each_way(&DIRECTIONS, |driver, direction| {
        let rows = broken_providers(direction);
        let mut setup = Setup::new(driver);
        let mut providers = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let provider = Provider::all(row.script.clone());
            let name = format!("up{number}");
            // Only who says nothing shall be too slow: the others may be, on a busy host.
            let wait = match row.status {
                504 => "answer_head_timeout_ms = 150",
                _ => "",
            };
            setup = setup
                .provider(&name, direction.upstream, &provider, wait)
                .model(&format!("m{number}"), &[&format!("{name}/x")]);
            providers.push(provider);
        }
        let gateway = setup.start();
        let mut client = gateway.client();
        for (number, row) in rows.iter().enumerate() {
            for stream in [false, true] {
                let body = chat(direction.client, &format!("m{number}"), stream);
                let got = client.ask(post(path(direction.client), "", body));
                let expected = Expected {
                    status: row.status,
                    kinds: match row.status {
                        504 => ["server_error", "timeout_error"],
                        _ => ["server_error", "api_error"],
                    },
                    param: None,
                    says: row.says,
                    stays: true,
                };
                check(direction.client, &got, &expected, row.name);
                assert_eq!(got.field("location"), None, "{}", row.name);
            }
            serves_on(&mut client, row.name);
            // A lone target gets one attempt, and nothing of a broken answer is used again.
            providers[number].wait_requests(2);
            assert_eq!(providers[number].requests().len(), 2, "{}", row.name);
            assert_eq!(providers[number].connections(), 2, "{}", row.name);
        }
    });
}

#[test]
fn f5_provider_that_is_down_is_502_and_says_no_address() {
    each_way(&DIRECTIONS, |driver, direction| {
        let closed = ClosedPort::bind();
        let gateway = Setup::new(driver)
            .provider_at(
                "elsewhere",
                direction.upstream,
                &closed.origin(),
                "key = \"none\"",
            )
            .model(MODEL, &["elsewhere/x"])
            .start();
        let body = chat(direction.client, MODEL, true);
        let got = gateway.client().ask(post(path(direction.client), "", body));
        let expected = Expected {
            status: 502,
            kinds: ["server_error", "api_error"],
            param: None,
            says: "could not be reached",
            stays: true,
        };
        check(direction.client, &got, &expected, "down");
        assert!(!got.text().contains("127.0.0.1") && !got.text().contains("elsewhere"));
        let line = gateway.only_line();
        assert_eq!(line["fault"], "connect");
        assert!(
            line["attempts"][0]["detail"].as_str().unwrap().len() > 3,
            "{line}"
        );
    });
}

#[test]
fn p18_l2_gzip_unasked_is_as_labelled_on_the_same_wire_and_502_in_translation() {
    let gzip = b"\x1f\x8b\x08\x00not really".as_slice();
    let kinds = ["application/json", "text/event-stream"];
    each_way(&SAME_WIRE, |driver, direction| {
        for (kind, stream) in kinds.into_iter().zip([false, true]) {
            let fields = format!("content-type: {kind}\r\ncontent-encoding: gzip\r\n");
            let provider = Provider::answering(answer("200 OK", &fields, gzip));
            let gateway = Gateway::on(driver, direction, &provider);
            let body = chat(direction.client, MODEL, stream);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!((got.status, got.end), (200, End::Whole));
            assert_eq!(got.field("content-encoding"), Some("gzip"));
            assert_eq!(got.body, gzip);
            // What it says, and whether its wire's end came, is not known.
            let line = gateway.only_line();
            assert_eq!(line["end"], "complete", "{line}");
            assert_eq!(line["fault"], "compressed", "{line}");
            assert_eq!(
                provider.only_request().head.field("accept-encoding"),
                Some("identity")
            );
        }
    });
    each_way(&CROSSED, |driver, direction| {
        for (kind, stream) in kinds.into_iter().zip([false, true]) {
            let fields = format!("content-type: {kind}\r\ncontent-encoding: gzip\r\n");
            let provider = Provider::answering(answer("200 OK", &fields, gzip));
            let gateway = Gateway::on(driver, direction, &provider);
            let body = chat(direction.client, MODEL, stream);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!(got.status, 502);
            assert_eq!(got.field("content-encoding"), None);
            assert!(told(direction.client, &got).message.contains("compressed"));
        }
    });
}

#[test]
fn p29_connections_over_the_limit_are_refused_politely_and_taken_again_later() {
    each(|driver| {
        let provider = unasked();
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup.limit("connections_max", 2).start();
        let mut held: Vec<Client> = (0..2).map(|_| gateway.client()).collect();
        for client in &mut held {
            serves_on(client, "within the limit");
        }
        let mut third = gateway.client();
        let refusal = third.answer();
        assert_eq!(refusal.status, 503);
        assert_eq!(refusal.field("retry-after"), Some("1"));
        assert!(refusal.field("date").is_some_and(|it| it.ends_with(" GMT")));
        assert!(refusal.text().contains("too many connections"));
        assert!(third.is_closed());
        held.pop();
        wait::until("a free place", || {
            let mut client = gateway.client();
            client.send(http::request("GET", "/healthz", "", ""));
            (client.answer().status == 200).then_some(())
        });
        serves_on(&mut held[0], "the first one");
        assert!(gateway.metric("ringway_connections_refused_total") >= 1.0);
    });
}

#[test]
fn p27_bodies_over_the_budget_are_503_with_retry_after_and_room_comes_back() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let setup = Setup::upstream(driver, wire, &provider);
            let gateway = setup.limit("held_budget_bytes", 1 << 20).start();
            let expected = Expected {
                status: 503,
                kinds: ["server_error", "overloaded_error"],
                param: None,
                says: "too many request bytes in flight",
                stays: false,
            };
            let padded = |size: usize| {
                let text = "x".repeat(size);
                chat(wire, MODEL, false).replace("Say hello.", &text)
            };
            let mut client = gateway.client();
            let got = client.ask(post(path(wire), "", padded(2 << 20)));
            check(wire, &got, &expected, "over");
            assert_eq!(got.field("retry-after"), Some("1"));
            assert!(client.is_closed());
            assert_eq!(provider.connections(), 0);
            gateway.wait_metric("ringway_held_bytes", 0.0);
            let got = gateway.client().ask(post(path(wire), "", padded(200_000)));
            assert_eq!(got.status, 200, "{}", got.text());
            gateway.wait_metric("ringway_held_bytes", 0.0);
        }
    });
}
