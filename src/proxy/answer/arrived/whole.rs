//! A whole answer in the client's wire: read to its end, its memory charged before it is written.

use core::future::poll_fn;
use core::pin::pin;

use crate::http1::body::BodyEnd;
use crate::limits::{KIB, Limits};
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, clock};
use crate::proxy::answer::relay::Step;
use crate::proxy::answer::stages::{Answer, Arrived};
use crate::proxy::client::downstream::Client;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::Worker;
use crate::proxy::upstream::attempt;
use crate::proxy::upstream::stream_timeouts::interrupted;
use crate::translate::answer_context::AnswerContext;
use crate::translate::response::{self, AnswerFacts, AnswerFault};
use crate::wire::kind::Wire;

impl<'w> Answer<'w, Arrived<'w>> {
    /// Reads the answer, translates it and writes it.
    pub(super) async fn translate_whole(
        mut self,
        context: &AnswerContext,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let limits = self.worker.limits();
        let mut charge = self.charge();
        let mut body = self
            .read_whole(exchange.client, limits.answer_bytes_max, &mut charge)
            .await?;
        if let Some(scrubber) = &self.stage.scrubber {
            scrubber.blank(&mut body);
        }
        let at = (self.worker, limits);
        let told = write(self.wires(), &body, context, at, &mut charge);
        self.worker.thread.shrink();
        let (mut answer, facts) = told?;
        let mut facts = match facts {
            Ok(facts) => facts,
            Err(fault) => {
                let failure = Failure::with_detail(Kind::NotAnAnswer, fault.text());
                let told = self.no_answer(&body, failure, exchange);
                return boxed(|| told).await;
            }
        };
        drop(body);
        charge.hold(answer.capacity())?;
        if let Some(scrubber) = &self.stage.scrubber {
            // What was told by escapes is plain now.
            scrubber.blank(&mut answer);
            scrubber.clean_model(&mut facts.model);
        }
        let notes = core::mem::take(&mut self.stage.terms.notes);
        self.stage.terms.notes = self.note_facts(notes, facts, &mut exchange.record);
        let fields = self.told_fields(false, &exchange.reply);
        let next = exchange.send_json_with(&fields, &answer).await;
        attempt::release(self.worker, self.stage.upstream, clock::now());
        Ok(Step::Over(next))
    }

    /// Reads a whole body; of one that is too long for its bound, nothing.
    pub(super) async fn read_whole(
        &mut self,
        client: &mut Client,
        bytes_max: usize,
        charge: &mut Charge,
    ) -> Result<Vec<u8>, Failure> {
        let is_refusal = self.stage.upstream.head.status >= 400;
        let mut whole = Vec::new();
        loop {
            while let Some(payload) = self
                .stage
                .upstream
                .payload()
                .map_err(|fault| Failure::with_detail(Kind::Framing, fault.text()))?
            {
                let room = bytes_max.saturating_sub(whole.len());
                if payload.len() > room {
                    if is_refusal {
                        // An error's text is cut; what matters stands at its beginning.
                        whole.extend_from_slice(payload.get(..room).unwrap_or_default());
                        return Ok(whole);
                    }
                    return Err(Failure::new(Kind::AnswerTooLarge));
                }
                whole.extend_from_slice(payload);
                charge.hold(whole.capacity())?;
            }
            if self.stage.upstream.body.is_done() {
                return Ok(whole);
            }
            self.read_more(client).await?;
        }
    }

    async fn read_more(&mut self, client: &mut Client) -> Result<(), Failure> {
        let upstream = &mut self.stage.upstream;
        let stall_ms = self.provider.timeouts.stream_stall_ms;
        client.deadline.set_in(stall_ms);
        let mut fresh = Vec::new();
        let reader = &mut upstream.stream.reader;
        let read = client
            .watch(pin!(poll_fn(|cx| reader.poll_read(cx, &mut fresh))))
            .await;
        // The head's fields are still needed: what came goes behind them, over what was decoded.
        upstream.buf.truncate(upstream.head_end);
        upstream.body_at = upstream.buf.len();
        upstream.buf.extend_from_slice(&fresh);
        buffers::give(fresh);
        match read {
            Ok(Ok(0)) => match upstream.body.end_of_input() {
                BodyEnd::Whole => Ok(()),
                BodyEnd::Cut => Err(Failure::new(Kind::BodyCut)),
            },
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::with_detail(Kind::BodyCut, error.to_string())),
            Err(interrupt) => Err(interrupted(interrupt, Kind::BodyStall)),
        }
    }
}

/// The answer of the first wire in the second, beside what it says, or why it is none. Twice the
/// body's length is charged first and does for nearly all answers; what needs more is written anew.
///
/// # Errors
/// The memory budget is full.
fn write(
    wires: (Wire, Wire),
    body: &[u8],
    context: &AnswerContext,
    (worker, limits): (&Worker, &Limits),
    charge: &mut Charge,
) -> Result<(Vec<u8>, Result<AnswerFacts, AnswerFault>), Failure> {
    let mut tape = worker.thread.tape.borrow_mut();
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
