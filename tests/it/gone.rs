//! Clients that leave and clients that do not read.

use core::time::Duration;
use std::net::SocketAddr;
use std::time::Instant;

use ringway::limits::CONNECTION_BYTES;
use ringway::wire::kind::Wire;

use crate::support::client::Client;
use crate::support::directions::{DIRECTIONS, Direction, Driver, drivers, each_way};
use crate::support::flood::{Flood, allow_descriptors};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{chunk, post, stream_head};
use crate::support::kernel;
use crate::support::program::Program;
use crate::support::provider::{PeerEnd, Provider};
use crate::support::script::{Step, once};
use crate::support::wait;
use crate::support::wires::{chat, path, start_up, text};

/// How long the upstream connection may outlive its client.
const CLOSED_WITHIN: Duration = Duration::from_millis(100);

/// Leaves until the provider has seen the end soon enough after it.
fn measure(what: &str, mut leave: impl FnMut(usize) -> (Instant, Instant)) {
    wait::shortest(what, CLOSED_WITHIN, |number| {
        let (left, seen) = leave(number);
        seen.saturating_duration_since(left)
    });
}

/// When a client leaves.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The provider has the request and has said nothing.
    BeforeHead,
    /// The provider's head has come, no token.
    BeforeToken,
    /// The first token has come.
    MidStream,
}

#[test]
fn p13_g1_g2_g3_the_upstream_connection_is_closed_within_100_ms_of_the_client_leaving() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        for (moment, streamed) in [
            (Moment::BeforeHead, true),
            (Moment::BeforeHead, false),
            (Moment::BeforeToken, true),
            (Moment::MidStream, true),
        ] {
            let sent = match moment {
                Moment::BeforeHead => Vec::new(),
                Moment::BeforeToken => stream_head(),
                Moment::MidStream => {
                    let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
                    [stream_head(), chunk(begun)].concat()
                }
            };
            for reset in [false, true] {
                let provider = Provider::all(once(sent.clone()));
                let next = Provider::answering("");
                let gateway = Setup::new(driver)
                    .provider("up", upstream, &provider, "")
                    .provider("next", upstream, &next, "")
                    .model(MODEL, &["up/x", "next/x"])
                    .start();
                let what = format!("{moment:?} streamed {streamed} reset {reset}");
                let mut rounds = 0;
                measure(&what, |number| {
                    let mut client = gateway.client();
                    let body = chat(direction.client, MODEL, streamed);
                    client.send(post(path(direction.client), "", body));
                    provider.wait_requests(number + 1);
                    if matches!(moment, Moment::MidStream) {
                        let mut got = client.head();
                        client.until(&mut got, "Hel");
                    }
                    let left = if reset {
                        client.break_off()
                    } else {
                        client.leave()
                    };
                    rounds += 1;
                    let (at, end) = provider.wait_end(number);
                    assert_eq!(end, PeerEnd::Reset, "{what}: the request is revoked");
                    (left, at)
                });
                let lines = gateway.lines(rounds);
                for line in lines {
                    assert_eq!(line["end"], "cancelled", "{what}: {line}");
                    assert_eq!(line["fault"], "client_gone", "{what}: {line}");
                    let events = line["events"].as_u64().unwrap();
                    assert_eq!(
                        events > 0,
                        matches!(moment, Moment::MidStream),
                        "G4: {line}"
                    );
                }
                assert_eq!(provider.requests().len(), rounds, "{what}: no retry");
                assert_eq!(next.connections(), 0, "{what}: no fallback");
            }
        }
    });
}

/// More than the kernels between client and provider hold.
const LARGE: usize = 24 << 20;

#[test]
fn p13_the_upstream_connection_is_reset_within_100_ms_while_the_provider_does_not_read() {
    for driver in drivers() {
        // One body that is held here and written in one go, one that is streamed: of that, the
        // client's end is behind bytes that nobody takes, and only a reset gets past them.
        for (kind, reset) in [
            ("application/json", false),
            ("application/json", true),
            ("text/plain", true),
        ] {
            let provider = Provider::all(vec![Step::Head, Step::Deaf]);
            let gateway = Setup::upstream(*driver, Wire::OpenAiChat, &provider).start();
            let body = format!("{{\"input\":\"{}\"}}", "x".repeat(LARGE));
            let head = format!(
                "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-type: {kind}\r\n\
                 content-length: {}\r\n\r\n",
                body.len()
            );
            let mut rounds = 0;
            measure(&format!("{kind} reset {reset}"), |number| {
                let mut client = gateway.client();
                client.send(&head);
                client.stuff(&body);
                provider.wait_requests(number + 1);
                rounds += 1;
                let left = if reset {
                    client.break_off()
                } else {
                    client.leave()
                };
                (left, provider.wait_end(number).0)
            });
            for line in gateway.lines(rounds) {
                assert_eq!(line["end"], "cancelled", "{kind} reset {reset}: {line}");
                assert_eq!(line["fault"], "client_gone", "{line}");
            }
        }
    }
}

