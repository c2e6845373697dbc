//! Answers on the client's own wire: byte-exact, however they are cut and framed.

use core::time::Duration;
use std::time::Instant;

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::{Client, End};
use crate::support::directions::{DIRECTIONS, Direction, SAME_WIRE, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup, UPSTREAM_KEY};
use crate::support::http::{self, LAST_CHUNK, answer, chunk, json, post, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, always, then};
use crate::support::wait;
use crate::support::wires::{
    USAGE_CHUNK, WIRES, chat, error_body, error_event, events, finish, path, start_up, terminator,
    text, told, whole,
};

#[test]
fn whole_answers_come_back_byte_for_byte_with_their_length() {
    each_way(&SAME_WIRE, |driver, direction| {
        let odd = whole(direction.upstream)
            .replace(",\"", " ,\n \"")
            .replace("Hello", "\\ud83d h\\/\u{e9}");
        let provider = Provider::answering(json(&odd));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = gateway.client().ask(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, false),
        ));
        assert_eq!((got.status, got.end, got.text()), (200, End::Whole, &*odd));
        assert_eq!(got.field("content-length"), Some(&*odd.len().to_string()));
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete");
        assert_eq!(line["stream"], false);
        assert_eq!(
            (&line["usage"]["input"], &line["usage"]["output"]),
            (&9.into(), &2.into())
        );
    });
}

#[test]
fn p28_a_client_that_reads_slowly_but_steadily_is_not_taken_for_one_that_stalls() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let long = whole(upstream).replace("Hello", &"y".repeat(4 << 20));
        let provider = Provider::answering(json(&long));
        let gateway = Setup::upstream(driver, upstream, &provider)
            .limit("write_stall_timeout_ms", 400)
            .start();
        let mut reader = Client::connect_narrow(gateway.address());
        reader.send(post(path(client), "", chat(client, MODEL, false)));
        let mut got = reader.head();
        // Several times as long as a client may stall, a little at a time.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1_600) {
            let at = Instant::now();
            wait::until("a pause", || {
                (at.elapsed() >= Duration::from_millis(20)).then_some(())
            });
            reader.more(&mut got);
        }
        assert_eq!(got.end, End::Open, "it was to last longer");
        reader.finish(&mut got);
        assert_eq!(got.end, End::Whole);
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete", "{line}");
        assert!(line["bytes_out"].as_u64().unwrap() > 4 << 20, "{line}");
    });
}

/// Streams as providers may write them; each must come back as it is.
fn odd_streams(wire: Wire) -> Vec<(&'static str, String)> {
    let plain = events(wire);
    let crlf = plain.replace('\n', "\r\n");
    let cr = plain.replace('\n', "\r");
    let comments = format!(
        ": hi\n\n{}",
        plain.replace("\n\n", "\n\n: OPENROUTER PROCESSING\n\n")
    );
    let spaceless = plain.replace("data: ", "data:");
    let marked = format!("\u{feff}{plain}");
    let fields = plain.replace("data: ", "id: 7\nretry: 1\nunknown\ndata: ");
    let unknown =
        format!("event: new_kind\ndata: {{\"type\":\"new_kind\",\"choices\":[]}}\n\n{plain}");
    let unended = plain.strip_suffix('\n').unwrap().to_owned();
    vec![
        ("plain", plain),
        ("CRLF", crlf),
        ("CR", cr),
        ("comments", comments),
        ("no space", spaceless),
        ("byte order mark", marked),
        ("further fields", fields),
        ("an unknown event", unknown),
        ("no last blank line", unended),
    ]
}

#[test]
fn to3_j1_j2_j3_j4_p17_streams_come_back_byte_for_byte_however_they_are_written() {
    each_way(&SAME_WIRE, |driver, direction| {
        let rows = odd_streams(direction.upstream);
        let mut scripts = Vec::new();
        for (_, text) in &rows {
            let pieces: Vec<u8> = text.as_bytes().chunks(7).flat_map(chunk).collect();
            let sent = [stream_head(), pieces, LAST_CHUNK.to_vec()].concat();
            scripts.push(then(sent, Step::Close));
        }
        let provider = Provider::start(scripts);
        let gateway = Gateway::on(driver, direction, &provider);
        for (number, (row, text)) in rows.iter().enumerate() {
            let mut client = gateway.client();
            let body = chat(direction.client, MODEL, true);
            let got = client.ask(post(path(direction.client), "", body));
            assert_eq!((got.status, got.end), (200, End::Whole), "{row}");
            assert_eq!(got.text(), text, "{row}");
            let line = &gateway.lines(number + 1)[number];
            assert_eq!(line["end"], "complete", "{row}: {line}");
            assert_eq!(line["deltas"], 2, "{row}: {line}");
        }
    });
}

