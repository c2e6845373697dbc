//! A relayed body on its way through: read from the client as it comes, written to the provider.
//!
//! Of a form, up to [`FORM_AHEAD_BYTES_MAX`] bytes are held until its `model` is found, because
//! it chooses the provider; a `model` further back is judged as it passes, before it goes out. A
//! drop at any await leaves the upstream request unfinished, and its connection is closed.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::body::{BodyDecoder, BodyLimits};
use crate::http1::encode::{self, CHUNK_FRAME_BYTES};
use crate::http1::framing::BodyFraming;
use crate::http1::head::RequestHead;
use crate::http1::method::Method;
use crate::limits::{FORM_AHEAD_BYTES_MAX, Limits};
use crate::net::connection::stream::NetStream;
use crate::net::connection::vectored_write::WritePiece;
use crate::net::runtime::recycled_future::boxed;
use crate::net::runtime::{buffers, clock};
use crate::proxy::admit::model_allowlist;
use crate::proxy::client::downstream::{Client, Interrupt};
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::ingress::{self, Begun, BodyEnd, Pace};
use crate::proxy::client::unserved::Unserved;
use crate::proxy::shared::failure::{Failure, Kind};
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::upstream::attempt::{self, Sent, Upstream};
use crate::proxy::upstream::outbound::{self, Early, Outbound};
use crate::proxy::upstream::stream_timeouts::Wait;
use crate::route::plan::target::TargetFacts;
use crate::wire::peek::multipart::{Finder, FormFault};

/// What a `model` means that is seen after the provider was chosen.
pub type JudgeLate<'j> = dyn Fn(&str) -> Result<(), Unserved> + 'j;

/// One body under way.
pub struct Upload {
    method: Method,
    framing: BodyFraming,
    decoder: BodyDecoder,
    pace: Pace,
    /// The client waits for a word before it sends.
    expects: bool,
    form: Option<Finder>,
    /// The form must hold a `model`: without one it does not go out to its end.
    pub must_name: bool,
    /// Payload that was read before the provider was chosen.
    ahead: Vec<u8>,
    /// What `ahead` is charged with, until it has gone.
    charge: Option<Charge>,
    /// What the renaming added to the length.
    growth: i64,
    /// Payload so far.
    received: usize,
}

impl Upload {
    /// The body that `head` announces.
    ///
    /// # Errors
    /// It is too long.
    pub fn new(
        head: &RequestHead,
        limits: &Limits,
        form: Option<Finder>,
    ) -> Result<Self, Unserved> {
        let bounds = BodyLimits::new(limits.relay_body_bytes_max, limits);
        let decoder = BodyDecoder::new(head.framing, &bounds).map_err(BodyEnd::Fault)?;
        Ok(Self {
            method: head.method,
            framing: head.framing,
            decoder,
            pace: Pace::new(limits),
            expects: head.expect_continue,
            form,
            must_name: false,
            ahead: Vec::new(),
            charge: None,
            growth: 0,
            received: 0,
        })
    }

    /// A body of which `ahead` has come, and that is too long to be held.
    #[must_use]
    pub fn begun(head: &RequestHead, begun: Begun, ahead: Vec<u8>, charge: Charge) -> Self {
        Self {
            method: head.method,
            framing: head.framing,
            decoder: begun.decoder,
            pace: begun.pace,
            expects: false,
            form: None,
            must_name: false,
            received: ahead.len(),
            ahead,
            charge: Some(charge),
            growth: 0,
        }
    }

    /// Reads a form until its `model` is found, it ends, or enough of it was read. Other bodies
    /// are left alone.
    ///
    /// # Errors
    /// The body is refused.
    pub async fn read_ahead(
        &mut self,
        client: &mut Client,
        limits: &Limits,
    ) -> Result<(), Unserved> {
        if self.form.is_none() {
            return Ok(());
        }
        self.invite(client, limits).await?;
        loop {
            let mut ahead = core::mem::take(&mut self.ahead);
            let taken = self.decode(&mut client.input, false, &mut ahead);
            self.ahead = ahead;
            taken?;
            let enough = self.ahead.len() >= FORM_AHEAD_BYTES_MAX;
            if self.model().is_some() || self.decoder.is_done() || enough {
                return Ok(());
            }
            self.keep_pace()?;
            read_client(client, None, limits).await?;
        }
    }

