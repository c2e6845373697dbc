//! Usage records in PostgreSQL.

use core::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::json::tape::Tape;
use crate::net::runtime::clock::unix_millis;
use crate::store::database::postgres::Postgres;
use crate::store::database::postgres_connection::ConnectionPool;
use crate::store::database::sql::ANSWER_TIMEOUT;
use crate::store::database::usage_row::{NUMBERS, TEXTS, UsageRow};
use crate::store::database::usage_sql::{
    AGAIN, COLUMNS, Cell, SqlDialect, SqlValue, Statement, columns, whole,
};
use crate::store::error::StoreError;
use crate::store::journal::identity::JournalId;
use crate::store::journal::tail::Batch;

/// Adds rows, in one statement: each column is an array. Gives their number; `None` where the store has
/// more of this journal than what lies before the batch.
pub async fn add(
    postgres: &Postgres,
    batch: &Batch,
    journal: JournalId,
) -> Result<Option<usize>, StoreError> {
    let mut tape = Tape::new();
    let rows = batch.records();
    let mut rows: Vec<_> = rows
        .filter_map(|record| UsageRow::read(record, &mut tape))
        .collect();
    let count = rows.len();
    if rows.is_empty() {
        return Ok(Some(0));
    }
    // One statement changes a row once: of a count that stands here again the last one counts.
    rows.sort_by_key(|row| (row.id, -row.requests));
    rows.dedup_by_key(|row| row.id);
    let ids: Vec<&[u8]> = rows.iter().map(|row| &row.id[..]).collect();
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let texts: [Vec<Option<&str>>; TEXTS.len()] =
        core::array::from_fn(|at| rows.iter().map(|row| row.texts[at].as_deref()).collect());
    let numbers: [Vec<Option<i64>>; NUMBERS.len()] =
        core::array::from_fn(|at| rows.iter().map(|row| row.numbers[at]).collect());
    let requests: Vec<i64> = rows.iter().map(|row| row.requests).collect();
    let estimated: Vec<i64> = rows.iter().map(|row| row.estimated).collect();
    let records: Vec<&str> = rows.iter().map(|row| row.record).collect();
    let mut all: Vec<&(dyn ToSql + Sync)> = vec![&ids, &times];
    all.extend(texts.iter().map(|it| -> &(dyn ToSql + Sync) { it }));
    all.extend(numbers.iter().map(|it| -> &(dyn ToSql + Sync) { it }));
    all.extend([&requests as &(dyn ToSql + Sync), &estimated, &records]);
    let (from, next) = (batch.from, batch.next);
    let journal = &journal[..];
    let places = [from.number, from.offset, next.number, next.offset].map(whole);
    let now = whole(unix_millis());
    all.push(&journal);
    all.extend(places.iter().map(|it| -> &(dyn ToSql + Sync) { it }));
    all.push(&now);
    let delivery = &postgres.delivery;
    let rows = delivery.query(ANSWER_TIMEOUT, &insert(), &all).await?;
    let moved: i64 = rows
        .first()
        .and_then(|row| row.try_get(0).ok())
        .unwrap_or(0);
    Ok((moved > 0).then_some(count))
}

/// The place of the journal moves on, and with it what is new is added, and what it cost to what was spent
/// on the day and in the month: in one order, so that replicas do not wait for each other in a ring.
/// Nothing is added where the place lies further on already: these records have come before, and some may
/// have been removed since because of their age.
fn insert() -> String {
    let kinds = [
        &["bytea", "bigint"][..],
        &["text"; TEXTS.len()],
        &["bigint"; NUMBERS.len()],
        &["bigint", "bigint", "text"],
    ]
    .concat();
    debug_assert_eq!(kinds.len(), COLUMNS);
    let arrays = kinds.iter().zip(1..);
    let arrays: Vec<String> = arrays
        .map(|(kind, at)| format!("${at}::{kind}[]"))
        .collect();
    let (columns, arrays) = (columns(), arrays.join(", "));
    let [journal, from, from_bytes, next, next_bytes, now] =
        core::array::from_fn(|at| format!("${}", COLUMNS + 1 + at));
    let by_day = spent("spent", "day", "time / 86400000");
    let by_month = spent("spent_month", "month", MONTH);
    format!(
        "WITH place AS (INSERT INTO drained (journal, segment, bytes, time) \
         VALUES ({journal}, {next}, {next_bytes}, {now}) ON CONFLICT (journal) DO UPDATE SET \
         segment = excluded.segment, bytes = excluded.bytes, time = excluded.time \
         WHERE (drained.segment, drained.bytes) <= ({from}, {from_bytes}) RETURNING journal), \
         new AS (INSERT INTO usage ({columns}) SELECT * FROM unnest({arrays}) \
         WHERE EXISTS (SELECT 1 FROM place) \
         {AGAIN} RETURNING time, tenant, key_id, charged_nanos), \
         by_day AS ({by_day}), by_month AS ({by_month}) SELECT COUNT(*) FROM place"
    )
}

