//! The field table of a head: names and values as spans, in order, repeats kept.
//!
//! Look-ups walk the table: a head holds a few dozen fields at most, and each is asked for once.
//! The table's memory is kept from head to head.

use crate::http1::grammar;
use crate::http1::span::Span;

/// One field line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name as sent.
    pub name: Span,
    /// The value, blanks around it left out.
    pub value: Span,
}

/// The fields of one head, to be read with the buffer that it was parsed from.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    table: Vec<Field>,
}

impl Fields {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { table: Vec::new() }
    }

    /// The value of the first field called `name`, letters' case aside.
    #[must_use]
    pub fn value<'b>(&self, buf: &'b [u8], name: &str) -> Option<&'b [u8]> {
        self.values(buf, name).next()
    }

    /// The values of all fields called `name`, in order.
    pub fn values<'b>(&self, buf: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.iter(buf)
            .filter(move |(each, _)| each.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// How many fields are called `name`.
    #[must_use]
    pub fn count(&self, buf: &[u8], name: &str) -> usize {
        self.values(buf, name).count()
    }

    /// All fields as (name, value), in order.
    pub fn iter<'b>(&self, buf: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
        self.table
            .iter()
            .map(move |field| (field.name.of(buf), field.value.of(buf)))
    }

    /// The spans of all fields, in order.
    #[must_use]
    pub fn spans(&self) -> &[Field] {
        &self.table
    }

    /// Whether some field `name` holds `token` in its comma-separated list, letters' case aside.
    #[must_use]
    pub fn has_token(&self, buf: &[u8], name: &str, token: &[u8]) -> bool {
        self.values(buf, name)
            .flat_map(grammar::list)
            .any(|member| member.eq_ignore_ascii_case(token))
    }

    /// Whether the field `name` concerns this connection alone and must not be passed on: it is
    /// hop-by-hop by the protocol or named in Connection.
    #[must_use]
    pub fn is_hop_by_hop(&self, buf: &[u8], name: &[u8]) -> bool {
        HOP_BY_HOP
            .iter()
            .any(|each| name.eq_ignore_ascii_case(each.as_bytes()))
            || self.has_token(buf, "connection", name)
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
    }

    pub(super) fn push(&mut self, field: Field) {
        self.table.push(field);
    }
}

/// Fields that end at this hop (RFC 9110 section 7.6.1, and the older ones of RFC 2616), framing
/// included: that is written anew for every hop.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
