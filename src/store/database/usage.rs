//! Usage records in the store: added once each, looked up, listed and summed up.

use core::time::Duration;
use std::collections::HashSet;

use crate::govern::account::prior_spend::Spending;
use crate::govern::usage::aggregate::{Column, UsageAggregate, UsageSums, day_text};
use crate::govern::usage::listing::{Listing, RecordPage};
use crate::json::tape::Tape;
use crate::store::database::handle::Store;
use crate::store::database::sql::ANSWER_TIMEOUT;
use crate::store::database::usage_row::{RowId, UsageRow};
use crate::store::database::usage_sql::{self, Cell, Period, Statement};
use crate::store::database::{postgres_usage, sqlite_usage};
use crate::store::error::StoreError;
use crate::store::journal::identity::JournalId;
use crate::store::journal::tail::{Batch, JournalPosition};

impl Store {
    /// Adds records; those that are there already stay as they are. All of them are on the disk when
    /// this returns, or none, and with them the store knows up to where it has this journal. Gives the
    /// batch back, and how many of its records are ours; `None` where nothing was added, because the store
    /// has more of this journal than what lies before the batch.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn add_usage(
        &self,
        batch: Batch,
        journal: JournalId,
    ) -> Result<(Batch, Option<usize>), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite_usage::add(sqlite, batch, journal).await,
            Self::Postgres(postgres) => {
                let count = postgres_usage::add(postgres, &batch, journal).await?;
                Ok((batch, count))
            }
        }
    }

    /// A record by its id, of this tenant where one is given.
    ///
    /// # Errors
    /// The store cannot be used, or the row makes no sense.
    pub async fn usage_record(
        &self,
        id: RowId,
        tenant: Option<&str>,
    ) -> Result<Option<String>, StoreError> {
        let rows = self
            .select(usage_sql::one(id, tenant), READ_TIMEOUT)
            .await?;
        let record = rows.into_iter().flatten().next().and_then(Cell::text);
        match record {
            Some(record) if !UsageRow::is_whole(&record, id, &mut Tape::new()) => {
                Err(StoreError::down("the row of this record makes no sense"))
            }
            record => Ok(record),
        }
    }

    /// A page of records.
    ///
    /// # Errors
    /// The store cannot be used, or takes too long.
    pub async fn usage_page(&self, query: &Listing) -> Result<RecordPage, StoreError> {
        let count = query.count.saturating_add(1);
        let statement = usage_sql::page(&query.filter, query.behind, count);
        let mut rows = self.select(statement, READ_TIMEOUT).await?;
        let has_more = rows.len() > query.count;
        rows.truncate(query.count);
        let mut page = RecordPage::default();
        let mut last = None;
        let mut tape = Tape::new();
        for row in rows {
            let Ok([time, id, record]) = <[Cell; 3]>::try_from(row) else {
                continue;
            };
            let Some((time, id)) = time.whole().zip(id.id()) else {
                continue;
            };
            last = Some((time, id));
            let record = record.text();
            let record = record.filter(|record| UsageRow::is_whole(record, id, &mut tape));
            page.records.extend(record);
        }
        page.next = last.filter(|_| has_more);
        Ok(page)
    }

    /// Adds to a aggregate what all records come to but those with the ids in `besides`.
    ///
    /// # Errors
    /// The store cannot be used, or takes too long.
    pub async fn usage_sums(
        &self,
        aggregate: &mut UsageAggregate,
        besides: Vec<RowId>,
        within: Duration,
    ) -> Result<(), StoreError> {
        let columns = aggregate.columns().to_vec();
        let statement = usage_sql::sums(aggregate.filter(), &columns, besides, self.words());
        for row in self.select(statement, within).await? {
            let (group, sums) = row.split_at(columns.len());
            let group = group.iter().zip(&columns);
            let group: Vec<_> = group.map(|(cell, column)| name_of(cell, *column)).collect();
            let sums: Vec<u64> = sums.chunks(2).map(usage_sql::in_two).collect();
            if let Ok(sums) = sums.try_into() {
                let sums = UsageSums::of(sums);
                // Without columns there is one row even of no records.
                if sums.requests > 0 {
                    aggregate.add_sums(group, &sums);
                }
            }
        }
        Ok(())
    }

    /// Removes records from before a time, the oldest first, `count` at most; how many went. What they
    /// cost stays spent.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn forget_usage(&self, before_ms: u64, count: usize) -> Result<u64, StoreError> {
        self.change(usage_sql::forget(before_ms, count)).await
    }

    /// Removes sums of periods before this one, `count` at most; how many went.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn forget_spent(&self, before: Period, count: usize) -> Result<u64, StoreError> {
        self.change(usage_sql::forget_spent(before, count)).await
    }

    /// Removes the places of journals from which nothing has come since a time, `count` at most; how many
    /// went.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn forget_drained(&self, before_ms: u64, count: usize) -> Result<u64, StoreError> {
        self.change(usage_sql::forget_drained(before_ms, count))
            .await
    }

    /// Up to where the store has a journal, where it has any of it.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn drained(&self, journal: JournalId) -> Result<Option<JournalPosition>, StoreError> {
        let rows = self.fetch(usage_sql::drained(journal)).await?;
        let place = rows.first().and_then(|row| {
            Some(JournalPosition {
                number: row.first()?.whole()?,
                offset: row.get(1)?.whole()?,
            })
        });
        Ok(place)
    }

    /// Says up to where the store has a journal, whatever it held before.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn set_drained(
        &self,
        journal: JournalId,
        place: JournalPosition,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let set = self.change(usage_sql::set_drained(journal, place, now_ms));
        set.await.map(|_| ())
    }

    /// Those of these ids that the store has.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn known_usage(&self, ids: Vec<RowId>) -> Result<HashSet<RowId>, StoreError> {
        let statement = usage_sql::known(ids, self.words());
        let rows = self.fetch(statement).await?;
        Ok(rows.iter().flatten().filter_map(Cell::id).collect())
    }

    /// A page of what was spent in a period, by tenant and key: at most `count` sums, behind a tenant and
    /// key where they are given.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn spent(
        &self,
        period: Period,
        behind: Option<&(String, String)>,
        count: usize,
    ) -> Result<Vec<Spending>, StoreError> {
        let rows = self.fetch(usage_sql::spent(period, behind, count)).await?;
        let rows = rows.into_iter().filter_map(|row| {
            let [tenant, key_id, nanos] = row.try_into().ok()?;
            Some(Spending {
                tenant: tenant.text()?,
                key_id: key_id.text()?,
                // One that a hand has made negative.
                nanos: nanos.whole().unwrap_or(0),
            })
        });
        Ok(rows.collect())
    }

    async fn select(
        &self,
        statement: Statement,
        within: Duration,
    ) -> Result<Vec<Vec<Cell>>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite_usage::select(sqlite, statement, within).await,
            Self::Postgres(postgres) => {
                postgres_usage::select(&postgres.questions, &statement, within).await
            }
        }
    }

    /// Rows of a statement for delivery, which waits for nobody's question.
    async fn fetch(&self, statement: Statement) -> Result<Vec<Vec<Cell>>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite_usage::fetch(sqlite, statement).await,
            Self::Postgres(postgres) => {
                postgres_usage::select(&postgres.delivery, &statement, ANSWER_TIMEOUT).await
            }
        }
    }

    async fn change(&self, statement: Statement) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite_usage::change(sqlite, statement).await,
            Self::Postgres(postgres) => postgres_usage::change(postgres, &statement).await,
        }
    }

    const fn words(&self) -> usage_sql::SqlDialect {
        match self {
            Self::Sqlite(_) => sqlite_usage::WORDS,
            Self::Postgres(_) => postgres_usage::WORDS,
        }
    }
}

/// What a group is called in a column.
fn name_of(cell: &Cell, column: Column) -> Option<String> {
    match column {
        Column::Day => day_text(cell.whole()?.saturating_mul(DAY_MS)),
        _ => cell.clone().text(),
    }
}

const DAY_MS: u64 = 86_400_000;
/// Longest wait for what somebody asks: nobody's question keeps the store from others for longer.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
