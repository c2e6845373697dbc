//! The codecs' work as cases: each timed by `codecs` and counted by `instructions`.
//!
//! What comes as a stream is told per event, everything else per head, body or answer.

pub(crate) mod case;
pub(crate) mod framing;
pub(crate) mod json;
pub(crate) mod shapes;
pub(crate) mod streams;

mod answers;
mod bodies;
mod requests;

use case::Case;

/// Every case, in the order of a request's life.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = framing::cases();
    cases.extend(json::cases());
    cases.extend(requests::cases());
    cases.extend(streams::cases());
    cases.extend(answers::cases());
    cases
}
