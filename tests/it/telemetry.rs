//! The access log and the metrics.

use core::time::Duration;
use std::process::Stdio;

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::client::End;
use crate::support::directions::{CROSSED, DIRECTIONS, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup, UPSTREAM_KEY};
use crate::support::http::{LAST_CHUNK, answer, chunk, json, post, request, stream, stream_head};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::script::{Step, always, once, then};
use crate::support::wait;
use crate::support::wires::{
    USAGE_CHUNK, chat, events, finish, path, start_up, terminator, text, whole,
};

/// A stream with usage, as a provider of the wire sends it where it is asked for.
fn counted(wire: Wire) -> String {
    match wire {
        Wire::OpenAiChat => {
            events(wire).replace("data: [DONE]", &format!("{USAGE_CHUNK}data: [DONE]"))
        }
        Wire::AnthropicMessages => events(wire),
    }
}

#[test]
fn to4_one_json_line_per_exchange_tells_all_in_every_direction() {
    each_way(&DIRECTIONS, |driver, direction| {
        let provider = Provider::answering(stream(counted(direction.upstream)));
        let setup = Setup::upstream(driver, direction.upstream, &provider);
        let gateway = setup.key("client-key-1", "blue", None).start();
        let fields = "authorization: Bearer client-key-1\r\n";
        let body = chat(direction.client, MODEL, true);
        let got = gateway
            .client()
            .ask(post(path(direction.client), fields, &body));
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        let line = gateway.only_line();
        for (name, value) in [
            ("id", got.field("x-ringway-request-id").unwrap()),
            ("operation", "chat"),
            ("tenant", "blue"),
            ("client_wire", direction.client.name()),
            ("upstream_wire", direction.upstream.name()),
            ("model_asked", MODEL),
            ("model_sent", "up-model"),
            ("model_answered", "up-model"),
            ("provider", "up"),
            ("end", "complete"),
            ("stop", "end_turn"),
        ] {
            assert_eq!(line[name], value, "{name}: {line}");
        }
        assert_eq!(
            (&line["status"], &line["stream"]),
            (&200.into(), &true.into())
        );
        assert_eq!(line["bytes_in"], body.len());
        assert!(
            line["bytes_out"].as_u64().unwrap() > got.body.len() as u64,
            "{line}"
        );
        assert!(line["events"].as_u64().unwrap() >= 4, "{line}");
        assert_eq!(line["deltas"], 2, "{line}");
        assert_eq!(
            (&line["usage"]["input"], &line["usage"]["output"]),
            (&9.into(), &2.into())
        );
        assert_eq!(line["attempts"].as_array().unwrap().len(), 1);
        assert_eq!(line["attempts"][0]["status"], 200);
        for name in ["time_ms", "ttft_ms", "queue_ms", "gateway_ms", "total_ms"] {
            assert!(line[name].is_number(), "{name}: {line}");
        }
        for name in ["p50", "p99", "max"] {
            assert!(line["gap_ms"][name].is_number(), "{name}: {line}");
        }
        let log = gateway.end();
        for secret in ["client-key-1", UPSTREAM_KEY, "Say hello", "Hel"] {
            assert!(!log.contains(secret), "P25: {secret} in {log}");
        }
    });
}

#[test]
fn lg7_the_line_says_which_model_answered_whole_and_streamed_and_no_more_of_it_than_fits() {
    each_way(&DIRECTIONS, |driver, direction| {
        let upstream = direction.upstream;
        let long = "x".repeat(300);
        for (named, logged) in [
            ("other-\\u006dodel\\u001b[31m", "other-model\u{1b}[31m"),
            (&*long, &long[..256]),
            ("", ""),
        ] {
            let name = |body: &str| body.replace("\"up-model\"", &format!("\"{named}\""));
            for streamed in [false, true] {
                let answer = if streamed {
                    stream(name(&counted(upstream)))
                } else {
                    json(name(whole(upstream)))
                };
                let provider = Provider::answering(answer);
                let gateway = Gateway::on(driver, direction, &provider);
                let body = chat(direction.client, MODEL, streamed);
                let got = gateway.client().ask(post(path(direction.client), "", body));
                assert_eq!(got.status, 200, "{}", got.text());
                let line = gateway.only_line();
                let said = line["model_answered"].as_str().unwrap_or_default();
                assert_eq!(said, logged, "{streamed}: {line}");
                assert_eq!(line["model_sent"], "up-model");
            }
        }
    });
}

