//! `x-ringway-strict`: what is a loss, and what is named and none.

use ringway::wire::kind::Dialect;

use crate::support::{Run, chat, chat_messages, messages};

const GPT_5: &str = "gpt-5.1";
const CLAUDE: &str = "claude-opus-4-6";

/// A turn of a coding client without its optimisations: thinking of the model before, instructions
/// on the way.
const CODING: &str = r#"{"model":"m","max_tokens":32000,"stream":true,
  "system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1"},
    {"type":"text","text":"You are an agent."}],
  "thinking":{"type":"adaptive"},"output_config":{"effort":"high"},
  "metadata":{"user_id":"user_0123"},
  "tools":[{"name":"Read","description":"Reads.","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}}],
  "messages":[
    {"role":"user","content":[{"type":"text","text":"hi"}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},
      {"type":"redacted_thinking","data":"ZGF0YQ=="},
      {"type":"tool_use","id":"toolu_1","name":"Read","input":{"path":"a"}}]},
    {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"text"}]},
    {"role":"system","content":"The file has changed."},
    {"role":"assistant","content":[{"type":"thinking","thinking":"so","signature":"c2ln"},{"type":"text","text":"Done."}]},
    {"role":"user","content":[{"type":"text","text":"go on"}]}]}"#;

fn strict(run: Run<'_>) -> Run<'_> {
    run.hints(|hints| hints.strict = true)
}

#[test]
fn a_coding_clients_conversation_passes_and_names_what_was_left_out() {
    for (run, notes) in [
        (Run::to_openai(GPT_5), "dropped=thinking"),
        (
            Run::to_openai(GPT_5).dialect(|dialect| dialect.late_system = false),
            "dropped=thinking; changed=messages",
        ),
        (
            Run {
                dialect: Dialect {
                    late_system: true,
                    ..Dialect::compatible()
                },
                ..Run::to_openai("qwen3:8b")
            },
            "dropped=thinking",
        ),
    ] {
        assert_eq!(strict(run).ok(CODING).notes, notes);
    }
    // A signature of Gemini's, towards a service that has no use for it.
    let signed = CODING.replace("toolu_1", "call_1__thought__c2ln");
    let out = strict(Run::to_openai(GPT_5)).ok(&signed);
    assert!(out.notes.contains("thought_signature"), "{}", out.notes);
}

#[test]
fn what_the_model_is_no_longer_told_is_a_loss_beside_what_is_none() {
    for (member, param) in [
        (r#""top_k":5,"#, "top_k"),
        (r#""temperature":0.2,"#, "temperature"),
        (r#""novelty":1,"#, "novelty"),
        (r#""speed":"fast","#, "speed"),
    ] {
        let body = CODING.replacen('{', &format!("{{{member}"), 1);
        assert_eq!(strict(Run::to_openai(GPT_5)).refused(&body), param);
    }
    for (from, to, param) in [
        (r#""effort":"high""#, r#""effort":"max""#, "output_config"),
        (
            r#""description":"Reads.""#,
            r#""description":"Reads.","input_examples":[]"#,
            "input_examples",
        ),
        (
            r#""description":"Reads.""#,
            r#""description":"Reads.","defer_loading":true"#,
            "defer_loading",
        ),
        (
            r#""text":"hi""#,
            r#""text":"hi","cache_control":{"type":"ephemeral"}"#,
            "cache_control",
        ),
        (r#""go on""#, r#""go on","odd":1"#, "odd"),
        (
            r#"{"type":"text","text":"Done."}"#,
            r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"text","text":"Done."}"#,
            "server_tool_use",
        ),
        (
            r#","input":{"path":"a"}"#,
            r#","input":{"path":"a"},"caller":{"type":"code_execution_20250825"}"#,
            "caller",
        ),
    ] {
        let body = CODING.replacen(from, to, 1);
        assert_ne!(body, CODING, "{from}");
        assert_eq!(strict(Run::to_openai(GPT_5)).refused(&body), param);
    }
    // Words put into the assistant's mouth, and an answer that is not gone on from.
    let parted = strict(Run::to_openai(GPT_5)).dialect(|dialect| dialect.user_after_tool = false);
    let body = CODING.replace(
        r#""content":"text"}]}"#,
        r#""content":"text"},{"type":"text","text":"x"}]}"#,
    );
    assert_eq!(parted.refused(&body), "messages");
    let prefill = messages("").replace("}]}", r#"},{"role":"assistant","content":"A"}]}"#);
    assert_eq!(strict(Run::to_openai(GPT_5)).refused(&prefill), "messages");
}

#[test]
fn an_openai_clients_history_of_another_model_passes() {
    let body = chat_messages(
        r#"[{"role":"user","content":"U"},
          {"role":"assistant","content":"A","reasoning_details":[{"type":"reasoning.summary","summary":"s"},{"type":"reasoning.text","text":"t"},{"type":"reasoning.encrypted","data":"d","format":"openai-responses-v1"}]},
          {"role":"system","content":"S"},
          {"role":"user","content":"V"}]"#,
    );
    let out = strict(Run::to_anthropic("claude-sonnet-4-5")).ok(&body);
    assert_eq!(out.notes, "dropped=reasoning_details; changed=messages");
}

#[test]
fn optimisations_are_losses_like_all_that_is_dropped() {
    for (members, param) in [
        (
            r#""prediction":{"type":"content","content":"x"}"#,
            "prediction",
        ),
        (r#""prompt_cache_key":"k""#, "prompt_cache_key"),
    ] {
        let run = strict(Run::to_anthropic(CLAUDE));
        assert_eq!(run.refused(&chat(members)), param);
    }
    let run = strict(Run::to_openai(GPT_5)).hints(|hints| hints.betas = true);
    assert_eq!(run.refused(CODING), "anthropic-beta");
}

#[test]
fn unknown_members_are_named_wherever_they_stand() {
    let user = |part: &str| chat_messages(&format!(r#"[{{"role":"user","content":[{part}]}}]"#));
    let png = r#""url":"data:image/png;base64,AA==""#;
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let called = |call: &str| {
        chat_messages(&format!(
            r#"[{{"role":"user","content":"U"}},{{"role":"assistant","tool_calls":[{{"id":"c","type":"function",{call}}}]}},{{"role":"tool","tool_call_id":"c","content":"r"}}]"#
        ))
    };
    let of_openai = [
        user(&format!(
            r#"{{"type":"image_url","image_url":{{{png},"detail":"low","odd":1}}}}"#
        )),
        user(&format!(
            r#"{{"type":"image_url","image_url":{{{png}}},"odd":1}}"#
        )),
        user(r#"{"type":"file","file":{"file_data":"AA==","odd":1}}"#),
        user(r#"{"type":"text","text":"t","odd":1}"#),
        chat(&format!(
            r#"{tools},"tool_choice":{{"type":"function","function":{{"name":"f","odd":1}}}}"#
        )),
        chat(&format!(
            r#"{tools},"tool_choice":{{"type":"function","function":{{"name":"f"}},"odd":1}}"#
        )),
        chat(&format!(
            r#"{tools},"tool_choice":{{"type":"function","name":"f","odd":1}}"#
        )),
        chat(&format!(
            r#"{tools},"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[{{"type":"function","function":{{"name":"f"}},"odd":1}}]}}}}"#
        )),
        chat(&format!(
            r#"{tools},"tool_choice":{{"type":"allowed_tools","allowed_tools":{{"mode":"auto","tools":[],"odd":1}}}}"#
        )),
        chat(r#""functions":[{"name":"f","odd":1}]"#),
        chat(r#""functions":[{"name":"f"}],"function_call":{"name":"f","odd":1}"#),
        chat(r#""tools":[{"type":"custom","custom":{"name":"c","odd":1}}]"#),
        chat(r#""thinking":{"type":"enabled","odd":1}"#),
        chat(r#""reasoning":{"effort":"low","odd":1}"#),
        chat(r#""response_format":{"type":"text","odd":1}"#),
        chat(
            r#""web_search_options":{"user_location":{"type":"approximate","approximate":{"city":"B","odd":1}}}"#,
        ),
        chat(r#""web_search_options":{"user_location":{"type":"approximate","odd":1}}"#),
        called(r#""function":{"name":"f","arguments":"{}","odd":1}"#),
        called(r#""custom":{"name":"f","input":"i","odd":1}"#),
    ];
    for body in of_openai {
        named(Run::to_anthropic(CLAUDE), &body);
    }
    let block =
        |block: &str| messages("").replace(r#""content":"hi""#, &format!(r#""content":[{block}]"#));
    let of_anthropic = [
        block(
            r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA==","odd":1}}"#,
        ),
        block(
            r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"t","odd":1}}"#,
        ),
        messages(r#""thinking":{"type":"enabled","budget_tokens":2048,"odd":1}"#),
        messages(
            r#""output_format":{"type":"json_schema","schema":{"type":"object","properties":{},"additionalProperties":false},"odd":1}"#,
        ),
        messages(r#""tools":[{"type":"web_search_20250305","name":"web_search","odd":1}]"#),
        messages(
            r#""tools":[{"type":"web_search_20250305","name":"web_search","user_location":{"type":"approximate","odd":1}}]"#,
        ),
    ];
    for body in of_anthropic {
        let run = Run::to_openai(GPT_5).dialect(|dialect| dialect.web_search_options = true);
        named(run, &body);
    }
}

/// `odd` is named and refused when strict; `null` in its place asks for nothing.
fn named(run: Run<'_>, body: &str) {
    let empty = run.ok(&body.replace(r#""odd":1"#, r#""odd":null"#));
    assert_eq!(empty.notes, "", "{body}");
    assert_eq!(run.ok(body).notes, "dropped=odd", "{body}");
    assert_eq!(strict(run).refused(body), "odd", "{body}");
}

#[test]
fn thinking_that_goes_on_as_it_stands_keeps_its_members() {
    let member = r#""thinking":{"type":"enabled","budget_tokens":2048,"odd":1}"#;
    let out = Run::to_anthropic("claude-sonnet-4-5").ok(&chat(member));
    assert_eq!(out.notes, "");
    assert_eq!(out.json["thinking"]["odd"], 1);
}
