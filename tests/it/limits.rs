//! Bounds at their limit and one past it, as a client meets them.

use core::time::Duration;

use ringway::limits::{ADMIN_CONNECTIONS_MAX, UNCHARGED_BYTES};
use ringway::wire::kind::Wire;

use crate::support::client::End;
use crate::support::directions::{CROSSED, SAME_WIRE, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{self, LAST_CHUNK, answer, chunk, json, post, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, once, then};
use crate::support::wait;
use crate::support::wires::{WIRES, chat, error_event, events, path, start_up, told, whole};

/// A head of exactly so many bytes, its request line and empty line included.
fn head_of(size: usize, length: usize) -> String {
    let start =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n");
    let mut head = start;
    // Fields of at most 16,000 bytes, the last one filling up what is left.
    while head.len() + 2 < size {
        let left = size - head.len() - 2;
        let value = if left > 16_100 {
            16_000
        } else {
            left - "x: \r\n".len()
        };
        head.push_str(&format!("x: {}\r\n", "v".repeat(value)));
    }
    head + "\r\n"
}

#[test]
fn p28_admin_connections_are_bounded_in_number_and_time() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Setup::upstream(driver, wire, &provider)
            .limit("head_timeout_ms", 300)
            .start();
        let mut slow = gateway.admin();
        slow.send("GET /met");
        assert!(slow.is_closed());
        let health = http::request("GET", "/healthz", "", "");
        let served = |_| {
            let mut client = gateway.admin();
            assert_eq!(client.ask(&health).status, 200);
            client
        };
        let mut all: Vec<_> = (0..ADMIN_CONNECTIONS_MAX).map(served).collect();
        let mut late = gateway.admin();
        late.send(&health);
        assert!(late.is_quiet(Duration::from_millis(100)));
        drop(all.pop());
        assert_eq!(late.answer().status, 200);
    });
}

#[test]
fn heads_at_the_limit_are_served_and_one_past_it_431() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let body = chat(wire, MODEL, false);
        let ask = |bytes: String| gateway.client().ask(bytes + &body).status;
        assert_eq!(head_of(32_768, body.len()).len(), 32_768);
        assert_eq!(ask(head_of(32_768, body.len())), 200, "bytes");
        assert_eq!(ask(head_of(32_769, body.len())), 431, "bytes");
        let with = |fields: &str| {
            String::from_utf8(post(path(wire), fields, ""))
                .unwrap()
                .replace(
                    "content-length: 0",
                    &format!("content-length: {}", body.len()),
                )
        };
        let field =
            |name: usize, value: usize| format!("{}: {}\r\n", "n".repeat(name), "v".repeat(value));
        // Host, content-type and content-length are the other three.
        for (row, fields, status) in [
            ("fields", "a: b\r\n".repeat(97), 200),
            ("fields", "a: b\r\n".repeat(98), 431),
            ("name", field(256, 1), 200),
            ("name", field(257, 1), 431),
            ("value", field(1, 16_384), 200),
            ("value", field(1, 16_385), 431),
        ] {
            assert_eq!(ask(with(&fields)), status, "{row}");
        }
        let target = |size: usize| {
            let query = "q".repeat(size - path(wire).len() - 1);
            with("").replace(path(wire), &format!("{}?{query}", path(wire)))
        };
        assert_eq!(ask(target(8_192)), 200, "target");
        assert_eq!(ask(target(8_193)), 414, "target");
    });
}

#[test]
fn bodies_at_the_limit_are_served_and_one_past_it_413() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let setup = Setup::upstream(driver, wire, &provider);
            let gateway = setup.limit("body_bytes_max", 4_096).start();
            let bare = chat(wire, MODEL, false);
            let sized = |size: usize| bare.clone() + &" ".repeat(size - bare.len());
            let ask = |bytes: &[u8]| gateway.client().ask(bytes).status;
            assert_eq!(ask(&post(path(wire), "", sized(4_096))), 200);
            assert_eq!(ask(&post(path(wire), "", sized(4_097))), 413);
            // The framing of chunks counts: `size CRLF ... CRLF 0 CRLF CRLF`.
            let chunked = |size: usize| {
                let head = format!(
                    "POST {} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
                    path(wire)
                );
                let body = chunk(sized(size));
                [head.as_bytes(), &body, LAST_CHUNK].concat()
            };
            let overhead = "fff\r\n\r\n0\r\n\r\n".len();
            assert_eq!(ask(&chunked(4_096 - overhead)), 200);
            assert_eq!(ask(&chunked(4_097 - overhead)), 413);
            assert_eq!(provider.requests().len(), 2);
        }
    });
}