#[test]
fn every_exchange_has_its_line_and_refusals_have_a_word() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let setup = Setup::upstream(driver, wire, &provider);
        let gateway = setup.key("key-1", "one", None).start();
        let key = "x-api-key: key-1\r\n";
        let asked = [
            (
                post(path(wire), key, chat(wire, MODEL, false)),
                "complete",
                Value::Null,
            ),
            (
                post(path(wire), "", chat(wire, MODEL, false)),
                "refused",
                "key".into(),
            ),
            (post(path(wire), key, "{"), "refused", "bad_body".into()),
            (
                post(path(wire), key, chat(wire, "none", false)),
                "refused",
                "unknown_model".into(),
            ),
            (
                request("GET", "/nowhere", "", ""),
                "refused",
                "unknown_path".into(),
            ),
            (
                request("GET", "/v1/chat/completions", "", ""),
                "refused",
                "wrong_method".into(),
            ),
            (
                b"GET / HTTP/1.1\r\n\r\n".to_vec(),
                "refused",
                "bad_head".into(),
            ),
            (
                request("GET", "/v1/models", key, ""),
                "complete",
                Value::Null,
            ),
        ];
        for (number, (bytes, end, fault)) in asked.into_iter().enumerate() {
            gateway.client().ask(bytes);
            let line = &gateway.lines(number + 1)[number];
            assert_eq!(
                (&line["end"], &line["fault"]),
                (&Value::from(end), &fault),
                "{line}"
            );
        }
    });
}

#[test]
fn the_time_in_which_a_request_comes_is_not_the_gateways() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let chat = post(path(wire), "", chat(wire, MODEL, false));
        let upload = request(
            "POST",
            "/v1/audio/translations",
            "content-type: application/octet-stream\r\n",
            "0123456789",
        );
        for (number, (request, cut)) in [
            (&chat, chat.len() - 5),
            (&chat, 30),
            (&upload, upload.len() - 5),
        ]
        .into_iter()
        .enumerate()
        {
            let mut client = gateway.client();
            let (first, rest) = request.split_at(cut);
            client.send(first);
            assert!(client.is_quiet(Duration::from_millis(400)));
            client.send(rest);
            assert_eq!(client.answer().status, 200);
            let line = &gateway.lines(number + 1)[number];
            let ms = |value: &Value| value.as_f64().unwrap();
            assert!(ms(&line["queue_ms"]) >= 390.0, "{line}");
            for own in [&line["gateway_ms"], &line["attempts"][0]["ms"]] {
                assert!(ms(own) < ms(&line["queue_ms"]), "{line}");
            }
        }
    });
}

#[test]
fn p25_what_requests_say_is_bounded_and_escaped_in_the_log() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Gateway::before(driver, wire, &provider);
        let model = format!("a\\u001b[31m\\n\\u009b\\\"{}", "x".repeat(5_000));
        let got = gateway
            .client()
            .ask(post(path(wire), "", chat(wire, &model, false)));
        assert_eq!(got.status, 404);
        assert!(got.body.len() < 1_000, "256 bytes of the id at most");
        let log = gateway.end();
        assert_eq!(log.lines().count(), 1);
        assert!(
            !log.contains('\u{1b}') && !log.contains('\u{9b}') && log.len() < 2_000,
            "{log}"
        );
        let line: Value = serde_json::from_str(&log).unwrap();
        assert!(line["model_asked"].as_str().unwrap().len() <= 256);
    });
}

fn log_config(provider: &Provider) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nlog = \"stdout\"\n\
         workers = 1\n[[provider]]\nname = \"up\"\nkind = \"openai\"\n\
         base_url = \"http://{}/v1\"\nkey_env = \"UPSTREAM_KEY\"\n[[model]]\nid = \"m\"\n\
         targets = [\"up/x\"]\n",
        provider.address()
    )
}

#[test]
fn the_access_log_goes_to_standard_output_and_everything_else_to_standard_error() {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let mut program = Program::serve_with(&log_config(&provider), Stdio::piped());
    let lines = program.stdout();
    let body = chat(Wire::OpenAiChat, MODEL, false);
    program.client().ask(post("/v1/chat/completions", "", body));
    let line = lines.recv_timeout(wait::DEADLINE).unwrap();
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["end"], "complete");
    program.signal("TERM");
    assert_eq!(program.exit().code(), Some(0));
    assert!(lines.recv().is_err(), "nothing else is written there");
}

