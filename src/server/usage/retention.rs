//! What the store is rid of because of its age, on the control thread: usage records that are older than
//! they are to be kept, sums that no running day or month needs, places of journals that are gone.
//!
//! Some hundred go at a time, so that nothing else waits long for the store. One that it cannot remove now
//! it removes later. Of several replicas each looks; a row goes once.

use core::time::Duration;

use tokio::time::sleep;

use crate::govern::account::usage::{day_of, month_of};
use crate::net::runtime::clock::checked_now_ms;
use crate::server::key::key_sync::StoreHandle;
use crate::store::database::usage_sql::Period;
use crate::store::error::StoreError;

/// What the task works with.
pub struct Retention {
    /// For how long records are kept; without an end where it says nothing.
    pub keep_ms: Option<u64>,
    /// The store, while there is one.
    pub governed: StoreHandle,
}

impl Retention {
    /// For records that are kept so many days, or for ever.
    #[must_use]
    pub fn new(keep_days: Option<u64>, governed: StoreHandle) -> Self {
        Self {
            keep_ms: keep_days.map(|days| days.saturating_mul(DAY_MS)),
            governed,
        }
    }

    /// Runs for ever.
    pub async fn run(&self) {
        loop {
            sleep(match self.forget().await {
                Ok(true) => BREATH,
                Ok(false) => LOOK,
                // The task that follows the keys reports when the store is unreachable.
                Err(_) => RETRY,
            })
            .await;
        }
    }

    /// Removes what is too old, of each kind up to a bound; whether there may be more.
    async fn forget(&self) -> Result<bool, StoreError> {
        let store = self.governed.store_of_records()?;
        let now = checked_now_ms();
        let mut most = 0;
        if let Some(keep_ms) = self.keep_ms {
            let before_ms = now.saturating_sub(keep_ms);
            most = store.forget_usage(before_ms, AT_ONCE).await?;
        }
        let day = day_of(now).saturating_sub(DAYS_KEPT);
        let month = month_of(now).saturating_sub(MONTHS_KEPT);
        for period in [Period::Day(day), Period::Month(month)] {
            most = most.max(store.forget_spent(period, AT_ONCE).await?);
        }
        let before_ms = now.saturating_sub(PLACES_KEPT_MS);
        most = most.max(store.forget_drained(before_ms, AT_ONCE).await?);
        Ok(most >= AT_ONCE as u64)
    }
}

const DAY_MS: u64 = 86_400_000;
/// Whole days whose sums are kept beside today's: replicas' clocks differ, and one may be set back.
const DAYS_KEPT: u64 = 7;
/// Whole months, likewise.
const MONTHS_KEPT: u64 = 1;
/// How long the place of a journal is kept from which nothing comes.
const PLACES_KEPT_MS: u64 = 90 * DAY_MS;
/// Rows that are removed together.
const AT_ONCE: usize = 500;
/// Between two of such.
const BREATH: Duration = Duration::from_millis(50);
/// Between two tries at a store that is away.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks for what has become too old.
const LOOK: Duration = Duration::from_mins(1);