#[test]
fn answers_behind_a_byte_order_mark_are_answers_as_they_are_to_clients_without_a_gateway() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let same = direction.client == wire;
        let marked = |body: &str| format!("\u{feff}{body}");
        let body = marked(whole(wire));
        let error = marked(&error_body(wire, "some_error", "no luck"));
        let kind = "content-type: application/json\r\n";
        let in_chunks = [chunk(&body), LAST_CHUNK.to_vec()].concat();
        let fields = format!("HTTP/1.1 200 OK\r\n{kind}transfer-encoding: chunked\r\n\r\n");
        let rows = [
            (json(&body), 200, &body),
            ([fields.into_bytes(), in_chunks].concat(), 200, &body),
            (answer("400 Bad Request", kind, &error), 400, &error),
        ];
        for (sent, status, expected) in rows {
            let provider = Provider::answering(sent);
            let gateway = Gateway::on(driver, direction, &provider);
            let body = chat(direction.client, MODEL, false);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!(
                (got.status, got.end),
                (status, End::Whole),
                "{}",
                got.text()
            );
            if same {
                assert_eq!(got.text(), expected);
            } else {
                let words = if status == 200 { "Hello" } else { "no luck" };
                assert!(got.text().contains(words), "{}", got.text());
            }
        }
    });
}

#[test]
fn i1_streams_cut_at_every_byte_of_a_character_come_back_byte_for_byte() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let piece = text(wire, "é€😀", true);
        let at = http::find(piece.as_bytes(), "é".as_bytes()).unwrap();
        let mut script = vec![Step::Request, Step::Send(stream_head())];
        script.push(Step::Send(chunk(start_up(wire))));
        // One byte of the three characters a chunk, each sent when the one before has arrived.
        script.push(Step::Send(chunk(&piece.as_bytes()[..at])));
        for index in at..at + 9 {
            script.extend([
                Step::Gate,
                Step::Send(chunk(&piece.as_bytes()[index..=index])),
            ]);
        }
        let rest = format!("{}{}{}", &piece[at + 9..], finish(wire), terminator(wire));
        script.extend([
            Step::Gate,
            Step::Send(chunk(&rest)),
            Step::Send(LAST_CHUNK.to_vec()),
        ]);
        let provider = Provider::all(script);
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        let mut got = client.head();
        let before = start_up(wire).len() + at;
        for index in 0..9 {
            while got.body.len() < before + index {
                client.more(&mut got);
            }
            provider.open();
        }
        provider.open();
        client.finish(&mut got);
        let expected = [start_up(wire), &piece, finish(wire), terminator(wire)].concat();
        assert_eq!((got.text(), got.end), (&*expected, End::Whole));
    });
}

#[test]
fn ni11_c7_c9_the_usage_chunk_reaches_only_the_client_that_asked_for_it() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let with_usage =
            events(wire).replace("data: [DONE]", &format!("{USAGE_CHUNK}data: [DONE]"));
        let provider = Provider::answering(stream(&with_usage));
        let gateway = Gateway::before(driver, wire, &provider);
        let mut client = gateway.client();
        let plain = chat(wire, MODEL, true);
        let asked = plain.replace(
            "\"stream\":true",
            "\"stream\":true,\"stream_options\":{\"include_usage\":true}",
        );
        let refused = asked.replace("\"include_usage\":true", "\"include_usage\":false");
        for (row, body, expected) in [
            ("not asked", &plain, &events(wire)),
            ("asked", &asked, &with_usage),
            ("asked not to", &refused, &events(wire)),
        ] {
            let got = client.ask(post(path(wire), "", body));
            assert_eq!((got.text(), got.end), (&**expected, End::Whole), "{row}");
        }
        for line in gateway.lines(3) {
            assert_eq!(line["usage"]["output"], 2, "{line}");
            assert_eq!(line["end"], "complete");
        }
        for request in provider.requests() {
            let body = String::from_utf8(request.body).unwrap();
            assert!(body.contains("\"include_usage\":true"), "{body}");
        }
    });
}

