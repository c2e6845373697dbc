//! Statements about usage records, put together by what is asked; values never stand in their text.
//!
//! Both databases take them but for lists of ids, for which each has its own words.

use crate::govern::usage::aggregate::{Column, Filter};
use crate::store::database::usage_row::{NUMBERS, RowId, TEXTS};
use crate::store::journal::identity::JournalId;
use crate::store::journal::tail::JournalPosition;

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlValue {
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// An id.
    Id(RowId),
    /// Any number of ids.
    Ids(Vec<RowId>),
}

/// A value of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Cell {
    /// The text that it is.
    #[must_use]
    pub fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Whole(_) | Self::Bytes(_) => None,
        }
    }

    /// The number that it is, where it is not negative.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => u64::try_from(*number).ok(),
            Self::Null | Self::Text(_) | Self::Bytes(_) => None,
        }
    }

    /// The id that it is.
    #[must_use]
    pub fn id(&self) -> Option<RowId> {
        match self {
            Self::Bytes(bytes) => bytes.as_slice().try_into().ok(),
            Self::Null | Self::Text(_) | Self::Whole(_) => None,
        }
    }
}

/// What one database calls what the other calls otherwise.
#[derive(Clone, Copy, Debug)]
pub struct SqlDialect {
    /// A condition that an id is among those of the parameter `$`.
    pub among: &'static str,
    /// That it is not.
    pub not_among: &'static str,
}

/// A statement and its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Its text; values are `$1`, `$2` and so on.
    pub text: String,
    /// What these are.
    pub values: Vec<SqlValue>,
}

impl Statement {
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = SqlValue>) {
        self.text.push_str(" AND ");
        let mut parts = condition.split('$');
        self.text.push_str(parts.next().unwrap_or_default());
        let mut values = values.into_iter();
        for part in parts {
            self.values.extend(values.next());
            self.text.push_str(&format!("${}{part}", self.values.len()));
        }
    }

    fn filter(&mut self, filter: &Filter) {
        self.filter_by(filter, "(model_asked = $ OR model_sent = $)");
    }

    /// The same, where `by_model` says how records of a model are found.
    fn filter_by(&mut self, filter: &Filter, by_model: &str) {
        self.text.push_str(" FROM usage WHERE TRUE");
        let texts = [("tenant = $", &filter.tenant), ("key_id = $", &filter.key)];
        for (condition, given) in texts {
            if let Some(given) = given {
                self.and(condition, [SqlValue::Text(given.clone())]);
            }
        }
        if let Some(model) = &filter.model {
            let models = by_model.matches('$').map(|_| SqlValue::Text(model.clone()));
            self.and(by_model, models);
        }
        for (condition, given) in [
            ("time >= $", filter.since_ms),
            ("time < $", filter.until_ms),
        ] {
            if let Some(given) = given {
                self.and(condition, [SqlValue::Whole(whole(given))]);
            }
        }
    }

    /// The records of a page, from one index.
    fn page_by(&mut self, by_model: &str, filter: &Filter, page: (Behind, usize)) {
        let (behind, count) = page;
        self.text.push_str("SELECT time, id, record");
        self.filter_by(filter, by_model);
        // What a hand has edited may have no place to go on from. PostgreSQL takes a plain comparison
        // for one that hardly any row meets, and sorts all records of a model instead of reading the
        // first ones from the index: 700 ms instead of 1 for a tenant's 50,000.
        self.and("time >= 0 AND CASE WHEN LENGTH(id) = 16 THEN TRUE END", []);
        if let Some((time, id)) = behind {
            self.and(
                "(time, id) < ($, $)",
                [SqlValue::Whole(whole(time)), SqlValue::Id(id)],
            );
        }
        let order = format!(" ORDER BY time DESC, id DESC LIMIT {count}");
        self.text.push_str(&order);
    }
}

/// The place behind which a page begins, where there is one.
type Behind = Option<(u64, RowId)>;

/// Records behind a place, the newest first: time, id, record. Those of a model come from two indexes,
/// each in the order of the page, so that no more is read than the page has.
#[must_use]
pub fn page(filter: &Filter, behind: Option<(u64, RowId)>, count: usize) -> Statement {
    let mut statement = select(String::new());
    if filter.model.is_none() {
        statement.page_by("", filter, (behind, count));
        return statement;
    }
    statement
        .text
        .push_str("SELECT time, id, record FROM (SELECT * FROM (");
    statement.page_by("model_asked = $", filter, (behind, count));
    statement
        .text
        .push_str(") AS asked UNION ALL SELECT * FROM (");
    let sent = "model_sent = $ AND model_sent IS DISTINCT FROM model_asked";
    statement.page_by(sent, filter, (behind, count));
    let order = format!(") AS sent) AS page ORDER BY time DESC, id DESC LIMIT {count}");
    statement.text.push_str(&order);
    statement
}

