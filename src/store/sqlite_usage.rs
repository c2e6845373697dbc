//! Usage records in a SQLite file.

use core::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql, params, params_from_iter};

use crate::store::error::StoreError;
use crate::store::sqlite::Sqlite;
use crate::store::usage_row::{RowId, UsageRow};
use crate::store::usage_sql::{Bound, COLUMNS, Cell, Statement, Words, columns};

/// Adds rows, in one step.
pub async fn add(sqlite: &Sqlite, rows: Vec<UsageRow>) -> Result<(), StoreError> {
    sqlite
        .call(move |connection| insert(connection, &rows))
        .await
}

fn insert(connection: &mut Connection, rows: &[UsageRow]) -> rusqlite::Result<()> {
    let change = connection.transaction()?;
    let marks: Vec<String> = (1..=COLUMNS).map(|at| format!("?{at}")).collect();
    let (columns, marks) = (columns(), marks.join(", "));
    let text = format!("INSERT INTO usage ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING");
    let mut added = change.prepare(&text)?;
    let mut spent = change.prepare(SPENT)?;
    for row in rows {
        let before: [&dyn ToSql; 2] = [&row.id, &row.time];
        let texts = row.texts.iter().map(|it| -> &dyn ToSql { it });
        let numbers = row.numbers.iter().map(|it| -> &dyn ToSql { it });
        let behind: [&dyn ToSql; 2] = [&row.estimated, &row.record];
        let all = before.into_iter().chain(texts).chain(numbers).chain(behind);
        let is_new = added.execute(params_from_iter(all))? > 0;
        if let (true, Some(nanos)) = (is_new, row.charged()) {
            let [tenant, key_id] = row.payers();
            spent.execute(params![row.day(), tenant, key_id, nanos])?;
        }
    }
    drop((added, spent));
    change.commit()
}

/// Rows of a statement. One that takes longer is given up.
pub async fn select(
    sqlite: &Sqlite,
    statement: Statement,
    within: Duration,
) -> Result<Vec<Vec<Cell>>, StoreError> {
    let work = move |connection: &mut Connection| {
        let mut prepared = connection.prepare(&statement.text)?;
        let count = prepared.column_count();
        let rows = prepared.query_map(params_from_iter(statement.values), |row| {
            (0..count).map(|at| row.get_ref(at).map(cell)).collect()
        })?;
        rows.collect()
    };
    sqlite.call_within(within, work).await
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

impl ToSql for Bound {
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
pub const WORDS: Words = Words {
    among: "id IN (SELECT unhex(value) FROM json_each($))",
    not_among: "id NOT IN (SELECT unhex(value) FROM json_each($))",
};
/// A sum that nobody can spend grows no further.
const SPENT: &str = "INSERT INTO spent (day, tenant, key_id, nanos) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET \
                     nanos = MIN(nanos, 4000000000000000000) + excluded.nanos";
