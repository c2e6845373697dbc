//! The usage record of one exchange: one JSON object, written where the exchange ended, read where
//! records are kept.
//!
//! Every member is always there, in one order; what is not known is `null`, never a guess. Texts are
//! cut to their bound and hold nothing that a terminal obeys, so that a record is at most
//! [`RECORD_BYTES_MAX`] bytes, whatever clients and providers say. Attempts that would not fit are
//! counted in `attempts_left_out`.
//!
//! Not here: where a record comes from (`proxy`), where it goes to (`server`, `store`).

use core::net::SocketAddr;
use std::io::Write as _;

use crate::chat::usage::Usage;
use crate::govern::value::text::is_masked;
use crate::json::hex;
use crate::json::write::{number_into, plain_into};
use crate::limits::{RECORD_BYTES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::wire::kind::Wire;

/// One exchange, as it is kept. Texts are those of the exchange itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct UsageRecord<'r> {
    /// The exchange's own id; a provider's is never one.
    pub id: u128,
    /// Wall clock at its end, in milliseconds since 1970.
    pub time_ms: u64,
    /// Whose request it was.
    pub tenant: Option<&'r [u8]>,
    /// That tenant's id, which no other one ever has.
    pub tenant_id: Option<&'r [u8]>,
    /// Which of the tenant's keys it came with.
    pub key_id: Option<&'r [u8]>,
    /// What was asked for.
    pub operation: &'r str,
    /// The client's wire.
    pub client_wire: Option<Wire>,
    /// The wire of the target that answered.
    pub upstream_wire: Option<Wire>,
    /// Model as the client said it.
    pub model_asked: Option<&'r [u8]>,
    /// Model as the target was asked for it.
    pub model_sent: Option<&'r [u8]>,
    /// Model as the answer names itself.
    pub model_answered: Option<&'r [u8]>,
    /// The provider that answered and what the target says of itself, as [`Custody::write`] wrote it;
    /// empty: nothing.
    pub custody: &'r [u8],
    /// Tokens; `None`: nobody said.
    pub usage: Option<Usage>,
    /// What it cost by the provider's own figures, in billionths of a dollar.
    pub cost_nanos: Option<u64>,
    /// What budgets are charged for it; `None`: nothing is known that could be.
    pub charged_nanos: Option<u64>,
    /// That is an estimate: the provider has not told all that was used.
    pub is_charge_estimated: bool,
    /// How many requests a count of refusals stands for; nought means one exchange.
    pub requests: u64,
    /// Status sent; nought when nothing was.
    pub status: u16,
    /// How it ended.
    pub outcome: &'r str,
    /// What went wrong, if anything.
    pub fault: Option<&'r str>,
    /// What a translation left out or changed, of the request and the answer.
    pub losses: Option<&'r [u8]>,
    /// The answer was a stream.
    pub is_stream: bool,
    /// Microseconds to the first token.
    pub ttft_us: Option<u64>,
    /// Microseconds of the whole exchange.
    pub duration_us: u64,
}

/// What a target says of where it stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Custody<'r> {
    /// Its provider, by name.
    pub provider: Option<&'r [u8]>,
    /// Its tier.
    pub tier: Option<&'r [u8]>,
    /// Its region.
    pub region: Option<&'r [u8]>,
    /// Whose law holds there.
    pub jurisdiction: Option<&'r [u8]>,
    /// What it is called on a path of custody.
    pub label: Option<&'r [u8]>,
    /// Whose credential it was asked with.
    pub credential_source: Option<&'r [u8]>,
    /// Where its chain of custody begins; told with the label alone.
    pub origin: Option<&'r [u8]>,
}

/// Whom a try was at.
#[derive(Clone, Copy, Debug)]
pub enum Whom<'r> {
    /// As [`Names::write`] wrote it.
    Written(&'r [u8]),
    /// By these names.
    Named(Names<'r>),
}

/// What a target is called.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'r> {
    /// Its provider, by name.
    pub provider: Option<&'r [u8]>,
    /// Model as it was asked for it.
    pub model: Option<&'r [u8]>,
    /// The host that was meant.
    pub host: Option<&'r [u8]>,
}

/// One try at one target.
#[derive(Clone, Copy, Debug)]
pub struct Try<'r> {
    /// Whom it was at.
    pub whom: Whom<'r>,
    /// The address that it was found at.
    pub address: Option<SocketAddr>,
    /// The name that its certificate was held against.
    pub tls_name: Option<&'r [u8]>,
    /// Version of TLS.
    pub tls_version: Option<&'r [u8]>,
    /// When it began, in milliseconds since 1970; `None`: nothing was asked.
    pub started_ms: Option<u64>,
    /// Microseconds that it took.
    pub duration_us: u64,
    /// Status that came back; nought when none did.
    pub status: u16,
    /// What went wrong, if anything.
    pub fault: Option<&'r str>,
}

