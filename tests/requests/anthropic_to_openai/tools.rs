//! Tools, the choice among them, their names and ids, and searches.

use ringway::wire::common::ids::fingerprint;

use crate::anthropic_to_openai::shared::{GPT_4O, LOCAL, check, conversation};
use crate::support::{Run, json, messages};

#[test]
fn to6_lg4_tools_keep_their_schema_to_the_byte() {
    let schema = r##"{"type":"object","$defs":{"x":{}}, "properties":{"a":{"$ref":"#/$defs/x"}},"minimum":1.50}"##;
    let body = messages(&format!(
        r#""tools":[{{"name":"f","description":"d","input_schema":{schema},"input_examples":[],"defer_loading":true,"cache_control":{{"type":"ephemeral"}}}}]"#
    ));
    let out = Run::to_openai(GPT_4O).ok(&body);
    let text = String::from_utf8(out.bytes).unwrap();
    assert!(
        text.contains(&format!(
            r#"{{"name":"f","description":"d","parameters":{schema}}}"#
        )),
        "{text}"
    );
    assert_eq!(
        out.notes,
        "dropped=cache_control,defer_loading,input_examples"
    );
}

#[test]
fn a12_tool_choice_has_a_form_for_every_value() {
    let tools = r#""tools":[{"name":"f","input_schema":{"type":"object"}}]"#;
    for (choice, expected, parallel) in [
        ("", "null", "null"),
        (r#","tool_choice":{"type":"auto"}"#, r#""auto""#, "null"),
        (
            r#","tool_choice":{"type":"any","disable_parallel_tool_use":true}"#,
            r#""required""#,
            "false",
        ),
        (r#","tool_choice":{"type":"none"}"#, r#""none""#, "null"),
        (
            r#","tool_choice":{"type":"tool","name":"f"}"#,
            r#"{"type":"function","function":{"name":"f"}}"#,
            "null",
        ),
    ] {
        let out = Run::to_openai(GPT_4O).ok(&messages(&format!("{tools}{choice}")));
        assert_eq!(
            out.json.get("tool_choice").cloned().unwrap_or_default(),
            json(expected),
            "{choice}"
        );
        assert_eq!(
            out.json
                .get("parallel_tool_calls")
                .cloned()
                .unwrap_or_default(),
            json(parallel),
            "{choice}"
        );
    }
    let any = Run::to_openai(LOCAL).dialect(|dialect| dialect.tool_choice_any = true);
    let out = any.ok(&messages(&format!(
        r#"{tools},"tool_choice":{{"type":"any"}}"#
    )));
    assert_eq!(out.json["tool_choice"], "any");
}

#[test]
fn tools_that_join_later_are_listed_and_removal_is_refused() {
    let body = |block: &str| {
        format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"x"}},{{"role":"system","content":[{block}]}}],"tools":[{{"name":"f","input_schema":{{}}}}]}}"#
        )
    };
    let out = Run::to_openai(GPT_4O).ok(&body(
        r#"{"type":"tool_addition","tool":{"name":"g","input_schema":{"type":"object"}}}"#,
    ));
    assert_eq!(out.json["tools"][1]["function"]["name"], "g");
    let out = Run::to_openai(GPT_4O).ok(&body(
        r#"{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}"#,
    ));
    assert_eq!(out.json["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        Run::to_openai(GPT_4O).refused(&body(r#"{"type":"tool_removal","tool":{}}"#)),
        "messages[1].content[0]"
    );
}

