//! The estimate of `count_tokens`.

use ringway::json::tape::Tape;
use ringway::limits::Limits;
use ringway::translate::count::estimate;

fn count(body: &str) -> u64 {
    estimate(body.as_bytes(), &mut Tape::new(), &Limits::default()).unwrap()
}

#[test]
fn pk12_estimate_follows_its_documented_formula() {
    for (body, expected) in [
        (
            r#"{"model":"m","messages":[{"role":"user","content":"12345678"}]}"#,
            3 + 4 + 2,
        ),
        (
            r#"{"messages":[{"role":"user","content":"héé\u00e9"}]}"#,
            3 + 4 + 1 + 3,
        ),
        (
            r#"{"system":"1234","messages":[{"role":"user","content":"a"}]}"#,
            3 + 5 + 5,
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]}"#,
            3 + 4 + 1000,
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA"}}]}]}"#,
            3 + 4 + 2000,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a"}],"tools":[{"name":"get_","description":"abcd","input_schema":{"a":1}}]}"#,
            3 + 5 + 4 + 1 + 1 + 2,
        ),
        (
            r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking","thinking":"long","signature":"s"},{"type":"tool_use","id":"t","name":"abcd","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"abcd"}]}]}"#,
            3 + 5 + (4 + 4 + 1 + 1) + (4 + 4 + 1),
        ),
    ] {
        assert_eq!(count(body), expected, "{body}");
        assert_eq!(count(body), count(body));
    }
    assert!(estimate(b"{}", &mut Tape::new(), &Limits::default()).is_err());
    assert!(estimate(b"[", &mut Tape::new(), &Limits::default()).is_err());
}