    /// The form's `model`, if it was seen.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        let field = self.form.as_ref()?.field()?;
        Some(&field.value)
    }

    /// Puts the provider's name for the model in the place of the client's.
    pub fn rename(&mut self, model: &str) {
        let Some(field) = self.form.as_ref().and_then(Finder::field) else {
            return;
        };
        let place = usize::try_from(field.span.start).and_then(|start| {
            let end = usize::try_from(field.span.end)?;
            Ok(start..end)
        });
        let Ok(place) = place else { return };
        if self.ahead.get(place.clone()).is_none() {
            return;
        }
        let length = |len: usize| i64::try_from(len).unwrap_or(0);
        self.growth = length(model.len()) - length(place.len());
        self.ahead.splice(place, model.bytes());
    }

    /// Sends the body behind `out`, the start of a head, and reads the head of the answer.
    ///
    /// # Errors
    /// The body is refused; the provider's failures are the value.
    pub async fn run(
        mut self,
        provider: usize,
        facts: &TargetFacts,
        mut out: Vec<u8>,
        late: &JudgeLate<'_>,
        exchange: &mut Exchange<'_, '_>,
    ) -> Result<Result<Box<Upstream>, Failure>, Unserved> {
        let worker = exchange.worker;
        let limits = worker.limits();
        self.end_head(&mut out);
        let mut stream = match boxed(|| attempt::open(provider, facts, exchange)).await {
            Ok((stream, _)) => stream,
            Err(failure) => return Ok(Err(failure)),
        };
        stream.revoke_on_drop(true);
        // While the connection was made, the client was watched: what it sent is body.
        let client = &mut *exchange.client;
        client.input.append(&mut client.ahead);
        self.invite(client, limits).await?;
        let mut early = Early::default();
        let judged = self.model().is_some();
        let whole = loop {
            self.decode(
                &mut exchange.client.input,
                self.framing == BodyFraming::Chunked,
                &mut out,
            )?;
            exchange.record.bytes_in = self.received as u64;
            if let Some(model) = self.model().filter(|_| !judged) {
                late(model)?;
            }
            let done = self.decoder.is_done();
            if done && self.framing == BodyFraming::Chunked {
                encode::last_chunk(&mut out);
            }
            let waited_from = clock::now();
            exchange.record.read_until(waited_from.as_nanos());
            let piece = WritePiece::whole(core::mem::take(&mut out));
            let sending = (self.method, piece);
            let written = write(exchange.client, &mut stream, sending, &mut early, limits).await;
            self.charge = None;
            self.pace.pause(waited_from, clock::now());
            match written {
                Ok(true) => {}
                Ok(false) => break false,
                Err(failure) => return Ok(Err(failure)),
            }
            if done {
                break true;
            }
            self.keep_pace()?;
            let answering = Some((&mut *stream, &mut early, self.method));
            match read_client(exchange.client, answering, limits).await {
                Ok(true) => {}
                Ok(false) => break false,
                Err(Unserved::Failed(failure)) => return Ok(Err(attempt::fresh_name(failure))),
                Err(other) => return Err(other),
            }
        };
        if whole {
            let client = &mut *exchange.client;
            let behind = core::mem::take(&mut client.input);
            client.ahead.splice(0..0, behind);
        }
        let sent = Sent {
            provider,
            stream,
            early,
            is_whole: whole,
            method: self.method,
        };
        Ok(read_answer(sent, exchange).await)
    }

    /// Ends the head with the framing, and puts what was read ahead behind it.
    fn end_head(&mut self, out: &mut Vec<u8>) {
        let mut ahead = core::mem::take(&mut self.ahead);
        match self.framing {
            BodyFraming::Length(length) => {
                let length = length.saturating_add_signed(self.growth);
                encode::field_number(out, "content-length", length);
                encode::end_head(out);
                out.extend_from_slice(&ahead);
            }
            _ => {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n");
                encode::end_head(out);
                // What was read may be large: it stays where it is.
                let mark = encode::chunk_open(out);
                ahead.splice(0..0, out.drain(..));
                encode::chunk_close(&mut ahead, mark);
                *out = ahead;
            }
        }
    }

    /// Tells a client that waits for it to send its body, once.
    async fn invite(&mut self, client: &mut Client, limits: &Limits) -> Result<(), Unserved> {
        if core::mem::take(&mut self.expects) {
            ingress::send_continue(client, limits).await?;
        }
        Ok(())
    }

    fn keep_pace(&mut self) -> Result<(), Unserved> {
        if self.pace.holds(self.received, clock::now(), false) {
            Ok(())
        } else {
            Err(BodyEnd::TooSlow.into())
        }
    }

    /// Decodes what came of the body and appends it to `out`, as a chunk or as it is.
    fn decode(
        &mut self,
        input: &mut Vec<u8>,
        chunked: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Unserved> {
        let mut at = 0;
        buffers::make_room(out, input.len() + CHUNK_FRAME_BYTES);
        let mark = chunked.then(|| encode::chunk_open(out));
        while let Some(payload) = self
            .decoder
            .payload(input, &mut at)
            .map_err(BodyEnd::Fault)?
        {
            self.received = self.received.saturating_add(payload.len());
            if let Some(form) = &mut self.form {
                form.push(payload).map_err(bad_form)?;
            }
            out.extend_from_slice(payload);
        }
        if self.decoder.is_done() && self.must_name && self.model().is_none() {
            return Err(model_allowlist::unnamed().into());
        }
        if let Some(mark) = mark {
            encode::chunk_close(out, mark);
        }
        if at >= input.len() {
            buffers::give(core::mem::take(input));
        } else {
            input.drain(..at);
        }
        Ok(())
    }
}

