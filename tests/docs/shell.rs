//! What the pages say of the running program: metrics, log, outcomes, endpoints, headers, exit codes.

use ringway::cli::{self, Exit};
use ringway::proxy::shared::endpoint::{Endpoint, classify};
use ringway::route::plan::header::FORWARDED;
use ringway::telemetry::exchange::{ExchangeRecord, Operation, Outcome};
use ringway::telemetry::meter::Meter;
use ringway::telemetry::scrape_store::{SharedFacts, StoreFacts};
use ringway::telemetry::scrape_usage::{DrainFacts, UsageFacts};
use ringway::telemetry::{log, scrape};
use ringway::wire::kind::Wire;

use crate::support::{
    ENDPOINTS, FAILURES, LIMITS, OPERATIONS, code, codes, names, pages, rows, sorted,
};

#[test]
fn the_page_names_every_metric_with_its_type() {
    let facts = scrape::ProcessFacts {
        usage: Some(UsageFacts {
            drain: Some(DrainFacts::default()),
            ..UsageFacts::default()
        }),
        store: Some(StoreFacts::default()),
        shared: Some(SharedFacts::default()),
        ..scrape::ProcessFacts::default()
    };
    let text = scrape::text(&Meter::default(), &facts);
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let (_, metrics) = OPERATIONS.split_once("`GET /metrics`").unwrap();
    let metrics = format!("\nhere\n{metrics}");
    let listed = rows(&metrics, "here");
    let listed: Vec<String> = listed
        .iter()
        .map(|row| format!("{} {}", code(row[0]), row[1]))
        .collect();
    let listed = sorted(listed.iter().map(String::as_str));
    assert_eq!(listed, sorted(typed));
}

#[test]
fn reasons_of_refusals_are_those_that_are_counted() {
    let listed = rows(LIMITS, "### What clients get");
    let listed = listed.iter().flat_map(|row| codes(row[0]));
    let mut listed: Vec<&str> = listed.collect();
    listed.sort_unstable();
    listed.dedup();
    let text = scrape::text(&Meter::default(), &scrape::ProcessFacts::default());
    let label = "ringway_refused_total{reason=\"";
    let printed = text.lines().filter_map(|line| line.strip_prefix(label));
    let printed = printed.filter_map(|rest| rest.split('"').next());
    assert_eq!(listed, sorted(printed));
}

#[test]
fn the_page_names_every_member_of_a_log_line() {
    let mut exchange = ExchangeRecord {
        tenant: Some("a".into()),
        client_wire: Some(Wire::OpenAiChat),
        upstream_wire: Some(Wire::OpenAiChat),
        model_asked: Some("a".into()),
        model_sent: Some("a".into()),
        model_answered: Some("a".into()),
        provider: Some(0),
        upstream_request_id: Some("a".into()),
        fault: Some("a"),
        losses: Some("a".to_owned()),
        early_head: true,
        refused: vec!["a"],
        usage_rejected: true,
        cost_nanos: Some(1),
        cost_estimated: true,
        stop: Some(ringway::chat::usage::StopReason::EndTurn),
        started_at: 1,
        request_at: 2,
        sent_at: 3,
        head_at: 4,
        ended_at: 9,
        ..ExchangeRecord::default()
    };
    exchange.route.push("a");
    exchange.usage.input = Some(1);
    exchange.passed_deltas(1, 5);
    exchange.passed_deltas(1, 6);
    let mut line = Vec::new();
    log::line(&exchange, 1, |_| Some("a"), &mut line);
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
    let members: Vec<&str> = line
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let rows = rows(OPERATIONS, "## Access log");
    let listed = rows.iter().flat_map(|row| codes(row[0]));
    assert_eq!(sorted(listed), sorted(members));
}

#[test]
fn the_page_names_every_outcome_and_operation() {
    let ends = [
        Outcome::Complete,
        Outcome::UpstreamError,
        Outcome::Truncated,
        Outcome::Cancelled,
        Outcome::Refused,
    ];
    let ends = ends.map(Outcome::name);
    assert_eq!(names(FAILURES, "## When an answer breaks"), ends);
    let rows = rows(OPERATIONS, "## Access log");
    let operations = rows.iter().find(|row| code(row[0]) == "operation").unwrap()[1];
    let all = [
        Operation::Chat,
        Operation::CountTokens,
        Operation::Models,
        Operation::Relay,
        Operation::Usage,
        Operation::Other,
    ];
    assert_eq!(codes(operations), all.map(Operation::name));
}

#[test]
fn endpoints_take_the_methods_that_their_page_says() {
    for row in rows(ENDPOINTS, "## Endpoints") {
        let path = code(row[0]);
        let (rest, versioned) = match path.strip_prefix("/v1") {
            Some(rest) => (rest, true),
            None => (path, false),
        };
        let rest = rest.replace("{id}", "a/b").replace('*', "files");
        let endpoint = classify(rest.as_bytes(), versioned);
        assert_ne!(endpoint, Endpoint::Unknown, "{path}");
        let methods = match row[1] {
            "all of these" => "GET, HEAD, POST, PUT, PATCH, DELETE",
            methods => methods,
        };
        assert_eq!(endpoint.allow(), format!("{methods}, OPTIONS"), "{path}");
    }
}

#[test]
fn the_page_names_the_headers_that_are_forwarded() {
    let (_, text) = ENDPOINTS
        .split_once("\nThese client headers are forwarded: ")
        .unwrap();
    let (text, _) = text.split_once(" and those").unwrap();
    assert_eq!(codes(text), FORWARDED);
}

#[test]
fn the_page_names_every_exit_code() {
    let (_, text) = OPERATIONS.split_once("**Exit codes.**").unwrap();
    let (text, _) = text.split_once("\n- ").unwrap();
    for exit in [Exit::Done, Exit::Failed, Exit::Refused] {
        assert!(text.contains(&format!(" {}: ", exit.code())), "{exit:?}");
    }
}

#[test]
fn every_command_of_the_pages_is_one_that_the_program_takes() {
    let mut count = 0;
    for (page, text) in pages() {
        // Every other piece between fences is code.
        let blocks = text.split("```").skip(1).step_by(2);
        for line in blocks.flat_map(str::lines) {
            let line = line.strip_prefix("$ ").unwrap_or(line);
            if !line.starts_with("ringway ") || line.starts_with("ringway =") {
                continue;
            }
            let line = line.split(" #").next().unwrap_or_default().trim_end();
            let words = line.split(' ').map(|word| word.trim_matches('\'').into());
            let parsed = cli::parse(words);
            let context = page.display();
            assert!(parsed.is_ok(), "{context}: {line}: {}", parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count > 8, "{count}");
}
