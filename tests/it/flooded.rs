//! One key's flood harms nobody else's records, on both databases: refusals are counted, and a journal at its
//! bound takes from whoever fills it.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use ringway::route::plan::client_key::digest_of;
use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::directions::{Driver, drivers};
use crate::support::gateway::{MODEL, Setup};
use crate::support::http::{json, post};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::stores::{Database, KINDS};
use crate::support::wait;
use crate::support::wires::{chat, path, whole};

const WIRE: Wire = Wire::OpenAiChat;
/// Connections of the flood, and what each asks.
const FLOODERS: usize = 4;
const FLOOD: usize = 3_000;
/// Answers of the calm tenant.
const PAID: usize = 60;

#[test]
fn a_flood_of_refusals_is_counted_and_takes_no_paid_record_with_it() {
    for kind in KINDS {
        let database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let journal = database.snapshot("one").with_extension("usage");
        let place = journal.display();
        let gateway = Setup::upstream(drivers()[0], WIRE, &provider)
            .key("calm", "calm", None)
            .key("loud", "loud", None)
            .text("requests_per_minute = 1")
            .text(&database.section(&database.snapshot("one")))
            .text(&format!("[usage]\njournal = \"{place}\""))
            .text("journal_bytes_max = 1048576")
            .start();
        let ask = |key: &str, count: usize| {
            let fields = format!("x-api-key: {key}\r\n");
            let mut client = gateway.client();
            let request = post(path(WIRE), &fields, chat(WIRE, MODEL, false));
            let answers = (0..count).map(|_| client.ask(request.clone()));
            let told = answers.map(|got| {
                let id = got.field("x-ringway-request-id").unwrap().to_owned();
                (got.status, id)
            });
            told.collect::<Vec<_>>()
        };
        let (paid, refused) = thread::scope(|scope| {
            let flood: Vec<_> = (0..FLOODERS)
                .map(|_| scope.spawn(|| ask("loud", FLOOD)))
                .collect();
            let paid = ask("calm", PAID);
            let flood = flood.into_iter().flat_map(|it| it.join().unwrap());
            (
                paid,
                flood.filter(|(status, _)| *status == 429).count() as u64,
            )
        });
        assert!(paid.iter().all(|(status, _)| *status == 200));
        let paid: BTreeSet<String> = paid.into_iter().map(|(_, id)| id).collect();
        let of = |records: &[Value], tenant: &str| -> Vec<Value> {
            let of = records.iter().filter(|it| it["tenant"] == tenant);
            of.cloned().collect()
        };
        let refusals = |records: &[Value]| -> u64 {
            let refused = records.iter().filter(|it| it["outcome"] == "refused");
            refused.map(|it| it["requests"].as_u64().unwrap()).sum()
        };
        let mut records = Vec::new();
        wait::until("every refusal, counted", || {
            records = database.records();
            (refusals(&of(&records, "loud")) == refused).then_some(())
        });
        let kept = of(&records, "calm");
        let kept: BTreeSet<String> = kept
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kept, paid, "{kind:?}");
        assert_eq!(
            gateway.metric("ringway_usage_journal_expired_bytes_total "),
            0.0
        );
        assert_eq!(gateway.metric("ringway_usage_records_dropped_total "), 0.0);
        let bytes: usize = records.iter().map(|it| it.to_string().len()).sum();
        assert!(
            bytes < 1 << 20,
            "{kind:?}: {bytes} bytes of {} records",
            records.len()
        );
    }
}

/// Ids that one client was told for the good ones of so many answers.
fn told(program: &Program, key: &str, count: usize) -> Vec<String> {
    let fields = format!("x-api-key: {key}\r\n");
    let mut client = program.client();
    let ids = (0..count).filter_map(|_| {
        let got = client.ask(post(path(WIRE), &fields, chat(WIRE, MODEL, false)));
        assert!([200, 429].contains(&got.status), "{}", got.text());
        let id = got.field("x-ringway-request-id").unwrap().to_owned();
        (got.status == 200).then_some(id)
    });
    ids.collect()
}

