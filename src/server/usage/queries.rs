//! Questions for usage records that the store answers, on the control thread: some at a time, over
//! connections of their own. What cannot be answered is dropped, and whoever asked says so.

use std::sync::Arc;
use std::time::Instant;

use futures_channel::mpsc;
use tokio::sync::Semaphore;

use crate::proxy::shared::query_slots::Owner;
use crate::proxy::shared::usage_channel::{PageQuestion, RecordQuestion, UsageQuestion};
use crate::server::key::key_sync::StoreHandle;
use crate::server::usage::journal_uploader::UploadCalls;
use crate::store::database::handle::Store;
use crate::store::database::postgres::QUESTION_CONNECTIONS;
use crate::store::error::StoreError;

/// What the task works with.
pub struct UsageQueries {
    /// The store, while there is one.
    pub governed: StoreHandle,
    /// What is asked.
    pub questions: mpsc::Receiver<UsageQuestion>,
    /// Brings what the journal holds to the store.
    pub calls: Arc<UploadCalls>,
}

impl UsageQueries {
    /// Runs until nobody can ask any more.
    pub async fn run(&mut self) {
        let works = Arc::new(Semaphore::new(QUESTION_CONNECTIONS));
        while let Ok(asked) = self.questions.recv().await {
            let Ok(store) = self.governed.store() else {
                continue;
            };
            let (works, calls) = (Arc::clone(&works), Arc::clone(&self.calls));
            // As many as may wait for an answer.
            tokio::spawn(async move {
                match asked {
                    UsageQuestion::Record(question) => {
                        answer_record(&store, question, &works).await
                    }
                    UsageQuestion::Page(question) => {
                        calls.all_in().await;
                        answer_page(&store, question, &works).await;
                    }
                }
            });
        }
    }
}

async fn answer_record(store: &Store, question: RecordQuestion, works: &Semaphore) {
    let permit = works.acquire().await;
    if permit.is_err() || question.reply.is_canceled() {
        return;
    }
    let id = question.id.to_be_bytes();
    if let Ok(found) = record(store, id, &question.owner).await {
        question.answer(found);
    }
}

async fn answer_page(store: &Store, mut question: PageQuestion, works: &Semaphore) {
    let permit = works.acquire().await;
    if permit.is_err() || question.reply.is_canceled() {
        return;
    }
    question.slot.begin(Instant::now());
    let page = store.usage_page(&question.listing).await;
    drop(question.slot);
    if let Ok(page) = page {
        let _ = question.reply.send(page);
    }
}

async fn record(store: &Store, id: [u8; 16], owner: &Owner) -> Result<Option<Vec<u8>>, StoreError> {
    let tenant = match owner {
        Owner::Anyone => None,
        Owner::Tenant(Some(tenant)) => Some(&**tenant),
        // With a store everybody has a tenant.
        Owner::Tenant(None) => return Ok(None),
    };
    let found = store.usage_record(id, tenant).await?;
    Ok(found.map(String::into_bytes))
}
