//! What a route points at, and what a client's model id came to.

use std::borrow::Cow;

use crate::json::write::escape_into;

/// One model at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index into `Plan::providers`.
    pub provider: usize,
    /// The provider's own id of the model.
    pub model: Box<str>,
    /// Its number among the targets of the configuration, for what is remembered of it; none where
    /// a client's id made it.
    pub number: Option<usize>,
    /// The same as a JSON string, quotes included.
    json: Box<[u8]>,
}

impl Target {
    /// A target with its id ready to be written.
    #[must_use]
    pub fn new(provider: usize, model: &str) -> Self {
        let mut json = Vec::with_capacity(model.len() + 2);
        json.push(b'"');
        escape_into(model, &mut json);
        json.push(b'"');
        Self {
            provider,
            model: model.into(),
            number: None,
            json: json.into_boxed_slice(),
        }
    }

    /// The provider's id as a JSON string, quotes included: what replaces the client's value.
    #[must_use]
    pub fn model_json(&self) -> &[u8] {
        &self.json
    }

    /// Whether the body must be changed for this target: the client said another id.
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
pub struct Listed<'p> {
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
    /// By header or by wire: index into `Plan::providers`.
    Provider(usize),
    /// The provider header names no provider of the configuration.
    UnknownProvider,
    /// No provider of the wire is configured.
    NoProvider,
}
