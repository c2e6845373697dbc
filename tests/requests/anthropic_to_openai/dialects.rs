//! What the templates and validators of other services do not take, said in another way.

use crate::anthropic_to_openai::shared::{GPT_4O, LOCAL, conversation};
use crate::support::{Run, json};

#[test]
fn o6_system_within_the_conversation_stays_in_place() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"system","content":"S"},{"role":"assistant","content":"A"},{"role":"user","content":"y"}]}"#;
    let out = Run::to_openai(GPT_4O).ok(body);
    assert_eq!(
        out.json["messages"][1],
        json(r#"{"role":"system","content":"S"}"#)
    );
}

#[test]
fn o6_system_that_a_template_refuses_later_is_user_text_in_its_place() {
    let call =
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    let called = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"t1","content":"r"}"#;
    let text = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let (u, v, a) = (text("user", "U"), text("user", "V"), text("assistant", "A"));
    let (s, t) = (text("system", "S"), text("system", r"T\u00e9"));
    let (said, said_both) = (
        text("user", r"[system instruction]\nS"),
        text("user", r"[system instruction]\nS\nT\u00e9"),
    );
    let top = text("system", "top");
    for (sent, expected, notes) in [
        // Alone and in a run, before an answer, before the user, at the end.
        (
            format!("{u},{s},{a},{v}"),
            format!("{top},{u},{said},{a},{v}"),
            true,
        ),
        (
            format!("{u},{a},{s},{t},{v}"),
            format!("{top},{u},{a},{said_both},{v}"),
            true,
        ),
        (format!("{u},{s}"), format!("{top},{u},{said}"), true),
        // What opens the conversation joins the system text: nothing is lost.
        (
            format!("{s},{t},{u}"),
            format!(
                r#"{{"role":"system","content":[{{"type":"text","text":"top"}},{{"type":"text","text":"S"}},{{"type":"text","text":"T\u00e9"}}]}},{u}"#
            ),
            false,
        ),
        // Instructions alone are what is asked.
        (format!("{s},{t}"), format!("{top},{said_both}"), true),
        // Results stay behind their calls.
        (
            format!(r#"{u},{call},{s},{{"role":"user","content":[{result}]}}"#),
            format!(
                r#"{top},{u},{called},{{"role":"tool","tool_call_id":"t1","content":"r"}},{said}"#
            ),
            true,
        ),
        (
            format!(r#"{u},{call},{{"role":"user","content":[{result}]}},{s},{a},{v}"#),
            format!(
                r#"{top},{u},{called},{{"role":"tool","tool_call_id":"t1","content":"r"}},{said},{a},{v}"#
            ),
            true,
        ),
    ] {
        let body = format!(
            r#"{{"model":"m","max_tokens":9,"system":"top","messages":[{sent}],"tools":[{{"name":"f","input_schema":{{}}}}]}}"#
        );
        let run = Run {
            dialect: ringway::wire::kind::Dialect::compatible(),
            ..Run::to_openai(LOCAL)
        };
        let out = run.ok(&body);
        assert_eq!(
            out.json["messages"],
            json(&format!("[{expected}]")),
            "{sent}"
        );
        let names = if notes { "changed=messages" } else { "" };
        assert_eq!(out.notes, names, "{sent}");
        // Said in another place, and said.
        let strict = run.hints(|hints| hints.strict = true);
        assert_eq!(strict.ok(&body).notes, names, "{sent}");
    }
}

#[test]
fn roles_in_a_row_are_joined_where_refused() {
    let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#;
    assert_eq!(
        Run::to_openai(GPT_4O).ok(body).json["messages"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let strict = Run::to_openai(LOCAL).dialect(|dialect| {
        dialect.repeated_roles = false;
        dialect.array_content = false;
    });
    assert_eq!(
        strict.ok(body).json["messages"],
        json(r#"[{"role":"user","content":"a\n\nb"}]"#)
    );
}

#[test]
fn b_user_behind_a_tool_is_parted_from_it_where_refused() {
    let call =
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    let called = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#;
    let result = r#"{"type":"tool_result","tool_use_id":"t1","content":"r"}"#;
    let tool = r#"{"role":"tool","tool_call_id":"t1","content":"r"}"#;
    let text = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let (u, a, v) = (text("user", "U"), text("assistant", "A"), text("user", "V"));
    let bridge = text("assistant", "Understood.");
    let alone = format!(r#"{{"role":"user","content":[{result}]}}"#);
    let beside = format!(r#"{{"role":"user","content":[{result},{{"type":"text","text":"V"}}]}}"#);
    let run = Run::to_openai(LOCAL).dialect(|dialect| dialect.user_after_tool = false);
    for (sent, expected, notes) in [
        (
            format!("{u},{call},{beside}"),
            format!("{u},{called},{tool},{bridge},{v}"),
            true,
        ),
        (
            format!("{u},{call},{alone},{v}"),
            format!("{u},{called},{tool},{bridge},{v}"),
            true,
        ),
        (
            format!("{u},{call},{alone}"),
            format!("{u},{called},{tool}"),
            false,
        ),
        (
            format!("{u},{call},{alone},{a},{v}"),
            format!("{u},{called},{tool},{a},{v}"),
            false,
        ),
        (format!("{u},{v}"), format!("{u},{v}"), false),
    ] {
        let body = conversation(&format!("[{sent}]"));
        let out = run.ok(&body);
        assert_eq!(
            out.json["messages"],
            json(&format!("[{expected}]")),
            "{sent}"
        );
        let names = if notes { "changed=messages" } else { "" };
        assert_eq!(out.notes, names, "{sent}");
        assert_eq!(Run::to_openai(LOCAL).ok(&body).notes, "", "{sent}");
    }
}

#[test]
fn b_prefill_is_an_answer_of_its_own_or_marked_and_noted() {
    let body =
        conversation(r#"[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]"#);
    let out = Run::to_openai(GPT_4O).ok(&body);
    let last = r#"{"role":"assistant","content":"A"}"#;
    assert_eq!(out.json["messages"][1], json(last));
    assert_eq!(out.notes, "changed=messages");
    let marked = Run::to_openai(LOCAL).dialect(|dialect| dialect.assistant_prefix = true);
    let out = marked.ok(&body);
    let last = r#"{"role":"assistant","content":"A","prefix":true}"#;
    assert_eq!(out.json["messages"][1], json(last));
    let earlier = conversation(
        r#"[{"role":"user","content":"U"},{"role":"assistant","content":"A"},{"role":"user","content":"V"}]"#,
    );
    let out = marked.ok(&earlier);
    assert_eq!(out.json["messages"][1].get("prefix"), None);
    assert_eq!(out.notes, "");
}
