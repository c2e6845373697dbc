//! What the stub answers to a request.

use core::time::Duration;

use crate::demo::stub::asked::{self, Asked};
use crate::demo::stub::fault::Fault;
use crate::demo::stub::frame::Frame;
use crate::demo::stub::model::{Act, Answer, LISTED, Model, Spoil};
use crate::demo::stub::openai::Label;
use crate::demo::stub::script::Script;
use crate::demo::stub::{anthropic, openai};
use crate::http1::method::Method;
use crate::http1::{encode, target};
use crate::json::write::Writer;
use crate::wire::kind::Wire;

/// The key that the stub wants: `authorization: Bearer` on the OpenAI wire, `x-api-key` or the
/// same on the Anthropic one.
pub const KEY: &str = "sk-stub-0000";

/// A request, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: &'r [u8],
    /// `authorization`
    pub authorization: Option<&'r [u8]>,
    /// `x-api-key`
    pub api_key: Option<&'r [u8]>,
    /// `anthropic-version`
    pub anthropic_version: Option<&'r [u8]>,
    /// The body.
    pub body: &'r [u8],
    /// Which request this is.
    pub number: u64,
    /// Seconds since 1970.
    pub now: u64,
}

/// An answer, ready to be sent.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Fields of the head, framing apart.
    pub fields: Vec<u8>,
    /// The body.
    pub body: Body,
    /// How the body ends.
    pub end: End,
    /// Wait before the first token, or the whole answer.
    pub first: Duration,
    /// Wait before each further token.
    pub each: Duration,
}

/// A body in one piece, or event by event.
#[derive(Clone, Debug)]
pub enum Body {
    /// In one piece.
    Whole(Vec<u8>),
    /// A stream.
    Events(Vec<Frame>),
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By its framing.
    Whole,
    /// Cut within its last event, or in the middle.
    Cut,
    /// Not at all: silence.
    Never,
}

/// Answers a request; nothing where the connection is to be closed instead.
#[must_use]
pub fn answer(request: &Request<'_>) -> Option<Reply> {
    let wire = wire_of(request);
    match decide(request, wire) {
        Ok(reply) => reply,
        Err(fault) => Some(refusal(&fault, wire, request)),
    }
}

/// The answer to a request that could not be read.
#[must_use]
pub fn unreadable(status: u16, text: &str, number: u64) -> Reply {
    let fault = Fault::new(status, text.to_owned());
    let mut fields = Vec::new();
    encode::field(&mut fields, b"content-type", b"application/json");
    let body = fault.body(Wire::OpenAiChat, &request_id(number));
    reply(status, fields, Body::Whole(body))
}

fn decide(request: &Request<'_>, wire: Wire) -> Result<Option<Reply>, Fault> {
    let path = request.path.strip_prefix(b"/v1").unwrap_or_default();
    authorise(request, wire)?;
    match (path, request.method) {
        (b"/chat/completions" | b"/messages", Method::Post) => chat(request, wire),
        (b"/messages/count_tokens", Method::Post) => count(request).map(Some),
        (b"/models", Method::Get) => Ok(Some(models(request, wire))),
        (b"/chat/completions" | b"/messages" | b"/messages/count_tokens" | b"/models", _) => {
            Err(Fault::new(405, "method not allowed".to_owned()))
        }
        (_, Method::Get) => match path.strip_prefix(b"/models/") {
            Some(id) => model(id, request, wire).map(Some),
            None => Err(no_such_path()),
        },
        _ => Err(no_such_path()),
    }
}

fn no_such_path() -> Fault {
    Fault::new(404, "the stub has nothing at this path".to_owned())
}

fn wire_of(request: &Request<'_>) -> Wire {
    if request.path.starts_with(b"/v1/messages") || request.anthropic_version.is_some() {
        Wire::AnthropicMessages
    } else {
        Wire::OpenAiChat
    }
}

fn authorise(request: &Request<'_>, wire: Wire) -> Result<(), Fault> {
    let bearer = request.authorization;
    let bearer = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
    let key = match wire {
        Wire::OpenAiChat => bearer,
        Wire::AnthropicMessages => request.api_key.or(bearer),
    };
    if key != Some(KEY.as_bytes()) {
        let text = format!("the stub takes one key only: {KEY}");
        return Err(Fault::new(401, text));
    }
    if wire == Wire::AnthropicMessages && request.anthropic_version.is_none() {
        let text = "anthropic-version: header is required".to_owned();
        return Err(Fault::new(400, text));
    }
    Ok(())
}

