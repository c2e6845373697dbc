use ringway_test_support::stride::STRIDE;

use super::*;

fn stripped(messages: &str) -> String {
    let body = format!(
        r#"{{"reasoning":1,"messages":[{messages}],"x":[{{"role":"assistant","reasoning":1}}]}}"#
    );
    let edits = strip_reasoning(body.as_bytes(), &Limits::default()).unwrap();
    let mut out = Vec::new();
    edits.apply(body.as_bytes(), &mut out);
    serde_json::from_slice::<serde_json::Value>(&out).unwrap();
    let out = String::from_utf8(out).unwrap();
    out.strip_prefix(r#"{"reasoning":1,"messages":["#)
        .and_then(|out| out.strip_suffix(r#"],"x":[{"role":"assistant","reasoning":1}]}"#))
        .unwrap()
        .to_owned()
}

#[test]
fn reasoning_leaves_assistant_messages_alone_of_all() {
    let cases = [
        (
            r#"{"role":"assistant","reasoning_content":"x","content":"y"}"#,
            r#"{"role":"assistant","content":"y"}"#,
        ),
        (
            r#"{"reasoning":{"a":[1]},"role":"assistant"}"#,
            r#"{"role":"assistant"}"#,
        ),
        (
            r#"{"reasoning":null , "thinking_blocks":[], "role":"assistant" , "content":"y" , "reasoning_details":[{}] }"#,
            r#"{"role":"assistant" , "content":"y" }"#,
        ),
        (
            r#"{"role":"assistant","content_blocks":[1],"r\u0065asoning":2}"#,
            r#"{"role":"assistant"}"#,
        ),
        (
            r#"{"role":"user","reasoning":1}"#,
            r#"{"role":"user","reasoning":1}"#,
        ),
        (
            r#"{"role":"assistant","content":[{"reasoning":1}]}"#,
            r#"{"role":"assistant","content":[{"reasoning":1}]}"#,
        ),
        (
            r#"1,[{"role":"assistant","reasoning":1}],{}"#,
            r#"1,[{"role":"assistant","reasoning":1}],{}"#,
        ),
        (
            r#"{"role":"assistant","reasoning":1},{"role":"user","reasoning":2},{"reasoning":3,"role":"assistant"}"#,
            r#"{"role":"assistant"},{"role":"user","reasoning":2},{"role":"assistant"}"#,
        ),
    ];
    for (messages, expected) in cases {
        assert_eq!(stripped(messages), expected, "{messages}");
    }
}

#[test]
fn history_over_the_edit_limit_is_refused() {
    let edits_max = HISTORY_EDITS_MAX / STRIDE;
    let strip = |body: &str| strip(body.as_bytes(), &Limits::default(), edits_max);
    let message = r#"{"role":"assistant","reasoning":1},"#.repeat(edits_max);
    let body = format!(r#"{{"messages":[{message}1]}}"#);
    assert!(strip(&body).is_ok());
    let body = format!(r#"{{"messages":[{message}{{"role":"assistant","reasoning":1}}]}}"#);
    let error = strip(&body).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::Values);
}
