//! A member that stands twice in an object is refused wherever it is read, and copied where it is
//! not: two readings of one request would be two requests.

use serde_json::Value;

use crate::support::{Run, json};

/// Members whose values are copied as they stand.
const COPIED: [&str; 10] = [
    "parameters",
    "input_schema",
    "schema",
    "input",
    "arguments",
    "cache_control",
    "logit_bias",
    "anything_else",
    "context_management",
    "other",
];

const OPENAI: [&str; 4] = [
    r#"{"model":"m","max_tokens":4000,"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false},
        "metadata":{"user_id":"u"},"cache_control":{"type":"ephemeral","ttl":"1h"},"anthropic_beta":["b"],
        "response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}},
        "web_search_options":{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"city":"Paris","country":"FR"}}},
        "tools":[
          {"type":"function","cache_control":{"type":"ephemeral","ttl":"1h"},"function":{"name":"f","description":"d","strict":false,"parameters":{"type":"object","properties":{"a":{"type":"string"}}}}},
          {"type":"custom","custom":{"name":"c","description":"d","format":{"type":"text"}}},
          {"type":"text_editor_20250728","name":"e"},
          {"type":"web_search","web_search":{"name":"web_search_20250305","max_uses":2}}],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"c"}}]}},
        "messages":[
          {"role":"system","content":[{"type":"text","text":"S","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]},
          {"role":"user","name":"bob","content":[{"type":"text","text":"q"},{"type":"image_url","image_url":{"url":"https://x.example/a.png","detail":"low"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}}]},
          {"role":"assistant","content":[{"type":"refusal","refusal":"R"}],"reasoning_details":[{"type":"reasoning.text","text":"T","signature":"S","format":"anthropic-claude-v1","index":0}],
           "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":{"a":"1"}}},{"id":"c2","type":"custom","custom":{"name":"c","input":"x"}}]},
          {"role":"tool","tool_call_id":"c1","content":"r"},
          {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"r"}]}]}"#,
    r#"{"model":"m","max_tokens":4000,"reasoning":{"effort":"low","exclude":true},"output_config":{"effort":"low"},
        "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"f"}},
        "messages":[{"role":"user","content":"q"},
          {"role":"assistant","content":"a","thinking_blocks":[{"type":"thinking","thinking":"T","signature":"S"},{"type":"redacted_thinking","data":"D"}]},
          {"role":"user","content":"q"},
          {"role":"assistant","content_blocks":[{"type":"text","text":"a"},{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":"x"}}]},
          {"role":"user","content":"q"}]}"#,
    r#"{"model":"m","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":1024},"response_format":{"type":"json_object"},
        "functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},
        "messages":[{"role":"user","content":"q"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"r"}]}"#,
    r#"{"model":"m","max_tokens":4000,"logit_bias":{"1":1},"anything_else":{"a":{"b":1}},"messages":[{"role":"user","content":"q"}]}"#,
];

const ANTHROPIC: [&str; 2] = [
    r#"{"model":"m","max_tokens":4000,"metadata":{"user_id":"u","other":{"a":1}},"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},
        "thinking":{"type":"enabled","budget_tokens":2048},"cache_control":{"type":"ephemeral","ttl":"1h"},
        "tools":[
          {"name":"f","description":"d","cache_control":{"type":"ephemeral","ttl":"1h"},"input_schema":{"type":"object","properties":{"a":{"type":"string"}}}},
          {"type":"web_search_20250305","name":"web_search","max_uses":3,"user_location":{"type":"approximate","city":"Paris"}}],
        "tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
        "system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"1h"}}],
        "messages":[
          {"role":"user","content":[{"type":"text","text":"q"},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}},
            {"type":"document","title":"t","citations":{"enabled":true},"source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}},
            {"type":"document","source":{"type":"content","content":[{"type":"text","text":"inner"}]}},
            {"type":"search_result","title":"t","source":"s","content":[{"type":"text","text":"found"}],"citations":{"enabled":true}}]},
          {"role":"assistant","content":[{"type":"thinking","thinking":"T","signature":"S"},{"type":"tool_use","id":"t1","name":"f","input":{"a":"1"}}]},
          {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"r"}]}]},
          {"role":"assistant","content":"a"},
          {"role":"user","content":[{"type":"tool_addition","tool":{"name":"g","input_schema":{"type":"object"}}},{"type":"tool_addition","tool":{"type":"tool_reference","tool_name":"f"}},{"type":"text","text":"q"}]}]}"#,
    r#"{"model":"m","max_tokens":4000,"output_format":{"type":"json_schema","schema":{"type":"object"}},"tools":[{"type":"web_search","web_search":{"name":"web_search_20250305","max_uses":1}}],
        "context_management":{"edits":{"a":1}},"messages":[{"role":"user","content":"q"}]}"#,
];

