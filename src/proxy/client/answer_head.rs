//! The head of an answer as the client gets it.
//!
//! A provider's fields come back less those of its own connection, its framing, cookies,
//! redirects, cross-origin rules, anything that claims to be ours and anything that holds the
//! credential. Across wires only the few that have a meaning there come along.

use crate::http1::encode;
use crate::http1::head::ResponseHead;
use crate::http1::method::Version;
use crate::json::write::number_into;
use crate::net::runtime::clock::{self, Instant};
use crate::proxy::client::rate_limit_headers::OwnLimits;
use crate::proxy::shared::dates::Dates;
use crate::route::plan::custody::CustodyFields;
use crate::telemetry::exchange::ExchangeRecord;
use crate::telemetry::log::id_text;
use crate::translate::headers;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// How the body of an answer is framed towards the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// No body, and no length either (204, 304 and answers to HEAD without one).
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Until the connection closes (HTTP/1.0).
    UntilClose,
}

/// What every head of ours is written from.
#[derive(Clone, Copy, Debug)]
pub struct HeadFacts<'f> {
    /// The exchange's id.
    pub id: u128,
    /// The client's version.
    pub version: Version,
    /// Whether the connection stays open afterwards, as far as the client and its request go.
    pub keep_alive: bool,
    /// How the body is framed.
    pub body: BodyForm,
    /// Whole field lines that go along: cross-origin rules, the key's rates.
    pub fields: &'f [u8],
    /// The names of the fields that are ours.
    pub custody: &'f CustodyFields,
    /// What the day is.
    pub dates: &'f Dates,
    /// Rates that `fields` tells, and a provider's fields do not.
    pub own_limits: OwnLimits,
}

impl HeadFacts<'_> {
    /// Whether the connection can serve again after a body framed like this.
    #[must_use]
    pub const fn stays_open(&self) -> bool {
        self.keep_alive && !matches!(self.body, BodyForm::UntilClose)
    }

    /// Appends framing, connection and extra fields.
    fn framing(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.fields);
        match self.body {
            BodyForm::None => {}
            BodyForm::Length(len) => encode::field_number(out, "content-length", len),
            BodyForm::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            BodyForm::UntilClose => {}
        }
        match (self.stays_open(), self.version) {
            (false, _) => out.extend_from_slice(b"connection: close\r\n"),
            (true, Version::Http10) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, Version::Http11) => {}
        }
    }
}

/// Starts a head of our own making: status line, ids, framing. The caller adds fields and
/// [`encode::end_head`].
pub fn start(out: &mut Vec<u8>, status: u16, facts: &HeadFacts<'_>, now: Instant) {
    encode::status_line(out, status);
    out.extend_from_slice(&facts.dates.line(now));
    let id = id_text(facts.id);
    for name in [IDS[0], IDS[1], &facts.custody.request_id] {
        encode::known_field(out, name.as_bytes(), id.as_bytes());
    }
    facts.framing(out);
}

/// Writes the head of an answer that is passed on in the wire in which it came.
///
/// The provider's `date` is kept; where there is none, `now` gives it (RFC 9110, 6.6.1).
/// `holds_credential` tells whether a value must not be shown.
pub fn passthrough(
    out: &mut Vec<u8>,
    (head, buf): (&ResponseHead, &[u8]),
    wire: Option<Wire>,
    facts: &HeadFacts<'_>,
    now: Instant,
    holds_credential: impl Fn(&[u8]) -> bool,
) {
    encode::status_line(out, head.status);
    // The provider's own request id comes back under the name that its wire has for it.
    let keeps_id = |name: &str| wire.is_none_or(|wire| name == codec::conventions(wire).request_id);
    let is_ours = |name: &[u8]| {
        let mut ours = IDS.iter().filter(|id| !keeps_id(id));
        ours.any(|id| name.eq_ignore_ascii_case(id.as_bytes()))
    };
    let mut is_dated = false;
    for (name, value) in head.fields.iter(buf) {
        let withheld = is_withheld(name)
            || is_ours(name)
            || facts.custody.is_claimed_by(name)
            || facts.own_limits.replaces(name)
            || head.fields.is_hop_by_hop(buf, name);
        if !withheld && !holds_credential(value) {
            is_dated |= name.eq_ignore_ascii_case(b"date");
            encode::known_field(out, name, value);
        }
    }
    if !is_dated {
        out.extend_from_slice(&facts.dates.line(now));
    }
    let id = id_text(facts.id);
    for name in IDS {
        if !keeps_id(name) || head.field(buf, name).is_none() {
            encode::known_field(out, name.as_bytes(), id.as_bytes());
        }
    }
    encode::known_field(out, facts.custody.request_id.as_bytes(), id.as_bytes());
    facts.framing(out);
}

