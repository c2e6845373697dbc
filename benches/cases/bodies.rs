//! Requests as clients send them, by size.

/// A request of the OpenAI wire: a system text, so many rounds of question, call and result, and a
/// last message with this content.
pub(crate) fn chat(rounds: usize, last: &str) -> Vec<u8> {
    let round = |i: usize| {
        format!(
            r#"{{"role":"user","content":"Question {i}: how do I say \"it works\" in a log?\nKeep it short."}},
{{"role":"assistant","content":null,"tool_calls":[{{"id":"call_{i:08}","type":"function","function":{{"name":"read_file","arguments":"{{\"path\":\"src/module_{i}.rs\",\"from\":{i},\"to\":{}}}"}}}}]}},
{{"role":"tool","tool_call_id":"call_{i:08}","content":"fn main() {{\n    let answer = {i};\n    println!(\"{{answer}}\");\n}}\n"}},"#,
            i + 40
        )
    };
    let history: String = (0..rounds).map(round).collect();
    format!(
        r#"{{"model":"gpt-5-mini","stream":true,"temperature":0.7,"messages":[{{"role":"system","content":"You are a helpful assistant."}},{history}{{"role":"user","content":{last}}}],"max_completion_tokens":4096}}"#
    )
    .into_bytes()
}

/// Requests by size: a question, a long agent's history, an image.
pub(crate) fn bodies() -> [(&'static str, Vec<u8>); 3] {
    let question = r#""And now? Please look at the second file once more, then write down in two or three sentences what it does, and what a reader of the log should know about it.""#;
    let base64 =
        "iVBORw0KGgoAAAANSUhEUgAAB4AAAAQ4CAYAAADo08FDAAAABHNCSVQICAgIfAhkiA".repeat(75_000);
    let image = format!(
        r#"[{{"type":"text","text":"What is this?"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{base64}"}}}}]"#
    );
    [
        ("1k", chat(2, question)),
        ("100k", chat(240, r#""And now?""#)),
        ("5M", chat(2, &image)),
    ]
}
