//! What parts of a configuration do not allow together although each is well formed: a budget that
//! nothing can be charged to, a pattern that fits nothing, an address outside its networks, keys that
//! cross a network in clear text.
//!
//! What cannot work is a fault. What may be meant is a warning, with what to change.
//!
//! Not here: what needs a clock or the file system (see `command::prepare` and `command::check`).

use std::collections::HashSet;

use crate::config::read::address;
use crate::config::schema::fault::{Faults, Located, Location, nearest, shown};
use crate::config::schema::file::{AllowanceConfig, Config, ListenAddress, Unpriced};
use crate::config::schema::network::Network;
use crate::route::compile::base_url;
use crate::route::compile::provider::OUTSIDE;
use crate::route::plan::compiled::{Model, Plan};
use crate::route::plan::glob::Glob;
use crate::route::plan::provider::Provider;
use crate::route::plan::target::{Resolution, Target};

/// The parts of a configuration that faults point at, kept while the plan is made of the rest.
pub(crate) struct ConfigParts {
    listen: Vec<Located<ListenAddress>>,
    admin: Option<Located<ListenAddress>>,
    /// What comes to the listeners has come over TLS as far as a proxy before them.
    is_behind_tls_proxy: bool,
    targets: Vec<(Located<String>, Option<Vec<Network>>)>,
    prices: Vec<Located<String>>,
    tenants: Vec<(String, Option<Location>)>,
    keys: Vec<KeySummary>,
}

/// One `[[key]]`.
struct KeySummary {
    tenant: String,
    models: Option<Vec<Located<String>>>,
    budget: Option<Location>,
}

impl ConfigParts {
    /// Of a whole configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let targets = config.models.iter().flat_map(|model| &model.targets);
        let targets = targets.map(|it| (it.model.clone(), it.stated.networks.clone()));
        let tenants = config.tenants.iter().filter_map(|tenant| {
            let name = tenant.name.as_ref()?.value.clone();
            Some((name, budget_of(&tenant.allowance)))
        });
        let keys = config.keys.iter().map(|key| KeySummary {
            tenant: key.tenant.value.clone(),
            models: key.models.clone(),
            budget: budget_of(&key.allowance),
        });
        Self {
            listen: config.server.listen.clone(),
            admin: config.server.admin.clone(),
            is_behind_tls_proxy: config.server.behind_tls_proxy,
            targets: targets.collect(),
            prices: config.prices.iter().map(|it| it.ids.clone()).collect(),
            tenants: tenants.collect(),
            keys: keys.collect(),
        }
    }
}

fn budget_of(given: &AllowanceConfig) -> Option<Location> {
    let day = given.budget_day.as_ref();
    let given = day.or(given.budget_month.as_ref())?;
    Some(given.place.clone())
}

/// Holds the parts of a configuration against each other. The plan is one without faults so far.
pub(crate) fn check(given: &ConfigParts, plan: &Plan, faults: &mut Faults) {
    check_networks(given, plan, faults);
    warn_of_listeners(given, plan, faults);
    warn_of_patterns(given, plan, faults);
    warn_of_prices(given, plan, faults);
    check_budgets(given, plan, faults);
}

/// A target's own networks take the place of its provider's.
fn check_networks(given: &ConfigParts, plan: &Plan, faults: &mut Faults) {
    for (target, networks) in &given.targets {
        let name = target.value.split_once('/').map_or("", |(name, _)| name);
        let provider = plan.provider_index(name);
        let provider = provider.and_then(|at| plan.providers.get(at));
        if let (Some(networks), Some(provider)) = (networks, provider)
            && base_url::is_outside(&provider.endpoint, networks)
        {
            faults.push(&target.place, OUTSIDE);
        }
    }
}

