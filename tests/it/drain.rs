//! The end of the process, and a panic in the middle of it all.

use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ringway::wire::kind::Wire;

use crate::support::client::End;
use crate::support::directions::{CROSSED, Driver, drivers, each};
use crate::support::gateway::{MODEL, Setup};
use crate::support::http::{LAST_CHUNK, chunk, json, post, request, stream, stream_head};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::script::{Script, Step, always, then};
use crate::support::wait;
use crate::support::wires::{
    WIRES, chat, end_mark, events, finish, path, start_up, terminator, text, told, told_last, whole,
};

/// The program's configuration: two workers, both providers, limits as given.
fn config(driver: Driver, providers: &[(Wire, &Provider)], limits: &str) -> String {
    let mut text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nlog = \"stdout\"\n\
         workers = 2\ndriver = \"{}\"\n[limits]\n{limits}\n",
        driver.name()
    );
    for (number, (wire, provider)) in providers.iter().enumerate() {
        let (kind, version) = match wire {
            Wire::OpenAiChat => ("openai", "/v1"),
            Wire::AnthropicMessages => ("anthropic", ""),
        };
        text.push_str(&format!(
            "[[provider]]\nname = \"p{number}\"\nkind = \"{kind}\"\n\
             base_url = \"http://{}{version}\"\nkey_env = \"UPSTREAM_KEY\"\n\
             [[model]]\nid = \"m{number}\"\ntargets = [\"p{number}/x\"]\n",
            provider.address()
        ));
    }
    text
}

/// A stream that stops in the middle until the test lets it go on.
fn paused(wire: Wire) -> Script {
    let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
    let mut script = then([stream_head(), chunk(begun)].concat(), Step::Gate);
    let rest = [&text(wire, "lo", false), finish(wire), terminator(wire)].concat();
    script.push(Step::Send([chunk(rest), LAST_CHUNK.to_vec()].concat()));
    script
}

fn ask(wire: Wire, model: &str) -> Vec<u8> {
    ask_for(wire, model, true)
}

fn ask_for(wire: Wire, model: &str, stream: bool) -> Vec<u8> {
    post(path(wire), "", chat(wire, model, stream))
}

#[test]
fn p32_h4_term_finishes_running_streams_refuses_new_ones_and_exits_with_0() {
    for &driver in drivers() {
        let wire = Wire::OpenAiChat;
        let provider = Provider::all(paused(wire));
        let mut program = Program::serve(&config(driver, &[(wire, &provider)], ""));
        let mut idle = program.client();
        assert_eq!(idle.ask(request("GET", "/readyz", "", "")).status, 200);
        assert_eq!(program.admin("/readyz").0, 200);
        let mut client = program.client();
        client.send(ask(wire, "m0"));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        program.signal("TERM");
        assert!(
            idle.is_closed(),
            "idle connections are closed in good order"
        );
        wait::until("a listener that takes no more", || {
            TcpStream::connect(program.address()).is_err().then_some(())
        });
        let (status, text) = program.admin("/readyz");
        assert_eq!(status, 503);
        assert!(text.contains("draining"), "{text}");
        assert!(program.admin("/metrics").1.contains("ringway_draining 1"));
        assert!(program.is_running());
        provider.open();
        client.finish(&mut got);
        assert_eq!((got.text(), got.end), (&*events(wire), End::Whole));
        assert_eq!(program.exit().code(), Some(0), "{}", driver.name());
    }
}

#[test]
fn p32_h4_readiness_says_no_for_the_drain_delay_while_requests_are_still_taken() {
    for &driver in drivers() {
        let wire = Wire::OpenAiChat;
        let provider = Provider::all(always(json(whole(wire))));
        let limits = "drain_delay_ms = 4000";
        let mut program = Program::serve(&config(driver, &[(wire, &provider)], limits));
        let started = Instant::now();
        program.signal("TERM");
        wait::until("a readiness that says no", || {
            (program.admin("/readyz").0 == 503).then_some(())
        });
        let got = program.client().ask(request("GET", "/readyz", "", ""));
        assert_eq!((got.status, got.text()), (503, "draining\n"));
        let got = program
            .client()
            .ask(post(path(wire), "", chat(wire, "m0", false)));
        assert_eq!((got.status, got.field("connection")), (200, Some("close")));
        assert_eq!(program.exit().code(), Some(0));
        assert!(started.elapsed() >= Duration::from_millis(4_000));
    }
}

#[test]
fn p32_h5_a_second_term_exits_at_once() {
    for &driver in drivers() {
        let wire = Wire::AnthropicMessages;
        let provider = Provider::all(paused(wire));
        let mut program = Program::serve(&config(driver, &[(wire, &provider)], ""));
        let mut client = program.client();
        client.send(ask(wire, "m0"));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        program.signal("TERM");
        wait::until("the drain", || {
            (program.admin("/readyz").0 == 503).then_some(())
        });
        program.signal("TERM");
        program.wait_line("second signal");
        assert_eq!(program.exit().code(), Some(0));
        client.finish(&mut got);
        assert_eq!(got.end, End::Cut);
    }
}

