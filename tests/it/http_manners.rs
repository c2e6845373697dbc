//! HTTP/1.1 as clients and providers really use it.

use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::time::Instant;

use ringway::wire::kind::Wire;

use crate::support::client::{Client, End};
use crate::support::directions::{DIRECTIONS, Driver, SAME_WIRE, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{answer, chunk, find, json, post, request, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, always, then};
use crate::support::wires::{
    WIRES, chat, events, finish, path, start_up, terminator, text, told, told_last, whole,
};

fn gateway(driver: Driver) -> (Gateway, Provider) {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
    (gateway, provider)
}

fn health() -> Vec<u8> {
    request("GET", "/healthz", "", "")
}

#[test]
fn http10_clients_get_close_delimited_answers_and_keep_alive_when_they_ask() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.client;
        let provider = Provider::start(vec![
            then(json(whole(direction.upstream)), Step::Close),
            then(json(whole(direction.upstream)), Step::Close),
            always(stream(events(direction.upstream))),
        ]);
        let gateway = Gateway::on(driver, direction, &provider);
        let old = |fields: &str, streamed| {
            let body = chat(wire, MODEL, streamed);
            let length = body.len();
            format!(
                "POST {} HTTP/1.0\r\n{fields}content-length: {length}\r\n\r\n{body}",
                path(wire)
            )
        };
        let mut client = gateway.client();
        let got = client.ask(old("", false));
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        assert!(got.field("content-length").is_some());
        assert!(client.is_closed());
        let mut client = gateway.client();
        let got = client.ask(old("connection: keep-alive\r\n", false));
        assert_eq!(got.field("connection"), Some("keep-alive"));
        // A stream has no length: it ends by the end of the connection, whatever was asked for.
        let got = client.ask(old("connection: keep-alive\r\n", true));
        assert_eq!((got.status, got.end), (200, End::Closed));
        assert_eq!(got.field("transfer-encoding"), None);
        assert!(got.text().contains("Hel"));
    });
}

#[test]
fn http10_answers_that_break_are_told_by_an_event_or_a_reset() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let wire = direction.client;
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let mut streamed = then([stream_head(), chunk(begun)].concat(), Step::Gate);
        streamed.push(Step::Reset);
        let body = whole(upstream);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        let half = [
            format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes(),
            chunk(&body[..100]),
        ];
        let mut halved = then(half.concat(), Step::Gate);
        halved.push(Step::Close);
        let provider = Provider::start(vec![streamed, halved]);
        let gateway = Gateway::on(driver, direction, &provider);
        let old = |streamed| {
            let body = chat(wire, MODEL, streamed);
            let length = body.len();
            format!(
                "POST {} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}",
                path(wire)
            )
        };
        let mut client = gateway.client();
        client.send(old(true));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        provider.open();
        client.finish(&mut got);
        told_last(wire, got.text());
        let mut client = gateway.client();
        client.send(old(false));
        if direction.is_translated() {
            provider.wait_requests(2);
            provider.open();
            assert_eq!(client.answer().status, 502);
        } else {
            let mut got = client.head();
            client.until(&mut got, &body[..100]);
            provider.open();
            client.finish(&mut got);
            assert_eq!((got.text(), got.end), (&body[..100], End::Cut));
        }
    });
}

#[test]
fn keep_alive_serves_request_after_request_and_close_ends_it() {
    each(|driver| {
        let (gateway, provider) = gateway(driver);
        let mut client = gateway.client();
        let body = chat(Wire::OpenAiChat, MODEL, false);
        for _ in 0..5 {
            let got = client.ask(post("/v1/chat/completions", "", &body));
            assert_eq!((got.status, got.field("connection")), (200, None));
        }
        let got = client.ask(post("/v1/chat/completions", "connection: Close\r\n", &body));
        assert_eq!(got.field("connection"), Some("close"));
        assert!(client.is_closed());
        assert_eq!(provider.connections(), 1);
    });
}

#[test]
fn p5_pipelined_requests_are_answered_in_order_and_nothing_runs_behind_close() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let numbered = |n: usize| whole(wire).replace("Hello", &format!("answer {n}"));
        // The first answer comes last of all, when every request has been sent.
        let mut script = vec![Step::Request, Step::Gate];
        for number in 0..3 {
            script.extend([Step::Send(json(numbered(number))), Step::Request]);
        }
        let provider = Provider::all(script);
        let gateway = Gateway::before(driver, wire, &provider);
        let mut client = gateway.client();
        let ask = |n: usize, fields: &str| {
            let body = chat(wire, MODEL, false).replace("Say hello.", &format!("question {n}"));
            post(path(wire), fields, body)
        };
        let close = ask(2, "connection: close\r\n");
        client.send([ask(0, ""), ask(1, ""), close, ask(3, "")].concat());
        provider.wait_requests(1);
        provider.open();
        for number in 0..3 {
            let got = client.answer();
            assert!(
                got.text().contains(&format!("answer {number}")),
                "{}",
                got.text()
            );
            let seen = String::from_utf8(provider.requests()[number].body.clone()).unwrap();
            assert!(seen.contains(&format!("question {number}")), "{seen}");
        }
        assert!(client.is_closed());
        assert_eq!(provider.requests().len(), 3);
    });
}

