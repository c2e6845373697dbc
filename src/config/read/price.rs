//! `[prices]`, `[request_prices]` and `[budgets]`: names, types and ranges.

use crate::config::read::fields::TableReader;
use crate::config::read::node::ConfigNode;
use crate::config::schema::fault::{Faults, Located};
use crate::config::schema::file::{Budgets, PriceConfig, Unpriced};

/// Reads the price of what fits a pattern.
pub fn price(ids: Located<String>, node: ConfigNode, faults: &mut Faults) -> Option<PriceConfig> {
    let mut fields = TableReader::new(node, &ids.place.path, faults)?;
    let cure = "dollars for a million tokens";
    for name in ["input", "output"] {
        fields.require(name, cure);
    }
    let price = PriceConfig {
        input: fields.amount("input"),
        cached: fields.amount("cached"),
        cache_write: fields.amount("cache_write"),
        output: fields.amount("output"),
        cache_write_hour: fields.amount("cache_write_hour"),
        reasoning: fields.amount("reasoning"),
        audio_input: fields.amount("audio_input"),
        audio_output: fields.amount("audio_output"),
        web_search: fields.amount("web_search"),
        ids,
    };
    fields.finish();
    Some(price)
}

/// Reads `[request_prices]`: dollars for a request, by patterns over paths.
pub fn requests(fields: &mut TableReader<'_>) -> Vec<(Located<String>, Located<String>)> {
    let rows = fields.open_table("request_prices").unwrap_or_default();
    let rows = rows.into_iter().filter_map(|(paths, node)| {
        let amount = fields.amount_of(node, paths.place.clone())?;
        Some((paths, amount))
    });
    rows.collect()
}

/// Reads `[budgets]`.
pub fn budgets(node: ConfigNode, path: &str, faults: &mut Faults) -> Budgets {
    let mut budgets = Budgets::default();
    let Some(mut fields) = TableReader::new(node, path, faults) else {
        return budgets;
    };
    if let Some(given) = fields.choice("unpriced", &UNPRICED) {
        budgets.unpriced = given.value;
    }
    if let Some(given) = fields.whole("output_tokens_reserved", 1..=TOKENS_MAX) {
        budgets.output_tokens_reserved = given.value;
    }
    fields.finish();
    budgets
}

const UNPRICED: [(&str, Unpriced); 2] = [("refuse", Unpriced::Refuse), ("allow", Unpriced::Allow)];
const TOKENS_MAX: u64 = 10_000_000;
