//! What tokens cost: prices of models as data, and the sum for what was used.
//!
//! The table that comes along is [`builtin`], read from `prices.txt` beside this file, where sources
//! and date stand. Money is whole nano-dollars; a price is that for a million tokens, so that no
//! price that a provider states is rounded.
//!
//! Not here: which price a target has (see `route::prices`).

use crate::chat::usage::Usage;
use crate::govern::value::money;

/// Nano-dollars for a million tokens of each sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Input that was neither read from nor written to a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cached: u64,
    /// Input written to a cache that is kept for five minutes, or for a time that is not told.
    pub cache_write: u64,
    /// Input written to a cache that is kept for an hour.
    pub cache_write_hour: u64,
    /// Output but for reasoning.
    pub output: u64,
    /// Reasoning.
    pub reasoning: u64,
    /// Uncached input that is audio.
    pub audio_input: u64,
    /// Output that is audio.
    pub audio_output: u64,
}

/// What a model costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// What holds for most prompts.
    pub rates: Rates,
    /// What holds for the whole of a request whose prompt has more tokens than this.
    pub long: Option<(u64, Rates)>,
    /// Nano-dollars for a thousand searches of the web that the provider runs for the model.
    pub web_search: u64,
}

impl Price {
    /// A price by what is stated; what is not, costs as input or as output does, searches nothing.
    #[must_use]
    pub fn flat(input: u64, output: u64) -> Self {
        let rates = Rates {
            input,
            cached: input,
            cache_write: input,
            cache_write_hour: input,
            output,
            reasoning: output,
            audio_input: input,
            audio_output: output,
        };
        Self {
            rates,
            long: None,
            web_search: 0,
        }
    }

    /// What a prompt of so many tokens costs by.
    #[must_use]
    pub fn rates(&self, input_total: u64) -> &Rates {
        match &self.long {
            Some((over, rates)) if input_total > *over => rates,
            Some(_) | None => &self.rates,
        }
    }

    /// Nano-dollars for what was used, rounded up; `None` where the provider has not told both
    /// input and output. What is a part of something else counts once: reasoning and audio of output,
    /// audio of input, what is kept for an hour of what was written to a cache.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<u64> {
        let (input, output) = (usage.input?, usage.output?);
        let rates = self.rates(usage.input_total());
        let part = |count: Option<u64>, whole: u64| count.unwrap_or(0).min(whole);
        let written = usage.cache_write.unwrap_or(0);
        let hour = part(usage.cache_write_hour, written);
        let heard = part(usage.audio_input, input);
        let reasoning = part(usage.reasoning, output);
        let spoken = part(usage.audio_output, output - reasoning);
        let parts = [
            (input - heard, rates.input),
            (heard, rates.audio_input),
            (usage.cache_read.unwrap_or(0), rates.cached),
            (written - hour, rates.cache_write),
            (hour, rates.cache_write_hour),
            (output - reasoning - spoken, rates.output),
            (reasoning, rates.reasoning),
            (spoken, rates.audio_output),
            (
                usage.web_searches.unwrap_or(0),
                self.web_search.saturating_mul(1_000),
            ),
        ];
        Some(sum(&parts))
    }

    /// Nano-dollars for so much input and output, by the dearest reading that the request allows: what
    /// is to be reserved. Searches are not known before.
    #[must_use]
    pub fn cost_at_most(&self, input: u64, output: u64, asks: Asks) -> u64 {
        let rates = self.rates(input);
        let mut dearest = rates.input.max(rates.cached).max(rates.cache_write);
        let mut dearest_output = rates.output.max(rates.reasoning);
        if asks.hour {
            dearest = dearest.max(rates.cache_write_hour);
        }
        if asks.audio {
            dearest = dearest.max(rates.audio_input);
            dearest_output = dearest_output.max(rates.audio_output);
        }
        sum(&[(input, dearest), (output, dearest_output)])
    }
}

/// What a request asks for that may cost more than text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Input that a cache keeps for an hour.
    pub hour: bool,
    /// Audio, in or out.
    pub audio: bool,
}