#[test]
fn usage_is_only_observed_where_the_provider_is_set_so() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let with_usage =
            events(wire).replace("data: [DONE]", &format!("{USAGE_CHUNK}data: [DONE]"));
        let provider = Provider::answering(stream(&with_usage));
        let gateway = Setup::new(driver)
            .provider("up", wire, &provider, "usage = \"observe\"")
            .model(MODEL, &["up/up-model"])
            .start();
        let body = chat(wire, MODEL, true);
        let got = gateway.client().ask(post(path(wire), "", &body));
        assert_eq!(got.text(), with_usage);
        let sent = String::from_utf8(provider.only_request().body).unwrap();
        assert_eq!(sent, body.replace("\"m\"", "\"up-model\""));
        assert_eq!(gateway.only_line()["usage"]["input"], 9);
    });
}

/// Fields as a provider may send them.
const FIELDS: &str = "retry-after: 7\r\n\
    retry-after-ms: 7000\r\n\
    x-should-retry: true\r\n\
    x-ratelimit-limit-requests: 10\r\n\
    anthropic-ratelimit-requests-limit: 10\r\n\
    openai-processing-ms: 12\r\n\
    x-request-id: req-openai\r\n\
    request-id: req-anthropic\r\n\
    x-vendor: 1\r\n\
    set-cookie: a=b\r\n\
    connection: x-named\r\n\
    x-named: 1\r\n\
    keep-alive: timeout=5\r\n\
    proxy-authenticate: Basic\r\n\
    access-control-allow-origin: *\r\n\
    x-ringway-request-id: forged\r\n\
    x-ringway-translation: forged\r\n\
    strict-transport-security: max-age=1\r\n\
    refresh: 0; url=http://127.0.0.1/\r\n\
    clear-site-data: \"*\"\r\n\
    content-location: /elsewhere\r\n\
    X-Accel-Redirect: /internal\r\n\
    x-sendfile: /etc/hostname\r\n\
    nel: {}\r\n\
    report-to: {}\r\n\
    reporting-endpoints: a=\"https://127.0.0.1/\"\r\n\
    alt-svc: h3\r\n";

#[test]
fn k1_heads_come_back_less_what_is_the_connections_ours_or_secret() {
    each_way(&SAME_WIRE, |driver, direction| {
        let echo = format!("x-echo: Bearer {UPSTREAM_KEY}\r\n");
        let fields = format!("content-type: application/json\r\n{FIELDS}{echo}");
        let provider = Provider::answering(answer("200 OK", &fields, whole(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = gateway.client().ask(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, false),
        ));
        for (name, value) in [
            ("retry-after", "7"),
            ("retry-after-ms", "7000"),
            ("x-should-retry", "true"),
            ("x-ratelimit-limit-requests", "10"),
            ("anthropic-ratelimit-requests-limit", "10"),
            ("openai-processing-ms", "12"),
            ("x-vendor", "1"),
        ] {
            assert_eq!(got.field(name), Some(value), "{name}");
        }
        for name in [
            "set-cookie",
            "connection",
            "x-named",
            "keep-alive",
            "proxy-authenticate",
            "access-control-allow-origin",
            "x-ringway-translation",
            "strict-transport-security",
            "alt-svc",
            "refresh",
            "clear-site-data",
            "content-location",
            "x-accel-redirect",
            "x-sendfile",
            "nel",
            "report-to",
            "reporting-endpoints",
            "x-echo",
        ] {
            assert_eq!(got.field(name), None, "{name}");
        }
        let ours = got.field("x-ringway-request-id").unwrap();
        assert!(ours.starts_with("rw_"), "{ours}");
        let (native, other) = match direction.upstream {
            Wire::OpenAiChat => (("x-request-id", "req-openai"), "request-id"),
            Wire::AnthropicMessages => (("request-id", "req-anthropic"), "x-request-id"),
        };
        assert_eq!(got.field(native.0), Some(native.1));
        assert_eq!(got.field(other), Some(ours));
        let line = gateway.only_line();
        assert_eq!(line["id"], ours);
        assert_eq!(line["upstream_request_id"], native.1);
    });
}

#[test]
fn f1_f2_f4_f6_d10_error_answers_on_the_same_wire_come_back_as_sent() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let error = error_body(wire, "rate_limit_error", "slow down");
        let rows = [
            ("400 Bad Request", "application/json", &*error),
            ("404 Not Found", "application/json", &*error),
            ("429 Too Many Requests", "application/json", &*error),
            ("500 Internal Server Error", "application/json", &*error),
            ("502 Bad Gateway", "text/html", &*error),
            (
                "503 Service Unavailable",
                "text/plain",
                "{ \"detail\" : \"x\" }",
            ),
            ("529 Overloaded", "application/json", &*error),
        ];
        for (status, kind, body) in rows {
            let fields = format!("content-type: {kind}\r\nretry-after: 30\r\n");
            let provider = Provider::answering(answer(status, &fields, body));
            let gateway = Gateway::on(driver, direction, &provider);
            let mut client = gateway.client();
            for stream in [false, true] {
                let request = post(path(wire), "", chat(wire, MODEL, stream));
                let got = client.ask(request);
                assert_eq!(got.status.to_string(), status[..3], "as sent");
                assert_eq!((got.text(), got.end), (body, End::Whole));
                assert_eq!(got.field("content-type"), Some(kind));
                assert_eq!(got.field("retry-after"), Some("30"));
            }
            assert_eq!(
                provider.requests().len(),
                2,
                "a lone target has one attempt"
            );
            for line in gateway.lines(2) {
                assert_eq!(
                    (&line["end"], line["status"].to_string()),
                    (&"refused".into(), status[..3].to_owned())
                );
            }
        }
    });
}

