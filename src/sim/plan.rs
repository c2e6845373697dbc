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
use crate::proxy::shared::health::Health;
use crate::proxy::shared::memory_budget::Budget;
use crate::proxy::shared::worker::{Shared, Ways, Worker};
use crate::route::compile::plan::compile;
use crate::route::plan::compiled::Plan;
use crate::sim::rules::{self, RULED};
use crate::sim::script::{ASKS_MAX, EARLY, MODELS, PLANS};
use crate::telemetry::ring::{RingReceiver, ThreadWaker, byte_ring};

thread_local! {
    static MADE: RefCell<[Option<Arc<Plan>>; PLANS]> = const { RefCell::new([const { None }; PLANS]) };
}

/// Addresses of a provider. Nobody listens at the first one of the second provider.
pub(super) fn addresses(provider: usize) -> [SocketAddr; 2] {
    let host = u8::try_from(provider).unwrap_or(0);
    [1, 2].map(|net| SocketAddr::from((Ipv4Addr::new(10, 0, net, host), 80)))
}

/// A worker on plan number `number`, and where its access lines go.
pub(super) fn worker(number: usize) -> Result<(Rc<Worker>, RingReceiver), String> {
    let plan = plan(number)?;
    let budget = Budget::new(plan.limits.held_budget_bytes, 0);
    let shared = Arc::new(Shared::new(
        Arc::new(budget),
        plan.limits.connections_max,
        Health::new(&plan),
    ));
    let endpoints = plan.providers.iter().enumerate().map(|(index, provider)| {
        let endpoint = ProviderEndpoint::new(&provider.endpoint.host, provider.endpoint.port, None);
        names::resolve(&endpoint, &addresses(index));
        Arc::new(endpoint)
    });
    let endpoints = endpoints.collect();
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
    Ok((Worker::new(plan, endpoints, shared, ways, None), receiver))
}

/// The model id of an exchange: its own alias, so that its record can be told.
pub(super) fn model_id(model: usize, number: usize) -> String {
    let name = MODELS.get(model).copied().unwrap_or_default();
    format!("{name}.{number}")
}

fn plan(number: usize) -> Result<Arc<Plan>, String> {
    let known = MADE.with_borrow(|made| made.get(number).cloned().flatten());
    if let Some(plan) = known {
        return Ok(plan);
    }
    let text = text(number, BASES);
    let secret = |_: &str| Some("sk-simulated-0123456789".to_owned());
    let loaded = load_text(&text, "simulated.toml", Path::new("."), &secret);
    let compiled = compile(loaded).map_err(|faults| faults.to_string())?;
    let plan = Arc::new(compiled.plan);
    // What its keys have used is a run's own.
    if number == RULED {
        return Ok(plan);
    }
    MADE.with_borrow_mut(|made| {
        if let Some(place) = made.get_mut(number) {
            *place = Some(Arc::clone(&plan));
        }
    });
    Ok(plan)
}

/// The configuration number `number`, its providers at `bases`.
pub(super) fn text(number: usize, bases: [&str; 2]) -> String {
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
    for (place, (kind, base)) in ["openai", "anthropic"].into_iter().zip(bases).enumerate() {
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
