//! Which of a model's targets a request may go to: by the tier that it asks for, the tiers of its
//! key, and the residency of its model, its tenant and its key.
//!
//! The cut comes before anything is sent, and no fallback leads around it.

use std::borrow::Cow;

use crate::govern::key::residency::{Residency, TargetLocation};
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::{Target, TargetFacts};

/// What narrows the targets of one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy<'r> {
    /// The tier that the request asks for.
    pub tier: Option<&'r str>,
    /// The key, with its tiers, its residency and its tenant's.
    pub key: Option<&'r ClientKey>,
    /// The model's residency.
    pub model: Option<&'r Residency>,
}

/// One of the rules, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyRule {
    /// The tier that was asked for.
    Tier,
    /// The tiers of the key.
    KeyTiers,
    /// The residency of the model.
    ModelResidency,
    /// The residency of the tenant.
    TenantResidency,
    /// The residency of the key.
    KeyResidency,
}

impl PolicyRule {
    const ALL: [Self; 5] = [
        Self::Tier,
        Self::KeyTiers,
        Self::ModelResidency,
        Self::TenantResidency,
        Self::KeyResidency,
    ];

    /// Whether the key alone decides what it admits, with its tenant.
    const fn is_of_key(self) -> bool {
        match self {
            Self::Tier | Self::ModelResidency => false,
            Self::KeyTiers | Self::TenantResidency | Self::KeyResidency => true,
        }
    }

    /// Its word in logs and records.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::KeyTiers => "key_tiers",
            Self::ModelResidency => "model_residency",
            Self::TenantResidency => "tenant_residency",
            Self::KeyResidency => "key_residency",
        }
    }
}

impl Policy<'_> {
    /// Whether a key may use targets of this tier.
    #[must_use]
    pub fn allows_tier(&self, tier: &str) -> bool {
        let tiers = self.key.and_then(|key| key.tiers.as_deref());
        tiers.is_none_or(|tiers| tiers.iter().any(|allowed| **allowed == *tier))
    }

    fn residency(&self, rule: PolicyRule) -> Option<&Residency> {
        match rule {
            PolicyRule::Tier | PolicyRule::KeyTiers => None,
            PolicyRule::ModelResidency => self.model,
            PolicyRule::TenantResidency => self.key.and_then(|key| key.tenant.residency.as_ref()),
            PolicyRule::KeyResidency => self.key.and_then(|key| key.residency.as_ref()),
        }
    }

    /// Whether a rule restricts anything.
    fn has(&self, rule: PolicyRule) -> bool {
        match rule {
            PolicyRule::Tier => self.tier.is_some(),
            PolicyRule::KeyTiers => self.key.is_some_and(|key| key.tiers.is_some()),
            PolicyRule::ModelResidency | PolicyRule::TenantResidency | PolicyRule::KeyResidency => {
                self.residency(rule).is_some()
            }
        }
    }

    fn admits(&self, rule: PolicyRule, facts: &TargetFacts, provider: &str) -> bool {
        let tier = facts.tier.as_deref();
        match rule {
            PolicyRule::Tier => self.tier.is_none_or(|asked| tier == Some(asked)),
            PolicyRule::KeyTiers => match tier {
                Some(tier) => self.allows_tier(tier),
                None => !self.has(rule),
            },
            PolicyRule::ModelResidency | PolicyRule::TenantResidency | PolicyRule::KeyResidency => {
                let place = TargetLocation {
                    jurisdiction: facts.jurisdiction.as_deref(),
                    region: facts.region.as_deref(),
                    provider,
                };
                let rule = self.residency(rule);
                rule.is_none_or(|residency| residency.admits(place))
            }
        }
    }
}

impl Plan {
    /// The targets that a request may go to, in their order. `cut` is told each rule that took one
    /// out.
    ///
    /// # Errors
    /// The rule that left none.
    pub fn admitted<'t>(
        &self,
        mut targets: Cow<'t, [Target]>,
        policy: &Policy<'_>,
        mut cut: impl FnMut(PolicyRule),
    ) -> Result<Cow<'t, [Target]>, PolicyRule> {
        let mut judged = None;
        for rule in PolicyRule::ALL.into_iter().filter(|&rule| policy.has(rule)) {
            if let Some(key) = policy.key.filter(|_| rule.is_of_key()) {
                if targets.iter().all(|it| key.opened.has(it.number)) {
                    continue;
                }
                judged = Some(key);
            }
            let admits = |target: &Target| self.admits(target, policy, rule);
            if targets.iter().all(admits) {
                continue;
            }
            cut(rule);
            targets = targets
                .iter()
                .filter(|each| admits(each))
                .cloned()
                .collect();
            if targets.is_empty() {
                return Err(rule);
            }
        }
        if let Some(key) = judged {
            targets.iter().for_each(|it| key.opened.note(it.number));
        }
        Ok(targets)
    }

    /// The targets of the model of this id that are open to a key, whatever tier a request asks for.
    #[must_use]
    pub fn open<'t>(
        &self,
        (id, targets): (&str, Cow<'t, [Target]>),
        key: Option<&ClientKey>,
    ) -> Option<Cow<'t, [Target]>> {
        let policy = Policy {
            key,
            model: self.residency_of(id),
            ..Policy::default()
        };
        self.admitted(targets, &policy, |_| {}).ok()
    }

    /// Whether a policy, or the residency of a model, could take a target out.
    #[must_use]
    pub fn may_cut(&self, policy: &Policy<'_>) -> bool {
        self.has_residency || PolicyRule::ALL.into_iter().any(|rule| policy.has(rule))
    }

    fn admits(&self, target: &Target, policy: &Policy<'_>, rule: PolicyRule) -> bool {
        let facts = self.stated_of(target);
        let provider = self.provider_of(target);
        facts
            .zip(provider)
            .is_some_and(|(facts, provider)| policy.admits(rule, facts, &provider.name))
    }
}

#[cfg(test)]
mod tests;
