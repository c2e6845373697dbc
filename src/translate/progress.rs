//! What a translator or a tap reports after every push.
//!
//! Plain counts since the push before: the shell turns them into stamps and meters.

use crate::chat::usage::End;

/// What one push or finish brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Deltas (text, thinking, tool arguments) that this call passed on.
    pub deltas: u32,
    /// Events of the upstream that this call took in.
    pub events: u32,
    /// The first content has been passed on, now or before: an answer may be committed.
    pub content: bool,
    /// How the stream stands after this call.
    pub end: End,
}

impl Progress {
    /// A stream of which nothing has come yet.
    pub const START: Self = Self {
        deltas: 0,
        events: 0,
        content: false,
        end: End::Open,
    };
}