#[test]
fn m5_members_that_stand_twice_are_refused_wherever_they_are_read() {
    let to_anthropic = Run::to_anthropic("claude-sonnet-4-6");
    let to_openai = Run::to_openai("gpt-5.1").dialect(|dialect| dialect.web_search_options = true);
    for (run, bodies) in [(&to_anthropic, &OPENAI[..]), (&to_openai, &ANTHROPIC)] {
        for body in bodies {
            let root = json(body);
            run.ok(body);
            let mut objects = Vec::new();
            list(&root, String::new(), false, &mut objects);
            assert!(objects.len() > 3, "{body}");
            for (at, name, is_copied) in objects {
                let twice = render(&root, "", (&at, &name));
                match (run.run(&twice), is_copied) {
                    (Ok(_), true) => {}
                    (Err(rejection), false) => {
                        let param = rejection.param().unwrap_or_default();
                        assert!(
                            param.ends_with(&name),
                            "{at}/{name}: {param}: {}",
                            rejection.message()
                        );
                        assert!(
                            rejection.message().contains("twice"),
                            "{at}/{name}: {}",
                            rejection.message()
                        );
                    }
                    (Ok(out), false) => panic!("{at}/{name} taken twice: {}", out.json),
                    (Err(rejection), true) => panic!("{at}/{name} judged: {rejection:?}"),
                }
            }
        }
    }
}

#[test]
fn m5_members_that_stand_twice_in_other_spellings_are_refused_too() {
    let run = Run::to_anthropic("claude-opus-4-6");
    for (body, param) in [
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a","cont\u0065nt":"b"}]}"#,
            "messages[0].unknown",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"seed":1,"seed":2}"#,
            "seed",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"x y":1,"x y":2}"#,
            "unknown",
        ),
    ] {
        assert_eq!(run.refused(body), param);
    }
}

/// Every member of every object: where the object stands, the name, and whether it is copied only.
fn list(value: &Value, at: String, is_copied: bool, out: &mut Vec<(String, String, bool)>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                out.push((at.clone(), name.clone(), is_copied));
                let is_copied = is_copied || COPIED.contains(&name.as_str());
                list(inner, format!("{at}/{name}"), is_copied, out);
            }
        }
        Value::Array(elements) => {
            for (index, inner) in elements.iter().enumerate() {
                list(inner, format!("{at}/{index}"), is_copied, out);
            }
        }
        _ => {}
    }
}

/// The document with the member `name` of the object at `at` written twice.
fn render(value: &Value, here: &str, twice: (&str, &str)) -> String {
    match value {
        Value::Object(members) => {
            let mut parts = Vec::new();
            for (name, inner) in members {
                let part = format!(
                    "{}:{}",
                    Value::from(name.as_str()),
                    render(inner, &format!("{here}/{name}"), twice)
                );
                if (here, name.as_str()) == twice {
                    parts.push(part.clone());
                }
                parts.push(part);
            }
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(elements) => {
            let parts: Vec<String> = elements
                .iter()
                .enumerate()
                .map(|(index, inner)| render(inner, &format!("{here}/{index}"), twice))
                .collect();
            format!("[{}]", parts.join(","))
        }
        other => other.to_string(),
    }
}
