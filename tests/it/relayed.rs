//! Every other path: bytes both ways, where they go, and what is looked into on the way.

use ringway::wire::kind::Wire;

use crate::support::both_wires::{VERSION, both, two};
use crate::support::certificates::Authority;
use crate::support::client::End;
use crate::support::directions::each;
use crate::support::gateway::{Gateway, Setup, UPSTREAM_KEY};
use crate::support::http::{self, answer, chunk, post, request};
use crate::support::provider::Provider;
use crate::support::script::{Step, always, then};
use crate::support::wires::told;

#[test]
fn pk10_relayed_endpoints_pass_bytes_both_ways_with_method_query_and_content_type() {
    each(|driver| {
        let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let kind = "content-type: application/octet-stream\r\nx-a: b\r\ncontent-disposition: attachment\r\n";
        let provider = Provider::answering(answer("201 Created", kind, &binary));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        for (number, (method, target, body)) in [
            (
                "POST",
                "/v1/files?purpose=x%20y&a=b",
                &b"--b\r\ncontent-type: x\r\n\r\n\0\xff\r\n--b--\r\n"[..],
            ),
            ("GET", "/v1/files/file-1/content?after=7", b""),
            ("PUT", "/v1/uploads/u/parts", b"\0\x01\x02"),
            ("PATCH", "/v1/x", b"p"),
            ("DELETE", "/v1/files/file-1", b""),
        ]
        .into_iter()
        .enumerate()
        {
            let fields =
                "content-type: multipart/form-data; boundary=b\r\nauthorization: Bearer x\r\n";
            let got = client.ask(request(method, target, fields, body));
            assert_eq!(
                (got.status, got.end),
                (201, End::Whole),
                "{method} {target}"
            );
            assert!(got.body == binary, "{method} {target}");
            assert_eq!(got.field("x-a"), Some("b"));
            assert_eq!(got.field("content-disposition"), Some("attachment"));
            let seen = provider.requests()[number].clone();
            assert_eq!(seen.head.line, format!("{method} {target} HTTP/1.1"));
            assert_eq!(seen.body, body);
            assert_eq!(
                seen.head.field("content-type"),
                Some("multipart/form-data; boundary=b")
            );
            assert_eq!(
                seen.head.field("authorization"),
                Some(&*format!("Bearer {UPSTREAM_KEY}"))
            );
        }
        // A body that passes through cannot be sent twice: it goes out on a fresh connection, which
        // no stale one can spoil. The three uploads have one each, the others use what is there.
        assert_eq!(provider.connections(), 3);
    });
}

