//! What every step of fitting a request needs: the target, and where to note what was lost.

use crate::chat::error::Refusal;
use crate::chat::request::{Fate, Request};
use crate::translate::context::AnswerContext;
use crate::translate::models::ModelFacts;
use crate::translate::notes::Notes;
use crate::translate::setting::Hints;
use crate::wire::anthropic::error::THREAD_UNSUPPORTED;
use crate::wire::kind::Dialect;

/// The target of a request, and what is learned on the way.
#[derive(Debug)]
pub struct Fit<'c> {
    /// The upstream's quirks.
    pub dialect: &'c Dialect,
    /// What the model takes.
    pub facts: &'c ModelFacts,
    /// What the request's head asked for.
    pub hints: Hints<'c>,
    /// What was dropped or changed.
    pub notes: Notes,
    /// What the answer's translation must know.
    pub answer: AnswerContext,
}

impl Fit<'_> {
    /// Lowers the output limit to what the model gives at most: more is refused.
    pub fn output_limit(&mut self, request: &mut Request<'_>) {
        let Some(max) = self.facts.output_tokens_max else {
            return;
        };
        if request
            .max_tokens
            .is_some_and(|tokens| tokens > u64::from(max))
        {
            request.max_tokens = Some(u64::from(max));
            self.notes.changed("max_tokens");
        }
    }

    /// Notes what the reader found no word for.
    ///
    /// # Errors
    /// For the first contract among it.
    pub fn unsaid(&mut self, request: &mut Request<'_>) -> Result<(), Refusal> {
        for unsaid in core::mem::take(&mut request.unsaid) {
            match unsaid.fate {
                Fate::Dropped => self.notes.dropped(unsaid.name),
                Fate::Changed => self.notes.changed(unsaid.name),
                Fate::Refused(reason) => {
                    let text = format!("{}: {reason}", unsaid.name);
                    let code = (unsaid.name == "thread").then_some(THREAD_UNSUPPORTED);
                    let refusal = Refusal::invalid(unsaid.name, text);
                    return Err(Refusal { code, ..refusal });
                }
            }
        }
        Ok(())
    }
}

/// A number as it is compared; the digits are what is sent.
#[must_use]
pub fn value_of(digits: &str) -> f64 {
    digits.parse().unwrap_or(0.0)
}
