//! Usage records in a SQLite file.

use core::time::Duration;
use std::collections::HashMap;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params, params_from_iter};

use crate::govern::account::usage::month_of;
use crate::json::tape::Tape;
use crate::net::runtime::clock::unix_millis;
use crate::store::database::sqlite::Sqlite;
use crate::store::database::usage_row::{Payer, RowId, TEXTS, UsageRow};
use crate::store::database::usage_sql::{
    AGAIN, COLUMNS, Cell, SqlDialect, SqlValue, Statement, columns, whole,
};
use crate::store::error::StoreError;
use crate::store::journal::identity::JournalId;
use crate::store::journal::tail::Batch;

/// Adds the rows of a batch, in one step; gives it back, and their number. `None` where the store has more
/// of this journal than what lies before the batch.
pub async fn add(
    sqlite: &Sqlite,
    batch: Batch,
    journal: JournalId,
) -> Result<(Batch, Option<usize>), StoreError> {
    sqlite
        .call(move |connection| {
            let count = insert(connection, &batch, journal)?;
            Ok((batch, count))
        })
        .await
}

/// Rows are made one by one from the batch's bytes. What is new adds to what was spent: each sum of
/// the batch once. Nothing is added where the place of the journal lies further on already: these records
/// have come before, and some may have been removed since because of their age.
fn insert(
    connection: &mut Connection,
    batch: &Batch,
    journal: JournalId,
) -> rusqlite::Result<Option<usize>> {
    let change = connection.transaction()?;
    let (from, next) = (batch.from, batch.next);
    let [from, from_bytes, next, next_bytes] =
        [from.number, from.offset, next.number, next.offset].map(whole);
    let now = whole(unix_millis());
    let moved = change.execute(
        MOVED,
        params![journal, next, next_bytes, now, from, from_bytes],
    )?;
    if moved == 0 {
        return Ok(None);
    }
    let marks: Vec<String> = (1..=COLUMNS).map(|at| format!("?{at}")).collect();
    let (columns, marks) = (columns(), marks.join(", "));
    let text = format!("INSERT INTO usage ({columns}) VALUES ({marks}) {AGAIN}");
    let mut adding = change.prepare(&text)?;
    let mut sums: HashMap<Payer<'_>, i64> = HashMap::new();
    let mut tape = Tape::new();
    // Nothing is bound yet, which is null.
    let mut bound = UsageRow::default();
    let mut count = 0;
    for record in batch.records() {
        let Some(row) = UsageRow::read(record, &mut tape) else {
            continue;
        };
        bind(&mut adding, &row, &bound)?;
        let is_new = adding.raw_execute()? > 0;
        if let Some(nanos) = row.charged().filter(|_| is_new) {
            let sum = sums.entry(row.payer()).or_default();
            *sum = sum.saturating_add(nanos);
        }
        bound = row;
        count += 1;
    }
    drop(adding);
    let [mut by_day, mut by_month] = [
        change.prepare(&spent("spent", "day"))?,
        change.prepare(&spent("spent_month", "month"))?,
    ];
    for ((day, tenant, key_id), nanos) in &sums {
        by_day.execute(params![day, tenant, key_id, nanos])?;
        by_month.execute(params![month(*day), tenant, key_id, nanos])?;
    }
    drop((by_day, by_month));
    change.commit()?;
    Ok(Some(count))
}

/// The month of a day, both since 1970; that of a day past the year 9999 is its last one.
fn month(day: i64) -> i64 {
    let day = u64::try_from(day).unwrap_or(0).min(LAST_DAY);
    whole(month_of(day * DAY_MS))
}

/// Adds to a sum of a table. One that nobody can spend grows no further.
fn spent(table: &str, column: &str) -> String {
    format!(
        "INSERT INTO {table} ({column}, tenant, key_id, nanos) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET \
         nanos = MIN(nanos, 4000000000000000000) + MIN(excluded.nanos, 4000000000000000000)"
    )
}

