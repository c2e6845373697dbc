//! `ringway tenants`: what holds for all keys of a tenant, in a store.
//!
//! A `[[tenant]]` of the configuration outranks a row of the same name: it is shown in its place, and
//! cannot be changed here.

use std::io::{self, Write};

use crate::cli::{BoundsArgs, Exit, TenantsAction, TenantsArgs};
use crate::command::stored::{self, Meant};
use crate::command::table::write_table;
use crate::config::load::environment::Lookup;
use crate::govern::key::client_key::{
    Tenant, TenantSource, check_new_tenant, check_tenant, configured_elsewhere, configured_tenant,
    outranked,
};
use crate::govern::key::document::DocumentFault;
use crate::store::database::handle::{Store, block_on};
use crate::store::database::migrations::Access;
use crate::store::error::StoreError;

/// Does what was asked and prints it to `out`; faults go to `errors`.
pub fn run(
    args: &TenantsArgs,
    env: Lookup<'_>,
    now_ms: u64,
    out: &mut impl Write,
    errors: &mut impl Write,
) -> io::Result<Exit> {
    let meant = match stored::meant(&args.store, env) {
        Ok(meant) => meant,
        Err(lines) => return stored::refuse(errors, &lines),
    };
    let task = match task(&args.action, &meant.configured_tenants) {
        Ok(task) => task,
        Err(line) => return stored::refuse(errors, &[line]),
    };
    let done = match block_on(perform(&meant, &task, now_ms))? {
        Ok(done) => done,
        Err(error) => {
            writeln!(errors, "store {}: {error}", meant.material.place)?;
            return Ok(Exit::Failed);
        }
    };
    for line in &done.skipped {
        writeln!(errors, "warning: {line}; left out")?;
    }
    match args.store.format.as_str() {
        "json" => json(&done.tenants, matches!(task, TenantsTask::List), out)?,
        _ => table(&done.tenants, out)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// What is to be done, checked.
enum TenantsTask {
    List,
    Show(String),
    Set(Tenant),
    Remove(String),
}

#[derive(Default)]
struct TenantsOutcome {
    /// Tenants, and where their rules stand.
    tenants: Vec<(Tenant, TenantSource)>,
    skipped: Vec<String>,
}

fn task(action: &TenantsAction, given: &[Tenant]) -> Result<TenantsTask, String> {
    let checked = |name: &str| match check_tenant(name) {
        Ok(()) => Ok(name.to_owned()),
        Err(fault) => Err(format!("NAME: {}", fault.text)),
    };
    let changeable = |name: &str| match configured_tenant(given, name) {
        None => checked(name),
        Some(_) => Err(configured_elsewhere(name)),
    };
    Ok(match action {
        TenantsAction::List => TenantsTask::List,
        TenantsAction::Show { name } => TenantsTask::Show(checked(name)?),
        TenantsAction::Set { name, rules } => {
            let name = changeable(name)?;
            check_new_tenant(&name).map_err(|fault| format!("NAME: {}", fault.text))?;
            TenantsTask::Set(wanted(&name, rules).map_err(|fault| stored::flag(&fault))?)
        }
        TenantsAction::Remove { name } => TenantsTask::Remove(changeable(name)?),
    })
}

fn wanted(name: &str, rules: &BoundsArgs) -> Result<Tenant, DocumentFault> {
    let tenant = Tenant {
        id: Box::default(),
        name: name.into(),
        residency: stored::residency(rules),
        allowance: stored::allowance(rules)?,
    };
    // What a row of it would mean: the bounds of a row are those of a tenant.
    Tenant::parse(name, tenant.document().as_bytes())
}

async fn perform(
    meant: &Meant,
    task: &TenantsTask,
    now_ms: u64,
) -> Result<TenantsOutcome, StoreError> {
    let given = &meant.configured_tenants;
    let access = match task {
        TenantsTask::Set(_) => Access::Create,
        _ => Access::Write,
    };
    let store = Store::open(&meant.material, access).await?;
    let one = |tenant, source| TenantsOutcome {
        tenants: vec![(tenant, source)],
        skipped: Vec::new(),
    };
    Ok(match task {
        TenantsTask::List => {
            let state = store.load().await?;
            TenantsOutcome {
                tenants: outranked(given, &state.tenants),
                skipped: state.skipped.into_iter().map(|one| one.text).collect(),
            }
        }
        TenantsTask::Show(name) => match configured_tenant(given, name) {
            Some(tenant) => {
                let stored = store.tenant_id(name).await?;
                one(
                    tenant.known_as(stored.as_deref()),
                    TenantSource::Configuration,
                )
            }
            None => one(store.find_tenant(name).await?, TenantSource::Store),
        },
        TenantsTask::Set(tenant) => {
            meant
                .add_configured_tenant(&store, &tenant.name, now_ms)
                .await?;
            one(store.set_tenant(tenant, now_ms).await?, TenantSource::Store)
        }
        TenantsTask::Remove(name) => {
            let tenant = store.find_tenant(name).await?;
            store.remove_tenant(name).await?;
            one(tenant, TenantSource::Store)
        }
    })
}

fn json(tenants: &[(Tenant, TenantSource)], is_list: bool, out: &mut impl Write) -> io::Result<()> {
    match tenants {
        [(tenant, source)] if !is_list => stored::print_json(&tenant.shown(*source), out),
        tenants => {
            let shown = tenants.iter().map(|(tenant, source)| tenant.shown(*source));
            stored::print_json(&shown.collect::<Vec<_>>(), out)
        }
    }
}

fn table(tenants: &[(Tenant, TenantSource)], out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![["NAME", "ID", "SOURCE", "RULES"].map(str::to_owned)];
    rows.extend(tenants.iter().map(|(tenant, source)| {
        let mut words = Vec::new();
        stored::push_bounds(tenant.residency.as_ref(), &tenant.allowance, &mut words);
        [
            tenant.name.to_string(),
            tenant.id.to_string(),
            source.name().to_owned(),
            stored::joined(&words),
        ]
    }));
    write_table(&rows, &(0..0), out)
}
