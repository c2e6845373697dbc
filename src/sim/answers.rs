//! What clients ask and providers answer. Every piece of an answer carries a token: the exchange's
//! number, the try's, the piece's.

use core::fmt::Write as _;

use crate::sim::plan::model_id;
use crate::sim::rules::TIERS;
use crate::sim::script::{AnswerFraming, ProviderAction, ScriptedRequest};
use crate::wire::kind::Wire;

/// A provider's answer.
#[derive(Debug)]
pub(super) struct ScriptedAnswer {
    /// Head and framed body.
    pub(super) bytes: Vec<u8>,
    /// The body without its framing.
    pub(super) payload: Vec<u8>,
    /// The same without the usage chunk.
    pub(super) stripped: Vec<u8>,
    /// Where in `payload` the answer's meaning has ended; nought where it never does.
    pub(super) meant_at: usize,
    /// Where its last event of content ends in `payload`: from here on a body that just ends is
    /// taken for whole.
    pub(super) content_end: usize,
    /// Where payload lies in `bytes`: from, from in the payload, length.
    spans: Vec<(usize, usize, usize)>,
}

impl ScriptedAnswer {
    /// How much payload lies in the first `sent` bytes.
    pub(super) fn payload_in(&self, sent: usize) -> usize {
        let reached = self
            .spans
            .iter()
            .filter(|(from, ..)| *from < sent)
            .map(|&(from, at, len)| at + len.min(sent - from));
        reached.max().unwrap_or(0)
    }

    /// Where the first piece of a stream ends in `bytes`.
    pub(super) fn first_end(&self) -> usize {
        let find = |from: usize, what: &[u8]| {
            let rest = self.bytes.get(from..)?;
            memchr::memmem::find(rest, what).map(|at| from + at + what.len())
        };
        let end = find(0, b".0]").and_then(|at| find(at, b"\n\n"));
        end.unwrap_or(self.bytes.len())
    }
}

/// The request of an exchange, and where its body begins.
pub(super) fn request(ask: &ScriptedRequest, number: usize) -> Vec<u8> {
    let model = model_id(ask.model, number);
    let pad = "x".repeat(ask.pad);
    let (path, extra) = match ask.wire {
        Wire::OpenAiChat if ask.stream && ask.usage => (
            "/v1/chat/completions",
            r#""stream_options":{"include_usage":true},"#,
        ),
        Wire::OpenAiChat => ("/v1/chat/completions", ""),
        Wire::AnthropicMessages => ("/v1/messages", r#""max_tokens":64,"#),
    };
    let (fields, members) = fields(ask, number);
    let body = format!(
        r#"{{"model":"{model}",{extra}{members}"stream":{},"messages":[{{"role":"user","content":"[q{number}]{pad}"}}]}}"#,
        ask.stream
    );
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: sim\r\ncontent-type: application/json\r\n{fields}");
    if !ask.is_chunked {
        return format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes();
    }
    let mut out = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
    for chunk in body.as_bytes().chunks(1_000) {
        push_chunk(&mut out, chunk);
    }
    out.extend_from_slice(LAST_CHUNK);
    out
}

/// What the head of a request says of its key and tier; a tier goes into every other one's body.
fn fields(ask: &ScriptedRequest, number: usize) -> (String, String) {
    let Some(key) = ask.key else {
        return Default::default();
    };
    let mut head = format!("authorization: Bearer {}\r\n", key.secret());
    let mut body = String::new();
    // The order goes by what may be answered.
    if ask.wire == Wire::OpenAiChat {
        body.push_str("\"max_tokens\":64,");
    }
    let tier = ask.tier.and_then(|tier| TIERS.get(tier));
    match tier {
        Some(tier) if number.is_multiple_of(2) => _ = write!(head, "x-privacy-tier: {tier}\r\n"),
        Some(tier) => _ = write!(body, "\"privacy_tier\":\"{tier}\","),
        None => {}
    }
    (head, body)
}

/// The answer of a provider of `wire` to try number `attempt` of an exchange.
pub(super) fn answer(
    wire: Wire,
    (number, attempt): (usize, usize),
    ask: &ScriptedRequest,
    action: ProviderAction,
    with_usage: bool,
) -> ScriptedAnswer {
    if let ProviderAction::Status(status) | ProviderAction::Hasty(status) = action {
        let body = error_body(wire, number, attempt);
        return framed(
            status,
            "application/json",
            AnswerFraming::Length,
            &[body],
            None,
        );
    }
    if !ask.stream {
        let body = whole(wire, (number, attempt), ask);
        let mut answer = framed(200, "application/json", ask.framing, &[body], None);
        answer.meant_at = answer.payload.len();
        return answer;
    }
    let framing = match ask.framing {
        AnswerFraming::Length => AnswerFraming::Chunked,
        other => other,
    };
    let mut events = vec![start_up(wire)];
    let pieces = match action {
        ProviderAction::Fail(pieces) => pieces,
        _ => ask.pieces,
    };
    events.extend((0..pieces).map(|piece| delta(wire, (number, attempt, piece), ask)));
    if let ProviderAction::Fail(_) = action {
        events.push(error_event(wire));
        return framed(200, "text/event-stream", framing, &events, None);
    }
    let content_end = events.iter().map(String::len).sum();
    events.push(finish(wire));
    let usage = (wire == Wire::OpenAiChat && with_usage).then(|| {
        events.push(USAGE.to_owned());
        events.len() - 1
    });
    events.push(end_mark(wire).to_owned());
    let mut answer = framed(200, "text/event-stream", framing, &events, usage);
    answer.content_end = content_end;
    answer.meant_at = answer.payload.len();
    answer
}

/// What ends a stream well.
pub(super) const fn end_mark(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "data: [DONE]\n\n",
        Wire::AnthropicMessages => "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    }
}

/// The tokens in a text, in order.
pub(super) fn tokens(text: &[u8]) -> Vec<[usize; 3]> {
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(text, b"[t") {
        let rest = text.get(at + 2..).unwrap_or_default();
        let Some(end) = memchr::memchr(b']', rest.get(..24.min(rest.len())).unwrap_or_default())
        else {
            continue;
        };
        let inner = rest.get(..end).unwrap_or_default();
        let mut numbers = inner
            .split(|&byte| byte == b'.')
            .map(|digits| core::str::from_utf8(digits).ok()?.parse().ok());
        if let (Some(Some(number)), Some(Some(attempt)), Some(Some(piece))) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            found.push([number, attempt, piece]);
        }
    }
    found
}