impl UsageRecord<'_> {
    /// Appends the record. `refused` are words for what policies cut off.
    pub fn write<'t>(
        &self,
        refused: &[&str],
        tries: impl Iterator<Item = Try<'t>>,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.reserve(MOST_RECORDS_BYTES);
        start_into(self.id, out);
        number(out, "\",\"time\":", self.time_ms);
        text(out, ",\"tenant\":", self.tenant);
        text(out, ",\"tenant_id\":", self.tenant_id);
        text(out, ",\"key_id\":", self.key_id);
        word(out, ",\"operation\":", Some(self.operation));
        word(out, ",\"client_wire\":", self.client_wire.map(Wire::name));
        word(
            out,
            ",\"upstream_wire\":",
            self.upstream_wire.map(Wire::name),
        );
        text(out, ",\"model_asked\":", self.model_asked);
        text(out, ",\"model_sent\":", self.model_sent);
        text(out, ",\"model_answered\":", self.model_answered);
        match self.custody {
            [] => Custody::default().write(out),
            written => out.extend_from_slice(written),
        }
        self.usage(out);
        some_number(out, ",\"cost_nanos\":", self.cost_nanos);
        some_number(out, ",\"charged_nanos\":", self.charged_nanos);
        flag(out, ",\"charge_estimated\":", self.is_charge_estimated);
        number(out, ",\"requests\":", self.requests.max(1));
        number(out, ",\"status\":", u64::from(self.status));
        word(out, ",\"outcome\":", Some(self.outcome));
        word(out, ",\"fault\":", self.fault);
        text(out, ",\"losses\":", self.losses);
        flag(out, ",\"stream\":", self.is_stream);
        some_number(out, ",\"ttft_us\":", self.ttft_us);
        number(out, ",\"duration_us\":", self.duration_us);
        words(out, refused);
        let room_end = start + RECORD_BYTES_MAX - TAIL_BYTES;
        debug_assert!(out.len() <= room_end, "the bounds of all texts leave room");
        match write_tries(tries, room_end, out) {
            0 => out.extend_from_slice(b"],\"attempts_left_out\":0}"),
            left_out => {
                number(out, "],\"attempts_left_out\":", left_out);
                out.push(b'}');
            }
        }
    }

    fn usage(&self, out: &mut Vec<u8>) {
        let Some(usage) = &self.usage else {
            out.extend_from_slice(b",\"usage\":null");
            return;
        };
        some_number(out, ",\"usage\":{\"input\":", usage.input);
        some_number(out, ",\"cached\":", usage.cache_read);
        some_number(out, ",\"cache_write\":", usage.cache_write);
        some_number(out, ",\"output\":", usage.output);
        some_number(out, ",\"reasoning\":", usage.reasoning);
        some_number(out, ",\"cache_write_hour\":", usage.cache_write_hour);
        some_number(out, ",\"audio_input\":", usage.audio_input);
        some_number(out, ",\"audio_output\":", usage.audio_output);
        some_number(out, ",\"web_searches\":", usage.web_searches);
        some_number(out, ",\"web_fetches\":", usage.web_fetches);
        out.push(b'}');
    }
}

impl Custody<'_> {
    /// Appends its members: the same for every record of a target, so that they are written once.
    pub fn write(&self, out: &mut Vec<u8>) {
        text(out, ",\"provider\":", self.provider);
        text(out, ",\"tier\":", self.tier);
        text(out, ",\"region\":", self.region);
        text(out, ",\"jurisdiction\":", self.jurisdiction);
        text(out, ",\"custody_label\":", self.label);
        text(out, ",\"credential_source\":", self.credential_source);
        self.path(out);
    }

    /// `origin -> label`
    fn path(&self, out: &mut Vec<u8>) {
        let (Some(origin), Some(label)) = (self.origin, self.label) else {
            return text(out, ",\"custody_path\":", None);
        };
        text(out, ",\"custody_path\":", Some(origin));
        // Behind the origin's closing quote.
        out.pop();
        out.extend_from_slice(b" -> ");
        let joint = out.len();
        text(out, "", Some(label));
        out.remove(joint);
    }
}

impl Names<'_> {
    /// Appends the start of a try: the same for every try at a target of the configuration.
    pub fn write(&self, out: &mut Vec<u8>) {
        text(out, "{\"provider\":", self.provider);
        text(out, ",\"model\":", self.model);
        text(out, ",\"host\":", self.host);
    }
}

/// Appends tries as far as they fit; says how many did not.
fn write_tries<'t>(
    tries: impl Iterator<Item = Try<'t>>,
    room_end: usize,
    out: &mut Vec<u8>,
) -> u64 {
    out.extend_from_slice(b",\"attempts\":[");
    let (mut separator, mut left_out): (&str, u64) = ("", 0);
    for each in tries {
        let before = out.len();
        out.extend_from_slice(separator.as_bytes());
        match each.whom {
            Whom::Written(written) => out.extend_from_slice(written),
            Whom::Named(names) => names.write(out),
        }
        address(out, each.address);
        text(out, ",\"tls_name\":", each.tls_name);
        text(out, ",\"tls_version\":", each.tls_version);
        some_number(out, ",\"started\":", each.started_ms);
        number(out, ",\"duration_us\":", each.duration_us);
        let status = (each.status > 0).then_some(u64::from(each.status));
        some_number(out, ",\"status\":", status);
        word(out, ",\"fault\":", each.fault);
        out.push(b'}');
        if left_out > 0 || out.len() > room_end {
            out.truncate(before);
            left_out += 1;
        }
        separator = ",";
    }
    left_out
}

