//! From what a client asks to where it goes.
//!
//! The order is fixed: exact id, alias, `@provider/model`, `provider/model` for a configured
//! name, bare id by header or by the default rules, unknown. Nothing is guessed.
//!
//! - A key's patterns are held against the id as the client wrote it, before anything is looked
//!   up: forbidden and unknown ids take the same way.
//! - The provider header counts for bare ids alone: an id that names its provider outranks it.
//!   Where the bare id is in the table, the header picks among its targets; where none of them is
//!   at that provider, the provider gets the id as it was written.

use std::borrow::Cow;

use crate::limits::{MODEL_ID_BYTES_MAX, NEAR_CANDIDATES_MAX, NEAR_IDS_MAX};
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::compiled::{Model, Plan};
use crate::route::plan::glob::Glob;
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{ListedModel, RelayResolution, Resolution, Target};
use crate::wire::kind::Wire;

impl Plan {
    /// The targets for a model id, as the client wrote it, unescaped.
    ///
    /// `provider_header` is the value of `x-portkey-provider` or `x-ringway-provider`: a
    /// provider's name, with or without `@` before it. `key` is `None` on an open gateway.
    #[must_use]
    pub fn resolve(
        &self,
        asked: &str,
        provider_header: Option<&str>,
        key: Option<&ClientKey>,
    ) -> Resolution<'_> {
        if !is_sayable(asked) || key.is_some_and(|key| !key.allows(asked)) {
            return self.unknown(asked, key);
        }
        let Some(name) = provider_header else {
            return self.by_id(asked, key);
        };
        let Some(provider) = self.provider_index(slug(name)) else {
            return Resolution::UnknownProvider;
        };
        self.by_header(asked, provider, key)
    }

    /// Where a relayed request goes: by the body's model, else by header, else by wire.
    #[must_use]
    pub fn relay(
        &self,
        model: Option<&str>,
        provider_header: Option<&str>,
        wire: Wire,
        key: Option<&ClientKey>,
    ) -> RelayResolution<'_> {
        if let Some(asked) = model {
            return RelayResolution::Model(self.resolve(asked, provider_header, key));
        }
        if let Some(name) = provider_header {
            return match self.provider_index(slug(name)) {
                Some(provider) => RelayResolution::Providers(vec![Target::new(provider, "")]),
                None => RelayResolution::UnknownProvider,
            };
        }
        let speaks = |(_, provider): &(usize, &Provider)| provider.wire == wire;
        let providers = self.providers.iter().enumerate().filter(speaks);
        let targets: Vec<Target> = providers.map(|(index, _)| Target::new(index, "")).collect();
        match targets.is_empty() {
            true => RelayResolution::NoProvider,
            false => RelayResolution::Providers(targets),
        }
    }

    /// Whether an id is served, but not under that name by the provider of a request that names no
    /// model.
    #[must_use]
    pub fn leads_elsewhere(&self, asked: &str, wire: Wire) -> bool {
        let Resolution::Found(targets) = self.resolve(asked, None, None) else {
            return false;
        };
        let RelayResolution::Providers(own) = self.relay(None, None, wire, None) else {
            return true;
        };
        let (target, own) = (targets.first(), own.first());
        let pair = target.zip(own);
        pair.is_some_and(|(to, own)| to.provider != own.provider || to.renames(asked))
    }

    /// Ids and aliases that `/v1/models` lists for a key, with their models, in order.
    pub fn models_for(&self, key: Option<&ClientKey>) -> impl Iterator<Item = (&str, &Model)> {
        let given = self.models.iter().flat_map(|model| {
            let aliases = model.aliases.iter();
            let ids = core::iter::once(&model.id).chain(aliases);
            ids.map(move |id| (&**id, model))
        });
        given.filter(move |(id, _)| key.is_none_or(|key| key.allows(id)))
    }

    /// Ids near to one that is unknown, from the key's own list.
    #[must_use]
    pub fn near(&self, asked: &str, key: Option<&ClientKey>) -> Vec<&str> {
        near_ids(asked, self.models_for(key).map(|(id, _)| id))
    }

    /// What `/v1/models` shows to a key: ids and aliases of the configuration, then what the key's
    /// own patterns spell out; each with the targets that are open to it, and none without.
    #[must_use]
    pub fn listed<'p>(&'p self, key: Option<&'p ClientKey>) -> Vec<ListedModel<'p>> {
        let open = |id, targets| {
            let targets = self.open((id, targets), key)?;
            Some(ListedModel { id, targets })
        };
        let configured = self.models_for(key);
        let configured =
            configured.filter_map(|(id, model)| open(id, Cow::Borrowed(&model.targets)));
        let mut listed: Vec<ListedModel<'_>> = configured.collect();
        let patterns = key.and_then(|key| key.models.as_deref());
        for id in patterns.into_iter().flatten().filter_map(Glob::literal) {
            if self.model(id).is_none()
                && let Resolution::Found(targets) = self.resolve(id, None, key)
            {
                listed.extend(open(id, targets));
            }
        }
        listed
    }

    /// The name of the provider that is asked first.
    #[must_use]
    pub fn owner(&self, targets: &[Target]) -> &str {
        let provider = targets.first().and_then(|target| self.provider_of(target));
        provider.map_or("", |provider| &*provider.name)
    }

    fn by_id(&self, asked: &str, key: Option<&ClientKey>) -> Resolution<'_> {
        if let Some(model) = self.model(asked) {
            return Resolution::Found(Cow::Borrowed(&model.targets));
        }
        if let Some(target) = self.named(asked).or_else(|| self.by_default(asked)) {
            return found(target);
        }
        self.unknown(asked, key)
    }

    fn by_header(&self, asked: &str, provider: usize, key: Option<&ClientKey>) -> Resolution<'_> {
        let Some(model) = self.model(asked) else {
            return found(
                self.named(asked)
                    .unwrap_or_else(|| self.made(provider, asked)),
            );
        };
        let at_provider = model
            .targets
            .iter()
            .filter(|target| target.provider == provider);
        let picked: Vec<Target> = at_provider.cloned().collect();
        if !picked.is_empty() {
            return Resolution::Found(Cow::Owned(picked));
        }
        if self.named(asked).is_some() {
            return self.by_id(asked, key);
        }
        found(self.made(provider, asked))
    }

    /// `@provider/model`, or `provider/model` for a configured name.
    fn named(&self, asked: &str) -> Option<Target> {
        let (name, model) = slug(asked).split_once('/')?;
        let provider = self.provider_index(name)?;
        (!model.is_empty()).then(|| self.made(provider, model))
    }

    /// A target of a client's own naming; one that the configuration says more of is that one.
    #[must_use]
    pub fn made(&self, provider: usize, model: &str) -> Target {
        let known = self.deployments.get(model).into_iter().flatten();
        let mut known = known.filter(|target| target.provider == provider);
        let made = || Target::new(provider, model);
        known.next().cloned().unwrap_or_else(made)
    }

    fn by_default(&self, asked: &str) -> Option<Target> {
        let rule = self.defaults.iter().find(|rule| rule.ids.matches(asked))?;
        Some(self.made(rule.provider, asked))
    }

    fn unknown(&self, asked: &str, key: Option<&ClientKey>) -> Resolution<'_> {
        Resolution::Unknown {
            near: self.near(asked, key),
        }
    }
}

