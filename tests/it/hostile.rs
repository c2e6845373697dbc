//! Peers that do at the wrong moment what may be done at another: early answers, interim heads
//! amid an upload, requests behind refusals.

use core::time::Duration;
use std::fs;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use ringway::wire::kind::Wire;

use crate::support::certificates::Authority;
use crate::support::client::End;
use crate::support::directions::{DIRECTIONS, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{LAST_CHUNK, answer, chunk, json, post, request, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, always, once};
use crate::support::wait;
use crate::support::wires::{chat, path, text, told_last, whole};

const WIRE: Wire = Wire::OpenAiChat;
/// More than the sockets' buffers hold, so that writing it has to wait for its reader.
const LARGE: usize = 12 << 20;

fn upload(fields: &str, declared: usize) -> String {
    format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nhost: a\r\n\
         content-type: application/octet-stream\r\n{fields}content-length: {declared}\r\n\r\n"
    )
}

#[test]
fn p5_requests_behind_one_that_is_answered_without_a_provider_are_answered_too() {
    each(|driver| {
        let gateway = Gateway::before(driver, WIRE, &Provider::all(always(json(whole(WIRE)))));
        for (method, target, status) in [
            ("GET", "/healthz", 200),
            ("GET", "/nowhere", 404),
            ("DELETE", "/v1/models", 405),
            ("OPTIONS", "/v1/models", 204),
            ("GET", "/v1/./models", 400),
            ("GET", "/v1/models", 200),
        ] {
            let mut client = gateway.client();
            let one = request(method, target, "", "");
            let last = request(method, target, "connection: close\r\n", "");
            client.send([one.clone(), one, last].concat());
            for _ in 0..3 {
                assert_eq!(client.answer().status, status, "{method} {target}");
            }
            assert!(client.is_closed());
        }
    });
}

#[test]
fn p4_a_body_that_looks_like_a_request_is_none_behind_a_refusal() {
    each(|driver| {
        let provider = Provider::answering(json(whole(WIRE)));
        let gateway = Gateway::before(driver, WIRE, &provider);
        let inner = post(path(WIRE), "", chat(WIRE, "m", false));
        let mut client = gateway.client();
        let got = client.ask(request("POST", "/nowhere", "", inner));
        assert_eq!((got.status, got.end), (404, End::Whole));
        assert!(client.is_closed());
        assert_eq!(provider.connections(), 0);
    });
}

#[test]
fn p13_a_client_that_sent_ahead_and_left_is_noticed() {
    each(|driver| {
        let begun = [stream_head(), chunk(text(WIRE, "Hel", false))].concat();
        let provider = Provider::start(vec![
            vec![Step::Request],
            vec![Step::Request, Step::Send(begun)],
        ]);
        let gateway = Gateway::before(driver, WIRE, &provider);
        // More than is read ahead of a running request, so that the end lies behind unread bytes.
        let ahead = post(path(WIRE), "", "x".repeat(20_000));
        for number in 0..2 {
            let mut client = gateway.client();
            client.send(post(path(WIRE), "", chat(WIRE, MODEL, true)));
            provider.wait_requests(number + 1);
            if number == 1 {
                let mut got = client.head();
                client.until(&mut got, "Hel");
            }
            client.send(&ahead);
            assert!(client.is_quiet(Duration::from_millis(20)));
            client.leave();
            // The gateway's own timers would end it after ten minutes.
            provider.wait_end(number);
        }
    });
}

#[test]
fn p12_a_stream_silent_for_longer_than_a_write_may_take_still_says_why_it_ends() {
    each(|driver| {
        let begun = [stream_head(), chunk(text(WIRE, "Hel", false))].concat();
        let provider = Provider::all(once(begun));
        let gateway = Setup::upstream(driver, WIRE, &provider)
            .limit("write_stall_timeout_ms", 100)
            .limit("stream_stall_timeout_ms", 500)
            .start();
        let body = chat(WIRE, MODEL, true);
        let got = gateway.client().ask(post(path(WIRE), "", body));
        assert_eq!(got.end, End::Cut);
        let told = told_last(WIRE, got.text());
        assert!(told.message.contains("fell silent"), "{told:?}");
    });
}

