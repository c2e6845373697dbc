//! Ids and where they go.

use crate::route::compile::plan::tests::plan;
use crate::route::plan::client_key::ClientKey;
use crate::route::plan::compiled::Plan;
use crate::route::plan::glob::Glob;
use crate::route::plan::target::{RelayResolution, Resolution, Target};
use crate::wire::kind::Wire::{AnthropicMessages as A, OpenAiChat as O};

const CONFIG: &str = r#"
    [[provider]]
    name = "anthropic"
    kind = "anthropic"
    key = "none"

    [[provider]]
    name = "openai"
    kind = "openai"
    key = "none"

    [[provider]]
    name = "bedrock"
    kind = "anthropic-compatible"
    base_url = "https://bedrock.example"

    [[provider]]
    name = "openrouter"
    kind = "openrouter"
    key = "none"

    [[model]]
    id = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global"
    targets = ["bedrock/haiku-global", "anthropic/claude-haiku-4-5-20251001"]

    [[model]]
    id = "vertex_ai/gemini-2.5-pro-ca"
    targets = ["openrouter/google/gemini-2.5-pro"]

    [[model]]
    id = "claude-haiku-4-5-20251015"
    alias = ["haiku", "@corp/haiku"]
    targets = ["bedrock/haiku-eu", "anthropic/claude-haiku-4-5-20251001"]

    [[model]]
    id = "gpt-5"
    targets = ["anthropic/claude-sonnet-4-5-20250929"]
"#;

fn key(globs: &[&str]) -> ClientKey {
    ClientKey {
        models: Some(globs.iter().map(|glob| Glob::new(glob)).collect()),
        ..ClientKey::default()
    }
}

fn shown(plan: &Plan, resolution: &Resolution<'_>) -> String {
    match resolution {
        Resolution::Found(targets) => {
            let name = |target: &Target| {
                let provider = plan.provider_of(target).unwrap();
                format!("{} {}", provider.name, target.model)
            };
            let names: Vec<String> = targets.iter().map(name).collect();
            names.join(", ")
        }
        Resolution::Unknown { near } => format!("unknown [{}]", near.join(" ")),
        Resolution::UnknownProvider => "unknown provider".to_owned(),
    }
}

fn check(asked: &str, header: Option<&str>, expected: &str) {
    let plan = plan(CONFIG);
    let resolution = plan.resolve(asked, header, None);
    assert_eq!(shown(&plan, &resolution), expected, "{asked} {header:?}");
}

#[test]
fn ni4_native_id_in_the_table_goes_to_its_deployments_in_order() {
    check(
        "claude-haiku-4-5-20251015",
        None,
        "bedrock haiku-eu, anthropic claude-haiku-4-5-20251001",
    );
}

#[test]
fn ni5_exact_id_with_slashes_and_colons_is_never_split() {
    check(
        "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global",
        None,
        "bedrock haiku-global, anthropic claude-haiku-4-5-20251001",
    );
    check(
        "vertex_ai/gemini-2.5-pro-ca",
        None,
        "openrouter google/gemini-2.5-pro",
    );
}

#[test]
fn ni5_id_of_an_unconfigured_provider_is_unknown() {
    check(
        "vertex_ai/gemini-2.5-pro",
        None,
        "unknown [vertex_ai/gemini-2.5-pro-ca]",
    );
    check("azure/gpt-4o", None, "unknown []");
}

#[test]
fn alias_goes_where_its_model_goes() {
    for alias in ["haiku", "@corp/haiku"] {
        check(
            alias,
            None,
            "bedrock haiku-eu, anthropic claude-haiku-4-5-20251001",
        );
    }
}

#[test]
fn lg1_provider_before_a_slash_is_taken_where_it_is_configured() {
    check(
        "anthropic/claude-3-5-sonnet-20241022",
        None,
        "anthropic claude-3-5-sonnet-20241022",
    );
    check("openrouter/openai/gpt-4o", None, "openrouter openai/gpt-4o");
    check("anthropic/", None, "unknown []");
    check("Anthropic/claude-x", None, "unknown []");
}

#[test]
fn lg2_bare_id_goes_to_the_provider_of_its_kind() {
    check(
        "claude-3-5-sonnet-20241022",
        None,
        "anthropic claude-3-5-sonnet-20241022",
    );
    check("gpt-4o", None, "openai gpt-4o");
    check("o4-mini", None, "openai o4-mini");
    check(
        "text-embedding-3-small",
        None,
        "openai text-embedding-3-small",
    );
    check("llama-3", None, "unknown []");
}

