//! Targets as strings and as tables, and what is stated of them.

use crate::route::compile::plan::tests::{faults, plan};
use crate::route::plan::compiled::Plan;
use crate::route::plan::target::{Resolution, TargetFacts};

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
jurisdiction = "CA"
region = "ca-central-1"
[[provider]]
name = "plain"
kind = "anthropic-compatible"
base_url = "http://127.0.0.1:9"
key = "none"
"#;

fn with(model: &str) -> Plan {
    plan(&format!("{PROVIDERS}[[model]]\nid = \"m\"\n{model}\n"))
}

fn stated(plan: &Plan, index: usize) -> TargetFacts {
    let target = &plan.models[0].targets[index];
    plan.stated_of(target).unwrap().clone()
}

#[test]
fn facts_of_a_target_outrank_its_providers_which_fill_the_rest() {
    let plan = with(
        r#"targets = ["direct/x", { model = "bedrock/x", tier = "managed_canadian_cloud",
           custody_label = "Bedrock-CA", credential_source = "platform", region = "ca-west-1" },
           "plain/x"]"#,
    );
    let direct = TargetFacts {
        tier: Some("provider_api".into()),
        jurisdiction: Some("US".into()),
        ..TargetFacts::default()
    };
    assert_eq!(stated(&plan, 0), direct);
    let bedrock = TargetFacts {
        tier: Some("managed_canadian_cloud".into()),
        region: Some("ca-west-1".into()),
        jurisdiction: Some("CA".into()),
        custody_label: Some("Bedrock-CA".into()),
        credential_source: Some("platform".into()),
        networks: None,
    };
    assert_eq!(stated(&plan, 1), bedrock);
    assert_eq!(stated(&plan, 2), TargetFacts::default());
    let Resolution::Found(named) = plan.resolve("@direct/other", None, None) else {
        panic!("no target");
    };
    assert_eq!(plan.stated_of(&named[0]), Some(&direct));
}

#[test]
fn targets_of_a_lower_priority_stand_first_and_the_rest_as_they_were_written() {
    let plan = with(
        r#"targets = [{ model = "direct/a", priority = 2 }, "plain/b",
           { model = "bedrock/c", priority = 1, weight = 7 }, "plain/d"]"#,
    );
    let targets = &plan.models[0].targets;
    let order: Vec<&str> = targets.iter().map(|target| &*target.model).collect();
    assert_eq!(order, ["b", "d", "c", "a"]);
    assert_eq!((targets[2].weight, targets[0].weight), (7, 1));
}

#[test]
fn one_deployment_that_states_two_things_is_remembered_as_two() {
    let plan = plan(&format!(
        "{PROVIDERS}[[model]]\nid = \"m\"\ntargets = [{{ model = \"plain/x\", tier = \"a\" }}]\n\
         [[model]]\nid = \"n\"\ntargets = [\"plain/x\"]\n\
         [[model]]\nid = \"o\"\ntargets = [{{ model = \"plain/x\", tier = \"a\" }}]\n"
    ));
    let numbers: Vec<_> = plan.models.iter().map(|m| m.targets[0].number).collect();
    assert_eq!(numbers, [Some(0), Some(1), Some(0)]);
}

