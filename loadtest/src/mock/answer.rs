//! Answers of both wires, made once for a script: whole ones as bytes, streams as sections of
//! pieces, each piece one chunk. A delta is a template in which number and moment are filled in.

use crate::mock::script::{Fault, Script};
use crate::token::{self, NUMBER_AT, NUMBER_DIGITS, STAMP_AT, STAMP_DIGITS, put_hex};
use crate::wire::Wire;

/// All that a script's answers consist of.
pub struct Answer {
    /// A whole answer, its head included.
    pub whole: Vec<u8>,
    /// The head of a stream.
    pub head: Vec<u8>,
    /// Its body.
    pub sections: Vec<Section>,
    /// An error event and the end of the body.
    pub error_event: Vec<u8>,
}

/// A part of a stream.
pub struct Section {
    /// What goes before its deltas.
    pub open: Vec<u8>,
    /// The delta that is repeated.
    pub delta: Delta,
    /// How often.
    pub count: u32,
    /// What goes after them.
    pub close: Vec<u8>,
}

/// A delta with room for its number and moment.
#[derive(Default)]
pub struct Delta {
    bytes: Vec<u8>,
    token_at: usize,
    comment: Vec<u8>,
    comment_every: u32,
}

impl Delta {
    /// Appends the delta with this number, sent at this moment.
    pub fn write(&self, number: u32, stamp: u64, out: &mut Vec<u8>) {
        let start = out.len() + self.token_at;
        out.extend_from_slice(&self.bytes);
        let token = out.get_mut(start..).unwrap_or_default();
        if let Some(room) = token.get_mut(NUMBER_AT..NUMBER_AT + NUMBER_DIGITS) {
            put_hex(u64::from(number), room);
        }
        if let Some(room) = token.get_mut(STAMP_AT..STAMP_AT + STAMP_DIGITS) {
            put_hex(stamp, room);
        }
        if self.comment_every > 0 && (number + 1).is_multiple_of(self.comment_every) {
            out.extend_from_slice(&self.comment);
        }
    }
}

/// Makes the answers of a script in a wire.
#[must_use]
pub fn answer(script: &Script, wire: Wire) -> Answer {
    let form = Form {
        end: if script.crlf { "\r\n" } else { "\n" },
        wire,
    };
    let (whole, mut sections) = match wire {
        Wire::Openai => (openai_whole(script), openai_sections(script, &form)),
        Wire::Anthropic => (anthropic_whole(script), anthropic_sections(script, &form)),
    };
    if let Some(last) = sections.last_mut() {
        last.close.extend_from_slice(END);
    }
    let status = match script.fault {
        Fault::Status(status) => status,
        _ => 200,
    };
    let whole = match script.fault {
        Fault::Status(_) => error_body(wire, "the mock was told to fail"),
        _ => whole,
    };
    Answer {
        whole: with_head(status, &whole),
        head: STREAM_HEAD.as_bytes().to_vec(),
        sections,
        error_event: error_event(&form),
    }
}

/// An answer of this status with an error that says why.
#[must_use]
pub fn refusal(wire: Wire, status: u16, text: &str) -> Vec<u8> {
    with_head(status, &error_body(wire, &text.replace(['"', '\\'], "'")))
}