fn address(out: &mut Vec<u8>, address: Option<SocketAddr>) {
    out.extend_from_slice(b",\"address\":");
    match address {
        Some(SocketAddr::V4(address)) => {
            let [a, b, c, d] = address.ip().octets();
            for (part, mark) in [(a, b'"'), (b, b'.'), (c, b'.'), (d, b'.')] {
                out.push(mark);
                number_into(u64::from(part), out);
            }
            out.push(b':');
            number_into(u64::from(address.port()), out);
            out.push(b'"');
        }
        // A vector takes all that is written to it.
        Some(address @ SocketAddr::V6(_)) => drop(write!(out, "\"{address}\"")),
        None => out.extend_from_slice(b"null"),
    }
}

/// A number behind the name of its member.
#[inline]
fn number(out: &mut Vec<u8>, name: &str, number: u64) {
    out.extend_from_slice(name.as_bytes());
    number_into(number, out);
}

#[inline]
fn some_number(out: &mut Vec<u8>, name: &str, known: Option<u64>) {
    out.extend_from_slice(name.as_bytes());
    match known {
        Some(known) => number_into(known, out),
        None => out.extend_from_slice(b"null"),
    }
}

#[inline]
fn flag(out: &mut Vec<u8>, name: &str, flag: bool) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// A word of ours.
#[inline]
fn word(out: &mut Vec<u8>, name: &str, word: Option<&str>) {
    out.extend_from_slice(name.as_bytes());
    let Some(word) = word else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// Words of ours, the first few.
fn words(out: &mut Vec<u8>, words: &[&str]) {
    out.extend_from_slice(b",\"refused\":[");
    for (rank, word) in words.iter().take(WORDS_MAX).enumerate() {
        out.extend_from_slice(if rank > 0 { b",\"" } else { b"\"" });
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}

/// A text of others.
#[inline]
fn text(out: &mut Vec<u8>, name: &str, value: Option<&[u8]>) {
    out.extend_from_slice(name.as_bytes());
    let Some(value) = value else {
        out.extend_from_slice(b"null");
        return;
    };
    out.push(b'"');
    if value.len() > RECORD_TEXT_BYTES_MAX || !plain_into(value, out) {
        cut_into(value, out);
    }
    out.push(b'"');
}

/// The start of a text, escaped, as far as it fits; what a terminal may obey becomes `?`.
#[cold]
fn cut_into(value: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + RECORD_TEXT_BYTES_MAX;
    for c in String::from_utf8_lossy(value).chars() {
        let before = out.len();
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            c if is_masked(c) => out.push(b'?'),
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        if out.len() > end {
            return out.truncate(before);
        }
    }
}

/// The id that is said as 32 lower-case hexadecimal digits, with `rw_` before them or without.
#[must_use]
pub fn id_of(said: &[u8]) -> Option<u128> {
    let digits = said.strip_prefix(ID_PREFIX).unwrap_or(said);
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != ID_DIGITS || !digits.iter().all(is_digit) {
        return None;
    }
    u128::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// Appends how the record of an id begins: what stands here in a payload is a record's own id, because
/// texts escape their quotes.
pub fn start_into(id: u128, out: &mut Vec<u8>) {
    out.extend_from_slice(ID_START);
    out.extend_from_slice(ID_PREFIX);
    hex::into(&id.to_be_bytes(), out);
}

/// The id that a record begins with, and the length of that beginning. Records of earlier versions
/// have the digits alone.
#[must_use]
pub fn id_at(record: &[u8]) -> Option<(u128, usize)> {
    let rest = record.strip_prefix(ID_START)?;
    let digits = rest.strip_prefix(ID_PREFIX).unwrap_or(rest);
    let id = id_of(digits.get(..ID_DIGITS)?)?;
    Some((id, record.len() - digits.len() + ID_DIGITS))
}

/// How every record begins.
const ID_START: &[u8] = b"{\"id\":\"";
/// Before the digits of an id, wherever it is told.
const ID_PREFIX: &[u8] = b"rw_";
/// The operation of a record that is a count of refusals.
pub const REFUSALS: &str = "refusals";
/// Containers of a record within each other.
pub const RECORD_DEPTH_MAX: u32 = 8;
/// Digits of an id.
const ID_DIGITS: usize = 32;
/// Words of `refused`.
const WORDS_MAX: usize = 8;
/// Room that most records need no more than.
const MOST_RECORDS_BYTES: usize = 1_536;
/// What is written behind the attempts.
const TAIL_BYTES: usize = 64;
/// Texts before the attempts: see `UsageRecord`.
const TEXTS: usize = 16;
/// Their names, all numbers and words of ours.
const REST_BYTES_MAX: usize = 2_048;

const _: () = assert!(
    TEXTS * (RECORD_TEXT_BYTES_MAX + 2) + REST_BYTES_MAX + TAIL_BYTES <= RECORD_BYTES_MAX,
    "a record without attempts fits"
);

#[cfg(test)]
mod tests;
