use std::path::Path;

use crate::config::load::file::load_text;
use crate::govern::value::price;
use crate::provider::table;
use crate::route::compile::plan::compile;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::Target;

const PROVIDERS: &str = r#"
[[provider]]
name = "a"
kind = "anthropic"
key = "none"
[[provider]]
name = "near"
kind = "vllm"
base_url = "http://127.0.0.1:9"
[[model]]
id = "mine"
targets = ["near/llama", "a/claude-haiku-4-5-20251001"]
"#;

fn plan(more: &str) -> Result<Plan, String> {
    let text = format!("{PROVIDERS}{more}");
    let loaded = load_text(&text, "test", Path::new(""), &|_| None);
    compile(loaded)
        .map(|it| it.plan)
        .map_err(|faults| faults.to_string())
}

/// Input and output of a target, in nano-dollars for a million tokens.
fn of(plan: &Plan, provider: usize, model: &str) -> Option<(u64, u64)> {
    let price = plan.price_of(&Target::new(provider, model))?;
    Some((price.rates.input, price.rates.output))
}

#[test]
fn the_longest_pattern_of_the_providers_kind_counts() {
    let plan = plan("").unwrap();
    for (model, dollars) in [
        ("claude-opus-5", Some((5, 25))),
        ("claude-opus-5-5", Some((4, 20))),
        ("claude-opus-5-5-20260922", Some((4, 20))),
        ("claude-opus-4-20250514", Some((15, 75))),
        ("claude-opus-4-8", Some((5, 25))),
        ("claude-next", None),
    ] {
        let nanos = dollars.map(|(a, b)| (a * 1_000_000_000, b * 1_000_000_000));
        assert_eq!(of(&plan, 0, model), nanos, "{model}");
        assert_eq!(of(&plan, 1, model), None, "another kind's prices");
    }
    let targets = &plan.models[0].targets;
    assert!(plan.price_of(&targets[0]).is_none());
    assert_eq!(
        plan.price_of(&targets[1]).unwrap().rates.output,
        5_000_000_000
    );
}

#[test]
fn what_the_configuration_says_outranks_the_table() {
    let own = r#"
[prices."near/*"]
input = 0
output = "0"
[prices."a/claude-opus-*"]
input = "1.5"
cached = "0.25"
output = 7
reasoning = 9
"#;
    let plan = plan(own).unwrap();
    assert_eq!(of(&plan, 1, "llama"), Some((0, 0)));
    assert!(plan.price_of(&plan.models[0].targets[0]).is_some());
    let rates = plan
        .price_of(&Target::new(0, "claude-opus-5"))
        .unwrap()
        .rates;
    assert_eq!(rates.cached, 250_000_000);
    assert_eq!(rates.cache_write, rates.input);
    assert_eq!(rates.cache_write_hour, rates.input);
    assert_eq!(rates.audio_input, rates.input);
    assert_eq!(rates.reasoning, 9_000_000_000);
    assert_eq!(of(&plan, 0, "claude-haiku-4-5").unwrap().0, 1_000_000_000);
}

#[test]
fn a_price_or_budget_that_is_none_is_told_with_its_place() {
    for (more, told) in [
        ("[prices.x]\ninput = 1", "prices.x: `output` is missing"),
        (
            "[prices.x]\ninput = \"1,5\"\noutput = 1",
            "prices.x.input: expected dollars",
        ),
        (
            "[prices.x]\ninput = -1\noutput = 1",
            "prices.x.input: expected dollars",
        ),
        (
            "[prices.x]\ninput = 1\noutput = 1\nouput = 1",
            "did you mean `output`?",
        ),
        ("[prices]\nx = 1", "prices.x: expected a table"),
        (
            "[budgets]\nunpriced = \"maybe\"",
            "expected one of refuse, allow",
        ),
        (
            "[[tenant]]\nname = \"t\"\nbudget_day = \"$5\"",
            "tenant[0].budget_day: expected dollars",
        ),
        (
            "[[tenant]]\nname = \"t\"\nconcurrent = 0",
            "tenant[0].concurrent: expected 1 to",
        ),
    ] {
        let given = plan(more).map(|_| ()).unwrap_err();
        assert!(given.contains(told), "{more}: {given}");
    }
}

#[test]
fn every_kind_of_the_table_is_a_kind_of_provider() {
    for row in price::builtin() {
        assert!(table::find(row.kind).is_some(), "{row:?}");
    }
}