#[test]
fn json_at_the_limits_is_served_and_one_past_them_400() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::answering(json(whole(wire)));
            let gateway = Gateway::before(driver, wire, &provider);
            let bare = chat(wire, MODEL, false);
            let with = |members: &str| bare.replacen('{', &format!("{{{members},"), 1);
            // The outermost object is the first level.
            let nested = |depth: usize| {
                with(&format!(
                    "\"x\":{}{}",
                    "[".repeat(depth - 1),
                    "]".repeat(depth - 1)
                ))
            };
            let count = bare.matches("\":").count();
            let top = serde_json::from_str::<serde_json::Value>(&bare).unwrap();
            let top = top.as_object().unwrap().len();
            assert!(count >= top);
            let wide = |members: usize| {
                let more: Vec<String> = (0..members - top).map(|n| format!("\"x{n}\":0")).collect();
                with(&more.join(","))
            };
            for (row, body, status) in [
                ("depth", nested(128), 200),
                ("depth", nested(129), 400),
                ("members", wide(1_000), 200),
                ("members", wide(1_001), 400),
            ] {
                let got = gateway.client().ask(post(path(wire), "", body));
                assert_eq!(got.status, status, "{row}: {}", got.text());
                if status == 400 {
                    assert!(told(wire, &got).message.contains("at byte"), "{row}");
                }
            }
            assert_eq!(provider.requests().len(), 2);
        }
    });
}

#[test]
fn answers_over_the_limit_of_translation_are_502_and_pass_on_the_same_wire() {
    let padded = |wire: Wire, size: usize| {
        let bare = whole(wire);
        bare.to_owned() + &" ".repeat(size - bare.len())
    };
    each_way(&CROSSED, |driver, direction| {
        for (size, status) in [(4_096, 200), (4_097, 502)] {
            let provider = Provider::answering(json(padded(direction.upstream, size)));
            let setup = Setup::upstream(driver, direction.upstream, &provider);
            let gateway = setup.limit("answer_bytes_max", 4_096).start();
            let body = chat(direction.client, MODEL, false);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!(got.status, status, "{size}: {}", got.text());
        }
    });
    each_way(&SAME_WIRE, |driver, direction| {
        let provider = Provider::answering(json(padded(direction.upstream, 9_000)));
        let setup = Setup::upstream(driver, direction.upstream, &provider);
        let gateway = setup.limit("answer_bytes_max", 4_096).start();
        let body = chat(direction.client, MODEL, false);
        let got = gateway.client().ask(post(path(direction.client), "", body));
        assert_eq!((got.status, got.body.len()), (200, 9_000));
    });
}

#[test]
fn response_heads_at_the_limits_pass_and_one_past_them_are_502() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let body = whole(wire);
        let kind = "content-type: application/json\r\n";
        let sized = |size: usize| {
            let empty = answer("200 OK", kind, body).len() - body.len();
            let field = format!("x: {}\r\n", "v".repeat(size - empty - 5));
            answer("200 OK", &format!("{kind}{field}"), body)
        };
        let many = |count: usize| {
            answer(
                "200 OK",
                &format!("{kind}{}", "a: b\r\n".repeat(count - 2)),
                body,
            )
        };
        for (row, sent, status) in [
            ("bytes", sized(65_536), 200),
            ("bytes", sized(65_537), 502),
            ("fields", many(200), 200),
            ("fields", many(201), 502),
        ] {
            let provider = Provider::all(then(sent, Step::Close));
            let gateway = Gateway::before(driver, wire, &provider);
            let got = gateway
                .client()
                .ask(post(path(wire), "", chat(wire, MODEL, false)));
            assert_eq!(got.status, status, "{row}");
        }
    });
}

#[test]
fn start_up_frames_are_held_only_up_to_their_limit() {
    each_way(&SAME_WIRE, |driver, direction| {
        let wire = direction.upstream;
        let comments = ": still thinking\n\n".repeat(100);
        let sent = [start_up(wire), &comments, error_event(wire)].concat();
        for (limit, falls_back) in [(64 << 10, true), (1 << 10, false)] {
            let start = [start_up(wire), &comments].concat();
            let mut script = then([stream_head(), chunk(&start)].concat(), Step::Gate);
            script.push(Step::Send(
                [chunk(error_event(wire)), LAST_CHUNK.to_vec()].concat(),
            ));
            let first = Provider::all(script);
            let second = Provider::answering(http::stream(events(wire)));
            let gateway = Setup::new(driver)
                .limit("held_bytes_max", limit)
                .provider("first", wire, &first, "")
                .provider("second", wire, &second, "")
                .model(MODEL, &["first/x", "second/x"])
                .start();
            let mut client = gateway.client();
            client.send(post(path(wire), "", chat(wire, MODEL, true)));
            first.wait_requests(1);
            let mut got = None;
            if !falls_back {
                // The head and what was held are let go while the provider still waits.
                got = Some(client.head());
            }
            first.open();
            let mut got = got.unwrap_or_else(|| client.head());
            client.finish(&mut got);
            if falls_back {
                assert_eq!((got.text(), got.end), (&*events(wire), End::Whole));
            } else {
                assert!(got.text().starts_with(&sent), "{}", got.text());
                assert_eq!((got.end, second.connections()), (End::Cut, 0));
            }
        }
    });
}

