//! From a request and a target to the bytes that go upstream.
//!
//! Runs once per attempt, because the next target may speak another wire; the client's body is
//! never changed, so that it can.

use std::rc::Rc;
use std::sync::Arc;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::config::schema::file::UsageMode;
use crate::http1::encode;
use crate::http1::method::Method;
use crate::json::rewrite;
use crate::net::connection::vectored_write::WritePiece;
use crate::net::runtime::buffers::{self, Class};
use crate::net::runtime::{clock, random};
use crate::proxy::admit::asked::Purpose;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::request_options;
use crate::proxy::answer::stages::Terms;
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::{EDIT_BYTES_KEPT, Worker};
use crate::proxy::upstream::outbound::Outbound;
use crate::proxy::upstream::request_head::{self, Facts};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::Target;
use crate::translate::request;
use crate::translate::request_context::{Hints, RequestContext};
use crate::wire::codec;
use crate::wire::common::portkey;
use crate::wire::kind::Wire;
use crate::wire::peek::edits::{Overrides, edit, edits_for};
use crate::wire::peek::found::Peek;
use crate::wire::peek::routed_members::{Known, OWN};

/// What a prepared attempt is, beside its bytes.
#[derive(Debug)]
pub struct Prepared {
    /// The request as it goes out.
    pub out: Outbound,
    /// What follows for the answer.
    pub terms: Terms,
    /// What is charged for bytes that are the request's own, not the client's.
    pub charge: Option<Charge>,
}

/// Where an attempt goes.
#[derive(Clone, Copy, Debug)]
pub struct To<'t> {
    /// The target.
    pub target: &'t Target,
    /// Its provider.
    pub provider: &'t Provider,
    /// Which of our credentials goes out, by its place at the provider.
    pub credential: usize,
    /// Another attempt was made before.
    pub fallback: bool,
}

/// Prepares an attempt.
///
/// # Errors
/// The refusal for the client: nothing is sent.
pub fn prepare(
    worker: &Worker,
    inbound: &Inbound,
    peek: &Peek,
    to: To<'_>,
    purpose: Purpose,
) -> Result<Prepared, Rejection> {
    if inbound.wire == to.provider.wire {
        same_wire(worker, inbound, peek, to, purpose)
    } else {
        translated(worker, inbound, peek, to)
    }
}

fn same_wire(
    worker: &Worker,
    inbound: &Inbound,
    peek: &Peek,
    to: To<'_>,
    purpose: Purpose,
) -> Result<Prepared, Rejection> {
    let To {
        target, provider, ..
    } = to;
    let body = inbound.body();
    let asked = peek.model(body);
    let renamed = !asked.is(&target.model);
    let conventions = codec::conventions(provider.wire);
    let inject = conventions.usage_on_request
        && peek.stream()
        && !peek.asks_usage()
        && provider.usage == UsageMode::Inject
        && provider.dialect.stream_usage;
    let overrides = Overrides {
        model: renamed.then_some(&*target.model),
        inject_usage: inject,
    };
    let mut edits = worker.thread.edits.borrow_mut();
    edit(peek, &overrides, &mut edits);
    if provider.dialect.strips_reasoning {
        strip_reasoning(worker, body, provider.wire, &mut edits);
    }
    if conventions.version_field.is_some() {
        swap_portkey_tools(worker, body, peek, &mut edits);
    }
    let facts = Facts {
        provider,
        translated: false,
        is_json: true,
        body_beta: None,
        credential: to.credential,
        fallback: to.fallback,
    };
    let mut head = start_head(inbound, provider, purpose, &facts)?;
    encode::field_number(
        &mut head,
        "content-length",
        edits.len_after(body.len()) as u64,
    );
    encode::end_head(&mut head);
    let out = gather(Method::Post, head, inbound, &edits);
    edits.shrink_to(EDIT_BYTES_KEPT);
    Ok(Prepared {
        out,
        terms: Terms {
            strip_usage: inject,
            ..Terms::default()
        },
        charge: None,
    })
}