/// Binds a row where it differs from the one that is bound. SQLite copies each text that is bound:
/// most are those of the row before, which saves 0.8 of 5.1 µs a row.
fn bind(
    adding: &mut rusqlite::Statement<'_>,
    row: &UsageRow<'_>,
    bound: &UsageRow<'_>,
) -> rusqlite::Result<()> {
    adding.raw_bind_parameter(1, row.id)?;
    adding.raw_bind_parameter(2, row.time)?;
    for (at, (text, bound)) in (3..).zip(row.texts.iter().zip(&bound.texts)) {
        if text != bound {
            adding.raw_bind_parameter(at, text.as_deref())?;
        }
    }
    let numbers = row.numbers.iter().zip(3 + TEXTS.len()..);
    for (number, at) in numbers {
        adding.raw_bind_parameter(at, number)?;
    }
    adding.raw_bind_parameter(COLUMNS - 2, row.requests)?;
    adding.raw_bind_parameter(COLUMNS - 1, row.estimated)?;
    adding.raw_bind_parameter(COLUMNS, row.record)
}

/// Rows of a statement that somebody asks. One that takes longer is given up.
pub async fn select(
    sqlite: &Sqlite,
    statement: Statement,
    within: Duration,
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let work = move |connection: &mut Connection| rows(connection, statement);
    sqlite.ask(within, work).await
}

/// Rows of a statement for delivery, which waits for nobody's question.
pub async fn fetch(sqlite: &Sqlite, statement: Statement) -> Result<Vec<Vec<Cell>>, StoreError> {
    let work = move |connection: &mut Connection| rows(connection, statement);
    sqlite.call(work).await
}

fn rows(connection: &Connection, statement: Statement) -> rusqlite::Result<Vec<Vec<Cell>>> {
    let mut prepared = connection.prepare(&statement.text)?;
    let count = prepared.column_count();
    let rows = prepared.query_map(params_from_iter(statement.values), |row| {
        (0..count).map(|at| row.get_ref(at).map(cell)).collect()
    })?;
    rows.collect()
}

/// Runs a statement that changes rows; how many it changed.
pub async fn change(sqlite: &Sqlite, statement: Statement) -> Result<u64, StoreError> {
    let work = move |connection: &mut Connection| {
        connection.execute(&statement.text, params_from_iter(statement.values))
    };
    Ok(sqlite.call(work).await? as u64)
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Integer(number) => Cell::Whole(number),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Null | ValueRef::Real(_) => Cell::Null,
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Text(text) => text.to_sql(),
            Self::Whole(number) => number.to_sql(),
            Self::Id(id) => id.to_sql(),
            Self::Ids(ids) => Ok(list(ids).into()),
        }
    }
}

/// Ids as a JSON array of their digits.
fn list(ids: &[RowId]) -> String {
    let mut text = String::with_capacity(ids.len() * 35 + 2);
    for id in ids {
        text.push(if text.is_empty() { '[' } else { ',' });
        text.push_str(&format!("\"{:032x}\"", u128::from_be_bytes(*id)));
    }
    text.push_str(if text.is_empty() { "[]" } else { "]" });
    text
}

/// Lists of ids are JSON.
pub const WORDS: SqlDialect = SqlDialect {
    among: "id IN (SELECT unhex(value) FROM json_each($))",
    not_among: "id NOT IN (SELECT unhex(value) FROM json_each($))",
};
/// Moves the place of a journal, unless it lies further on already.
const MOVED: &str = "INSERT INTO drained (journal, segment, bytes, time) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (journal) DO UPDATE SET \
                     segment = excluded.segment, bytes = excluded.bytes, time = excluded.time \
                     WHERE (segment, bytes) <= (?5, ?6)";
const DAY_MS: u64 = 86_400_000;
/// The last day of the year 9999.
const LAST_DAY: u64 = 2_932_896;
