//! What a request may not have by policy: the tier that it asks for, and targets outside of its
//! key's, tenant's or model's rules.
//!
//! Refusals name the rule and the cure, never a target.

use core::cell::RefCell;
use std::borrow::Cow;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::shared::model_ids::bounded;
use crate::proxy::shared::worker::Worker;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::Target;
use crate::route::select::policy::{Policy, PolicyRule};
use crate::telemetry::exchange::ExchangeRecord;
use crate::wire::peek::found::Peek;
use crate::wire::peek::model_names;
use crate::wire::peek::routed_members::{Kind, Known};

/// The tier that a request asks for: by its body, as far as that was read, or by its head.
///
/// # Errors
/// Two tiers are asked for, one that nobody knows, or one that the key may not use.
pub fn tier<'r>(
    plan: &Plan,
    inbound: &'r Inbound,
    peek: Option<&Peek>,
) -> Result<Option<Cow<'r, str>>, Rejection> {
    let mut asked = peek.and_then(|peek| body_tier(inbound, peek));
    let mut param = Known::PrivacyTier.name();
    for value in inbound.head.fields.values(&inbound.bytes, HEADER) {
        let said = String::from_utf8_lossy(value);
        match &asked {
            None => (asked, param) = (Some(said), HEADER),
            Some(first) if *first == said => {}
            Some(_) => {
                let message = "privacy_tier and X-Privacy-Tier: expected one tier, found two; say \
                               it once";
                return Err(denied(
                    ErrorKind::InvalidRequest,
                    message,
                    param,
                    "two_tiers",
                ));
            }
        }
    }
    let Some(tier) = asked else { return Ok(None) };
    let policy = Policy {
        key: inbound.key.as_deref(),
        ..Policy::default()
    };
    if !plan.tiers.iter().any(|known| **known == *tier) {
        let message = unknown(plan, &tier, &policy);
        return Err(denied(
            ErrorKind::InvalidRequest,
            message,
            param,
            "unknown_tier",
        ));
    }
    if !policy.allows_tier(&tier) {
        let message = "this key may not use this tier; ask for one that it may use, or for none";
        return Err(denied(
            ErrorKind::Permission,
            message,
            param,
            "tier_forbidden",
        ));
    }
    Ok(Some(tier))
}

fn body_tier<'r>(inbound: &'r Inbound, peek: &Peek) -> Option<Cow<'r, str>> {
    let is_said = peek.kind(Known::PrivacyTier) == Some(Kind::String);
    is_said.then(|| peek.text_of(inbound.body(), Known::PrivacyTier).text())
}

/// The text of a tier that nobody knows, with those that the key may use.
fn unknown(plan: &Plan, tier: &str, policy: &Policy<'_>) -> String {
    let shown: String = bounded(tier).chars().flat_map(char::escape_debug).collect();
    let known = plan.tiers.iter().map(|tier| &**tier);
    let known: Vec<&str> = known.filter(|tier| policy.allows_tier(tier)).collect();
    if known.is_empty() {
        return format!("unknown tier `{shown}`; none is configured: leave it out");
    }
    format!("unknown tier `{shown}`; known: {}", known.join(", "))
}

/// The targets that the request may go to; `tier` is what it asks for, and `model` how.
///
/// # Errors
/// None is left.
pub fn admitted<'t>(
    plan: &Plan,
    inbound: &Inbound,
    targets: Cow<'t, [Target]>,
    (model, tier): (Option<&str>, Option<&str>),
    record: &mut ExchangeRecord,
) -> Result<Cow<'t, [Target]>, Rejection> {
    let policy = Policy {
        tier,
        key: inbound.key.as_deref(),
        model: model.and_then(|model| plan.residency_of(model)),
    };
    let refused = &mut record.refused;
    let cut = |rule: PolicyRule| refused.push(rule.word());
    plan.admitted(targets, &policy, cut).map_err(none_left)
}