/// Portkey's spelling of the web-search tool, swapped in place; almost no body has it, and those
/// without cost one look at their `tools`.
fn swap_portkey_tools(worker: &Worker, body: &[u8], peek: &Peek, edits: &mut rewrite::Edits) {
    let tools = peek.source(body, Known::Tools).unwrap_or_default();
    if memchr::memmem::find(tools, b"web_search_2").is_none() {
        return;
    }
    let limits = worker.limits();
    let mut tape = worker.thread.tape.borrow_mut();
    if let Ok(root) = tape.read(body, limits.json_depth_max, limits.json_values_max) {
        for (span, tool) in portkey::tool_edits(root) {
            edits.replace(span, &tool);
        }
    }
}

/// What the provider would refuse of the reasoning in a history, taken out. The scan before this
/// one has accepted the body; what a second reading would refuse stays as it is.
fn strip_reasoning(worker: &Worker, body: &[u8], wire: Wire, edits: &mut rewrite::Edits) {
    let mut tape = worker.thread.tape.borrow_mut();
    if let Ok(stripped) = codec::strip_reasoning(wire, body, &mut tape, worker.limits()) {
        edits.merge(&stripped);
    }
}

/// Head and small pieces together, large pieces from where they lie.
#[must_use]
pub fn gather(
    method: Method,
    head: Vec<u8>,
    inbound: &Inbound,
    edits: &rewrite::Edits,
) -> Outbound {
    let body = inbound.body();
    let (mut first, mut rest) = (None, Vec::new());
    let mut add = |piece| match first {
        None => first = Some(piece),
        Some(_) => rest.push(piece),
    };
    let mut together = head;
    for piece in edits.pieces(body.len()) {
        match piece {
            rewrite::EditPiece::New(bytes) => together.extend_from_slice(bytes),
            rewrite::EditPiece::Source(range) if range.len() <= COPIED_BYTES_MAX => {
                together.extend_from_slice(body.get(range).unwrap_or_default());
            }
            rewrite::EditPiece::Source(range) => {
                if !together.is_empty() {
                    add(WritePiece::whole(core::mem::take(&mut together)));
                }
                let start = inbound.body.start;
                add(WritePiece {
                    buffer: Rc::clone(&inbound.bytes),
                    range: start + range.start..start + range.end,
                });
            }
        }
    }
    let first = match first {
        None => WritePiece::whole(together),
        Some(first) => {
            rest.extend((!together.is_empty()).then(|| WritePiece::whole(together)));
            first
        }
    };
    Outbound {
        method,
        first,
        rest,
    }
}

fn translated(
    worker: &Worker,
    inbound: &Inbound,
    peek: &Peek,
    to: To<'_>,
) -> Result<Prepared, Rejection> {
    let To {
        target, provider, ..
    } = to;
    let context = RequestContext {
        from: inbound.wire,
        to: provider.wire,
        dialect: &provider.dialect,
        model: &target.model,
        facts: worker.plan.facts_of(target),
        hints: hints(inbound),
        limits: worker.limits(),
        created: clock::unix_seconds(),
        seed: random::word(),
    };
    let mut body = Vec::with_capacity(inbound.body.len() + 256);
    let mut tape = worker.thread.tape.borrow_mut();
    let source = inbound.body();
    let done = match own_members_out(peek, source) {
        None => request::translate(source, &mut tape, &context, &mut body)?,
        Some(plain) => request::translate(&plain, &mut tape, &context, &mut body)?,
    };
    drop(tape);
    worker.thread.shrink();
    let tenant = inbound.tenant();
    let mut charge = Charge::new(Arc::clone(&worker.thread.shared.budget), tenant);
    charge.hold(body.capacity()).map_err(|_| {
        let message = "too many bytes in flight; retry later";
        Rejection::new(ErrorKind::Overloaded, message, "no_room").try_again()
    })?;
    let facts = Facts {
        provider,
        translated: true,
        is_json: true,
        body_beta: done.beta.as_deref(),
        credential: to.credential,
        fallback: to.fallback,
    };
    let mut head = start_head(inbound, provider, Purpose::Chat, &facts)?;
    let accept = if peek.stream() {
        "text/event-stream"
    } else {
        "application/json"
    };
    encode::field(&mut head, b"accept", accept.as_bytes());
    encode::field_number(&mut head, "content-length", body.len() as u64);
    encode::end_head(&mut head);
    let mut rest = Vec::new();
    if body.len() <= COPIED_BYTES_MAX {
        head.extend_from_slice(&body);
    } else {
        rest.push(WritePiece::whole(body));
    }
    Ok(Prepared {
        out: Outbound {
            method: Method::Post,
            first: WritePiece::whole(head),
            rest,
        },
        terms: Terms {
            context: Some(done.answer),
            notes: done.notes,
            strip_usage: false,
        },
        charge: Some(charge),
    })
}

