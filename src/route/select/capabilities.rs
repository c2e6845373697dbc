//! What is known of a model over all of its targets, and which targets can take a request.
//!
//! - What the gate looks after (images, PDF documents, audio, tools) a model has as soon as one of
//!   its targets has it: a request that brings it goes there. It lacks it only where all do.
//! - Everything else holds for a request wherever it goes: yes where all targets say so, no as soon
//!   as one does, the least of all limits. With the gate off that goes for all of it.
//!
//! What some target leaves open is left open, and an open fact never refuses.

use crate::govern::value::price::Price;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::Target;
use crate::translate::models::{Efforts, ModelFacts, Thinking};
use crate::wire::peek::required_capabilities::{Need, Needs};

/// What a model can do, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Images are taken.
    pub vision: Option<bool>,
    /// PDF documents are taken.
    pub pdf: Option<bool>,
    /// Tools are taken.
    pub tools: Option<bool>,
    /// The model can think before it answers.
    pub thinking: Option<bool>,
    /// Answers may be bound to a schema.
    pub structured_outputs: Option<bool>,
    /// Tokens of the context window.
    pub context_window: Option<u32>,
    /// Most tokens of one answer.
    pub output_tokens_max: Option<u32>,
    /// How thinking is controlled on the Anthropic wire.
    pub thinks_by: Option<Thinking>,
    /// The effort levels that are taken.
    pub efforts: Option<Efforts>,
}

impl Plan {
    /// What the model with these targets can do.
    #[must_use]
    pub fn capabilities(&self, targets: &[Target]) -> Capabilities {
        let facts: Vec<&ModelFacts> = targets.iter().map(|it| self.facts_of(it)).collect();
        let gated = |fact: fn(&ModelFacts) -> Option<bool>| {
            let given = facts.iter().map(|facts| fact(facts));
            judge(given, self.server.capability_gate)
        };
        let always = |fact: fn(&ModelFacts) -> Option<bool>| {
            judge(facts.iter().map(|facts| fact(facts)), false)
        };
        let least = |limit: fn(&ModelFacts) -> Option<u32>| {
            let mut given = facts.iter().map(|facts| limit(facts));
            let first = given.next().flatten();
            given.fold(first, |least, limit| Some(least?.min(limit?)))
        };
        let mut controls = facts.iter().map(|facts| facts.thinking);
        let first = controls.next().flatten();
        let mut efforts = facts.iter().map(|facts| facts.known_efforts());
        let levels = efforts.next().flatten();
        Capabilities {
            vision: gated(|facts| facts.vision),
            pdf: gated(|facts| facts.pdf),
            tools: gated(|facts| facts.tools),
            thinking: always(|facts| facts.reasoning),
            structured_outputs: always(|facts| facts.structured_outputs),
            context_window: least(|facts| facts.context_tokens),
            output_tokens_max: least(|facts| facts.output_tokens_max),
            thinks_by: first.filter(|_| controls.all(|control| control == first)),
            efforts: efforts.fold(levels, |all, levels| Some(all?.shared(levels?))),
        }
    }

    /// The tiers that the targets state, each once, in the order in which they are tried.
    #[must_use]
    pub fn tiers<'p>(&'p self, targets: &'p [Target]) -> Vec<&'p str> {
        let stated = targets.iter().filter_map(|target| self.stated_of(target));
        let mut tiers = Vec::new();
        for tier in stated.filter_map(|stated| stated.tier.as_deref()) {
            if !tiers.contains(&tier) {
                tiers.push(tier);
            }
        }
        tiers
    }

    /// What the targets cost, each with its tier, as far as either is known; what is the same once.
    #[must_use]
    pub fn offers<'p>(&'p self, targets: &'p [Target]) -> Vec<(Option<&'p str>, &'p Price)> {
        let mut offers = Vec::new();
        for target in targets {
            let stated = self.stated_of(target);
            let tier = stated.and_then(|stated| stated.tier.as_deref());
            if let Some(price) = self.price_of(target)
                && !offers.contains(&(tier, price))
            {
                offers.push((tier, price));
            }
        }
        offers
    }

    /// The first of a request's needs that a target is known not to meet.
    #[must_use]
    pub fn lacks(&self, target: &Target, needs: &Needs) -> Option<Need> {
        if needs.is_empty() || !self.server.capability_gate {
            return None;
        }
        let facts = self.facts_of(target);
        needs.iter().find(|need| {
            let known = match need {
                Need::Vision => facts.vision,
                Need::Pdf => facts.pdf,
                Need::Audio => facts.audio,
                Need::Tools => facts.tools,
            };
            known == Some(false)
        })
    }
}

/// What several targets say of one fact. `any`: one that has it is enough.
fn judge(mut given: impl Iterator<Item = Option<bool>> + Clone, any: bool) -> Option<bool> {
    if given.clone().any(|fact| fact == Some(any)) {
        return Some(any);
    }
    given.all(|fact| fact == Some(!any)).then_some(!any)
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn ni16_facts_of_several_targets_are_joined_by_who_decides() {
        let (yes, no) = (Some(true), Some(false));
        for (given, any, all) in [
            (&[yes, yes][..], yes, yes),
            (&[yes, no], yes, no),
            (&[no, None, yes], yes, no),
            (&[yes, None], yes, None),
            (&[None, no], None, no),
            (&[no, no], no, no),
            (&[None, None], None, None),
        ] {
            assert_eq!(judge(given.iter().copied(), true), any, "{given:?}");
            assert_eq!(judge(given.iter().copied(), false), all, "{given:?}");
        }
    }
}
