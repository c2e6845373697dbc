//! Ready-made lines for `demo --serve`: curl, Python and TypeScript on both wires.

use std::net::SocketAddr;

/// All that is printed, for a gateway at this address.
#[must_use]
pub fn lines(gateway: SocketAddr, admin: Option<&str>) -> String {
    let base = format!("http://{gateway}");
    let metrics = admin.map_or_else(String::new, |admin| {
        format!("metrics:  curl http://{admin}/metrics\n")
    });
    TEXT.trim_start()
        .replace("{base}", &base)
        .replace("{metrics}", &metrics)
}

const TEXT: &str = r#"
OpenAI wire:     {base}/v1    (no key is asked for; SDKs want one anyway)
Anthropic wire:  {base}
{metrics}
Models: a provider, then what the stub is to do: openai/stub-text, anthropic/stub-tools, ...
  -text -thinking -tools -all -echo -refusal -slow            answers
  -error-429 (any 400 to 599) -error-start -error-mid         errors
  -break -end -silent -reset                                  broken answers
  -fast or -slow behind a name changes the pace. List: curl {base}/v1/models

# curl, OpenAI client to an Anthropic provider
curl -N {base}/v1/chat/completions -H 'content-type: application/json' -d '{"model":"anthropic/stub-thinking","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

# curl, Anthropic client to an OpenAI provider
curl -N {base}/v1/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' -d '{"model":"openai/stub-thinking","max_tokens":500,"stream":true,"messages":[{"role":"user","content":"Hello"}]}'

# Python: pip install openai anthropic
python3 -c '
from openai import OpenAI
client = OpenAI(base_url="{base}/v1", api_key="none")
for chunk in client.chat.completions.create(model="anthropic/stub-text", stream=True, messages=[{"role": "user", "content": "Hello"}]):
    if chunk.choices: print(chunk.choices[0].delta.content or "", end="", flush=True)
'
python3 -c '
from anthropic import Anthropic
client = Anthropic(base_url="{base}", api_key="none")
with client.messages.stream(model="openai/stub-text", max_tokens=500, messages=[{"role": "user", "content": "Hello"}]) as stream:
    for text in stream.text_stream: print(text, end="", flush=True)
'

// TypeScript: npm install openai @anthropic-ai/sdk
import OpenAI from "openai";
const openai = new OpenAI({ baseURL: "{base}/v1", apiKey: "none" });
for await (const chunk of await openai.chat.completions.create({ model: "anthropic/stub-text", stream: true, messages: [{ role: "user", content: "Hello" }] })) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");

import Anthropic from "@anthropic-ai/sdk";
const anthropic = new Anthropic({ baseURL: "{base}", apiKey: "none" });
anthropic.messages.stream({ model: "openai/stub-text", max_tokens: 500, messages: [{ role: "user", content: "Hello" }] }).on("text", (text) => process.stdout.write(text));
"#;

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_name_the_gateway_and_leave_no_gap() {
        let text = lines("127.0.0.1:4321".parse().unwrap(), Some("127.0.0.1:5"));
        assert!(text.contains("base_url=\"http://127.0.0.1:4321/v1\""));
        assert!(text.contains("curl http://127.0.0.1:5/metrics"));
        assert!(!text.contains("{base}") && !text.contains("{metrics}"));
        let without = lines("127.0.0.1:4321".parse().unwrap(), None);
        assert!(!without.contains("metrics:"));
    }
}
