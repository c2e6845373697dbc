//! What was spent before the start, from the journal and from the store, each charge once.
//!
//! The journal is there at the start; the store may come later. What the journal holds may be in the
//! store's sums as well. What lies before the place up to which the journal was drained is, even where
//! its record was removed there because of its age. For what lies behind it the store is asked, by ids,
//! before its sums are believed. Nobody else brings these records to the store, and nobody begins before
//! that.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use crate::govern::past::{Charge, Past};
use crate::json::tape::Tape;
use crate::store::error::StoreError;
use crate::store::handle::Store;
use crate::store::segments::read_placed;
use crate::store::tail::Place;
use crate::store::usage_row::{RowId, UsageRow};

/// What the store is yet to be asked.
#[derive(Debug)]
pub struct Memory {
    unix_ms: u64,
    /// Charges of the journal of which it is not known whether the store has them.
    open: Vec<(RowId, Charge)>,
    /// Those that it has.
    twice: Vec<Charge>,
}

impl Memory {
    /// What the journal says was spent, and what remains to be asked. What lies before `drained` is in
    /// the store.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(folder: &Path, unix_ms: u64, drained: Place) -> io::Result<(Past, Self)> {
        let mut past = Past::new(unix_ms);
        let first = past.first_day();
        let (mut open, mut twice) = (Vec::new(), Vec::new());
        let (mut seen, mut tape) = (HashSet::new(), Tape::new());
        read_placed(folder, |record, (number, offset)| {
            let row = UsageRow::read(record, &mut tape);
            let charge = row.as_ref().and_then(charge).filter(|it| it.day >= first);
            if let (Some(row), Some(charge)) = (row, charge)
                && seen.insert(row.id)
            {
                past.add(&charge);
                match (Place { number, offset }) <= drained {
                    true => twice.push(charge),
                    false => open.push((row.id, charge)),
                }
            }
        })?;
        let memory = Self {
            unix_ms,
            open,
            twice,
        };
        Ok((past, memory))
    }

    /// What the store knows beside. Given up and begun again, it goes on where it was.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn ask(&mut self, store: &Store) -> Result<Past, StoreError> {
        while !self.open.is_empty() {
            let from = self.open.len().saturating_sub(IDS_AT_ONCE);
            let asked = self.open.get(from..).unwrap_or_default();
            let ids: Vec<RowId> = asked.iter().map(|(id, _)| *id).collect();
            let known = store.known_usage(ids).await?;
            let asked = self.open.drain(from..);
            let asked = asked.filter(|(id, _)| known.contains(id));
            self.twice.extend(asked.map(|(_, charge)| charge));
        }
        let mut past = Past::new(self.unix_ms);
        for charge in store.spent_since(past.first_day()).await? {
            past.add(&charge);
        }
        for charge in &self.twice {
            past.take_back(charge);
        }
        Ok(past)
    }
}

fn charge(row: &UsageRow<'_>) -> Option<Charge> {
    let (day, tenant, key_id) = row.payer();
    Some(Charge {
        day: u64::try_from(day).ok()?,
        tenant: tenant.into_owned(),
        key_id: key_id.into_owned(),
        nanos: u64::try_from(row.charged()?).ok()?,
    })
}

/// Ids that are asked for together.
const IDS_AT_ONCE: usize = 10_000;
