//! What a request is expected to take, before anybody knows: what is reserved for it, and by what
//! targets are compared that have a price.

use crate::govern::estimate::input_tokens;
use crate::route::plan::Plan;
use crate::wire::peeked::Peek;

/// Tokens that a request is expected to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Of its input.
    pub input: u64,
    /// Of one answer, by what the request allows.
    said: Option<u64>,
    /// The same where it says nothing.
    unsaid: u64,
    /// Answers that it asks for.
    choices: u64,
}

impl Expected {
    /// What a body asks for.
    #[must_use]
    pub fn new(plan: &Plan, body: &[u8], peek: &Peek) -> Self {
        Self {
            input: input_tokens(body),
            said: peek.max_tokens(body),
            unsaid: plan.budgets.output_tokens_reserved,
            choices: peek.choices(body),
        }
    }

    /// Of its output, from models that give no more than `most` tokens at a time.
    #[must_use]
    pub fn output(&self, most: Option<u32>) -> u64 {
        let one = match (self.said, most) {
            (Some(said), Some(most)) => said.min(u64::from(most)),
            (Some(said), None) => said,
            (None, _) => self.unsaid,
        };
        one.saturating_mul(self.choices)
    }
}
