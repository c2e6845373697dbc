//! What was spent before the start and only the store knows, on the control thread: asked for where the
//! store did not answer in time at the start.
//!
//! Keys are followed meanwhile. Records are neither delivered nor removed before this is over: what the
//! journal holds would be counted twice, or asked for in vain.

use core::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::govern::account::prior_spend::PriorSpend;
use crate::server::key::key_sync::StoreHandle;
use crate::store::prior_spend::PriorSpendQuery;

/// What the task works with.
pub struct PriorSpendTask {
    /// What is yet to be asked; it goes on where it was.
    pub memory: PriorSpendQuery,
    /// The store, while there is one.
    pub governed: StoreHandle,
    /// Where the answer goes.
    pub pasts: mpsc::Sender<PriorSpend>,
}

impl PriorSpendTask {
    /// Runs until the store has answered.
    pub async fn run(&mut self) {
        loop {
            if let Ok(store) = self.governed.store()
                && let Ok(past) = self.memory.ask(&store).await
            {
                // Whoever takes it runs for as long as this.
                let _ = self.pasts.send(past).await;
                return;
            }
            // The task that follows the keys reports when the store is unreachable.
            sleep(RETRY).await;
        }
    }
}

/// Between two tries at a store that is away or slow.
const RETRY: Duration = Duration::from_millis(250);