fn chat(request: &Request<'_>, wire: Wire) -> Result<Option<Reply>, Fault> {
    let asked = asked::read(wire, request.body)?;
    let Model { act, pace } = known(&asked.model)?;
    let spoil = match act {
        Act::Refuse(status) => {
            let text = format!("the stub was asked for status {status}");
            return Err(Fault::new(status, text));
        }
        Act::Spoil(Spoil::Reset) => return Ok(None),
        Act::Spoil(spoil) => Some(spoil),
        Act::Tell(_) => None,
    };
    let kind = match act {
        Act::Tell(kind) => kind,
        Act::Refuse(_) | Act::Spoil(_) => Answer::Text,
    };
    let script = Script::new(kind, &asked);
    let label = Label {
        model: asked.model.clone(),
        number: request.number,
        created: request.now,
        include_usage: asked.include_usage,
    };
    let mut reply = if asked.stream {
        streamed(&script, &label, wire, request, spoil)
    } else {
        in_one_piece(&script, &label, wire, request, spoil)?
    };
    reply.first = pace.first();
    reply.each = pace.each();
    Ok(Some(reply))
}

fn streamed(
    script: &Script,
    label: &Label,
    wire: Wire,
    request: &Request<'_>,
    spoil: Option<Spoil>,
) -> Reply {
    let mut frames = match wire {
        Wire::OpenAiChat => openai::frames(script, label),
        Wire::AnthropicMessages => anthropic::frames(script, label),
    };
    let mut end = End::Whole;
    let some = SPOILED_FRAMES.min(frames.len().saturating_sub(1));
    match spoil {
        None | Some(Spoil::Reset) => {}
        Some(Spoil::ErrorStart) => frames = vec![error_frame(wire, request)],
        Some(Spoil::ErrorMid) => {
            frames.truncate(some);
            frames.push(error_frame(wire, request));
        }
        Some(Spoil::Break) => {
            frames.truncate(some);
            end = End::Cut;
        }
        // The end marker, and what says why the answer ended and what it cost.
        Some(Spoil::End) => frames.retain(|frame| !is_end(&frame.bytes)),
        Some(Spoil::Silent) => {
            frames.clear();
            end = End::Never;
        }
    }
    let mut fields = labels(wire, request);
    let media = b"text/event-stream; charset=utf-8";
    encode::field(&mut fields, b"content-type", media);
    encode::field(&mut fields, b"cache-control", b"no-cache");
    Reply {
        end,
        ..reply(200, fields, Body::Events(frames))
    }
}

fn is_end(frame: &[u8]) -> bool {
    let has = |needle: &[u8]| memchr::memmem::find(frame, needle).is_some();
    frame.starts_with(b"event: message_delta")
        || frame.starts_with(b"event: message_stop")
        || frame.starts_with(b"data: [DONE]")
        || has(b"\"finish_reason\":\"")
        || has(b"\"choices\":[]")
}

fn error_frame(wire: Wire, request: &Request<'_>) -> Frame {
    let (status, text) = match wire {
        Wire::OpenAiChat => (500, "the stub was asked to fail within the stream"),
        Wire::AnthropicMessages => (529, "Overloaded, as the stub was asked to be"),
    };
    let fault = Fault::new(status, text.to_owned());
    let body = fault.body(wire, &request_id(request.number));
    match wire {
        Wire::AnthropicMessages => anthropic::error_frame(&body),
        Wire::OpenAiChat => Frame {
            bytes: [b"data: ", body.as_slice(), b"\n\n"].concat(),
            is_token: false,
        },
    }
}

fn in_one_piece(
    script: &Script,
    label: &Label,
    wire: Wire,
    request: &Request<'_>,
    spoil: Option<Spoil>,
) -> Result<Reply, Fault> {
    let end = match spoil {
        Some(Spoil::ErrorStart | Spoil::ErrorMid) => {
            return Err(Fault::new(500, "the stub was asked to fail".to_owned()));
        }
        Some(Spoil::Break | Spoil::End) => End::Cut,
        Some(Spoil::Silent) => End::Never,
        None | Some(Spoil::Reset) => End::Whole,
    };
    let body = match wire {
        Wire::OpenAiChat => openai::whole(script, label),
        Wire::AnthropicMessages => anthropic::whole(script, label),
    };
    Ok(Reply {
        end,
        ..reply(200, json_fields(wire, request), Body::Whole(body))
    })
}