#[test]
fn p5_pipelined_past_a_running_request_is_back_pressure_not_growth() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::all(vec![
            Step::Request,
            Step::Gate,
            Step::Send(json(whole(wire))),
            Step::Request,
            Step::Send(json(whole(wire))),
        ]);
        let gateway = Gateway::before(driver, wire, &provider);
        let mut client = Client::connect_narrow(gateway.address());
        let body = chat(wire, MODEL, false).replace("Say hello.", &"x".repeat(60_000));
        client.send(post(path(wire), "", chat(wire, MODEL, false)));
        provider.wait_requests(1);
        client.send(post(path(wire), "", body));
        provider.open();
        for _ in 0..2 {
            assert_eq!(client.answer().status, 200);
        }
        assert_eq!(
            provider.requests()[1].body.len(),
            chat(wire, MODEL, false).len() + 60_000 - 3
        );
    });
}

#[test]
fn p6_expect_100_is_answered_after_the_key_and_the_length_are_judged() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Setup::upstream(driver, wire, &provider)
                .key("key-1", "one", None)
                .limit("body_bytes_max", 65_536)
                .start();
            let body = chat(wire, MODEL, false);
            let head = |fields: &str, length: usize| {
                format!(
                    "POST {} HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\n{fields}\
                     content-length: {length}\r\n\r\n",
                    path(wire)
                )
            };
            let mut client = gateway.client();
            client.send(head("x-api-key: key-1\r\n", body.len()));
            let interim = client.head();
            assert_eq!((interim.status, interim.head.fields.len()), (100, 0));
            let got = client.ask(&body);
            assert_eq!((got.status, got.text()), (200, whole(wire)));
            for (fields, length, status) in [
                ("x-api-key: wrong\r\n", body.len(), 401),
                ("x-api-key: key-1\r\n", 65_537, 413),
            ] {
                let mut client = gateway.client();
                let got = client.ask(head(fields, length));
                assert_eq!(got.status, status, "no 100 goes before it");
                told(wire, &got);
                assert!(client.is_closed());
            }
            // A body that is already there needs no invitation; HTTP/1.0 gets none.
            let mut client = gateway.client();
            let got = client.ask(head("x-api-key: key-1\r\n", body.len()) + &body);
            assert_eq!(got.status, 200);
            let old = head("x-api-key: key-1\r\n", body.len()).replace("1.1", "1.0");
            let mut client = gateway.client();
            client.send(&old);
            assert!(client.is_quiet(Duration::from_millis(100)));
            assert_eq!(client.ask(&body).status, 200);
            for request in provider.requests() {
                assert_eq!(request.head.field("expect"), None);
            }
        }
    });
}

#[test]
fn interim_answers_of_a_provider_are_skipped_up_to_sixteen() {
    each_way(&DIRECTIONS, |driver, direction| {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(15);
        let first = "HTTP/1.1 100 Continue\r\n\r\n";
        let last = json(whole(direction.upstream));
        let sent = [first.as_bytes(), interim.as_bytes(), &last].concat();
        let provider = Provider::answering(sent);
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        for _ in 0..2 {
            let body = chat(direction.client, MODEL, false);
            let got = client.ask(post(path(direction.client), "", body));
            assert_eq!(
                (got.status, got.field("link")),
                (200, None),
                "{}",
                got.text()
            );
        }
        assert_eq!(provider.connections(), 1);
    });
}

