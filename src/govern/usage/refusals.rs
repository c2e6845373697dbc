//! Refusals before any provider was asked: the first few of a key and second have a record each, the
//! others are counted by tenant, key, reason and minute.
//!
//! A count is a usage record with `requests`. It is written again, under its id and with its new number,
//! in each second in which it grew; whoever keeps records keeps the largest of each id. So a count that
//! comes twice counts once.
//!
//! Invariants:
//! - at most `EACH_MAX` records of one key and `ALL_MAX` of all keys are let through in a second;
//! - counts are kept of at most `KEYS_MAX` keys in a minute; those of further keys are one key's, whose
//!   tenant and id are `null`;
//! - what was counted is written, or still here.

use std::collections::HashMap;

use crate::govern::usage::frames;
use crate::govern::usage::record::{REFUSALS, UsageRecord};

/// Counts of one data thread.
#[derive(Debug, Default)]
pub struct Refusals {
    second: u64,
    minute: u64,
    /// Records that were let through in this second.
    kept: u32,
    keys: HashMap<Box<[u8]>, Counted>,
    /// Counts that have grown since they were written.
    is_changed: bool,
}

/// A request that was refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusedRequest<'r> {
    /// Its id, which may become the count's.
    pub id: u128,
    /// When, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Whose request it was.
    pub tenant: Option<&'r [u8]>,
    /// That tenant's id.
    pub tenant_id: Option<&'r [u8]>,
    /// With which key.
    pub key_id: Option<&'r [u8]>,
    /// Why.
    pub reason: &'static str,
    /// Status that the client got.
    pub status: u16,
}

/// What is counted of one key.
#[derive(Debug, Default)]
struct Counted {
    tenant: Option<Box<[u8]>>,
    tenant_id: Option<Box<[u8]>>,
    key_id: Option<Box<[u8]>>,
    /// Records that were let through in `second`.
    kept: u32,
    second: u64,
    counts: Vec<Count>,
}

#[derive(Debug)]
struct Count {
    id: u128,
    unix_ms: u64,
    reason: &'static str,
    status: u16,
    requests: u64,
    is_changed: bool,
}

impl Refusals {
    /// Whether this refusal is to have a record of its own. Otherwise it is counted.
    pub fn lets_through(&mut self, refused: &RefusedRequest<'_>) -> bool {
        let second = refused.unix_ms / 1_000;
        if second != self.second {
            (self.second, self.kept) = (second, 0);
        }
        let key = refused.key_id.unwrap_or_default();
        if !self.keys.contains_key(key) {
            let has_room = self.keys.len() < KEYS_MAX;
            let owned = |text: Option<&[u8]>| text.filter(|_| has_room).map(Box::from);
            let counted = Counted {
                tenant: owned(refused.tenant),
                tenant_id: owned(refused.tenant_id),
                key_id: owned(refused.key_id),
                ..Counted::default()
            };
            let place = if has_room { key } else { OTHERS };
            self.keys.entry(place.into()).or_insert(counted);
        }
        let place = if self.keys.contains_key(key) {
            key
        } else {
            OTHERS
        };
        let Some(counted) = self.keys.get_mut(place) else {
            return true;
        };
        if counted.second != second {
            (counted.second, counted.kept) = (second, 0);
        }
        if counted.kept < EACH_MAX && self.kept < ALL_MAX {
            counted.kept += 1;
            self.kept += 1;
            return true;
        }
        counted.add(refused);
        self.is_changed = true;
        false
    }

    /// Whether there are counts that have grown since they were written.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Appends the frames of counts that have grown. A minute that is over is forgotten then.
    pub fn write(&mut self, unix_ms: u64, out: &mut Vec<u8>) {
        if core::mem::take(&mut self.is_changed) {
            for counted in self.keys.values_mut() {
                counted.write(out);
            }
        }
        let minute = unix_ms / 60_000;
        if minute != self.minute {
            self.keys.clear();
        }
        self.minute = minute;
    }
}

impl Counted {
    fn add(&mut self, refused: &RefusedRequest<'_>) {
        let is_it =
            |count: &&mut Count| count.reason == refused.reason && count.status == refused.status;
        match self.counts.iter_mut().find(is_it) {
            Some(count) => {
                count.requests += 1;
                (count.unix_ms, count.is_changed) = (refused.unix_ms, true);
            }
            None => self.counts.push(Count {
                id: refused.id,
                unix_ms: refused.unix_ms,
                reason: refused.reason,
                status: refused.status,
                requests: 1,
                is_changed: true,
            }),
        }
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        for count in &mut self.counts {
            if !core::mem::take(&mut count.is_changed) {
                continue;
            }
            let record = UsageRecord {
                id: count.id,
                time_ms: count.unix_ms,
                tenant: self.tenant.as_deref(),
                tenant_id: self.tenant_id.as_deref(),
                key_id: self.key_id.as_deref(),
                operation: REFUSALS,
                requests: count.requests,
                status: count.status,
                outcome: "refused",
                fault: Some(count.reason),
                ..UsageRecord::default()
            };
            let start = frames::open(out);
            record.write(&[], core::iter::empty(), out);
            frames::close(out, start);
        }
    }
}