/// The value of a line of the metrics; nought where there is none.
fn metric(program: &Program, line: &str) -> u64 {
    let (_, text) = program.admin("/metrics");
    let value = text.lines().find_map(|it| it.strip_prefix(line));
    value.map_or(0, |it| it.trim().parse().unwrap())
}

/// A gateway with a small journal and three tenants: `limited` has one request a minute.
fn config(driver: Driver, provider: &Provider, journal: &Path, store: &str) -> String {
    let key = |key: &str, tenant: &str| {
        let digest = digest_of(key.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[key]]\nsha256 = \"{digest}\"\ntenant = \"{tenant}\"\n")
    };
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         driver = \"{}\"\nworkers = 1\n[usage]\njournal = {journal:?}\njournal_bytes_max = 1048576\n\
         [[provider]]\nname = \"up\"\nkind = \"openai\"\nbase_url = \"http://{}/v1\"\nkey = \"none\"\n\
         [[model]]\nid = \"{MODEL}\"\ntargets = [\"up/x\"]\n{}{}{}requests_per_minute = 1\n{}",
        driver.name(),
        provider.address(),
        key("calm", "calm"),
        key("loud", "loud"),
        key("limited", "limited"),
        store,
    )
}

/// While the store is down, and over a SIGKILL amid the flood.
#[test]
fn a_journal_at_its_bound_takes_from_the_tenant_that_fills_it_and_says_so() {
    for (kind, driver) in KINDS.into_iter().zip(drivers().iter().cycle()) {
        let mut database = Database::new(kind);
        let provider = Provider::answering(json(whole(WIRE)));
        let snapshot = database.snapshot("one");
        let journal = snapshot.with_extension("usage");
        let config = config(*driver, &provider, &journal, &database.section(&snapshot));
        let mut program = Program::serve(&config);
        let mut paid = told(&program, "calm", 1);
        paid.extend(told(&program, "limited", 1));
        wait::until("the store's records", || {
            (metric(&program, "ringway_usage_drained_total ") == 2).then_some(())
        });
        let stored = paid.len();
        // Nobody has the store open when it goes.
        program.signal("TERM");
        program.exit();
        database.stop();
        program = Program::serve(&config);
        let lost = "ringway_usage_records_lost_total{tenant=\"loud\",reason=\"evicted\"} ";
        for round in 0..2 {
            let mut rounds = 0;
            while metric(&program, lost) == 0 || rounds < 4 {
                paid.extend(told(&program, "calm", 5));
                told(&program, "loud", 150);
                paid.extend(told(&program, "limited", 20));
                rounds += 1;
                assert!(rounds < 40, "the journal has no bound");
            }
            let (_, metrics) = program.admin("/metrics");
            let of_calm = "ringway_usage_records_lost_total{tenant=\"calm\"";
            assert!(!metrics.contains(of_calm), "{kind:?} {round}: {metrics}");
            let said = program.wait_line("usage records of tenant");
            assert!(
                said.contains("\"loud\"") || said.contains("\"limited\""),
                "{said}"
            );
            // Each data thread's records are in the journal within its turn.
            wait::until("the paid records in the journal", || {
                let mut left: Vec<&String> = paid.iter().skip(stored).collect();
                let _ = ringway::store::journal::segments::read_all(&journal, |it| {
                    left.retain(|id| memchr::memmem::find(it, id.as_bytes()).is_none());
                });
                left.is_empty().then_some(())
            });
            program.signal("KILL");
            program.exit();
            program = Program::serve(&config);
        }
        database.start();
        let paid: BTreeSet<String> = paid.into_iter().collect();
        wait::until("every paid record of the calm ones", || {
            let records = database.records();
            let ids: Vec<String> = records
                .iter()
                .filter(|it| it["tenant"] != "loud" && it["outcome"] == "complete")
                .map(|it| it["id"].as_str().unwrap().to_owned())
                .collect();
            let each: BTreeSet<String> = ids.iter().cloned().collect();
            assert_eq!(each.len(), ids.len(), "{kind:?}: a record twice");
            (each == paid).then_some(())
        });
    }
}