#[test]
fn wrong_methods_are_405_with_allow_and_unknown_paths_404_in_the_wire() {
    each(|driver| {
        let (gateway, provider) = gateway(driver);
        let mut client = gateway.client();
        for (method, target, wire, allow) in [
            (
                "GET",
                "/v1/chat/completions",
                Wire::OpenAiChat,
                "POST, OPTIONS",
            ),
            (
                "PUT",
                "/v1/messages",
                Wire::AnthropicMessages,
                "POST, OPTIONS",
            ),
            (
                "DELETE",
                "/messages/count_tokens",
                Wire::AnthropicMessages,
                "POST, OPTIONS",
            ),
            ("POST", "/v1/models", Wire::OpenAiChat, "GET, HEAD, OPTIONS"),
            (
                "DELETE",
                "/v1/models/m",
                Wire::OpenAiChat,
                "GET, HEAD, OPTIONS",
            ),
            (
                "PROPFIND",
                "/v1/files",
                Wire::OpenAiChat,
                "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            ),
        ] {
            let got = client.ask(request(method, target, "", ""));
            assert_eq!(got.status, 405, "{method} {target}");
            assert_eq!(got.field("allow"), Some(allow), "{method} {target}");
            told(wire, &got);
        }
        for (target, fields, wire) in [
            ("/", "", Wire::OpenAiChat),
            ("/v2/chat/completions", "", Wire::OpenAiChat),
            ("/responses", "", Wire::OpenAiChat),
            ("/messages/else", "", Wire::AnthropicMessages),
            (
                "/v2/x",
                "anthropic-version: 2023-06-01\r\n",
                Wire::AnthropicMessages,
            ),
            ("/v1/Messages/", "", Wire::AnthropicMessages),
        ] {
            let got = gateway.client().ask(request("GET", target, fields, ""));
            let status = if target.ends_with('/') && target.len() > 1 {
                400
            } else {
                404
            };
            assert_eq!(got.status, status, "{target}: {}", got.text());
            told(wire, &got);
        }
        assert_eq!(provider.connections(), 0);
    });
}

/// Seconds since 1970 of a `date` as RFC 9110 has it, read without the program's help.
fn seconds_of(date: &str) -> i64 {
    let parts: Vec<&str> = date.split(&[' ', ':'][..]).collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = parts[..] else {
        panic!("{date}");
    };
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).unwrap() as i64 / 3;
    let number = |text: &str| text.parse::<i64>().unwrap();
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = |year: i64, month: i64| match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    let years = (1970..number(year)).map(|year| 365 + i64::from(is_leap(year)));
    let within = (0..month).map(|month| lengths(number(year), month));
    let days = years.chain(within).sum::<i64>() + number(day) - 1;
    ((days * 24 + number(hour)) * 60 + number(minute)) * 60 + number(second)
}

#[test]
fn answers_are_dated_once_and_a_providers_own_date_is_kept() {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs() as i64
    };
    each_way(&DIRECTIONS, |driver, direction| {
        let (client, upstream) = (direction.client, direction.upstream);
        let theirs = "Sun, 06 Nov 1994 08:49:37 GMT";
        let fields = format!("content-type: application/json\r\nDate: {theirs}\r\n");
        let dated = answer("200 OK", &fields, whole(upstream));
        let provider = Provider::start(vec![
            then(json(whole(upstream)), Step::Close),
            then(stream(events(upstream)), Step::Close),
            then(dated, Step::Close),
        ]);
        let gateway = Gateway::on(driver, direction, &provider);
        let before = now();
        let chat = |streamed| post(path(client), "", chat(client, MODEL, streamed));
        let ours = [
            chat(false),
            chat(true),
            post(path(client), "", "{"),
            request("GET", "/v1/models", "", ""),
            request("GET", "/nowhere", "", ""),
            request("OPTIONS", "/v1/models", "", ""),
            b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n".to_vec(),
            health(),
        ];
        for request in ours {
            let got = gateway.client().ask(&request);
            let date = got.field("date").expect("a date");
            let seconds = seconds_of(date);
            // The cached line is a second old at most.
            assert!((before - 1..=now()).contains(&seconds), "{date}");
        }
        let got = gateway.client().ask(chat(false));
        let kept = got.field("date") == Some(theirs);
        assert_eq!(kept, client == upstream, "{:?}", got.head);
    });
}

#[test]
fn head_requests_get_the_head_that_get_would_have_and_no_body() {
    each(|driver| {
        let (gateway, _provider) = gateway(driver);
        let mut client = gateway.client();
        for target in [
            "/healthz",
            "/readyz",
            "/v1/models",
            "/v1/models/m",
            "/v1/models/none",
        ] {
            let full = client.ask(request("GET", target, "", ""));
            client.send(request("HEAD", target, "", ""));
            let bare = client.answer_to_head();
            assert_eq!(bare.status, full.status, "{target}");
            for name in ["content-type", "content-length"] {
                assert_eq!(bare.field(name), full.field(name), "{target} {name}");
            }
            // The same connection serves on: no byte of a body followed.
            assert_eq!(client.ask(health()).status, 200, "{target}");
        }
        client.send(request("HEAD", "/v1/chat/completions", "", ""));
        assert_eq!(client.answer_to_head().status, 405);
        assert_eq!(client.ask(health()).status, 200);
    });
}

