//! The compiled, immutable configuration.
//!
//! A [`Plan`] is built once (see `route::compile`) and shared behind an `Arc`. Every reference in
//! it was checked: an index into `providers` is good.
//!
//! Not here: which targets a model id comes to (see `route::select`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::load::material::{SharedMaterial, StoreMaterial, TlsMaterial};
use crate::config::schema::file::{Budgets, Driver, ListenAddress, LogSink, TargetOrder};
use crate::govern::account::usage::Account;
use crate::govern::key::client_key::{Key, KeyDigest, Tenant};
use crate::govern::key::residency::Residency;
use crate::govern::lease::lease_queue::LeaseQueue;
use crate::govern::value::price::Price;
use crate::limits::Limits;
use crate::route::plan::client_key::{ClientKey, ClientKeys};
use crate::route::plan::custody::CustodyFields;
use crate::route::plan::glob::Glob;
use crate::route::plan::plan_ids::PlanIds;
use crate::route::plan::prices::{Prices, RequestPrices};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{Target, TargetFacts};
use crate::route::plan::tenant::AccountRegistry;
use crate::translate::models::{ModelFacts, ModelTable};

/// What the program runs on.
#[derive(Debug)]
pub struct Plan {
    /// Every bound.
    pub limits: Limits,
    /// Listeners and what belongs to them.
    pub server: ServerPlan,
    /// Providers, in the order of the configuration.
    pub providers: Vec<Provider>,
    /// Models that clients may ask for, in the order of the configuration.
    pub models: Vec<Model>,
    /// The ids of its providers and targets, and of those of plans before it.
    pub ids: PlanIds,
    /// Different targets in `models`; their numbers lie below it.
    pub target_count: usize,
    /// Index into `models` by id and alias.
    pub(crate) by_id: HashMap<Box<str>, usize>,
    /// Provider of ids that are in no table; the first fitting pattern decides.
    pub defaults: Vec<DefaultRule>,
    /// Where usage records are kept; `None`: nowhere.
    pub usage: Option<UsagePlan>,
    /// Tiers that any target states.
    pub tiers: Box<[Box<str>]>,
    /// Index into `models`, and into its targets, by number.
    pub(crate) by_number: Box<[(usize, usize)]>,
    /// Targets that state something of their own, by their models: it holds for them by whatever id
    /// they are asked for.
    pub(crate) deployments: HashMap<Box<str>, Vec<Target>>,
    /// Some model has a residency.
    pub(crate) has_residency: bool,
    /// What answers say of where a request went.
    pub custody: CustodyFields,
    /// Client keys at start; none: whoever can connect may use everything.
    pub keys: ClientKeys,
    /// The keys of the configuration.
    pub configured_keys: Vec<Key>,
    /// The tenants of the configuration.
    pub configured_tenants: Vec<Tenant>,
    /// Where keys are kept that are made at run time.
    pub store: Option<StoreMaterial>,
    /// The counters that several replicas share.
    pub shared: Option<SharedCounters>,
    /// SHA-256 of the credential of those who manage keys.
    pub admin_digest: Option<KeyDigest>,
    /// The accounts of tenants and keys that are open, and the numbers of tenants.
    pub accounts: AccountRegistry,
    /// The header that outranks the usual carriers of a client's key, lower case.
    pub gateway_key_header: Option<Box<str>>,
    /// What is known of models: the built-in table and the configuration's additions.
    pub facts: ModelTable,
    /// The same of each target of the configuration, by its number.
    pub(crate) target_facts: Vec<ModelFacts>,
    /// What models cost.
    pub prices: Prices,
    /// The number of the price of each target of the configuration, by its number.
    pub(crate) target_prices: Vec<Option<usize>>,
    /// What requests to relayed endpoints cost each.
    pub request_prices: RequestPrices,
    /// What holds for keys and tenants with a budget.
    pub budgets: Budgets,
}

/// The counters that several replicas share.
#[derive(Debug)]
pub struct SharedCounters {
    /// Where they stand.
    pub material: SharedMaterial,
    /// Where accounts call for them.
    pub pool: Arc<LeaseQueue<Account>>,
}

/// Where usage records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsagePlan {
    /// Folder of the journal.
    pub journal: PathBuf,
    /// Between two flushes to the disk.
    pub flush_ms: u64,
    /// Bound of the journal.
    pub journal_bytes_max: u64,
    /// For how many days the store keeps them; `None`: for ever.
    pub keep_days: Option<u64>,
}

/// Listeners and what belongs to them.
#[derive(Debug)]
pub struct ServerPlan {
    /// Addresses for clients; at least one.
    pub listen: Vec<ListenAddress>,
    /// Address of the admin listener.
    pub admin: Option<ListenAddress>,
    /// Data threads; `None`: one for each usable core.
    pub workers: Option<usize>,
    /// How sockets are driven.
    pub driver: Driver,
    /// Certificate and key, where clients come by TLS.
    pub tls: Option<TlsMaterial>,
    /// Where the access log goes.
    pub log: LogSink,
    /// Whether answers carry `server-timing`.
    pub server_timing: bool,
    /// A request goes only to targets that are not known to lack what its content needs.
    pub capability_gate: bool,
    /// Milliseconds after which a streamed chat gets its head, answered or not; nought: never.
    pub early_head_after_ms: u64,
    /// Whether the catalogue for those without a key is shown.
    pub public_catalogue: bool,
    /// Origins that browsers may come from; `*` for all; empty: CORS is off.
    pub cors_origins: Vec<Box<str>>,
}

