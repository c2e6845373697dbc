//! The worked examples of docs/LIMITS.md and docs/RESIDENCY.md: their configurations compile and do what
//! the text says.

use std::path::Path;
use std::sync::Arc;

use ringway::chat::usage::Usage;
use ringway::config::load::file::load_text;
use ringway::govern::account::usage::{Account, Accounts, Amount, Now, admit};
use ringway::govern::key::allowance::Allowance;
use ringway::govern::value::estimate::input_tokens;
use ringway::govern::value::money;
use ringway::govern::value::price::Asks;
use ringway::route::compile::plan::compile;
use ringway::route::plan::compiled::Plan;
use ringway::route::plan::target::{Resolution, Target};
use ringway::route::select::policy::{Policy, PolicyRule};

use crate::support::{LIMITS, RESIDENCY};

/// The first block of this kind below a heading of a page.
fn block<'t>(page: &'t str, heading: &str, kind: &str) -> &'t str {
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let (below, _) = below.split_once("\n## ").unwrap_or((below, ""));
    let (_, block) = below.split_once(&format!("```{kind}\n")).unwrap();
    block.split_once("```").unwrap().0
}

/// The plan of a configuration without faults or warnings.
fn plan(text: &str) -> Plan {
    let env = |name: &str| name.ends_with("_KEY").then(|| "sk-test".to_owned());
    let loaded = load_text(text, "page", Path::new(""), &env);
    let compiled = compile(loaded).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    assert_eq!(compiled.warnings, [""; 0]);
    compiled.plan
}

/// The models of the targets to which the example's key may send its id.
fn left(plan: &Plan, id: &str, tier: Option<&str>) -> Result<Vec<String>, PolicyRule> {
    let key = plan.keys.all().next();
    let Resolution::Found(targets) = plan.resolve(id, None, key) else {
        panic!("no target");
    };
    let policy = Policy {
        tier,
        key,
        model: plan.residency_of(id),
    };
    let admitted = plan.admitted(targets, &policy, |_| {})?;
    let names = admitted.iter().map(|target| target.model.to_string());
    Ok(names.collect())
}

#[test]
fn ni8_one_tenant_has_two_tiers_of_one_id() {
    let plan = plan(block(RESIDENCY, "Tiers", "toml"));
    let id = "claude-haiku-4-5";
    let (direct, canada) = ("claude-haiku-4-5", "claude-haiku-4-5-ca");
    assert_eq!(left(&plan, id, None).unwrap(), [direct, canada]);
    let tier = Some("managed_canadian_cloud");
    assert_eq!(left(&plan, id, tier).unwrap(), [canada]);
}

#[test]
fn ni9_a_canadian_rule_leaves_canada_alone() {
    let text = [
        block(RESIDENCY, "Tiers", "toml"),
        block(RESIDENCY, "Residency", "toml"),
    ]
    .concat();
    let plan = plan(&text);
    let left = |id| left(&plan, id, None);
    assert_eq!(left("claude-haiku-4-5").unwrap(), ["claude-haiku-4-5-ca"]);
    let named = left("@anthropic/claude-haiku-4-5");
    assert_eq!(named.unwrap_err(), PolicyRule::TenantResidency);
}

#[test]
fn ni6_the_headers_shown_are_those_of_the_example() {
    let plan = plan(block(RESIDENCY, "Custody headers", "toml"));
    let shown = block(RESIDENCY, "Custody headers", "text").replace('\n', "\r\n");
    let lines = String::from_utf8(plan.custody.lines(0, Some(0)).to_vec()).unwrap();
    assert!(shown.contains(&lines), "{lines}");
    let named = shown.lines().filter_map(|line| line.split_once(": "));
    let named: Vec<&str> = named.map(|(name, _)| name).collect();
    let exposed: Vec<&str> = plan.custody.exposed.split(", ").collect();
    assert_eq!(named, exposed);
}

#[test]
fn networks_are_written_as_the_reader_takes_them() {
    let text = format!(
        "[[provider]]\nname = \"a\"\nkind = \"anthropic\"\nkey = \"none\"\n{}",
        block(RESIDENCY, "Networks", "toml")
    );
    let facts = &plan(&text).providers[0].facts;
    for (address, is_inside) in [
        ("10.20.3.4", true),
        ("fd00:20::1", true),
        ("10.21.0.0", false),
    ] {
        assert_eq!(facts.admits(address.parse().unwrap()), is_inside);
    }
}

#[test]
fn a_budget_is_reserved_and_spent_as_worked_out() {
    let text = format!(
        "[[provider]]\nname = \"a\"\nkind = \"anthropic\"\nkey_env = \"A_KEY\"\n{}",
        block(LIMITS, "Limits and budgets", "toml")
    );
    let plan = plan(&text);
    let key = plan.keys.all().next().unwrap();
    assert!(key.has_budget() && key.counts_tokens());
    let price = plan.price_of(&Target::new(0, "claude-haiku-4-5")).unwrap();
    assert_eq!(input_tokens(&[b'a'; 8_000], (0, 0)), 2_000);
    let reserved = price.cost_at_most(2_000, 1_000, Asks::default());
    let usage = Usage {
        input: Some(1_800),
        output: Some(240),
        ..Usage::default()
    };
    let used = price.cost(&usage).unwrap();
    let dollars = money::parse;
    assert_eq!(
        (Some(reserved), Some(used)),
        (dollars("0.0075"), dollars("0.003"))
    );
    let ask = |account: &Arc<Account>| {
        let accounts = Accounts {
            key: Some(account),
            tenant: None,
        };
        let amount = Amount {
            tokens: 0,
            cost: reserved,
        };
        admit(accounts, amount, Now::default()).0.ok()
    };
    let open = || {
        Arc::new(Account::new(Allowance {
            budget_day: dollars("0.10"),
            ..Allowance::default()
        }))
    };
    let (at_once, in_turn) = (open(), open());
    let held: Vec<_> = core::iter::from_fn(|| ask(&at_once)).collect();
    let settled = core::iter::from_fn(|| {
        let used = Amount {
            tokens: 0,
            cost: used,
        };
        ask(&in_turn).map(|it| it.settle(used, Now::default()))
    });
    assert_eq!((held.len(), settled.count()), (13, 31));
    let left = dollars("0.10").unwrap() - in_turn.spent(0).on_day;
    assert_eq!(Some(left), dollars("0.007"));
}
