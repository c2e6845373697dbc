//! Catalogues: the models that a key may use, and those that anyone may read of.
//!
//! Facts that are not known are left out. In the OpenAI shape `supports_vision` is always there; in
//! the Anthropic shape members and names are those of that API, which its SDKs type.

use crate::chat::request::Effort;
use crate::govern::value::money;
use crate::govern::value::price::{Price, Rates};
use crate::json::write::Writer;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::shared::model_ids::Page;
use crate::proxy::shared::worker::Worker;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::{ListedModel, Target};
use crate::route::select::capabilities::Capabilities;
use crate::translate::models::Thinking;
use crate::wire::kind::Wire;

/// The list that a key may see, in the client's wire.
///
/// # Errors
/// The member of the query that asks for no page of it.
pub fn list(worker: &Worker, inbound: &Inbound) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::with_capacity(4096);
    let mut w = Writer::new(&mut body);
    let plan = &worker.plan;
    let listed = plan.listed(inbound.key.as_deref());
    match inbound.wire {
        Wire::OpenAiChat => {
            w.open_object()
                .name("object")
                .string("list")
                .name("data")
                .open_array();
            for model in &listed {
                openai(&mut w, plan, (model.id, &model.targets));
            }
            w.close_array().close_object();
        }
        Wire::AnthropicMessages => {
            let query = inbound.head.query(&inbound.bytes).unwrap_or_default();
            let (page, has_more) = Page::read(query)?.of(&listed, |model| model.id)?;
            w.open_object().name("data").open_array();
            for model in page {
                anthropic(&mut w, plan, (model.id, &model.targets));
            }
            w.close_array().name("has_more").boolean(has_more);
            for (name, end) in [("first_id", page.first()), ("last_id", page.last())] {
                w.name(name);
                match end {
                    Some(model) => w.string(model.id),
                    None => w.null(),
                };
            }
            w.close_object();
        }
    }
    Ok(body)
}

/// One model, in the client's wire.
pub fn one(worker: &Worker, inbound: &Inbound, id: &str, targets: &[Target]) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    let mut w = Writer::new(&mut body);
    match inbound.wire {
        Wire::OpenAiChat => openai(&mut w, &worker.plan, (id, targets)),
        Wire::AnthropicMessages => anthropic(&mut w, &worker.plan, (id, targets)),
    }
    body
}

/// `GET /api/billing/models`: the models of the configuration, for those without a key.
pub async fn public(exchange: &mut Exchange<'_, '_>) -> Next {
    let plan = &exchange.worker.plan;
    let mut body = Vec::with_capacity(4096);
    let mut w = Writer::new(&mut body);
    w.open_object().name("models").open_array();
    for ListedModel { id, targets } in plan.listed(None) {
        w.open_object().name("model_id").string(id);
        capabilities(&mut w, &plan.capabilities(&targets));
        w.name("tiers").open_array();
        for tier in plan.tiers(&targets) {
            w.string(tier);
        }
        w.close_array().name("prices").open_array();
        for (tier, price) in plan.offers(&targets) {
            offer(&mut w, tier, price);
        }
        w.close_array().close_object();
    }
    w.close_array().close_object();
    exchange.send_json(&body).await
}

/// A price, in dollars for a million tokens, and for a thousand searches.
fn offer(w: &mut Writer<'_>, tier: Option<&str>, price: &Price) {
    w.open_object();
    if let Some(tier) = tier {
        w.name("tier").string(tier);
    }
    rates(w, &price.rates);
    w.name("web_search").string(&money::show(price.web_search));
    if let Some((over, long)) = &price.long {
        w.name("long_prompts").open_object();
        w.name("over_tokens").number(*over);
        rates(w, long);
        w.close_object();
    }
    w.close_object();
}

fn rates(w: &mut Writer<'_>, rates: &Rates) {
    for (name, rate) in [
        ("input", rates.input),
        ("cached", rates.cached),
        ("cache_write", rates.cache_write),
        ("cache_write_hour", rates.cache_write_hour),
        ("output", rates.output),
        ("reasoning", rates.reasoning),
        ("audio_input", rates.audio_input),
        ("audio_output", rates.audio_output),
    ] {
        w.name(name).string(&money::show(rate));
    }
}

