use super::{Asked, count, read};
use crate::wire::kind::Wire;

const OPENAI: Wire = Wire::OpenAiChat;
const ANTHROPIC: Wire = Wire::AnthropicMessages;

fn asked(wire: Wire, body: &str) -> Asked {
    read(wire, body.as_bytes()).unwrap()
}

fn refused(wire: Wire, body: &str) -> String {
    let fault = read(wire, body.as_bytes()).unwrap_err();
    assert_eq!(fault.status, 400);
    String::from_utf8(fault.body(wire, "r")).unwrap()
}

#[test]
fn read_of_one_request_on_both_wires_asks_the_same() {
    let schema = r#"{"type":"object","properties":{"a":{"const":7}}}"#;
    let openai = format!(
        r#"{{"model":"m","stream":true,"max_completion_tokens":9,
        "messages":[{{"role":"system","content":"be brief"}},
        {{"role":"user","content":[{{"type":"text","text":"one two three"}}]}}],
        "tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}]}}"#
    );
    let anthropic = format!(
        r#"{{"model":"m","stream":true,"max_tokens":9,"system":[{{"type":"text","text":"be brief"}}],
        "messages":[{{"role":"user","content":"one two three"}}],
        "tools":[{{"name":"f","input_schema":{schema}}}]}}"#
    );
    let one = asked(OPENAI, &openai);
    assert_eq!(one, asked(ANTHROPIC, &anthropic));
    assert_eq!(one.input_tokens, 15);
    assert_eq!(one.tools[0].example, r#"{"a":7}"#);
    assert_eq!(one.last_text, "one two three");
}

#[test]
fn read_of_members_of_the_other_wire_is_refused() {
    let cases = [
        (
            OPENAI,
            r#""system":"s""#,
            "Unrecognized request argument: system",
        ),
        (OPENAI, r#""thinking":{}"#, "unknown_parameter"),
        (ANTHROPIC, r#""n":1"#, "n: Extra inputs are not permitted"),
        (ANTHROPIC, r#""stream_options":{}"#, "stream_options: Extra"),
    ];
    for (wire, member, text) in cases {
        let body = format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"x"}}],{member}}}"#
        );
        let told = refused(wire, &body);
        assert!(told.contains(text), "{member}: {told}");
    }
}

#[test]
fn read_of_what_lacks_something_names_it() {
    let cases = [
        (OPENAI, "[]", "no JSON object"),
        (OPENAI, "{", "no JSON"),
        (OPENAI, r#"{"messages":[]}"#, "'model'"),
        (OPENAI, r#"{"model":"m"}"#, "'messages'"),
        (OPENAI, r#"{"model":"m","messages":[]}"#, "at least one"),
        (
            OPENAI,
            r#"{"model":"m","messages":[{"role":"bot"}]}"#,
            "role",
        ),
        (
            ANTHROPIC,
            r#"{"model":"m","messages":[{"role":"user"}]}"#,
            "max_tokens: Field required",
        ),
        (
            ANTHROPIC,
            r#"{"model":"m","max_tokens":0,"messages":[{"role":"user"}]}"#,
            "above 0",
        ),
        (
            ANTHROPIC,
            r#"{"model":"m","max_tokens":1,"messages":[{"role":"tool"}]}"#,
            "role",
        ),
        (
            OPENAI,
            r#"{"model":"m","stream_options":{},"messages":[{"role":"user","content":"x"}]}"#,
            "only allowed with 'stream'",
        ),
    ];
    for (wire, body, text) in cases {
        let told = refused(wire, body);
        assert!(told.contains(text), "{body}: {told}");
    }
}

#[test]
fn tool_choice_limits_the_tools_on_both_wires() {
    let tools = |wire: Wire, member: &str| {
        let tools = match wire {
            OPENAI => {
                r#"[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#
            }
            ANTHROPIC => r#"[{"name":"f","input_schema":{}},{"name":"g","input_schema":{}}]"#,
        };
        let body = format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"x"}}],"tools":{tools}{member}}}"#
        );
        let asked = asked(wire, &body);
        let names: Vec<String> = asked.tools.into_iter().map(|tool| tool.name).collect();
        names.concat()
    };
    let cases = [
        (OPENAI, "", "fg"),
        (OPENAI, r#","tool_choice":"none""#, ""),
        (
            OPENAI,
            r#","tool_choice":{"type":"function","function":{"name":"g"}}"#,
            "g",
        ),
        (OPENAI, r#","parallel_tool_calls":false"#, "f"),
        (ANTHROPIC, "", "fg"),
        (ANTHROPIC, r#","tool_choice":{"type":"none"}"#, ""),
        (
            ANTHROPIC,
            r#","tool_choice":{"type":"tool","name":"g"}"#,
            "g",
        ),
        (
            ANTHROPIC,
            r#","tool_choice":{"type":"auto","disable_parallel_tool_use":true}"#,
            "f",
        ),
    ];
    for (wire, member, expected) in cases {
        assert_eq!(tools(wire, member), expected, "{wire:?} {member}");
    }
}

#[test]
fn tool_results_in_the_last_turn_are_seen() {
    let openai = r#"{"model":"m","messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":null},{"role":"tool","tool_call_id":"c","content":"r"}]}"#;
    assert!(asked(OPENAI, openai).has_results);
    let anthropic = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c"}]}]}"#;
    assert!(asked(ANTHROPIC, anthropic).has_results);
}

#[test]
fn schema_of_the_answer_gives_an_example() {
    let openai = r#"{"model":"m","messages":[{"role":"user","content":"x"}],
        "response_format":{"type":"json_schema","json_schema":{"name":"o","schema":{"const":[1]}}}}"#;
    assert_eq!(asked(OPENAI, openai).schema_example.as_deref(), Some("[1]"));
    let anthropic = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],
        "output_config":{"format":{"type":"json_schema","schema":{"const":[1]}}}}"#;
    assert_eq!(
        asked(ANTHROPIC, anthropic).schema_example.as_deref(),
        Some("[1]")
    );
}

#[test]
fn count_takes_no_output_limit() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"one two"}]}"#;
    assert_eq!(count(body.as_bytes()).unwrap().input_tokens, 2);
    let with = body.replacen('{', r#"{"max_tokens":1,"#, 1);
    assert!(count(with.as_bytes()).is_err());
}
