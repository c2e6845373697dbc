//! What is ambiguous or malformed in a request's head or framing: refused, closed, not sent on.

use ringway::wire::kind::Wire;

use crate::support::client::End;
use crate::support::directions::each;
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, json, post};
use crate::support::provider::Provider;
use crate::support::wires::{WIRES, chat, path, told, whole};

const BODY: &str = "{\"model\":\"m\"}";

/// Sends bytes on a connection of their own: one answer of this status, in the wire's shape, then
/// the end in good order.
fn refused(gateway: &Gateway, wire: Wire, bytes: &[u8], status: u16, row: &str) {
    let mut client = gateway.client();
    let got = client.ask(bytes);
    assert_eq!(got.status, status, "{row}: {}", got.text());
    assert_eq!(got.field("connection"), Some("close"), "{row}");
    let told = told(wire, &got);
    assert_eq!(told.kind, "invalid_request_error", "{row}");
    assert!(client.is_closed(), "{row}: reset, or answered twice");
}

/// Runs rows of bytes through a gateway whose provider must see nothing. `@` in a row stands for
/// the wire's path, and behind each refused request comes a good one, which must not be run.
fn check(status: u16, rows: &[&str]) {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let smuggled = post(path(wire), "", chat(wire, MODEL, false));
            for row in rows {
                let mut bytes = row.replace('@', path(wire)).into_bytes();
                bytes.extend_from_slice(&smuggled);
                refused(&gateway, wire, &bytes, status, row);
            }
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn p1_k7_lengths_with_more_than_one_reading_are_400_and_closed() {
    let lengths = [
        "+13",
        "-13",
        "013",
        "0x0d",
        "13.0",
        "1 3",
        "13,13",
        "13, 13",
        "",
        "\u{b2}",
        "13;",
        "1e1",
        "18446744073709551616",
        "99999999999999999999999999",
    ];
    let heads = lengths.map(|length| {
        format!("POST @ HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{BODY}")
    });
    check(400, &heads.each_ref().map(String::as_str));
    let fields = [
        "content-length: 13\r\ncontent-length: 14",
        "content-length: 13\r\nContent-Length: 13",
        "content-length: 13\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 13",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding:",
        "transfer-encoding: \u{b}chunked",
    ];
    let heads = fields
        .map(|fields| format!("POST @ HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n0\r\n\r\n{BODY}"));
    check(400, &heads.each_ref().map(String::as_str));
    let old = "POST @ HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    check(400, &[old]);
}

#[test]
fn p2_heads_out_of_grammar_are_400_and_closed() {
    check(
        400,
        &[
            "POST @ HTTP/1.1\nhost: a\n\n",
            "POST @ HTTP/1.1\r\nhost: a\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\rb: c\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb: c\0d\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb: \u{1}\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb: \u{7f}\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb: c\r\n d\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb : c\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\n: c\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb c: d\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nb\r\n\r\n",
            "POST @ HTTP/1.1\r\n host: a\r\n\r\n",
            "POST @ HTTP/1.1\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a b\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a:b\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a/b\r\n\r\n",
            "POST @ HTTP/1.1\r\nhost: a@b\r\n\r\n",
            "\r\n\r\nPOST @ HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST  @ HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST @  HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST @\r\nhost: a\r\n\r\n",
            "POST @ HTTP/1.1 \r\nhost: a\r\n\r\n",
            "POST @#x HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST @\u{e9} HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST @\t HTTP/1.1\r\nhost: a\r\n\r\n",
            "POST x@ HTTP/1.1\r\nhost: a\r\n\r\n",
            "P(ST @ HTTP/1.1\r\nhost: a\r\n\r\n",
        ],
    );
}

#[test]
fn p2_other_versions_are_505_p5_connect_is_405_p6_other_expectations_are_417() {
    check(
        505,
        &[
            "POST @ HTTP/1.2\r\nhost: a\r\n\r\n",
            "POST @ HTTP/2.0\r\nhost: a\r\n\r\n",
            "POST @ HTTP/0.9\r\nhost: a\r\n\r\n",
        ],
    );
    check(
        417,
        &["POST @ HTTP/1.1\r\nhost: a\r\nexpect: 200-maybe\r\ncontent-length: 13\r\n\r\n"],
    );
    each(|driver| {
        let provider = Provider::answering(json("{}"));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let connect = b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n";
        refused(&gateway, Wire::OpenAiChat, connect, 405, "CONNECT");
        let got = gateway.client().ask(connect);
        let allow = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        assert_eq!(got.field("allow"), Some(allow));
        assert_eq!(provider.connections(), 0);
    });
}

#[test]
fn p3_malformed_chunks_are_400_and_closed_and_never_sent_on() {
    let long = format!("0;{}\r\n\r\n", "x".repeat(9_000));
    let trailers = format!("0\r\na: {}\r\n\r\n", "x".repeat(9_000));
    let extended = "1;xxxxxxxx\r\n{\r\n".repeat(1_000);
    let chunks = [
        "g\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "+2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        "00000000000000002\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
        "2;\u{1}\r\n{}\r\n0\r\n\r\n",
        "2;a\rb\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\r\n0\r\nno field\r\n\r\n",
        "2\r\n{}\r\n0\r\na : b\r\n\r\n",
        "2\r\n{}\r\n0\r\na: \u{1}\r\n\r\n",
        &long,
        &trailers,
        &extended,
    ];
    let requests = chunks.map(|chunks| {
        format!("POST @ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")
    });
    check(400, &requests.each_ref().map(String::as_str));
}

#[test]
fn p3_bodies_that_stop_early_are_never_sent_on() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let body = chat(wire, MODEL, false);
            let short = post(path(wire), "", &body);
            let head = format!(
                "POST {} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
                path(wire)
            );
            // The chunked one is whole JSON, and lacks nothing but the last chunk.
            let chunked = [head.into_bytes(), http::chunk(&body)].concat();
            for bytes in [&short[..short.len() - 1], &chunked] {
                let mut client = gateway.client();
                client.send(bytes);
                client.half_close();
                assert!(client.is_closed());
            }
            gateway.lines(2);
            assert_eq!(provider.connections(), 0);
        }
    });
}

