//! First tokens that do not come in time, and streams that are too slow.

use ringway::wire::kind::Wire;

use crate::support::client::End;
use crate::support::directions::{DIRECTIONS, Direction, each, each_way};
use crate::support::gateway::{MODEL, Setup};
use crate::support::http::{LAST_CHUNK, chunk, json, post, stream, stream_head};
use crate::support::provider::Provider;
use crate::support::script::{Step, always};
use crate::support::wires::{chat, events, finish, path, start_up, terminator, text, whole};

/// A model of two targets, and a setting in the limits, at the first one's provider or at the model.
fn set_at(setup: Setup, (place, line): (&str, &str), targets: [(Wire, &Provider); 2]) -> Setup {
    let at = |here| if place == here { line } else { "" };
    let [(first_wire, first), (second_wire, second)] = targets;
    let setup = match place {
        "limits" => {
            let (name, value) = line.split_once(" = ").unwrap();
            setup.limit(name, value)
        }
        _ => setup,
    };
    setup
        .provider("p0", first_wire, first, at("provider"))
        .provider("p1", second_wire, second, "")
        .text(&format!(
            "[[model]]\nid = {MODEL:?}\n{}\ntargets = [\"p0/up\", \"p1/up\"]",
            at("model")
        ))
}

#[test]
fn lg10_without_a_first_token_in_time_the_next_target_is_asked() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        let silent = vec![Step::Request];
        let begun = vec![
            Step::Request,
            Step::Send([stream_head(), chunk(start_up(upstream))].concat()),
        ];
        for (row, script) in [("no head", silent), ("no content", begun)] {
            for place in ["limits", "provider", "model"] {
                let first = Provider::all(script.clone());
                let second = Provider::all(always(stream(events(client))));
                let setting = (place, "first_token_timeout_ms = 60");
                let targets = [(upstream, &first), (client, &second)];
                let gateway = set_at(Setup::new(driver), setting, targets).start();
                let body = chat(client, MODEL, true);
                let got = gateway.client().ask(post(path(client), "", body));
                assert_eq!(
                    (got.status, got.text(), got.end),
                    (200, &*events(client), End::Whole),
                    "{row}, {place}"
                );
                let line = gateway.only_line();
                assert_eq!(line["attempts"][0]["fault"], "first_token", "{line}");
                first.wait_over(0);
            }
        }
    });
}

/// A stream's head, its start-up frames and so many deltas.
fn begun(wire: Wire, deltas: usize) -> Vec<u8> {
    let texts: String = (0..deltas)
        .map(|at| text(wire, &format!("w{at} "), at == 0))
        .collect();
    let frames = [start_up(wire), &*texts].concat();
    [stream_head(), chunk(frames)].concat()
}

#[test]
fn lg10_a_stream_that_is_too_slow_gives_way_to_the_next_target_before_it_is_shown() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        for place in ["limits", "provider", "model"] {
            // Two deltas would be enough.
            let first = Provider::all(vec![Step::Request, Step::Send(begun(upstream, 1))]);
            let second = Provider::all(always(stream(events(client))));
            let setup = Setup::new(driver).limit("stream_rate_window_ms", 100);
            let setting = (place, "stream_rate_min = 20");
            let targets = [(upstream, &first), (client, &second)];
            let gateway = set_at(setup, setting, targets).start();
            let body = chat(client, MODEL, true);
            let got = gateway.client().ask(post(path(client), "", body));
            assert_eq!(
                (got.status, got.text(), got.end),
                (200, &*events(client), End::Whole),
                "{place}"
            );
            let line = gateway.only_line();
            assert_eq!(line["attempts"][0]["fault"], "slow_stream", "{line}");
            assert_eq!(line["deltas"], 2, "those of the answer alone: {line}");
            assert_eq!(gateway.metric("ringway_circuits_opened_total"), 1.0);
            first.wait_over(0);
        }
    });
}

#[test]
fn lg10_a_stream_is_shown_as_soon_as_it_has_been_fast_enough_or_has_ended() {
    each_way(&DIRECTIONS, |driver, Direction { client, upstream }| {
        // Sixty deltas within a minute: they come at once.
        let fast = Provider::all(vec![
            Step::Request,
            Step::Send(begun(upstream, 60)),
            Step::Gate,
            Step::Send(
                [
                    chunk([finish(upstream), terminator(upstream)].concat()),
                    LAST_CHUNK.to_vec(),
                ]
                .concat(),
            ),
        ]);
        let short = Provider::all(always(stream(events(upstream))));
        let other = Provider::all(always(stream(events(client))));
        let gateway = Setup::new(driver)
            .limit("stream_rate_min", 1)
            .limit("stream_rate_window_ms", 60_000)
            .provider("fast", upstream, &fast, "")
            .provider("short", upstream, &short, "")
            .provider("other", client, &other, "")
            .model("long", &["fast/up", "other/up"])
            .model("brief", &["short/up", "other/up"])
            .start();
        let mut waiting = gateway.client();
        waiting.send(post(path(client), "", chat(client, "long", true)));
        let mut got = waiting.head();
        waiting.until(&mut got, "w59 ");
        fast.open();
        waiting.finish(&mut got);
        assert_eq!((got.status, got.end), (200, End::Whole));
        assert!(got.text().contains("w0 "), "{}", got.text());
        let body = chat(client, "brief", true);
        let got = gateway.client().ask(post(path(client), "", body));
        assert_eq!((got.status, got.end), (200, End::Whole));
        assert_eq!(other.connections(), 0);
        assert_eq!(gateway.metric("ringway_circuits_opened_total"), 0.0);
    });
}

