//! A provider's error answer as the client's wire says it.
//!
//! The status stays as the provider sent it (clients, their retries and their dashboards count by
//! it), but for two cases: an exhausted quota, which Anthropic clients would retry for nothing,
//! becomes 402; an answer that is none (3xx, 2xx without a body of its wire) becomes 502. The
//! message stays, less every credential.
//!
//! Bodies are read leniently up to [`ERROR_BODY_BYTES_MAX`]; whatever comes, one valid error
//! leaves.
//!
//! Not here: errors on the same wire (they are passed as they are, see [`scrub`] for the one
//! exception), and which errors are worth another target.

use std::borrow::Cow;

use crate::chat::error::{ErrorFacts, ErrorKind};
use crate::json::scan::{DEPTH_MAX, unmarked};
use crate::json::tape::Tape;
use crate::limits::ERROR_BODY_BYTES_MAX;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// A provider's error, ready to be written in the client's wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientError {
    /// Status for the client.
    pub status: u16,
    /// The class.
    pub kind: ErrorKind,
    /// The provider's words, less every credential.
    pub message: String,
    /// The field at fault, where the provider named one.
    pub param: Option<String>,
    /// The OpenAI wire's code, where the class alone does not give it.
    pub code: Option<String>,
    /// Value of `x-should-retry`, where we know better than the status says.
    pub should_retry: Option<bool>,
}

/// Reads a provider's error answer for a client of another wire.
///
/// `has_retry_after`: the provider's head named a time. `secrets`: the provider's credentials.
pub fn translate(
    (from, to): (Wire, Wire),
    status: u16,
    body: &[u8],
    has_retry_after: bool,
    secrets: &[&[u8]],
    tape: &mut Tape,
) -> ClientError {
    let facts = read(from, body, tape);
    let kind = kind_of(from, status, facts.kind == ErrorKind::Billing);
    let (message, known) = words(to, status, &facts, secrets);
    let code = own_code((from, to), &facts).map(|code| clean(code, secrets));
    let known = known.filter(|_| status == 400);
    let code = code.or_else(|| known.map(str::to_owned));
    ClientError {
        status: client_status(to, status, kind),
        kind,
        code,
        message,
        param: facts.param.map(|param| clean(&param, secrets)),
        should_retry: should_retry(from, kind, has_retry_after),
    }
}

/// Reads a success that is no answer: its error, where it reports one. The class is what its code
/// or type says; the status is 502, whatever it says.
#[must_use]
pub fn in_answer(
    (from, to): (Wire, Wire),
    body: &[u8],
    secrets: &[&[u8]],
    tape: &mut Tape,
) -> Option<ClientError> {
    let root = tape.read(unmarked(body), DEPTH_MAX, VALUES_MAX).ok()?;
    let facts = codec::error_in_answer(from, root)?;
    let kind = facts.kind;
    let (message, known) = words(to, 502, &facts, secrets);
    let code = own_code((from, to), &facts).map(|code| clean(code, secrets));
    let known = known.filter(|_| kind == ErrorKind::InvalidRequest);
    let code = code.or_else(|| known.map(str::to_owned));
    Some(ClientError {
        status: 502,
        kind,
        code,
        message,
        param: facts.param.map(|param| clean(&param, secrets)),
        should_retry: (kind == ErrorKind::Billing).then_some(false),
    })
}

/// The class of an error by the provider's status. `quota`: its body speaks of an exhausted one.
#[must_use]
pub const fn kind_of(from: Wire, status: u16, quota: bool) -> ErrorKind {
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::Billing,
        403 => ErrorKind::Permission,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 if quota => ErrorKind::Billing,
        429 => ErrorKind::RateLimit,
        529 => ErrorKind::Overloaded,
        503 if codec::conventions(from).overloaded_status == 503 => ErrorKind::Overloaded,
        400..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Api,
    }
}

/// `text` with every secret blanked out; borrowed where none is in it.
#[must_use]
pub fn scrub<'t>(text: &'t [u8], secrets: &[&[u8]]) -> Cow<'t, [u8]> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let finder = memchr::memmem::Finder::new(secret);
        let Some(first) = finder.find(&text) else {
            continue;
        };
        let mut clean = Vec::with_capacity(text.len());
        let (mut from, mut next) = (0, Some(first));
        while let Some(at) = next {
            clean.extend_from_slice(text.get(from..at).unwrap_or_default());
            clean.extend_from_slice(BLANK);
            from = at + secret.len();
            let rest = text.get(from..).unwrap_or_default();
            next = finder.find(rest).map(|found| from + found);
        }
        clean.extend_from_slice(text.get(from..).unwrap_or_default());
        text = Cow::Owned(clean);
    }
    text
}

fn read(from: Wire, body: &[u8], tape: &mut Tape) -> ErrorFacts {
    let end = body.len().min(ERROR_BODY_BYTES_MAX);
    let body = body.get(..end).unwrap_or_default();
    match tape.read(unmarked(body), DEPTH_MAX, VALUES_MAX) {
        Ok(root) => codec::read_error(from, root),
        Err(_) => ErrorFacts {
            kind: ErrorKind::Api,
            message: None,
            param: None,
            code: None,
        },
    }
}

/// Message and code in the client's words; the code is for requests at fault.
fn words(
    to: Wire,
    status: u16,
    facts: &ErrorFacts,
    secrets: &[&[u8]],
) -> (String, Option<&'static str>) {
    let own = || format!("upstream error {status}");
    let text = clean(&facts.message.clone().unwrap_or_else(own), secrets);
    let (message, code) = codec::error_words(to, facts, Cow::Owned(text));
    (message.into_owned(), code)
}

/// The code in the provider's own word, where both ends speak one wire. A number is a status and
/// says no more than the class.
#[must_use]
pub fn own_code((from, to): (Wire, Wire), facts: &ErrorFacts) -> Option<&str> {
    let code = facts.code.as_deref().filter(|_| from == to)?;
    let is_word = !code.bytes().all(|byte| byte.is_ascii_digit());
    is_word.then_some(code)
}

fn clean(text: &str, secrets: &[&[u8]]) -> String {
    String::from_utf8_lossy(&scrub(text.as_bytes(), secrets)).into_owned()
}

const fn client_status(to: Wire, status: u16, kind: ErrorKind) -> u16 {
    match (status, kind) {
        (429, ErrorKind::Billing) => codec::conventions(to).billing_status,
        (400..=599, ..) => status,
        _ => 502,
    }
}

fn should_retry(from: Wire, kind: ErrorKind, has_retry_after: bool) -> Option<bool> {
    let never = match kind {
        ErrorKind::Billing => true,
        ErrorKind::RateLimit => codec::conventions(from).untimed_429_is_final && !has_retry_after,
        _ => false,
    };
    never.then_some(false)
}

const BLANK: &[u8] = b"[credential]";
/// Values of an error body that are indexed.
const VALUES_MAX: usize = 20_000;
