//! Rows of `usage`: a record, and the members of it that are asked for, in columns.

use std::borrow::Cow;

use crate::govern::usage::record::{RECORD_DEPTH_MAX, id_at, id_of};
use crate::json::raw::Raw;
use crate::json::tape::{Tape, Value};
use crate::limits::RECORD_BYTES_MAX;

/// An id as it is kept.
pub type RowId = [u8; 16];

/// Who is charged, and when: the day since 1970, the ids of the tenant and the key, empty where there is none.
pub type Payer<'r> = (i64, Cow<'r, str>, Cow<'r, str>);

/// A row of `usage`. Columns stand as the tables have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageRow<'r> {
    /// `id`
    pub id: RowId,
    /// `time`
    pub time: i64,
    /// The texts: see [`TEXTS`].
    pub texts: [Option<Cow<'r, str>>; TEXTS.len()],
    /// The numbers: see [`NUMBERS`].
    pub numbers: [Option<i64>; NUMBERS.len()],
    /// `requests`: one, but for counts of refusals.
    pub requests: i64,
    /// `estimated`
    pub estimated: i64,
    /// `record`
    pub record: &'r str,
}

impl<'r> UsageRow<'r> {
    /// The row of a record; nothing where that is none of ours.
    #[must_use]
    pub fn read(record: &'r [u8], tape: &mut Tape) -> Option<Self> {
        let text = core::str::from_utf8(record).ok()?;
        Self::read_in_order(text).or_else(|| Self::read_in_any_order(text, tape))
    }

    /// The row of a record whose members stand as [`crate::govern::usage::record::UsageRecord::write`] has them,
    /// no text escaped.
    fn read_in_order(record: &'r str) -> Option<Self> {
        let (id, start) = id_at(record.as_bytes())?;
        let mut members = RecordReader {
            rest: record.get(start..)?,
        };
        let time = i64::try_from(members.number("\",\"time\":")??).ok()?;
        let name = members.text(",\"tenant\":")?;
        // Records of earlier versions say the name alone, which is the id of such a tenant.
        let tenant = members.text(",\"tenant_id\":").flatten().or(name);
        let key_id = members.text(",\"key_id\":")?;
        let operation = members.text(",\"operation\":")?;
        members.text(",\"client_wire\":")?;
        members.text(",\"upstream_wire\":")?;
        let model_asked = members.text(",\"model_asked\":")?;
        let model_sent = members.text(",\"model_sent\":")?;
        let model_answered = members.text(",\"model_answered\":")?;
        let provider = members.text(",\"provider\":")?;
        let tier = members.text(",\"tier\":")?;
        members.text(",\"region\":")?;
        members.text(",\"jurisdiction\":")?;
        members.text(",\"custody_label\":")?;
        members.text(",\"credential_source\":")?;
        members.text(",\"custody_path\":")?;
        let tokens = members.usage()?;
        let cost = members.number(",\"cost_nanos\":")?;
        let charged = members.number(",\"charged_nanos\":")?;
        let is_estimated = members.flag(",\"charge_estimated\":")?;
        // Records of earlier versions say no number.
        let requests = members.number(",\"requests\":");
        members.number(",\"status\":")?;
        let outcome = members.text(",\"outcome\":")?;
        let [input, cached, cache_write, output, reasoning] = tokens;
        let numbers = [input, cached, cache_write, output, reasoning, cost, charged];
        let texts = [
            tenant,
            key_id,
            operation,
            model_asked,
            model_sent,
            model_answered,
            provider,
            tier,
            outcome,
        ];
        members.rest.ends_with('}').then_some(Self {
            id: id.to_be_bytes(),
            time,
            texts: texts.map(|text| text.map(Cow::Borrowed)),
            numbers: numbers.map(|number| number.map(bounded)),
            requests: bounded(requests.flatten().unwrap_or(1)),
            estimated: i64::from(is_estimated),
            record,
        })
    }

    /// The same of any record, such as one that another version has written.
    fn read_in_any_order(record: &'r str, tape: &mut Tape) -> Option<Self> {
        let read = tape.read(record.as_bytes(), RECORD_DEPTH_MAX, RECORD_BYTES_MAX);
        let read = read.ok()?;
        let id = text_of(read, "id")?;
        let usage = read.get_set("usage");
        let number = |name: &str| {
            let holder = match name {
                "cost_nanos" | "charged_nanos" => Some(read),
                _ => usage,
            };
            holder?.get(name)?.as_u64().map(bounded)
        };
        let is_estimated = read.get("charge_estimated").and_then(Value::as_bool);
        Some(Self {
            id: id_of(id.as_bytes())?.to_be_bytes(),
            time: i64::try_from(read.get("time")?.as_u64()?).ok()?,
            texts: TEXTS.map(|name| column_of(read, name).map(Cow::Owned)),
            numbers: NUMBERS.map(number),
            requests: bounded(read.get("requests").and_then(Value::as_u64).unwrap_or(1)),
            estimated: i64::from(is_estimated == Some(true)),
            record,
        })
    }

