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

/// One value for `anthropic-beta` from several: each flag once, in order, those that `keep` refuses
/// left out and listed behind.
#[must_use]
pub fn betas<'v>(
    values: impl IntoIterator<Item = &'v str>,
    keep: impl Fn(&str) -> bool,
) -> (Option<String>, Vec<&'v str>) {
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    let flags = values.into_iter().flat_map(|value| value.split(','));
    for flag in flags.map(str::trim) {
        let plain = (1..=BETA_BYTES_MAX).contains(&flag.len());
        if !plain || !flag.bytes().all(|b| b.is_ascii_graphic()) {
            continue;
        }
        let list = if keep(flag) { &mut kept } else { &mut left };
        if list.len() < BETAS_MAX && !list.contains(&flag) {
            list.push(flag);
        }
    }
    ((!kept.is_empty()).then(|| kept.join(",")), left)
}

/// Fields that mean the same on all wires.
const SAME: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];

/// Longest flag, and most flags, of `anthropic-beta`.
const BETA_BYTES_MAX: usize = 128;
const BETAS_MAX: usize = 64;