/// Writes the head of a stream that crosses the wires: of the provider's fields only those with a
/// meaning in the client's wire are kept.
pub fn translated(
    out: &mut Vec<u8>,
    upstream: (&ResponseHead, &[u8]),
    wires: (Wire, Wire),
    facts: &HeadFacts<'_>,
    now: Instant,
    holds_credential: impl Fn(&[u8]) -> bool,
) {
    start(out, 200, facts, now);
    let withheld = Withheld {
        should_retry: false,
        limits: facts.own_limits,
    };
    translated_fields(out, upstream, wires, withheld, holds_credential);
}

/// Appends `server-timing`: what the gateway took before it sent the request on, and what the
/// provider took to answer; of an answer of ours, the gateway's part alone.
pub fn server_timing(out: &mut Vec<u8>, record: &ExchangeRecord, now: Instant) {
    let now = now.as_nanos();
    let begun = record.request_at.max(record.started_at);
    let gateway = record
        .gateway()
        .unwrap_or_else(|| now.saturating_sub(begun));
    out.extend_from_slice(b"server-timing: gateway;dur=");
    millis(out, gateway);
    if record.sent_at > 0 {
        let answered = match record.head_at {
            head if head >= record.sent_at => head,
            _ => now,
        };
        out.extend_from_slice(b", upstream;dur=");
        millis(out, answered.saturating_sub(record.sent_at));
    }
    out.extend_from_slice(b"\r\n");
}

/// Milliseconds with three decimals.
fn millis(out: &mut Vec<u8>, nanos: u64) {
    number_into(nanos / 1_000_000, out);
    out.push(b'.');
    let micros = nanos / 1_000 % 1_000;
    for digit in [micros / 100, micros / 10 % 10, micros % 10] {
        number_into(digit, out);
    }
}

/// What of a provider's fields the gateway says itself.
#[derive(Clone, Copy, Debug)]
pub struct Withheld {
    /// `x-should-retry`
    pub should_retry: bool,
    /// Rates.
    pub limits: OwnLimits,
}

/// The provider's fields that have a meaning across the wires, less those that the gateway says
/// itself, and less what holds the credential.
pub fn translated_fields(
    out: &mut Vec<u8>,
    upstream: (&ResponseHead, &[u8]),
    wires: (Wire, Wire),
    withheld: Withheld,
    holds_credential: impl Fn(&[u8]) -> bool,
) {
    let (head, buf) = upstream;
    if let Some(id) = head.field(buf, codec::conventions(wires.0).request_id)
        && !holds_credential(id)
    {
        encode::field(out, b"x-ringway-upstream-request-id", id);
    }
    let now_unix_ms = clock::unix_millis();
    headers::map(wires, head.fields.iter(buf), now_unix_ms, |name, value| {
        let is_ours = withheld.should_retry && name == "x-should-retry"
            || withheld.limits.replaces(name.as_bytes());
        if !is_ours && !holds_credential(value) {
            encode::field(out, name.as_bytes(), value);
        }
    });
}

/// Fields of a provider that never reach a client.
fn is_withheld(name: &[u8]) -> bool {
    const NAMES: [&str; 15] = [
        "set-cookie",
        "set-cookie2",
        "location",
        "content-location",
        "refresh",
        "x-accel-redirect",
        "x-sendfile",
        "clear-site-data",
        "alt-svc",
        "nel",
        "report-to",
        "reporting-endpoints",
        "www-authenticate",
        "strict-transport-security",
        "authorization",
    ];
    const STARTS: [&[u8]; 2] = [b"access-control-", b"x-ringway-"];
    NAMES
        .iter()
        .any(|each| name.eq_ignore_ascii_case(each.as_bytes()))
        || STARTS.iter().any(|start| {
            name.get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start))
        })
}

/// Names under which clients look for a request id.
const IDS: [&str; 2] = ["x-request-id", "request-id"];