#[test]
fn p26_a_closed_log_reader_costs_lines_and_nothing_else() {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let mut program = Program::serve_with(&log_config(&provider), Stdio::piped());
    program.close_stdout();
    let mut client = program.client();
    for _ in 0..20 {
        let body = chat(Wire::OpenAiChat, MODEL, false);
        assert_eq!(
            client.ask(post("/v1/chat/completions", "", body)).status,
            200
        );
    }
    wait::until("counted lines", || {
        let text = program.admin("/metrics").1;
        let name = "ringway_log_lines_dropped_total ";
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        (line == "20").then_some(())
    });
    program.signal("TERM");
    assert_eq!(program.exit().code(), Some(0));
}

#[test]
fn a_log_that_was_moved_away_is_opened_again_on_usr1_for_its_owner_and_group_alone() {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("access.log"), folder.path().join("old"));
    let name = format!("{:?}", path.display().to_string());
    let config = log_config(&provider).replace("\"stdout\"", &name);
    let mut program = Program::serve(&config);
    let mut client = program.client();
    let mut ask = || {
        let body = chat(Wire::OpenAiChat, MODEL, false);
        let answer = client.ask(post("/v1/chat/completions", "", body));
        assert_eq!(answer.status, 200);
    };
    let lines_of = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().count()
    };
    let mode = |path: &std::path::Path| {
        let metadata = std::fs::metadata(path).unwrap();
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
    };
    ask();
    wait::until("a line", || (lines_of(&path) == 1).then_some(()));
    assert_eq!(mode(&path) & !0o640, 0, "{:o}", mode(&path));
    std::fs::rename(&path, &moved).unwrap();
    ask();
    wait::until("a line of the old file", || {
        (lines_of(&moved) == 2).then_some(())
    });
    program.signal("USR1");
    wait::until("another file", || path.exists().then_some(()));
    assert_eq!(mode(&path) & !0o640, 0, "{:o}", mode(&path));
    ask();
    wait::until("a line of the new file", || {
        (lines_of(&path) == 1).then_some(())
    });
    assert_eq!(lines_of(&moved), 2);
    // Where none can be made, the old one goes on.
    std::fs::rename(&path, &moved).unwrap();
    std::fs::create_dir(&path).unwrap();
    program.signal("USR1");
    ask();
    wait::until("a line of the old file", || {
        (lines_of(&moved) == 2).then_some(())
    });
    program.signal("TERM");
    assert_eq!(program.exit().code(), Some(0));
}

#[test]
fn p26_a_full_disk_costs_lines_and_nothing_else() {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let config = log_config(&provider).replace("\"stdout\"", "\"/dev/full\"");
    let mut program = Program::serve(&config);
    let mut client = program.client();
    for _ in 0..5 {
        let body = chat(Wire::OpenAiChat, MODEL, false);
        assert_eq!(
            client.ask(post("/v1/chat/completions", "", body)).status,
            200
        );
    }
    wait::until("counted lines", || {
        let text = program.admin("/metrics").1;
        text.contains("ringway_log_lines_dropped_total 5")
            .then_some(())
    });
    program.signal("TERM");
    assert_eq!(program.exit().code(), Some(0));
}

#[test]
fn p26_a_log_reader_that_is_stuck_never_blocks_serving() {
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let mut program = Program::serve_with(&log_config(&provider), Stdio::piped());
    let mut client = program.client();
    // More lines than a pipe of 64 KiB takes; nobody reads it.
    for _ in 0..400 {
        let body = chat(Wire::OpenAiChat, MODEL, false);
        assert_eq!(
            client.ask(post("/v1/chat/completions", "", body)).status,
            200
        );
    }
    program.signal("TERM");
    assert_eq!(
        program.exit().code(),
        Some(0),
        "not even the end waits for it"
    );
}