#[test]
fn calls_and_results_must_pair() {
    let use_ =
        r#"{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}"#;
    for (list, param) in [
        (format!(r#"[{{"role":"user","content":"x"}},{use_},{{"role":"user","content":"y"}}]"#), "messages[1]"),
        (r#"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"r"}]}]"#.to_owned(), "messages[0]"),
        (r#"[{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}},{"type":"tool_use","id":"t1","name":"f","input":{}}]}]"#.to_owned(), "messages[0]"),
    ] {
        assert_eq!(Run::to_openai(GPT_4O).refused(&conversation(&list)), param, "{list}");
    }
}

#[test]
fn a13_names_and_ids_too_long_are_shortened_and_restored() {
    let name = "n".repeat(100);
    let id = format!("toolu_{}", "x".repeat(60));
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"tools":[{{"name":"{name}","input_schema":{{}}}},{{"name":"a.b","input_schema":{{}}}}],"tool_choice":{{"type":"tool","name":"{name}"}},
        "messages":[{{"role":"user","content":"x"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"{name}","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"r"}}]}}]}}"#
    );
    let out = Run::to_openai(GPT_4O).ok(&body);
    let sent = out.json["tools"][0]["function"]["name"].as_str().unwrap();
    assert_eq!(sent.len(), 64);
    assert!(sent.starts_with(&"n".repeat(55)));
    assert_eq!(out.json["tool_choice"]["function"]["name"], sent);
    assert_eq!(
        out.json["messages"][1]["tool_calls"][0]["function"]["name"],
        sent
    );
    let own: Vec<_> = out.translated.answer.tool_names.values().collect();
    assert_eq!(own, [b"a.b".as_slice(), name.as_bytes()]);
    let short = out.json["messages"][1]["tool_calls"][0]["id"]
        .as_str()
        .unwrap();
    assert_eq!(short.len(), 40);
    assert_eq!(out.json["messages"][2]["tool_call_id"], short);
    // Nine letters or digits, where an upstream wants that.
    let nine = Run::to_openai(LOCAL).dialect(|dialect| dialect.tool_id_bytes_max = 9);
    let out = nine.ok(&body);
    let short = out.json["messages"][1]["tool_calls"][0]["id"]
        .as_str()
        .unwrap();
    assert!(short.len() == 9 && short.bytes().all(|b| b.is_ascii_alphanumeric()));
}

#[test]
fn b5_signature_within_an_id_goes_back_where_it_is_wanted() {
    let id = "c1__thought__Cp-p-sw-e-e";
    let body = conversation(&format!(
        r#"[{{"role":"user","content":"U"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"r"}}]}}]"#
    ));
    let out = Run::to_openai(LOCAL)
        .dialect(|dialect| dialect.thought_signatures = true)
        .ok(&body);
    assert_eq!(
        out.json["messages"][1]["tool_calls"][0],
        json(
            r#"{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"Cp+/w=="}}}"#
        )
    );
    assert_eq!(out.json["messages"][2]["tool_call_id"], "c1");
    assert_eq!(out.notes, "");
    let other = Run::to_openai(LOCAL).ok(&body);
    let call = &other.json["messages"][1]["tool_calls"][0];
    assert_eq!(call["id"], "c1");
    assert_eq!(call.get("extra_content"), None);
    assert_eq!(other.notes, "dropped=thought_signature");
}

#[test]
fn a_providers_own_ids_go_back_as_it_wrote_them() {
    let id = "functions_x2e_f_x3a_0";
    let turn = |id: &str| {
        conversation(&format!(
            r#"[{{"role":"user","content":"U"}},{{"role":"assistant","content":[{{"type":"tool_use","id":"{id}","name":"f","input":{{}}}}]}},{{"role":"user","content":[{{"type":"tool_result","tool_use_id":"{id}","content":"r"}}]}}]"#
        ))
    };
    for id in [id.to_owned(), format!("{id}__thought__AAAA")] {
        let out = Run::to_openai(LOCAL).ok(&turn(&id));
        let messages = &out.json["messages"];
        assert_eq!(messages[1]["tool_calls"][0]["id"], "functions.f:0");
        assert_eq!(messages[2]["tool_call_id"], "functions.f:0");
    }
}

#[test]
fn web_search_tool_becomes_options_where_they_are_taken() {
    let run = Run::to_openai(LOCAL).dialect(|dialect| dialect.web_search_options = true);
    let tool = r#""tools":[{"type":"web_search_20250305","name":"web_search","max_uses":3,"user_location":{"type":"approximate","city":"Bonn"}}]"#;
    check(
        &run,
        tool,
        "web_search_options",
        r#"{"search_context_size":"medium","user_location":{"type":"approximate","approximate":{"city":"Bonn"}}}"#,
        "",
    );
}

#[test]
fn b_search_that_is_no_tool_cannot_be_chosen() {
    let run = Run::to_openai(GPT_4O).dialect(|dialect| dialect.web_search_options = true);
    let search = r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#;
    for choice in [
        r#"{"type":"tool","name":"web_search"}"#,
        r#"{"type":"any"}"#,
    ] {
        let members = format!(r#"{search},"tool_choice":{choice}"#);
        check(&run, &members, "tool_choice", "null", "changed=tool_choice");
    }
}

#[test]
fn names_that_no_other_begins_with_are_known_to_the_answer() {
    let tools = ["get", "get_weather", "f", "get_weathers", "f"]
        .map(|name| format!(r#"{{"name":"{name}","input_schema":{{}}}}"#));
    let out = Run::to_openai(GPT_4O).ok(&messages(&format!(r#""tools":[{}]"#, tools.join(","))));
    let mut expected = [b"f".as_slice(), b"get_weathers"].map(fingerprint);
    expected.sort_unstable();
    assert_eq!(out.translated.answer.whole_names, expected);
}