/// Records of one key in a second.
const EACH_MAX: u32 = 5;
/// Records of all keys in a second.
const ALL_MAX: u32 = 100;
/// Keys whose counts are kept apart in a minute.
const KEYS_MAX: usize = 1_024;
/// The place of all further keys; no key has such an id.
const OTHERS: &[u8] = b"\xff";

#[cfg(test)]
mod tests {
    use super::{ALL_MAX, EACH_MAX, KEYS_MAX, Refusals, RefusedRequest};
    use crate::govern::usage::frames::JournalFrames;

    fn refused(key: &[u8], id: u128, unix_ms: u64) -> RefusedRequest<'_> {
        RefusedRequest {
            id,
            unix_ms,
            tenant: Some(b"blue"),
            tenant_id: Some(b"tn_1"),
            key_id: Some(key),
            reason: "rate_limited",
            status: 429,
        }
    }

    fn written(refusals: &mut Refusals, unix_ms: u64) -> Vec<serde_json::Value> {
        let mut out = Vec::new();
        refusals.write(unix_ms, &mut out);
        let frames = JournalFrames::new(&out);
        frames
            .map(|it| serde_json::from_slice(it).unwrap())
            .collect()
    }

    #[test]
    fn past_the_first_few_of_a_second_refusals_are_counted_under_one_id_for_a_minute() {
        let mut refusals = Refusals::default();
        assert!(written(&mut refusals, 60_000).is_empty());
        let ask = |refusals: &mut Refusals, from: u128, count: u128, unix_ms| {
            let each = (from..from + count).map(|id| refused(b"k", id, unix_ms));
            u32::try_from(each.filter(|it| refusals.lets_through(it)).count()).unwrap()
        };
        assert_eq!(ask(&mut refusals, 0, 5, 60_000), EACH_MAX);
        assert!(written(&mut refusals, 60_000).is_empty());
        assert_eq!(ask(&mut refusals, 5, 10, 60_000), 0);
        let first = written(&mut refusals, 61_000);
        assert_eq!(first.len(), 1);
        let id = "rw_00000000000000000000000000000005";
        let facts = [
            "id",
            "tenant",
            "tenant_id",
            "key_id",
            "operation",
            "outcome",
            "fault",
        ];
        let told = facts.map(|name| first[0][name].as_str().unwrap());
        let expected = [
            id,
            "blue",
            "tn_1",
            "k",
            "refusals",
            "refused",
            "rate_limited",
        ];
        assert_eq!(told, expected);
        assert_eq!(
            (&first[0]["requests"], &first[0]["status"]),
            (&10.into(), &429.into())
        );
        assert_eq!(ask(&mut refusals, 20, 7, 61_500), EACH_MAX);
        let second = written(&mut refusals, 62_000);
        assert_eq!(
            (&second[0]["id"], &second[0]["requests"]),
            (&id.into(), &12.into())
        );
        assert!(written(&mut refusals, 63_000).is_empty(), "nothing grew");
        assert_eq!(ask(&mut refusals, 30, 6, 119_000), EACH_MAX);
        assert_eq!(written(&mut refusals, 120_000)[0]["requests"], 13);
        assert_eq!(ask(&mut refusals, 40, 6, 120_000), EACH_MAX);
        let next = &written(&mut refusals, 121_000)[0];
        assert_eq!(next["id"], "rw_0000000000000000000000000000002d");
        assert_eq!(next["requests"], 1);
    }

    #[test]
    fn records_of_all_keys_and_keys_of_a_minute_are_bounded() {
        let mut refusals = Refusals::default();
        let names: Vec<String> = (0..=KEYS_MAX).map(|number| format!("k{number}")).collect();
        let all = names.iter().zip(0..);
        let all = all.map(|(name, id)| refused(name.as_bytes(), id, 1_000));
        let through = all.filter(|it| refusals.lets_through(it)).count();
        assert_eq!(through, ALL_MAX as usize);
        let told = written(&mut refusals, 2_000);
        assert_eq!(told.len(), KEYS_MAX + 1 - ALL_MAX as usize);
        let others = told.iter().filter(|it| it["key_id"].is_null());
        assert_eq!(
            others
                .map(|it| it["requests"].as_u64().unwrap())
                .sum::<u64>(),
            1
        );
    }
}