fn openai(w: &mut Writer<'_>, plan: &Plan, (id, targets): (&str, &[Target])) {
    let known = plan.capabilities(targets);
    w.open_object()
        .name("id")
        .string(id)
        .name("object")
        .string("model");
    w.name("created")
        .number(CREATED)
        .name("owned_by")
        .string(plan.owner(targets))
        .name("supports_vision")
        .boolean(known.vision == Some(true));
    capabilities(w, &known);
    w.close_object();
}

/// The member `capabilities`, less what is not known.
fn capabilities(w: &mut Writer<'_>, known: &Capabilities) {
    w.name("capabilities").open_object();
    for (name, fact) in [
        ("vision", known.vision),
        ("pdf", known.pdf),
        ("tools", known.tools),
        ("thinking", known.thinking),
        ("structured_outputs", known.structured_outputs),
    ] {
        if let Some(fact) = fact {
            w.name(name).boolean(fact);
        }
    }
    limits(w, known, ["context_window", "max_output_tokens"]);
    w.close_object();
}

fn limits(w: &mut Writer<'_>, known: &Capabilities, names: [&str; 2]) {
    for (name, limit) in names
        .into_iter()
        .zip([known.context_window, known.output_tokens_max])
    {
        if let Some(limit) = limit {
            w.name(name).number(u64::from(limit));
        }
    }
}

fn anthropic(w: &mut Writer<'_>, plan: &Plan, (id, targets): (&str, &[Target])) {
    let known = plan.capabilities(targets);
    w.open_object()
        .name("type")
        .string("model")
        .name("id")
        .string(id);
    w.name("display_name")
        .string(id)
        .name("created_at")
        .string(CREATED_AT);
    limits(w, &known, ["max_input_tokens", "max_tokens"]);
    w.name("capabilities").open_object();
    supported(w, "image_input", known.vision);
    supported(w, "pdf_input", known.pdf);
    supported(w, "structured_outputs", known.structured_outputs);
    thinking(w, &known);
    effort(w, &known);
    w.close_object().close_object();
}

/// `"name": {"supported": ...}`, where it is known.
fn supported(w: &mut Writer<'_>, name: &str, fact: Option<bool>) {
    if let Some(fact) = fact {
        w.name(name).open_object();
        w.name("supported").boolean(fact).close_object();
    }
}

/// Which forms of `thinking` are taken is known of models of the Anthropic wire alone. `enabled` is
/// refused by some of those that adapt, and taken by others.
fn thinking(w: &mut Writer<'_>, known: &Capabilities) {
    let Some(thinks) = known.thinking else { return };
    w.name("thinking").open_object();
    w.name("supported").boolean(thinks);
    if let Some(control) = known.thinks_by {
        let adapts = !matches!(control, Thinking::None | Thinking::Budget);
        w.name("types").open_object();
        supported(w, "adaptive", Some(adapts));
        supported(w, "disabled", Some(control != Thinking::Always));
        let enabled = (!adapts).then_some(control == Thinking::Budget);
        supported(w, "enabled", enabled);
        w.close_object();
    }
    w.close_object();
}

fn effort(w: &mut Writer<'_>, known: &Capabilities) {
    let Some(levels) = known.efforts else { return };
    w.name("effort").open_object();
    w.name("supported").boolean(!levels.is_empty());
    for level in LEVELS {
        supported(w, level.name(), Some(levels.has(level)));
    }
    w.close_object();
}

/// The levels of the Anthropic wire.
const LEVELS: [Effort; 5] = [
    Effort::Low,
    Effort::Medium,
    Effort::High,
    Effort::Xhigh,
    Effort::Max,
];
/// The configuration knows no date of a model; both lists want one, so it is always the same.
const CREATED: u64 = 1_735_689_600;
const CREATED_AT: &str = "2025-01-01T00:00:00Z";
