//! Usage records: one for each exchange, told to whom they belong.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use ringway::route::plan::client_key::digest_of;
use ringway::store::journal::segments::read_all;
use ringway::wire::kind::Wire;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::certificates::Authority;
use crate::support::client::{Answer, End};
use crate::support::directions::{DIRECTIONS, each, each_way};
use crate::support::gateway::{Gateway, MODEL, Setup};
use crate::support::http::{answer, chunk, json, post, request, stream, stream_head};
use crate::support::program::Program;
use crate::support::provider::{ClosedPort, Provider};
use crate::support::script::{Step, always, once};
use crate::support::stores::{Database, KINDS};
use crate::support::wait;
use crate::support::wires::{USAGE_CHUNK, chat, events, path, start_up, text, whole};

fn journal() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("[usage]\njournal = \"{}\"", folder.path().display());
    (folder, lines)
}

/// Records that the journal holds.
fn records(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    let _ = read_all(folder, |it| found.push(serde_json::from_slice(it).unwrap()));
    found
}

fn wait_records(folder: &Path, count: usize) -> Vec<Value> {
    wait::until(&format!("{count} records"), || {
        let found = records(folder);
        (found.len() >= count).then_some(found)
    })
}

fn custody(gateway: &Gateway, id: &str, key: &str) -> Answer {
    let fields = format!("x-api-key: {key}\r\n");
    let target = format!("/api/usage/custody/{id}");
    gateway.client().ask(request("GET", &target, &fields, ""))
}

fn value(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_str(answer.text()).unwrap()
}

