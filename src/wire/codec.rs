//! The closed set of wires as enums: the one place that sees the codecs of all of them.

use std::borrow::Cow;

use crate::chat::error::{ApiError, CallFault, ErrorFacts};
use crate::chat::event::{Event, Step, StreamFault};
use crate::chat::member::Member;
use crate::chat::rate_limit::RateLimit;
use crate::chat::rejection::Rejection;
use crate::chat::request::Request;
use crate::chat::response::{Answer, Lost, TooLong, Written};
use crate::chat::usage::{StopReason, Usage};
use crate::json::error::JsonError;
use crate::json::rewrite::Edits;
use crate::json::scan::{DEPTH_MAX, trimmed};
use crate::json::tape::{Tape, Value};
use crate::limits::{EVENT_VALUES_MAX, Limits};
use crate::wire::anthropic;
use crate::wire::common::answer_summary::Facts;
use crate::wire::common::conventions::Conventions;
use crate::wire::common::reasoning_history;
use crate::wire::kind::{Dialect, Wire};
use crate::wire::openai;
use crate::wire::openai::settings::{Needs as OpenAiNeeds, ReasoningMembers};

/// The names and statuses of a wire's servers.
#[must_use]
pub const fn conventions(wire: Wire) -> &'static Conventions {
    match wire {
        Wire::OpenAiChat => &openai::conventions::CONVENTIONS,
        Wire::AnthropicMessages => &anthropic::conventions::CONVENTIONS,
    }
}

/// The first wire whose conventions are like that, if any is.
pub fn wire_with(mut is_so: impl FnMut(&Conventions) -> bool) -> Option<Wire> {
    let mut wires = Wire::ALL.into_iter();
    wires.find(|wire| is_so(conventions(*wire)))
}

/// The name of a member in the words of a client of `wire`.
#[must_use]
pub fn member_name(wire: Wire, member: &Member) -> &str {
    match wire {
        Wire::OpenAiChat => openai::request::names::name(member),
        Wire::AnthropicMessages => anthropic::request::names::name(member),
    }
}

/// Reads a client's request of `wire`.
///
/// # Errors
/// The body is no request of the wire.
pub fn read_request(wire: Wire, root: Value<'_>) -> Result<Request<'_>, Rejection> {
    match wire {
        Wire::OpenAiChat => openai::request::read::read(root),
        Wire::AnthropicMessages => anthropic::request::read::read(root),
    }
}

/// Appends a request in `wire`, for `model` of an upstream with the quirks of `dialect`.
pub fn write_request(
    wire: Wire,
    request: &Request<'_>,
    model: &str,
    dialect: &Dialect,
    out: &mut Vec<u8>,
) {
    match wire {
        Wire::OpenAiChat => openai::request::write::write(request, model, dialect, out),
        Wire::AnthropicMessages => anthropic::request::write::write(request, model, out),
    }
}

/// What is wrong with the call, or with the result, of this `id`, in the words of a client of `wire`.
#[must_use]
#[cold]
pub fn call_fault(wire: Wire, fault: CallFault, id: &str) -> String {
    match wire {
        Wire::OpenAiChat => openai::request::names::call_fault(fault, id),
        Wire::AnthropicMessages => anthropic::request::names::call_fault(fault, id),
    }
}

/// The refusal of a request of a client of `wire` for one of its members.
#[must_use]
#[cold]
pub fn refuse_member(wire: Wire, member: &Member, reason: &str) -> Rejection {
    let name = member_name(wire, member);
    let code = match wire {
        Wire::OpenAiChat => None,
        Wire::AnthropicMessages => anthropic::request::names::refusal_code(member),
    };
    let rejection = Rejection::invalid(name.to_owned(), format!("{name}: {reason}"));
    match code {
        Some(code) => rejection.with_code(code),
        None => rejection,
    }
}

/// Appends the body of an error answer in `wire`.
pub fn write_error(wire: Wire, error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    match wire {
        Wire::OpenAiChat => openai::error::write_body(error, request_id, out),
        Wire::AnthropicMessages => anthropic::error::write_body(error, request_id, out),
    }
}

/// Appends the stream event of an error in `wire`: the last thing that a broken stream says.
pub fn write_error_event(wire: Wire, error: &ApiError<'_>, request_id: &str, out: &mut Vec<u8>) {
    match wire {
        Wire::OpenAiChat => openai::error::write_event(error, request_id, out),
        Wire::AnthropicMessages => anthropic::error::write_event(error, request_id, out),
    }
}

/// Reads an error that a provider of `wire` sent, as a body or as a stream event's data.
#[must_use]
pub fn read_error(wire: Wire, root: Value<'_>) -> ErrorFacts {
    match wire {
        Wire::OpenAiChat => openai::error::read_object(root),
        Wire::AnthropicMessages => anthropic::error::read_object(root),
    }
}

/// Reads the error that stands in a success of `wire` where an answer should be, if it is one.
#[must_use]
pub fn error_in_answer(wire: Wire, root: Value<'_>) -> Option<ErrorFacts> {
    match wire {
        Wire::OpenAiChat => openai::answer::failure::of_answer(root),
        Wire::AnthropicMessages => anthropic::error::in_answer(root),
    }
}

/// What a client of `wire` is told of an error: its message, and the code that goes with it where
/// the request is at fault.
#[must_use]
pub fn error_words<'t>(
    wire: Wire,
    facts: &ErrorFacts,
    message: Cow<'t, str>,
) -> (Cow<'t, str>, Option<&'static str>) {
    match wire {
        Wire::OpenAiChat => {
            let code = openai::error::code_of(&message);
            (message, code)
        }
        Wire::AnthropicMessages => (anthropic::error::reworded(facts, message), None),
    }
}

