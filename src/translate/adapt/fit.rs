//! What every step of fitting a request needs: the target, and where to note what was lost.

use crate::chat::error::Refusal;
use crate::chat::request::{Fate, Request};
use crate::translate::context::AnswerContext;
use crate::translate::models::ModelFacts;
use crate::translate::notes::Notes;
use crate::translate::setting::Hints;
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
                    return Err(Refusal::invalid(unsaid.name, text));
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
