//! What every step of fitting a request needs: the target, and where to note what was lost.

use crate::chat::member::Member;
use crate::chat::rejection::Rejection;
use crate::chat::request::Request;
use crate::translate::answer_context::AnswerContext;
use crate::translate::models::ModelFacts;
use crate::translate::notes::Notes;
use crate::translate::request_context::Hints;
use crate::wire::codec;
use crate::wire::kind::Dialect;

/// What a target without a word for a member does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A hint is left out.
    Drop,
    /// It went on in another form already, which means less.
    Change,
    /// A contract is refused, for this reason.
    Refuse(&'static str),
}

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
            self.notes.changed(Member::MaxTokens);
        }
    }

    /// Does with what the request lists beyond the vocabulary as the target's table `verdict` says.
    ///
    /// # Errors
    /// For the first contract among it.
    pub fn judge(
        &mut self,
        request: &mut Request<'_>,
        verdict: fn(&Member) -> Verdict,
    ) -> Result<(), Rejection> {
        for member in core::mem::take(&mut request.members) {
            match verdict(&member) {
                Verdict::Drop => self.notes.dropped(member),
                Verdict::Change => self.notes.changed(member),
                Verdict::Refuse(reason) => {
                    return Err(codec::refuse_member(self.notes.client(), &member, reason));
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