/// The stream of an answer with sources that its text does not refer to, and with a file.
fn perplexed() -> String {
    let chunk =
        |more: &str| format!("data: {{\"id\":\"1\",\"model\":\"sonar\",\"choices\":[{more}}}\n\n");
    let lists = r#""citations":["https://a/1","https://a/2"],"search_results":[{"title":"t","url":"https://a/1"}]"#;
    let file = r#"{"type":"file","file":{"hash":"h","name":"n","content":[]}}"#;
    [
        chunk(&format!(
            r#"{{"index":0,"delta":{{"role":"assistant","content":"Said [2].","annotations":[{file}]}}}}],{lists}"#
        )),
        chunk(&format!(
            r#"{{"index":0,"delta":{{}},"finish_reason":"stop"}}],{lists},"usage":{{"prompt_tokens":9,"completion_tokens":2}}"#
        )),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

#[test]
fn what_a_stream_loses_stands_in_the_access_log_and_in_the_usage_record() {
    each(|driver| {
        let (folder, lines) = journal();
        let provider = Provider::answering(stream(perplexed()));
        let gateway = Setup::upstream(driver, Wire::OpenAiChat, &provider)
            .text(&lines)
            .key("k", "one", None)
            .start();
        let client = Wire::AnthropicMessages;
        let body = chat(client, MODEL, true).replacen('{', "{\"top_k\":3,", 1);
        let got = gateway
            .client()
            .ask(post(path(client), "x-api-key: k\r\n", body));
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        assert!(got.text().contains("https://a/2"), "{}", got.text());
        // The head tells what was known by then.
        let head = got.field("x-ringway-translation");
        assert_eq!(head, Some("dropped=top_k"));
        let losses = "dropped=annotations,citations,search_results,top_k";
        assert_eq!(gateway.only_line()["losses"], losses);
        let record = &wait_records(folder.path(), 1)[0];
        assert_eq!(record["losses"], losses, "{record}");
        assert!(gateway.metric("ringway_translation_losses_total") >= 4.0);

        // Where nothing is lost nothing is said.
        let provider = Provider::answering(stream(events(client)));
        let (folder, lines) = journal();
        let gateway = Setup::upstream(driver, client, &provider)
            .text(&lines)
            .key("k", "one", None)
            .start();
        let body = chat(client, MODEL, true);
        gateway
            .client()
            .ask(post(path(client), "x-api-key: k\r\n", body));
        let record = &wait_records(folder.path(), 1)[0];
        assert!(record["losses"].is_null(), "{record}");
    });
}

#[test]
fn ni7_ni18_record_is_there_at_once_and_after_a_restart_in_every_direction() {
    each_way(&DIRECTIONS, |driver, direction| {
        let (folder, lines) = journal();
        let provider = Provider::answering(stream(events(direction.upstream)));
        let start = || {
            let stated = "tier = \"managed\"\nregion = \"ca-central-1\"\njurisdiction = \"CA\"\n\
                          custody_label = \"Bedrock-CA\"\ncredential_source = \"platform\"\n";
            let setup = Setup::new(driver).server("custody_origin = \"NI-CA\"");
            let setup = setup.provider("up", direction.upstream, &provider, stated);
            let setup = setup.model(MODEL, &["up/up-model"]).text(&lines);
            let setup = setup.key("key-1", "blue", None).key("key-2", "blue", None);
            setup.key("key-3", "red", None).start()
        };
        let gateway = start();
        let body = chat(direction.client, MODEL, true);
        let got = gateway
            .client()
            .ask(post(path(direction.client), "x-api-key: key-1\r\n", &body));
        assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
        let id = got.field("x-ringway-request-id").unwrap().to_owned();
        let record = value(&custody(&gateway, &id, "key-2"));
        for (name, said) in [
            ("id", &*id),
            ("tenant", "blue"),
            ("operation", "chat"),
            ("client_wire", direction.client.name()),
            ("upstream_wire", direction.upstream.name()),
            ("model_asked", MODEL),
            ("model_sent", "up-model"),
            ("model_answered", "up-model"),
            ("provider", "up"),
            ("outcome", "complete"),
            ("tier", "managed"),
            ("region", "ca-central-1"),
            ("jurisdiction", "CA"),
            ("custody_label", "Bedrock-CA"),
            ("credential_source", "platform"),
            ("custody_path", "NI-CA -> Bedrock-CA"),
        ] {
            assert_eq!(record[name], said, "{name}: {record}");
        }
        assert!(record["key_id"].as_str().unwrap().starts_with("key_"));
        assert_eq!(
            (&record["status"], &record["stream"]),
            (&200.into(), &true.into())
        );
        let attempts = record["attempts"].as_array().unwrap();
        assert_eq!((attempts.len(), &attempts[0]["status"]), (1, &200.into()));
        assert_eq!(
            (&attempts[0]["host"], &attempts[0]["provider"]),
            (&"127.0.0.1".into(), &"up".into())
        );
        let address = provider.address().to_string();
        assert_eq!(
            (&attempts[0]["address"], &attempts[0]["model"]),
            (&address.into(), &"up-model".into())
        );
        assert!(attempts[0]["tls_version"].is_null(), "in clear: {record}");
        let (time, started) = (&record["time"], &attempts[0]["started"]);
        assert!(started.as_u64() <= time.as_u64() && started.as_u64() > Some(1_600_000_000_000));
        assert!(record["ttft_us"].as_u64() <= record["duration_us"].as_u64());
        assert_eq!(record["attempts_left_out"], 0);
        drop(gateway);
        assert_eq!(records(folder.path()), core::slice::from_ref(&record));
        let gateway = start();
        let bare = &id["rw_".len()..];
        assert_eq!(value(&custody(&gateway, bare, "key-1")), record);
        assert_eq!(value(&custody(&gateway, &id, "key-1")), record);
    });
}

#[test]
fn what_a_cache_keeps_for_an_hour_audio_and_searches_are_told_and_charged_apart() {
    const PRICES: &str = "[prices.\"up/*\"]\ninput = 1\ncache_write = 10\ncache_write_hour = 20\n\
                          output = 100\naudio_input = 1000\naudio_output = 10000\nweb_search = 5\n";
    each_way(&DIRECTIONS, |driver, direction| {
        // Input, cached, written, for an hour, output, audio in and out, searches, fetches; the cost.
        let (start, end, told, cost) = match direction.upstream {
            Wire::OpenAiChat => (
                "",
                r#"{"prompt_tokens":309,"completion_tokens":2,"total_tokens":311,"prompt_tokens_details":{"cache_write_tokens":300,"audio_tokens":4},"completion_tokens_details":{"audio_tokens":1},"server_tool_use_details":{"web_search_requests":3}}"#,
                serde_json::json!([9, null, 300, null, 2, 4, 1, 3, null]),
                32_105_000,
            ),
            Wire::AnthropicMessages => (
                r#"{"input_tokens":9,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"output_tokens":1}"#,
                r#"{"output_tokens":2,"server_tool_use":{"web_search_requests":3,"web_fetch_requests":1}}"#,
                serde_json::json!([9, null, 300, 200, 2, null, null, 3, 1]),
                20_209_000,
            ),
        };
        let (streamed, answered) = match direction.upstream {
            Wire::OpenAiChat => {
                let usage = r#"{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}"#;
                let whole = whole(direction.upstream).replace(usage, end);
                let chunk = USAGE_CHUNK.replace(usage, end) + "data: [DONE]";
                (
                    events(direction.upstream).replace("data: [DONE]", &chunk),
                    whole,
                )
            }
            Wire::AnthropicMessages => {
                let both = start.replace("\"output_tokens\":1}", end.get(1..).unwrap());
                let whole = whole(direction.upstream)
                    .replace(r#"{"input_tokens":9,"output_tokens":2}"#, &both);
                let events = events(direction.upstream)
                    .replace(r#"{"input_tokens":9,"output_tokens":1}"#, start)
                    .replace(r#"{"output_tokens":2}"#, end);
                (events, whole)
            }
        };
        for (is_stream, answered) in [(true, stream(streamed)), (false, json(&answered))] {
            let (_folder, lines) = journal();
            let provider = Provider::answering(answered);
            let setup = Setup::new(driver).provider("up", direction.upstream, &provider, "");
            let setup = setup.model(MODEL, &["up/up-model"]).text(&lines);
            let gateway = setup.key("key-1", "blue", None).text(PRICES).start();
            let body = chat(direction.client, MODEL, is_stream);
            let got =
                gateway
                    .client()
                    .ask(post(path(direction.client), "x-api-key: key-1\r\n", &body));
            assert_eq!((got.status, got.end), (200, End::Whole), "{}", got.text());
            let id = got.field("x-ringway-request-id").unwrap();
            let record = value(&custody(&gateway, id, "key-1"));
            let counts = [
                "input",
                "cached",
                "cache_write",
                "cache_write_hour",
                "output",
                "audio_input",
                "audio_output",
                "web_searches",
                "web_fetches",
            ];
            let counts = Value::from(counts.map(|name| record["usage"][name].clone()).to_vec());
            assert_eq!(
                (&counts, &record["cost_nanos"]),
                (&told, &cost.into()),
                "{record}"
            );
        }
    });
}

#[test]
fn ni7_attempts_tell_where_each_went_over_tls_on_a_fallback_and_where_no_connection_was_made() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let (folder, lines) = journal();
        let (authority, other) = (Authority::new(), Authority::new());
        let closed = ClosedPort::bind();
        let failing = answer("500 Oops", "content-type: application/json\r\n", "{}");
        let [untrusted, failing, well] = [
            (&other, json("{}")),
            (&authority, failing),
            (&authority, json(whole(wire))),
        ]
        .map(|(signer, answer)| {
            Provider::start_tls(vec![once(answer)], signer.server("localhost", 2100))
        });
        let setup = Setup::new(driver);
        fs::write(setup.folder().join("ca.pem"), authority.pem()).unwrap();
        let gateway = seven(setup, &closed, [&untrusted, &failing, &well])
            .text(&lines)
            .key("key-1", "blue", None)
            .text("residency = { jurisdictions = [\"CA\"] }")
            .start();
        let body = chat(wire, MODEL, false).replacen('{', "{\"logprobs\":true,", 1);
        let fields = "x-api-key: key-1\r\nx-ringway-strict: 1\r\n";
        let got = gateway.client().ask(post(path(wire), fields, body));
        assert_eq!(got.status, 200, "{}", got.text());
        let id = got.field("x-ringway-request-id").unwrap();
        let record = value(&custody(&gateway, id, "key-1"));
        let tried: Vec<_> = record["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(told)
            .collect();
        let tls = |at: &Provider| format!("127.0.0.1:{} localhost TLSv1.3", at.port());
        let nobody = closed.origin().replace("http://", "");
        let expected = [
            "deaf of-deaf 127.0.0.1 refused_by_translation".to_owned(),
            format!("closed of-closed 127.0.0.1 {nobody} asked connect"),
            "barred of-barred localhost asked network".to_owned(),
            format!(
                "untrusted of-untrusted localhost 127.0.0.1:{} asked tls",
                untrusted.port()
            ),
            format!(
                "failing of-failing localhost {} asked 500 status",
                tls(&failing)
            ),
            format!("well of-well localhost {} asked 200", tls(&well)),
        ];
        assert_eq!(tried, expected, "{record}");
        assert_eq!(
            record["refused"],
            serde_json::json!(["key_residency", "network"])
        );
        assert_eq!(record["attempts_left_out"], 0);
        drop(gateway);
        assert_eq!(records(folder.path()), [record]);
    });
}

#[test]
fn ni7_a_dead_pooled_connection_is_an_attempt_of_its_own_with_the_time_it_began() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let (folder, lines) = journal();
        let stale = vec![
            Step::Request,
            Step::Send(json(whole(wire))),
            Step::Request,
            Step::Reset,
        ];
        let provider = Provider::start(vec![stale, always(json(whole(wire)))]);
        let gateway = Setup::upstream(driver, wire, &provider)
            .text(&lines)
            .start();
        for _ in 0..2 {
            let body = chat(wire, MODEL, false);
            assert_eq!(gateway.client().ask(post(path(wire), "", body)).status, 200);
        }
        let records = wait_records(folder.path(), 2);
        let attempts = records[1]["attempts"].as_array().unwrap();
        let tried: Vec<_> = attempts.iter().map(told).collect();
        let at = format!("up up-model 127.0.0.1 {} asked", provider.address());
        assert_eq!(tried, [format!("{at} stale"), format!("{at} 200")]);
        assert!(attempts[0]["started"].as_u64() <= attempts[1]["started"].as_u64());
    });
}

