//! Blocks in places that the other wire does not have: pictures of the assistant, calls of the user,
//! cache marks on whatever may carry one.

use crate::anthropic_to_openai::shared::{GPT_4O, conversation};
use crate::support::{Run, json};

const PNG: &str =
    r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}"#;
const PDF: &str = r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGk="}}"#;
const MARK: &str = r#""cache_control":{"type":"ephemeral"}"#;

fn turns(assistant: &str) -> String {
    conversation(&format!(
        r#"[{{"role":"user","content":"hi"}},{{"role":"assistant","content":[{assistant}]}},{{"role":"user","content":"go on"}}]"#
    ))
}

#[test]
fn pictures_and_documents_of_the_assistant_are_left_out_and_noted() {
    let inside =
        format!(r#"{{"type":"document","source":{{"type":"content","content":[{PNG}]}}}}"#);
    for (block, name) in [
        (PNG, "image"),
        (PDF, "document"),
        (inside.as_str(), "image"),
    ] {
        let body = turns(&format!(r#"{{"type":"text","text":"see"}},{block}"#));
        let out = Run::to_openai(GPT_4O).ok(&body);
        assert_eq!(out.notes, format!("dropped={name}"), "{block}");
        assert_eq!(out.json["messages"][1]["content"], "see");
        let strict = Run::to_openai(GPT_4O).hints(|hints| hints.strict = true);
        assert_eq!(strict.refused(&body), name);
    }
    // The user's go on, also from within a document.
    let body = conversation(&format!(r#"[{{"role":"user","content":[{inside}]}}]"#));
    let out = Run::to_openai(GPT_4O).ok(&body);
    assert_eq!(out.json["messages"][0]["content"][0]["type"], "image_url");
    assert_eq!(out.notes, "");
}

#[test]
fn calls_and_results_in_the_wrong_role_are_refused() {
    let call = r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"a","content":"r"}"#;
    for (list, at) in [
        (format!(r#"[{{"role":"user","content":[{call}]}}]"#), 0),
        (
            format!(
                r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{call},{result}]}}]"#
            ),
            1,
        ),
        (
            format!(
                r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{call}]}},{{"role":"assistant","content":[{result}]}}]"#
            ),
            2,
        ),
    ] {
        let told = Run::to_openai(GPT_4O).refused(&conversation(&list));
        assert_eq!(told, format!("messages[{at}].content"), "{list}");
    }
}

/// The marks in what is sent, and the notes.
fn marks(run: &Run<'_>, list: &str) -> (usize, String) {
    let out = run.ok(&conversation(list));
    let sent = String::from_utf8(out.bytes).unwrap();
    (sent.matches("cache_control").count(), out.notes)
}

#[test]
fn cache_marks_are_kept_where_they_are_taken_and_noted_where_not() {
    let text = format!(r#"{{"type":"text","text":"t",{MARK}}}"#);
    let document =
        |source: &str| format!(r#"{{"type":"document","title":"T","source":{source},{MARK}}}"#);
    let plain = document(r#"{"type":"text","media_type":"text/plain","data":"d"}"#);
    let content = document(r#"{"type":"content","content":[{"type":"text","text":"c"}]}"#);
    let empty =
        r#"{"type":"document","source":{"type":"content","content":[]},"#.to_owned() + MARK + "}";
    let found = format!(
        r#"{{"type":"search_result","title":"T","source":"s","content":[{{"type":"text","text":"c"}}],{MARK}}}"#
    );
    let user = |block: &str| {
        format!(r#"[{{"role":"user","content":[{block},{{"type":"text","text":"q"}}]}}]"#)
    };
    let said = |block: &str| {
        format!(
            r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{block}]}},{{"role":"user","content":"y"}}]"#
        )
    };
    let call = format!(r#"{{"type":"tool_use","id":"a","name":"f","input":{{}},{MARK}}}"#);
    let called = format!(
        r#"[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{call}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"a","content":"r"}}]}}]"#
    );
    let taking = Run::to_openai(GPT_4O).dialect(|dialect| {
        dialect.cache_control = true;
        dialect.array_content = true;
    });
    let none = Run::to_openai(GPT_4O).dialect(|dialect| dialect.cache_control = false);
    let joining = taking
        .clone()
        .dialect(|dialect| dialect.array_content = false);
    for (list, kept) in [
        (user(&text), 1),
        (said(&text), 1),
        (user(&plain), 1),
        (user(&content), 1),
        (user(&found), 1),
        (user(&empty), 0),
        (called, 0),
    ] {
        let lost = "dropped=cache_control".to_owned();
        let expected = if kept == 1 {
            String::new()
        } else {
            lost.clone()
        };
        assert_eq!(marks(&taking, &list), (kept, expected), "{list}");
        assert_eq!(marks(&none, &list), (0, lost.clone()), "{list}");
        assert_eq!(marks(&joining, &list), (0, lost), "{list}");
    }
    let out = taking.ok(&conversation(&said(&text)));
    assert_eq!(
        out.json["messages"][1]["content"],
        json(&format!(r#"[{{"type":"text","text":"t",{MARK}}}]"#))
    );
}