    /// Whether a text is the record of this id, as others may read it; a hand may have edited its row.
    #[must_use]
    pub fn is_whole(record: &str, id: RowId, tape: &mut Tape) -> bool {
        let read = tape.read(record.as_bytes(), RECORD_DEPTH_MAX, RECORD_BYTES_MAX);
        let given = read.ok().and_then(|read| text_of(read, "id"));
        let given = given.and_then(|given| id_of(given.as_bytes()));
        given == Some(u128::from_be_bytes(id))
    }

    /// What was charged, if anything was.
    #[must_use]
    pub fn charged(&self) -> Option<i64> {
        let charged = self.numbers.last().copied().flatten();
        charged.filter(|nanos| *nanos > 0)
    }

    /// Whom, and when.
    #[must_use]
    pub fn payer(&self) -> Payer<'r> {
        let [tenant, key_id, ..] = &self.texts;
        let [tenant, key_id] = [tenant, key_id].map(|name| name.clone().unwrap_or_default());
        (self.time / 86_400_000, tenant, key_id)
    }
}

/// What is left of a record, read member by member. `None`: it stands otherwise.
struct RecordReader<'r> {
    rest: &'r str,
}

impl<'r> RecordReader<'r> {
    fn pass(&mut self, expected: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// A text or `null` behind the name of its member.
    #[inline]
    fn text(&mut self, name: &str) -> Option<Option<&'r str>> {
        self.pass(name)?;
        if self.pass("null").is_some() {
            return Some(None);
        }
        self.pass("\"")?;
        let end = memchr::memchr2(b'"', b'\\', self.rest.as_bytes())?;
        let (text, behind) = self.rest.split_at_checked(end)?;
        self.rest = behind.strip_prefix('"')?;
        Some(Some(text))
    }

    /// A whole number or `null`, likewise.
    #[inline]
    fn number(&mut self, name: &str) -> Option<Option<u64>> {
        self.pass(name)?;
        if self.pass("null").is_some() {
            return Some(None);
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = self.rest.split_at_checked(digits)?;
        self.rest = behind;
        number.parse().ok().map(Some)
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.pass(name)?;
        let is_set = self.pass("true").is_some();
        (is_set || self.pass("false").is_some()).then_some(is_set)
    }

    /// The tokens; none where nothing is known of them.
    fn usage(&mut self) -> Option<[Option<u64>; 5]> {
        self.pass(",\"usage\":")?;
        if self.pass("null").is_some() {
            return Some([None; 5]);
        }
        let input = self.number("{\"input\":")?;
        let cached = self.number(",\"cached\":")?;
        let cache_write = self.number(",\"cache_write\":")?;
        let output = self.number(",\"output\":")?;
        let reasoning = self.number(",\"reasoning\":")?;
        // Records of earlier versions end here; what follows has no column.
        if self.pass("}").is_none() {
            self.number(",\"cache_write_hour\":")?;
            self.number(",\"audio_input\":")?;
            self.number(",\"audio_output\":")?;
            self.number(",\"web_searches\":")?;
            self.number(",\"web_fetches\":")?;
            self.pass("}")?;
        }
        Some([input, cached, cache_write, output, reasoning])
    }
}

/// A number as databases have it.
fn bounded(number: u64) -> i64 {
    i64::try_from(number.min(NUMBER_MAX)).unwrap_or(i64::MAX)
}

/// What a column has of a record. Whose it is stands in `tenant` by the tenant's id: its name may come
/// back.
fn column_of(record: Value<'_>, column: &str) -> Option<String> {
    let id = (column == TENANT).then(|| text_of(record, "tenant_id"));
    id.flatten().or_else(|| text_of(record, column))
}

fn text_of(record: Value<'_>, name: &str) -> Option<String> {
    record.get(name)?.as_raw().map(Raw::decode)
}

/// The column of a tenant's id.
const TENANT: &str = "tenant";
/// Columns that are texts, by the names of their members.
pub const TEXTS: [&str; 9] = [
    TENANT,
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
    use crate::chat::usage::Usage;
    use crate::govern::usage::record::{Custody, UsageRecord};
    use crate::json::tape::Tape;

    fn read(record: &str) -> Option<UsageRow<'_>> {
        UsageRow::read(record.as_bytes(), &mut Tape::new())
    }

