//! The field table of a head: names and values as spans, in order, repeats kept.
//!
//! Look-ups walk the table: a head holds a few dozen fields at most, and each is asked for once.
//! Most are for fields that are not there, so 64 bits remember which names may be: a bit that is
//! not set answers without a walk. The table's memory is kept from head to head.

use crate::http1::grammar;
use crate::http1::span::Span;

/// One field line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldLine {
    /// The name as sent.
    pub name: Span,
    /// The value, blanks around it left out.
    pub value: Span,
}

/// The fields of one head, to be read with the buffer that it was parsed from.
#[derive(Clone, Debug, Default)]
pub struct FieldTable {
    table: Vec<FieldLine>,
    /// For every field of the table, the bit of its name is set.
    names: u64,
}

impl FieldTable {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            table: Vec::new(),
            names: 0,
        }
    }

    /// The value of the first field called `name`, letters' case aside.
    #[must_use]
    #[inline]
    pub fn value<'b>(&self, buf: &'b [u8], name: &str) -> Option<&'b [u8]> {
        if self.may_hold(name.as_bytes()) {
            self.first(buf, name.as_bytes())
        } else {
            None
        }
    }

    /// The same of a field that may be there.
    fn first<'b>(&self, buf: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
        let mut fields = self.table.iter();
        let found = fields.find(|field| {
            field.name.len() == name.len() && grammar::is_same(field.name.of(buf), name)
        });
        found.map(|field| field.value.of(buf))
    }

    /// The values of all fields called `name`, in order.
    pub fn values<'b>(&self, buf: &'b [u8], name: &str) -> impl Iterator<Item = &'b [u8]> {
        let name = name.as_bytes();
        let table = if self.may_hold(name) {
            self.table.as_slice()
        } else {
            &[]
        };
        table
            .iter()
            .filter(move |field| {
                field.name.len() == name.len() && grammar::is_same(field.name.of(buf), name)
            })
            .map(|field| field.value.of(buf))
    }

    /// Whether some field may be called `name`; if not, none is.
    #[inline]
    fn may_hold(&self, name: &[u8]) -> bool {
        self.names & name_bit(name) != 0
    }

    /// All fields as (name, value), in order.
    pub fn iter<'b>(&self, buf: &'b [u8]) -> impl Iterator<Item = (&'b [u8], &'b [u8])> {
        self.table
            .iter()
            .map(move |field| (field.name.of(buf), field.value.of(buf)))
    }

    /// Fields for which the table has room.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// The spans of all fields, in order.
    #[must_use]
    pub fn spans(&self) -> &[FieldLine] {
        &self.table
    }

    /// Whether some field `name` holds `token` in its comma-separated list, letters' case aside.
    #[must_use]
    pub fn has_token(&self, buf: &[u8], name: &str, token: &[u8]) -> bool {
        self.values(buf, name)
            .flat_map(grammar::list)
            .any(|member| grammar::is_same(member, token))
    }

    /// Whether the field `name` concerns this connection alone and must not be passed on: it is
    /// hop-by-hop by the protocol or named in Connection.
    #[must_use]
    pub fn is_hop_by_hop(&self, buf: &[u8], name: &[u8]) -> bool {
        let may_be = HOP_BY_HOP_BITS & name_bit(name) != 0;
        let is_one = || {
            let mut names = HOP_BY_HOP.iter();
            names.any(|each| grammar::is_same(name, each.as_bytes()))
        };
        (may_be && is_one()) || self.has_token(buf, "connection", name)
    }

    /// Empties the table, and makes room for `count` fields.
    pub(super) fn clear_for(&mut self, count: usize) {
        self.clear();
        self.table.reserve(count);
    }

    /// Empties the table. Its memory is kept.
    pub fn clear(&mut self) {
        self.table.clear();
        self.names = 0;
    }

    /// Adds a field whose name reads `name`.
    pub(super) fn push(&mut self, name: &[u8], field: FieldLine) {
        self.names |= name_bit(name);
        self.table.push(field);
    }
}

/// One of 64 bits for a name, the same for every spelling of it: from its length and its ends.
#[inline]
const fn name_bit(name: &[u8]) -> u64 {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else {
        return 0;
    };
    let mixed = name.len() ^ (first | 0x20) as usize ^ ((last | 0x20) as usize).rotate_left(2);
    1 << (mixed & 63)
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

/// The bits of their names.
const HOP_BY_HOP_BITS: u64 = {
    let (mut bits, mut at) = (0, 0);
    while at < HOP_BY_HOP.len() {
        bits |= name_bit(HOP_BY_HOP[at].as_bytes());
        at += 1;
    }
    bits
};

#[cfg(test)]
mod tests {
    use super::{FieldLine, FieldTable};
    use crate::http1::span::Span;

    fn table(buf: &[u8], names: &[(usize, usize)]) -> FieldTable {
        let mut fields = FieldTable::new();
        for &(start, end) in names {
            let name = Span::new(start, end);
            let value = Span::new(end, end);
            fields.push(&buf[start..end], FieldLine { name, value });
        }
        fields
    }

    #[test]
    fn names_are_found_in_every_spelling_and_only_where_they_are() {
        for name in super::HOP_BY_HOP {
            let sent = [name.to_ascii_uppercase(), name.to_owned()].concat();
            let fields = table(
                sent.as_bytes(),
                &[(0, name.len()), (name.len(), sent.len())],
            );
            assert_eq!(fields.values(sent.as_bytes(), name).count(), 2, "{name}");
            for other in super::HOP_BY_HOP {
                let count = fields.values(sent.as_bytes(), other).count();
                assert_eq!(count, if other == name { 2 } else { 0 }, "{name} {other}");
            }
        }
    }

    #[test]
    fn cleared_table_holds_no_name() {
        let mut fields = table(b"te", &[(0, 2)]);
        fields.clear();
        assert_eq!(fields.values(b"te", "te").count(), 0);
    }
}