fn piece_text((number, attempt, piece): (usize, usize, usize), ask: &ScriptedRequest) -> String {
    let pad = "-".repeat(ask.piece_pad);
    format!("[t{number}.{attempt}.{piece}]{pad}")
}

fn whole(wire: Wire, (number, attempt): (usize, usize), ask: &ScriptedRequest) -> String {
    let text: String = (0..ask.pieces)
        .map(|piece| piece_text((number, attempt, piece), ask))
        .collect();
    match wire {
        Wire::OpenAiChat => format!(
            r#"{{"id":"c1","object":"chat.completion","created":1,"model":"up","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}}}"#
        ),
        Wire::AnthropicMessages => format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":9,"output_tokens":2}}}}"#
        ),
    }
}

fn start_up(wire: Wire) -> String {
    match wire {
        Wire::OpenAiChat => "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n".to_owned(),
        Wire::AnthropicMessages => "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"up\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n".to_owned(),
    }
}

fn delta(wire: Wire, token: (usize, usize, usize), ask: &ScriptedRequest) -> String {
    let text = piece_text(token, ask);
    match wire {
        Wire::OpenAiChat => format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
        ),
        Wire::AnthropicMessages => {
            let open = if token.2 == 0 {
                "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
            } else {
                ""
            };
            format!(
                "{open}event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
            )
        }
    }
}

fn finish(wire: Wire) -> String {
    match wire {
        Wire::OpenAiChat => "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".to_owned(),
        Wire::AnthropicMessages => "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n".to_owned(),
    }
}

fn error_event(wire: Wire) -> String {
    match wire {
        Wire::OpenAiChat => "data: {\"error\":{\"message\":\"melted\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n".to_owned(),
        Wire::AnthropicMessages => "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"melted\"}}\n\n".to_owned(),
    }
}

fn error_body(wire: Wire, number: usize, attempt: usize) -> String {
    let text = format!("[t{number}.{attempt}.0]");
    match wire {
        Wire::OpenAiChat => format!(
            r#"{{"error":{{"message":"{text}","type":"server_error","param":null,"code":null}}}}"#
        ),
        Wire::AnthropicMessages => {
            format!(r#"{{"type":"error","error":{{"type":"api_error","message":"{text}"}}}}"#)
        }
    }
}

fn framed(
    status: u16,
    kind: &str,
    framing: AnswerFraming,
    parts: &[String],
    usage: Option<usize>,
) -> ScriptedAnswer {
    let payload = parts.concat().into_bytes();
    let kept = parts.iter().enumerate();
    let kept = kept.filter(|(index, _)| Some(*index) != usage);
    let stripped: String = kept.map(|(_, part)| part.as_str()).collect();
    let mut bytes = format!("HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n").into_bytes();
    let mut spans = Vec::new();
    match framing {
        AnswerFraming::Length => {
            bytes.extend(format!("content-length: {}\r\n\r\n", payload.len()).into_bytes());
        }
        AnswerFraming::Chunked => bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
        AnswerFraming::UntilClose => bytes.extend_from_slice(b"connection: close\r\n\r\n"),
    }
    if framing == AnswerFraming::Chunked {
        let mut at = 0;
        for part in parts {
            spans.push((bytes.len() + chunk_head(part.len()).len(), at, part.len()));
            push_chunk(&mut bytes, part.as_bytes());
            at += part.len();
        }
        bytes.extend_from_slice(LAST_CHUNK);
    } else {
        spans.push((bytes.len(), 0, payload.len()));
        bytes.extend_from_slice(&payload);
    }
    ScriptedAnswer {
        bytes,
        payload,
        stripped: stripped.into_bytes(),
        meant_at: 0,
        content_end: 0,
        spans,
    }
}

fn chunk_head(len: usize) -> String {
    format!("{len:x}\r\n")
}

fn push_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    out.extend_from_slice(chunk_head(chunk.len()).as_bytes());
    out.extend_from_slice(chunk);
    out.extend_from_slice(b"\r\n");
}

/// Tokens that an answer says it took, input and output.
pub(super) const USED: (u64, u64) = (9, 2);

/// What ends a chunked body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

const USAGE: &str = "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}}\n\n";
