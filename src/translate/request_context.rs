//! What the translation of a request knows beside its body.

use crate::limits::Limits;
use crate::translate::models::ModelFacts;
use crate::wire::kind::{Dialect, Wire};

/// What a translation knows beside the body.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext<'a> {
    /// The client's wire.
    pub from: Wire,
    /// The upstream's wire.
    pub to: Wire,
    /// The upstream's quirks.
    pub dialect: &'a Dialect,
    /// The model's id at the upstream.
    pub model: &'a str,
    /// What that model takes.
    pub facts: &'a ModelFacts,
    /// What the request's head asked for.
    pub hints: Hints<'a>,
    /// Bounds of the body.
    pub limits: &'a Limits,
    /// Seconds since 1970, for the answer.
    pub created: u64,
    /// Random per exchange, for the answer. Never used in the request.
    pub seed: u64,
}

/// What the request's head and the route ask of a translation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// `x-ringway-strict: 1`: every loss is a refusal.
    pub strict: bool,
    /// `x-ringway-reasoning`: which members carry reasoning in the answer.
    pub reasoning: Option<&'a [u8]>,
    /// `x-portkey-strict-open-ai-compliance`.
    pub portkey_strict: Option<bool>,
    /// The head names flags of `anthropic-beta`.
    pub betas: bool,
    /// The route adds a cache mark where the client set none.
    pub auto_cache: bool,
}