/// Those of the targets at whose providers every one of these models may be asked for too.
///
/// # Errors
/// None is left.
pub fn admitted_for<'t, 'n>(
    plan: &Plan,
    inbound: &Inbound,
    mut targets: Cow<'t, [Target]>,
    (models, tier): (impl Iterator<Item = &'n str>, Option<&str>),
    record: &mut ExchangeRecord,
) -> Result<Cow<'t, [Target]>, Rejection> {
    for model in models {
        let policy = Policy {
            tier,
            key: inbound.key.as_deref(),
            model: plan.residency_of(model),
        };
        let rule_of = |target: &Target| {
            let there = Cow::Owned(vec![plan.made(target.provider, model)]);
            plan.admitted(there, &policy, |_| {}).err()
        };
        let Some(rule) = targets.iter().find_map(rule_of) else {
            continue;
        };
        if !record.refused.contains(&rule.word()) {
            record.refused.push(rule.word());
        }
        targets.to_mut().retain(|target| rule_of(target).is_none());
        if targets.is_empty() {
            return Err(none_left(rule));
        }
    }
    Ok(targets)
}

/// The models that a body names beside the one that is asked for and that may have rules of their own,
/// each once; of a chat less what is said in it. Nothing where no rule could take a target out.
#[must_use]
pub fn beside(
    worker: &Worker,
    inbound: &Inbound,
    (model, tier): (Option<&str>, Option<&str>),
    is_chat: bool,
) -> Vec<String> {
    let plan = &worker.plan;
    let policy = Policy {
        tier,
        key: inbound.key.as_deref(),
        model: None,
    };
    if !plan.tells_apart() || !plan.may_cut(&policy) {
        return Vec::new();
    }
    let names = RefCell::new(Vec::<String>::new());
    let note = |name: &str| {
        let mut names = names.borrow_mut();
        let is_new = model != Some(name) && names.iter().all(|known| known != name);
        if is_new && plan.is_told_apart(name) {
            names.push(name.to_owned());
        }
        true
    };
    // What is no JSON has been refused before.
    let _ = model_names::first_forbidden(inbound.body(), is_chat, worker.limits(), &note);
    names.into_inner()
}

/// The same refusal where it is not known which models the body names.
#[must_use]
pub fn unread(rejection: Rejection) -> Rejection {
    let message = "this body is not looked into, and policy leaves no target for every model that \
                   it may name; send less at once, as JSON";
    rejection.with_message(message)
}

fn none_left(rule: PolicyRule) -> Rejection {
    let (kind, message) = match rule {
        PolicyRule::Tier => (
            ErrorKind::InvalidRequest,
            "this model has no target of this tier; ask for another tier or another model",
        ),
        PolicyRule::KeyTiers => (
            ErrorKind::Permission,
            "the tiers that this key may use leave no target for this request; ask for another \
             model, or have the key's tiers widened",
        ),
        PolicyRule::ModelResidency => (
            ErrorKind::Permission,
            "the residency policy of this model leaves no target for this request; ask for it \
             without naming a provider, or for another model",
        ),
        PolicyRule::TenantResidency => (
            ErrorKind::Permission,
            "the residency policy of this tenant leaves no target for this request; ask for \
             another model, or have the policy widened",
        ),
        PolicyRule::KeyResidency => (
            ErrorKind::Permission,
            "the residency policy of this key leaves no target for this request; ask for another \
             model, or have the policy widened",
        ),
    };
    let param = match rule {
        PolicyRule::Tier => Known::PrivacyTier.name(),
        _ => Known::Model.name(),
    };
    denied(kind, message, param, rule.word())
}

fn denied(
    kind: ErrorKind,
    message: impl Into<Cow<'static, str>>,
    param: &'static str,
    word: &'static str,
) -> Rejection {
    let rejection = Rejection::new(kind, message, word).with_param(param);
    match kind {
        ErrorKind::Permission => rejection.with_code("policy"),
        _ => rejection,
    }
}

/// Asks for a tier, as the body's member does.
const HEADER: &str = "x-privacy-tier";