/// The body less the members that are the gateway's own, if it has any: no translator shall count
/// them as lost.
fn own_members_out(peek: &Peek, body: &[u8]) -> Option<Vec<u8>> {
    OWN.iter()
        .any(|&known: &Known| peek.kind(known).is_some())
        .then(|| {
            let mut plain = Vec::with_capacity(body.len());
            edits_for(peek, &Overrides::default()).apply(body, &mut plain);
            plain
        })
}

fn start_head(
    inbound: &Inbound,
    provider: &Provider,
    purpose: Purpose,
    facts: &Facts<'_>,
) -> Result<Vec<u8>, Rejection> {
    let path = match purpose {
        Purpose::Chat => &provider.head.chat_path,
        Purpose::Count => provider
            .head
            .count_path
            .as_ref()
            .unwrap_or(&provider.head.chat_path),
    };
    let is_versioned = codec::conventions(provider.wire).version_field.is_some();
    let beta = is_versioned && inbound.is_beta();
    let query: &[u8] = if beta { b"?beta=true" } else { b"" };
    let body = inbound.body.len();
    let room = if body <= COPIED_BYTES_MAX { body } else { 0 };
    let mut head = buffers::take(Class::fitting(HEAD_BYTES_GUESS + room));
    if !encode::request_line(&mut head, b"POST", &[path.as_bytes(), query]) {
        return Err(internal());
    }
    request_head::fields(&mut head, inbound, facts).map_err(|_| no_credential(&provider.name))?;
    Ok(head)
}

fn hints<'i>(inbound: &'i Inbound) -> Hints<'i> {
    let compliance = inbound.text_field("x-portkey-strict-open-ai-compliance");
    Hints {
        strict: inbound
            .field(request_options::STRICT)
            .and_then(request_options::flag)
            == Some(true),
        reasoning: inbound.field(request_options::REASONING),
        betas: BETA_FIELDS.iter().any(|name| inbound.field(name).is_some()),
        portkey_strict: compliance.map(|value| !value.eq_ignore_ascii_case("false")),
        auto_cache: false,
    }
}

/// The 401 for a provider that has no key of ours and may not get the caller's.
#[must_use]
pub fn no_credential(provider: &str) -> Rejection {
    let message = format!(
        "no credential for provider `{provider}`: the gateway has no key of its own for it, and a \
         caller's key is only sent to the provider of the caller's own wire"
    );
    Rejection::new(ErrorKind::Authentication, message, "no_credential")
        .with_param("model")
        .with_code("invalid_api_key")
}

/// The 500 for a fault of ours.
#[must_use]
pub fn internal() -> Rejection {
    Rejection::new(ErrorKind::Api, "internal error", "bug")
}

/// Fields that name flags of the Anthropic wire.
const BETA_FIELDS: [&str; 2] = ["anthropic-beta", "x-portkey-anthropic-beta"];
/// Pieces up to this size are copied together: one write instead of several.
const COPIED_BYTES_MAX: usize = 16 * 1024;
/// Room for an ordinary head.
const HEAD_BYTES_GUESS: usize = 768;
