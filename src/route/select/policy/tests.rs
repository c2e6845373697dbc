//! Cuts of targets by tiers and residency, and what configurations say of them.

use std::borrow::Cow;

use crate::route::compile::plan::tests::{compiled, faults, plan};
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::Resolution;
use crate::route::select::policy::{Policy, PolicyRule};

const PROVIDERS: &str = r#"
[[provider]]
name = "direct"
kind = "anthropic"
key = "none"
tier = "provider_api"
jurisdiction = "US"
[[provider]]
name = "bedrock"
kind = "anthropic-compatible"
base_url = "http://127.0.0.1:9"
key = "none"
tier = "managed_canadian_cloud"
jurisdiction = "CA"
region = "ca-central-1"
[[provider]]
name = "plain"
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
key = "none"
[[model]]
id = "m"
targets = ["direct/a", "bedrock/b", "plain/c", { model = "bedrock/d", region = "ca-west-1" }]
"#;

/// SHA-256 of `foo`.
const KEY: &str = "[[key]]\nsha256 = \
    \"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\"\ntenant = \"blue\"\n";

/// The models of the targets that are left, or the rule that left none; and the rules that cut.
fn left(
    plan: &Plan,
    id: &str,
    tier: Option<&str>,
) -> (Result<String, PolicyRule>, Vec<&'static str>) {
    let key: Option<&ClientKey> = plan.key(b"foo");
    let Resolution::Found(targets) = plan.resolve(id, None, key) else {
        panic!("no target");
    };
    let policy = Policy {
        tier,
        key,
        model: plan.residency_of(id),
    };
    let mut words = Vec::new();
    let mut admit = || {
        words.clear();
        plan.admitted(targets.clone(), &policy, |rule| words.push(rule.word()))
    };
    // What a key was found to be open to changes nothing.
    let admitted = admit();
    assert_eq!(admit(), admitted);
    let names = admitted.map(|targets| {
        let names = targets.iter().map(|target| &*target.model);
        names.collect::<Vec<_>>().join(" ")
    });
    (names, words)
}

/// Rules of a key; what is asked for; the models that are left, or the rule that left none; the rules
/// that cut.
type Cut = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Result<&'static str, PolicyRule>,
    &'static [&'static str],
);

const CUTS: [Cut; 12] = [
    ("", "m", None, Ok("a b c d"), &[]),
    ("", "m", Some("provider_api"), Ok("a"), &["tier"]),
    (
        "",
        "m",
        Some("managed_canadian_cloud"),
        Ok("b d"),
        &["tier"],
    ),
    (
        "",
        "@plain/x",
        Some("provider_api"),
        Err(PolicyRule::Tier),
        &["tier"],
    ),
    (
        "tiers = [\"provider_api\"]",
        "m",
        None,
        Ok("a"),
        &["key_tiers"],
    ),
    (
        "tiers = [\"provider_api\"]",
        "m",
        Some("managed_canadian_cloud"),
        Err(PolicyRule::KeyTiers),
        &["tier", "key_tiers"],
    ),
    (
        "residency = { jurisdictions = [\"CA\"] }",
        "m",
        None,
        Ok("b d"),
        &["key_residency"],
    ),
    (
        "residency = { jurisdictions = [\"CA\"], regions = [\"ca-west-1\"] }",
        "m",
        None,
        Ok("d"),
        &["key_residency"],
    ),
    (
        "residency = { jurisdictions = [\"CA\"] }",
        "@direct/x",
        None,
        Err(PolicyRule::KeyResidency),
        &["key_residency"],
    ),
    (
        "residency = { providers = [\"plain\", \"direct\"] }\n[[tenant]]\nname = \"blue\"\n\
             residency = { jurisdictions = [\"US\", \"CA\"] }",
        "m",
        None,
        Ok("a"),
        &["tenant_residency", "key_residency"],
    ),
    // What a target states for itself holds for those who name it by its provider too.
    (
        "residency = { regions = [\"ca-central-1\"] }",
        "@bedrock/d",
        None,
        Err(PolicyRule::KeyResidency),
        &["key_residency"],
    ),
    (
        "residency = { regions = [\"ca-central-1\"] }",
        "bedrock/other",
        None,
        Ok("other"),
        &[],
    ),
];

#[test]
fn ni8_ni9_ni10_targets_are_cut_by_each_rule_in_its_turn() {
    for (rules, id, tier, expected, words) in CUTS {
        let plan = plan(&format!("{PROVIDERS}{KEY}{rules}\n"));
        let (names, cut) = left(&plan, id, tier);
        assert_eq!(names.as_deref().map_err(|rule| *rule), expected, "{rules}");
        assert_eq!(cut, words, "{rules}");
    }
}

