//! The page of configuration keys, and the readme's example, against the code that reads them.

use std::path::Path;

use ringway::config::load::file::{load_text, parse};
use ringway::config::schema::fault::Faults;
use ringway::limits::Limits;
use ringway::provider::dialect::{Flag, flags};
use ringway::provider::table;
use ringway::route::compile::plan::compile;
use ringway::translate::models::FACT_NAMES;

use crate::support::{CONFIGURATION, README, code, codes, names, rows, sorted};

/// The keys that the configuration's reader asks for in a table: its own words about a stray one.
fn known_keys(document: &str) -> Vec<String> {
    let mut faults = Faults::new("test");
    let _unread = parse(document, &mut faults);
    let lines = faults.lines();
    let known = lines
        .iter()
        .filter(|line| line.contains("unknown key"))
        .find_map(|line| line.split_once("; known: "));
    let (_, known) = known.unwrap_or_else(|| panic!("{lines:?}"));
    known.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_page_names_every_key_of_every_section_and_no_other() {
    for (heading, table, required) in [
        ("### [server]", "[server]", ""),
        (
            "### [[provider]]",
            "[[provider]]",
            "name = \"a\"\nkind = \"b\"\n",
        ),
        (
            "### [[model]]",
            "[[model]]",
            "id = \"a\"\ntargets = [\"b\"]\n",
        ),
        (
            "### Targets as tables",
            "[[model]]\nid = \"a\"\n[[model.targets]]",
            "model = \"b/c\"\n",
        ),
        ("### [[key]]", "[[key]]", ""),
        ("### [[tenant]]", "[[tenant]]", ""),
        (
            "### [prices.\"PATTERN\"]",
            "[prices.x]",
            "input = 1\noutput = 1\n",
        ),
        ("### [budgets]", "[budgets]", ""),
        ("### [usage]", "[usage]", ""),
        ("### [store]", "[store]", ""),
    ] {
        let known = known_keys(&format!("{table}\n{required}zzzzzzzzzzzzzzzz = 1\n"));
        let known = sorted(known.iter().map(String::as_str));
        assert_eq!(sorted(names(CONFIGURATION, heading)), known, "{heading}");
    }
    let known = known_keys("[limits]\nzzzzzzzzzzzzzzzz = 1\n");
    let listed = ["### [limits]", "### [limits] of several replicas"];
    let listed = listed.into_iter().flat_map(|it| names(CONFIGURATION, it));
    assert_eq!(sorted(listed), sorted(known.iter().map(String::as_str)));
    let sections = known_keys("zzzzzzzzzzzzzzzz = 1\n");
    for section in sections {
        let named = CONFIGURATION.lines().any(|line| {
            line.strip_prefix("### [")
                .is_some_and(|rest| rest.trim_start_matches('[').starts_with(&section))
        });
        assert!(named, "no heading for [{section}]");
    }
}

#[test]
fn the_page_has_every_limit_with_its_default() {
    let printed = format!("{:?}", Limits::default());
    let fields = printed
        .strip_prefix("Limits { ")
        .and_then(|rest| rest.strip_suffix(" }"))
        .unwrap();
    let limits: Vec<&str> = fields.split(", ").collect();
    let rows = rows(CONFIGURATION, "### [limits]");
    let listed: Vec<String> = rows
        .iter()
        .map(|row| format!("{}: {}", code(row[0]), code(row[1])))
        .collect();
    assert_eq!(listed, limits);
}

#[test]
fn the_page_has_every_flag_of_a_dialect_with_both_defaults() {
    let column = |kind: &str| -> Vec<String> {
        let mut dialect = (table::find(kind).unwrap().dialect)();
        let all = flags(&mut dialect);
        let value = |flag: &Flag<'_>| match flag {
            Flag::Switch(switch) => switch.to_string(),
            Flag::Number(number) => number.to_string(),
        };
        all.iter()
            .map(|(name, flag)| format!("{name}: {}", value(flag)))
            .collect()
    };
    let rows = rows(CONFIGURATION, "### [provider.dialect]");
    for (kind, place) in [("openai", 1), ("openai-compatible", 2)] {
        let listed: Vec<String> = rows
            .iter()
            .map(|row| format!("{}: {}", code(row[0]), code(row[place])))
            .collect();
        assert_eq!(listed, column(kind), "{kind}");
    }
}

#[test]
fn the_page_names_every_kind_and_every_fact_of_a_model() {
    let heading = "### [model_facts.\"PATTERN\"]";
    assert_eq!(names(CONFIGURATION, heading), FACT_NAMES);
    let providers = rows(CONFIGURATION, "### [[provider]]");
    let kinds = providers.iter().find(|row| code(row[0]) == "kind").unwrap()[2];
    assert_eq!(codes(kinds), {
        let (two, others) = table::KINDS.split_at(2);
        let names = two.iter().chain(others).map(|kind| kind.name);
        names.collect::<Vec<_>>()
    });
}

#[test]
fn readme_configuration_compiles() {
    let (_, block) = README.split_once("```toml\n[server]").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let env = |name: &str| (name == "ANTHROPIC_API_KEY").then(|| "sk-test".to_owned());
    let text = format!("[server]{block}");
    let loaded = load_text(&text, "README", Path::new(""), &env);
    let compiled = compile(loaded).unwrap_or_else(|faults| {
        panic!("{faults}");
    });
    assert_eq!(compiled.warnings, [""; 0]);
    assert_eq!(compiled.plan.models[0].targets.len(), 2);
}