#[test]
fn p13_a_half_close_after_the_request_means_gone() {
    each_way(&DIRECTIONS[..2], |driver, direction| {
        let provider = Provider::all(once(""));
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = gateway.client();
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        provider.wait_requests(1);
        client.half_close();
        provider.wait_end(0);
        assert_eq!(gateway.only_line()["end"], "cancelled");
    });
}

#[test]
fn p27_a_client_that_does_not_read_stops_the_upstream_read() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let piece = chunk(text(upstream, &"x".repeat(1_000), false)).repeat(16);
        let provider = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(begun)].concat()),
            Step::Flood(piece),
        ]);
        let gateway = Gateway::on(driver, direction, &provider);
        let mut client = Client::connect_narrow(gateway.address());
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        provider.wait_requests(1);
        // What the kernel takes on either side is its own affair, megabytes on some machines; the
        // gateway has stopped when no byte moves any more.
        wait::settled("bytes that the provider can send", 0, || provider.sent());
        let taken = provider
            .sent()
            .saturating_sub(kernel::queued(provider.address()));
        let passed = kernel::queued(gateway.address());
        // Events are of other sizes in the other wire, by less than a quarter.
        assert!(
            taken < passed + passed / 4 + (256 << 10),
            "{taken} bytes were taken, {passed} passed on"
        );
        let held = gateway.metric("ringway_held_bytes");
        assert!(held <= f64::from(256 << 10), "{held} bytes are held");
        println!("{taken} bytes were taken, {passed} passed on, {held} held");
        client.break_off();
        provider.wait_end(0);
        assert_eq!(gateway.only_line()["end"], "cancelled");
    });
}

#[test]
fn clients_that_stop_reading_for_too_long_are_cut() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let piece = chunk(text(upstream, &"x".repeat(1_000), false)).repeat(16);
        let provider = Provider::all(vec![
            Step::Request,
            Step::Send([stream_head(), chunk(begun)].concat()),
            Step::Flood(piece),
        ]);
        let gateway = Setup::upstream(driver, upstream, &provider)
            .limit("write_stall_timeout_ms", 300)
            .start();
        let mut client = Client::connect_narrow(gateway.address());
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        provider.wait_end(0);
        assert_eq!(gateway.only_line()["end"], "cancelled");
        drop(client);
    });
}

const CLIENTS: usize = 2_000;

#[test]
fn p27_n1_two_thousand_clients_that_never_read_cost_no_more_than_is_reckoned_for_them() {
    // Two handles of a client, and the provider's end of its answer.
    let _turn = allow_descriptors(3 * CLIENTS + 2_000);
    for direction in [DIRECTIONS[0], DIRECTIONS[2]] {
        let Direction { client, upstream } = direction;
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let first = [stream_head(), chunk(begun)].concat();
        let piece = chunk(text(upstream, &"x".repeat(1_000), false)).repeat(16);
        for driver in drivers() {
            let provider = Flood::start(first.clone(), piece.clone());
            let kind = match upstream {
                Wire::OpenAiChat => ("openai", "/v1"),
                Wire::AnthropicMessages => ("anthropic", ""),
            };
            let program = Program::serve(&config_of(*driver, kind, provider.address()));
            let before = program.resident_kib();
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                let mut one = Client::connect_narrow(program.address());
                one.send(post(path(client), "", chat(client, "m", true)));
                clients.push(one);
            }
            let mut asked = 0;
            while asked < CLIENTS {
                let so_far = asked;
                asked = wait::until("another request at the provider", || {
                    Some(provider.connections()).filter(|count| *count > so_far)
                });
            }
            // Kernels go on trying full connections, each ever more seldom and with few bytes.
            wait::settled("bytes that the provider can send", 16 * CLIENTS, || {
                provider.sent()
            });
            let grown = program.resident_kib().saturating_sub(before) << 10;
            let each = grown / CLIENTS;
            println!(
                "{direction:?} {}: {each} bytes for each client that never reads, {} taken",
                driver.name(),
                provider.sent() / CLIENTS
            );
            assert!(each <= CONNECTION_BYTES, "{each} bytes a client");
            drop(clients);
        }
    }
}

#[test]
fn n1_memory_of_a_burst_goes_back_to_the_system() {
    let wire = Wire::OpenAiChat;
    let _turn = allow_descriptors(3 * CLIENTS + 2_000);
    for driver in drivers() {
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let provider = Flood::start([stream_head(), chunk(begun)].concat(), Vec::new());
        let config = config_of(*driver, ("openai", "/v1"), provider.address());
        let program = Program::serve(&config);
        let before = program.resident_kib();
        // All at once, so that each holds what a request holds before its answer is there.
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|_| Client::connect(program.address()))
            .collect();
        for client in &mut clients {
            client.send(post(path(wire), "", chat(wire, "m", true)));
        }
        for client in &mut clients {
            let mut got = client.head();
            client.until(&mut got, "Hel");
        }
        let held = program.resident_kib();
        println!("{}: {before} KiB became {held} KiB", driver.name());
        assert!(held > before + 16_384, "{before} KiB became {held} KiB");
        drop(clients);
        wait::until("memory that was given back", || {
            (program.resident_kib() < before + 4_096).then_some(())
        });
    }
}