#[test]
fn relayed_requests_find_their_provider_by_model_header_and_wire() {
    each(|driver| {
        let (openai, anthropic) = both();
        let other = Provider::answering(http::json("{}"));
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .provider("other", Wire::OpenAiChat, &other, "")
            .model("emb", &["other/real-emb"])
            .start();
        let count = |provider: &Provider| provider.requests().len();
        let ask = |target: &str, fields: &str, body: &str| {
            let got = gateway.client().ask(post(target, fields, body));
            assert_eq!(got.status, 200, "{target}: {}", got.text());
        };
        ask(
            "/v1/embeddings",
            "",
            r#"{ "input":"x", "mod\u0065l": "emb" }"#,
        );
        assert_eq!(count(&other), 1);
        assert_eq!(
            other.requests()[0].body,
            br#"{ "input":"x", "mod\u0065l": "real-emb" }"#
        );
        ask("/v1/responses", "", r#"{"model":"gpt-4o","input":1e400}"#);
        assert_eq!((count(&openai), openai.requests()[0].body.len()), (1, 32));
        ask("/v1/files", "x-ringway-provider: other\r\n", "{}");
        assert_eq!(count(&other), 2);
        ask("/v1/files", "x-portkey-provider: @ant\r\n", "{}");
        assert_eq!(count(&anthropic), 1);
        ask("/v1/files", VERSION, "{}");
        assert_eq!(count(&anthropic), 2);
        assert_eq!(
            anthropic.requests()[1].head.field("x-api-key"),
            Some(UPSTREAM_KEY)
        );
        ask("/v1/messages/batches", "", "{}");
        assert_eq!(count(&anthropic), 3);
        assert_eq!(
            anthropic.requests()[2].head.field("anthropic-version"),
            Some("2023-06-01")
        );
        ask("/v1/files", "", "{}");
        assert_eq!(count(&openai), 2);
        let got = gateway
            .client()
            .ask(post("/v1/embeddings", "", r#"{"model":"nope"}"#));
        assert_eq!(got.status, 404);
        told(Wire::OpenAiChat, &got);
    });
}

#[test]
fn ni12_the_gateways_own_members_are_taken_out_of_relayed_bodies_too() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        let rows = [
            (
                r#"{"model":"m","allow_fallbacks":false,"input":"x"}"#,
                r#"{"model":"up-model","input":"x"}"#,
            ),
            (
                r#"{"routing":"price", "a" :1e400,"pii_substitution":false}"#,
                r#"{"a" :1e400}"#,
            ),
            (r#"{"rout\u0069ng":null,"privacy_tier":null}"#, "{}"),
        ];
        for (sent, expected) in rows {
            let got = client.ask(post("/v1/responses", "", sent));
            assert_eq!(got.status, 200, "{sent}: {}", got.text());
            let seen = provider.requests().pop().unwrap();
            assert_eq!(String::from_utf8(seen.body).unwrap(), expected);
        }
        for refused in [
            r#"{"model":"m","allow_fallbacks":1}"#,
            r#"{"model":"m","routing":1,"routing":2}"#,
            r#"{"model":"m","routing":"fastest"}"#,
            r#"{"rout\u0069ng":{}}"#,
            r#"{"model":"m","privacy_tier":"a"}"#,
            r#"{"model":"m","pii_substitution":true}"#,
        ] {
            let got = client.ask(post("/v1/responses", "", refused));
            assert_eq!(got.status, 400, "{refused}");
            told(Wire::OpenAiChat, &got);
        }
        assert_eq!(provider.requests().len(), rows.len());
    });
}

/// A body under a label, or none, as one piece or in chunks of one byte.
fn labelled(label: &str, body: &[u8], chunked: bool) -> Vec<u8> {
    let label = match label {
        "" => String::new(),
        label => format!("content-type: {label}\r\n"),
    };
    let fields = format!("x-api-key: few\r\n{label}");
    if !chunked {
        return request("POST", "/v1/embeddings", &fields, body);
    }
    let head = format!(
        "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\n{fields}transfer-encoding: chunked\r\n\r\n"
    );
    let chunks = body.chunks(1).flat_map(chunk);
    [head.into_bytes(), chunks.collect(), b"0\r\n\r\n".to_vec()].concat()
}

#[test]
fn p14_a_limited_key_does_not_get_past_its_models_by_what_it_calls_a_body() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .model("mine", &["up/real"])
            .key("few", "two", Some(&["mine"]))
            .start();
        let wide: Vec<u8> = r#"{"model":"m"}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let blank = [&[b' '; 2_000][..], br#"{"model":"m"}"#].concat();
        let cases: [(&str, &[u8], u16); 12] = [
            ("", br#"{"model":"m"}"#, 404),
            ("", b" \r\n {\"model\":\"m\"}", 404),
            ("text/plain", br#"{"model":"m"}"#, 404),
            ("application/octet-stream", br#"{"model":"m"}"#, 404),
            ("text/plain", b"\xEF\xBB\xBF{\"model\":\"m\"}", 404),
            ("text/plain", &wide, 400),
            ("text/plain", &blank, 404),
            ("application/x-www-form-urlencoded", b"model=m", 415),
            ("multipart/form-data", b"--b\r\n", 400),
            ("MULTIPART/form-data; boundary=", b"--b\r\n", 400),
            (
                "text/plain\r\ncontent-type: application/json",
                br#"{"model":"m"}"#,
                400,
            ),
            ("text/plain, application/json", br#"{"model":"m"}"#, 404),
        ];
        for (label, body, status) in cases {
            for chunked in [false, true] {
                let got = gateway.client().ask(labelled(label, body, chunked));
                assert_eq!(got.status, status, "{label} {body:?}: {}", got.text());
                told(Wire::OpenAiChat, &got);
            }
        }
        assert_eq!(provider.connections(), 0);
        // So is what names no model that can be read, and what is allowed goes on.
        for label in [
            "",
            "text/plain",
            "audio/mpeg",
            "multipart/mixed; boundary=b",
        ] {
            for body in [
                &b"   "[..],
                b"\xFF\xFB\x90{",
                b"[{\"a\":\"m\"}]",
                b"--b\r\n",
            ] {
                let got = gateway.client().ask(labelled(label, body, false));
                assert_eq!(got.status, 403, "{label} {body:?}: {}", got.text());
                told(Wire::OpenAiChat, &got);
            }
        }
        assert_eq!(provider.connections(), 0);
        let (own, renamed) = (br#"{"model":"mine"}"#, br#"{"model":"real"}"#);
        let goes: [(&str, &[u8], &[u8]); 2] = [("", own, renamed), ("text/plain", own, renamed)];
        for (label, body, expected) in goes {
            for chunked in [false, true] {
                let got = gateway.client().ask(labelled(label, body, chunked));
                assert_eq!(got.status, 200, "{label} {body:?}: {}", got.text());
                assert_eq!(provider.requests().pop().unwrap().body, expected);
            }
        }
    });
}

/// A batch of two requests, the second one for the model `id`.
fn batch(id: &str) -> String {
    format!(r#"{{"requests":[{{"params":{{"model":"mine"}}}},{{"params":{{"model":"{id}"}}}}]}}"#)
}

#[test]
fn p14_a_limited_key_is_held_to_every_model_that_a_relayed_request_names() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .model("mine", &["up/real"])
            .key("few", "two", Some(&["mine"]))
            .limit("body_bytes_max", 4_096)
            .start();
        let json = "x-api-key: few\r\ncontent-type: application/json\r\n";
        let ask = |target: &str, fields: &str, body: &str| {
            gateway.client().ask(request("POST", target, fields, body))
        };
        let named = format!("{json}x-ringway-provider: up\r\n");
        let (own, renamed) = (r#"{"model":"mine"}"#, r#"{"model":"real"}"#);
        let long = format!(r#"{{"model":"mine","a":"{}"}}"#, "x".repeat(4_096));
        let deep = format!(
            r#"{{"model":"mine","a":{}{}}}"#,
            "[".repeat(128),
            "]".repeat(128)
        );
        for (status, target, body) in [
            (404, "/v1/messages/batches", &*batch("other")),
            (403, "/v1/messages/batches", "["),
            (403, "/v1/responses", &*batch("mine")),
            (403, "/v1/responses", r#"{"input":"x"}"#),
            (403, "/v1/responses", r#"{"model":null}"#),
            (403, "/v1/responses", "[1]"),
            (
                404,
                "/v1/responses",
                r#"{"model":"mine","tools":[{"model":"other"}]}"#,
            ),
            (
                404,
                "/v1/responses",
                r#"{"model":"mine","fallbacks":["other"]}"#,
            ),
            (404, "/v1/responses?model=other", own),
            (404, "/v1/responses?a=b&mod%65l=mine%20", own),
            (403, "/v1/batches", r#"{"input_file_id":"file-1"}"#),
            (404, "/v1/files", r#"{"model":"other"}"#),
            (403, "/v1/filesx", "{}"),
            (404, "/v1/engines/other/completions", own),
            (404, "/v1/Engines/a%3Aother/completions", ""),
            (404, "/v1/deployments/other/x", "{}"),
            (404, "/v1/x/models/other:predict", "{}"),
            (404, "/v1/engines/mine/completions", r#"{"model":"other"}"#),
            (400, "/v1/responses", &*deep),
            (413, "/v1/responses", &*long),
        ] {
            let got = ask(target, &named, body);
            assert_eq!(got.status, status, "{target} {body}: {}", got.text());
        }
        assert_eq!(provider.connections(), 0);
        let raw = "x-api-key: few\r\ncontent-type: application/octet-stream\r\n";
        for (target, fields, body) in [
            ("/v1/engines/mine/completions", json, r#"{"prompt":"x"}"#),
            ("/v1/x/models/mine:predict", raw, "bytes"),
            ("/v1/messages/batches", &*named, &*batch("mine")),
            ("/v1/uploads", json, r#"{"purpose":"batch"}"#),
            ("/v1/uploads/u/parts", raw, "[bytes]"),
            ("/v1/responses/r/cancel", json, ""),
            ("/v1/responses?model=mine&b", json, own),
        ] {
            let got = ask(target, fields, body);
            assert_eq!(got.status, 200, "{target}: {}", got.text());
            let sent = if body == own { renamed } else { body };
            assert_eq!(provider.requests().pop().unwrap().body, sent.as_bytes());
        }
    });
}

#[test]
fn json_that_is_no_object_or_too_long_to_be_held_is_relayed_as_bytes() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .limit("body_bytes_max", 4_096)
            .start();
        let ask = |fields: &str, body: &str| {
            let fields = format!("content-type: application/json\r\n{fields}");
            gateway
                .client()
                .ask(request("POST", "/v1/x", &fields, body))
        };
        for body in ["[1,2]", "\"text\"", "17", r#"{"model":null,"a":1}"#] {
            assert_eq!(ask("", body).status, 200, "{body}");
            assert_eq!(provider.requests().pop().unwrap().body, body.as_bytes());
        }
        let exact = format!(r#"{{"model":"m","a":"{}"}}"#, "x".repeat(4_096 - 20));
        let longer = format!("{exact} ");
        assert_eq!((exact.len(), ask("", &exact).status), (4_096, 200));
        assert_ne!(provider.requests().pop().unwrap().body, exact.as_bytes());
        let got = ask("", &longer);
        assert_eq!(got.status, 413);
        told(Wire::OpenAiChat, &got);
        assert_eq!(ask("x-ringway-provider: up\r\n", &longer).status, 200);
        assert_eq!(provider.requests().pop().unwrap().body, longer.as_bytes());
        assert_eq!(ask("x-ringway-provider: nobody\r\n", &longer).status, 400);
    });
}

#[test]
fn chunked_json_too_long_to_be_held_goes_on_unread_where_its_provider_is_named() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .model("alias", &["up/real"])
            .limit("body_bytes_max", 4_096)
            .limit("relay_body_bytes_max", 300_000)
            .start();
        let ask = |fields: &str, pieces: &[&str]| {
            let mut client = gateway.client();
            client.send(format!(
                "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
                 transfer-encoding: chunked\r\n{fields}\r\n"
            ));
            for piece in pieces {
                client.send(chunk(piece));
            }
            client.send("0\r\n\r\n");
            client.answer()
        };
        let named = "x-ringway-provider: up\r\n";
        let short = r#"{"model":"alias","allow_fallbacks":true}"#;
        let longer = |len: usize| format!(r#"{{"model":"alias","a":"{}"}}"#, "x".repeat(len));
        let held = longer(4_096 - longer(0).len());
        // What can be looked into is, also where its provider is named.
        let renamed = held.replace("alias", "real");
        for (fields, body, sent) in [
            (named, short, r#"{"model":"real"}"#),
            ("", short, r#"{"model":"real"}"#),
            (named, &held, &renamed),
        ] {
            let (a, b) = body.split_at(7);
            assert_eq!(ask(fields, &[a, b]).status, 200);
            let seen = provider.requests().pop().unwrap();
            assert_eq!(String::from_utf8(seen.body).unwrap(), sent);
        }
        for len in [4_097 - longer(0).len(), 70_000, 250_000] {
            let body = longer(len);
            let pieces: Vec<&str> = body
                .as_bytes()
                .chunks(30_000)
                .map(|piece| core::str::from_utf8(piece).unwrap())
                .collect();
            let got = ask(named, &pieces);
            assert_eq!(got.status, 200, "{}", got.text());
            let seen = provider.requests().pop().unwrap();
            assert_eq!(seen.head.field("transfer-encoding"), Some("chunked"));
            assert!(seen.body == body.as_bytes(), "{len}");
            let got = ask("", &pieces);
            assert_eq!(got.status, 413);
            assert!(got.text().contains("x-ringway-provider"), "{}", got.text());
            // A tier in the head is seen whatever the body is like.
            let got = ask(&format!("{named}x-privacy-tier: eu\r\n"), &pieces);
            assert_eq!(got.status, 400, "{}", got.text());
        }
        let most = longer(300_000);
        assert_eq!(ask(named, &[&most]).status, 413);
    });
}

#[test]
fn relayed_json_that_a_chat_could_not_be_is_routed_or_goes_on_unread_where_its_model_is_no_matter()
{
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"model":"m","a":{open}{close}}}"#)
    };
    each(|driver| {
        let (openai, anthropic) = both();
        let gateway = two(Setup::new(driver), &openai, &anthropic)
            .model("m", &["ant/real"])
            .limit("body_bytes_max", 8_192)
            .start();
        let ask = |target: &str, fields: &str, body: &[u8]| {
            let fields = format!("content-type: application/json\r\n{fields}");
            gateway.client().ask(request("POST", target, &fields, body))
        };
        let wide = format!(r#"{{{}"model":"m"}}"#, r#""a":1,"#.repeat(1_000));
        for body in ["\u{feff} {\"model\":\"m\"}".to_owned(), wide, deep(127)] {
            let got = ask("/v1/x", "", body.as_bytes());
            assert_eq!(got.status, 200, "{body}: {}", got.text());
            let seen = anthropic.requests().pop().unwrap().body;
            let renamed = body.replace(r#""model":"m""#, r#""model":"real""#);
            assert_eq!(String::from_utf8(seen).unwrap(), renamed);
        }
        // Deeper than it is read, or longer than it is held.
        for (body, status) in [(deep(128), 400), (deep(5_000), 413)] {
            let got = ask("/v1/x", "", body.as_bytes());
            assert_eq!(got.status, status, "{}", got.text());
            assert!(got.text().contains("x-ringway-provider"), "{}", got.text());
            told(Wire::OpenAiChat, &got);
            for (target, fields, provider) in [
                ("/v1/x", "x-ringway-provider: oai\r\n", &openai),
                ("/v1/x", "x-portkey-provider: @ant\r\n", &anthropic),
                ("/v1/messages/batches", "", &anthropic),
            ] {
                let got = ask(target, fields, body.as_bytes());
                assert_eq!(got.status, 200, "{target} {fields}: {}", got.text());
                let seen = provider.requests().pop().unwrap().body;
                assert_eq!(String::from_utf8(seen).unwrap(), body);
            }
        }
        assert_eq!(ask("/v1/x", "", b"\xEF\xBB\xBF{\"model\"").status, 400);
        // With one place to go, no header need say it.
        let alone = Setup::new(driver)
            .provider("oai", Wire::OpenAiChat, &openai, "")
            .model("same", &["oai/same"])
            .limit("body_bytes_max", 8_192)
            .start();
        for body in [deep(128), deep(5_000)] {
            let got = alone.client().ask(post("/v1/x", "", &body));
            assert_eq!(got.status, 200, "{}", got.text());
            assert_eq!(openai.requests().pop().unwrap().body, body.as_bytes());
        }
    });
}

#[test]
fn relayed_requests_keep_what_describes_their_content_and_its_conditions() {
    each(|driver| {
        let kept = [
            ("content-disposition", "attachment; filename=\"a\""),
            ("content-language", "de"),
            ("content-range", "bytes 0-1/2"),
            ("range", "bytes=0-1"),
            ("if-range", "\"e\""),
            ("if-match", "\"e\""),
            ("if-none-match", "\"e\""),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ];
        let lines = kept
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .concat();
        let body = "content-range: bytes 0-1/2\r\ncontent-language: de\r\netag: \"e\"\r\n";
        let provider = Provider::answering(answer("206 Partial Content", body, "ab"));
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let fields = format!("{lines}cookie: a=b\r\nx-other: 1\r\n");
        let got = gateway
            .client()
            .ask(request("GET", "/v1/files/f/content", &fields, ""));
        assert_eq!((got.status, got.text()), (206, "ab"));
        for (name, value) in [
            ("content-range", "bytes 0-1/2"),
            ("content-language", "de"),
            ("etag", "\"e\""),
        ] {
            assert_eq!(got.field(name), Some(value), "{name}");
        }
        let seen = provider.only_request();
        for (name, value) in kept {
            assert_eq!(seen.head.field(name), Some(value), "{name}");
        }
        assert_eq!(
            (seen.head.field("cookie"), seen.head.field("x-other")),
            (None, None)
        );
    });
}

#[test]
fn an_unlabelled_body_is_looked_into_when_it_begins_like_json_and_streamed_otherwise() {
    each(|driver| {
        let provider = Provider::answering(http::json("{}"));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .limit("body_bytes_max", 4_096)
            .limit("body_stall_timeout_ms", 150)
            .start();
        let ask = |fields: &str, body: &[u8]| {
            let mut client = gateway.client();
            client.ask(request("POST", "/v1/x", fields, body))
        };
        assert_eq!(ask("", br#"{"model":"m"}"#).status, 200);
        assert_eq!(provider.only_request().body, br#"{"model":"up-model"}"#);
        assert_eq!(ask("", b"{").status, 400);
        assert_eq!(ask("", &[b'{'; 4_097]).status, 413);
        assert_eq!(ask("", &[0x89; 100_000]).status, 200);
        assert_eq!(ask("content-type: text/plain\r\n", b"{").status, 200);
        // One that waits for a word gets it, and one that never sends is told so.
        let mut client = gateway.client();
        client.send(
            "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 13\r\nexpect: 100-continue\r\n\r\n",
        );
        assert_eq!(client.head().status, 100);
        client.send(r#"{"model":"m"}"#);
        assert_eq!(client.answer().status, 200);
        let mut client = gateway.client();
        let got = client.ask("POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 13\r\n\r\n");
        assert_eq!(got.status, 408);
    });
}

#[test]
fn relayed_bodies_are_streamed_both_ways_before_they_end() {
    each(|driver| {
        let provider = Provider::all(vec![
            Step::Head,
            Step::Gate,
            Step::Send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()),
            Step::Send(chunk("first")),
            Step::Gate,
            Step::Send(chunk("second")),
            Step::Send(b"0\r\n\r\n".to_vec()),
        ]);
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let mut client = gateway.client();
        client.send(
            "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: a\r\n\
             content-type: multipart/form-data\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        client.send(chunk("half"));
        // The provider has the head while the client still has the other half of the body.
        let seen = provider.only_request();
        assert_eq!(seen.head.field("transfer-encoding"), Some("chunked"));
        client.send(chunk("rest"));
        client.send("0\r\n\r\n");
        provider.open();
        let mut got = client.head();
        client.until(&mut got, "first");
        assert_eq!(got.end, End::Open);
        provider.open();
        client.finish(&mut got);
        assert_eq!((got.text(), got.end), ("firstsecond", End::Whole));
    });
}

/// Head and body come apart, as most clients send uploads: the body comes while the provider is
/// being connected to, which TLS makes long, and the client is watched for leaving.
#[test]
fn relayed_body_that_comes_while_connecting_is_body_and_no_next_request() {
    each(|driver| {
        let authority = Authority::new();
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
        let tls = authority.server("127.0.0.1", 4000);
        let provider = Provider::start_tls(vec![always(answer)], tls);
        let setup = Setup::new(driver);
        let trusted = setup.folder().join("ca.pem");
        std::fs::write(&trusted, authority.pem()).unwrap();
        let origin = format!("https://{}", provider.address());
        let extra = format!("key_env = \"UPSTREAM_KEY\"\nca_file = {trusted:?}");
        let gateway = setup
            .provider_at("up", Wire::OpenAiChat, &origin, &extra)
            .start();
        for round in 0..20 {
            let mut client = gateway.client();
            client.send(
                "POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: multipart/form-data\r\n\
                 content-length: 5\r\n\r\n",
            );
            client.send("helloGET /healthz HTTP/1.1\r\nhost: a\r\n\r\n");
            assert_eq!(client.answer().text(), "ok", "round {round}");
            assert_eq!(client.answer().text(), "ok\n", "round {round}");
        }
        let bodies = provider.requests().into_iter().map(|request| request.body);
        assert!(bodies.into_iter().all(|body| body == b"hello"));
    });
}

#[test]
fn p10_relayed_redirects_are_502_and_breaks_are_cut() {
    each(|driver| {
        let moved = answer("307 Temporary Redirect", "location: http://a/\r\n", "");
        let short = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        let provider = Provider::start(vec![
            then(moved, Step::Close),
            then(short, Step::Close),
            then("", Step::Reset),
        ]);
        let gateway = Gateway::before(driver, Wire::OpenAiChat, &provider);
        let ask = || gateway.client().ask(request("GET", "/v1/files/f", "", ""));
        let got = ask();
        assert_eq!((got.status, got.field("location")), (502, None));
        told(Wire::OpenAiChat, &got);
        let got = ask();
        assert_eq!((got.status, got.text(), got.end), (200, "half", End::Cut));
        let got = ask();
        assert_eq!(got.status, 502);
        let ends: Vec<String> = gateway
            .lines(3)
            .iter()
            .map(|line| line["end"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ends, ["refused", "truncated", "refused"]);
    });
}

#[test]
fn relayed_bodies_have_a_limit_of_their_own() {
    each(|driver| {
        let provider = Provider::all(always(answer("200 OK", "", "ok")));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .limit("relay_body_bytes_max", 4_096)
            .start();
        let kind = "content-type: application/octet-stream\r\n";
        let got = gateway
            .client()
            .ask(request("POST", "/v1/files", kind, vec![0; 4_096]));
        assert_eq!(got.status, 200);
        let mut client = gateway.client();
        let got = client.ask(request("POST", "/v1/files", kind, vec![0; 4_097]));
        assert_eq!(got.status, 413);
        told(Wire::OpenAiChat, &got);
        assert!(client.is_closed());
        assert_eq!(provider.requests().len(), 1);
    });
}
