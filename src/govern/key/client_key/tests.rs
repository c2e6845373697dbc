use super::{METADATA_MAX, PATTERNS_MAX, Rules, check_id, check_name, check_tenant};

fn check(text: &str, expected: &str) {
    let fault = Rules::parse(text.as_bytes()).unwrap_err();
    assert_eq!(fault.to_string(), expected, "{text}");
}

#[test]
fn rules_read_back_as_they_were_written() {
    let whole = r#"{"models":["a*","b"],"tiers":[],"relay":["*"],"residency":{"jurisdictions":["CA"],"regions":["x"]},"metadata":{"team":"x \"y\""}}"#;
    for text in ["{}", r#"{"models":[]}"#, whole] {
        let rules = Rules::parse(text.as_bytes()).unwrap();
        assert_eq!(rules.document(), text);
    }
    let rules = Rules::parse(br#"{"models":null,"metadata":null}"#).unwrap();
    assert_eq!(rules, Rules::default());
}

#[test]
fn rules_that_are_none_say_which_member_is_wrong() {
    check(
        "",
        "expected JSON: expected a JSON object, found nothing at byte 0",
    );
    check("[]", "expected an object");
    check(r#"{"models":"a"}"#, "models: expected an array of strings");
    check(r#"{"tiers":[1]}"#, "tiers: expected a string");
    let text = "expected 1 to 128 bytes of text without control characters";
    check(r#"{"tiers":[""]}"#, &format!("tiers: {text}"));
    check(r#"{"tiers":["a\u0000"]}"#, &format!("tiers: {text}"));
    check(
        &format!(r#"{{"relay":["{}"]}}"#, "x".repeat(129)),
        &format!("relay: {text}"),
    );
    check(r#"{"metadata":{"a":1}}"#, "metadata: expected a string");
    check(r#"{"metadata":[]}"#, "metadata: expected an object");
    check(
        r#"{"residency":{"regions":[]}}"#,
        "regions: is empty and would leave nothing; leave it out to allow all",
    );
    check(
        r#"{"residency":{}}"#,
        "residency: restricts nothing; name jurisdictions, regions or providers, or leave it out",
    );
    check(r#"{"residency":["CA"]}"#, "residency: expected an object");
    check(
        r#"{"residency":{"country":["CA"]}}"#,
        "country: unknown member; known: jurisdictions, regions, providers",
    );
    check(r#"{"tiers":[],"tiers":[]}"#, "tiers: stands twice");
    check(
        r#"{"model":[]}"#,
        "model: unknown member; known: models, tiers, residency, relay, requests_per_minute, tokens_per_minute, concurrent, budget_day, budget_month, metadata",
    );
    let many = |count: usize| vec!["\"x\""; count].join(",");
    let patterns = |count| format!("{{\"models\":[{}]}}", many(count));
    assert!(Rules::parse(patterns(PATTERNS_MAX).as_bytes()).is_ok());
    check(
        &patterns(PATTERNS_MAX + 1),
        "models: expected 256 strings at most",
    );
    let words: Vec<String> = (0..=METADATA_MAX)
        .map(|n| format!("\"{n}\":\"x\""))
        .collect();
    check(
        &format!("{{\"metadata\":{{{}}}}}", words.join(",")),
        "metadata: expected 16 members at most",
    );
    check(
        &"[".repeat(20),
        "expected JSON: nested too deeply at byte 8",
    );
}

#[test]
fn names_and_ids_are_what_every_place_takes() {
    for good in ["a", "key_0123456789abcdef", "A.b-c"] {
        assert!(check_id(good).is_ok(), "{good}");
    }
    for bad in ["", "a b", "a/b", "é", ".", "..", &"x".repeat(65)] {
        assert!(check_id(bad).is_err(), "{bad}");
    }
    assert!(check_tenant("Été & Co").is_ok() && check_name("").is_ok());
    for bad in ["a\0", "a\n", &"x".repeat(129)] {
        assert!(
            check_tenant(bad).is_err() && check_name(bad).is_err(),
            "{bad:?}"
        );
    }
    assert!(check_tenant("").is_err());
}
