//! Answers that are none: a provider's error, or a success in which it reports one, told in the client's
//! wire.

use std::sync::Arc;

use crate::limits::ERROR_BODY_BYTES_MAX;
use crate::net::boxed::boxed;
use crate::net::clock;
use crate::proxy::answer::Delivery;
use crate::proxy::answer_head;
use crate::proxy::budget::Charge;
use crate::proxy::client::Client;
use crate::proxy::content::is_encoded;
use crate::proxy::failure::{Failure, Kind};
use crate::proxy::relay::Step;
use crate::proxy::reply;
use crate::proxy::scrub::Scrubber;
use crate::proxy::upstream::{self, Upstream};
use crate::telemetry::exchange::Exchange;
use crate::translate::error;

impl<'w> Delivery<'_, 'w> {
    /// A stream was asked for, and JSON came: an error, if anything.
    pub(super) async fn translate_no_stream(
        self,
        client: &mut Client<'_>,
        mut upstream: Box<Upstream>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let mut charge = Charge::new(Arc::clone(&self.worker.shared.budget), self.tenant);
        let failure = Failure::new(Kind::ContentType);
        match self
            .read_whole(client, &mut upstream, ERROR_BODY_BYTES_MAX, &mut charge)
            .await
        {
            Ok(body) => {
                boxed(|| self.no_answer(client, upstream, (&body, failure), exchange)).await
            }
            Err(other) if other.kind == Kind::AnswerTooLarge => Err(failure),
            Err(other) => Err(other),
        }
    }

    /// A success that is no answer: told in the provider's own words where it reports an error and
    /// no other target could take over.
    pub(super) async fn no_answer(
        self,
        client: &mut Client<'_>,
        upstream: Box<Upstream>,
        (body, failure): (&[u8], Failure),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        if self.hold.is_some() {
            return Err(failure);
        }
        let wires = (self.provider.wire, self.voice.wire);
        let told = {
            let mut tape = self.worker.tape.borrow_mut();
            error::in_answer(wires, body, &self.credentials(), &mut tape)
        };
        match told {
            Some(told) => {
                let word = failure.verdict().word;
                Ok(boxed(|| self.tell(client, upstream, (&told, word), exchange)).await)
            }
            None => Err(failure),
        }
    }

    pub(super) async fn translate_error(
        self,
        client: &mut Client<'_>,
        mut upstream: Box<Upstream>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let wires = (self.provider.wire, self.voice.wire);
        let status = upstream.head.status;
        let mut charge = Charge::new(Arc::clone(&self.worker.shared.budget), self.tenant);
        let encoded = is_encoded(&upstream);
        let body = match self
            .read_whole(client, &mut upstream, ERROR_BODY_BYTES_MAX, &mut charge)
            .await
        {
            Ok(body) if !encoded => body,
            // The status says enough; what came of the text is not worth a second failure.
            Ok(_) => Vec::new(),
            Err(failure) if failure.kind == Kind::ClientGone => return Err(failure),
            Err(_) => Vec::new(),
        };
        let has = |name| upstream.head.field(&upstream.buf, name).is_some();
        let has_retry_after = has("retry-after") || has("retry-after-ms");
        let told = {
            let mut tape = self.worker.tape.borrow_mut();
            let secrets = self.credentials();
            error::translate(wires, status, &body, has_retry_after, &secrets, &mut tape)
        };
        let told = (&told, "upstream_status");
        Ok(boxed(|| self.tell(client, upstream, told, exchange)).await)
    }

    /// The credentials that the provider was sent, and must not be heard of again.
    fn credentials(&self) -> Vec<&[u8]> {
        let scrubber = self.scrubber.as_ref();
        scrubber.map_or_else(Vec::new, Scrubber::credentials)
    }

    /// Tells the client of a provider's error, in the client's wire.
    async fn tell(
        self,
        client: &mut Client<'_>,
        upstream: Box<Upstream>,
        (told, word): (&error::Told, &'static str),
        exchange: &mut Exchange,
    ) -> Step<'w> {
        if let Some(form) = client.begun_form() {
            let told = self.tell_late(client, form, (told, word), exchange);
            let next = boxed(|| told).await;
            upstream::release(self.worker, upstream, clock::now());
            return Step::Over(next);
        }
        let mut fields = Vec::with_capacity(256);
        answer_head::translated_fields(
            &mut fields,
            (&upstream.head, upstream.buf.as_slice()),
            (self.provider.wire, self.voice.wire),
            self.withheld(told.should_retry.is_some()),
            |value| self.shows_key(value),
        );
        self.notes_field(&mut fields);
        let words = (told, fields, word);
        let next = reply::refuse_told(client, exchange, &self.voice, words).await;
        upstream::release(self.worker, upstream, clock::now());
        Step::Over(next)
    }
}