fn bad_form(fault: FormFault) -> Rejection {
    let rejection = Rejection::new(ErrorKind::InvalidRequest, fault.text(), "bad_form");
    match fault {
        FormFault::Malformed | FormFault::Promise | FormFault::Tier => rejection,
        FormFault::Repeated | FormFault::NotText => rejection.with_param("model"),
    }
}

/// Reads the head of the answer. The body came at the client's pace: the wait begins behind it.
async fn read_answer(
    sent: Sent,
    exchange: &mut Exchange<'_, '_>,
) -> Result<Box<Upstream>, Failure> {
    let wait_ms = attempt::wait_ms(exchange.worker, sent.provider);
    let wait = Wait {
        until: clock::now().plus_ms(wait_ms),
        patience: None,
    };
    let read = attempt::read_answer(sent, wait, exchange);
    read.await.map_err(attempt::fresh_name)
}

/// Writes what is there; false when the provider refuses before it has everything.
async fn write(
    client: &mut Client,
    stream: &mut NetStream,
    (method, piece): (Method, WritePiece),
    early: &mut Early,
    limits: &Limits,
) -> Result<bool, Failure> {
    if piece.range.is_empty() {
        return Ok(true);
    }
    let outbound = Outbound {
        method,
        first: piece,
        rest: Vec::new(),
    };
    client.deadline.set_in(limits.write_stall_timeout_ms);
    let sending = outbound::send(stream, &outbound, early, limits);
    match client.watch_unread(pin!(sending)).await {
        Ok(result) => result.map_err(attempt::fresh_name),
        Err(Interrupt::Expired) => Err(Failure::new(Kind::HeadTimeout)),
        Err(Interrupt::Gone) => Err(Failure::new(Kind::ClientGone)),
        Err(Interrupt::Cut) => Err(Failure::new(Kind::DrainCut)),
    }
}

/// Waits for more of the body; false when the provider, if there is one yet, refuses meanwhile.
async fn read_client(
    client: &mut Client,
    mut upstream: Option<(&mut NetStream, &mut Early, Method)>,
    limits: &Limits,
) -> Result<bool, Unserved> {
    client.deadline.set_in(limits.body_stall_timeout_ms);
    poll_fn(|cx| {
        match client.stream.reader.poll_read(cx, &mut client.input) {
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Unserved::Gone)),
            Poll::Ready(Ok(_)) => return Poll::Ready(Ok(true)),
            Poll::Pending => {}
        }
        while let Some((stream, early, method)) = &mut upstream
            && early.listens()
        {
            match stream.reader.poll_read(cx, &mut early.buf) {
                Poll::Ready(Ok(0) | Err(_)) => {
                    return Poll::Ready(Err(Unserved::Failed(Failure::new(Kind::Reset))));
                }
                Poll::Ready(Ok(_)) if early.is_refused(*method, limits) => {
                    return Poll::Ready(Ok(false));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => break,
            }
        }
        match client.poll_expired(cx) {
            Poll::Ready(Interrupt::Expired) => Poll::Ready(Err(BodyEnd::TooSlow.into())),
            Poll::Ready(_) => Poll::Ready(Err(Unserved::Failed(Failure::new(Kind::DrainCut)))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