#[test]
fn metrics_have_the_conventions_names_and_count_by_direction() {
    each_way(&DIRECTIONS, |driver, direction| {
        let provider = Provider::answering(stream(counted(direction.upstream)));
        let gateway = Gateway::on(driver, direction, &provider);
        let body = chat(direction.client, MODEL, true);
        gateway.client().ask(post(path(direction.client), "", body));
        gateway.only_line();
        let text = gateway.metrics();
        let labels = format!(
            "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"up\",\
             gen_ai_request_model=\"up-model\",client_wire=\"{}\",upstream_wire=\"{}\"",
            direction.client.name(),
            direction.upstream.name()
        );
        for (name, count) in [
            ("gen_ai_server_time_to_first_token_seconds", 1),
            ("gen_ai_server_request_duration_seconds", 1),
            ("ringway_gap_seconds", 1),
        ] {
            let line = format!("{name}_count{{{labels}}} {count}");
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
            assert!(text.contains(&format!("# TYPE {name} histogram")), "{name}");
        }
        for (kind, tokens) in [("input", 9), ("output", 2)] {
            let labels = format!("gen_ai_token_type=\"{kind}\",{labels}");
            let line = format!("gen_ai_client_token_usage_sum{{{labels}}} {tokens}");
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        for name in [
            "gen_ai_server_time_per_output_token_seconds",
            "ringway_gateway_seconds",
            "ringway_stalls_total",
            "ringway_connections_open",
            "ringway_connections_accepted_total",
            "ringway_upstream_connected_total",
            "ringway_upstream_pooled",
            "ringway_driver_info",
            "ringway_log_lines_dropped_total",
            "ringway_held_bytes",
            "ringway_panics_total",
        ] {
            assert!(
                text.contains(&format!("# TYPE {name} ")),
                "{name} is missing"
            );
        }
        let name =
            "ringway_exchanges_total{operation=\"chat\",outcome=\"complete\",status=\"200\"}";
        assert_eq!(gateway.metric(name), 1.0);
    });
}

#[test]
fn h3_pings_and_comments_count_as_life_but_not_as_tokens() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let ping = match wire {
            Wire::OpenAiChat => ": still here\n\n",
            Wire::AnthropicMessages => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        };
        let mut script = vec![Step::Request, Step::Send(stream_head())];
        script.push(Step::Send(chunk(start_up(wire))));
        for _ in 0..6 {
            script.extend([Step::Gate, Step::Send(chunk(ping))]);
        }
        let rest = [&text(wire, "Hello", true), finish(wire), terminator(wire)].concat();
        script.push(Step::Gate);
        script.push(Step::Send([chunk(rest), LAST_CHUNK.to_vec()].concat()));
        let provider = Provider::all(script);
        let gateway = Setup::upstream(driver, wire, &provider)
            .limit("stream_stall_timeout_ms", 400)
            .start();
        let mut client = gateway.client();
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        let mut got = client.head();
        provider.wait_requests(1);
        // Each gap is shorter than the stall limit, all together are longer.
        for _ in 0..7 {
            assert!(client.is_quiet_but_pings(Duration::from_millis(100)));
            provider.open();
        }
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole, "{}", got.text());
        let line = gateway.only_line();
        assert_eq!(
            (&line["deltas"], &line["end"]),
            (&1.into(), &"complete".into()),
            "{line}"
        );
        assert!(line["ttft_ms"].as_f64().unwrap() >= 500.0, "{line}");
    });
}

#[test]
fn h1_quiet_translated_streams_are_kept_awake_and_passthrough_is_left_alone() {
    each_way(&DIRECTIONS, |driver, direction| {
        let wire = direction.upstream;
        let begun = [
            stream_head(),
            chunk([start_up(wire), &text(wire, "Hel", true)].concat()),
        ];
        let mut script = once(begun.concat());
        let rest = [&text(wire, "lo", false), finish(wire), terminator(wire)].concat();
        script.extend([
            Step::Gate,
            Step::Send([chunk(rest), LAST_CHUNK.to_vec()].concat()),
        ]);
        let provider = Provider::all(script);
        let gateway = Setup::upstream(driver, wire, &provider)
            .limit("ping_interval_ms", 60)
            .start();
        let mut client = gateway.client();
        client.send(post(
            path(direction.client),
            "",
            chat(direction.client, MODEL, true),
        ));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        let ping = match direction.client {
            Wire::OpenAiChat => ": ping\n\n",
            Wire::AnthropicMessages => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
        };
        if direction.is_translated() {
            let after = got.body.len();
            while got.text()[after..].matches(ping).count() < 2 {
                client.more(&mut got);
            }
            assert!(!got.text().contains("id:"), "SDKs break on `id:` lines");
            assert!(
                got.text().matches(ping).count() < 6,
                "one at a time: {}",
                got.text()
            );
        } else {
            assert!(client.is_quiet(Duration::from_millis(200)));
        }
        provider.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole, "{}", got.text());
        if !direction.is_translated() {
            assert_eq!(got.text(), events(wire));
        }
    });
}

