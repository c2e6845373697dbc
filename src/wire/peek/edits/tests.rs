use super::*;
use crate::limits::Limits;
use crate::wire::kind::Wire;
use crate::wire::peek::body::peek;

fn edited(body: &str, model: Option<&str>, inject_usage: bool) -> String {
    let peek = peek(body.as_bytes(), Wire::OpenAiChat, &Limits::default()).unwrap();
    let edits = edits_for(
        &peek,
        &Overrides {
            model,
            inject_usage,
        },
    );
    let mut out = Vec::new();
    edits.apply(body.as_bytes(), &mut out);
    assert_eq!(out.len(), edits.len_after(body.len()));
    serde_json::from_slice::<serde_json::Value>(&out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn body_without_overrides_is_unchanged() {
    let body = r#" { "model" : "m", "messages":[1.0e0], "stream":true } "#;
    let peek = peek(body.as_bytes(), Wire::OpenAiChat, &Limits::default()).unwrap();
    assert!(edits_for(&peek, &Overrides::default()).is_empty());
}

#[test]
fn model_is_renamed_and_everything_else_stays() {
    assert_eq!(
        edited(
            r#"{"a":1.0e0, "mod\u0065l" : "m" ,"messages":["\u0041"]}"#,
            Some("p/\"q"),
            false
        ),
        r#"{"a":1.0e0, "mod\u0065l" : "p/\"q" ,"messages":["\u0041"]}"#
    );
}

#[test]
fn own_members_leave_with_their_commas_wherever_they_stand() {
    let rest = r#""model":"m","messages":[1]"#;
    let own = [
        r#""allow_fallbacks":false"#,
        r#""routing":{"by":"price"}"#,
        r#""privacy_tier":null"#,
        r#""pii_substitution":false"#,
    ];
    for first in own {
        for second in own.into_iter().filter(|second| *second != first) {
            for body in [
                format!("{{{first},{second},{rest}}}"),
                format!("{{{first},{rest},{second}}}"),
                format!("{{{rest},{first},{second}}}"),
            ] {
                assert_eq!(edited(&body, None, false), format!("{{{rest}}}"), "{body}");
            }
        }
    }
    let body = r#"{ "routing" : 1 , "model":"m", "allow_fallbacks":true , "messages":[1] , "privacy_tier":null }"#;
    assert_eq!(
        edited(body, None, false),
        r#"{ "model":"m" , "messages":[1] }"#
    );
}

#[test]
fn c7_usage_is_asked_for_by_the_smallest_change() {
    let rest = r#""model":"m","messages":[1],"stream":true"#;
    let ask = r#""stream_options":{"include_usage":true}"#;
    let cases = [
        ("", format!(",{ask}")),
        (r#","stream_options":null"#, format!(",{ask}")),
        (r#","stream_options":{}"#, format!(",{ask}")),
        (
            r#","stream_options":{"include_usage":false}"#,
            format!(",{ask}"),
        ),
        (
            r#","stream_options":{"include_usage":null}"#,
            format!(",{ask}"),
        ),
        (
            r#","stream_options":{"include_usage":{}}"#,
            format!(",{ask}"),
        ),
        (
            r#","stream_options":{ "include_obfuscation":false }"#,
            r#","stream_options":{ "include_obfuscation":false,"include_usage":true }"#.into(),
        ),
        (
            r#","stream_options":{"include_usage":true}"#,
            format!(",{ask}"),
        ),
        // Not ours to judge.
        (r#","stream_options":7"#, r#","stream_options":7"#.into()),
        (
            r#","stream_options":{"include_usage":true,"include_usage":false}"#,
            r#","stream_options":{"include_usage":true,"include_usage":false}"#.into(),
        ),
        (r#","routing":1"#, format!(",{ask}")),
    ];
    for (more, expected) in cases {
        let body = format!("{{{rest}{more}}}");
        assert_eq!(
            edited(&body, None, true),
            format!("{{{rest}{expected}}}"),
            "{body}"
        );
    }
}

#[test]
fn c7_usage_is_not_asked_for_without_a_stream() {
    for stream in ["false", "null"] {
        let body = format!(r#"{{"model":"m","messages":[1],"stream":{stream}}}"#);
        assert_eq!(edited(&body, None, true), body);
    }
}
