//! An answer whose head went out before it: a stream, or an error event.

use crate::net::runtime::buffers;
use crate::proxy::answer::body_mode::Mode;
use crate::proxy::answer::content_type::{Content, content_kind, is_encoded};
use crate::proxy::answer::delivery::{Delivery, Opening};
use crate::proxy::answer::early_error::{self, Told};
use crate::proxy::answer::relay::Step;
use crate::proxy::client::answer_head::BodyForm;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::next::Next;
use crate::proxy::client::reply;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::upstream::attempt::Upstream;
use crate::telemetry::exchange::{Exchange, Outcome};
use crate::translate::answer_context::AnswerContext;
use crate::translate::error;
use crate::translate::stream::StreamTranslator;

impl<'w> Delivery<'_, 'w> {
    /// Lets an answer follow an early head: a stream goes on without a head of its own, everything
    /// else is an error event.
    pub(super) async fn follow(
        mut self,
        client: &mut Client<'_>,
        upstream: Box<Upstream>,
        success: bool,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Failure> {
        if !success {
            return self.translate_error(client, upstream, exchange).await;
        }
        if is_encoded(&upstream) {
            return Err(Failure::new(Kind::Compressed));
        }
        let kind = content_kind(&upstream);
        match kind {
            Content::Events | Content::Unnamed => {}
            Content::Json => return self.translate_no_stream(client, upstream, exchange).await,
            Content::Page | Content::Other => return Err(Failure::new(Kind::ContentType)),
        }
        let mut mode = match self.answer.take() {
            Some(context) => self.translated(context),
            None => self.mode_of(self.provider.wire, (kind, true), &upstream),
        };
        mode.follow_own_bytes();
        let early = client.early.as_ref().ok_or(Failure::new(Kind::Bug))?;
        let opening = Opening {
            mode,
            form: early.form,
            stays_open: early.stays_open,
            head: buffers::take(buffers::Class::Quiet),
            holds: false,
        };
        let mut relay = self.relay(upstream, opening, exchange);
        relay.begin(exchange);
        Ok(Step::Relay(relay))
    }

    /// The way of a stream that crosses the wires.
    pub(super) fn translated(&self, context: AnswerContext) -> Mode {
        let wires = (self.provider.wire, self.voice.wire);
        let limits = self.worker.limits();
        let translator = StreamTranslator::new(wires.0, wires.1, context, limits.event_bytes_max);
        Mode::Translated(Box::new(translator))
    }

    /// Tells a provider's error behind the head.
    pub(super) async fn tell_late(
        &self,
        client: &mut Client<'_>,
        form: BodyForm,
        (told, word): (&error::Told, &'static str),
        exchange: &mut Exchange,
    ) -> Next {
        let told = Told {
            error: reply::error_of(told),
            word,
            outcome: Outcome::UpstreamError,
        };
        early_error::tell(client, form, &self.voice, &told, exchange).await
    }
}
