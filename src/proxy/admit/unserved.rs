//! Why a request was not answered by a provider, and what the client is told of a body that could
//! not be taken.

use crate::chat::error::{ErrorKind, Refusal};
use crate::http1::body::BodyFault;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::ingress::BodyRefusal;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply::{Denied, Refused};
use crate::proxy::shared::failure::{Failure, Kind};

/// Why a relayed request got no answer from a provider.
#[derive(Debug)]
pub enum Missed {
    /// Refused with a fixed text.
    Refused(Refused<'static>),
    /// Refused with a text made for it.
    Refusal(Refusal),
    /// Refused by policy.
    Denied(Denied),
    /// The attempt failed.
    Failure(Failure),
    /// The client left.
    Gone,
}

impl Missed {
    /// A fault of ours.
    #[must_use]
    pub const fn bug() -> Self {
        Self::Failure(Failure::new(Kind::Bug))
    }
}

impl Exchange<'_, '_> {
    /// Tells the client why its request was not relayed.
    pub async fn refuse_missed(&mut self, missed: Missed) -> Next {
        match missed {
            Missed::Gone => self.abandon(Kind::ClientGone),
            Missed::Failure(failure) => self.refuse_failure(&failure).await,
            Missed::Denied(denied) => self.refuse_denied(&denied).await,
            Missed::Refused(refused) => self.refuse(&refused).await,
            Missed::Refusal(refusal) => self.refuse(&Refused::of(&refusal, "refused")).await,
        }
    }

    /// Tells the client why its body could not be taken.
    pub async fn refuse_unread(&mut self, refusal: BodyRefusal) -> Next {
        match unread_refusal(refusal) {
            Some(refused) => self.refuse(&refused).await,
            None => self.abandon(Kind::ClientGone),
        }
    }
}

/// What a relayed body that cannot be taken means.
pub fn unread(refusal: BodyRefusal) -> Missed {
    unread_refusal(refusal).map_or(Missed::Gone, Missed::Refused)
}

/// What a client is told whose body could not be taken; nothing if it is gone.
fn unread_refusal(refusal: BodyRefusal) -> Option<Refused<'static>> {
    Some(match refusal {
        BodyRefusal::Gone => return None,
        BodyRefusal::TooSlow => {
            let message = "the request body came too slowly; send it again";
            Refused::new(ErrorKind::RequestTimeout, message, "slow_body")
        }
        BodyRefusal::NoRoom => {
            let message = "too many request bytes in flight; retry in a second";
            Refused::new(ErrorKind::Overloaded, message, "no_room").fields(b"retry-after: 1\r\n")
        }
        BodyRefusal::Fault(BodyFault::TooLarge) => {
            let message = "the request body is larger than this gateway takes";
            Refused::new(ErrorKind::TooLarge, message, "body_too_large")
        }
        BodyRefusal::Fault(fault) => {
            Refused::new(ErrorKind::InvalidRequest, fault.text(), "bad_framing")
        }
    })
}