#[test]
fn relayed_head_requests_and_bodiless_answers_keep_the_connection_in_step() {
    each(|driver| {
        let provider = Provider::start(vec![vec![
            Step::Request,
            Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\nx-a: b\r\n\r\n".to_vec()),
            Step::Request,
            Step::Send(b"HTTP/1.1 204 No Content\r\nx-a: c\r\n\r\n".to_vec()),
            Step::Request,
            Step::Send(b"HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\n\r\n".to_vec()),
            Step::Request,
            Step::Send(answer("200 OK", "", "done")),
        ]]);
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        client.send(request("HEAD", "/v1/files/f", "", ""));
        let got = client.answer_to_head();
        assert_eq!(
            (got.status, got.field("content-length")),
            (200, Some("1234"))
        );
        let got = client.ask(request("DELETE", "/v1/files/f", "", ""));
        assert_eq!(
            (got.status, got.field("x-a"), got.field("content-length")),
            (204, Some("c"), None)
        );
        let fields = "if-none-match: \"e\"\r\n";
        let got = client.ask(request("GET", "/v1/files/f", fields, ""));
        assert_eq!(
            (got.status, got.field("etag"), got.field("content-length")),
            (304, Some("\"e\""), None)
        );
        let got = client.ask(request("GET", "/v1/files/f", "", ""));
        assert_eq!((got.status, got.text()), (200, "done"));
        assert_eq!(provider.connections(), 1);
    });
}

#[test]
fn cors_is_off_by_default_and_by_an_allow_list_otherwise() {
    each(|driver| {
        let (gateway, provider) = gateway(driver);
        let preflight = |origin: &str| {
            let fields = format!(
                "origin: {origin}\r\naccess-control-request-method: POST\r\n\
                 access-control-request-headers: authorization, content-type\r\n"
            );
            request("OPTIONS", "/v1/chat/completions", &fields, "")
        };
        let got = gateway.client().ask(preflight("https://app.test"));
        assert_eq!(
            (got.status, got.field("allow")),
            (204, Some("POST, OPTIONS"))
        );
        assert!(
            got.head
                .fields
                .iter()
                .all(|(name, _)| !name.starts_with("access-control"))
        );
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let open = setup
            .server("cors_origins = [\"https://app.test\"]")
            .start();
        let got = open.client().ask(preflight("https://app.test"));
        assert_eq!(got.status, 204);
        assert_eq!(
            got.field("access-control-allow-origin"),
            Some("https://app.test")
        );
        let headers = got.field("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization"), "{headers}");
        assert!(
            got.field("access-control-allow-methods")
                .unwrap()
                .contains("POST")
        );
        assert!(
            got.field("vary")
                .unwrap()
                .to_ascii_lowercase()
                .contains("origin")
        );
        let got = open.client().ask(preflight("https://evil.test"));
        assert_eq!(got.field("access-control-allow-origin"), None);
        let body = chat(Wire::OpenAiChat, MODEL, false);
        let fields = "origin: https://app.test\r\n";
        let got = open
            .client()
            .ask(post("/v1/chat/completions", fields, body));
        assert_eq!(
            got.field("access-control-allow-origin"),
            Some("https://app.test")
        );
        assert_eq!(got.field("access-control-allow-credentials"), None);
    });
}