/// A model with seven targets, of which one alone answers well.
fn seven(setup: Setup, closed: &ClosedPort, over_tls: [&Provider; 3]) -> Setup {
    let [untrusted, failing, well] =
        over_tls.map(|provider| format!("https://localhost:{}", provider.port()));
    let (one_address, ca) = ("networks = [\"127.0.0.0/8\"]\n", "ca_file = \"ca.pem\"\n");
    let canada = "jurisdiction = \"CA\"\n";
    let wire = Wire::OpenAiChat;
    let mut setup = setup.limit("attempts_max", 8);
    let mut targets = Vec::new();
    for (name, origin, wire, extra) in [
        (
            "abroad",
            closed.origin(),
            wire,
            vec!["jurisdiction = \"US\""],
        ),
        (
            "deaf",
            closed.origin(),
            Wire::AnthropicMessages,
            vec![canada],
        ),
        ("closed", closed.origin(), wire, vec![canada]),
        (
            "barred",
            // By a name: an address that its networks leave out is no configuration.
            closed.origin().replace("127.0.0.1", "localhost"),
            wire,
            vec![canada, "networks = [\"10.0.0.0/8\"]"],
        ),
        ("untrusted", untrusted, wire, vec![canada, one_address, ca]),
        ("failing", failing, wire, vec![canada, ca]),
        ("well", well, wire, vec![canada, ca]),
    ] {
        let extra = format!("key = \"none\"\n{}", extra.concat());
        setup = setup.provider_at(name, wire, &origin, &extra);
        targets.push(format!("{name}/of-{name}"));
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    setup.model(MODEL, &targets)
}

/// What an attempt tells of itself, less its times.
fn told(attempt: &Value) -> String {
    let members = [
        "provider",
        "model",
        "host",
        "address",
        "tls_name",
        "tls_version",
        "started",
        "status",
        "fault",
    ];
    let words = members.iter().filter_map(|name| match &attempt[*name] {
        Value::Null => None,
        Value::Number(_) if *name == "started" => Some("asked".to_owned()),
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn p21_foreign_and_absent_records_look_alike() {
    each(|driver| {
        let (_folder, lines) = journal();
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let setup = Setup::upstream(driver, wire, &provider).text(&lines);
        let gateway = setup
            .key("key-1", "one", None)
            .key("key-2", "two", None)
            .start();
        let got = gateway.client().ask(post(
            path(wire),
            "x-api-key: key-1\r\n",
            chat(wire, MODEL, false),
        ));
        let id = got.field("x-ringway-request-id").unwrap();
        let absent = format!("rw_{}", "0".repeat(32));
        let strip = |answer: Answer| {
            let own = answer.field("x-ringway-request-id").unwrap().to_owned();
            (answer.status, answer.text().replace(&own, "ID"))
        };
        let foreign = strip(custody(&gateway, id, "key-2"));
        assert_eq!(foreign.0, 404, "{}", foreign.1);
        // No word of a model: nobody asked for one.
        assert!(
            foreign.1.contains("\"code\":\"not_found\""),
            "{}",
            foreign.1
        );
        assert_eq!(foreign, strip(custody(&gateway, &absent, "key-2")));
        for malformed in ["", "rw_", "x", "..%2f", &absent.to_uppercase()] {
            assert_eq!(
                foreign,
                strip(custody(&gateway, malformed, "key-2")),
                "{malformed}"
            );
        }
        assert_eq!(custody(&gateway, id, "key-9").status, 401);
        let write = request(
            "DELETE",
            &format!("/api/usage/custody/{id}"),
            "x-api-key: key-1\r\n",
            "",
        );
        assert_eq!(gateway.client().ask(write).status, 405);
        assert_eq!(custody(&gateway, id, "key-1").status, 200);
    });
}

#[test]
fn ni18_streams_that_break_or_are_left_have_the_providers_figures_or_none() {
    each_way(&DIRECTIONS, |driver, direction| {
        let (client, upstream) = (direction.client, direction.upstream);
        let (folder, lines) = journal();
        let begun = [start_up(upstream), &text(upstream, "Hel", true)].concat();
        let broken = vec![
            Step::Request,
            Step::Send([stream_head(), chunk(&begun)].concat()),
            Step::Reset,
        ];
        let open = vec![
            Step::Request,
            Step::Send([stream_head(), chunk(&begun)].concat()),
            Step::Gate,
        ];
        let provider = Provider::start(vec![broken, open]);
        let gateway = Setup::upstream(driver, upstream, &provider)
            .text(&lines)
            .start();
        let body = chat(client, MODEL, true);
        let got = gateway.client().ask(post(path(client), "", &body));
        assert_eq!(got.status, 200);
        let mut leaving = gateway.client();
        leaving.send(post(path(client), "", &body));
        let mut begun = leaving.head();
        leaving.until(&mut begun, "Hel");
        leaving.leave();
        let records = wait_records(folder.path(), 2);
        for (record, outcome) in records.iter().zip(["truncated", "cancelled"]) {
            assert_eq!(record["outcome"], outcome, "{record}");
            assert_eq!(record["tenant"], Value::Null);
            // Anthropic's stream begins with the input's count; OpenAI's says all at its end.
            match upstream {
                Wire::OpenAiChat => assert!(record["usage"].is_null(), "{record}"),
                Wire::AnthropicMessages => {
                    assert_eq!(record["usage"]["input"], 9, "{record}");
                    assert_eq!(record["charge_estimated"], false);
                }
            }
        }
    });
}

#[test]
fn only_who_was_let_in_has_records_and_refusals_have_theirs() {
    each(|driver| {
        let (folder, lines) = journal();
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let setup = Setup::upstream(driver, wire, &provider).text(&lines);
        let gateway = setup.key("key-1", "one", None).start();
        let key = "x-api-key: key-1\r\n";
        let asked = [
            (post(path(wire), "", chat(wire, MODEL, false)), 401, None),
            (request("GET", "/v1/models", key, ""), 200, None),
            (request("GET", "/healthz", "", ""), 200, None),
            (request("GET", "/nowhere", key, ""), 404, None),
            (
                post(path(wire), key, "{"),
                400,
                Some(("refused", "bad_body")),
            ),
            (
                post(path(wire), key, chat(wire, "nobody", false)),
                404,
                Some(("refused", "unknown_model")),
            ),
            (
                post("/v1/embeddings", key, "{\"model\":\"m\"}"),
                200,
                Some(("complete", "")),
            ),
        ];
        let mut expected = Vec::new();
        for (request, status, record) in asked {
            let got = gateway.client().ask(request);
            assert_eq!(got.status, status, "{}", got.text());
            expected.extend(record.map(|words| (u64::from(status), words)));
        }
        drop(gateway);
        let records = records(folder.path());
        let found: Vec<_> = records
            .iter()
            .map(|it| {
                let word = |name: &str| it[name].as_str().unwrap_or_default();
                (
                    it["status"].as_u64().unwrap(),
                    (word("outcome"), word("fault")),
                )
            })
            .collect();
        assert_eq!(found, expected);
    });
}

#[test]
fn provider_that_repeats_its_ids_changes_nothing() {
    each(|driver| {
        let (folder, lines) = journal();
        let wire = Wire::AnthropicMessages;
        let head = "content-type: application/json\r\nrequest-id: req_same\r\n";
        let provider = Provider::all(always(answer("200 OK", head, whole(wire))));
        let gateway = Setup::upstream(driver, wire, &provider)
            .text(&lines)
            .start();
        for _ in 0..5 {
            let got = gateway
                .client()
                .ask(post(path(wire), "", chat(wire, MODEL, false)));
            assert_eq!(got.status, 200);
        }
        drop(gateway);
        let mut ids: Vec<String> = records(folder.path())
            .iter()
            .map(|it| it["id"].to_string())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 5);
    });
}

#[test]
fn without_a_journal_there_is_no_such_path_and_a_second_process_is_refused_one() {
    each(|driver| {
        let wire = Wire::OpenAiChat;
        let provider = Provider::answering(json(whole(wire)));
        let gateway = Setup::upstream(driver, wire, &provider).start();
        let id = "0".repeat(32);
        let got = custody(&gateway, &id, "any");
        assert_eq!(got.status, 404);
        assert!(got.text().contains("no such endpoint"), "{}", got.text());
        assert!(!gateway.metrics().contains("ringway_usage"));
        let (_folder, lines) = journal();
        let first = Setup::upstream(driver, wire, &provider)
            .text(&lines)
            .start();
        let second = Setup::upstream(driver, wire, &provider)
            .text(&lines)
            .try_start();
        let fault = second.map(drop).unwrap_err().to_string();
        assert!(
            fault.contains("usage.journal") && fault.contains("writes to it; stop that one first"),
            "{fault}"
        );
        assert_eq!(first.metric("ringway_usage_journal_stuck "), 0.0);
    });
}

/// What one client was told until its gateway died: each id with the moment its answer was whole.
fn ask_until_it_dies(address: SocketAddr, round: &Round) -> Vec<(String, Instant)> {
    let wire = Wire::OpenAiChat;
    let mut told = Vec::new();
    while !round.is_over.load(Ordering::Acquire) {
        let Some(mut stream) = TcpStream::connect(address).ok() else {
            break;
        };
        let body = chat(wire, MODEL, told.len() % 2 == 0);
        let request = post(path(wire), "connection: close\r\nx-api-key: k\r\n", body);
        let mut answer = Vec::new();
        let got = stream
            .write_all(&request)
            .and_then(|()| stream.read_to_end(&mut answer));
        let text = String::from_utf8_lossy(&answer);
        let is_whole = text.ends_with("}") || text.ends_with("0\r\n\r\n");
        if got.is_ok() && is_whole && text.starts_with("HTTP/1.1 200") {
            let (_, rest) = text.split_once("x-ringway-request-id: ").unwrap();
            told.push((
                rest.chars().take("rw_".len() + 32).collect(),
                Instant::now(),
            ));
            round.answers.fetch_add(1, Ordering::AcqRel);
        }
    }
    told
}

/// What the threads of one round share.
#[derive(Default)]
struct Round {
    is_over: AtomicBool,
    /// Whole answers so far.
    answers: AtomicUsize,
    /// The longest that this machine let a thread wait beyond its time, in nanoseconds.
    late_nanos: AtomicU64,
}

/// Ends a round when it is dropped, also by a failed assertion.
struct Over<'r>(&'r Round);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

impl Round {
    fn measure_lateness(&self) {
        let pause = Duration::from_millis(5);
        while !self.is_over.load(Ordering::Acquire) {
            let begun = Instant::now();
            thread::park_timeout(pause);
            let late = begun.elapsed().saturating_sub(pause).as_nanos();
            self.late_nanos
                .fetch_max(late.try_into().unwrap(), Ordering::AcqRel);
        }
    }

    /// How long before the end an answer's record must be in the journal.
    ///
    /// On a busy machine the gateway's threads run as late as those of this test.
    fn due(&self) -> Duration {
        let late = Duration::from_nanos(self.late_nanos.load(Ordering::Acquire));
        FLUSH + 4 * late
    }
}

fn killed_config(folder: &Path, provider: &Provider, sections: &str) -> String {
    let digest: String = digest_of(b"k")
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nlog = \"off\"\n\
         [usage]\njournal = {:?}\n[[provider]]\nname = \"up\"\nkind = \"openai\"\n\
         base_url = \"http://{}/v1\"\nkey = \"none\"\n\
         [[model]]\nid = \"{MODEL}\"\ntargets = [\"up/x\"]\n\
         [[key]]\nsha256 = \"{digest}\"\ntenant = \"blue\"\n{sections}",
        folder,
        provider.address()
    )
}

/// What clients were told over rounds of which each ended by SIGKILL under load.
struct Told {
    rounds: usize,
    /// Answers that were whole.
    all: BTreeSet<String>,
    /// Those that were a flush before the end.
    due: BTreeSet<String>,
}

fn kill_over_and_over(config: &str) -> Told {
    let rounds = std::env::var("RINGWAY_KILL_ROUNDS").map_or(5, |it| it.parse().unwrap());
    let (mut due, mut all) = (BTreeSet::new(), BTreeSet::new());
    let mut chance = 0x9e37_79b9_u64;
    for _ in 0..rounds {
        let mut program = Program::serve(config);
        let (address, round) = (program.address(), Round::default());
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let run = Duration::from_millis(100 + (chance >> 40) % 400);
        let (killed, ids) = thread::scope(|scope| {
            scope.spawn(|| round.measure_lateness());
            let clients = [(); 4].map(|()| scope.spawn(|| ask_until_it_dies(address, &round)));
            let _over = Over(&round);
            wait::until("answers that are due", || {
                (round.answers.load(Ordering::Acquire) > 10).then_some(())
            });
            thread::park_timeout(run + round.due());
            let killed = Instant::now();
            program.signal("KILL");
            program.exit();
            let answers = clients.map(|client| client.join().unwrap());
            (killed, answers.concat())
        });
        for (id, at) in ids {
            if at + round.due() < killed {
                due.insert(id.clone());
            }
            all.insert(id);
        }
    }
    Told { rounds, all, due }
}

/// Holds what was recorded against what was told and asked.
fn judge(told: &Told, records: &[Value], asked: usize) {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        assert_eq!(record["model_sent"], "x");
        let id = record["id"].as_str().unwrap().to_owned();
        *found.entry(id).or_default() += 1;
    }
    let Told { rounds, all, due } = told;
    let lost: Vec<&String> = due.iter().filter(|id| !found.contains_key(*id)).collect();
    let twice: Vec<&String> = found
        .iter()
        .filter(|(_, count)| **count > 1)
        .map(|(id, _)| id)
        .collect();
    println!(
        "{rounds} rounds, {} told, {} due, {} found, {} lost, {} twice",
        all.len(),
        due.len(),
        found.len(),
        lost.len(),
        twice.len()
    );
    assert!(
        lost.is_empty() && twice.is_empty(),
        "lost {lost:?}, twice {twice:?}"
    );
    assert!(
        due.len() >= 10 * rounds,
        "too little was asked: {}",
        due.len()
    );
    assert!(found.len() <= asked, "more than the provider was asked");
}

