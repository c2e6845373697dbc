use super::*;

#[test]
fn ids_with_prefixes_and_suffixes_find_their_model() {
    let table = ModelTable::builtin();
    let cases = [
        ("claude-opus-4-6", "claude-opus-4-6"),
        ("anthropic/claude-opus-4.6", "claude-opus-4-6"),
        (
            "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0-global",
            "claude-haiku-4-5",
        ),
        (
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            "claude-sonnet-4",
        ),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("@anthropic/claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("openai.gpt-oss-120b", "gpt-oss-120b"),
        ("Claude-Opus-5", "claude-opus-5"),
        ("openai/gpt-5-mini-2025-08-07", "gpt-5-mini"),
    ];
    for (id, plain) in cases {
        assert_eq!(table.facts(id), table.facts(plain), "{id}");
        assert_ne!(table.facts(id), &ModelFacts::UNKNOWN, "{id}");
    }
    assert_eq!(table.facts("my-own-model"), &ModelFacts::UNKNOWN);
}

#[test]
fn longest_pattern_wins_and_configuration_before_all() {
    let table = ModelTable::builtin();
    assert_eq!(
        table.facts("claude-opus-5").thinking,
        Some(Thinking::AdaptiveOn)
    );
    assert_eq!(
        table.facts("claude-opus-5-5").thinking,
        Some(Thinking::Always)
    );
    assert_eq!(
        table.facts("claude-opus-4-20250514").output_tokens_max,
        Some(32_000)
    );
    assert!(!table.facts("gpt-5").efforts.has(Effort::None));
    assert!(table.facts("gpt-5.1").efforts.has(Effort::None));
    assert!(table.facts("gpt-5.9").efforts.has(Effort::Max));

    let mut facts = *table.facts("claude-opus-5");
    facts.set("output_tokens_max", "77").unwrap();
    facts.set("efforts", "low, high").unwrap();
    let table = ModelTable::extended(vec![("claude-*".into(), facts)]);
    assert_eq!(table.facts("claude-opus-4-6").output_tokens_max, Some(77));
    assert!(!table.facts("claude-opus-4-6").efforts.has(Effort::Medium));
}

#[test]
fn the_first_gpt_4_that_sees_is_not_taken_for_the_blind_one() {
    let table = ModelTable::builtin();
    for (id, expected) in [
        ("gpt-4", (Some(false), Some(8192))),
        ("gpt-4-32k-0613", (Some(false), Some(32_768))),
        ("gpt-4-vision-preview", (Some(true), Some(128_000))),
        ("gpt-4-1106-vision-preview", (None, Some(128_000))),
        ("gpt-4-turbo", (Some(true), Some(128_000))),
    ] {
        let facts = table.facts(id);
        assert_eq!((facts.vision, facts.context_tokens), expected, "{id}");
    }
}

#[test]
fn efforts_fall_to_the_nearest_level_taken() {
    let set = *ModelTable::builtin().facts("claude-opus-4-6");
    assert_eq!(set.efforts.nearest(Effort::Xhigh), Some(Effort::High));
    assert_eq!(set.efforts.nearest(Effort::Max), Some(Effort::Max));
    assert_eq!(set.efforts.nearest(Effort::Minimal), Some(Effort::Low));
    assert_eq!(Efforts(0).nearest(Effort::High), None);
}

#[test]
fn every_fact_name_can_be_set_and_others_cannot() {
    for name in FACT_NAMES {
        let mut facts = ModelFacts::UNKNOWN;
        let fault = facts.set(name, "\u{1F600}").unwrap_err();
        assert!(matches!(fault, FactFault::Value { .. }), "{name}");
    }
    let mut facts = ModelFacts::UNKNOWN;
    assert_eq!(facts.set("price", "1"), Err(FactFault::Name));
}

#[test]
fn globs_match_whole_ids_only() {
    for (glob, text, expected) in [
        ("a*", "abc", true),
        ("a*c", "abc", true),
        ("a*b*d", "abcd", true),
        ("a*b*d", "acd", false),
        ("abc", "abcd", false),
        ("*", "", true),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(glob, text), expected, "{glob} {text}");
    }
}