#[test]
fn refusals_that_are_no_json_become_errors_of_the_same_wire() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let page = format!("<html><h1>502 Bad</h1>\n<p>Gateway {UPSTREAM_KEY}</html>");
        let long = format!("<p>{}", "x".repeat(100_000));
        let rows = [
            (
                "502 Bad Gateway",
                "text/html",
                &*page,
                "502 Bad Gateway ***",
            ),
            ("503 Service Unavailable", "text/html", &*long, "xxx"),
            (
                "500 Internal Server Error",
                "application/json",
                "oh no",
                "oh no",
            ),
            (
                "429 Too Many Requests",
                "text/plain",
                "slow down",
                "slow down",
            ),
            ("404 Not Found", "text/plain", "", "upstream error 404"),
            ("403 Forbidden", "text/plain", "\"no\"", "\"no\""),
        ];
        for (status, kind, body, told_text) in rows {
            let fields = format!("content-type: {kind}\r\nretry-after: 30\r\n");
            let plain = answer(status, &fields, body);
            let chunked =
                format!("HTTP/1.1 {status}\r\n{fields}transfer-encoding: chunked\r\n\r\n");
            let parts = [chunked.into_bytes(), chunk(body), LAST_CHUNK.to_vec()].concat();
            // JSON by its label whose length is not told passes as it comes.
            let parts = if body.is_empty() || kind == "application/json" {
                plain.clone()
            } else {
                parts
            };
            for sent in [plain, parts] {
                let provider = Provider::answering(sent);
                let gateway = Gateway::on(driver, direction, &provider);
                let mut client = gateway.client();
                for stream in [false, true] {
                    let got = client.ask(post(path(wire), "", chat(wire, MODEL, stream)));
                    assert_eq!(got.status.to_string(), status[..3], "as sent");
                    assert_eq!(got.field("content-type"), Some("application/json"));
                    assert_eq!(got.field("retry-after"), Some("30"));
                    let error = told(wire, &got);
                    assert!(error.message.contains(told_text), "{}", error.message);
                    assert!(error.message.len() < 300, "{}", error.message);
                    assert!(!got.text().contains(UPSTREAM_KEY), "{}", got.text());
                }
                for line in gateway.lines(2) {
                    assert_eq!(line["end"], "refused", "{line}");
                    assert_eq!(line["fault"], "upstream_status", "{line}");
                }
            }
        }
    });
}

