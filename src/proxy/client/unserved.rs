//! Why a request got no answer from a provider, and what its client is told of each reason.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::body::BodyFault;
use crate::proxy::client::ingress::BodyEnd;
use crate::proxy::shared::failure::{Failure, Kind};

/// Why a request got no answer from a provider.
#[derive(Debug)]
pub enum Unserved {
    /// It is rejected.
    Rejected(Rejection),
    /// The attempts failed.
    Failed(Failure),
    /// The client left.
    Gone,
}

impl Unserved {
    /// A fault of ours.
    #[must_use]
    pub const fn bug() -> Self {
        Self::Failed(Failure::new(Kind::Bug))
    }
}

impl From<Rejection> for Unserved {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<Failure> for Unserved {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What the client of a body that could not be taken in is told.
impl From<BodyEnd> for Unserved {
    fn from(refusal: BodyEnd) -> Self {
        let (kind, message, word) = match refusal {
            BodyEnd::Gone => return Self::Gone,
            BodyEnd::TooSlow => (
                ErrorKind::RequestTimeout,
                "the request body came too slowly; send it again",
                "slow_body",
            ),
            BodyEnd::NoRoom => {
                let message = "too many request bytes in flight; retry in a second";
                let rejection = Rejection::new(ErrorKind::Overloaded, message, "no_room");
                return Self::Rejected(rejection.try_again());
            }
            BodyEnd::Fault(BodyFault::TooLarge) => (
                ErrorKind::TooLarge,
                "the request body is larger than this gateway takes",
                "body_too_large",
            ),
            BodyEnd::Fault(fault) => (ErrorKind::InvalidRequest, fault.text(), "bad_framing"),
        };
        Self::Rejected(Rejection::new(kind, message, word))
    }
}
