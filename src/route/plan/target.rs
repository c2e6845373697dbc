//! What a route points at, and what a client's model id came to.

use core::net::IpAddr;
use std::borrow::Cow;
use std::sync::Arc;

use crate::config::schema::network::Network;
use crate::route::plan::ids::TargetId;

/// One model at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index into `Plan::providers`.
    pub provider: usize,
    /// The provider's own id of the model.
    pub model: Box<str>,
    /// Its number among the targets of this plan, for tables of the plan; none where a client's id made it.
    pub number: Option<usize>,
    /// The same in every plan that has this target; none where a client's id made it.
    pub id: Option<TargetId>,
    /// Its place in its model's list; nought where a client's id made it.
    pub option: usize,
    /// What is stated of it; `None`: what its provider states.
    pub facts: Option<Arc<TargetFacts>>,
    /// Its share among targets of the same priority.
    pub weight: u32,
    /// Lower ones stand first.
    pub priority: u32,
    /// What its names come to, for draws among targets; nought where a client's id made it, which
    /// has no rival.
    pub identity: u64,
}

/// What is stated of a deployment: where it stands, and in whose hands. What is not stated is not
/// known, and nobody is told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetFacts {
    /// The class of deployment that clients choose by `privacy_tier`.
    pub tier: Option<Box<str>>,
    /// The region at the provider.
    pub region: Option<Box<str>>,
    /// Whose law it is under.
    pub jurisdiction: Option<Box<str>>,
    /// Its name in a chain of custody.
    pub custody_label: Option<Box<str>>,
    /// Whose credential is used.
    pub credential_source: Option<Box<str>>,
    /// Networks in which its addresses must lie; `None`: any.
    pub networks: Option<Box<[Network]>>,
}

impl TargetFacts {
    /// Whether a connection may go to this address.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        let networks = self.networks.as_deref();
        networks.is_none_or(|networks| networks.iter().any(|network| network.holds(address)))
    }
}

impl Target {
    /// A target of this model at this provider.
    #[must_use]
    pub fn new(provider: usize, model: &str) -> Self {
        Self {
            provider,
            model: model.into(),
            number: None,
            id: None,
            option: 0,
            facts: None,
            weight: 1,
            priority: 0,
            identity: 0,
        }
    }

    /// Whether it is the same model at the same provider.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.provider == other.provider && self.model == other.model
    }

    /// Whether the body must be changed for this target: the client wrote another id.
    #[must_use]
    pub fn renames(&self, asked: &str) -> bool {
        *self.model != *asked
    }
}

/// What a client's model id came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution<'p> {
    /// The targets, in the order in which they are tried; at least one.
    Found(Cow<'p, [Target]>),
    /// No such model, or none that this key may use: the two look alike.
    Unknown {
        /// Up to [`NEAR_IDS_MAX`](crate::limits::NEAR_IDS_MAX) ids that were perhaps meant, from
        /// the key's own list.
        near: Vec<&'p str>,
    },
    /// The provider header names no provider of the configuration.
    UnknownProvider,
}

/// A model as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel<'p> {
    /// The id that clients say.
    pub id: &'p str,
    /// Its targets, in order.
    pub targets: Cow<'p, [Target]>,
}

/// Where a relayed request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayResolution<'p> {
    /// By the body's model: as for a chat request.
    Model(Resolution<'p>),
    /// By header, or by wire all that speak it, each as a target without a model.
    Providers(Vec<Target>),
    /// The provider header names no provider of the configuration.
    UnknownProvider,
    /// No provider of the wire is configured.
    NoProvider,
}