#[test]
fn lg7_id_of_one_provider_may_stand_for_another_in_the_table() {
    check("gpt-5", None, "anthropic claude-sonnet-4-5-20250929");
    check("gpt-5-mini", None, "openai gpt-5-mini");
}

#[test]
fn pk3_slug_before_a_slash_names_the_provider() {
    check(
        "@anthropic/claude-sonnet-4-5-20250929",
        None,
        "anthropic claude-sonnet-4-5-20250929",
    );
    check(
        "@openrouter/anthropic/claude-x",
        None,
        "openrouter anthropic/claude-x",
    );
    check("@nobody/claude-x", None, "unknown []");
    check("@anthropic", None, "unknown []");
}

#[test]
fn pk3_header_with_a_bare_id_names_the_provider() {
    for header in ["bedrock", "@bedrock"] {
        check("claude-opus-4-7", Some(header), "bedrock claude-opus-4-7");
        check("haiku", Some(header), "bedrock haiku-eu");
    }
    check("llama-3", Some("openrouter"), "openrouter llama-3");
    check("gpt-5", Some("openai"), "openai gpt-5");
    check("gpt-4o", Some("nobody"), "unknown provider");
    check("", Some("openai"), "unknown []");
}

#[test]
fn pk3_header_beside_an_id_that_names_its_provider_yields_to_it() {
    check("anthropic/claude-x", Some("openai"), "anthropic claude-x");
    check("@anthropic/claude-x", Some("openai"), "anthropic claude-x");
    check(
        "meta/llama-3",
        Some("openrouter"),
        "openrouter meta/llama-3",
    );
    check(
        "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global",
        Some("openai"),
        "bedrock haiku-global, anthropic claude-haiku-4-5-20251001",
    );
}

#[test]
fn resolve_at_the_longest_id_is_looked_up_and_one_past_is_unknown() {
    let id = |bytes: usize| format!("claude-{}", "x".repeat(bytes - 7));
    let longest = id(crate::limits::MODEL_ID_BYTES_MAX);
    check(&longest, None, &format!("anthropic {longest}"));
    check(
        &id(crate::limits::MODEL_ID_BYTES_MAX + 1),
        None,
        "unknown []",
    );
}

#[test]
fn resolve_with_a_slip_names_up_to_three_near_ids_closest_first() {
    check(
        "claude-haiku-4-5-20251016x",
        None,
        "anthropic claude-haiku-4-5-20251016x",
    );
    check("hiku", None, "unknown [haiku]");
    let many: String = (0..9)
        .map(|n| format!("[[model]]\nid = \"llama-{n}\"\ntargets = [\"openai/x\"]\n"))
        .collect();
    let plan = plan(&format!("{CONFIG}{many}"));
    let resolution = plan.resolve("llama-x", None, None);
    assert_eq!(
        shown(&plan, &resolution),
        "unknown [llama-0 llama-1 llama-2]"
    );
    let resolution = plan.resolve("my-llama-4-model", None, None);
    assert_eq!(shown(&plan, &resolution), "unknown [llama-4]");
}

#[test]
fn near_ids_are_found_in_capitals_and_with_two_letters_swapped() {
    let near = |asked: &str| super::near_ids(asked, ["fast", "gpt-4o", "slow"].into_iter());
    for (asked, expected) in [
        ("fsat", "fast"),
        ("FAST", "fast"),
        ("GPT-4O", "gpt-4o"),
        ("gtp-4o", "gpt-4o"),
    ] {
        assert_eq!(near(asked), [expected], "{asked}");
    }
    assert_eq!(near("sfta"), [""; 0]);
}

#[test]
fn p20_forbidden_and_unknown_ids_look_alike_and_near_ids_are_the_keys_own() {
    let plan = plan(CONFIG);
    let key = key(&["haiku", "@openai/*"]);
    let resolve = |asked| shown(&plan, &plan.resolve(asked, None, Some(&key)));
    assert_eq!(
        resolve("haiku"),
        "bedrock haiku-eu, anthropic claude-haiku-4-5-20251001"
    );
    assert_eq!(resolve("@openai/gpt-4o"), "openai gpt-4o");
    assert_eq!(resolve("gpt-5"), "unknown []");
    assert_eq!(resolve("gpt-4o"), "unknown []");
    assert_eq!(resolve("claude-haiku-4-5-20251015"), "unknown [haiku]");
    assert_eq!(resolve("claude-haiku-4-5-20251014"), "unknown [haiku]");
}