#[test]
fn p27_events_that_never_end_are_charged_and_cost_no_more_than_the_budget() {
    const BUDGET: usize = 5 << 19;
    each_way(&DIRECTIONS, |driver, direction| {
        let open = format!("data: {{\"x\":\"{}", "y".repeat(700_000));
        let begun = [stream_head(), chunk(open)].concat();
        let provider = Provider::all(once(begun));
        let gateway = Setup::upstream(driver, direction.upstream, &provider)
            .limit("held_budget_bytes", BUDGET)
            .start();
        let body = chat(direction.client, MODEL, true);
        let ask = post(path(direction.client), "", body);
        let mut clients: Vec<_> = (0..4).map(|_| gateway.client()).collect();
        for client in &mut clients {
            client.send(&ask);
        }
        let held = || gateway.metric("ringway_held_bytes");
        wait::until("bytes that are charged", || (held() > 0.0).then_some(()));
        if direction.is_translated() {
            // Those for whose event there is no room are told so: with a status, or amid the stream.
            assert_eq!(gateway.lines(1)[0]["fault"], "no_room");
        }
        assert!(held() <= BUDGET as f64, "{}", held());
        drop(clients);
        gateway.wait_metric("ringway_held_bytes", 0.0);
    });
}

#[test]
fn slow_readers_of_a_large_answer_are_no_stalled_ones() {
    each(|driver| {
        let large = "x".repeat(LARGE);
        let body = whole(Wire::AnthropicMessages).replace("Hello", &large);
        assert!(body.len() > LARGE);
        let provider = Provider::answering(json(body));
        let gateway = Setup::upstream(driver, Wire::AnthropicMessages, &provider)
            .limit("write_stall_timeout_ms", 400)
            .start();
        let mut client = gateway.client();
        client.send(post(path(WIRE), "", chat(WIRE, MODEL, false)));
        let mut got = client.head();
        let begun = Instant::now();
        while got.end == End::Open {
            client.more(&mut got);
            // In all this takes longer than one write may stall.
            thread::park_timeout(Duration::from_millis(5));
        }
        assert_eq!(got.end, End::Whole);
        assert!(begun.elapsed() > Duration::from_millis(400));
    });
}

/// A relay that takes one connection and joins it to `port` once told to.
fn gate(port: u16, opened: Receiver<()>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (near, _) = listener.accept().unwrap();
        if opened.recv().is_err() {
            return;
        }
        let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let back = thread::spawn(move || {
            let (mut from, mut to) = (far, near);
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
        let _ = back.join();
    });
    at
}

#[test]
fn p4_a_body_that_comes_while_the_provider_is_still_being_connected_stays_in_order() {
    each(|driver| {
        let authority = Authority::new();
        let tls = authority.server("localhost", 2090);
        let provider = Provider::start_tls(vec![always(answer("200 OK", "", "taken"))], tls);
        let (open, opened) = channel();
        let port = gate(provider.port(), opened);
        let setup = Setup::new(driver);
        fs::write(setup.folder().join("ca.pem"), authority.pem()).unwrap();
        let origin = format!("https://localhost:{port}");
        let extra = "key_env = \"UPSTREAM_KEY\"\nca_file = \"ca.pem\"\n";
        let gateway = setup.provider_at("up", WIRE, &origin, extra).start();
        // Were the middle of the body taken for what follows it, it would be served as a request.
        let smuggled = request("GET", "/healthz", "", "");
        let parts = [b"begin ".to_vec(), smuggled, vec![b'x'; 30_000]];
        let whole: Vec<u8> = parts.concat();
        let mut client = gateway.client();
        client.send(upload("", whole.len()));
        client.send(&parts[0]);
        assert!(client.is_quiet(Duration::from_millis(100)));
        client.send(&parts[1]);
        assert!(client.is_quiet(Duration::from_millis(100)));
        open.send(()).unwrap();
        client.send(&parts[2]);
        let got = client.answer();
        assert_eq!((got.status, got.text()), (200, "taken"));
        assert!(
            provider.only_request().body == whole,
            "the body is not the client's"
        );
        assert_eq!(client.ask(request("GET", "/healthz", "", "")).status, 200);
    });
}

