//! Usage records that are older than they are to be kept, on the control thread.
//!
//! Some hundred go at a time, so that nothing else waits long for the store. One that it cannot remove now
//! it removes later. Of several replicas each looks; a record goes once.

use core::time::Duration;

use tokio::time::sleep;

use crate::net::clock::unix_millis;
use crate::server::governor::Governed;
use crate::store::error::StoreError;

/// What the task works with.
pub struct Retention {
    /// For how long records are kept.
    pub keep_ms: u64,
    /// The store, while there is one.
    pub governed: Governed,
}

impl Retention {
    /// For records that are kept so many days.
    #[must_use]
    pub const fn new(keep_days: u64, governed: Governed) -> Self {
        Self {
            keep_ms: keep_days.saturating_mul(DAY_MS),
            governed,
        }
    }

    /// Runs for ever.
    pub async fn run(&self) {
        loop {
            sleep(match self.forget().await {
                Ok(true) => BREATH,
                Ok(false) => LOOK,
                // The governor says when it is away.
                Err(_) => RETRY,
            })
            .await;
        }
    }

    /// Removes what is too old, up to a bound; whether there may be more.
    async fn forget(&self) -> Result<bool, StoreError> {
        let store = self.governed.store()?;
        let before_ms = unix_millis().saturating_sub(self.keep_ms);
        let gone = store.forget_usage(before_ms, AT_ONCE).await?;
        Ok(gone >= AT_ONCE as u64)
    }
}

const DAY_MS: u64 = 86_400_000;
/// Records that are removed together.
const AT_ONCE: usize = 500;
/// Between two of such.
const BREATH: Duration = Duration::from_millis(50);
/// Between two tries at a store that is away.
const RETRY: Duration = Duration::from_secs(1);
/// Between two looks for what has become too old.
const LOOK: Duration = Duration::from_mins(1);
