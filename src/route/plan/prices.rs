//! Which price a target has: what the configuration says, else what the built-in table does.

use crate::config::schema::fault::{Faults, Located, shown};
use crate::config::schema::file::PriceConfig;
use crate::govern::value::money;
use crate::govern::value::price::{self, Price};
use crate::route::plan::glob::Glob;
use crate::route::plan::provider::Provider;

/// All prices; the first that fits counts.
#[derive(Debug)]
pub struct Prices {
    /// Of the configuration, over `provider/upstream-model`, in order.
    own: Vec<(Glob, Price)>,
    /// Built in, by kind of provider and its ids, the longest pattern first.
    builtin: Vec<(&'static str, Glob, Price)>,
}

impl Prices {
    /// The prices of a configuration and those built in.
    pub fn new(given: Vec<PriceConfig>, faults: &mut Faults) -> Self {
        let own = given.iter().filter_map(|given| {
            let price = own_price(given, faults)?;
            Some((Glob::new(&given.ids.value), price))
        });
        let own = own.collect();
        let mut rows = price::builtin();
        rows.sort_by_key(|row| core::cmp::Reverse(row.ids.len()));
        let builtin = rows.into_iter();
        Self {
            own,
            builtin: builtin
                .map(|row| (row.kind, Glob::new(row.ids), row.price))
                .collect(),
        }
    }

    /// The number of the price of a provider's model.
    #[must_use]
    pub fn find(&self, provider: &Provider, model: &str) -> Option<usize> {
        if !self.own.is_empty() {
            let id = format!("{}/{model}", provider.name);
            let own = self.own.iter().position(|(ids, _)| ids.matches(&id));
            if own.is_some() {
                return own;
            }
        }
        let mut builtin = self.builtin.iter();
        let at = builtin.position(|(kind, ids, _)| *kind == provider.kind && ids.matches(model))?;
        Some(self.own.len() + at)
    }

    /// Whether any model of a provider could have a price.
    #[must_use]
    pub fn may_price(&self, provider: &Provider) -> bool {
        let all = Glob::new(&format!("{}/*", provider.name));
        let own = self.own.iter().any(|(ids, _)| ids.meets(&all));
        own || self.builtin.iter().any(|(kind, ..)| *kind == provider.kind)
    }

    /// A price by its number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Price> {
        match number.checked_sub(self.own.len()) {
            None => self.own.get(number).map(|(_, price)| price),
            Some(at) => self.builtin.get(at).map(|(_, _, price)| price),
        }
    }
}

/// What requests to relayed endpoints cost each, by their paths.
#[derive(Debug, Default)]
pub struct RequestPrices(Vec<(Glob, u64)>);

impl RequestPrices {
    /// The prices of a configuration, in order.
    pub fn new(given: &[(Located<String>, Located<String>)], faults: &mut Faults) -> Self {
        let prices = given.iter().filter_map(|(paths, amount)| {
            let nanos = dollars(amount, faults)?;
            Some((Glob::new(&paths.value), nanos))
        });
        Self(prices.collect())
    }

    /// Nano-dollars of a request to a path without its slash in front; the first pattern that fits
    /// counts.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<u64> {
        let mut prices = self.0.iter();
        let (_, nanos) = prices.find(|(paths, _)| paths.matches(path))?;
        Some(*nanos)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn own_price(given: &PriceConfig, faults: &mut Faults) -> Option<Price> {
    let mut amount = |given: &Option<_>| Some(dollars(given.as_ref()?, faults));
    let (input, output) = (amount(&given.input), amount(&given.output));
    let others = [
        &given.cached,
        &given.cache_write,
        &given.cache_write_hour,
        &given.reasoning,
        &given.audio_input,
        &given.audio_output,
        &given.web_search,
    ];
    let others = others.map(|given| amount(given).flatten());
    let mut price = Price::flat(input??, output??);
    let [cached, written, hour, reasoning, heard, spoken, search] = others;
    let rates = &mut price.rates;
    for (rate, given) in [
        (&mut rates.cached, cached),
        (&mut rates.cache_write, written),
        (&mut rates.cache_write_hour, hour.or(written)),
        (&mut rates.reasoning, reasoning),
        (&mut rates.audio_input, heard),
        (&mut rates.audio_output, spoken),
        (&mut price.web_search, search),
    ] {
        *rate = given.unwrap_or(*rate);
    }
    Some(price)
}

/// Nano-dollars of an amount as written.
pub fn dollars(given: &Located<String>, faults: &mut Faults) -> Option<u64> {
    let read = money::parse(&given.value);
    if read.is_none() {
        let text = format!(
            "expected dollars, such as 25 or \"0.075\", nine decimals at most, found `{}`",
            shown(&given.value)
        );
        faults.push(&given.place, text);
    }
    read
}

#[cfg(test)]
mod tests;