/// The most that an idle connection may take.
const IDLE_BYTES: usize = 3 << 10;

#[test]
fn n1_an_idle_connection_comes_to_hold_next_to_nothing() {
    let _turn = allow_descriptors(2 * CLIENTS + 2_000);
    for driver in drivers() {
        let provider = Provider::answering("");
        let program = Program::serve(&config(*driver, &provider));
        let before = program.resident_kib();
        let asked = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut one = Client::connect(program.address());
                one.send(asked);
                assert_eq!(one.answer().status, 200);
                one
            })
            .collect();
        let held = || program.resident_kib().saturating_sub(before) << 10;
        println!("{}: {} bytes each at once", driver.name(), held() / CLIENTS);
        wait::until("connections that doze", || {
            (held() <= CLIENTS * IDLE_BYTES).then_some(())
        });
        println!("{}: {} bytes each", driver.name(), held() / CLIENTS);
        for one in clients.iter_mut().step_by(7) {
            one.send(asked);
            assert_eq!(one.answer().status, 200, "it wakes up");
        }
    }
}

/// One provider of the OpenAI wire and one worker.
fn config(driver: Driver, provider: &Provider) -> String {
    config_of(driver, ("openai", "/v1"), provider.address())
}

fn config_of(driver: Driver, (kind, prefix): (&str, &str), provider: SocketAddr) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nlog = \"off\"\n\
         workers = 1\ndriver = \"{}\"\n[[provider]]\nname = \"up\"\nkind = \"{kind}\"\n\
         base_url = \"http://{provider}{prefix}\"\nkey_env = \"UPSTREAM_KEY\"\n[[model]]\nid = \"m\"\n\
         targets = [\"up/x\"]\n",
        driver.name(),
    )
}

#[test]
fn n1_descriptors_and_memory_come_back_after_clients_that_left() {
    let wire = Wire::OpenAiChat;
    for driver in drivers() {
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let provider = Provider::all(once([stream_head(), chunk(begun)].concat()));
        // A round takes two hundred descriptors: those that did not come back would be missed soon.
        let program = Program::serve_narrow(&config(*driver, &provider), 512);
        let mut settled = 0;
        for number in 0..6 {
            let clients = (0..100).map(|_| {
                let mut client = Client::connect(program.address());
                client.send(post(path(wire), "", chat(wire, "m", true)));
                let mut got = client.head();
                client.until(&mut got, "Hel");
                client
            });
            drop(clients.collect::<Vec<Client>>());
            for connection in number * 100..(number + 1) * 100 {
                provider.wait_end(connection);
            }
            if number == 1 {
                settled = program.resident_kib();
            }
        }
        let after = program.resident_kib();
        assert!(
            after < settled + 2_048,
            "N1: {settled} KiB became {after} KiB"
        );
    }
}

#[test]
fn p29_at_the_descriptor_limit_every_client_is_told_so_and_service_comes_back() {
    let wire = Wire::OpenAiChat;
    for driver in drivers() {
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let provider = Provider::all(once([stream_head(), chunk(begun)].concat()));
        // More are let in than there are descriptors; each of them wants one upstream besides.
        let config = config(*driver, &provider) + "[limits]\nconnections_max = 50\n";
        let program = Program::serve_narrow(&config, 64);
        let mut running = Vec::new();
        let mut told = 0;
        for _ in 0..50 {
            let mut client = Client::connect(program.address());
            client.send(post(path(wire), "", chat(wire, "m", true)));
            // Nobody is left waiting in the kernel's queue.
            let got = client.head();
            match got.status {
                200 => running.push((client, got)),
                503 => {
                    assert!(got.head.field("retry-after").is_some(), "{:?}", got.head);
                    told += 1;
                }
                status => panic!("{status}"),
            }
        }
        assert!(
            running.len() >= 16,
            "{} streams of 64 descriptors",
            running.len()
        );
        assert!(told > 0, "the limit was never met");
        println!("{} run, {told} were told", running.len());
        drop(running);
        wait::until("service again", || {
            let mut client = Client::connect(program.address());
            client.send(post(path(wire), "", chat(wire, "m", true)));
            let mut got = client.head();
            if got.status != 200 {
                return None;
            }
            client.until(&mut got, "Hel");
            Some(())
        });
    }
}

#[test]
fn p29_when_all_clients_that_are_let_in_are_served_the_admin_listener_still_answers() {
    let wire = Wire::OpenAiChat;
    for driver in drivers() {
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let provider = Provider::all(once([stream_head(), chunk(begun)].concat()));
        let program = Program::serve_narrow(&config(*driver, &provider), 96);
        let mut running = Vec::new();
        for _ in 0..50 {
            let mut client = Client::connect(program.address());
            client.send(post(path(wire), "", chat(wire, "m", true)));
            let got = client.head();
            match got.status {
                200 => running.push((client, got)),
                status => assert_eq!(status, 503),
            }
        }
        assert_eq!(running.len(), 36, "half of what is left of 96 descriptors");
        assert_eq!(program.admin("/healthz").0, 200);
    }
}
