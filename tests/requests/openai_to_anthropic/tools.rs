//! Tools and the choice among them, searches included.

use ringway::limits::STRICT_TOOLS_MAX;
use serde_json::Value;

use crate::openai_to_anthropic::shared::{OPUS_5, PLAIN, check};
use crate::support::{Run, chat, chat_messages, json};

#[test]
fn lg4_to6_tools_keep_their_schema_to_the_byte() {
    let schema = r##"{"type":"object", "properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"anyOf":[{"type":"null"}]}},"additionalProperties":false,"minimum":1.50}"##;
    let members = format!(
        r#""tools":[{{"type":"function","function":{{"name":"f","description":"d\u00e9","parameters":{schema}}}}}]"#
    );
    let out = Run::to_anthropic(PLAIN).ok(&chat(&members));
    let text = String::from_utf8(out.bytes).unwrap();
    let expected = format!(r#"{{"name":"f","description":"d\u00e9","input_schema":{schema}}}"#);
    assert!(text.contains(&expected), "{text}");
    assert_eq!(out.notes, "");
}

#[test]
fn tool_schemas_without_type_or_at_all_become_objects() {
    for (parameters, expected) in [
        ("", r#"{"type":"object","properties":{}}"#),
        (r#","parameters":{}"#, r#"{"type":"object"}"#),
        (
            r#","parameters":{"properties":{"a":{}}}"#,
            r#"{"type":"object","properties":{"a":{}}}"#,
        ),
    ] {
        let members =
            format!(r#""tools":[{{"type":"function","function":{{"name":"f"{parameters}}}}}]"#);
        let out = Run::to_anthropic(PLAIN).ok(&chat(&members));
        assert_eq!(
            out.json["tools"][0]["input_schema"],
            json(expected),
            "{parameters}"
        );
    }
}

#[test]
fn strict_tools_stay_strict_inside_the_subset_only() {
    let tool = |schema: &str| {
        format!(
            r#""tools":[{{"type":"function","function":{{"name":"f","strict":true,"parameters":{schema}}}}}]"#
        )
    };
    let inside = r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    let outside = r#"{"type":"object","properties":{"a":{"type":"integer","minimum":3}}}"#;
    for (model, schema, strict, notes) in [
        (OPUS_5, inside, true, ""),
        (OPUS_5, outside, false, "dropped=strict"),
        (PLAIN, inside, false, "dropped=strict"),
    ] {
        let out = Run::to_anthropic(model).ok(&chat(&tool(schema)));
        assert_eq!(
            out.json["tools"][0].get("strict").is_some(),
            strict,
            "{model} {schema}"
        );
        assert_eq!(out.notes, notes);
    }
}

#[test]
fn a12_tool_choice_has_a_form_for_every_value() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#;
    for (choice, expected) in [
        ("", "null"),
        (r#","tool_choice":"auto""#, r#"{"type":"auto"}"#),
        (r#","tool_choice":"required""#, r#"{"type":"any"}"#),
        (r#","tool_choice":"none""#, r#"{"type":"none"}"#),
        (
            r#","tool_choice":{"type":"function","function":{"name":"g"}}"#,
            r#"{"type":"tool","name":"g"}"#,
        ),
        (
            r#","parallel_tool_calls":false"#,
            r#"{"type":"auto","disable_parallel_tool_use":true}"#,
        ),
        (
            r#","tool_choice":"required","parallel_tool_calls":false"#,
            r#"{"type":"any","disable_parallel_tool_use":true}"#,
        ),
        (
            r#","tool_choice":"none","parallel_tool_calls":false"#,
            r#"{"type":"none"}"#,
        ),
        (
            r#","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}"#,
            r#"{"type":"auto"}"#,
        ),
        (
            r#","tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","name":"g"}]}},"parallel_tool_calls":false"#,
            r#"{"type":"any","disable_parallel_tool_use":true}"#,
        ),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&chat(&format!("{tools}{choice}")));
        let found = out.json.get("tool_choice").cloned().unwrap_or(Value::Null);
        assert_eq!(found, json(expected), "{choice}");
        let count = out.json["tools"].as_array().unwrap().len();
        assert_eq!(
            count,
            if choice.contains("allowed") { 1 } else { 2 },
            "{choice}"
        );
        assert_eq!(out.notes, "", "{choice}");
    }
    // Without tools there is nothing to choose among.
    assert_eq!(
        Run::to_anthropic(PLAIN)
            .ok(&chat(r#""parallel_tool_calls":false,"tool_choice":"auto""#))
            .json
            .get("tool_choice"),
        None
    );
    assert_eq!(
        Run::to_anthropic(PLAIN).refused(&chat(r#""tool_choice":"required""#)),
        "tool_choice"
    );
    assert_eq!(
        Run::to_anthropic("claude-fable-5-1")
            .refused(&chat(&format!(r#"{tools},"tool_choice":"required""#))),
        "tool_choice"
    );
}

#[test]
fn custom_tools_take_text_in_an_object() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"custom","custom":{"name":"sh","input":"ls \"-l\""}}]},
            {"role":"tool","tool_call_id":"c1","content":"ok"}],
           "tools":[{"type":"custom","custom":{"name":"sh","description":"d"}}],
           "tool_choice":{"type":"custom","custom":{"name":"sh"}}"#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert_eq!(
        out.json["messages"][1]["content"][0]["input"],
        json(r#"{"input":"ls \"-l\""}"#)
    );
    assert_eq!(
        out.json["tools"][0]["input_schema"]["required"],
        json(r#"["input"]"#)
    );
    assert_eq!(
        out.json["tool_choice"],
        json(r#"{"type":"tool","name":"sh"}"#)
    );
    assert!(out.needs().custom_tools.iter().eq(["sh"]));
}

#[test]
fn legacy_functions_become_tools_one_call_at_a_time() {
    let body = chat_messages(
        r#"[{"role":"user","content":"x"},
            {"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}},
            {"role":"function","name":"f","content":"ok"},
            {"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}},
            {"role":"function","name":"f","content":null}],
           "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}"#,
    );
    let out = Run::to_anthropic(PLAIN).ok(&body);
    assert!(out.needs().legacy_function);
    assert_eq!(
        out.json["tool_choice"],
        json(r#"{"type":"tool","name":"f","disable_parallel_tool_use":true}"#)
    );
    assert_eq!(
        out.json["messages"][1]["content"][0]["id"],
        out.json["messages"][2]["content"][0]["tool_use_id"]
    );
    assert_eq!(
        out.json["messages"][3]["content"][0]["id"],
        out.json["messages"][4]["content"][0]["tool_use_id"]
    );
    assert_ne!(
        out.json["messages"][1]["content"][0]["id"],
        out.json["messages"][3]["content"][0]["id"]
    );
    assert_eq!(out.json["messages"][4]["content"][0].get("content"), None);
    assert_eq!(out.notes, "");
}

#[test]
fn pk9_web_search_tools_in_either_spelling_are_native() {
    for (tool, expected) in [
        (
            r#"{"type":"web_search","web_search":{"name":"web_search_20250305","max_uses":2}}"#,
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#,
        ),
        (
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#,
            r#"{"type":"web_search_20250305","name":"web_search","max_uses":2}"#,
        ),
    ] {
        let out = Run::to_anthropic(PLAIN).ok(&chat(&format!(r#""tools":[{tool}]"#)));
        assert_eq!(out.json["tools"][0], json(expected), "{tool}");
    }
    assert_eq!(
        Run::to_anthropic(PLAIN).refused(&chat(r#""tools":[{"type":"file_search"}]"#)),
        "tools[0].type"
    );
}

#[test]
fn web_search_options_become_the_search_tool() {
    let members = r#""web_search_options":{"search_context_size":"high","user_location":{"type":"approximate","approximate":{"city":"Bonn","country":"DE"}}}"#;
    check(
        PLAIN,
        members,
        "tools",
        r#"[{"type":"web_search_20250305","name":"web_search","max_uses":10,"user_location":{"type":"approximate","city":"Bonn","country":"DE"}}]"#,
        "",
    );
}

#[test]
fn web_search_options_outlast_a_list_of_allowed_tools() {
    let out = Run::to_anthropic(PLAIN).ok(&chat(
        r#""web_search_options":{},"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}"#,
    ));
    let tools = out.json["tools"].as_array().unwrap().iter();
    let names: Vec<&Value> = tools.map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["g", "web_search"]);
    assert_eq!(out.notes, "");
}

#[test]
fn grammar_tools_are_wrapped_and_carry_their_grammar_in_the_description() {
    let text = r#"s: \"a\\n\" \u00e9"#;
    let plain = format!(r#""syntax":"lark","definition":"{text}""#);
    for format in [
        format!(r#"{{"type":"grammar","grammar":{{{plain}}}}}"#),
        format!(r#"{{"type":"grammar",{plain}}}"#),
    ] {
        for (description, expected) in [
            ("", String::new()),
            (r#","description":"""#, String::new()),
            (
                r#","description":"Patch\u0021""#,
                r"Patch\u0021\n\n".to_owned(),
            ),
        ] {
            let members = format!(
                r#""tools":[{{"type":"custom","custom":{{"name":"c"{description},"format":{format}}}}}]"#
            );
            let out = Run::to_anthropic(PLAIN).ok(&chat(&members));
            let sent = String::from_utf8(out.bytes).unwrap();
            let expected = format!(
                r#""description":"{expected}The input must match this lark grammar:\n{text}","input_schema""#
            );
            assert!(sent.contains(&expected), "{sent}");
            assert_eq!(out.notes, "changed=tools");
            let strict = Run::to_anthropic(PLAIN).hints(|hints| hints.strict = true);
            assert_eq!(strict.refused(&chat(&members)), "tools");
        }
    }
    for (format, expected) in [
        (
            r#"{"type":"grammar","grammar":{}}"#,
            "tools[0].custom.format.grammar.syntax",
        ),
        (
            r#"{"type":"grammar","syntax":"regex"}"#,
            "tools[0].custom.format.definition",
        ),
        (r#"{"type":"xml"}"#, "tools[0].custom.format.type"),
        (r"7", "tools[0].custom.format"),
    ] {
        let members =
            format!(r#""tools":[{{"type":"custom","custom":{{"name":"c","format":{format}}}}}]"#);
        let told = Run::to_anthropic(PLAIN).refused(&chat(&members));
        assert_eq!(told, expected);
    }
}

#[test]
fn tools_past_the_twentieth_strict_one_are_not_held_to_their_schemas() {
    let tools = |count: usize| {
        let tool = |number: usize| {
            // A schema outside the subset is not held anyway and counts for none.
            let limit = if number == 0 { r#","minimum":1"# } else { "" };
            format!(
                r#"{{"type":"function","function":{{"name":"f{number}","strict":true,"parameters":{{"type":"object","properties":{{"a":{{"type":"integer"{limit}}}}}}}}}}}"#
            )
        };
        let list: Vec<String> = (0..count).map(tool).collect();
        format!(r#""tools":[{}]"#, list.join(","))
    };
    let run = |count| {
        let out = Run::to_anthropic(OPUS_5).ok(&chat(&tools(count)));
        let sent = out.json["tools"].as_array().unwrap();
        let is_strict = |tool: &&Value| tool["strict"] == true;
        (sent.iter().filter(is_strict).count(), sent.len(), out.notes)
    };
    assert_eq!(run(1), (0, 1, "dropped=strict".to_owned()));
    assert_eq!(run(STRICT_TOOLS_MAX + 1).0, STRICT_TOOLS_MAX);
    assert_eq!(run(STRICT_TOOLS_MAX + 9).0, STRICT_TOOLS_MAX);
    let all_legal = tools(STRICT_TOOLS_MAX + 1).replace(r#","minimum":1"#, "");
    let out = Run::to_anthropic(OPUS_5).ok(&chat(&all_legal));
    assert_eq!(out.notes, "dropped=strict");
    assert_eq!(out.json["tools"][STRICT_TOOLS_MAX - 1]["strict"], true);
    assert_eq!(out.json["tools"][STRICT_TOOLS_MAX]["strict"], Value::Null);
    let legal = tools(STRICT_TOOLS_MAX).replace(r#","minimum":1"#, "");
    assert_eq!(Run::to_anthropic(OPUS_5).ok(&chat(&legal)).notes, "");
}
