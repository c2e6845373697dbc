//! What was spent before the start, from the journal and from the store, each charge once.
//!
//! The journal is there at the start; the store may come later. What the journal holds may be in the
//! store's sums as well. What lies before the place up to which the journal was drained is, even where
//! its record was removed there because of its age. For what lies behind it the store is asked, by ids,
//! before its sums are believed. Nobody else brings these records to the store, and nobody begins before
//! that.
//!
//! The store's sums are read by pages, one for each tenant and key that has spent in the day or the month,
//! however many records there are.

use std::collections::{HashMap, HashSet};
use std::io;

use crate::govern::account::prior_spend::{PriorCharge, PriorSpend, Spending};
use crate::govern::account::usage::{day_of, month_of};
use crate::json::tape::Tape;
use crate::store::database::handle::Store;
use crate::store::database::usage_row::{RowId, UsageRow};
use crate::store::database::usage_sql::Period;
use crate::store::error::StoreError;
use crate::store::journal::identity::JournalId;
use crate::store::journal::segments::{Journal, JournalSegment, read_placed};
use crate::store::journal::tail::JournalPosition;

/// What the store is yet to be asked.
#[derive(Debug)]
pub struct PriorSpendQuery {
    journal: JournalId,
    /// The place that the journal's folder keeps.
    kept: JournalPosition,
    /// The end of the journal at the start.
    end: JournalPosition,
    /// Charges of the journal of which it is not known whether the store has them.
    open: Vec<OpenCharge>,
    /// Tenants and keys of these.
    payers: Vec<(String, String)>,
    /// What the store knows of the journal's charges.
    twice: PriorSpend,
    /// What the store's sums came to so far.
    sums: PriorSpend,
    /// How far they were read.
    read: Reading,
}

/// A charge of the journal behind the place that its folder keeps.
#[derive(Debug)]
struct OpenCharge {
    place: JournalPosition,
    id: RowId,
    day: u64,
    nanos: u64,
    /// Index of its tenant and key.
    payer: usize,
}

/// How far the store was asked.
#[derive(Clone, Debug, Default)]
enum Reading {
    /// Not even up to where it has the journal.
    #[default]
    Place,
    /// For ids that are open.
    Ids,
    /// For the sums of the month behind this tenant and key.
    Month(Option<(String, String)>),
    /// Likewise for those of the day.
    Day(Option<(String, String)>),
    /// For all.
    Over,
}

