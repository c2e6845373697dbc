//! How long the head of an answer is waited for, and how fast a stream must be: where another target
//! can take over.
//!
//! Not here: how long its first content is waited for, and the looking at its pace (see
//! `answer::opened`).

use core::pin::Pin;

use crate::net::runtime::clock::{self, Instant};
use crate::proxy::client::downstream::{Client, Interrupt};
use crate::proxy::shared::failure::{Failure, Kind};

/// How long an answer is waited for where another target can take over.
pub struct Patience<'p> {
    /// Until then.
    pub until: Instant,
    /// Whether there is such a target, and it is ready.
    pub may_move: &'p mut dyn FnMut() -> bool,
}

/// How many deltas a stream must bring in which time, from its first content on, before its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// So many.
    pub deltas: u64,
    /// In this time, at most.
    pub window_ms: u64,
}

impl Pace {
    /// The pace of so many deltas per second; none where any will do.
    #[must_use]
    pub fn new(rate_min: u64, window_ms: u64) -> Option<Self> {
        let deltas = rate_min.saturating_mul(window_ms).div_ceil(1_000);
        (rate_min > 0).then_some(Self { deltas, window_ms })
    }
}

/// How long the head of an answer is waited for.
pub struct Wait<'a, 'p> {
    /// In any case until then.
    pub until: Instant,
    /// Less where another target can take over.
    pub patience: Option<&'a mut Patience<'p>>,
}

impl Wait<'_, '_> {
    fn next_end(&self) -> Instant {
        let end = self.patience.as_ref().map(|patience| patience.until);
        end.map_or(self.until, |end| end.min(self.until))
    }

    /// What follows from its end, at `now`: nothing where it goes on.
    fn ended(&mut self, now: Instant) -> Option<Kind> {
        if now >= self.until {
            return Some(Kind::HeadTimeout);
        }
        let patience = self.patience.take()?;
        (patience.may_move)().then_some(Kind::FirstToken)
    }
}

/// Waits for the head of an answer, `reading` of which is under way.
///
/// # Errors
/// The failure of this attempt.
pub async fn await_head<F: Future<Output = Result<usize, Failure>>>(
    client: &mut Client,
    mut wait: Wait<'_, '_>,
    mut reading: Pin<&mut F>,
) -> Result<usize, Failure> {
    loop {
        client.deadline.set_at(wait.next_end());
        match client.watch(reading.as_mut()).await {
            Ok(result) => return result,
            Err(Interrupt::Expired) => {
                // An early head has gone out meanwhile: no other target takes over.
                if client.has_begun() {
                    wait.patience = None;
                }
                if let Some(kind) = wait.ended(clock::now()) {
                    return Err(Failure::new(kind));
                }
            }
            Err(interrupt) => return Err(interrupted(interrupt, Kind::HeadTimeout)),
        }
    }
}

/// The failure that follows where something is not waited for any longer.
#[must_use]
pub fn interrupted(interrupt: Interrupt, expired: Kind) -> Failure {
    Failure::new(match interrupt {
        Interrupt::Gone => Kind::ClientGone,
        Interrupt::Cut => Kind::DrainCut,
        Interrupt::Expired => expired,
    })
}
