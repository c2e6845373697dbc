//! The configuration that a run is made on, and the worker on it.

use core::cell::RefCell;
use core::fmt::Write as _;
use core::sync::atomic::AtomicU64;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::config::load::file::load_text;
use crate::net::endpoint::connect::ProviderEndpoint;
use crate::net::sim::names;
use crate::proxy::shared::memory_budget::Budget;
use crate::proxy::shared::served_plan::ServedPlan;
use crate::proxy::shared::worker::{Shared, ThreadState, Ways, Worker, WorkerInForce};
use crate::route::compile::plan::compile_after;
use crate::route::plan::compiled::Plan;
use crate::route::plan::plan_ids::PlanIds;
use crate::route::plan::provider::Provider;
use crate::sim::rules::{self, RULED};
use crate::sim::script::{ASKS_MAX, EARLY, MODELS, PLANS, PROVIDERS};
use crate::telemetry::ring::{RingReceiver, ThreadWaker, byte_ring};

thread_local! {
    static MADE: RefCell<[Option<Arc<Plan>>; 2 * PLANS]> =
        const { RefCell::new([const { None }; 2 * PLANS]) };
}

/// Addresses of a provider. Nobody listens at the first one of the second provider.
pub(super) fn addresses(provider: usize) -> [SocketAddr; 2] {
    let host = u8::try_from(provider).unwrap_or(0);
    [1, 2].map(|net| SocketAddr::from((Ipv4Addr::new(10, 0, net, host), 80)))
}

/// A worker on plan number `number`, and where its access lines go.
pub(super) fn worker(
    number: usize,
) -> Result<(ServedPlan, Rc<WorkerInForce>, RingReceiver), String> {
    let plan = plan(number, false)?;
    let budget = Budget::new(plan.limits.held_budget_bytes, 0);
    let shared = Arc::new(Shared::new(Arc::new(budget), plan.limits.connections_max));
    let served = ServedPlan::first(plan, endpoint)?;
    let (sender, receiver) = byte_ring(
        LINES_BYTES,
        LINES_BYTES,
        Arc::new(AtomicU64::new(0)),
        ThreadWaker::default(),
    );
    let ways = Ways {
        log: Some(sender),
        ..Ways::default()
    };
    let thread = ThreadState::new(&served.plan, shared, ways, None);
    let worker = WorkerInForce::new(Worker::new(&served, thread));
    Ok((served, worker, receiver))
}

/// The way to a provider of a plan.
fn endpoint(provider: &Provider) -> Result<ProviderEndpoint, String> {
    let host = &*provider.endpoint.host;
    let number = BASES.iter().position(|base| base.contains(host));
    let number = number.ok_or_else(|| format!("{host} is nobody's"))?;
    let endpoint = ProviderEndpoint::new(host, provider.endpoint.port, None);
    names::resolve(&endpoint, &addresses(number));
    Ok(endpoint)
}

/// The plan that takes the place of `served`: the same one, its providers in the other order.
pub(super) fn turned(served: &ServedPlan, number: usize) -> Result<ServedPlan, String> {
    let first = served.plan.providers.first();
    let is_turned = first.is_some_and(|it| it.wire == PROVIDERS[0]);
    served.next(plan(number, is_turned)?, endpoint)
}

/// The model id of an exchange: its own alias, so that its record can be told.
pub(super) fn model_id(model: usize, number: usize) -> String {
    let name = MODELS.get(model).copied().unwrap_or_default();
    format!("{name}.{number}")
}

/// A plan, its providers in their order or in the other one.
pub(super) fn plan(number: usize, is_turned: bool) -> Result<Arc<Plan>, String> {
    let place = 2 * number + usize::from(is_turned);
    let known = MADE.with_borrow(|made| made.get(place).cloned().flatten());
    if let Some(plan) = known {
        return Ok(plan);
    }
    let text = text(number, BASES, is_turned);
    let secret = |_: &str| Some("sk-simulated-0123456789".to_owned());
    let loaded = load_text(&text, "simulated.toml", Path::new("."), &secret);
    let ids = match is_turned {
        true => plan(number, false)?.ids.clone(),
        false => PlanIds::default(),
    };
    let compiled = compile_after(loaded, ids).map_err(|faults| faults.to_string())?;
    let plan = Arc::new(compiled.plan);
    // What its keys have used is a run's own.
    if number == RULED {
        return Ok(plan);
    }
    MADE.with_borrow_mut(|made| {
        if let Some(place) = made.get_mut(place) {
            *place = Some(Arc::clone(&plan));
        }
    });
    Ok(plan)
}

/// The configuration number `number`, its providers at `bases`; `is_turned`: the last one stands first.
pub(super) fn text(number: usize, bases: [&str; 2], is_turned: bool) -> String {
    let (budget, pool, requests, early) = match number {
        0 => (1 << 28, 8, 100, 0),
        1 => (300_000, 1, 3, 0),
        EARLY => (1 << 28, 0, 100, EARLY_HEAD_MS),
        _ => (1 << 28, 8, 100, 0),
    };
    let is_ruled = number == RULED;
    let mut text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nserver_timing = true\n\
         early_head_after_ms = {early}\n[limits]\n\
         held_budget_bytes = {budget}\npool_idle_max = {pool}\nconnections_max = 64\n\
         requests_per_connection_max = {requests}\nhead_timeout_ms = 2000\n\
         body_stall_timeout_ms = 2000\nidle_timeout_ms = 4000\nconnect_timeout_ms = 1000\n\
         answer_head_timeout_ms = 5000\nstream_stall_timeout_ms = 1500\n\
         write_stall_timeout_ms = 3000\nping_interval_ms = 1000\nretry_budget_percent = 100\n\
         pool_idle_timeout_ms = 3000\ncooldown_ms = 200\ncooldown_max_ms = 1000\n"
    );
    if is_ruled {
        text.push_str(rules::LIMITS);
    }
    let providers: Vec<_> = ["openai", "anthropic"].into_iter().zip(bases).collect();
    let mut order = [0, 1];
    if is_turned {
        order.reverse();
    }
    for place in order {
        let (kind, base) = providers[place];
        let _ = write!(
            text,
            "[[provider]]\nname = \"{kind}\"\nkind = \"{kind}\"\nbase_url = \"{base}\"\n\
             key_env = \"KEY\"\n"
        );
        if is_ruled {
            text.push_str(&rules::provider(place));
        }
    }
    let targets: [&[&str]; 4] = [
        &["openai/up"],
        &["anthropic/up"],
        &["openai/up", "anthropic/up"],
        &["anthropic/up", "openai/up"],
    ];
    for (model, (name, targets)) in MODELS.iter().zip(targets).enumerate() {
        let aliases: Vec<String> = (0..ASKS_MAX).map(|ask| model_id(model, ask)).collect();
        let _ = write!(
            text,
            "[[model]]\nid = \"{name}\"\nalias = {aliases:?}\ntargets = {targets:?}\n"
        );
        if is_ruled && targets.len() > 1 {
            text.push_str(rules::ORDER);
        }
    }
    if is_ruled {
        text.push_str(&rules::tables());
    }
    text
}

/// Where simulated providers stand.
const BASES: [&str; 2] = ["http://openai.test/v1", "http://anthropic.test"];

/// Heads go out so early on one of the plans.
const EARLY_HEAD_MS: u64 = 20;
/// Room for the access lines of a run.
const LINES_BYTES: usize = 128 * 1024;