fn warn_of_listeners(given: &ConfigParts, plan: &Plan, faults: &mut Faults) {
    let is_public = |listen: &&Located<ListenAddress>| !address::is_local(&listen.value);
    if given.is_behind_tls_proxy {
        return;
    }
    if plan.server.tls.is_none() && !plan.is_open() {
        for listen in given.listen.iter().filter(is_public) {
            let text = "clients' keys cross the network to this address in clear text; say tls_cert \
                        and tls_key, or behind_tls_proxy = true where a proxy before it speaks TLS";
            faults.warn(&listen.place, text);
        }
    }
    if plan.admin_digest.is_some()
        && let Some(admin) = given.admin.as_ref().filter(is_public)
    {
        let text = "the admin key, and keys that are made, cross the network to this address in clear \
                    text; use 127.0.0.1 or a Unix socket, or say behind_tls_proxy = true where a proxy \
                    before it speaks TLS";
        faults.warn(&admin.place, text);
    }
}

/// A pattern of a key that fits no id that could be asked for.
fn warn_of_patterns(given: &ConfigParts, plan: &Plan, faults: &mut Faults) {
    let ids: Vec<&str> = plan.models_for(None).map(|(id, _)| id).collect();
    let open: Vec<Glob> = configured_forms(plan).collect();
    let patterns = given.keys.iter().filter_map(|key| key.models.as_ref());
    for pattern in patterns.flatten() {
        let glob = Glob::new(&pattern.value);
        let fits_id = ids.iter().any(|id| glob.matches(id));
        if fits_id || open.iter().any(|open| glob.meets(open)) {
            continue;
        }
        let hint = hint(&pattern.value, ids.iter().copied());
        let text = format!(
            "`{}` fits no id of a model, no alias, no `provider/model` and none of [defaults]{hint}",
            shown(&pattern.value)
        );
        faults.warn(&pattern.place, text);
    }
}

/// The ids that may be named without standing in the configuration.
fn configured_forms(plan: &Plan) -> impl Iterator<Item = Glob> {
    let providers = plan.providers.iter();
    let named = providers.flat_map(|it| {
        let name = &it.name;
        [format!("{name}/*"), format!("@{name}/*")]
    });
    let defaults = plan.defaults.iter().map(|rule| rule.ids.clone());
    named.map(|pattern| Glob::new(&pattern)).chain(defaults)
}

/// A price that no target has. Clients may name a provider's models that no `[[model]]` does, so that
/// one for a provider without any target is meant.
fn warn_of_prices(given: &ConfigParts, plan: &Plan, faults: &mut Faults) {
    let targets = plan.models.iter().flat_map(|model| &model.targets);
    let id = |target: &Target| {
        Some(format!(
            "{}/{}",
            plan.provider_of(target)?.name,
            target.model
        ))
    };
    let targets: Vec<String> = targets.filter_map(id).collect();
    let has_targets = |provider: &Provider| {
        let mut ids = targets.iter().filter_map(|id| id.split_once('/'));
        ids.any(|(name, _)| *name == *provider.name)
    };
    for pattern in &given.prices {
        let glob = Glob::new(&pattern.value);
        if targets.iter().any(|id| glob.matches(id)) {
            continue;
        }
        let met = |provider: &&Provider| glob.meets(&Glob::new(&format!("{}/*", provider.name)));
        let mut providers = plan.providers.iter().filter(met).peekable();
        let text = if providers.peek().is_none() {
            let names: Vec<&str> = plan.providers.iter().map(|it| &*it.name).collect();
            let names = names.join(", ");
            format!("fits no `provider/upstream-model`; the providers are {names}")
        } else if providers.all(has_targets) {
            let hint = hint(&pattern.value, targets.iter().map(String::as_str));
            format!(
                "fits no target of a [[model]]{hint}; it counts where clients name the provider"
            )
        } else {
            continue;
        };
        faults.warn(&pattern.place, text);
    }
}

fn hint<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> String {
    let close = nearest(given, known);
    close.map_or_else(String::new, |name| {
        format!("; did you mean `{}`?", shown(name))
    })
}

