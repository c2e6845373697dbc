//! Questions for usage records that the store answers, on the control thread: one after the other,
//! so that those who ask do not hold the store up. What cannot be answered is dropped, and whoever
//! asked says so.

use futures_channel::mpsc;
use std::sync::Arc;

use crate::govern::listing::{Listing, Page};
use crate::proxy::ledger::{Asked, Owner};
use crate::server::drain::Calls;
use crate::server::governor::Governed;
use crate::store::error::StoreError;
use crate::store::handle::Store;

/// What the task works with.
pub struct Clerk {
    /// The store, while there is one.
    pub governed: Governed,
    /// What is asked.
    pub questions: mpsc::Receiver<Asked>,
    /// Brings what the journal holds to the store.
    pub calls: Arc<Calls>,
}

impl Clerk {
    /// Runs until nobody can ask any more.
    pub async fn run(&mut self) {
        while let Ok(asked) = self.questions.recv().await {
            let Ok(store) = self.governed.store() else {
                continue;
            };
            match asked {
                Asked::Record(question) => {
                    if question.reply.is_canceled() {
                        continue;
                    }
                    let id = question.id.to_be_bytes();
                    if let Ok(found) = record(&store, id, &question.owner).await {
                        let _ = question.reply.send(found);
                    }
                }
                Asked::Page(question) => {
                    if question.reply.is_canceled() {
                        continue;
                    }
                    self.calls.all_in().await;
                    if let Ok(page) = page(&store, &question.listing).await {
                        let _ = question.reply.send(page);
                    }
                }
            }
        }
    }
}

async fn record(
    store: &Arc<Store>,
    id: [u8; 16],
    owner: &Owner,
) -> Result<Option<Vec<u8>>, StoreError> {
    let tenant = match owner {
        Owner::Anyone => None,
        Owner::Tenant(Some(tenant)) => Some(&**tenant),
        // With a store everybody has a tenant.
        Owner::Tenant(None) => return Ok(None),
    };
    let found = store.usage_record(id, tenant).await?;
    Ok(found.map(String::into_bytes))
}

async fn page(store: &Arc<Store>, listing: &Listing) -> Result<Page, StoreError> {
    store.usage_page(listing).await
}
