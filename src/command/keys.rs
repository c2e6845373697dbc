//! `ringway keys`: client keys of a store, made, listed, rotated and taken away.
//!
//! A key is printed once, when it is made. Its randomness and the time come from the caller.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::{Exit, KeysAction, KeysArgs, NewKeyArgs};
use crate::config::environment::Lookup;
use crate::config::load::load;
use crate::config::material::StoreMaterial;
use crate::config::store_place::StorePlace;
use crate::govern::allowance::Allowance;
use crate::govern::document::DocumentFault;
use crate::govern::fresh::{Randomness, key_id, key_text};
use crate::govern::key::{EXPECTED_DATE, Key, Rules};
use crate::govern::residency::Residency;
use crate::govern::{date, document, money};
use crate::json::write::Writer;
use crate::route::client_key::digest_of;
use crate::store::error::StoreError;
use crate::store::handle::{Store, block_on};
use crate::store::row::KeyRow;

/// Does what was asked and prints it to `out`; faults go to `errors`.
pub fn run(
    args: &KeysArgs,
    env: Lookup<'_>,
    (random, now_ms): (&Randomness, u64),
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let material = match material(args, env) {
        Ok(material) => material,
        Err(lines) => return refuse(errors, &lines),
    };
    let task = match task(&args.action, random, now_ms) {
        Ok(task) => task,
        Err(fault) => return refuse(errors, &[format!("--{fault}")]),
    };
    let done = match block_on(perform(&material, &task, now_ms))? {
        Ok(done) => done,
        Err(error) => {
            writeln!(errors, "store {}: {error}", material.place)?;
            return Ok(Exit::Failed);
        }
    };
    for line in &done.skipped {
        writeln!(errors, "warning: {line}; left out")?;
    }
    match (args.format.as_str(), &done.secret) {
        ("json", Some(secret)) => json_secret(&done.keys, secret, out)?,
        ("json", None) => json(
            &done.keys,
            matches!(args.action, KeysAction::List { .. }),
            out,
        )?,
        (_, secret) => {
            if let Some(secret) = secret {
                writeln!(
                    out,
                    "key: {secret}\n\n# It is shown this once and kept nowhere."
                )?;
            }
            table(&done.keys, out)?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// What is to be done, checked.
enum Task {
    Create(Box<Key>, String),
    List(Option<String>, bool),
    Show(String),
    Rotate(String, String, Option<u64>),
    Revoke(String),
}

#[derive(Default)]
struct Done {
    keys: Vec<Key>,
    secret: Option<String>,
    skipped: Vec<String>,
}

fn refuse(errors: &mut impl Write, lines: &[String]) -> io::Result<Exit> {
    for line in lines {
        writeln!(errors, "{line}")?;
    }
    Ok(Exit::Refused)
}

/// The store that is meant. What else is wrong with a configuration does not matter here: who manages
/// keys may not have the providers' ones.
fn material(args: &KeysArgs, env: Lookup<'_>) -> Result<StoreMaterial, Vec<String>> {
    if let Some(url) = &args.store {
        let place = StorePlace::parse(url, Path::new(""));
        let place = place.map_err(|text| vec![format!("--store: {text}")])?;
        return Ok(StoreMaterial {
            place,
            snapshot: Path::new("").to_owned(),
            ca_pem: None,
        });
    }
    let Some(path) = &args.config else {
        let text = "say which store is meant: --config FILE, or --store URL";
        return Err(vec![text.to_owned()]);
    };
    let loaded = load(path, env);
    if let Some(material) = loaded.material.store {
        return Ok(material);
    }
    let mut lines = loaded.faults.lines();
    let place = path.display();
    lines.push(format!(
        "{place}: no [store] that can be used; add one, such as url = \"sqlite:ringway.db\""
    ));
    Err(lines)
}

fn task(action: &KeysAction, random: &Randomness, now_ms: u64) -> Result<Task, DocumentFault> {
    let secret = key_text(&random.key);
    Ok(match action {
        KeysAction::Create(args) => {
            let mut key = wanted(args)?;
            if key.id.is_empty() {
                key.id = key_id(&random.id).into();
            }
            key.digest = digest_of(secret.as_bytes());
            key.created_ms = now_ms;
            // What a row of it would mean: the bounds of a row are those of a key.
            let key = KeyRow::of(&key).key()?;
            Task::Create(Box::new(key), secret)
        }
        KeysAction::List { tenant, all } => Task::List(tenant.clone(), *all),
        KeysAction::Show { id } => Task::Show(id.clone()),
        KeysAction::Rotate { id, overlap } => {
            let expected =
                "expected a number of seconds, minutes, hours or days: 90s, 15m, 24h, 7d";
            let span = date::span(overlap);
            let span = span.ok_or_else(|| document::fault("overlap", expected))?;
            let until = (span > 0).then(|| now_ms.saturating_add(span));
            Task::Rotate(id.clone(), secret, until)
        }
        KeysAction::Revoke { id } => Task::Revoke(id.clone()),
    })
}

fn wanted(args: &NewKeyArgs) -> Result<Key, DocumentFault> {
    let some = |texts: &Vec<String>| (!texts.is_empty()).then(|| texts.clone());
    let expires = args
        .expires
        .as_deref()
        .map(|said| date::parse(said).ok_or_else(|| document::fault("expires", EXPECTED_DATE)));
    let mut metadata = Vec::with_capacity(args.metadata.len());
    for said in &args.metadata {
        let pair = said.split_once('=');
        let (name, word) = pair.ok_or_else(|| document::fault("metadata", "expected NAME=WORD"))?;
        metadata.push((name.to_owned(), word.to_owned()));
    }
    Ok(Key {
        id: args.id.clone().unwrap_or_default().into(),
        tenant: args.tenant.as_str().into(),
        name: args.name.clone().unwrap_or_default().into(),
        expires_ms: expires.transpose()?,
        rules: Rules {
            models: some(&args.models),
            tiers: some(&args.tiers),
            residency: residency(args),
            relay: some(&args.relay),
            allowance: allowance(args)?,
            metadata,
        },
        ..Key::default()
    })
}

fn allowance(args: &NewKeyArgs) -> Result<Allowance, DocumentFault> {
    let dollars = |member, said: &Option<String>| {
        let read = said.as_ref().map(|said| {
            let text = "expected dollars, such as 25 or 0.075";
            money::parse(said).ok_or_else(|| document::fault(member, text))
        });
        read.transpose()
    };
    Ok(Allowance {
        requests_per_minute: args.requests_per_minute,
        tokens_per_minute: args.tokens_per_minute,
        concurrent: args.concurrent,
        budget_day: dollars("budget_day", &args.budget_day)?,
        budget_month: dollars("budget_month", &args.budget_month)?,
    })
}

fn residency(args: &NewKeyArgs) -> Option<Residency> {
    let some = |texts: &Vec<String>| (!texts.is_empty()).then(|| texts.clone());
    let said = Residency {
        jurisdictions: some(&args.jurisdictions),
        regions: some(&args.regions),
        providers: some(&args.providers),
    };
    (said != Residency::default()).then_some(said)
}

async fn perform(material: &StoreMaterial, task: &Task, now_ms: u64) -> Result<Done, StoreError> {
    let creates = matches!(task, Task::Create(..));
    let store = Store::open(material, creates).await?;
    let one = |key: Key, secret: Option<&String>| Done {
        keys: vec![key],
        secret: secret.cloned(),
        skipped: Vec::new(),
    };
    Ok(match task {
        Task::Create(key, secret) => {
            store.create(key).await?;
            one((**key).clone(), Some(secret))
        }
        Task::List(tenant, all) => {
            let state = store.load().await?;
            let is_meant = |key: &Key| {
                let is_tenants = tenant.as_ref().is_none_or(|tenant| *key.tenant == **tenant);
                is_tenants && (*all || key.revoked_ms.is_none())
            };
            Done {
                keys: state.keys.into_iter().filter(is_meant).collect(),
                secret: None,
                skipped: state.skipped,
            }
        }
        Task::Show(id) => one(store.find(id).await?, None),
        Task::Rotate(id, secret, until_ms) => {
            let digest = digest_of(secret.as_bytes());
            one(store.rotate(id, &digest, *until_ms).await?, Some(secret))
        }
        Task::Revoke(id) => one(store.revoke(id, now_ms).await?, None),
    })
}

fn json_secret(keys: &[Key], secret: &str, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    let mut w = Writer::new(&mut text);
    w.open_object();
    for key in keys {
        key.write_members(&mut w);
    }
    w.name("key").string(secret).close_object();
    text.push(b'\n');
    out.write_all(&text)
}

fn json(keys: &[Key], is_list: bool, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    let mut w = Writer::new(&mut text);
    if is_list {
        w.open_array();
    }
    for key in keys {
        key.write(&mut w);
    }
    if is_list {
        w.close_array();
    }
    text.push(b'\n');
    out.write_all(&text)
}

fn table(keys: &[Key], out: &mut impl Write) -> io::Result<()> {
    let heading = ["ID", "TENANT", "NAME", "MODELS", "CREATED", "ENDS"].map(str::to_owned);
    let mut rows = vec![heading];
    rows.extend(keys.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn row(key: &Key) -> [String; 6] {
    let models = key.rules.models.as_ref();
    let ends = match (key.revoked_ms, key.expires_ms) {
        (Some(ms), _) => format!("revoked {}", date::text(ms)),
        (None, Some(ms)) => date::text(ms),
        (None, None) => "never".to_owned(),
    };
    [
        key.id.to_string(),
        key.tenant.to_string(),
        key.name.to_string(),
        models.map_or_else(|| "all".to_owned(), |models| models.join(" ")),
        date::text(key.created_ms),
        ends,
    ]
}