/// One record.
#[must_use]
pub fn one(id: RowId, tenant: Option<&str>) -> Statement {
    let mut statement = select("SELECT record".to_owned());
    let filter = Filter {
        tenant: tenant.map(str::to_owned),
        ..Filter::default()
    };
    statement.filter(&filter);
    statement.and("id = $", [SqlValue::Id(id)]);
    statement
}

/// What records come to: the columns, then the sums as [`crate::govern::usage::aggregate::UsageSums::of`] takes them,
/// each in two cells ([`in_two`]). Records with the ids in `besides` are left out.
#[must_use]
pub fn sums(
    filter: &Filter,
    columns: &[Column],
    besides: Vec<RowId>,
    words: SqlDialect,
) -> Statement {
    let columns: Vec<&str> = columns
        .iter()
        .map(|column| column.member().unwrap_or(DAY))
        .collect();
    let no_usage: Vec<String> = NUMBERS[..TOKENS]
        .iter()
        .map(|name| format!("{name} IS NULL"))
        .collect();
    let sum = |what: &str| {
        let half = |half: &str| format!("CAST(COALESCE(SUM({what} {half}), 0) AS BIGINT)");
        format!(
            "{}, {}",
            half(&format!("/ {HALF}")),
            half(&format!("% {HALF}"))
        )
    };
    let count = |condition: &str| {
        let requests = format!("CASE WHEN {condition} THEN COALESCE(requests, 1) ELSE 0 END");
        sum(&requests)
    };
    let mut selected: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
    selected.push(sum("COALESCE(requests, 1)"));
    selected.extend(NUMBERS[..=TOKENS].iter().map(|name| sum(name)));
    selected.push(count(&no_usage.join(" AND ")));
    selected.push(count("cost_nanos IS NULL"));
    selected.extend(["charged_nanos", "estimated"].map(sum));
    let mut statement = select(format!("SELECT {}", selected.join(", ")));
    statement.filter(filter);
    if !besides.is_empty() {
        statement.and(words.not_among, [SqlValue::Ids(besides)]);
    }
    if !columns.is_empty() {
        let groups = format!(" GROUP BY {}", columns.join(", "));
        statement.text.push_str(&groups);
    }
    statement
}

/// The sum that two cells stand for: the numbers' upper halves, and their lower ones. Sums of whole
/// numbers would end a query where rows were edited by hand: databases let none overflow.
#[must_use]
pub fn in_two(cells: &[Cell]) -> u64 {
    let [upper, lower] = [0, 1].map(|at| cells.get(at).and_then(Cell::whole).unwrap_or(0));
    upper.saturating_mul(HALF).saturating_add(lower)
}

/// Those of these ids that are there.
#[must_use]
pub fn known(ids: Vec<RowId>, words: SqlDialect) -> Statement {
    let mut statement = select("SELECT id FROM usage WHERE TRUE".to_owned());
    statement.and(words.among, [SqlValue::Ids(ids)]);
    statement
}

/// Removes records from before a time, the oldest first, so many at most.
#[must_use]
pub fn forget(before_ms: u64, count: usize) -> Statement {
    let text = format!(
        "DELETE FROM usage WHERE id IN \
         (SELECT id FROM usage WHERE time < $1 ORDER BY time LIMIT {count})"
    );
    Statement {
        text,
        values: vec![SqlValue::Whole(whole(before_ms))],
    }
}

/// A period for which sums of what was spent are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// A day, since 1970.
    Day(u64),
    /// A month, since January 1970.
    Month(u64),
}

impl Period {
    /// The table, its column, and the number there.
    const fn place(self) -> (&'static str, &'static str, u64) {
        match self {
            Self::Day(day) => ("spent", "day", day),
            Self::Month(month) => ("spent_month", "month", month),
        }
    }
}

/// A page of what was spent in a period: tenant, key, nano-dollars. It begins behind a tenant and key.
#[must_use]
pub fn spent(period: Period, behind: Option<&(String, String)>, count: usize) -> Statement {
    let (table, column, number) = period.place();
    let mut statement = select(format!(
        "SELECT tenant, key_id, nanos FROM {table} WHERE TRUE"
    ));
    statement.and(&format!("{column} = $"), [SqlValue::Whole(whole(number))]);
    if let Some((tenant, key_id)) = behind {
        let names = [tenant, key_id].map(|name| SqlValue::Text(name.clone()));
        statement.and("(tenant, key_id) > ($, $)", names);
    }
    let order = format!(" ORDER BY tenant, key_id LIMIT {count}");
    statement.text.push_str(&order);
    statement
}