fn check_budgets(given: &ConfigParts, plan: &Plan, faults: &mut Faults) {
    let tenants = given
        .tenants
        .iter()
        .filter_map(|(_, budget)| budget.as_ref());
    let keys = given.keys.iter().filter_map(|key| key.budget.as_ref());
    let Some(first) = tenants.chain(keys).min_by_key(|place| place.line) else {
        return;
    };
    if plan.usage.is_none() && plan.shared.is_none() {
        let text = "what was spent is forgotten when the program ends, and the budget begins anew; say \
                    `journal` of [usage], or share the counters by `shared` of [limits]";
        faults.warn(first, text);
    }
    if plan.budgets.unpriced == Unpriced::Refuse {
        let mut told = HashSet::new();
        for (place, patterns) in budgets(given) {
            check_budget(patterns, plan, &mut |is_fault, text| {
                if !told.insert((place.line, text.clone())) {
                    return;
                }
                match is_fault {
                    true => faults.push(place, text),
                    false => faults.warn(place, text),
                }
            });
        }
    }
}

/// Each budget with the patterns of a key that it bounds. A tenant may have keys in a store too, or
/// there alone.
fn budgets(given: &ConfigParts) -> impl Iterator<Item = (&Location, Option<&[Located<String>]>)> {
    let own = given.keys.iter().filter_map(|key| {
        let place = key.budget.as_ref()?;
        Some((place, key.models.as_deref()))
    });
    let of_tenants = given.tenants.iter().filter_map(|(name, place)| {
        let place = place.as_ref()?;
        let keys = given.keys.iter().filter(move |key| key.tenant == *name);
        let mut all = keys.map(|key| key.models.as_deref()).peekable();
        let none = all.peek().is_none().then_some(None);
        Some(all.chain(none).map(move |models| (place, models)))
    });
    own.chain(of_tenants.flatten())
}

/// A budget refuses models without a price. `tell` hears whether what is wrong is a fault, and what.
fn check_budget(
    patterns: Option<&[Located<String>]>,
    plan: &Plan,
    tell: &mut impl FnMut(bool, String),
) {
    let globs: Option<Vec<Glob>> =
        patterns.map(|all| all.iter().map(|it| Glob::new(&it.value)).collect());
    let allows = |id: &str| {
        globs
            .as_ref()
            .is_none_or(|globs| globs.iter().any(|glob| glob.matches(id)))
    };
    let ids = |model: &Model| {
        let mut ids = core::iter::once(&model.id).chain(&model.aliases);
        ids.any(|id| allows(id))
    };
    let has_price = |model: &&Model| {
        let mut targets = model.targets.iter();
        targets.any(|target| plan.price_number(target).is_some())
    };
    let allowed = plan.models.iter().filter(|model| ids(model));
    let (priced, unpriced): (Vec<&Model>, Vec<&Model>) = allowed.partition(has_price);
    if priced.is_empty() && !may_name_priced(globs.as_deref(), plan) {
        let text = "nothing that may be asked for within this budget has a price, so that every request \
                    is refused; add one to [prices], or say unpriced = \"allow\" in [budgets]";
        tell(true, text.to_owned());
        return;
    }
    for model in unpriced {
        let target = model.targets.first();
        let of_target = target.and_then(|it| Some((plan.provider_of(it)?, &it.model)));
        let (provider, id) = of_target.map_or(("", ""), |(of, id)| (&*of.name, &**id));
        let text = format!(
            "the budget refuses `{}`, which has no price; add [prices.\"{provider}/{id}\"], or say \
             unpriced = \"allow\" in [budgets]",
            shown(&model.id)
        );
        tell(false, text);
    }
}

/// Whether an id that no `[[model]]` has could be asked for and have a price. Where that cannot be
/// told it is taken to be so.
fn may_name_priced(globs: Option<&[Glob]>, plan: &Plan) -> bool {
    let may_price = |provider: &Provider| plan.prices.may_price(provider);
    let Some(globs) = globs else {
        return plan.providers.iter().any(may_price);
    };
    globs.iter().any(|glob| match glob.literal() {
        None => plan.providers.iter().any(may_price),
        Some(id) => {
            let found = plan.resolve(id, None, None);
            let by_name = match &found {
                Resolution::Found(targets) => targets
                    .iter()
                    .any(|target| plan.price_number(target).is_some()),
                _ => false,
            };
            // A bare id may come with a header that names its provider.
            let mut providers = plan.providers.iter();
            by_name || providers.any(|provider| plan.prices.find(provider, id).is_some())
        }
    })
}
