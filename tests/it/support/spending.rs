//! Programs with a budget, and clients who spend it.

use std::path::{Path, PathBuf};

use ringway::route::plan::client_key::digest_of;
use ringway::store::journal::segments::read_all;
use ringway::wire::kind::Wire;
use tempfile::TempDir;

use crate::support::gateway::MODEL;
use crate::support::http::{json, post};
use crate::support::program::Program;
use crate::support::provider::Provider;
use crate::support::stores::{Database, Kind};
use crate::support::wait;
use crate::support::wires::{chat, path, whole};

const WIRE: Wire = Wire::OpenAiChat;

/// A program whose key `k` has a budget; answers cost 11 cents.
pub(crate) fn budgeted(journal: &Path, provider: &Provider, sections: &str) -> String {
    let digest = digest_of(b"k").map(|byte| format!("{byte:02x}")).concat();
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\nlog = \"off\"\n\
         [usage]\njournal = {journal:?}\n[[provider]]\nname = \"up\"\nkind = \"openai\"\n\
         base_url = \"http://{}/v1\"\nkey = \"none\"\n\
         [[model]]\nid = \"{MODEL}\"\ntargets = [\"up/x\"]\n\
         [prices.\"up/*\"]\ninput = 10000\noutput = 10000\n[budgets]\noutput_tokens_reserved = 10\n\
         [[key]]\nsha256 = \"{digest}\"\ntenant = \"blue\"\nbudget_month = \"1.20\"\n{sections}",
        provider.address()
    )
}

/// A budget that was spent by a program whose records are in its journal and in a store.
pub(crate) struct SpentBudget {
    pub(crate) database: Database,
    pub(crate) journal: PathBuf,
    pub(crate) config: String,
    _folder: TempDir,
    _provider: Provider,
}

impl SpentBudget {
    pub(crate) fn new(kind: Kind) -> Self {
        let database = Database::new(kind);
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("usage");
        let provider = Provider::answering(json(whole(WIRE)));
        let section = database.section(&database.snapshot("one"));
        let config = budgeted(&journal, &provider, &section);
        spend_all(&config, &journal);
        Self {
            database,
            journal,
            config,
            _folder: folder,
            _provider: provider,
        }
    }
}

pub(crate) fn spend(program: &Program) -> u16 {
    let body = chat(WIRE, MODEL, false);
    let request = post(path(WIRE), "x-api-key: k\r\n", body);
    program.client().ask(request).status
}

pub(crate) fn wait_line(program: &Program, line: &str) {
    wait::until(line, || {
        let (_, text) = program.admin("/metrics");
        text.lines().any(|it| it == line).then_some(())
    });
}

pub(crate) fn kill(mut program: Program) {
    program.signal("KILL");
    program.exit();
}

/// Spends all of the budget and dies; the records are in the journal, and in the store if there is
/// one.
pub(crate) fn spend_all(config: &str, journal: &Path) {
    let program = Program::serve(config);
    let mut asked = 0;
    loop {
        asked += 1;
        let status = spend(&program);
        // What was reserved is settled once the record is written.
        wait::until("the record in the journal", || {
            let mut count = 0;
            let _ = read_all(journal, |_| count += 1);
            (count == asked).then_some(())
        });
        if status != 200 {
            break assert_eq!(status, 429);
        }
    }
    assert!((2..=11).contains(&asked), "{asked}");
    if config.contains("[store]") {
        wait_line(&program, &format!("ringway_usage_drained_total {asked}"));
    }
    kill(program);
}