#[test]
fn chunked_requests_reach_the_provider_with_a_length() {
    each_way(&DIRECTIONS, |driver, direction| {
        let provider = Provider::answering(json(whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let body = chat(direction.client, MODEL, false);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n",
            path(direction.client)
        );
        let mut client = gateway.client();
        client.send(head);
        for piece in body.as_bytes().chunks(11) {
            client.send(chunk(piece));
        }
        let got = client.ask("0\r\nx-trailer: 1\r\n\r\n");
        assert_eq!(got.status, 200, "{}", got.text());
        let seen = provider.only_request();
        assert_eq!(
            seen.head.field("content-length"),
            Some(&*seen.body.len().to_string())
        );
        assert_eq!(seen.head.field("x-trailer"), None);
        if !direction.is_translated() {
            assert_eq!(seen.body, body.replace("\"m\"", "\"up-model\"").as_bytes());
        }
    });
}

#[test]
fn the_last_request_of_a_connection_says_close() {
    each(|driver| {
        let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup.limit("requests_per_connection_max", 3).start();
        let mut client = gateway.client();
        for number in 1..=3 {
            let got = client.ask(health());
            let expected = (number == 3).then_some("close");
            assert_eq!(got.field("connection"), expected, "{number}");
        }
        assert!(client.is_closed());
    });
}

#[test]
fn idle_connections_are_closed_without_a_word() {
    each(|driver| {
        let provider = Provider::answering(json("{}"));
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup.limit("idle_timeout_ms", 100).start();
        let mut client = gateway.client();
        assert_eq!(client.ask(health()).status, 200);
        assert!(client.is_closed());
    });
}

#[test]
fn new_connections_that_say_nothing_are_closed_after_the_head_timeout() {
    each(|driver| {
        let provider = Provider::answering(json("{}"));
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup.limit("head_timeout_ms", 100).start();
        assert!(gateway.client().is_closed());
    });
}

#[test]
fn requests_sent_byte_by_byte_are_read_like_any_other() {
    each_way(&SAME_WIRE, |driver, direction| {
        let provider = Provider::answering(json(whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        let bytes = post(
            path(direction.client),
            "x: y\r\n",
            chat(direction.client, MODEL, false),
        );
        let at = find(&bytes, b"\r\n\r\n").unwrap();
        for byte in &bytes[..at + 20] {
            client.send([*byte]);
        }
        let got = client.ask(&bytes[at + 20..]);
        assert_eq!((got.status, got.text()), (200, whole(direction.upstream)));
    });
}

#[test]
fn listeners_stand_on_ipv4_ipv6_and_unix_sockets_at_once() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let setup = Setup::upstream(driver, wire, &provider);
        let socket = setup.folder().join("ringway.sock");
        let listen = format!(
            "[\"127.0.0.1:0\", \"[::1]:0\", \"unix:{}\"]",
            socket.display()
        );
        let gateway = setup.listen(&listen).start();
        let ask = |mut client: Client| {
            let got = client.ask(post(path(wire), "", chat(wire, MODEL, false)));
            assert_eq!((got.status, got.text()), (200, whole(wire)));
        };
        let mut tcp = 0;
        for address in &gateway.running().addresses {
            match address {
                ringway::net::endpoint::listen::Address::Tcp(address) => {
                    tcp += 1;
                    ask(Client::connect(*address));
                }
                ringway::net::endpoint::listen::Address::Unix(path) => {
                    ask(Client::connect_unix(path))
                }
            }
        }
        assert_eq!(tcp, 2);
        gateway.end();
        assert!(!socket.exists(), "the file goes with the listener");
    });
}

#[test]
fn p22_the_admin_socket_replaces_a_dead_one_is_its_owners_alone_and_goes_at_the_end() {
    each(|driver| {
        let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
        let setup = || Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let address = format!("unix:{}", path.display());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the file of a listener that has gone");
        let gateway = setup().admin(&address).start();
        assert_eq!(gateway.running().admin.as_deref(), Some(&*address));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let ask = || Client::connect_unix(&path).ask(request("GET", "/readyz", "", ""));
        assert_eq!(ask().status, 200);
        // One that is alive is left alone, and so is its file when the second start fails.
        assert!(setup().admin(&address).try_start().is_err());
        assert_eq!(ask().status, 200);
        gateway.end();
        assert!(!path.exists(), "the file goes with the listener");
        // What is no socket is nobody's to remove.
        fs::write(&path, "kept").unwrap();
        assert!(setup().admin(&address).try_start().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"kept");
    });
}

#[test]
fn a_stream_passes_token_by_token_with_nagle_off_on_both_sides() {
    // TCP_NODELAY is asserted on the sockets themselves in `net`; here its effect: small writes
    // that follow each other at once arrive without waiting for acknowledgements.
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let mut script = vec![Step::Request, Step::Send(stream_head())];
        script.push(Step::Send(chunk(
            [start_up(upstream), &text(upstream, "t0.", true)].concat(),
        )));
        for number in 1..20 {
            let piece = text(upstream, &format!("t{number}."), false);
            script.extend([Step::Gate, Step::Send(chunk(piece))]);
        }
        script.push(Step::Gate);
        script.push(Step::Send(chunk(
            [finish(upstream), terminator(upstream)].concat(),
        )));
        script.push(Step::Send(b"0\r\n\r\n".to_vec()));
        let provider = Provider::all(script);
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        let mut got = client.head();
        let mut fastest = Duration::MAX;
        for number in 0..20 {
            let started = Instant::now();
            client.until(&mut got, &format!("t{number}."));
            provider.open();
            fastest = fastest.min(started.elapsed());
        }
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole);
        // With delayed acknowledgements each round would take 40 ms and more.
        assert!(fastest < Duration::from_millis(30), "{fastest:?}");
    });
}