#[test]
fn p24_a_credential_spelt_with_escapes_is_blanked_whether_it_would_come_out_plain_or_not() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let hidden = UPSTREAM_KEY.replace('-', "\\u002d");
        assert_ne!(hidden, UPSTREAM_KEY);
        let error = error_event(wire).replace("model melted", &format!("bad key {hidden}"));
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let said = text(wire, "HIDDEN", true).replace("HIDDEN", &hidden);
        let said = [start_up(wire), &said, finish(wire), terminator(wire)].concat();
        let named = whole(wire).replace("\"model\":\"", &format!("\"model\":\"{hidden}"));
        assert!(named.contains(&hidden));
        let id = match wire {
            Wire::OpenAiChat => "x-request-id",
            Wire::AnthropicMessages => "request-id",
        };
        let fields = format!("content-type: application/json\r\n{id}: {UPSTREAM_KEY}\r\n");
        let rows = [
            (true, stream(&*error)),
            (true, stream([&*begun, &error].concat())),
            (true, stream(&*said)),
            (true, json(error_body(wire, "api_error", &hidden))),
            (false, json(error_body(wire, "api_error", &hidden))),
            (false, answer("200 OK", &fields, &named)),
        ];
        for (number, (streamed, sent)) in rows.into_iter().enumerate() {
            let provider = Provider::answering(sent);
            let gateway = Gateway::on(driver, direction, &provider);
            let body = chat(direction.client, MODEL, streamed);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            let plain = got.text().replace("\\u002d", "-");
            assert!(!plain.contains(UPSTREAM_KEY), "{number}: {plain}");
            assert_eq!(got.field("x-ringway-upstream-request-id"), None);
            let log = gateway.end();
            assert!(!log.contains(UPSTREAM_KEY), "{number}: {log}");
        }
    });
}

#[test]
fn p24_the_credential_is_blanked_in_bodies_even_across_two_reads() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let (first, second) = UPSTREAM_KEY.split_at(9);
        let error = error_body(
            wire,
            "authentication_error",
            &format!("bad key {UPSTREAM_KEY}"),
        );
        let cut = text(wire, &format!("<{UPSTREAM_KEY}>"), true);
        let at = http::find(cut.as_bytes(), second.as_bytes()).unwrap();
        let provider = Provider::start(vec![
            then(
                answer(
                    "401 Unauthorized",
                    "content-type: application/json\r\n",
                    &error,
                ),
                Step::Close,
            ),
            vec![
                Step::Request,
                Step::Send(stream_head()),
                Step::Send(chunk(&cut[..at])),
                Step::Gate,
                Step::Send(chunk(&cut[at..])),
                Step::Send(chunk([finish(wire), terminator(wire)].concat())),
                Step::Send(LAST_CHUNK.to_vec()),
            ],
        ]);
        let gateway = Gateway::on(driver, direction, &provider);
        let request = |stream| post(path(wire), "", chat(wire, MODEL, stream));
        let got = gateway.client().ask(request(false));
        let blank = "*".repeat(UPSTREAM_KEY.len());
        assert_eq!(got.text(), error.replace(UPSTREAM_KEY, &blank));
        let mut client = gateway.client();
        client.send(request(true));
        let mut got = client.head();
        client.until(&mut got, "<");
        assert!(!got.text().contains(first), "{}", got.text());
        provider.open();
        client.finish(&mut got);
        let expected = [
            &*cut.replace(UPSTREAM_KEY, &blank),
            finish(wire),
            terminator(wire),
        ];
        assert_eq!(got.text(), expected.concat());
    });
}

#[test]
fn close_delimited_and_chunked_answers_with_trailers_come_whole_and_are_chunked_on() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let body = whole(wire);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
        let old = "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n";
        let chunked = [
            format!("{head}transfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n").into_bytes(),
            chunk(&body[..20]),
            chunk(&body[20..]),
            b"0\r\nx-t: 1\r\n\r\n".to_vec(),
        ]
        .concat();
        for (row, script, reused) in [
            (
                "close",
                then(format!("{head}\r\n{body}"), Step::Close),
                false,
            ),
            (
                "HTTP/1.0",
                then(format!("{old}\r\n{body}"), Step::Close),
                false,
            ),
            ("chunks and trailers", always(chunked), true),
            (
                "connection: close",
                always(answer(
                    "200 OK",
                    "content-type: application/json\r\nconnection: close\r\n",
                    body,
                )),
                false,
            ),
        ] {
            let provider = Provider::all(script);
            let gateway = Gateway::on(driver, direction, &provider);
            let mut client = gateway.client();
            for _ in 0..2 {
                let got = client.ask(post(path(wire), "", chat(wire, MODEL, false)));
                assert_eq!((got.text(), got.end), (body, End::Whole), "{row}");
                assert_eq!(got.field("x-t"), None, "{row}");
                assert_eq!(got.field("trailer"), None, "{row}");
                assert_eq!(got.field("connection"), None, "{row}");
            }
            let expected = if reused { 1 } else { 2 };
            assert_eq!(provider.connections(), expected, "P9: {row}");
        }
    });
}

