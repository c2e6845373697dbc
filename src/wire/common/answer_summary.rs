//! What a whole answer says of itself, whichever wire it is of.

use crate::chat::usage::{StopReason, Usage};
use crate::json::raw::Raw;

/// Usage, stop reason and model, as far as an answer says them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'t> {
    /// Token counts.
    pub usage: Usage,
    /// Why the model stopped; nothing if the document is no answer.
    pub stop: Option<StopReason>,
    /// The model as it names itself.
    pub model: Option<Raw<'t>>,
}
