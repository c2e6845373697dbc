//! How providers, credentials and targets stand, as text for the operator.
//!
//! Credentials are told apart by their place in the configuration alone.

use crate::config::schema::file::TargetOrder;
use crate::json::write::Writer;
use crate::proxy::shared::health::{Health, Scope, Slot, State, View};
use crate::route::plan::compiled::{Model, Plan};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::Target;

/// Writes everything as one JSON document.
pub fn json(plan: &Plan, health: &Health, now_ns: u64, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.open_object().name("providers").open_array();
    for (index, provider) in plan.providers.iter().enumerate() {
        provider_into(&mut writer, (index, provider), health, now_ns);
    }
    writer.close_array().name("models").open_array();
    for model in &plan.models {
        model_into(&mut writer, (plan, model), health, now_ns);
    }
    writer.close_array().close_object();
}

/// How many circuits of each scope stand in each state, but for those that are closed.
#[must_use]
pub fn counts(plan: &Plan, health: &Health, now_ns: u64) -> Vec<(&'static str, &'static str, u64)> {
    let mut counts = Vec::new();
    for (name, scope) in SCOPES {
        let views = || views(plan, health, scope, now_ns);
        for state in [State::HalfOpen, State::Open] {
            let count = views().filter(|view| view.state == state).count();
            counts.push((name, state.name(), count as u64));
        }
    }
    counts
}

/// Every circuit of a scope.
fn views(plan: &Plan, health: &Health, scope: Scope, now_ns: u64) -> impl Iterator<Item = View> {
    let mut targets: Vec<&Target> = plan.models.iter().flat_map(|it| &it.targets).collect();
    targets.sort_unstable_by_key(|target| target.number);
    targets.dedup_by_key(|target| target.number);
    let of_target = |target: &Target| Slot::of(target, 0);
    let keys = |slot: Slot| {
        let provider = plan.providers.get(slot.provider);
        let count = provider.map_or(1, Provider::key_count);
        (0..count).map(move |credential| Slot { credential, ..slot })
    };
    let of_provider = |provider| Slot {
        provider,
        number: None,
        credential: 0,
    };
    let providers = (0..plan.providers.len()).map(of_provider);
    let slots: Vec<Slot> = match scope {
        Scope::Provider => providers.collect(),
        Scope::Credential => providers.flat_map(keys).collect(),
        Scope::Target => targets.into_iter().map(of_target).collect(),
        Scope::Lane => {
            let slots = targets.into_iter().map(of_target);
            let several = slots.filter(|slot| keys(*slot).len() > 1);
            several.flat_map(keys).collect()
        }
    };
    slots
        .into_iter()
        .filter_map(move |slot| health.view(slot, scope, now_ns))
}

fn provider_into(
    writer: &mut Writer<'_>,
    (index, provider): (usize, &Provider),
    health: &Health,
    now_ns: u64,
) {
    let slot = |credential| Slot {
        provider: index,
        number: None,
        credential,
    };
    writer.open_object().name("name").string(&provider.name);
    view_into(writer, health.view(slot(0), Scope::Provider, now_ns));
    writer.name("credentials").open_array();
    for credential in 0..provider.secrets().len() {
        writer.open_object();
        let view = health.view(slot(credential), Scope::Credential, now_ns);
        view_into(writer, view);
        writer.close_object();
    }
    writer.close_array().close_object();
}

fn model_into(
    writer: &mut Writer<'_>,
    (plan, model): (&Plan, &Model),
    health: &Health,
    now_ns: u64,
) {
    writer.open_object().name("id").string(&model.id);
    writer.name("order").string(model.order.name());
    writer.name("targets").open_array();
    for target in &model.targets {
        target_into(writer, (plan, target), health, now_ns);
    }
    writer.close_array().close_object();
}

fn target_into(
    writer: &mut Writer<'_>,
    (plan, target): (&Plan, &Target),
    health: &Health,
    now_ns: u64,
) {
    let provider = plan.provider_of(target);
    let name = provider.map_or("", |provider| &*provider.name);
    let target_name = format!("{name}/{}", target.model);
    writer.open_object().name("target").string(&target_name);
    writer
        .name("priority")
        .number(u64::from(target.priority))
        .name("weight")
        .number(u64::from(target.weight));
    let keys = provider.map_or(1, Provider::key_count);
    let slot = |credential| Slot::of(target, credential);
    view_into(writer, health.view(slot(0), Scope::Target, now_ns));
    if keys > 1 {
        writer.name("credentials").open_array();
        for credential in 0..keys {
            writer.open_object();
            view_into(writer, health.view(slot(credential), Scope::Lane, now_ns));
            writer.close_object();
        }
        writer.close_array();
    }
    let figures = [
        ("first_token_us", TargetOrder::Latency),
        ("per_token_us", TargetOrder::Throughput),
    ];
    for (name, order) in figures {
        if let Some(nanos) = health.figure(order, target.number, now_ns) {
            writer.name(name).number(nanos / 1_000);
        }
    }
    writer.close_object();
}

/// The members that tell a circuit.
fn view_into(writer: &mut Writer<'_>, view: Option<View>) {
    let Some(view) = view else { return };
    writer.name("state").string(view.state.name());
    if view.state != State::Closed {
        writer.name("left_ms").number(view.left_ms);
        writer.name("failures").number(u64::from(view.failures));
    }
}

const SCOPES: [(&str, Scope); 4] = [
    ("provider", Scope::Provider),
    ("credential", Scope::Credential),
    ("target", Scope::Target),
    ("target_credential", Scope::Lane),
];