/// Removes sums of periods before this one, so many at most.
#[must_use]
pub fn forget_spent(before: Period, count: usize) -> Statement {
    let (table, column, number) = before.place();
    let text = format!(
        "DELETE FROM {table} WHERE ({column}, tenant, key_id) IN \
         (SELECT {column}, tenant, key_id FROM {table} WHERE {column} < $1 \
         ORDER BY {column} LIMIT {count})"
    );
    Statement {
        text,
        values: vec![SqlValue::Whole(whole(number))],
    }
}

/// Up to where the store has a journal: number of the segment, bytes of it.
#[must_use]
pub fn drained(journal: JournalId) -> Statement {
    let mut statement = select("SELECT segment, bytes FROM drained WHERE TRUE".to_owned());
    statement.and("journal = $", [SqlValue::Id(journal)]);
    statement
}

/// Says up to where the store has a journal, whatever it held before.
#[must_use]
pub fn set_drained(journal: JournalId, place: JournalPosition, now_ms: u64) -> Statement {
    Statement {
        text: DRAINED.to_owned(),
        values: vec![
            SqlValue::Id(journal),
            SqlValue::Whole(whole(place.number)),
            SqlValue::Whole(whole(place.offset)),
            SqlValue::Whole(whole(now_ms)),
        ],
    }
}

/// Removes the places of journals from which nothing has come since a time, so many at most.
#[must_use]
pub fn forget_drained(before_ms: u64, count: usize) -> Statement {
    let text = format!(
        "DELETE FROM drained WHERE journal IN \
         (SELECT journal FROM drained WHERE time < $1 LIMIT {count})"
    );
    Statement {
        text,
        values: vec![SqlValue::Whole(whole(before_ms))],
    }
}

/// Sets the place of a journal; the parameters are the journal, the place and the time.
const DRAINED: &str = "INSERT INTO drained (journal, segment, bytes, time) \
                           VALUES ($1, $2, $3, $4) ON CONFLICT (journal) DO UPDATE SET \
                           segment = excluded.segment, bytes = excluded.bytes, time = excluded.time";
/// What becomes of a row that is there already: a count that has grown is replaced, all else stays.
pub const AGAIN: &str = "ON CONFLICT (id) DO UPDATE SET time = excluded.time, \
                         requests = excluded.requests, record = excluded.record \
                         WHERE excluded.requests > COALESCE(usage.requests, 1)";
/// All columns of `usage`, in the order of `UsageRow`.
#[must_use]
pub fn columns() -> String {
    let names = [&TEXTS[..], &NUMBERS[..]].concat().join(", ");
    format!("id, time, {names}, requests, estimated, record")
}

/// A number as databases have it.
#[must_use]
pub fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const fn select(text: String) -> Statement {
    Statement {
        text,
        values: Vec::new(),
    }
}

/// Past a number's lower half.
const HALF: u64 = 1 << 32;
/// The first ones of [`NUMBERS`], which count tokens; the one behind is what they cost.
const TOKENS: usize = 5;
/// The day of a record.
const DAY: &str = "time / 86400000";
/// Columns of `usage`.
pub const COLUMNS: usize = TEXTS.len() + NUMBERS.len() + 5;

#[cfg(test)]
mod tests {
    use super::{SqlValue, page};
    use crate::govern::usage::aggregate::Filter;

    #[test]
    fn values_stand_beside_the_text() {
        let filter = Filter {
            tenant: Some("a' OR '1".to_owned()),
            model: Some("m".to_owned()),
            since_ms: Some(u64::MAX),
            ..Filter::default()
        };
        let statement = page(&filter, Some((7, [1; 16])), 3);
        let text = "SELECT time, id, record FROM (SELECT * FROM (SELECT time, id, record FROM usage \
                    WHERE TRUE AND tenant = $1 AND model_asked = $2 AND time >= $3 AND time >= 0 AND \
                    CASE WHEN LENGTH(id) = 16 THEN TRUE END AND (time, id) < ($4, $5) \
                    ORDER BY time DESC, id DESC LIMIT 3) \
                    AS asked UNION ALL SELECT * FROM (SELECT time, id, record FROM usage WHERE TRUE \
                    AND tenant = $6 AND model_sent = $7 AND model_sent IS DISTINCT FROM model_asked \
                    AND time >= $8 AND time >= 0 AND CASE WHEN LENGTH(id) = 16 THEN TRUE END AND \
                    (time, id) < ($9, $10) \
                    ORDER BY time DESC, id DESC LIMIT 3) AS sent) AS page \
                    ORDER BY time DESC, id DESC LIMIT 3";
        assert_eq!(statement.text, text);
        let once = [
            SqlValue::Text("a' OR '1".to_owned()),
            SqlValue::Text("m".to_owned()),
            SqlValue::Whole(i64::MAX),
            SqlValue::Whole(7),
            SqlValue::Id([1; 16]),
        ];
        let expected = [once.clone(), once].concat();
        assert_eq!(statement.values, expected);
    }
}