fn with_head(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Mock\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn error_body(wire: Wire, text: &str) -> String {
    match wire {
        Wire::Openai => format!(
            "{{\"error\":{{\"message\":\"{text}\",\"type\":\"mock_error\",\"param\":null,\
             \"code\":null}}}}"
        ),
        Wire::Anthropic => format!(
            "{{\"type\":\"error\",\"error\":{{\"type\":\"api_error\",\"message\":\"{text}\"}}}}"
        ),
    }
}

fn error_event(form: &Form) -> Vec<u8> {
    let body = error_body(form.wire, "the mock was told to break");
    let mut out = form.chunk(&form.event("error", &body));
    out.extend_from_slice(END);
    out
}

/// How events of a stream are written.
struct Form {
    end: &'static str,
    wire: Wire,
}

impl Form {
    fn event(&self, name: &str, data: &str) -> String {
        let end = self.end;
        match self.wire {
            Wire::Openai => format!("data: {data}{end}{end}"),
            Wire::Anthropic => format!("event: {name}{end}data: {data}{end}{end}"),
        }
    }

    fn block_start(&self, index: u32, block: &str) -> Vec<u8> {
        let data = format!(
            "{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{block}}}"
        );
        self.chunk(&self.event("content_block_start", &data))
    }

    fn block_delta(&self, index: u32, delta: &str) -> String {
        let data =
            format!("{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{delta}}}");
        self.event("content_block_delta", &data)
    }

    fn block_stop(&self, index: u32) -> Vec<u8> {
        let data = format!("{{\"type\":\"content_block_stop\",\"index\":{index}}}");
        self.chunk(&self.event("content_block_stop", &data))
    }

    fn chunk(&self, text: &str) -> Vec<u8> {
        format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
    }

    fn delta(&self, event: &str, token: &str, script: &Script) -> Delta {
        let bytes = self.chunk(event);
        let token_at = memchr::memmem::find(&bytes, token.as_bytes()).unwrap_or_default();
        let end = self.end;
        Delta {
            bytes,
            token_at,
            comment: self.chunk(&format!(": mock{end}{end}")),
            comment_every: script.comments,
        }
    }
}

/// Arguments of the mock's tool calls: the same for the judge.
pub const ARGUMENTS: &str = "{\"city\":\"Paris\",\"days\":3,\"note\":\"a \\\"quoted\\\" word\"}";
/// The name of its tool.
pub const TOOL: &str = "weather";
/// The text of thinking in a whole answer.
pub const THOUGHT: &str = "xxxx xxxx xxxx";

fn openai_whole(script: &Script) -> String {
    let text = filler(script.answer_bytes);
    let calls: Vec<String> = (0..script.tools)
        .map(|index| {
            format!(
                "{{\"id\":\"call_{index}\",\"type\":\"function\",\"function\":\
                 {{\"name\":\"{TOOL}\",\"arguments\":{}}}}}",
                quoted(ARGUMENTS)
            )
        })
        .collect();
    let (calls, stop) = match calls.is_empty() {
        true => (String::new(), "stop"),
        false => (
            format!(",\"tool_calls\":[{}]", calls.join(",")),
            "tool_calls",
        ),
    };
    let thinking = match script.thinking {
        0 => String::new(),
        _ => format!(",\"reasoning_content\":\"{THOUGHT}\""),
    };
    let usage = match script.usage {
        true => format!(
            ",\"usage\":{}",
            openai_usage(script, script.answer_bytes as u64)
        ),
        false => String::new(),
    };
    format!(
        "{{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1731456253,\
         \"model\":\"mock\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":\"{text}\",\"refusal\":null{thinking}{calls}}},\"logprobs\":null,\
         \"finish_reason\":\"{stop}\"}}]{usage}}}"
    )
}

fn openai_usage(script: &Script, output: u64) -> String {
    let input = script.input;
    format!(
        "{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{}}}",
        input + output
    )
}

fn openai_sections(script: &Script, form: &Form) -> Vec<Section> {
    let event = |delta: &str, finish: &str| {
        let data = format!(
            "{{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\
             \"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\
             \"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
             \"finish_reason\":{finish}}}],\"usage\":null,\"obfuscation\":\"abcdefgh\"}}"
        );
        form.event("", &data)
    };
    let role = event(
        "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}",
        "null",
    );
    let token = token::blank(script.delta_bytes);
    let deltas = |member: &str| {
        form.delta(
            &event(&format!("{{\"{member}\":\"{token}\"}}"), "null"),
            &token,
            script,
        )
    };
    let mut close = Vec::new();
    for index in 0..script.tools {
        let start = format!(
            "{{\"tool_calls\":[{{\"index\":{index},\"id\":\"call_{index}\",\"type\":\"function\",\
             \"function\":{{\"name\":\"{TOOL}\",\"arguments\":\"\"}}}}]}}"
        );
        close.extend(form.chunk(&event(&start, "null")));
        for piece in pieces(ARGUMENTS) {
            let delta = format!(
                "{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":{}}}}}]}}",
                quoted(piece)
            );
            close.extend(form.chunk(&event(&delta, "null")));
        }
    }
    let stop = if script.tools > 0 {
        "\"tool_calls\""
    } else {
        "\"stop\""
    };
    close.extend(form.chunk(&event("{}", stop)));
    if script.usage {
        let usage = openai_usage(script, script.stream_tokens());
        let data = format!(
            "{{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\
             \"created\":1731456253,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[],\
             \"usage\":{usage}}}"
        );
        close.extend(form.chunk(&form.event("", &data)));
    }
    close.extend(form.chunk(&form.event("", "[DONE]")));
    let thinking = Section {
        open: form.chunk(&role),
        delta: deltas("reasoning_content"),
        count: script.thinking,
        close: Vec::new(),
    };
    let text = Section {
        open: Vec::new(),
        delta: deltas("content"),
        count: script.deltas,
        close,
    };
    vec![thinking, text]
}