#[test]
fn lg10_a_slow_stream_is_shown_where_nobody_takes_over_and_breaks_are_the_next_targets_until_then()
{
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let rest = [
            chunk([finish(wire), terminator(wire)].concat()),
            LAST_CHUNK.to_vec(),
        ]
        .concat();
        let slow = Provider::all(vec![
            Step::Request,
            Step::Send(begun(wire, 1)),
            Step::Gate,
            Step::Send(rest),
            Step::Again,
        ]);
        let broken = Provider::all(vec![Step::Request, Step::Send(begun(wire, 1)), Step::Reset]);
        // It cannot be told what is asked.
        let deaf = Provider::answering(json(whole(Wire::AnthropicMessages)));
        let well = Provider::all(always(stream(events(wire))));
        let gateway = Setup::new(driver)
            .limit("stream_rate_min", 1000)
            .limit("stream_rate_window_ms", 100)
            .provider("slow", wire, &slow, "")
            .provider("deaf", Wire::AnthropicMessages, &deaf, "")
            .provider("broken", wire, &broken, "")
            .provider("well", wire, &well, "stream_rate_min = 0")
            .model("alone", &["slow/up"])
            .model("deaf", &["slow/up", "deaf/up"])
            .model("broken", &["broken/up", "well/up"])
            .start();
        for model in ["alone", "deaf"] {
            let mut waiting = gateway.client();
            let body = chat(wire, model, true).replacen('{', "{\"logprobs\":true,", 1);
            waiting.send(post(path(wire), "x-ringway-strict: 1\r\n", body));
            let mut got = waiting.head();
            waiting.until(&mut got, "w0 ");
            slow.open();
            waiting.finish(&mut got);
            assert_eq!((got.status, got.end), (200, End::Whole), "{model}");
        }
        assert_eq!(deaf.connections(), 0);
        // One that breaks meanwhile has been shown to nobody.
        let body = chat(wire, "broken", true);
        let got = gateway.client().ask(post(path(wire), "", body));
        assert_eq!((got.text(), got.end), (&*events(wire), End::Whole));
    });
}

#[test]
fn lg10_a_slow_first_token_is_waited_for_where_nobody_takes_over() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let slow = |steps: Vec<u8>| {
            vec![
                Step::Request,
                Step::Send(steps),
                Step::Gate,
                Step::Send(stream(events(wire))),
            ]
        };
        // The second target cannot be told what is asked; there is none that takes over.
        let first = Provider::all(slow(Vec::new()));
        let deaf = Provider::answering(json(whole(Wire::AnthropicMessages)));
        let other = Provider::all(vec![Step::Request]);
        let well = Provider::all(always(stream(events(wire))));
        let gateway = Setup::new(driver)
            .provider("p0", wire, &first, "first_token_timeout_ms = 1")
            .provider("p1", Wire::AnthropicMessages, &deaf, "")
            .provider("p2", wire, &other, "first_token_timeout_ms = 60")
            .provider("p3", wire, &well, "")
            .model(MODEL, &["p0/up", "p1/up"])
            .model("later", &["p2/up", "p3/up"])
            .start();
        let mut waiting = gateway.client();
        let body = chat(wire, MODEL, true).replacen('{', "{\"logprobs\":true,", 1);
        let strict = "x-ringway-strict: 1\r\n";
        waiting.send(post(path(wire), strict, body));
        first.wait_requests(1);
        // This takes its sixty milliseconds: the one of the other has long passed.
        let body = chat(wire, "later", true);
        assert_eq!(gateway.client().ask(post(path(wire), "", body)).status, 200);
        first.open();
        let got = waiting.answer();
        assert_eq!((got.status, got.text()), (200, &*events(wire)));
        let line = &gateway.lines(2)[1];
        // The other was made ready, in vain.
        let attempts = line["attempts"].as_array().unwrap();
        assert!(
            attempts
                .iter()
                .any(|it| it["fault"] == "refused_by_translation"),
            "{line}"
        );
        assert_eq!(deaf.connections(), 0);
    });
}
