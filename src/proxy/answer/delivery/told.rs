//! Answers that are none: a provider's error, or a success in which it reports one, told in the client's
//! wire.

use std::sync::Arc;

use crate::http1::encode;
use crate::http1::framing::BodyFraming;
use crate::limits::ERROR_BODY_BYTES_MAX;
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, clock};
use crate::proxy::answer::content_type::{Content, content_kind, is_encoded};
use crate::proxy::answer::delivery::Delivery;
use crate::proxy::answer::relay::Step;
use crate::proxy::client::answer_head::{self, BodyForm};
use crate::proxy::client::downstream::Client;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::scrub::Scrubber;
use crate::proxy::upstream::attempt::{self, Upstream};
use crate::telemetry::exchange::{Exchange, Outcome};
use crate::translate::{error, tap};

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
        let mut body = self
            .read_refusal(client, &mut upstream, &mut charge)
            .await?;
        if encoded {
            body.clear();
        }
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

    /// Whether a refusal on the client's own wire may be no JSON, and is short enough to be read first:
    /// a balancer in front of the provider says what it likes.
    pub(super) fn may_be_page(&self, upstream: &Upstream) -> bool {
        let is_short = matches!(
            upstream.head.framing,
            BodyFraming::Length(length) if length <= ERROR_BODY_BYTES_MAX as u64
        );
        let is_json = content_kind(upstream) == Content::Json;
        self.wire.is_some() && upstream.head.status >= 400 && (is_short || !is_json)
    }

    /// Passes a refusal that is JSON as it came; tells any other as an error of the wire.
    pub(super) async fn tell_page(
        self,
        client: &mut Client<'_>,
        mut upstream: Box<Upstream>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let wires = (self.provider.wire, self.voice.wire);
        let status = upstream.head.status;
        let is_json = content_kind(&upstream) == Content::Json;
        let is_encoded = is_encoded(&upstream);
        let mut charge = Charge::new(Arc::clone(&self.worker.shared.budget), self.tenant);
        let mut body = self
            .read_refusal(client, &mut upstream, &mut charge)
            .await?;
        if let Some(scrubber) = &self.scrubber {
            scrubber.blank(&mut body);
        }
        let is_json = match is_encoded {
            true => is_json && !body.is_empty(),
            false => tap::is_json(&body, &mut self.worker.tape.borrow_mut()),
        };
        if is_json {
            return self.pass_read(client, upstream, &body, exchange).await;
        }
        let mut told = {
            let mut tape = self.worker.tape.borrow_mut();
            let secrets = self.credentials();
            let has = |name| upstream.head.field(&upstream.buf, name).is_some();
            let has_time = has("retry-after") || has("retry-after-ms");
            error::translate(wires, status, b"", has_time, &secrets, &mut tape)
        };
        let text = match is_encoded {
            true => String::new(),
            false => page_text(&body),
        };
        let clean = self.scrubber.as_ref().and_then(|it| it.cleaned(&text));
        let text = clean.unwrap_or(text);
        if !text.is_empty() {
            told.message = format!("{}: {text}", told.message);
        }
        let told = (&told, "upstream_status");
        Ok(boxed(|| self.tell(client, upstream, told, exchange)).await)
    }

    /// Reads the body of a refusal. One that breaks is empty: the status says enough, and the text is
    /// not worth a second failure.
    async fn read_refusal(
        &self,
        client: &mut Client<'_>,
        upstream: &mut Upstream,
        charge: &mut Charge,
    ) -> Result<Vec<u8>, Failure> {
        let read = self.read_whole(client, upstream, ERROR_BODY_BYTES_MAX, charge);
        match read.await {
            Err(failure) if failure.kind != Kind::ClientGone => Ok(Vec::new()),
            read => read,
        }
    }

    /// Passes on a refusal of which the body has been read.
    async fn pass_read(
        self,
        client: &mut Client<'_>,
        upstream: Box<Upstream>,
        body: &[u8],
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        let opening = self.pass_on(&upstream, exchange, false)?;
        let mut out = opening.head;
        if opening.form == BodyForm::Chunked {
            let mark = encode::chunk_open(&mut out);
            out.extend_from_slice(body);
            encode::chunk_close(&mut out, mark);
            encode::last_chunk(&mut out);
        } else {
            out.extend_from_slice(body);
        }
        let now = clock::now();
        let sent = &mut exchange.bytes_out;
        let stall_ms = self.voice.stall_ms;
        if let Err(interrupt) = client.send_from(&mut out, now, stall_ms, sent).await {
            exchange.outcome = Outcome::Cancelled;
            exchange.fault = Some(interrupt.kind().verdict().word);
            return Ok(Step::Over(Next::Abort));
        }
        buffers::give(out);
        exchange.outcome = Outcome::Refused;
        attempt::release(self.worker, upstream, now);
        Ok(Step::Over(match (opening.stays_open, self.voice.unread) {
            (true, _) => Next::KeepAlive,
            (false, true) => Next::Linger,
            (false, false) => Next::Close,
        }))
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
            attempt::release(self.worker, upstream, clock::now());
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
        attempt::release(self.worker, upstream, clock::now());
        Step::Over(next)
    }
}

/// The text of a page that stands where an error should: without tags, blanks as one, cut.
fn page_text(body: &[u8]) -> String {
    let mut text = String::new();
    let (mut is_tag, mut is_apart) = (false, false);
    let mut left = PAGE_CHARS_MAX;
    for letter in String::from_utf8_lossy(body).chars() {
        match letter {
            '<' => (is_tag, is_apart) = (true, true),
            '>' if is_tag => is_tag = false,
            _ if is_tag => {}
            _ if letter.is_whitespace() || letter.is_control() => is_apart = true,
            _ if left == 0 => {
                text.push('…');
                return text;
            }
            _ => {
                if core::mem::take(&mut is_apart) && !text.is_empty() {
                    text.push(' ');
                }
                text.push(letter);
                left -= 1;
            }
        }
    }
    text
}

/// Letters of a page that are told.
const PAGE_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::{PAGE_CHARS_MAX, page_text};

    #[test]
    fn of_a_page_its_words_are_told_up_to_the_bound() {
        for (page, expected) in [
            (
                "<html><h1>502</h1>\r\n<p class=\"a\">Bad\tGateway</html>",
                "502 Bad Gateway",
            ),
            ("plain  words\n", "plain words"),
            ("a < b", "a"),
            ("", ""),
        ] {
            assert_eq!(page_text(page.as_bytes()), expected, "{page}");
        }
        let text = |length| page_text("x".repeat(length).as_bytes());
        assert_eq!(text(PAGE_CHARS_MAX), "x".repeat(PAGE_CHARS_MAX));
        assert_eq!(
            text(PAGE_CHARS_MAX + 1),
            format!("{}…", "x".repeat(PAGE_CHARS_MAX))
        );
    }
}
