//! Who gives up records when the usage journal has reached its bound.
//!
//! Refusals before any provider was asked go first. Then the tenant with the most bytes loses records
//! until the next one has as many, then both lose alike, and so on: no tenant loses a record while
//! another one that lost nothing has more. Each loses the records that lie first in the journal.
//!
//! Invariant: together the holders lose the bytes that were asked for, or all that they have; each tenant at
//! most one record more than its share.
//!
//! Not here: where records lie and who moves them (see `store::segments`).

use crate::govern::usage::segment_index::{Holder, HolderBytes, each_frame, holder};
use core::ops::Range;

/// What each holder is to lose.
#[derive(Clone, Debug, Default)]
pub struct Eviction {
    losses: HolderBytes,
}

impl Eviction {
    /// Shares out a loss of so many bytes among those who hold some.
    #[must_use]
    pub fn new(held: &HolderBytes, bytes: u64) -> Self {
        let of_refusals = held.get(&Holder::Refusals).copied().unwrap_or(0);
        let mut losses = HolderBytes::from([(Holder::Refusals, of_refusals.min(bytes))]);
        let level = level(held, bytes.saturating_sub(of_refusals));
        let tenants = held.iter().filter(|(it, _)| **it != Holder::Refusals);
        losses.extend(tenants.map(|(&tenant, &has)| (tenant, has.saturating_sub(level))));
        losses.retain(|_, bytes| *bytes > 0);
        Self { losses }
    }

    /// Whether one of these holders is to lose something.
    #[must_use]
    pub fn concerns(&self, held: &HolderBytes) -> bool {
        held.keys().any(|holder| self.losses.contains_key(holder))
    }

    /// Takes from a segment what is to be lost. Appends the frames of all other records to `kept`, and
    /// gives each record that goes to `lost`, with its holder. What lies before `done` is in the store and
    /// goes too, as does damage.
    pub fn apply(
        &mut self,
        bytes: &[u8],
        done: u64,
        kept: &mut Vec<u8>,
        mut lost: impl FnMut(&[u8], Holder),
    ) {
        let takes_refusals = self.losses.contains_key(&Holder::Refusals);
        let damaged = each_frame(bytes, |record, place: Range<u64>| {
            if place.end <= done {
                return;
            }
            let holder = holder(record);
            let is_share = self.take(holder, place.end - place.start);
            if is_share || (takes_refusals && holder == Holder::Refusals) {
                return lost(record, holder);
            }
            let start = usize::try_from(place.start).unwrap_or(usize::MAX);
            let end = usize::try_from(place.end).unwrap_or(usize::MAX);
            kept.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        });
        self.take(Holder::Refusals, damaged);
    }

    /// Whether a record of so many bytes is lost.
    fn take(&mut self, holder: Holder, bytes: u64) -> bool {
        let Some(left) = self.losses.get_mut(&holder) else {
            return false;
        };
        *left = left.saturating_sub(bytes);
        if *left == 0 {
            self.losses.remove(&holder);
        }
        true
    }
}

/// The most that a tenant may keep so that all together lose so many bytes.
fn level(held: &HolderBytes, bytes: u64) -> u64 {
    let tenants = held.iter().filter(|(it, _)| **it != Holder::Refusals);
    let mut all: Vec<u64> = tenants.map(|(_, &has)| has).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    let mut sum = 0_u64;
    for (rank, &has) in all.iter().enumerate() {
        sum = sum.saturating_add(has);
        let level = sum.saturating_sub(bytes) / (rank as u64 + 1);
        if bytes <= sum && all.get(rank + 1).is_none_or(|&next| next <= level) {
            return if bytes == 0 { u64::MAX } else { level };
        }
    }
    0
}

#[cfg(test)]
mod tests;