fn count(request: &Request<'_>) -> Result<Reply, Fault> {
    let Asked {
        model,
        input_tokens,
        ..
    } = asked::count(request.body)?;
    known(&model)?;
    let mut body = Vec::new();
    let mut w = Writer::new(&mut body);
    w.open_object().name("input_tokens").number(input_tokens);
    w.close_object();
    let fields = json_fields(Wire::AnthropicMessages, request);
    Ok(reply(200, fields, Body::Whole(body)))
}

fn models(request: &Request<'_>, wire: Wire) -> Reply {
    let mut body = Vec::new();
    let mut w = Writer::new(&mut body);
    w.open_object();
    if wire == Wire::OpenAiChat {
        w.name("object").string("list");
    }
    w.name("data").open_array();
    for id in LISTED {
        write_model(id, wire, &mut w);
    }
    w.close_array();
    if wire == Wire::AnthropicMessages {
        let ends = (LISTED.first().copied(), LISTED.last().copied());
        w.name("has_more").boolean(false);
        w.name("first_id").string(ends.0.unwrap_or_default());
        w.name("last_id").string(ends.1.unwrap_or_default());
    }
    w.close_object();
    reply(200, json_fields(wire, request), Body::Whole(body))
}

fn model(id: &[u8], request: &Request<'_>, wire: Wire) -> Result<Reply, Fault> {
    let mut decoded = Vec::new();
    target::decode_id(id, &mut decoded);
    let id = String::from_utf8_lossy(&decoded);
    known(&id)?;
    let mut body = Vec::new();
    write_model(&id, wire, &mut Writer::new(&mut body));
    Ok(reply(200, json_fields(wire, request), Body::Whole(body)))
}

fn write_model(id: &str, wire: Wire, w: &mut Writer<'_>) {
    w.open_object();
    match wire {
        Wire::OpenAiChat => {
            w.name("id").string(id).name("object").string("model");
            w.name("created").number(MODELS_CREATED);
            w.name("owned_by").string("stub");
        }
        Wire::AnthropicMessages => {
            w.name("type").string("model").name("id").string(id);
            w.name("display_name").string(id);
            w.name("created_at").string("2025-01-01T00:00:00Z");
        }
    }
    w.close_object();
}

fn known(name: &str) -> Result<Model, Fault> {
    Model::of(name).ok_or_else(|| {
        let text = format!("The model `{name}` does not exist; the stub has stub-text and others");
        Fault::of("model", text).with_status(404)
    })
}

fn refusal(fault: &Fault, wire: Wire, request: &Request<'_>) -> Reply {
    let mut fields = json_fields(wire, request);
    if let Some(seconds) = fault.retry_after() {
        encode::field_number(&mut fields, "retry-after", seconds);
    }
    let body = fault.body(wire, &request_id(request.number));
    reply(fault.status, fields, Body::Whole(body))
}

fn json_fields(wire: Wire, request: &Request<'_>) -> Vec<u8> {
    let mut fields = labels(wire, request);
    encode::field(&mut fields, b"content-type", b"application/json");
    fields
}

/// The request's id and what is left of the rate limits, in the names of the wire.
fn labels(wire: Wire, request: &Request<'_>) -> Vec<u8> {
    let mut fields = Vec::new();
    let id = request_id(request.number);
    let named: [(&str, &str); 4] = match wire {
        Wire::OpenAiChat => [
            ("x-request-id", &id),
            ("openai-version", "2020-10-01"),
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-remaining-requests", "999"),
        ],
        Wire::AnthropicMessages => [
            ("request-id", &id),
            ("anthropic-organization-id", "stub"),
            ("anthropic-ratelimit-requests-limit", "1000"),
            ("anthropic-ratelimit-requests-remaining", "999"),
        ],
    };
    for (name, value) in named {
        encode::field(&mut fields, name.as_bytes(), value.as_bytes());
    }
    fields
}

fn request_id(number: u64) -> String {
    format!("req_stub{number:08}")
}

const fn reply(status: u16, fields: Vec<u8>, body: Body) -> Reply {
    Reply {
        status,
        fields,
        body,
        end: End::Whole,
        first: Duration::ZERO,
        each: Duration::ZERO,
    }
}

/// Events that come before a stream goes wrong.
const SPOILED_FRAMES: usize = 12;
/// When the stub's models were made: the first second of 2025.
const MODELS_CREATED: u64 = 1_735_689_600;

#[cfg(test)]
mod tests;
