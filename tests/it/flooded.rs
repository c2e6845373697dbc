//! One key's flood of refusals harms nobody's records, on both databases.

use std::collections::BTreeSet;
use std::thread;

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::directions::drivers;
use crate::support::gateway::{MODEL, Setup};
use crate::support::http::{json, post};
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