    #[test]
    fn a_record_has_its_row_and_what_is_none_has_none() {
        let id = "0123456789abcdef0123456789abcdef";
        let record = format!(
            "{{\"id\":\"{id}\",\"time\":7,\"tenant\":\"a\\\"b\",\"key_id\":null,\"usage\":{{\
             \"input\":9,\"cached\":null,\"output\":18446744073709551615}},\"cost_nanos\":null,\
             \"charged_nanos\":5,\"charge_estimated\":true}}"
        );
        let row = read(&record).unwrap();
        assert_eq!((row.id[0], row.id[15], row.time), (0x01, 0xef, 7));
        assert_eq!(row.texts[0].as_deref(), Some("a\"b"));
        assert_eq!((row.texts[1].as_ref(), row.texts[8].as_ref()), (None, None));
        let most = Some(1_000_000_000_000_000);
        assert_eq!(
            row.numbers,
            [Some(9), None, None, most, None, None, Some(5)]
        );
        assert_eq!((row.estimated, row.record), (1, record.as_str()));
        for none in [
            "",
            "{}",
            "[",
            "{\"id\":\"0\",\"time\":7}",
            "{\"id\":\"0123456789abcdef0123456789abcdef\",\"time\":-7}",
            "{\"id\":\"0123456789abcdef0123456789abcdef\",\"time\":9223372036854775808}",
        ] {
            assert_eq!(read(none), None);
        }
    }

    #[test]
    fn a_record_is_whole_with_its_own_id_and_json_to_its_end() {
        let whole = written(&UsageRecord {
            id: 7,
            ..UsageRecord::default()
        });
        let id = 7_u128.to_be_bytes();
        let is_whole = |text: &str| UsageRow::is_whole(text, id, &mut Tape::new());
        assert!(is_whole(&whole));
        for edited in [
            "",
            "{}",
            "[7]",
            "{\"id\":7}",
            whole.get(1..).unwrap(),
            whole.get(..whole.len() - 1).unwrap(),
            &whole.replace("\"attempts\":[", "\"attempts\":"),
            &whole.replace("0007", "0008"),
        ] {
            assert!(!is_whole(edited), "{edited}");
        }
    }

    fn written(record: &UsageRecord<'_>) -> String {
        let mut out = Vec::new();
        record.write(&["tier"], core::iter::empty(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_as_they_are_written_need_no_index_and_have_the_same_row() {
        let sparse = UsageRecord::default();
        let mut custody = Vec::new();
        let target = Custody {
            provider: Some(b"east"),
            ..Custody::default()
        };
        target.write(&mut custody);
        let full = UsageRecord {
            id: 7 << 80 | 3,
            time_ms: 1_800_000_000_000,
            tenant: Some(b"blue"),
            key_id: Some(b"key_1"),
            operation: "chat",
            model_asked: Some(b"fast"),
            model_sent: Some("modèle".as_bytes()),
            model_answered: Some(b""),
            custody: &custody,
            usage: Some(Usage {
                input: Some(12),
                output: Some(u64::MAX),
                ..Usage::default()
            }),
            cost_nanos: Some(0),
            charged_nanos: Some(88),
            is_charge_estimated: true,
            status: 200,
            outcome: "complete",
            ..UsageRecord::default()
        };
        let texts = [written(&sparse), written(&full)];
        // As earlier versions have written it.
        let ended = texts[1].split_once(",\"cache_write_hour\"").unwrap();
        let (_, behind) = ended.1.split_once('}').unwrap();
        let behind = behind.replace(",\"requests\":1", "");
        let shorter = format!("{}}}{behind}", ended.0).replace("\"rw_", "\"");
        assert!(shorter.contains("\"reasoning\":null},\"cost_nanos\""));
        assert_eq!(
            read(&shorter).unwrap().numbers,
            read(&texts[1]).unwrap().numbers
        );
        for text in [&texts[0], &texts[1], &shorter] {
            let row = UsageRow::read_in_order(text);
            assert!(row.is_some(), "{text}");
            assert_eq!(row, UsageRow::read_in_any_order(text, &mut Tape::new()));
        }
        let text = written(&full);
        let row = read(&text).unwrap();
        assert_eq!(row.texts[4].as_deref(), Some("modèle"));
        assert_eq!(row.texts[8].as_deref(), Some("complete"));
        assert_eq!(row.numbers[6], Some(88));
    }

    #[test]
    fn records_that_stand_otherwise_have_the_same_row() {
        let record = UsageRecord {
            tenant: Some(b"blue"),
            key_id: Some(b"key_1"),
            operation: "chat",
            charged_nanos: Some(88),
            outcome: "complete",
            ..UsageRecord::default()
        };
        let text = written(&record);
        let row = read(&text).unwrap();
        let moved = text.replace("\"tenant\":\"blue\",", "");
        let moved = moved.replace("\"outcome\":", "\"tenant\":\"blue\",\"outcome\":");
        let spaced = text.replace(":null,", ": null, ");
        let without = text.replace(",\"region\":null", "");
        let with = text.replace(
            "\"provider\":",
            "\"new\":{\"tenant\":\"red\"},\"provider\":",
        );
        let spelled = text.replace("blue", "bl\\u0075e");
        for other in [moved, spaced, without, with, spelled] {
            assert_ne!(other, text);
            let read = read(&other).unwrap();
            assert_eq!(read.record, other);
            let read = UsageRow {
                record: &text,
                ..read
            };
            assert_eq!(read, row, "{other}");
        }
    }
}
