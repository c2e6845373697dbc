//! What is asked of a model's targets: a chat or a count, whose it is, and what its body needs.

use crate::config::schema::file::TargetOrder;
use crate::net::runtime::clock::Instant;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::shared::worker::Worker;
use crate::route::plan::compiled::Model;
use crate::route::plan::target::Target;
use crate::wire::codec;
use crate::wire::kind::Wire;
use crate::wire::peek::found::Peek;

/// What the targets are asked.
#[derive(Clone, Copy)]
pub struct Asked<'r, 'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The client's request.
    pub inbound: &'r Inbound,
    /// What was seen in its body.
    pub peek: &'r Peek,
    /// A chat or a count.
    pub purpose: Purpose,
    /// The model of the configuration, where it has several targets.
    pub model: Option<&'w Model>,
    /// The order that the request itself asks for.
    pub order: Option<TargetOrder>,
    /// When the request had been read.
    pub at: Instant,
}

/// Which endpoint of the provider is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A chat.
    Chat,
    /// `count_tokens` at a provider that has it.
    Count,
}

impl Purpose {
    /// Whether a provider of this wire is sent nothing: it counts no tokens, so that they are
    /// estimated here.
    #[must_use]
    pub fn is_estimated(self, wire: Wire) -> bool {
        self == Self::Count && codec::conventions(wire).count_path.is_none()
    }
}

impl Asked<'_, '_> {
    /// Whether a target is not known to lack what the content needs.
    #[must_use]
    pub fn takes(&self, target: &Target) -> bool {
        let needs = self.peek.needs();
        self.worker.plan.lacks(target, needs).is_none()
    }
}