#[test]
fn h1_a_translated_stream_is_kept_awake_from_its_head_on() {
    each_way(&CROSSED, |driver, direction| {
        let wire = direction.upstream;
        let script = vec![
            Step::Request,
            Step::Send(stream_head()),
            Step::Gate,
            Step::Send([chunk(events(wire)), LAST_CHUNK.to_vec()].concat()),
        ];
        let provider = Provider::all(script);
        let gateway = Setup::upstream(driver, wire, &provider)
            .limit("ping_interval_ms", 60)
            .start();
        let mut client = gateway.client();
        let body = chat(direction.client, MODEL, true);
        client.send(post(path(direction.client), "", body));
        let mut got = client.head();
        // A comment, on both wires: no event may stand before the one that starts the answer.
        client.until(&mut got, ": ping\n\n: ping\n\n");
        provider.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole, "{}", got.text());
        let start = got.text().trim_start_matches(": ping\n\n");
        assert!(start.starts_with(match direction.client {
            Wire::OpenAiChat => "data: {",
            Wire::AnthropicMessages => "event: message_start\n",
        }));
    });
}

#[test]
fn h1_what_means_nothing_to_the_client_does_not_keep_it_awake() {
    each_way(&CROSSED, |driver, direction| {
        let wire = direction.upstream;
        let begun = [start_up(wire), &text(wire, "Hel", true)].concat();
        let mut script = once([stream_head(), chunk(begun)].concat());
        for _ in 0..12 {
            script.extend([Step::Gate, Step::Send(chunk(": still here\n\n"))]);
        }
        let rest = [finish(wire), terminator(wire)].concat();
        let rest = [chunk(rest), LAST_CHUNK.to_vec()].concat();
        script.extend([Step::Gate, Step::Send(rest)]);
        let provider = Provider::all(script);
        let gateway = Setup::upstream(driver, wire, &provider)
            .limit("ping_interval_ms", 100)
            .start();
        let mut client = gateway.client();
        let body = chat(direction.client, MODEL, true);
        client.send(post(path(direction.client), "", body));
        let mut got = client.head();
        client.until(&mut got, "Hel");
        let before = got.text().matches("ping").count();
        for _ in 0..12 {
            assert!(client.is_quiet_but_pings(Duration::from_millis(40)));
            provider.open();
        }
        provider.open();
        client.finish(&mut got);
        assert_eq!(got.end, End::Whole, "{}", got.text());
        assert!(
            got.text().matches("ping").count() >= before + 3,
            "{}",
            got.text()
        );
    });
}

#[test]
fn h1_nothing_is_sent_while_the_answer_may_still_come_from_the_next_target() {
    each_way(&CROSSED, |driver, direction| {
        let wire = direction.upstream;
        let rest = [&text(wire, "Hel", true), finish(wire), terminator(wire)].concat();
        let mut script = once([stream_head(), chunk(start_up(wire))].concat());
        let rest = [chunk(rest), LAST_CHUNK.to_vec()].concat();
        script.extend([Step::Gate, Step::Send(rest)]);
        let provider = Provider::all(script);
        let gateway = Setup::upstream(driver, wire, &provider)
            .model("two", &["up/x", "up/y"])
            .limit("ping_interval_ms", 60)
            .start();
        let mut client = gateway.client();
        let body = chat(direction.client, "two", true);
        client.send(post(path(direction.client), "", body));
        assert!(client.is_quiet(Duration::from_millis(250)));
        provider.open();
        let got = client.answer();
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
    });
}

#[test]
fn gateway_time_leaves_out_the_targets_that_failed() {
    each_way(&DIRECTIONS, |driver, direction| {
        let silent = Provider::all(once(""));
        let good = Provider::answering(json(whole(direction.upstream)));
        let gateway = Setup::new(driver)
            .server("server_timing = true")
            .limit("answer_head_timeout_ms", 700)
            .provider("p0", direction.upstream, &silent, "")
            .provider("p1", direction.upstream, &good, "")
            .model(MODEL, &["p0/x", "p1/x"])
            .start();
        let body = chat(direction.client, MODEL, false);
        let got = gateway.client().ask(post(path(direction.client), "", body));
        assert_eq!(got.status, 200, "{}", got.text());
        let line = gateway.only_line();
        let waited = line["attempts"][0]["ms"].as_f64().unwrap();
        let own = line["gateway_ms"].as_f64().unwrap();
        assert!(waited >= 700.0 && own < waited, "{line}");
        let timing = got.field("server-timing").unwrap();
        let told = timing.strip_prefix("gateway;dur=").unwrap();
        let told: f64 = told.split(',').next().unwrap().parse().unwrap();
        assert_eq!(told, own, "{timing} {line}");
    });
}

