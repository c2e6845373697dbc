//! `ringway keys`: client keys of a store, made, listed, rotated and taken away.
//!
//! A key is printed once, when it is made. Its randomness and the time come from the caller.

use std::io::{self, Write};

use crate::cli::{Exit, KeysAction, KeysArgs, NewKeyArgs};
use crate::command::stored::{self, Meant};
use crate::command::table::write_table;
use crate::config::load::environment::Lookup;
use crate::govern::key::client_key::{
    EXPECTED_DATE, Key, KeyWithSecret, Rules, check_id, check_name, check_new_tenant, configured_id,
};
use crate::govern::key::document;
use crate::govern::key::document::DocumentFault;
use crate::govern::key::generation::{Randomness, key_id, key_text};
use crate::govern::value::date;
use crate::route::plan::client_key::digest_of;
use crate::store::database::handle::{Store, block_on};
use crate::store::database::migrations::Access;
use crate::store::error::StoreError;

/// Does what was asked and prints it to `out`; faults go to `errors`.
pub fn run(
    args: &KeysArgs,
    env: Lookup<'_>,
    (random, now_ms): (&Randomness, u64),
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let meant = match stored::meant(&args.store, env) {
        Ok(meant) => meant,
        Err(lines) => return stored::refuse(errors, &lines),
    };
    let material = &meant.material;
    let task = match task(&args.action, random, now_ms) {
        Ok(task) => task,
        Err(fault) => return stored::refuse(errors, &[stored::flag(&fault)]),
    };
    if let KeysTask::Create(key, _) = &task
        && meant.configured_ids.contains(&key.id)
    {
        return stored::refuse(errors, &[configured_id(&key.id)]);
    }
    let done = match block_on(perform(&meant, &task, now_ms))? {
        Ok(done) => done,
        Err(error) => {
            writeln!(errors, "store {}: {error}", material.place)?;
            return Ok(Exit::Failed);
        }
    };
    for line in &done.skipped {
        writeln!(errors, "warning: {line}; left out")?;
    }
    match (args.store.format.as_str(), &done.secret) {
        ("json", Some(secret)) => {
            for shown in &done.keys {
                stored::print_json(&KeyWithSecret { shown, key: secret }, out)?;
            }
        }
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
enum KeysTask {
    Create(Box<Key>, String),
    List(Option<String>, bool),
    Show(String),
    Rotate(String, String, Option<u64>),
    Revoke(String),
}

#[derive(Default)]
struct KeysOutcome {
    keys: Vec<Key>,
    secret: Option<String>,
    skipped: Vec<String>,
}

fn task(action: &KeysAction, random: &Randomness, now_ms: u64) -> Result<KeysTask, DocumentFault> {
    let secret = key_text(&random.key);
    Ok(match action {
        KeysAction::Create(args) => {
            let mut key = wanted(args)?;
            key.check_expiry(now_ms)?;
            if key.id.is_empty() {
                key.id = key_id(&random.id).into();
            }
            key.digest = digest_of(secret.as_bytes());
            key.created_ms = now_ms;
            KeysTask::Create(Box::new(key), secret)
        }
        KeysAction::List { tenant, all } => KeysTask::List(tenant.clone(), *all),
        KeysAction::Show { id } => KeysTask::Show(id.clone()),
        KeysAction::Rotate { id, overlap } => {
            let expected =
                "expected a number of seconds, minutes, hours or days: 90s, 15m, 24h, 7d";
            let span = date::span(overlap);
            let span = span.ok_or_else(|| document::fault("overlap", expected))?;
            let until = (span > 0).then(|| now_ms.saturating_add(span));
            KeysTask::Rotate(id.clone(), secret, until)
        }
        KeysAction::Revoke { id } => KeysTask::Revoke(id.clone()),
    })
}

fn wanted(args: &NewKeyArgs) -> Result<Key, DocumentFault> {
    if let Some(id) = &args.id {
        check_id(id)?;
    }
    check_new_tenant(&args.tenant)?;
    check_name(args.name.as_deref().unwrap_or_default())?;
    let expires = args
        .expires
        .as_deref()
        .map(|given| date::parse(given).ok_or_else(|| document::fault("expires", EXPECTED_DATE)));
    let mut metadata = Vec::with_capacity(args.metadata.len());
    for given in &args.metadata {
        let pair = given.split_once('=');
        let (name, word) = pair.ok_or_else(|| document::fault("metadata", "expected NAME=WORD"))?;
        if metadata.iter().any(|(known, _)| known == name) {
            let text = format!("{name:?} stands twice");
            return Err(document::fault("metadata", text));
        }
        metadata.push((name.to_owned(), word.to_owned()));
    }
    let rules = Rules {
        models: stored::some(&args.models),
        tiers: stored::some(&args.tiers),
        residency: stored::residency(&args.bounds),
        relay: stored::some(&args.relay),
        allowance: stored::allowance(&args.bounds)?,
        metadata,
    };
    Ok(Key {
        id: args.id.clone().unwrap_or_default().into(),
        tenant: args.tenant.as_str().into(),
        name: args.name.clone().unwrap_or_default().into(),
        expires_ms: expires.transpose()?,
        // What a row of it would mean: the bounds of a row are those of a key.
        rules: Rules::parse(rules.document().as_bytes())?,
        ..Key::default()
    })
}

async fn perform(meant: &Meant, task: &KeysTask, now_ms: u64) -> Result<KeysOutcome, StoreError> {
    let access = match task {
        KeysTask::Create(..) => Access::Create,
        _ => Access::Write,
    };
    let store = Store::open(&meant.material, access).await?;
    let one = |key: Key, secret: Option<&String>| KeysOutcome {
        keys: vec![key],
        secret: secret.cloned(),
        skipped: Vec::new(),
    };
    Ok(match task {
        KeysTask::Create(key, secret) => {
            meant
                .add_configured_tenant(&store, &key.tenant, now_ms)
                .await?;
            store.create(key).await?;
            one((**key).clone(), Some(secret))
        }
        KeysTask::List(tenant, all) => {
            let state = store.load().await?;
            let is_meant = |key: &Key| {
                let is_tenants = tenant.as_ref().is_none_or(|tenant| *key.tenant == **tenant);
                is_tenants && (*all || key.revoked_ms.is_none())
            };
            KeysOutcome {
                keys: state.keys.into_iter().filter(is_meant).collect(),
                secret: None,
                skipped: state.skipped.into_iter().map(|one| one.text).collect(),
            }
        }
        KeysTask::Show(id) => one(store.find(id).await?, None),
        KeysTask::Rotate(id, secret, until_ms) => {
            let digest = digest_of(secret.as_bytes());
            one(store.rotate(id, &digest, *until_ms).await?, Some(secret))
        }
        KeysTask::Revoke(id) => one(store.revoke(id, now_ms).await?, None),
    })
}

fn json(keys: &[Key], is_list: bool, out: &mut impl Write) -> io::Result<()> {
    match keys {
        [key] if !is_list => stored::print_json(key, out),
        keys => stored::print_json(&keys, out),
    }
}

fn table(keys: &[Key], out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![HEADING.map(str::to_owned)];
    rows.extend(keys.iter().map(row));
    write_table(&rows, &(0..0), out)
}

const HEADING: [&str; 7] = ["ID", "TENANT", "NAME", "MODELS", "CREATED", "ENDS", "RULES"];

fn row(key: &Key) -> [String; 7] {
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
        rules(key),
    ]
}

/// What a key may do, models apart, in the words of the API.
fn rules(key: &Key) -> String {
    let rules = &key.rules;
    let mut words = Vec::new();
    if let Some(former) = key.former {
        words.push(format!("former_until={}", date::text(former.until_ms)));
    }
    stored::push_texts("tiers", rules.tiers.as_deref(), &mut words);
    stored::push_texts("relay", rules.relay.as_deref(), &mut words);
    stored::push_bounds(rules.residency.as_ref(), &rules.allowance, &mut words);
    stored::joined(&words)
}
