//! A whole answer in the client's wire, its memory charged before it is written.

use crate::limits::{KIB, Limits};
use crate::proxy::shared::failure::Failure;
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::Worker;
use crate::translate::answer_context::AnswerContext;
use crate::translate::response::{self, AnswerFacts, AnswerFault};
use crate::wire::kind::Wire;

/// The answer of the first wire in the second, beside what it says, or why it is none. Twice the
/// body's length is charged first and does for nearly all answers; what needs more is written anew.
///
/// # Errors
/// The memory budget is full.
pub(super) fn write(
    wires: (Wire, Wire),
    body: &[u8],
    context: &AnswerContext,
    (worker, limits): (&Worker, &Limits),
    charge: &mut Charge,
) -> Result<(Vec<u8>, Result<AnswerFacts, AnswerFault>), Failure> {
    let mut tape = worker.tape.borrow_mut();
    let mut answer = Vec::with_capacity(body.len() + 256);
    let mut growth = GROWTH;
    loop {
        let room = body.len().saturating_mul(growth).saturating_add(KIB);
        let bounds = Limits {
            answer_bytes_max: room.min(limits.answer_bytes_max),
            ..limits.clone()
        };
        charge.hold(body.len().saturating_add(bounds.answer_bytes_max))?;
        let told = response::translate(wires, body, context, &mut tape, &bounds, &mut answer);
        if told != Err(AnswerFault::TooLong) || room >= limits.answer_bytes_max {
            return Ok((answer, told));
        }
        growth = growth.saturating_mul(GROWTH * GROWTH);
    }
}

/// How many times its own length a whole answer is expected to have in the client's wire, at most.
const GROWTH: usize = 2;