#[test]
fn p24_p25_the_providers_own_id_is_logged_bounded_and_without_the_credential() {
    each_way(&DIRECTIONS, |driver, direction| {
        let name = match direction.upstream {
            Wire::OpenAiChat => "x-request-id",
            Wire::AnthropicMessages => "request-id",
        };
        let long = "r".repeat(5_000);
        let rows = [
            ("req_1", Value::from("req_1")),
            (&*long, Value::from(&long[..256])),
            (UPSTREAM_KEY, Value::Null),
        ];
        for (id, logged) in rows {
            let fields = format!("content-type: application/json\r\n{name}: {id}\r\n");
            let body = whole(direction.upstream);
            for status in ["200 OK", "429 Too Many Requests"] {
                let provider = Provider::answering(answer(status, &fields, body));
                let gateway = Gateway::on(driver, direction, &provider);
                let body = chat(direction.client, MODEL, false);
                gateway.client().ask(post(path(direction.client), "", body));
                assert_eq!(
                    gateway.only_line()["upstream_request_id"],
                    logged,
                    "{status}"
                );
            }
        }
    });
}

#[test]
fn server_timing_stands_once_on_errors_of_a_provider_and_tells_a_wait_in_vain() {
    each_way(&DIRECTIONS, |driver, direction| {
        let fields = "content-type: application/json\r\n";
        let provider = Provider::start(vec![
            then(answer("400 Bad Request", fields, "{}"), Step::Close),
            then("", Step::Close),
        ]);
        let setup = Setup::upstream(driver, direction.upstream, &provider);
        let gateway = setup.server("server_timing = true").start();
        for status in [400, 502] {
            let body = chat(direction.client, MODEL, false);
            let got = gateway.client().ask(post(path(direction.client), "", body));
            assert_eq!(got.status, status);
            let value = got.field("server-timing").unwrap();
            assert!(value.contains(", upstream;dur="), "{status}: {value}");
        }
    });
}

#[test]
fn server_timing_is_there_unless_it_is_switched_off() {
    each_way(&DIRECTIONS, |driver, direction| {
        for (line, on) in [
            ("", true),
            ("server_timing = true", true),
            ("server_timing = false", false),
        ] {
            for streamed in [false, true] {
                let sent = if streamed {
                    stream(events(direction.upstream))
                } else {
                    json(whole(direction.upstream))
                };
                let provider = Provider::all(always(sent));
                let setup = Setup::upstream(driver, direction.upstream, &provider);
                let gateway = setup.server(line).start();
                let body = chat(direction.client, MODEL, streamed);
                let got = gateway.client().ask(post(path(direction.client), "", body));
                let value = got.field("server-timing");
                assert_eq!(value.is_some(), on, "{got:?}");
                if let Some(value) = value {
                    let (gateway, upstream) = value.split_once(", upstream;dur=").unwrap();
                    let gateway = gateway.strip_prefix("gateway;dur=").unwrap();
                    for number in [gateway, upstream] {
                        let (_, decimals) = number.split_once('.').unwrap();
                        assert!(
                            number.parse::<f64>().is_ok() && decimals.len() == 3,
                            "{value}"
                        );
                    }
                }
            }
            let silent = Provider::answering("");
            let gateway = Setup::upstream(driver, direction.upstream, &silent)
                .server(line)
                .start();
            // Answers of ours have had no provider.
            for request in [
                request("GET", "/v1/models", "", ""),
                request("GET", "/nowhere", "", ""),
                request("GET", "/healthz", "", ""),
                post(path(direction.client), "", "{"),
                post(
                    path(direction.client),
                    "",
                    chat(direction.client, "none", false),
                ),
                b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            ] {
                let got = gateway.client().ask(&request);
                let value = got.field("server-timing");
                assert_eq!(value.is_some(), on, "{got:?}");
                if let Some(value) = value {
                    let ms = value.strip_prefix("gateway;dur=").expect(value);
                    let ms: f64 = ms.parse().expect(value);
                    assert!((0.0..30_000.0).contains(&ms), "{value}");
                }
            }
        }
    });
}