/// `loadtest/kill9.sh` runs fifty rounds.
#[test]
fn p33_what_ended_a_flush_before_sigkill_is_recorded_once_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
    let config = killed_config(folder.path(), &provider, "");
    let told = kill_over_and_over(&config);
    // One more start cuts off what the last round tore.
    drop(Program::serve(&config));
    judge(&told, &records(folder.path()), provider.requests().len());
}

/// The same behind the journal.
#[test]
fn p33_what_ended_a_flush_before_sigkill_is_in_the_store_once_and_nothing_twice() {
    for kind in KINDS {
        let database = Database::new(kind);
        let folder = tempfile::tempdir().unwrap();
        let provider = Provider::answering(json(whole(Wire::OpenAiChat)));
        let section = database.section(&database.snapshot("one"));
        let config = killed_config(folder.path(), &provider, &section);
        let told = kill_over_and_over(&config);
        let program = Program::serve(&config);
        wait::until("all of it to be in the store", || {
            let (status, text) = program.admin("/metrics");
            assert_eq!(status, 200);
            text.contains("\nringway_usage_waiting_bytes 0\n")
                .then_some(())
        });
        let stored = database.records();
        judge(&told, &stored, provider.requests().len());
    }
}

/// The flush interval by default.
const FLUSH: Duration = Duration::from_millis(200);