impl PriorSpendQuery {
    /// What the journal says was spent, and what remains to be asked. What lies before the place that its
    /// folder keeps is in the store.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(journal: &Journal, unix_ms: u64) -> io::Result<(PriorSpend, Self)> {
        let mut past = PriorSpend::new(unix_ms);
        let first = past.first_day();
        let segments: Vec<JournalSegment> = journal.segments().collect();
        let kept = JournalPosition::load(journal.folder(), &segments);
        let mut memory = Self {
            journal: journal.identity(),
            kept,
            end: JournalPosition::end_of(journal),
            open: Vec::new(),
            payers: Vec::new(),
            twice: PriorSpend::new(unix_ms),
            sums: PriorSpend::new(unix_ms),
            read: Reading::default(),
        };
        let (mut seen, mut tape) = (HashSet::new(), Tape::new());
        let mut payers = HashMap::new();
        read_placed(journal.folder(), |record, (number, offset)| {
            let row = UsageRow::read(record, &mut tape);
            let charge = row.as_ref().and_then(charge).filter(|it| it.day >= first);
            if let (Some(row), Some(charge)) = (row, charge)
                && seen.insert(row.id)
            {
                past.add(&charge);
                let place = JournalPosition { number, offset };
                match place <= kept {
                    true => memory.twice.add(&charge),
                    false => memory.note(place, row.id, charge, &mut payers),
                }
            }
        })?;
        Ok((past, memory))
    }

    fn note(
        &mut self,
        place: JournalPosition,
        id: RowId,
        charge: PriorCharge,
        payers: &mut HashMap<(String, String), usize>,
    ) {
        let PriorCharge { day, nanos, .. } = charge;
        let payer = (charge.tenant, charge.key_id);
        let payer = *payers.entry(payer).or_insert_with_key(|payer| {
            self.payers.push(payer.clone());
            self.payers.len() - 1
        });
        self.open.push(OpenCharge {
            place,
            id,
            day,
            nanos,
            payer,
        });
    }

    /// What the store knows beside. Given up and begun again, it goes on where it was.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn ask(&mut self, store: &Store) -> Result<PriorSpend, StoreError> {
        loop {
            self.read = match self.read.clone() {
                Reading::Place => self.ask_place(store).await?,
                Reading::Ids => self.ask_ids(store).await?,
                Reading::Month(behind) => {
                    let month = month_of(self.sums.unix_ms());
                    let page = store.spent(Period::Month(month), behind.as_ref(), SUMS_AT_ONCE);
                    let (page, behind) = behind_page(page.await?);
                    page.iter().for_each(|sum| self.sums.add_month(sum));
                    match behind {
                        Some(behind) => Reading::Month(Some(behind)),
                        None => Reading::Day(None),
                    }
                }
                Reading::Day(behind) => {
                    let day = day_of(self.sums.unix_ms());
                    let page = store.spent(Period::Day(day), behind.as_ref(), SUMS_AT_ONCE);
                    let (page, behind) = behind_page(page.await?);
                    page.iter().for_each(|sum| self.sums.add_day(sum));
                    match behind {
                        Some(behind) => Reading::Day(Some(behind)),
                        None => Reading::Over,
                    }
                }
                Reading::Over => {
                    let mut past = self.sums.clone();
                    past.take_all_back(&self.twice);
                    return Ok(past);
                }
            }
        }
    }

    /// Sorts out what the store has by the place up to which it has the journal.
    async fn ask_place(&mut self, store: &Store) -> Result<Reading, StoreError> {
        let stored = store.drained(self.journal).await?;
        let drained = JournalPosition::drained(self.kept, stored, self.end);
        let open = core::mem::take(&mut self.open);
        let (known, open) = open.into_iter().partition(|it| it.place <= drained);
        self.open = open;
        self.both_have(known);
        Ok(Reading::Ids)
    }

    async fn ask_ids(&mut self, store: &Store) -> Result<Reading, StoreError> {
        let from = self.open.len().saturating_sub(IDS_AT_ONCE);
        let asked = self.open.get(from..).unwrap_or_default();
        if asked.is_empty() {
            return Ok(Reading::Month(None));
        }
        let known = store
            .known_usage(asked.iter().map(|it| it.id).collect())
            .await?;
        let mut asked = self.open.split_off(from);
        asked.retain(|it| known.contains(&it.id));
        self.both_have(asked);
        Ok(Reading::Ids)
    }

    /// Journal and store both have these.
    fn both_have(&mut self, charges: Vec<OpenCharge>) {
        for it in charges {
            let (tenant, key_id) = self.payers.get(it.payer).cloned().unwrap_or_default();
            self.twice.add(&PriorCharge {
                day: it.day,
                tenant,
                key_id,
                nanos: it.nanos,
            });
        }
    }
}

/// A page and where the next one begins, if there may be one.
fn behind_page(page: Vec<Spending>) -> (Vec<Spending>, Option<(String, String)>) {
    let last = page.last().filter(|_| page.len() >= SUMS_AT_ONCE);
    let behind = last.map(|it| (it.tenant.clone(), it.key_id.clone()));
    (page, behind)
}

fn charge(row: &UsageRow<'_>) -> Option<PriorCharge> {
    let (day, tenant, key_id) = row.payer();
    Some(PriorCharge {
        day: u64::try_from(day).ok()?,
        tenant: tenant.into_owned(),
        key_id: key_id.into_owned(),
        nanos: u64::try_from(row.charged()?).ok()?,
    })
}

/// Ids that are asked for together.
const IDS_AT_ONCE: usize = 10_000;
/// Sums that are read together.
const SUMS_AT_ONCE: usize = 10_000;