/// What a field of a response head of `wire` says of a rate limit.
#[must_use]
pub fn read_rate_limit<'v>(
    wire: Wire,
    name: &str,
    value: &'v str,
    now_ms: u64,
) -> Option<RateLimit<'v>> {
    // Nearly all fields are others: those cost no copy of their name.
    let prefix = conventions(wire).rate_limit_prefix;
    name.get(..prefix.len())
        .filter(|it| it.eq_ignore_ascii_case(prefix))?;
    let name = name.to_ascii_lowercase();
    match wire {
        Wire::OpenAiChat => openai::rate_limits::read(&name, value),
        Wire::AnthropicMessages => anthropic::rate_limits::read(&name, value, now_ms),
    }
}

/// Name and value of the field that says it in a response head of `wire`.
#[must_use]
pub fn write_rate_limit(
    wire: Wire,
    limit: &RateLimit<'_>,
    now_ms: u64,
) -> Option<(String, String)> {
    match wire {
        Wire::OpenAiChat => Some(openai::rate_limits::write(limit)),
        Wire::AnthropicMessages => anthropic::rate_limits::write(limit, now_ms),
    }
}

/// Appends when a rate is whole again, in `reset_ms`, as a field of `wire` has it.
pub fn write_reset(wire: Wire, reset_ms: u64, now_ms: u64, out: &mut Vec<u8>) {
    match wire {
        Wire::OpenAiChat => openai::rate_limits::write_duration(reset_ms, out),
        Wire::AnthropicMessages => {
            anthropic::rate_limits::write_rfc3339(now_ms.saturating_add(reset_ms), out);
        }
    }
}

/// Reads the frames of one stream of either wire.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value a stream, which lies in its translator's box"
)]
pub enum StreamDecoder {
    /// OpenAI Chat Completions.
    OpenAi(openai::stream::decode::Decoder),
    /// Anthropic Messages.
    Anthropic(anthropic::stream::decode::Decoder),
}

impl StreamDecoder {
    /// A decoder of one stream of `wire` that holds back at most `held_bytes_max` bytes.
    /// `whole_names` are fingerprints of tools, in order, whose names no other begins with: on a wire
    /// where names may come in pieces, any other waits for the next frame.
    #[must_use]
    pub fn new(wire: Wire, held_bytes_max: usize, whole_names: Vec<u64>) -> Self {
        match wire {
            Wire::OpenAiChat => Self::OpenAi(openai::stream::decode::Decoder::new(
                held_bytes_max,
                whole_names,
            )),
            Wire::AnthropicMessages => Self::Anthropic(anthropic::stream::decode::Decoder::new()),
        }
    }