/// Tokens and their rates to nano-dollars.
fn sum(parts: &[(u64, u64)]) -> u64 {
    let parts = parts.iter();
    let sum: u128 = parts
        .map(|&(tokens, rate)| u128::from(tokens) * u128::from(rate))
        .fold(0, u128::saturating_add);
    match u64::try_from(sum) {
        // What nearly every sum is, without the division of wide numbers.
        Ok(sum) => sum.div_ceil(1_000_000),
        Err(_) => u64::try_from(sum.div_ceil(MILLION)).unwrap_or(u64::MAX),
    }
}

/// A line of the built-in table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRow {
    /// The kind of provider.
    pub kind: &'static str,
    /// Pattern over its ids.
    pub ids: &'static str,
    /// The price.
    pub price: Price,
}

/// The table that comes along, in the order of its file.
#[must_use]
pub fn builtin() -> Vec<PriceRow> {
    let mut rows: Vec<PriceRow> = Vec::new();
    for (over, line) in TABLE.lines().filter_map(line) {
        let known = rows
            .iter_mut()
            .find(|row| (row.kind, row.ids) == (line.kind, line.ids));
        match (known, over) {
            (Some(row), Some(over)) => row.price.long = Some((over, line.price.rates)),
            (Some(_), None) => {}
            (None, _) => rows.push(line),
        }
    }
    rows
}

/// A line with prices, and the prompts that it is for; a line that is none is nothing, and a test sees
/// that none is meant to be.
fn line(text: &'static str) -> Option<(Option<u64>, PriceRow)> {
    if text.starts_with('#') {
        return None;
    }
    let mut columns = text.split_ascii_whitespace();
    let (kind, ids, over) = (columns.next()?, columns.next()?, columns.next()?);
    let mut next = || columns.next().map(stated);
    let input = next()???;
    let (cached, cache_write) = (next()??, next()??);
    let output = next()???;
    let mut price = Price::flat(input, output);
    let rates = &mut price.rates;
    rates.cached = cached.unwrap_or(input);
    rates.cache_write = cache_write.unwrap_or(input);
    rates.cache_write_hour = rates.cache_write;
    for column in columns {
        let (name, stated) = column.split_once('=')?;
        let stated = money::parse(stated)?;
        match name {
            "reasoning" => rates.reasoning = stated,
            "hour" => rates.cache_write_hour = stated,
            "audio" => rates.audio_input = stated,
            "spoken" => rates.audio_output = stated,
            "search" => price.web_search = stated,
            _ => return None,
        }
    }
    let over = match over {
        "-" => None,
        over => Some(over.parse().ok()?),
    };
    Some((over, PriceRow { kind, ids, price }))
}

/// What a column states: an amount, or nothing at all; `None`: it is neither.
fn stated(column: &str) -> Option<Option<u64>> {
    match column {
        "-" => Some(None),
        column => money::parse(column).map(Some),
    }
}

