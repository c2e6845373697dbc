//! Every recorded request of either wire, towards the other: valid JSON or an expected refusal.
//!
//! The folder is named by `RINGWAY_RECORDED`; beside the manifest it is found by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ringway::wire::kind::Wire;
use serde_json::Value;

use crate::support::Run;

/// Requests that a model of the other wire cannot serve, and the member that says so.
const REFUSED: &[(&str, &str)] = &[
    (
        "anthropic-messages-anthropic-advisor-tool-redacted",
        "tools",
    ),
    ("anthropic-messages-anthropic-advisor-tool-stream", "tools"),
    (
        "anthropic-messages-anthropic-completion-beta-tools-stream",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-fable-5-lazy-advertisement-live-2",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-fable-5-lazy-advertisement-live-3",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-live-delta-preserves-the-warmed-cache-prefix-2",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-mcp-servers-stream",
        "mcp_servers",
    ),
    (
        "anthropic-messages-anthropic-model-web-search-tool-stream",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-native-tool-search-streaming",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-native-tool-search-streaming-2",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-text-parts-ahead-of-built-in-tool-call-3",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-text-parts-ahead-of-built-in-tool-call-4",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-to-google-deferred-capability-history-replay-2",
        "tools",
    ),
    (
        "anthropic-messages-anthropic-to-google-deferred-capability-history-replay-3",
        "tools",
    ),
    ("anthropic-messages-anthropic-web-fetch-tool", "tools"),
    ("anthropic-messages-native-tool-availability-delta", "tools"),
    (
        "anthropic-messages-receive-history-from-another-provider",
        "tools",
    ),
    (
        "anthropic-messages-tool-availability-portability-matrix-r4-t1-tool-addition",
        "tools",
    ),
    (
        "anthropic-messages-tool-availability-portability-matrix-r5-t2-native-search",
        "tools",
    ),
    ("anthropic-messages-web-search", "tools"),
    ("openai-chat-async-chat-completion-multiple-choices", "n"),
    (
        "openai-chat-async-chat-completion-multiple-choices-streaming",
        "n",
    ),
    (
        "openai-chat-chat-completions-with-audio-input",
        "messages[0].content[1]",
    ),
    (
        "openai-chat-chat-multiple-choices-with-capture-message-content",
        "n",
    ),
    (
        "openai-chat-multimodal-tool-return-matrix-tool-return-content-uploaded-file-2",
        "messages[3].content[0].file.file_id",
    ),
    ("openai-chat-openai-moderation-stream", "moderation"),
    (
        "openrouter-chat-openrouter-web-search-annotations-stream",
        "tools[0].type",
    ),
    (
        "openrouter-chat-openrouter-web-search-tool-full-params",
        "tools[0].type",
    ),
    (
        "openrouter-chat-openrouter-web-search-tool-usage-stream",
        "tools[0].type",
    ),
];

#[test]
fn recorded_requests_translate_or_are_refused_as_expected() {
    let mut seen = BTreeMap::new();
    let mut translated = 0;
    let requests = requests();
    if requests.is_empty() {
        return;
    }
    for (name, wire, body) in requests {
        for run in targets(wire) {
            match run.run(&body) {
                Ok(out) => {
                    translated += 1;
                    assert!(
                        out.json["messages"]
                            .as_array()
                            .is_some_and(|list| !list.is_empty()),
                        "{name}"
                    );
                    assert!(
                        out.bytes.len() <= 4 * body.len() + 4096,
                        "{name}: {}",
                        out.bytes.len()
                    );
                    assert_same_words(&name, &body, &out.json);
                }
                Err(rejection) => {
                    seen.insert(
                        name.clone(),
                        rejection
                            .param()
                            .unwrap_or_else(|| rejection.message())
                            .to_owned(),
                    );
                }
            }
        }
    }
    let seen: Vec<(&str, &str)> = seen
        .iter()
        .map(|(name, param)| (name.as_str(), param.as_str()))
        .collect();
    assert_eq!(seen, REFUSED);
    assert!(translated > 250, "{translated}");
}

/// The texts of user and tool turns are all there, whatever became of their frames.
fn assert_same_words(name: &str, body: &str, out: &Value) {
    let given: Value = serde_json::from_str(body).unwrap();
    let mut words = Vec::new();
    for message in given["messages"].as_array().unwrap() {
        if message["role"] != "assistant" {
            texts(&message["content"], &mut words);
        }
    }
    let mut found = Vec::new();
    texts(&out["messages"], &mut found);
    texts(&out["system"], &mut found);
    let found = found.join("\n");
    for word in words.into_iter().filter(|word| !word.trim().is_empty()) {
        assert!(found.contains(&word), "{name}: lost {word:?}");
    }
}

/// Every `text` and string `content` below a value.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| texts(value, out)),
        Value::Object(members) => {
            for (name, value) in members {
                if ["text", "content"].contains(&name.as_str()) {
                    texts(value, out);
                }
            }
        }
        _ => {}
    }
}

pub(crate) fn targets(wire: Wire) -> Vec<Run<'static>> {
    match wire {
        Wire::OpenAiChat => [
            "claude-sonnet-4-20250514",
            "claude-sonnet-4-5",
            "claude-opus-5",
        ]
        .map(Run::to_anthropic)
        .to_vec(),
        Wire::AnthropicMessages => {
            let mut runs = ["gpt-4o", "gpt-5.6"].map(Run::to_openai).to_vec();
            runs.push(Run::to_openai("local").dialect(|dialect| {
                *dialect = ringway::wire::kind::Dialect::compatible();
                dialect.array_content = false;
            }));
            runs
        }
    }
}

/// Names, wires and bodies of all recorded requests; none where the folder is absent, which CI
/// refuses.
#[expect(clippy::print_stdout, reason = "a test that was not run says so")]
pub(crate) fn requests() -> Vec<(String, Wire, String)> {
    let folder = folder();
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(&folder) else {
        let told = format!(
            "no recorded exchanges in {}: set RINGWAY_RECORDED",
            folder.display()
        );
        assert!(std::env::var_os("CI").is_none(), "{told}");
        println!("not run: {told}");
        return Vec::new();
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let Ok(meta) = std::fs::read(path.join("meta.json")) else {
            continue;
        };
        let meta: Value = serde_json::from_slice(&meta).unwrap();
        let wire = match meta["api"].as_str() {
            Some("chat") => Wire::OpenAiChat,
            Some("messages") => Wire::AnthropicMessages,
            _ => continue,
        };
        let Ok(body) = std::fs::read_to_string(path.join("request.json")) else {
            continue;
        };
        if body.trim() == "null" {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        found.push((name, wire, body));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn folder() -> PathBuf {
    match std::env::var_os("RINGWAY_RECORDED") {
        Some(folder) => folder.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/recorded"),
    }
}
