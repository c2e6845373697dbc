//! What the commands on a store share: which store is meant, rules as arguments and as words.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::{BoundsArgs, Exit, StoreArgs};
use crate::config::load::environment::Lookup;
use crate::config::load::file::load;
use crate::config::load::material::StoreMaterial;
use crate::config::schema::store_url::StorePlace;
use crate::govern::key::allowance::Allowance;
use crate::govern::key::client_key::{Tenant, configured_tenant_id};
use crate::govern::key::document::{DocumentFault, fault};
use crate::govern::key::residency::Residency;
use crate::govern::value::money;
use crate::route::compile::key;
use crate::store::database::handle::Store;
use crate::store::error::StoreError;

/// A store, and what outranks it.
pub struct Meant {
    /// The store.
    pub material: StoreMaterial,
    /// Ids of the configuration's keys, where one was named.
    pub configured_ids: Vec<Box<str>>,
    /// Tenants of the configuration, likewise.
    pub configured_tenants: Vec<Tenant>,
    /// Names of tenants that its keys say, likewise.
    pub configured_names: Vec<Box<str>>,
}

impl Meant {
    /// Adds the row of a tenant that the configuration knows, with the id that it has there.
    ///
    /// # Errors
    /// Another tenant has the id, or the store cannot be used.
    pub async fn add_configured_tenant(
        &self,
        store: &Store,
        name: &str,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let names = self.configured_names.iter().map(|name| &**name);
        match configured_tenant_id(&self.configured_tenants, names, name) {
            Some(id) => store.add_tenant(id, name, now_ms).await,
            None => Ok(()),
        }
    }
}

/// The store that is meant. What else is wrong with a configuration does not matter here: who manages
/// keys may not have the providers' ones.
///
/// # Errors
/// None is meant, or the one that is cannot be made out; a line for each fault.
pub fn meant(args: &StoreArgs, env: Lookup<'_>) -> Result<Meant, Vec<String>> {
    let by_variable = || env(STORE_VARIABLE).filter(|url| !url.is_empty());
    let (url, named_by) = match (&args.store, &args.config) {
        (Some(url), _) => (Some(url.clone()), "--store"),
        (None, None) => (by_variable(), STORE_VARIABLE),
        (None, Some(_)) => (None, ""),
    };
    if args.store.is_some() && url.as_deref().is_some_and(StorePlace::has_password) {
        let text = format!(
            "--store: command lines are for all users of this host to read, and this one holds a \
             password; put the URL into the environment variable {STORE_VARIABLE}, or use --config"
        );
        return Err(vec![text]);
    }
    if let Some(url) = url {
        let place = StorePlace::parse(&url, Path::new(""));
        let place = place.map_err(|text| vec![format!("{named_by}: {text}")])?;
        let material = StoreMaterial {
            place,
            snapshot: Path::new("").to_owned(),
            ca_pem: None,
        };
        return Ok(Meant {
            material,
            configured_ids: Vec::new(),
            configured_tenants: Vec::new(),
            configured_names: Vec::new(),
        });
    }
    let Some(path) = &args.config else {
        let text = format!(
            "say which store is meant: --config FILE, or --store URL; one with a password comes from the \
             environment variable {STORE_VARIABLE}"
        );
        return Err(vec![text]);
    };
    let loaded = load(path, env);
    if let Some(material) = loaded.material.store {
        return Ok(Meant {
            material,
            configured_ids: key::ids_alone(&loaded.config.keys),
            configured_names: key::names_alone(&loaded.config.keys),
            configured_tenants: key::tenants_alone(loaded.config.tenants),
        });
    }
    let mut lines = loaded.faults.lines();
    let place = path.display();
    lines.push(format!(
        "{place}: no [store] that can be used; add one, such as url = \"sqlite:ringway.db\""
    ));
    Err(lines)
}

/// The environment variable that holds a store's URL.
const STORE_VARIABLE: &str = "RINGWAY_STORE_URL";

/// Says what is wrong, a line for each fault.
///
/// # Errors
/// It cannot be printed.
pub fn refuse(errors: &mut impl Write, lines: &[String]) -> io::Result<Exit> {
    for line in lines {
        writeln!(errors, "{line}")?;
    }
    Ok(Exit::Refused)
}

/// A fault of a member as one of the argument that it came from.
#[must_use]
pub fn flag(fault: &DocumentFault) -> String {
    let name = match fault.member.as_str() {
        "models" => "model",
        "tiers" => "tier",
        "jurisdictions" => "jurisdiction",
        "regions" => "region",
        "providers" => "provider",
        other => other,
    };
    format!("--{}: {}", name.replace('_', "-"), fault.text)
}

/// Bounds of what may be used.
///
/// # Errors
/// The argument that is not as it should be.
pub fn allowance(args: &BoundsArgs) -> Result<Allowance, DocumentFault> {
    let dollars = |member, given: &Option<String>| {
        let read = given.as_ref().map(|given| {
            let text = "expected dollars, such as 25 or 0.075, nine decimals at most";
            money::parse(given).ok_or_else(|| fault(member, text))
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

/// Where requests may go.
#[must_use]
pub fn residency(args: &BoundsArgs) -> Option<Residency> {
    let given = Residency {
        jurisdictions: some(&args.jurisdictions),
        regions: some(&args.regions),
        providers: some(&args.providers),
    };
    (given != Residency::default()).then_some(given)
}

/// Texts of an argument that may be given several times.
#[must_use]
pub fn some(texts: &[String]) -> Option<Vec<String>> {
    (!texts.is_empty()).then(|| texts.to_vec())
}

/// Rules in words, or that there are none.
#[must_use]
pub fn joined(words: &[String]) -> String {
    match words {
        [] => "none".to_owned(),
        words => words.join(" "),
    }
}

/// Adds the words for a list, if there is one.
pub fn push_texts(name: &str, texts: Option<&[String]>, words: &mut Vec<String>) {
    if let Some(texts) = texts {
        words.push(format!("{name}={}", texts.join(",")));
    }
}

/// Adds the words for what bounds keys and tenants.
pub fn push_bounds(residency: Option<&Residency>, it: &Allowance, words: &mut Vec<String>) {
    if let Some(residency) = residency {
        push_texts("jurisdictions", residency.jurisdictions.as_deref(), words);
        push_texts("regions", residency.regions.as_deref(), words);
        push_texts("providers", residency.providers.as_deref(), words);
    }
    let rates = [
        ("requests_per_minute", it.requests_per_minute),
        ("tokens_per_minute", it.tokens_per_minute),
        ("concurrent", it.concurrent),
    ];
    let rates = rates.map(|(name, rate)| (name, rate.map(|rate| rate.to_string())));
    let budgets = [
        ("budget_day", it.budget_day),
        ("budget_month", it.budget_month),
    ];
    let budgets = budgets.map(|(name, nanos)| (name, nanos.map(money::show)));
    for (name, given) in rates.into_iter().chain(budgets) {
        words.extend(given.map(|given| format!("{name}={given}")));
    }
}

/// Prints a document of the API.
///
/// # Errors
/// It cannot be printed.
pub fn print_json(document: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, document)?;
    out.write_all(b"\n")
}
