//! Rows of `usage`: a record, and the members of it that are asked for, in columns.

use crate::govern::record::{RECORD_DEPTH_MAX, id_of};
use crate::json::raw::Raw;
use crate::json::tape::{Tape, Value};
use crate::limits::RECORD_BYTES_MAX;

/// An id as it is kept.
pub type RowId = [u8; 16];

/// A row of `usage`. Columns stand as the tables have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow {
    /// `id`
    pub id: RowId,
    /// `time`
    pub time: i64,
    /// The texts: see [`TEXTS`].
    pub texts: [Option<String>; TEXTS.len()],
    /// The numbers: see [`NUMBERS`].
    pub numbers: [Option<i64>; NUMBERS.len()],
    /// `estimated`
    pub estimated: i64,
    /// `record`
    pub record: String,
}

impl UsageRow {
    /// The row of a record; nothing where that is none of ours.
    #[must_use]
    pub fn read(record: &[u8], tape: &mut Tape) -> Option<Self> {
        let text = core::str::from_utf8(record).ok()?;
        let read = tape.read(record, RECORD_DEPTH_MAX, RECORD_BYTES_MAX);
        let read = read.ok()?;
        let id = text_of(read, "id")?;
        let usage = read.get_set("usage");
        let number = |name: &str| {
            let holder = match name {
                "cost_nanos" | "charged_nanos" => Some(read),
                _ => usage,
            };
            let value = holder?.get(name)?.as_u64()?;
            i64::try_from(value.min(NUMBER_MAX)).ok()
        };
        let is_estimated = read.get("charge_estimated").and_then(Value::as_bool);
        Some(Self {
            id: id_of(id.as_bytes())?.to_be_bytes(),
            time: i64::try_from(read.get("time")?.as_u64()?).ok()?,
            texts: TEXTS.map(|name| text_of(read, name)),
            numbers: NUMBERS.map(number),
            estimated: i64::from(is_estimated == Some(true)),
            record: text.to_owned(),
        })
    }
}

impl UsageRow {
    /// What was charged, if anything was.
    #[must_use]
    pub fn charged(&self) -> Option<i64> {
        let charged = self.numbers.last().copied().flatten();
        charged.filter(|nanos| *nanos > 0)
    }

    /// Whom: the tenant and the key, empty where there is none.
    #[must_use]
    pub fn payers(&self) -> [&str; 2] {
        let [tenant, key_id, ..] = &self.texts;
        [tenant, key_id].map(|name| name.as_deref().unwrap_or_default())
    }

    /// When: the day, since 1970.
    #[must_use]
    pub const fn day(&self) -> i64 {
        self.time / 86_400_000
    }
}

fn text_of(record: Value<'_>, name: &str) -> Option<String> {
    record.get(name)?.as_raw().map(Raw::decode)
}

/// Columns that are texts, by the names of their members.
pub const TEXTS: [&str; 9] = [
    "tenant",
    "key_id",
    "operation",
    "model_asked",
    "model_sent",
    "model_answered",
    "provider",
    "tier",
    "outcome",
];
/// Columns that are numbers, likewise.
pub const NUMBERS: [&str; 7] = [
    "input",
    "cached",
    "cache_write",
    "output",
    "reasoning",
    "cost_nanos",
    "charged_nanos",
];
/// More is no number of tokens, and a million dollars: what a provider invents breaks no sum.
const NUMBER_MAX: u64 = 1_000_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::UsageRow;
    use crate::json::tape::Tape;

    #[test]
    fn a_record_has_its_row_and_what_is_none_has_none() {
        let id = "0123456789abcdef0123456789abcdef";
        let record = format!(
            "{{\"id\":\"{id}\",\"time\":7,\"tenant\":\"a\\\"b\",\"key_id\":null,\"usage\":{{\
             \"input\":9,\"cached\":null,\"output\":18446744073709551615}},\"cost_nanos\":null,\
             \"charged_nanos\":5,\"charge_estimated\":true}}"
        );
        let row = UsageRow::read(record.as_bytes(), &mut Tape::new()).unwrap();
        assert_eq!((row.id[0], row.id[15], row.time), (0x01, 0xef, 7));
        assert_eq!(row.texts[0].as_deref(), Some("a\"b"));
        assert_eq!((row.texts[1].as_ref(), row.texts[8].as_ref()), (None, None));
        let most = Some(1_000_000_000_000_000);
        assert_eq!(
            row.numbers,
            [Some(9), None, None, most, None, None, Some(5)]
        );
        assert_eq!((row.estimated, &row.record), (1, &record));
        for none in [
            "",
            "{}",
            "[",
            "{\"id\":\"0\",\"time\":7}",
            "{\"id\":\"0123456789abcdef0123456789abcdef\",\"time\":-7}",
            "{\"id\":\"0123456789abcdef0123456789abcdef\",\"time\":9223372036854775808}",
        ] {
            assert_eq!(UsageRow::read(none.as_bytes(), &mut Tape::new()), None);
        }
    }
}
