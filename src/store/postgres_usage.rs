//! Usage records in PostgreSQL.

use core::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::json::tape::Tape;
use crate::store::error::StoreError;
use crate::store::postgres::Postgres;
use crate::store::sql::ANSWER_TIMEOUT;
use crate::store::tail::Batch;
use crate::store::usage_row::{NUMBERS, TEXTS, UsageRow};
use crate::store::usage_sql::{AGAIN, Bound, COLUMNS, Cell, Statement, Words, columns};

/// Adds rows, in one statement: each column is an array. Gives their number.
pub async fn add(postgres: &Postgres, batch: &Batch) -> Result<usize, StoreError> {
    let mut tape = Tape::new();
    let rows = batch.records();
    let mut rows: Vec<_> = rows
        .filter_map(|record| UsageRow::read(record, &mut tape))
        .collect();
    let count = rows.len();
    if rows.is_empty() {
        return Ok(0);
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
    let delivery = &postgres.delivery;
    delivery.execute(ANSWER_TIMEOUT, &insert(), &all).await?;
    Ok(count)
}

/// What is new is added, and what it cost to what was spent: in one order, so that replicas do not
/// wait for each other in a ring.
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
    format!(
        "WITH new AS (INSERT INTO usage ({columns}) SELECT * FROM unnest({arrays}) \
         {AGAIN} RETURNING time, tenant, key_id, charged_nanos) \
         INSERT INTO spent (day, tenant, key_id, nanos) \
         SELECT time / 86400000, COALESCE(tenant, ''), COALESCE(key_id, ''), \
         LEAST(SUM(charged_nanos), 4000000000000000000)::BIGINT \
         FROM new WHERE charged_nanos > 0 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 \
         ON CONFLICT (day, tenant, key_id) DO UPDATE SET \
         nanos = LEAST(spent.nanos, 4000000000000000000) + excluded.nanos"
    )
}

/// Rows of a statement. One that takes longer is given up.
pub async fn select(
    postgres: &Postgres,
    statement: &Statement,
    within: Duration,
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let values = values(statement);
    let values = parameters(&values);
    let questions = &postgres.questions;
    let rows = questions.query(within, &statement.text, &values).await?;
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

fn value(bound: &Bound) -> Box<dyn ToSql + Sync + Send> {
    match bound {
        Bound::Text(text) => Box::new(text.clone()),
        Bound::Whole(number) => Box::new(*number),
        Bound::Id(id) => Box::new(id.to_vec()),
        Bound::Ids(ids) => Box::new(ids.iter().map(|id| id.to_vec()).collect::<Vec<_>>()),
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

/// Lists of ids are arrays; what is not among them is found by one hash of them.
pub const WORDS: Words = Words {
    among: "id = ANY ($::bytea[])",
    not_among: "NOT EXISTS (SELECT 1 FROM unnest($::bytea[]) AS kept (id) WHERE kept.id = usage.id)",
};