#[test]
fn a_turn_of_several_events_leaves_in_one_write_and_nothing_waits() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let first = [start_up(wire), &text(wire, "Hel", true)].concat();
        let provider = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(&first)].concat()),
            Step::Gate,
            Step::Send(chunk(text(wire, "lo", false))),
            Step::Gate,
            Step::Send(chunk([finish(wire), terminator(wire)].concat())),
            Step::Send(LAST_CHUNK.to_vec()),
        ]);
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        client.send(post(path(wire), "", chat(wire, MODEL, true)));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        assert_eq!(got.text(), first);
        provider.open();
        client.until(&mut got, "lo\"");
        provider.open();
        client.finish(&mut got);
        assert_eq!((got.text(), got.end), (&*events(wire), End::Whole));
    });
}

#[test]
fn d7_a_clean_end_after_a_finish_reason_is_complete_without_the_terminator() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let unterminated = events(wire).replace(terminator(wire), "");
        let provider = Provider::answering(stream(&unterminated));
        let gateway = Gateway::on(driver, direction, &provider);
        let got = gateway
            .client()
            .ask(post(path(wire), "", chat(wire, MODEL, true)));
        assert_eq!((got.text(), got.end), (&*unterminated, End::Whole));
        assert_eq!(gateway.only_line()["end"], "complete");
    });
}

#[test]
fn both_wires_have_their_fixtures_right() {
    for wire in WIRES {
        assert!(events(wire).ends_with(terminator(wire)));
        assert!(serde_json::from_str::<Value>(whole(wire)).is_ok());
    }
}

#[test]
fn a_whole_answer_that_the_client_does_not_take_is_not_called_complete() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let long = whole(upstream).replace("Hello", &"y".repeat(8 << 20));
        let provider = Provider::answering(json(&long));
        let rows = [
            (true, 60_000, "client_gone"),
            (false, 200, "client_stalled"),
        ];
        for (leaves, stall_ms, fault) in rows {
            let gateway = Setup::upstream(driver, upstream, &provider)
                .limit("write_stall_timeout_ms", stall_ms)
                .start();
            let mut reader = Client::connect_narrow(gateway.address());
            reader.send(post(path(client), "", chat(client, MODEL, false)));
            if leaves {
                assert_eq!(reader.head().status, 200);
                reader.break_off();
            }
            let line = gateway.only_line();
            assert_eq!(
                (&line["end"], &line["fault"]),
                (&"cancelled".into(), &fault.into()),
                "{line}"
            );
            assert!(line["bytes_out"].as_u64().unwrap() < 8 << 20, "{line}");
        }
        // Taken whole, it is.
        let gateway = Gateway::before(driver, upstream, &provider);
        let got = gateway
            .client()
            .ask(post(path(client), "", chat(client, MODEL, false)));
        assert_eq!((got.status, got.end), (200, End::Whole));
        let line = gateway.only_line();
        assert_eq!(line["end"], "complete", "{line}");
        assert!(
            line["bytes_out"].as_u64().unwrap() > got.body.len() as u64,
            "{line}"
        );
    });
}

#[test]
fn b_answers_of_odd_types_pass_on_the_same_wire_unless_they_are_pages() {
    each_way(&SAME_WIRE, |driver, direction| {
        for (kind, status) in [
            ("text/plain", 200),
            ("application/octet-stream", 200),
            ("text/html", 502),
        ] {
            let fields = format!("content-type: {kind}\r\n");
            let body = whole(direction.upstream);
            let provider = Provider::answering(answer("200 OK", &fields, body));
            let gateway = Gateway::on(driver, direction, &provider);
            let asked = chat(direction.client, MODEL, false);
            let got = gateway
                .client()
                .ask(post(path(direction.client), "", asked));
            assert_eq!(got.status, status, "{kind}: {}", got.text());
            if status == 200 {
                assert_eq!(got.text(), body);
                assert_eq!(got.field("content-type"), Some(kind));
            }
            assert_eq!(gateway.only_line()["fault"], "content_type", "{kind}");
        }
    });
}