    /// Takes the name and the data of one frame and hands their meaning to `sink`.
    ///
    /// # Errors
    /// The frame is malformed, or the sink says so.
    pub fn decode<S>(
        &mut self,
        event: &[u8],
        data: &[u8],
        tape: &mut Tape,
        sink: &mut S,
    ) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        match self {
            Self::OpenAi(decoder) => decoder.decode(event, data, tape, sink),
            Self::Anthropic(decoder) => decoder.decode(event, data, tape, sink),
        }
    }

    /// The body ended by its own framing.
    ///
    /// # Errors
    /// The stream broke off before its end.
    pub fn finish<S>(&mut self, sink: &mut S) -> Result<Step, StreamFault>
    where
        S: FnMut(Event<'_>) -> Result<(), StreamFault>,
    {
        match self {
            Self::OpenAi(decoder) => decoder.finish(sink),
            Self::Anthropic(decoder) => decoder.finish(sink),
        }
    }

    /// Bytes that are held back.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::OpenAi(decoder) => decoder.held_bytes(),
            Self::Anthropic(decoder) => decoder.held_bytes(),
        }
    }

    /// What was said that no other wire can.
    #[must_use]
    pub fn lost(&self) -> Lost {
        match self {
            Self::OpenAi(decoder) => decoder.lost(),
            Self::Anthropic(decoder) => decoder.lost().clone(),
        }
    }

    /// Token counts so far.
    #[must_use]
    pub const fn usage(&self) -> Usage {
        match self {
            Self::OpenAi(decoder) => decoder.usage(),
            Self::Anthropic(decoder) => decoder.usage(),
        }
    }

    /// Why the model stopped, once it said so.
    #[must_use]
    pub const fn stop(&self) -> Option<StopReason> {
        match self {
            Self::OpenAi(decoder) => decoder.stop(),
            Self::Anthropic(decoder) => decoder.stop(),
        }
    }
}

/// What a client needs of an answer beside what all clients do, by its wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientNeeds {
    /// OpenAI Chat Completions.
    OpenAi(OpenAiNeeds),
    /// Anthropic Messages, whose clients need no more.
    Anthropic,
}

/// A client that has asked for nothing beside the answer.
impl Default for ClientNeeds {
    fn default() -> Self {
        Self::OpenAi(OpenAiNeeds::default())
    }
}

impl ClientNeeds {
    /// What the client of `request` needs. `reasoning` and `created` are for wires that have a choice of
    /// members for reasoning, and a time in the answer.
    #[must_use]
    pub fn of(
        wire: Wire,
        request: &Request<'_>,
        reasoning: ReasoningMembers,
        created: u64,
    ) -> Self {
        match wire {
            Wire::OpenAiChat => Self::OpenAi(OpenAiNeeds::of(request, reasoning, created)),
            Wire::AnthropicMessages => Self::Anthropic,
        }
    }

    /// Whether blocks that only their provider's wire has reach the client.
    #[must_use]
    pub const fn takes_foreign_blocks(&self) -> bool {
        match self {
            Self::OpenAi(needs) => needs.reasoning.content_blocks,
            Self::Anthropic => true,
        }
    }
}

/// Writes one stream of either wire.
#[derive(Debug)]
pub enum StreamEncoder {
    /// OpenAI Chat Completions.
    OpenAi(Box<openai::stream::encode::Encoder>),
    /// Anthropic Messages.
    Anthropic(anthropic::stream::encode::Encoder),
}

impl StreamEncoder {
    /// An encoder of one stream of `wire` that holds back at most `held_bytes_max` bytes. `seed` makes
    /// the ids that the upstream left out.
    #[must_use]
    pub fn new(wire: Wire, needs: ClientNeeds, seed: u64, held_bytes_max: usize) -> Self {
        match wire {
            Wire::OpenAiChat => {
                let needs = match needs {
                    ClientNeeds::OpenAi(needs) => needs,
                    ClientNeeds::Anthropic => OpenAiNeeds::default(),
                };
                let encoder = openai::stream::encode::Encoder::new(needs, seed, held_bytes_max);
                Self::OpenAi(Box::new(encoder))
            }
            Wire::AnthropicMessages => Self::Anthropic(anthropic::stream::encode::Encoder::new(
                seed,
                held_bytes_max,
            )),
        }
    }