/// Adds what is new to the sums of a table, by what gives the number of its period.
fn spent(table: &str, column: &str, period: &str) -> String {
    format!(
        "INSERT INTO {table} ({column}, tenant, key_id, nanos) \
         SELECT {period}, COALESCE(tenant, ''), COALESCE(key_id, ''), \
         LEAST(SUM(charged_nanos), 4000000000000000000)::BIGINT \
         FROM new WHERE charged_nanos > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 \
         ON CONFLICT ({column}, tenant, key_id) DO UPDATE SET \
         nanos = LEAST({table}.nanos, 4000000000000000000) + excluded.nanos"
    )
}

/// Rows of a statement, over these connections. One that takes longer is given up.
pub async fn select(
    pool: &ConnectionPool,
    statement: &Statement,
    within: Duration,
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let values = values(statement);
    let values = parameters(&values);
    let rows = pool.query(within, &statement.text, &values).await?;
    Ok(rows.iter().map(cells).collect())
}

/// Runs a statement that changes rows; how many it changed.
pub async fn change(postgres: &Postgres, statement: &Statement) -> Result<u64, StoreError> {
    let values = values(statement);
    let values = parameters(&values);
    let delivery = &postgres.delivery;
    delivery
        .execute(ANSWER_TIMEOUT, &statement.text, &values)
        .await
}

fn values(statement: &Statement) -> Vec<Box<dyn ToSql + Sync + Send>> {
    statement.values.iter().map(value).collect()
}

fn parameters(values: &[Box<dyn ToSql + Sync + Send>]) -> Vec<&(dyn ToSql + Sync)> {
    let values = values.iter();
    values.map(|it| -> &(dyn ToSql + Sync) { &**it }).collect()
}

fn value(bound: &SqlValue) -> Box<dyn ToSql + Sync + Send> {
    match bound {
        SqlValue::Text(text) => Box::new(text.clone()),
        SqlValue::Whole(number) => Box::new(*number),
        SqlValue::Id(id) => Box::new(id.to_vec()),
        SqlValue::Ids(ids) => Box::new(ids.iter().map(|id| id.to_vec()).collect::<Vec<_>>()),
    }
}

fn cells(row: &Row) -> Vec<Cell> {
    let columns = row.columns().iter().enumerate();
    let cells = columns.map(|(at, column)| match *column.type_() {
        Type::INT8 => row.try_get(at).ok().flatten().map(Cell::Whole),
        Type::BYTEA => row.try_get(at).ok().flatten().map(Cell::Bytes),
        _ => row.try_get(at).ok().flatten().map(Cell::Text),
    });
    cells.map(|cell| cell.unwrap_or(Cell::Null)).collect()
}

/// The month of a record, since January 1970; that of a time past the year 9999 is its last one.
const MONTH: &str = "((EXTRACT(YEAR FROM DATE '1970-01-01' + LEAST(time / 86400000, 2932896)::INT) \
                     - 1970) * 12 + EXTRACT(MONTH FROM DATE '1970-01-01' \
                     + LEAST(time / 86400000, 2932896)::INT) - 1)::BIGINT";
/// Lists of ids are arrays; what is not among them is found by one hash of them.
pub const WORDS: SqlDialect = SqlDialect {
    among: "id = ANY ($::bytea[])",
    not_among: "NOT EXISTS (SELECT 1 FROM unnest($::bytea[]) AS kept (id) WHERE kept.id = usage.id)",
};
