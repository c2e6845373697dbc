//! Where a relayed request goes: the first target that policy leaves, of those that its model, its
//! provider header or its wire come to.

use std::borrow::Cow;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::request_options;
use crate::proxy::admit::{model_allowlist, policy};
use crate::proxy::client::unserved::Unserved;
use crate::proxy::shared::model_ids::bounded;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::{RelayResolution, Resolution, Target};
use crate::telemetry::exchange::{ExchangeRecord, TargetAsked};

/// Where a request goes.
pub struct Routed {
    /// The target.
    pub asked: TargetAsked,
    /// The same, where its name takes the place of the client's.
    pub renamed: Option<Target>,
    /// The number of the price of the model that is asked for.
    pub price: Option<usize>,
    /// Tokens that it gives at most at a time.
    pub output_max: Option<u32>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub struct By<'b> {
    /// The model.
    pub model: Option<&'b str>,
    /// The tier.
    pub tier: Option<&'b str>,
    /// Models beside it, with rules of their own.
    pub others: Others<'b>,
}

/// Models that a body names beside the one that is asked for: those of a batch's requests, fallbacks.
#[derive(Clone, Copy)]
pub enum Others<'b> {
    /// None that matter.
    None,
    /// These.
    Named(&'b [String]),
    /// Any: the body is not looked into.
    Any,
}

/// Finds the target, and tells the record.
///
/// # Errors
/// There is none, or none that the request may go to.
pub fn route(
    plan: &Plan,
    inbound: &Inbound,
    by: By<'_>,
    record: &mut ExchangeRecord,
) -> Result<Routed, Unserved> {
    record.model_asked = by.model.map(|asked| bounded(asked).into());
    let routed = find(plan, inbound, by, record)?;
    record.provider = Some(routed.asked.provider);
    if let Some(asked) = by.model {
        let renamed = routed.renamed.as_ref();
        let sent = renamed.map_or(asked, |target| &target.model);
        record.model_sent = Some(bounded(sent).into());
    }
    Ok(routed)
}

/// A form's `model` that came after its target was chosen: it must be one that the key may use, and
/// lead to the same place under the same name, of which the same is stated.
///
/// # Errors
/// It does not.
pub fn judge_late(
    plan: &Plan,
    inbound: &Inbound,
    by: By<'_>,
    chosen: TargetAsked,
) -> Result<(), Unserved> {
    let mut aside = ExchangeRecord::default();
    let Routed { asked, renamed, .. } = find(plan, inbound, by, &mut aside)?;
    let stated = |it: TargetAsked| plan.stated_at(it.provider, it.number);
    let is_same = asked.provider == chosen.provider && stated(asked) == stated(chosen);
    if is_same && renamed.is_none() {
        return Ok(());
    }
    let message = "model: this field stands behind too much else; send it before the file";
    let rejection = Rejection::new(ErrorKind::InvalidRequest, message, "late_model");
    Err(rejection.with_param("model").into())
}

fn find(
    plan: &Plan,
    inbound: &Inbound,
    By {
        model: asked,
        tier,
        others,
    }: By<'_>,
    record: &mut ExchangeRecord,
) -> Result<Routed, Unserved> {
    let targets = targets(plan, inbound, asked)?;
    let targets = policy::admitted(plan, inbound, targets, (asked, tier), record);
    let targets = targets.and_then(|targets| match others {
        Others::None => Ok(targets),
        Others::Named(names) => {
            let names = names.iter().map(|name| &**name);
            policy::admitted_for(plan, inbound, targets, (names, tier), record)
        }
        Others::Any => {
            let names = plan.told_apart();
            let left = policy::admitted_for(plan, inbound, targets, (names, tier), record);
            left.map_err(policy::unread)
        }
    });
    let targets = targets?;
    let target = targets.first().ok_or_else(Unserved::bug)?;
    let renames = asked.is_some_and(|asked| target.renames(asked));
    Ok(Routed {
        asked: TargetAsked {
            provider: target.provider,
            number: target.number,
            option: target.option,
            rank: 0,
        },
        renamed: renames.then(|| target.clone()),
        price: asked.and_then(|_| plan.price_number(target)),
        output_max: asked.and_then(|_| plan.facts_of(target).output_tokens_max),
    })
}

/// Where the request could go; without a model the targets are providers.
fn targets<'p>(
    plan: &'p Plan,
    inbound: &Inbound,
    asked: Option<&str>,
) -> Result<Cow<'p, [Target]>, Unserved> {
    let header = inbound.provider_header();
    match plan.relay(asked, header, inbound.wire, inbound.key.as_deref()) {
        RelayResolution::Providers(targets) => Ok(Cow::Owned(targets)),
        RelayResolution::Model(Resolution::Found(targets)) => Ok(targets),
        RelayResolution::Model(Resolution::Unknown { near }) => {
            Err(model_allowlist::unknown(asked.unwrap_or_default(), &near).into())
        }
        RelayResolution::Model(Resolution::UnknownProvider) | RelayResolution::UnknownProvider => {
            Err(request_options::unknown_provider().into())
        }
        RelayResolution::NoProvider => {
            let message =
                "no provider of this wire is configured; name one in `x-ringway-provider`";
            Err(Rejection::new(ErrorKind::NotFound, message, "no_provider").into())
        }
    }
}