    /// Bytes that are held back.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        match self {
            Self::OpenAi(encoder) => encoder.held_bytes(),
            Self::Anthropic(encoder) => encoder.held_bytes(),
        }
    }

    /// Whether a citation has, or had, no text to stand in.
    #[must_use]
    pub const fn has_lost_citation(&self) -> bool {
        match self {
            Self::OpenAi(_) => false,
            Self::Anthropic(encoder) => encoder.has_lost_citation(),
        }
    }

    /// The wire that it writes.
    #[must_use]
    pub const fn wire(&self) -> Wire {
        match self {
            Self::OpenAi(_) => Wire::OpenAiChat,
            Self::Anthropic(_) => Wire::AnthropicMessages,
        }
    }

    /// Appends a sign of life, to a stream whose answer has or has not `begun`.
    pub fn ping(&self, begun: bool, out: &mut Vec<u8>) {
        match self {
            Self::OpenAi(_) => openai::stream::encode::ping(out),
            Self::Anthropic(_) => anthropic::stream::encode::ping(begun, out),
        }
    }

    /// Appends what `event` means.
    ///
    /// # Errors
    /// The event contradicts those before it, or too much would be held back.
    pub fn encode(&mut self, event: &Event<'_>, out: &mut Vec<u8>) -> Result<(), StreamFault> {
        match self {
            Self::OpenAi(encoder) => encoder.encode(event, out),
            Self::Anthropic(encoder) => encoder.encode(event, out),
        }
    }
}

/// Whether the data of an event that nothing has ended is whole by itself: JSON, or the OpenAI wire's
/// terminator. Of any other text nobody can tell what is missing.
pub fn is_whole(data: &[u8], tape: &mut Tape) -> bool {
    trimmed(data).starts_with(b"[DONE]") || tape.read(data, DEPTH_MAX, EVENT_VALUES_MAX).is_ok()
}

/// The edits that take out of a request's history what its provider would refuse of the reasoning
/// in it: on the OpenAI wire all of it, on the Anthropic wire what is not signed.
///
/// # Errors
/// The body is no JSON within `limits`.
pub fn strip_reasoning(
    wire: Wire,
    body: &[u8],
    tape: &mut Tape,
    limits: &Limits,
) -> Result<Edits, JsonError> {
    match wire {
        Wire::OpenAiChat => reasoning_history::strip_reasoning(body, limits),
        Wire::AnthropicMessages if anthropic::request::unsigned::may_stand_in(body) => {
            let root = tape.read(body, limits.json_depth_max, limits.json_values_max)?;
            Ok(anthropic::request::unsigned::edits(root))
        }
        Wire::AnthropicMessages => Ok(Edits::new()),
    }
}

/// What a whole answer of `wire` says of itself.
///
/// # Errors
/// The error that stands where an answer should be.
pub fn read_facts(wire: Wire, root: Value<'_>) -> Result<Facts<'_>, Box<ErrorFacts>> {
    match wire {
        Wire::OpenAiChat => openai::answer::summary::read(root),
        Wire::AnthropicMessages => anthropic::answer::summary::read(root),
    }
}

/// Whether a document is a whole answer of `wire`, or its count of tokens.
#[must_use]
pub fn is_answer(wire: Wire, root: Value<'_>) -> bool {
    match wire {
        Wire::OpenAiChat => openai::answer::response::is_answer(root),
        Wire::AnthropicMessages => {
            anthropic::answer::response::is_answer(root) || root.get_set("input_tokens").is_some()
        }
    }
}

/// Reads a whole answer of `wire`; nothing if the document is none.
#[must_use]
pub fn read_answer(wire: Wire, root: Value<'_>) -> Option<Answer<'_>> {
    match wire {
        Wire::OpenAiChat => openai::answer::response::read(root),
        Wire::AnthropicMessages => anthropic::answer::response::read(root),
    }
}

/// Appends a whole answer in `wire`, at most `bytes_max` bytes. `seed` makes the ids that the upstream
/// left out.
///
/// # Errors
/// [`TooLong`]: it is longer, and `out` holds the start of it.
pub fn write_answer(
    wire: Wire,
    answer: &Answer<'_>,
    needs: &ClientNeeds,
    (seed, bytes_max): (u64, usize),
    out: &mut Vec<u8>,
) -> Result<Written, TooLong> {
    match wire {
        Wire::OpenAiChat => {
            let plain;
            let needs = match needs {
                ClientNeeds::OpenAi(needs) => needs,
                ClientNeeds::Anthropic => {
                    plain = OpenAiNeeds::default();
                    &plain
                }
            };
            openai::answer::response::write(answer, needs, (seed, bytes_max), out)
        }
        Wire::AnthropicMessages => anthropic::answer::response::write(answer, seed, bytes_max, out),
    }
}