#[test]
fn targets_that_state_nonsense_are_faults_with_place_and_cure() {
    for (target, expected) in [
        (
            r#"{ model = "plain/x", tier = "" }"#,
            "model[0].targets[0].tier: expected a string that is not empty",
        ),
        (
            r#"{ model = "plain/x", tier = "a b" }"#,
            "model[0].targets[0].tier: expected at most 64 letters, digits, `-`, `_`, `.` and `:`, \
             found `a b`",
        ),
        (
            r#"{ model = "plain/x", jurisdiction = 1 }"#,
            "model[0].targets[0].jurisdiction: expected a string, found a whole number",
        ),
        (
            r#"{ model = "plain/x", custody_label = " B" }"#,
            "model[0].targets[0].custody_label: expected at most 64 characters of visible ASCII \
             without spaces around them, found ` B`",
        ),
        (
            r#"{ model = "plain/x", weight = 0 }"#,
            "model[0].targets[0].weight: expected 1 to 1000000, found 0",
        ),
        (
            r#"{ model = "plain/x", priority = -1 }"#,
            "model[0].targets[0].priority: expected 0 to 1000000, found -1",
        ),
        (
            r#"{ model = "plain/x", teir = "a" }"#,
            "model[0].targets[0].teir: unknown key; did you mean `tier`?",
        ),
        (
            r#"{ model = "plain/x", networks = ["10.0.0.0/8", "10.1.0.0/8"] }"#,
            "model[0].targets[0].networks[1]: the network of 10.1.0.0/8 is 10.0.0.0/8",
        ),
        (
            r#"{ model = "plain/x", networks = [] }"#,
            "model[0].targets[0]: `networks` is empty and would allow no address; leave it out to \
             allow all",
        ),
        (
            r#"{ tier = "a" }"#,
            "model[0].targets[0]: `model` is missing; it is \"provider/upstream-model\"",
        ),
        (
            "7",
            "model[0].targets[0]: expected a string or a table, found a whole number",
        ),
        (
            r#""plain/x", { model = "plain/x", tier = "a" }"#,
            "model[0].targets[1].model: the target stands in this list already",
        ),
        (
            r#"{ model = "plian/x" }"#,
            "model[0].targets[0].model: no provider named `plian`; known: direct, bedrock, plain; \
             did you mean `plain`?",
        ),
    ] {
        let text = format!("{PROVIDERS}[[model]]\nid = \"m\"\ntargets = [{target}]\n");
        assert_eq!(
            faults(&text),
            [format!("ringway.toml:22: {expected}")],
            "{target}"
        );
    }
}

#[test]
fn header_prefixes_that_would_hide_other_headers_are_faults() {
    let expected = |found: &str| {
        format!(
            "expected a prefix such as `x-ringway-`: `x-`, a name of at most 32 characters and `-`, \
             found `{found}`"
        )
    };
    for (prefix, text) in [
        ("x-", expected("x-")),
        ("x--", expected("x--")),
        ("ni-", expected("ni-")),
        ("x-ni", expected("x-ni")),
        ("x-n i-", expected("x-n i-")),
        (
            "X-RateLimit-",
            "headers that start with x-ratelimit- have a meaning of their own".to_owned(),
        ),
    ] {
        let text_of = format!("[server]\nheader_prefix = \"{prefix}\"\n{PROVIDERS}");
        assert_eq!(
            faults(&text_of),
            [format!("ringway.toml:2: server.header_prefix: {text}")]
        );
    }
}

#[test]
fn ni6_chains_of_custody_begin_at_the_origin_and_end_at_what_the_target_is_called() {
    let plan = plan(&format!(
        "[server]\ncustody_origin = \"NI-CA\"\n{PROVIDERS}custody_label = \"Plain\"\n\
         [[model]]\nid = \"m\"\n\
         targets = [{{ model = \"bedrock/x\", custody_label = \"Bedrock CA\" }}, \"direct/x\"]\n"
    ));
    let path = |provider, number| {
        let given = plan.custody.record(provider, number);
        let given = str::from_utf8(given).unwrap();
        let (_, path) = given.split_once(",\"custody_path\":").unwrap();
        path.to_owned()
    };
    assert_eq!(path(1, Some(0)), "\"NI-CA -> Bedrock CA\"");
    assert_eq!(path(0, Some(1)), "null");
    assert_eq!(path(1, None), "null");
    assert_eq!(path(2, None), "\"NI-CA -> Plain\"");
    for target in &plan.models[0].targets {
        let number = target.number.unwrap();
        assert_eq!(plan.numbered(number), Some(target));
        let stated = plan.stated_at(target.provider, target.number);
        assert_eq!(stated, plan.stated_of(target));
    }
}
