//! Answers that are none: a provider's error, or a success in which it reports one, told in the client's
//! wire.

use crate::http1::encode;
use crate::http1::framing::BodyFraming;
use crate::limits::ERROR_BODY_BYTES_MAX;
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, clock};
use crate::proxy::answer::content_type::{Content, content_kind, is_encoded};
use crate::proxy::answer::early_error;
use crate::proxy::answer::relay::Step;
use crate::proxy::answer::stages::{Answer, Arrived};
use crate::proxy::client::downstream::Client;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::reply;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::upstream::attempt;
use crate::telemetry::exchange::Outcome;
use crate::translate::transforms::scrub::Scrubber;
use crate::translate::{error, tap};

impl<'w> Answer<'w, Arrived<'w>> {
    /// A stream was asked for, and JSON came: an error, if anything.
    pub(super) async fn translate_no_stream(
        mut self,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let mut charge = self.charge();
        let failure = Failure::new(Kind::ContentType);
        let read = self.read_whole(exchange.client, ERROR_BODY_BYTES_MAX, &mut charge);
        match read.await {
            Ok(body) => boxed(|| self.no_answer(&body, failure, exchange)).await,
            Err(other) if other.kind == Kind::AnswerTooLarge => Err(failure),
            Err(other) => Err(other),
        }
    }

    /// A success that is no answer: told in the provider's own words where it reports an error and
    /// no other target could take over.
    pub(super) async fn no_answer(
        self,
        body: &[u8],
        failure: Failure,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        if self.takeover.hold.is_some() {
            return Err(failure);
        }
        let told = {
            let mut tape = self.worker.thread.tape.borrow_mut();
            error::in_answer(self.wires(), body, &self.credentials(), &mut tape)
        };
        match told {
            Some(told) => {
                let word = failure.verdict().word;
                Ok(boxed(|| self.tell(&told, word, exchange)).await)
            }
            None => Err(failure),
        }
    }

    /// Whether a refusal on the client's own wire may be no JSON, and is short enough to be read first:
    /// a balancer in front of the provider says what it likes.
    pub(super) fn may_be_page(&self) -> bool {
        let upstream = &self.stage.upstream;
        let is_short = matches!(
            upstream.head.framing,
            BodyFraming::Length(length) if length <= ERROR_BODY_BYTES_MAX as u64
        );
        let is_json = content_kind(upstream) == Content::Json;
        self.stage.wire.is_some() && upstream.head.status >= 400 && (is_short || !is_json)
    }

    /// Reads a refusal and tells it as an error of the client's wire; where it `may_pass`, being of
    /// that wire already, it goes on as it came if it is JSON.
    pub(super) async fn tell_refusal(
        mut self,
        may_pass: bool,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let upstream = &self.stage.upstream;
        let status = upstream.head.status;
        let is_json = content_kind(upstream) == Content::Json;
        let is_encoded = is_encoded(upstream);
        let mut charge = self.charge();
        let mut body = self.read_refusal(exchange.client, &mut charge).await?;
        if let Some(scrubber) = self.stage.scrubber.as_ref().filter(|_| may_pass) {
            scrubber.blank(&mut body);
        }
        let passes = match is_encoded {
            _ if !may_pass => false,
            true => is_json && !body.is_empty(),
            false => tap::is_json(&body, &mut self.worker.thread.tape.borrow_mut()),
        };
        if passes {
            return self.pass_read(&body, exchange).await;
        }
        if is_encoded {
            body.clear();
        }
        // What could have passed and does not is no error that can be read, but a page.
        let (document, page): (&[u8], &[u8]) = match may_pass {
            true => (b"", &body),
            false => (&body, b""),
        };
        let mut told = {
            let mut tape = self.worker.thread.tape.borrow_mut();
            let secrets = self.credentials();
            let upstream = &self.stage.upstream;
            let has = |name| upstream.head.field(&upstream.buf, name).is_some();
            let has_time = has("retry-after") || has("retry-after-ms");
            error::translate(
                self.wires(),
                status,
                document,
                has_time,
                &secrets,
                &mut tape,
            )
        };
        let text = page_text(page);
        let clean = self
            .stage
            .scrubber
            .as_ref()
            .and_then(|it| it.cleaned(&text));
        let text = clean.unwrap_or(text);
        if !text.is_empty() {
            told.message = format!("{}: {text}", told.message);
        }
        Ok(boxed(|| self.tell(&told, "upstream_status", exchange)).await)
    }

    /// Reads the body of a refusal. One that breaks is empty: the status says enough, and the text is
    /// not worth a second failure.
    async fn read_refusal(
        &mut self,
        client: &mut Client,
        charge: &mut Charge,
    ) -> Result<Vec<u8>, Failure> {
        let read = self.read_whole(client, ERROR_BODY_BYTES_MAX, charge);
        match read.await {
            Err(failure) if failure.kind != Kind::ClientGone => Ok(Vec::new()),
            read => read,
        }
    }

    /// Passes on a refusal of which the body has been read.
    async fn pass_read(
        self,
        body: &[u8],
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Failure> {
        let stall_ms = exchange.stall_ms();
        let opened = self.pass_on(exchange, false)?;
        let (worker, mut stage) = (opened.worker, opened.stage);
        let mark = stage.open_chunk();
        stage.out.extend_from_slice(body);
        stage.close_chunk(mark);
        if mark.is_some() {
            encode::last_chunk(&mut stage.out);
        }
        let now = clock::now();
        let (out, sent) = (&mut stage.out, &mut exchange.record.bytes_out);
        if let Err(interrupt) = exchange.client.send_from(out, now, stall_ms, sent).await {
            return Ok(Step::Over(exchange.abandon(interrupt.kind())));
        }
        let next = stage.next();
        buffers::give(stage.out);
        exchange.record.outcome = Outcome::Refused;
        stage.source.release(worker, now);
        Ok(Step::Over(next))
    }

    /// The credentials that the provider was sent, and must not be heard of again.
    fn credentials(&self) -> Vec<&[u8]> {
        let scrubber = self.stage.scrubber.as_ref();
        scrubber.map_or_else(Vec::new, Scrubber::credentials)
    }

    /// Tells the client of a provider's error, in the client's wire: as an answer, or behind an early
    /// head.
    async fn tell(
        self,
        told: &error::ClientError,
        word: &'static str,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Step<'w> {
        let next = if let Some(form) = exchange.client.begun_form() {
            let late = early_error::LateError {
                error: reply::error_of(told),
                word,
                outcome: Outcome::UpstreamError,
            };
            boxed(|| early_error::tell(form, &late, exchange)).await
        } else {
            let fields = self.told_fields(told.should_retry.is_some(), &exchange.reply);
            exchange.tell_provider_error(told, fields, word).await
        };
        attempt::release(self.worker, self.stage.upstream, clock::now());
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
