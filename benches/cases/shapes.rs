//! What the benches feed to the codecs: fixtures of the tests where there are such, and shapes of
//! today's services in their true length, which fixtures are cut from.

use ringway::wire::kind::Wire;

/// Pieces of a text, escaped, as models cut them. All deltas of a stream alike would let a codec
/// look better than it is.
pub(crate) const WORDS: [&str; 8] = [
    " the",
    " token",
    ",",
    " Gr\u{fc}\u{df}e",
    "\\n\\n",
    " say \\\"it works\\\"",
    " a",
    " configuration",
];

/// Pieces of a call's arguments that never become whole.
const ARGUMENTS: [&str; 8] = [
    "\\\"x\\\",",
    "12,",
    "\\\"src/",
    "main.rs\\\",",
    "0.5,",
    "\\\"two words\\\",",
    "true,",
    "\\\"\\\\n\\\",",
];

/// A stream's opening, and the deltas that follow it over and over.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) wire: Wire,
    pub(crate) opening: String,
    pub(crate) deltas: Vec<String>,
}

impl Stream {
    fn new(
        name: &'static str,
        wire: Wire,
        opening: String,
        delta: impl Fn(usize, &str) -> String,
    ) -> Self {
        let pieces = if name.ends_with("tool") {
            ARGUMENTS
        } else {
            WORDS
        };
        let deltas = pieces.iter().enumerate();
        Self {
            name,
            wire,
            opening,
            deltas: deltas.map(|(at, piece)| delta(at, piece)).collect(),
        }
    }

    /// The opening and so many deltas.
    pub(crate) fn bytes(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.opening.clone().into_bytes();
        for delta in self.deltas.iter().cycle().take(count) {
            bytes.extend_from_slice(delta.as_bytes());
        }
        bytes
    }
}

/// The streams of either wire.
pub(crate) fn streams() -> Vec<Stream> {
    let mut streams = openai();
    streams.extend(anthropic());
    streams
}

fn openai() -> Vec<Stream> {
    let wire = Wire::OpenAiChat;
    let chunk = |delta: &str, tail: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-ASv9hB9He94oQyZr1CDC8coqvmn5U\",\
             \"object\":\"chat.completion.chunk\",\"created\":1731456253,\
             \"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\
             \"system_fingerprint\":\"fp_0ba0d124f1\",\"choices\":[{{\"index\":0,\"delta\":{{{delta}}},\
             \"logprobs\":null,\"finish_reason\":null}}],\"usage\":null{tail}}}\n\n"
        )
    };
    let start = chunk(
        "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null",
        "",
    );
    let call = "\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\
                \"function\":{\"name\":\"f\",\"arguments\":\"[\"}}]";
    let padding = |at: usize| format!(",\"obfuscation\":\"{}\"", "q".repeat(at + 1));
    vec![
        Stream::new("openai-text", wire, start.clone(), |_, text| {
            chunk(&format!("\"content\":\"{text}\""), "")
        }),
        Stream::new("openai-padded", wire, start.clone(), |at, text| {
            chunk(&format!("\"content\":\"{text}\""), &padding(at))
        }),
        Stream::new("openai-thinking", wire, start, |_, text| {
            chunk(
                &format!("\"content\":null,\"reasoning_content\":\"{text}\""),
                "",
            )
        }),
        Stream::new("openai-tool", wire, chunk(call, ""), |_, json| {
            let function = format!("\"function\":{{\"arguments\":\"{json}\"}}");
            chunk(&format!("\"tool_calls\":[{{\"index\":0,{function}}}]"), "")
        }),
    ]
}

fn anthropic() -> Vec<Stream> {
    let wire = Wire::AnthropicMessages;
    let opening = |block: &str| {
        format!(
            "event: message_start\ndata: {{\"type\":\"message_start\",\"message\":{{\
             \"id\":\"msg_01XFDUDYJgAACzvnptvVoYEL\",\"type\":\"message\",\"role\":\"assistant\",\
             \"model\":\"claude-sonnet-4-5-20250929\",\"content\":[],\"stop_reason\":null,\
             \"stop_sequence\":null,\"usage\":{{\"input_tokens\":25,\"output_tokens\":1}}}}}}\n\n\
             event: content_block_start\ndata: {{\"type\":\"content_block_start\",\"index\":0,\
             \"content_block\":{{{block}}}}}\n\n"
        )
    };
    let delta = |kind: &str, member: &str, text: &str, blanks: usize| {
        format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
             \"delta\":{{\"type\":\"{kind}\",\"{member}\":\"{text}\"}}{}}}\n\n",
            " ".repeat(blanks)
        )
    };
    let text = || opening("\"type\":\"text\",\"text\":\"\"");
    let thinking = opening("\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"");
    let tool = opening("\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}");
    vec![
        Stream::new("anthropic-text", wire, text(), move |_, text| {
            delta("text_delta", "text", text, 0)
        }),
        // Anthropic pads with blanks of varying number.
        Stream::new("anthropic-padded", wire, text(), move |at, text| {
            delta("text_delta", "text", text, 2 * at)
        }),
        Stream::new("anthropic-thinking", wire, thinking, move |at, text| {
            delta("thinking_delta", "thinking", text, at)
        }),
        Stream::new("anthropic-tool", wire, tool, move |at, json| {
            delta("input_json_delta", "partial_json", json, at)
        }),
    ]
}

/// What an SDK of today sends.
pub(crate) const REQUEST_HEAD: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\n\
    Host: 127.0.0.1:8080\r\n\
    Accept-Encoding: gzip, deflate\r\n\
    Connection: keep-alive\r\n\
    Accept: application/json\r\n\
    Content-Type: application/json\r\n\
    User-Agent: OpenAI/Python 3.52.0\r\n\
    X-Stainless-Lang: python\r\n\
    X-Stainless-Package-Version: 3.52.0\r\n\
    X-Stainless-OS: Linux\r\n\
    X-Stainless-Arch: x64\r\n\
    X-Stainless-Runtime: CPython\r\n\
    X-Stainless-Runtime-Version: 3.13.5\r\n\
    Authorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n\
    X-Stainless-Async: false\r\n\
    x-stainless-retry-count: 0\r\n\
    x-stainless-read-timeout: 600\r\n\
    Content-Length: 1187\r\n\r\n";

/// What a provider answers to it.
pub(crate) const RESPONSE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Date: Sat, 21 Nov 2026 11:00:00 GMT\r\n\
    Content-Type: text/event-stream; charset=utf-8\r\n\
    Transfer-Encoding: chunked\r\n\
    Connection: keep-alive\r\n\
    openai-organization: org\r\n\
    openai-processing-ms: 312\r\n\
    openai-version: 2020-10-01\r\n\
    x-ratelimit-limit-requests: 10000\r\n\
    x-ratelimit-remaining-requests: 9999\r\n\
    x-request-id: req_0123456789abcdef\r\n\r\n";