/// One model that clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The id that clients say.
    pub id: Box<str>,
    /// Other ids for the same.
    pub aliases: Vec<Box<str>>,
    /// Where requests go, in order; at least one.
    pub targets: Vec<Target>,
    /// The same as the server's of this name, where it differs.
    pub early_head_after_ms: Option<u64>,
    /// What decides among those of the same priority.
    pub order: TargetOrder,
    /// To a stream's first content; `None`: as at each provider.
    pub first_token_ms: Option<u64>,
    /// Deltas per second that a stream must bring before its commit; `None`: as at each provider.
    pub stream_rate_min: Option<u64>,
    /// Where its requests may go.
    pub residency: Option<Residency>,
}

/// Provider of bare ids that fit a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRule {
    /// Ids, as the client says them.
    pub ids: Glob,
    /// Index into `Plan::providers`.
    pub provider: usize,
}

impl Plan {
    /// The client key at start that was presented; costs the same whether or not it exists.
    #[must_use]
    pub fn key(&self, presented: &[u8]) -> Option<&ClientKey> {
        self.keys.find(presented)
    }

    /// Whether whoever can connect may use everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.keys.is_open()
    }

    /// Index of a provider by its name.
    #[must_use]
    pub fn provider_index(&self, name: &str) -> Option<usize> {
        self.providers
            .iter()
            .position(|provider| *provider.name == *name)
    }

    /// Whether every id goes to one provider under its own name, so that no body need be read to
    /// send it on.
    #[must_use]
    pub fn leads_one_way(&self) -> bool {
        let keeps = |model: &Model| {
            let mut ids = core::iter::once(&model.id).chain(&model.aliases);
            model
                .targets
                .first()
                .is_some_and(|target| !ids.any(|id| target.renames(id)))
        };
        self.providers.len() == 1 && self.models.iter().all(keeps)
    }

    /// The provider of a target.
    #[must_use]
    pub fn provider_of(&self, target: &Target) -> Option<&Provider> {
        self.providers.get(target.provider)
    }

    /// How many credentials a target can be asked with.
    #[must_use]
    pub fn key_count_of(&self, target: &Target) -> usize {
        self.provider_of(target).map_or(1, Provider::key_count)
    }

    /// What is stated of a target.
    #[must_use]
    pub fn stated_of<'p>(&'p self, target: &'p Target) -> Option<&'p TargetFacts> {
        let own = target.facts.as_deref();
        own.or_else(|| self.provider_of(target).map(|provider| &provider.facts))
    }

    /// A target of the configuration by its number.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Option<&Target> {
        let (model, option) = self.by_number.get(number)?;
        self.models.get(*model)?.targets.get(*option)
    }

    /// What is stated of a target: by its number, or where it has none, of its provider.
    #[must_use]
    pub fn stated_at(&self, provider: usize, number: Option<usize>) -> Option<&TargetFacts> {
        let target = number.and_then(|number| self.numbered(number));
        match target {
            Some(target) => self.stated_of(target),
            None => self.providers.get(provider).map(|provider| &provider.facts),
        }
    }

    /// The residency of the model that an id stands for.
    #[must_use]
    pub fn residency_of(&self, id: &str) -> Option<&Residency> {
        let model = self.has_residency.then(|| self.model(id)).flatten();
        model?.residency.as_ref()
    }

    /// Whether a name by which a body asks for a model may be held to other rules than the provider
    /// that it goes to: a model with a residency, or a deployment that states something of its own.
    #[must_use]
    pub fn is_told_apart(&self, name: &str) -> bool {
        self.deployments.contains_key(name) || self.residency_of(name).is_some()
    }

    /// Whether there is such a name.
    #[must_use]
    pub fn tells_apart(&self) -> bool {
        self.has_residency || !self.deployments.is_empty()
    }

    /// Every such name.
    pub fn told_apart(&self) -> impl Iterator<Item = &str> {
        let models = self.models.iter().filter(|it| it.residency.is_some());
        let ids = models.map(|model| &*model.id);
        ids.chain(self.deployments.keys().map(|name| &**name))
    }

    /// What is known of a target's model; only that of a client's own naming is looked up.
    #[must_use]
    pub fn facts_of(&self, target: &Target) -> &ModelFacts {
        let known = target
            .number
            .and_then(|number| self.target_facts.get(number));
        known.unwrap_or_else(|| self.facts.facts(&target.model))
    }

    /// After how many milliseconds a streamed chat for an id gets its head, answered or not.
    #[must_use]
    pub fn early_head_ms(&self, asked: &str) -> Option<u64> {
        let own = self
            .model(asked)
            .and_then(|model| model.early_head_after_ms);
        let ms = own.unwrap_or(self.server.early_head_after_ms);
        (ms > 0).then_some(ms)
    }

    /// The number of a target's price; only that of a client's own naming is looked up.
    #[must_use]
    pub fn price_number(&self, target: &Target) -> Option<usize> {
        match target
            .number
            .and_then(|number| self.target_prices.get(number))
        {
            Some(known) => *known,
            None => self.prices.find(self.provider_of(target)?, &target.model),
        }
    }

    /// What a target costs, where that is known.
    #[must_use]
    pub fn price_of(&self, target: &Target) -> Option<&Price> {
        self.prices.get(self.price_number(target)?)
    }

    /// A model by id or alias, exact.
    #[must_use]
    pub fn model(&self, id: &str) -> Option<&Model> {
        self.models.get(*self.by_id.get(id)?)
    }
}