#[test]
fn p32_hup_is_ignored_with_a_line_and_loses_no_request() {
    for &driver in drivers() {
        let wire = Wire::OpenAiChat;
        let provider = Provider::all(paused(wire));
        let program = Program::serve(&config(driver, &[(wire, &provider)], ""));
        let mut client = program.client();
        client.send(ask(wire, "m0"));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        program.signal("HUP");
        program.wait_line("HUP ignored");
        assert_eq!(program.admin("/readyz").0, 200);
        provider.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole);
    }
}

#[test]
fn p32_h5_streams_that_outlive_the_drain_limit_are_cut_with_an_error_in_their_wire() {
    for &driver in drivers() {
        let providers = WIRES.map(|wire| Provider::all(paused(wire)));
        let targets: Vec<(Wire, &Provider)> = WIRES.into_iter().zip(&providers).collect();
        let limits = "drain_timeout_ms = 300";
        let mut program = Program::serve(&config(driver, &targets, limits));
        let mut running = Vec::new();
        // Same wire and translated, both ways.
        for (number, upstream) in WIRES.into_iter().enumerate() {
            for wire in [upstream, other(upstream)] {
                let mut client = program.client();
                client.send(ask(wire, &format!("m{number}")));
                let mut got = client.head();
                client.until(&mut got, "Hel");
                running.push((wire, client, got));
            }
        }
        program.signal("TERM");
        for (wire, mut client, mut got) in running {
            client.finish(&mut got);
            assert_eq!(got.end, End::Cut);
            assert!(!got.text().contains(end_mark(wire)), "{}", got.text());
            let told = told_last(wire, got.text());
            assert!(told.message.contains("shutting down"), "{told:?}");
        }
        program.wait_line("drain limit passed");
        assert_eq!(program.exit().code(), Some(0));
    }
}

fn other(wire: Wire) -> Wire {
    let crossed = CROSSED.iter().find(|direction| direction.client == wire);
    crossed.unwrap().upstream
}

#[test]
fn p31_a_panic_ends_one_exchange_with_a_500_and_is_counted() {
    each(|driver| {
        for wire in WIRES {
            let provider = Provider::start(vec![paused(wire), always(json(whole(wire)))]);
            let gateway = Setup::upstream(driver, wire, &provider)
                .panicking("boom")
                .start();
            let mut running = gateway.client();
            running.send(ask(wire, MODEL));
            let mut stream = running.head();
            running.until(&mut stream, "Hel");
            for streamed in [true, false] {
                let mut client = gateway.client();
                let got = client.ask(post(path(wire), "", chat(wire, "boom", streamed)));
                assert_eq!(got.status, 500);
                assert_eq!(told(wire, &got).message, "internal error");
                assert!(client.is_closed());
            }
            let got = gateway
                .client()
                .ask(post(path(wire), "", chat(wire, MODEL, false)));
            assert_eq!((got.status, got.text()), (200, whole(wire)));
            provider.open();
            running.finish(&mut stream);
            assert_eq!((stream.text(), stream.end), (&*events(wire), End::Whole));
            assert_eq!(gateway.metric("ringway_panics_total"), 2.0);
            let lines = gateway.lines(4);
            let faults = lines.iter().filter(|line| line["fault"] == "bug");
            assert_eq!(faults.count(), 2, "{lines:?}");
        }
    });
}

#[test]
fn the_start_up_says_driver_addresses_and_that_it_is_open() {
    for &driver in drivers() {
        let provider = Provider::answering("");
        let text = config(driver, &[(Wire::OpenAiChat, &provider)], "");
        let program = Program::serve_with(&text, Stdio::null());
        let line = program.wait_line("no client keys are configured");
        assert!(line.starts_with("ringway: "), "{line}");
        let metrics = program.admin("/metrics").1;
        let word = if driver == Driver::Uring {
            "io_uring"
        } else {
            "epoll"
        };
        for worker in 0..2 {
            let name = format!("ringway_driver_info{{worker=\"{worker}\",driver=\"{word}\"}} 1");
            assert!(metrics.contains(&name), "{metrics}");
        }
    }
}

#[test]
fn a_client_that_waits_for_its_answer_when_the_drain_begins_still_gets_it() {
    for &driver in drivers() {
        let wire = Wire::OpenAiChat;
        for streamed in [false, true] {
            let (sent, expected) = match streamed {
                true => (stream(events(wire)), events(wire)),
                false => (json(whole(wire)), whole(wire).to_owned()),
            };
            let provider = Provider::all(vec![Step::Request, Step::Gate, Step::Send(sent)]);
            let mut program = Program::serve(&config(driver, &[(wire, &provider)], ""));
            let mut client = program.client();
            client.send(ask_for(wire, "m0", streamed));
            provider.wait_requests(1);
            program.signal("TERM");
            // The admin side says so first, then the workers are told: the listeners are theirs.
            wait::until("the workers' drain", || {
                TcpStream::connect(program.address()).is_err().then_some(())
            });
            provider.open();
            let got = client.answer();
            assert_eq!((got.status, got.text()), (200, &*expected));
            // The head is written now, and the connection ends behind it.
            assert_eq!(got.field("connection"), Some("close"));
            assert!(client.is_closed());
            assert_eq!(program.exit().code(), Some(0));
        }
    }
}