/// A large body: JSON is held, anything else goes through as it comes.
fn body_of(kind: &str) -> String {
    match kind {
        "application/json" => format!("{{\"input\":\"{}\"}}", "x".repeat(LARGE)),
        _ => "x".repeat(LARGE),
    }
}

#[test]
fn p8_interim_heads_amid_an_upload_do_not_end_it() {
    each(|driver| {
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nx: y\r\n\r\n";
        let provider = Provider::all(vec![
            Step::Head,
            Step::Send(interim.as_bytes().to_vec()),
            Step::Send(b"HTTP/1.1 10".to_vec()),
            Step::Gate,
            Step::Send(b"3 Early Hints\r\n\r\n".to_vec()),
            Step::Send(answer("200 OK", "", "taken")),
        ]);
        let gateway = Gateway::before(driver, WIRE, &provider);
        // One body that is held and written in one go, one that is streamed.
        for (kind, name) in [("application/json", "held"), ("text/plain", "streamed")] {
            let number = provider.connections();
            let body = body_of(kind);
            let mut client = gateway.client();
            client.send(format!(
                "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            ));
            let sender = thread::scope(|scope| {
                scope.spawn(|| {
                    provider.wait_requests(number + 1);
                    provider.open();
                });
                client.send(&body);
                client.answer()
            });
            assert_eq!((sender.status, sender.text()), (200, "taken"), "{name}");
            drop(client);
        }
    });
}

#[test]
fn p4_early_answers_to_uploads_are_read_by_clients_that_go_on_sending() {
    each(|driver| {
        let refused = answer("413 Payload Too Large", "", "too much");
        let provider = Provider::all(vec![Step::Head, Step::Send(refused), Step::Reset]);
        let gateway = Gateway::before(driver, WIRE, &provider);
        for kind in ["application/json", "text/plain"] {
            for _ in 0..5 {
                let body = body_of(kind);
                let fields = format!("content-type: {kind}\r\n");
                let got = gateway
                    .client()
                    .ask(request("POST", "/v1/embeddings", &fields, &body));
                assert_eq!(
                    (got.status, got.text(), got.end),
                    (413, "too much", End::Whole),
                    "{kind}"
                );
            }
        }
    });
}

#[test]
fn p8_a_success_that_comes_early_does_not_end_an_upload() {
    each(|driver| {
        let begun = [stream_head(), chunk(": begun\n\n")].concat();
        let provider = Provider::all(vec![
            Step::Head,
            Step::Send(begun),
            Step::Rest,
            Step::Send([chunk("data: [DONE]\n\n"), LAST_CHUNK.to_vec()].concat()),
            Step::Again,
        ]);
        let gateway = Gateway::before(driver, WIRE, &provider);
        let mut client = gateway.client();
        for kind in ["application/json", "text/plain", "application/json"] {
            let body = body_of(kind);
            let fields = format!("content-type: {kind}\r\n");
            let request = request("POST", "/v1/embeddings", &fields, &body);
            let got = client.ask(request);
            assert_eq!((got.status, got.end), (200, End::Whole), "{kind}");
            assert_eq!(got.text(), ": begun\n\ndata: [DONE]\n\n", "{kind}");
        }
        // They went out whole, so that the connections serve again; a stream has one of its own.
        assert_eq!(provider.connections(), 2);
    });
}

#[test]
fn relayed_head_requests_with_a_body_get_no_body() {
    each(|driver| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n";
        let provider = Provider::all(vec![Step::Request, Step::Send(head.as_bytes().to_vec())]);
        let gateway = Gateway::before(driver, WIRE, &provider);
        let mut client = gateway.client();
        client.send(
            "HEAD /v1/files/f HTTP/1.1\r\nhost: a\r\ncontent-type: text/plain\r\n\
             content-length: 2\r\n\r\nhi",
        );
        let got = client.answer_to_head();
        assert_eq!((got.status, got.field("content-length")), (200, Some("40")));
        assert_eq!(client.ask(request("GET", "/healthz", "", "")).status, 200);
        told_nothing_more(&gateway);
    });
}

fn told_nothing_more(gateway: &Gateway) {
    let line = &gateway.lines(2)[0];
    assert_eq!(line["end"], "complete", "{line}");
}