const TABLE: &str = include_str!("prices.txt");
const MILLION: u128 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::{Asks, Price, Rates, TABLE, builtin};
    use crate::chat::usage::Usage;

    fn price(kind: &str, ids: &str) -> Price {
        let rows = builtin();
        let row = rows.iter().find(|row| (row.kind, row.ids) == (kind, ids));
        row.unwrap().price
    }

    #[test]
    fn every_line_of_the_table_is_read_and_sound() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        let count = lines.filter(|line| !line.trim().is_empty()).count();
        let rows = builtin();
        let long = rows.iter().filter(|row| row.price.long.is_some()).count();
        assert_eq!(rows.len() + long, count);
        for row in rows {
            for rates in [Some(row.price.rates), row.price.long.map(|(_, it)| it)] {
                let Some(rates) = rates else { continue };
                assert!(rates.cached <= rates.input, "{row:?}");
                assert!(rates.input <= rates.output.max(rates.input), "{row:?}");
                assert!(rates.input > 0, "{row:?}");
            }
        }
        let date = TABLE.lines().find_map(|line| line.strip_prefix("# date "));
        assert_eq!(date.map(str::len), Some("2026-11-22".len()));
    }

    #[test]
    fn each_sort_of_token_costs_its_own() {
        let usage = Usage {
            input: Some(1_000),
            cache_read: Some(10_000),
            cache_write: Some(2_000),
            output: Some(500),
            ..Usage::default()
        };
        // 0.005 + 0.005 + 0.0125 + 0.0125 dollars.
        let cost = price("anthropic", "claude-opus-4-5*").cost(&usage);
        assert_eq!(cost, Some(35_000_000));
    }

    #[test]
    fn what_is_kept_for_an_hour_costs_its_own_and_searches_are_counted() {
        let usage = Usage {
            input: Some(0),
            cache_write: Some(2_000_000),
            cache_write_hour: Some(1_500_000),
            output: Some(0),
            web_searches: Some(3),
            web_fetches: Some(7),
            ..Usage::default()
        };
        // 0.5 at 1.25, 1.5 at 2, three searches of a cent each; fetching is free.
        let price = price("anthropic", "claude-haiku-4-5*");
        assert_eq!(price.cost(&usage), Some(3_655_000_000));
        let more = Usage {
            cache_write_hour: Some(u64::MAX),
            web_searches: None,
            ..usage
        };
        assert_eq!(price.cost(&more), Some(4_000_000_000), "a part, no more");
        let hour = Asks {
            hour: true,
            ..Asks::default()
        };
        let most = |asks| price.cost_at_most(1_000_000, 0, asks);
        assert_eq!(
            (most(Asks::default()), most(hour)),
            (1_250_000_000, 2_000_000_000)
        );
    }

    #[test]
    fn audio_costs_its_own_within_input_and_output() {
        let price = price("openai", "gpt-audio");
        let usage = Usage {
            input: Some(1_000_000),
            audio_input: Some(250_000),
            output: Some(1_000_000),
            audio_output: Some(500_000),
            reasoning: Some(600_000),
            ..Usage::default()
        };
        // 0.75 at 2.50, 0.25 at 32; 0.6 at 10, and no more than the rest of 0.4 at 64.
        assert_eq!(price.cost(&usage), Some(41_475_000_000));
        let audio = Asks {
            audio: true,
            ..Asks::default()
        };
        assert_eq!(
            price.cost_at_most(1_000_000, 1_000_000, audio),
            96_000_000_000
        );
    }

    #[test]
    fn ni17_thinking_tokens_are_counted_once() {
        let usage = |reasoning| Usage {
            input: Some(0),
            output: Some(1_000),
            reasoning,
            ..Usage::default()
        };
        let same = Price::flat(1_000_000_000, 10_000_000_000);
        assert_eq!(same.cost(&usage(None)), Some(10_000_000));
        assert_eq!(same.cost(&usage(Some(400))), Some(10_000_000));
        assert_eq!(same.cost(&usage(Some(4_000))), Some(10_000_000));
        let apart = Price {
            rates: Rates {
                reasoning: 20_000_000_000,
                ..same.rates
            },
            ..same
        };
        assert_eq!(apart.cost(&usage(Some(400))), Some(14_000_000));
    }

    #[test]
    fn a_long_prompt_costs_by_its_own_rates_all_of_it() {
        let price = price("gemini", "gemini-2.5-pro");
        let usage = |input, cache_read| Usage {
            input: Some(input),
            cache_read: Some(cache_read),
            output: Some(0),
            ..Usage::default()
        };
        assert_eq!(price.cost(&usage(200_000, 0)), Some(250_000_000));
        assert_eq!(price.cost(&usage(100_000, 100_001)), Some(275_000_250));
        assert_eq!(price.cost_at_most(200_001, 0, Asks::default()), 500_002_500);
    }

    #[test]
    fn what_the_provider_has_not_told_has_no_cost() {
        let price = Price::flat(1, 1);
        for usage in [
            Usage::default(),
            Usage {
                input: Some(1),
                ..Usage::default()
            },
            Usage {
                output: Some(1),
                ..Usage::default()
            },
        ] {
            assert_eq!(price.cost(&usage), None);
        }
    }

    #[test]
    fn sums_round_up_and_never_wrap() {
        let usage = |count| Usage {
            input: Some(count),
            output: Some(count),
            ..Usage::default()
        };
        assert_eq!(Price::flat(1, 0).cost(&usage(1)), Some(1));
        let dearest = Price::flat(u64::MAX, u64::MAX);
        assert_eq!(dearest.cost(&usage(u64::MAX)), Some(u64::MAX));
        let all = Usage {
            input: Some(u64::MAX),
            cache_read: Some(u64::MAX),
            cache_write: Some(u64::MAX),
            output: Some(u64::MAX),
            reasoning: Some(5),
            web_searches: Some(u64::MAX),
            ..Usage::default()
        };
        assert_eq!(dearest.cost(&all), Some(u64::MAX));
    }
}