#[test]
fn ni9_a_models_residency_holds_for_all_of_its_ids_and_whoever_is_named_as_provider() {
    let plan = plan(&format!(
        "{PROVIDERS}residency = {{ jurisdictions = [\"CA\"] }}\nalias = [\"n\"]\n{KEY}"
    ));
    for id in ["m", "n"] {
        let expected = (Ok("b d".to_owned()), vec!["model_residency"]);
        assert_eq!(left(&plan, id, None), expected);
        let policy = Policy {
            model: plan.residency_of(id),
            ..Policy::default()
        };
        let Resolution::Found(targets) = plan.resolve(id, Some("plain"), None) else {
            panic!("no target");
        };
        let admitted = plan.admitted(targets, &policy, |_| {});
        assert_eq!(admitted.unwrap_err(), PolicyRule::ModelResidency);
    }
    assert_eq!(plan.residency_of("@direct/m"), None);
}

#[test]
fn keys_see_the_targets_that_they_may_use() {
    let plan = plan(&format!("{PROVIDERS}{KEY}tiers = [\"provider_api\"]\n"));
    let targets = &*plan.models[0].targets;
    let open = |key| plan.open(("m", Cow::Borrowed(targets)), key).unwrap();
    assert_eq!(*open(None), *targets);
    assert_eq!(*open(plan.key(b"foo")), targets[..1]);
    let others = plan.open(("m", Cow::Borrowed(&targets[1..2])), plan.key(b"foo"));
    assert_eq!(others, None);
}

#[test]
fn ni9_a_models_own_residency_closes_targets_for_everyone() {
    for (places, expected) in [("CA", Some("b d")), ("XX", None)] {
        let plan = plan(&format!(
            "{PROVIDERS}residency = {{ jurisdictions = [{places:?}] }}\nalias = [\"n\"]\n"
        ));
        for id in ["m", "n"] {
            let open = plan.open((id, Cow::Borrowed(&plan.models[0].targets)), None);
            let names = open.map(|open| {
                let names: Vec<&str> = open.iter().map(|target| &*target.model).collect();
                names.join(" ")
            });
            assert_eq!(names.as_deref(), expected, "{id}");
        }
    }
}

#[test]
fn rules_that_restrict_nothing_or_name_nobody_are_faults_and_slips_warnings() {
    for (rules, expected) in [
        (
            "residency = {}",
            "key[0].residency: restricts nothing; name `jurisdictions`, `regions` or `providers`, \
             or leave it out",
        ),
        (
            "residency = \"CA\"",
            "key[0].residency: expected a table, found a string",
        ),
        (
            "residency = { jurisdictions = [] }",
            "key[0].residency: `jurisdictions` is empty and would leave nothing; leave it out to \
             allow all",
        ),
        (
            "residency = { jurisdiction = [\"CA\"] }",
            "key[0].residency.jurisdiction: unknown key; did you mean `jurisdictions`?",
        ),
        (
            "residency = { regions = [1] }",
            "key[0].residency.regions[0]: expected a string, found a whole number",
        ),
        (
            "residency = { providers = [\"bedrok\"] }",
            "key[0].residency.providers[0]: no provider named `bedrok`; known: direct, bedrock, \
             plain; did you mean `bedrock`?",
        ),
    ] {
        let text = format!("{PROVIDERS}{KEY}{rules}\n");
        assert_eq!(
            faults(&text),
            [format!("ringway.toml:27: {expected}")],
            "{rules}"
        );
    }
    for (rules, expected) in [
        (
            "residency = { jurisdictions = \"ca\" }",
            "key[0].residency.jurisdictions: no target states the jurisdiction `ca`",
        ),
        (
            "residency = { regions = [\"ca-central-1\", \"x\"] }",
            "key[0].residency.regions[1]: no target states the region `x`",
        ),
        (
            "tiers = [\"managed\"]",
            "key[0].tiers[0]: no target states the tier `managed`",
        ),
    ] {
        let text = format!("{PROVIDERS}{KEY}{rules}\n");
        let warnings = compiled(&text).warnings;
        assert_eq!(
            warnings,
            [format!("ringway.toml:27: {expected}")],
            "{rules}"
        );
    }
}

#[test]
fn one_deployment_cannot_stand_in_two_places() {
    let text = format!(
        "{PROVIDERS}[[model]]\nid = \"n\"\ntargets = [{{ model = \"bedrock/d\", region = \"x\" }}]\n"
    );
    let expected = "ringway.toml:26: model[1].targets[0].model: the same model at the same provider \
                    states another region or jurisdiction in another list";
    assert_eq!(faults(&text), [expected]);
}