#[test]
fn models_for_a_key_lists_and_knows_only_what_it_may_use() {
    let plan = plan(CONFIG);
    let all: Vec<&str> = plan.models_for(None).map(|(id, _)| id).collect();
    assert_eq!(
        all,
        [
            "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global",
            "vertex_ai/gemini-2.5-pro-ca",
            "claude-haiku-4-5-20251015",
            "haiku",
            "@corp/haiku",
            "gpt-5",
        ]
    );
    let key = key(&["*haiku"]);
    let own: Vec<&str> = plan.models_for(Some(&key)).map(|(id, _)| id).collect();
    assert_eq!(own, ["haiku", "@corp/haiku"]);
}

#[test]
fn listed_adds_what_the_keys_patterns_spell_out_and_a_chat_would_find() {
    let plan = plan(CONFIG);
    let key = key(&["haiku", "gpt-4o", "nothing-known", "openrouter/a/b", "o*"]);
    let listed = plan.listed(Some(&key));
    let shown = listed
        .iter()
        .map(|listed| (listed.id, plan.owner(&listed.targets)));
    let shown: Vec<_> = shown.collect();
    assert_eq!(
        shown,
        [
            ("haiku", "bedrock"),
            ("gpt-4o", "openai"),
            ("openrouter/a/b", "openrouter"),
        ]
    );
}

#[test]
fn relay_goes_by_model_then_header_then_wire() {
    let full = plan(CONFIG);
    let relay = |model, header, wire| match full.relay(model, header, wire, None) {
        RelayResolution::Model(resolution) => shown(&full, &resolution),
        RelayResolution::Providers(targets) => full.owner(&targets).to_owned(),
        RelayResolution::UnknownProvider => "unknown provider".to_owned(),
        RelayResolution::NoProvider => "none".to_owned(),
    };
    assert_eq!(
        relay(Some("text-embedding-3-small"), None, A),
        "openai text-embedding-3-small"
    );
    assert_eq!(relay(Some("voyage"), Some("bedrock"), O), "bedrock voyage");
    assert_eq!(relay(Some("voyage"), None, O), "unknown []");
    assert_eq!(relay(None, Some("@openrouter"), A), "openrouter");
    assert_eq!(relay(None, Some("nobody"), A), "unknown provider");
    assert_eq!(relay(None, None, A), "anthropic");
    assert_eq!(relay(None, None, O), "openai");
    let one = plan("[[provider]]\nname = \"o\"\nkind = \"openai\"\nkey = \"none\"\n");
    assert_eq!(one.relay(None, None, A, None), RelayResolution::NoProvider);
}

#[test]
fn defaults_of_the_configuration_replace_the_built_in_ones_in_their_order() {
    let providers = CONFIG.split("[[model]]").next().unwrap();
    let plan = plan(&format!(
        "{providers}[defaults]\n\"gpt-4*\" = \"openrouter\"\n\"*\" = \"bedrock\"\n\"a*\" = \"openai\"\n"
    ));
    let resolve = |asked| shown(&plan, &plan.resolve(asked, None, None));
    assert_eq!(resolve("gpt-4o"), "openrouter gpt-4o");
    assert_eq!(resolve("@cf/meta/llama"), "bedrock @cf/meta/llama");
    assert_eq!(resolve("abc"), "bedrock abc");
    assert_eq!(resolve("openai/gpt-4o"), "openai gpt-4o");
}

#[test]
fn renames_only_where_the_upstream_id_is_another() {
    let plan = plan(CONFIG);
    for (asked, renames) in [("gpt-4o", false), ("gpt-5", true), ("openai/gpt-4o", true)] {
        let Resolution::Found(targets) = plan.resolve(asked, None, None) else {
            panic!("{asked}");
        };
        assert_eq!(targets[0].renames(asked), renames, "{asked}");
    }
}

#[test]
fn near_ids_in_a_long_list_of_like_ids_are_bounded_work() {
    let ids: Vec<String> = (0..10_000)
        .map(|n| format!("{:x>90}", format!("a{n}")))
        .collect();
    let asked = "x".repeat(90);
    let mut compared = 0;
    let counted = ids.iter().map(|id| {
        compared += 1;
        id.as_str()
    });
    let near = super::near_ids(&asked, counted);
    assert_eq!(near.len(), crate::limits::NEAR_IDS_MAX);
    assert_eq!(compared, crate::limits::NEAR_CANDIDATES_MAX);
    let too_long = "x".repeat(super::NEAR_ID_BYTES_MAX + 1);
    assert_eq!(
        super::near_ids(&too_long, ids.iter().map(String::as_str)),
        [""; 0]
    );
}