fn anthropic_whole(script: &Script) -> String {
    let text = filler(script.answer_bytes);
    let mut content = String::new();
    if script.thinking > 0 {
        content += &format!(
            "{{\"type\":\"thinking\",\"thinking\":\"{THOUGHT}\",\"signature\":\"c2lnbmVk\"}},"
        );
    }
    content += &format!("{{\"type\":\"text\",\"text\":\"{text}\"}}");
    for index in 0..script.tools {
        content += &format!(
            ",{{\"type\":\"tool_use\",\"id\":\"toolu_{index}\",\"name\":\"{TOOL}\",\
             \"input\":{ARGUMENTS}}}"
        );
    }
    let stop = if script.tools > 0 {
        "tool_use"
    } else {
        "end_turn"
    };
    let (input, output) = (script.input, script.answer_bytes);
    format!(
        "{{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\",\
         \"content\":[{content}],\"stop_reason\":\"{stop}\",\"stop_sequence\":null,\
         \"usage\":{{\"input_tokens\":{input},\"output_tokens\":{output}}}}}"
    )
}

fn anthropic_sections(script: &Script, form: &Form) -> Vec<Section> {
    let token = token::blank(script.delta_bytes);
    let chunk = |name: &str, data: &str| form.chunk(&form.event(name, data));
    let (input, output) = (script.input, script.stream_tokens());
    let begin = format!(
        "{{\"type\":\"message_start\",\"message\":{{\"id\":\"msg_mock\",\"type\":\"message\",\
         \"role\":\"assistant\",\"model\":\"claude-mock\",\"content\":[],\"stop_reason\":null,\
         \"stop_sequence\":null,\"usage\":{{\"input_tokens\":{input},\"output_tokens\":1}}}}}}"
    );
    let mut open = chunk("message_start", &begin);
    let mut sections = Vec::new();
    let mut index = 0;
    if script.thinking > 0 {
        open.extend(form.block_start(
            0,
            "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}",
        ));
        let event = form.block_delta(
            0,
            &format!("{{\"type\":\"thinking_delta\",\"thinking\":\"{token}\"}}"),
        );
        let signature = "{\"type\":\"signature_delta\",\"signature\":\"c2lnbmVk\"}";
        let mut close = form.chunk(&form.block_delta(0, signature));
        close.extend(form.block_stop(0));
        sections.push(Section {
            open: std::mem::take(&mut open),
            delta: form.delta(&event, &token, script),
            count: script.thinking,
            close,
        });
        index = 1;
    }
    open.extend(form.block_start(index, "{\"type\":\"text\",\"text\":\"\"}"));
    let event = form.block_delta(
        index,
        &format!("{{\"type\":\"text_delta\",\"text\":\"{token}\"}}"),
    );
    let mut close = form.block_stop(index);
    for call in 0..script.tools {
        index += 1;
        let block = format!(
            "{{\"type\":\"tool_use\",\"id\":\"toolu_{call}\",\"name\":\"{TOOL}\",\"input\":{{}}}}"
        );
        close.extend(form.block_start(index, &block));
        for piece in pieces(ARGUMENTS) {
            let piece = quoted(piece);
            let part = format!("{{\"type\":\"input_json_delta\",\"partial_json\":{piece}}}");
            close.extend(form.chunk(&form.block_delta(index, &part)));
        }
        close.extend(form.block_stop(index));
    }
    let reason = if script.tools > 0 {
        "tool_use"
    } else {
        "end_turn"
    };
    let end = format!(
        "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\
         \"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{output}}}}}"
    );
    close.extend(chunk("message_delta", &end));
    close.extend(chunk("message_stop", "{\"type\":\"message_stop\"}"));
    sections.push(Section {
        open,
        delta: form.delta(&event, &token, script),
        count: script.deltas,
        close,
    });
    sections
}

fn filler(bytes: usize) -> String {
    char::from(token::FILLER).to_string().repeat(bytes)
}

/// A text in three parts.
fn pieces(text: &str) -> [&str; 3] {
    let (first, rest) = text.split_at(text.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    [first, second, third]
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                           cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
const END: &[u8] = b"0\r\n\r\n";