fn found(target: Target) -> Resolution<'static> {
    Resolution::Found(Cow::Owned(vec![target]))
}

/// A provider's name as clients say it, less the `@` that may stand before it.
fn slug(name: &str) -> &str {
    name.strip_prefix('@').unwrap_or(name)
}

/// Whether an id can be looked up at all.
fn is_sayable(asked: &str) -> bool {
    !asked.is_empty() && asked.len() <= MODEL_ID_BYTES_MAX
}

/// Ids close to the asked one, closest first. Compares a bounded number of ids of like length.
fn near_ids<'p>(asked: &str, ids: impl Iterator<Item = &'p str>) -> Vec<&'p str> {
    if asked.is_empty() || asked.len() > NEAR_ID_BYTES_MAX {
        return Vec::new();
    }
    let alike = ids.filter(|id| holds(asked, id) || id.len().abs_diff(asked.len()) <= bound(asked));
    let scored = alike.take(NEAR_CANDIDATES_MAX);
    let scored = scored.filter_map(|id| Some((distance(asked, id)?, id)));
    let mut scored: Vec<_> = scored.collect();
    scored.sort_by_key(|&(distance, _)| distance);
    scored.truncate(NEAR_IDS_MAX);
    scored.into_iter().map(|(_, id)| id).collect()
}

/// How far an id is from the asked one, in letters wrong, missing, too many or swapped; capitals
/// cost nothing. `None`: too far to be meant.
fn distance(asked: &str, id: &str) -> Option<usize> {
    let (asked, id) = (&*asked.to_ascii_lowercase(), &*id.to_ascii_lowercase());
    if asked != id && holds(asked, id) {
        return Some(1);
    }
    let distance = strsim::osa_distance(asked, id);
    (distance <= bound(asked)).then_some(distance)
}

/// Whether one of the two holds the other whole.
fn holds(asked: &str, id: &str) -> bool {
    let is_part =
        |part: &str, whole: &str| part.len() >= NEAR_PART_BYTES_MIN && whole.contains(part);
    is_part(asked, id) || is_part(id, asked)
}

/// Slips that still count as meant.
fn bound(asked: &str) -> usize {
    (asked.len() / 3).max(1)
}

/// Longer ids are not compared: the work of one comparison is the product of both lengths.
const NEAR_ID_BYTES_MAX: usize = 96;

/// An id within another one is near if it is at least this long.
const NEAR_PART_BYTES_MIN: usize = 4;

#[cfg(test)]
mod tests;