#[test]
fn uploads_of_relayed_endpoints_that_stall_are_408_and_the_provider_is_let_go() {
    each(|driver| {
        let provider = Provider::all(once(""));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .limit("body_stall_timeout_ms", 150)
            .start();
        let mut client = gateway.client();
        let head = "POST /v1/files HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\n\
                    content-length: 100\r\n\r\nhalf";
        let got = client.ask(head);
        assert_eq!(got.status, 408);
        told(Wire::OpenAiChat, &got);
        assert!(client.is_closed());
        provider.wait_end(0);
        assert_eq!(
            provider.requests().len(),
            0,
            "P3: never forwarded as complete"
        );
    });
}

#[test]
fn p28_bodies_that_trickle_are_408_while_others_hold_over_half_of_the_budget() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Setup::upstream(driver, wire, &provider)
            .limit("held_budget_bytes", 4 << 20)
            .start();
        let (length, there) = (3 << 20, 5 << 19);
        let head = |length: usize| {
            format!(
                "POST {} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n",
                path(wire)
            )
        };
        // A large body that is nearly there, and waits.
        let body = chat(wire, MODEL, false);
        let body = body.clone() + &" ".repeat(length - body.len());
        let mut holder = gateway.client();
        holder.send(head(length));
        holder.send(&body[..there]);
        wait::until("more than half is held", || {
            (gateway.metric("ringway_held_bytes") > f64::from(2 << 20)).then_some(())
        });
        // Never stalled, and never fast enough.
        let mut client = gateway.client();
        client.send(head(1 << 20));
        wait::until("an answer", || {
            client.send([b' '; 100]);
            client
                .hears_within(Duration::from_millis(100))
                .then_some(())
        });
        let got = client.head();
        assert_eq!(got.status, 408);
        holder.send(&body[there..]);
        assert_eq!(holder.answer().status, 200);
        assert_eq!(provider.requests().len(), 1, "P3: never forwarded in part");
    });
}

#[test]
fn memory_of_a_translated_answer_is_charged_before_it_is_written() {
    each_way(&CROSSED, |driver, direction| {
        let body = whole(direction.upstream).replace("Hello", &"x".repeat(400_000));
        // The body, and twice its length for what becomes of it, which will be no longer than the body.
        let charged = (3 * body.len() + 1024).next_multiple_of(UNCHARGED_BYTES);
        for (budget, status) in [(charged, 200), (charged - 1, 503)] {
            let provider = Provider::answering(json(&body));
            let gateway = Setup::upstream(driver, direction.upstream, &provider)
                .limit("held_budget_bytes", budget)
                .start();
            let body = chat(direction.client, MODEL, false);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!(got.status, status, "{budget}: {:.200}", got.text());
            match status {
                200 => assert!(got.text().len() > 400_000),
                _ => assert_eq!(gateway.only_line()["fault"], "no_room"),
            }
            wait::until("nothing held", || {
                (gateway.metric("ringway_held_bytes") < 1.0).then_some(())
            });
        }
    });
}

#[test]
fn p27_what_clients_send_ahead_of_their_turn_is_counted() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let begun = [stream_head(), chunk(start_up(wire))].concat();
        let provider = Provider::all(vec![Step::Request, Step::Send(begun), Step::Gate]);
        let gateway = Gateway::before(driver, wire, &provider);
        let long = |count| chat(wire, MODEL, true).replace("Say hello.", &"x".repeat(count));
        // The buffer of a body whose length is not said grows by doubling: what comes behind the body
        // is taken in with its end.
        let body = long(1_100_000);
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\n\r\n",
            path(wire)
        );
        let behind = post(path(wire), "", long(180_000));
        let both = [head.into_bytes(), chunk(body), LAST_CHUNK.into(), behind].concat();
        let client = wait::until("held bytes of a stream that has begun", || {
            let mut client = gateway.client();
            client.send(&both);
            // Of the request itself nothing is held any more.
            assert_eq!(client.head().status, 200);
            (gateway.metric("ringway_held_bytes") > 0.0).then_some(client)
        });
        drop(client);
        gateway.wait_metric("ringway_held_bytes", 0.0);
    });
}