#[test]
fn p1_p2_p3_what_is_allowed_though_odd_is_served() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let body = chat(wire, MODEL, false);
            let length = body.len();
            let chunked = format!("{length:X};a=\"b\";c\r\n{body}\r\n000\r\nx-t: 1\r\n\r\n");
            let target = format!("http://elsewhere.test:8080{}", path(wire));
            let requests = [
                format!("\r\nPOST @ HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}"),
                format!(
                    "POST @ HTTP/1.1\r\nHOST:a:80\r\nContent-LENGTH:\t {length} \t\r\n\r\n{body}"
                ),
                format!(
                    "POST @ HTTP/1.1\r\nhost: [::1]:8\r\ncontent-length: {length}\r\n\r\n{body}"
                ),
                format!(
                    "POST @ HTTP/1.1\r\nhost: a\r\ntransfer-encoding:  CHUNKED \r\n\r\n{chunked}"
                ),
                format!(
                    "POST {target} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}"
                ),
                format!(
                    "POST /{} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}",
                    "@"
                ),
            ];
            let count = requests.len();
            for request in requests {
                let got = gateway.client().ask(request.replace('@', path(wire)));
                assert_eq!(
                    (got.status, got.end),
                    (200, End::Whole),
                    "{request}: {}",
                    got.text()
                );
                assert_eq!(got.text(), whole(wire));
            }
            let seen = provider.requests();
            assert_eq!(seen.len(), count);
            for request in seen {
                let sent = String::from_utf8(request.body).unwrap();
                assert_eq!(sent, body.replace("\"m\"", "\"up-model\""));
                assert_eq!(request.head.field("x-t"), None);
                assert_eq!(request.head.line, format!("POST {} HTTP/1.1", path(wire)));
            }
        }
    });
}

#[test]
fn p2_p7_paths_that_could_be_read_as_others_are_400_before_the_key_is_looked_at() {
    each(|driver| {
        let provider = Provider::answering(json("{}"));
        let setup = Setup::upstream(driver, Wire::OpenAiChat, &provider);
        let gateway = setup.key("key-1", "one", None).start();
        for target in [
            "/v1/./chat/completions",
            "/v1/../v1/chat/completions",
            "/v1/%2e%2e/files",
            "/v1/%2E/files",
            "/v1//files",
            "/v1/files/",
            "/v1/files%2fx",
            "/v1/files%5cx",
            "/v1/files%00x",
            "/v1/files%zz",
            "/v1/files%2",
            "/v1/files\\x",
            "/v1/v1/v1/messages",
        ] {
            let got = gateway.client().ask(http::request("GET", target, "", ""));
            assert_eq!(got.status, 400, "{target}: {}", got.text());
            let wire = match target.ends_with("/messages") {
                true => Wire::AnthropicMessages,
                false => Wire::OpenAiChat,
            };
            assert!(!told(wire, &got).message.is_empty());
        }
        assert_eq!(provider.connections(), 0);
    });
}
