//! A committed answer on its way to the client, read by read.
//!
//! One turn: what a read delivered is transformed and written at once in one write, while the next
//! read is already pending (see `opened`). A break is told in the client's wire and the connection is
//! aborted, never ended as if all were well.
//!
//! A drop at any await leaves two connections that must be closed.

use crate::proxy::answer::stages::{Answer, Opened};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::next::Next;
use crate::proxy::shared::health::Slot;

mod end;

/// What an exchange comes to: over, or an answer that has been committed and still runs.
pub enum Step<'w> {
    /// All is said.
    Over(Next),
    /// The relay of an answer, to be run where nothing of the request is held any more.
    Relay(Relay<'w>),
}

/// A committed answer.
pub struct Relay<'w>(Box<Answer<'w, Opened<'w>>>);

impl<'w> Relay<'w> {
    /// Commits an answer: its bytes go to the client from here on.
    #[must_use]
    pub const fn new(answer: Box<Answer<'w, Opened<'w>>>) -> Self {
        Self(answer)
    }

    /// Whether this is a stream of events in which the gateway may have a say.
    #[must_use]
    pub const fn is_stream(&self) -> bool {
        self.0.stage.transforms.mode.is_stream()
    }

    /// Names the target whose circuit this answer closes, or opens, once it is known to be good or
    /// not, and whose pace it tells.
    pub fn judges(&mut self, slot: Slot) {
        self.0.stage.slot = Some(slot);
    }

    /// Lets go of what only the answer's head needed.
    pub fn forget_head(&mut self) {
        self.0.stage.source.forget_head(self.0.worker);
    }

    /// Runs the answer to its end.
    pub async fn run(self, exchange: &mut Exchange<'_, '_>) -> Next {
        let mut answer = self.0;
        while !answer.is_over() {
            if answer.stage.progress.content {
                answer.judge(None, &exchange.record);
            }
            if let Err(kind) = answer.turn(exchange, true).await {
                return answer.client_lost(kind, &mut exchange.record);
            }
            answer.digest(&mut exchange.record);
        }
        answer.finish(exchange).await
    }
}
