//! Response headers across wires: rate limits and what to do about them.
//!
//! Each wire reads its fields of rate limits to a `RateLimit` and writes its own of it. `retry-after`,
//! `retry-after-ms` and `x-should-retry` mean the same on all.
//!
//! Not here: request ids, and headers on the same wire.

use crate::wire::codec;
use crate::wire::kind::Wire;

/// Gives `sink` the client's form of those of a provider's response fields that cross.
/// `now_ms`: milliseconds since 1970.
pub fn map<'b>(
    (from, to): (Wire, Wire),
    fields: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    now_ms: u64,
    mut sink: impl FnMut(&str, &[u8]),
) {
    for (name, value) in fields {
        let same = SAME
            .iter()
            .find(|same| name.eq_ignore_ascii_case(same.as_bytes()));
        if let Some(same) = same {
            sink(same, value);
            continue;
        }
        let text = |bytes| core::str::from_utf8(bytes).ok();
        if from != to
            && let (Some(name), Some(value)) = (text(name), text(value))
            && let Some(limit) = codec::read_rate_limit(from, name, value, now_ms)
            && let Some((name, value)) = codec::write_rate_limit(to, &limit, now_ms)
        {
            sink(&name, value.as_bytes());
        }
    }
}

/// Fields that mean the same on all wires.
const SAME: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];
