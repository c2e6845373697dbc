//! What a request is expected to take, before anybody knows: what is reserved for it, and by what
//! targets are compared that have a price.

use memchr::memmem;

use crate::govern::value::estimate::input_tokens;
use crate::govern::value::price::Asks;
use crate::route::plan::compiled::Plan;
use crate::wire::peek::found::Peek;

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

/// What a body may ask for that costs more than text. It is looked for by its bytes, which may stand in
/// any text: then a little more is reserved.
#[must_use]
pub fn asks(body: &[u8]) -> Asks {
    let has = |word: &[u8]| memmem::find(body, word).is_some();
    Asks {
        // As Anthropic says it, and what becomes of OpenAI's longest.
        hour: has(b"\"1h\"") || has(b"\"12h\""),
        audio: has(b"audio\""),
    }
}

/// How many images, documents and recordings a body carries, and their bytes.
#[must_use]
pub const fn pieces(peek: &Peek) -> (u64, usize) {
    let media = peek.media();
    (media.count, media.bytes)
}

impl Expected {
    /// What a body asks for.
    #[must_use]
    pub fn new(plan: &Plan, body: &[u8], peek: &Peek) -> Self {
        Self {
            input: input_tokens(body, pieces(peek)),
            said: peek.max_tokens(body),
            unsaid: plan.budgets.output_tokens_reserved,
            choices: peek.choices(body),
        }
    }

    /// What a relayed body asks for that takes so many tokens of input.
    #[must_use]
    pub fn relayed(plan: &Plan, input: u64, (said, choices): (Option<u64>, u64)) -> Self {
        Self {
            input,
            said,
            unsaid: plan.budgets.output_tokens_reserved,
            choices,
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
