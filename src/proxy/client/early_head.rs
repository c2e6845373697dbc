//! A 200 that goes out before any provider has answered, so that idle hops on the way to the client
//! stay open.
//!
//! Armed for streamed chats where the configuration asks for it. While a provider is waited for,
//! `Client::watch` writes what is due: the head with a first comment, then a comment whenever the
//! client has heard nothing for a ping interval. From the head on there is no status any more and no
//! other target (see `answer::early_error`). A comment means nothing on either wire; an event would, before the
//! one that starts the answer.

use core::task::{Context, Poll};

use crate::http1::encode;
use crate::net::runtime::clock::Instant;
use crate::net::runtime::timer::Deadline;
use crate::proxy::client::answer_head::{self, BodyForm, HeadFacts};

/// An early head, and what has become of it.
#[derive(Debug)]
pub struct EarlyHead {
    /// When the next bytes are due.
    due: Deadline,
    /// The head, until it is due.
    head: Option<Vec<u8>>,
    /// How its body is framed.
    pub form: BodyForm,
    /// The connection may serve again after that body.
    pub stays_open: bool,
    waits: Waits,
    /// Bytes that have been written.
    pub bytes_out: u64,
}

/// How long what is waited for behind an early head.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// From one comment to the next.
    pub ping_ms: u64,
    /// Longest wait for a client that does not read.
    pub stall_ms: u64,
}

impl EarlyHead {
    /// A head that is due at `at`.
    #[must_use]
    pub fn new(facts: &HeadFacts<'_>, at: Instant, now: Instant, waits: Waits) -> Self {
        let mut head = Vec::with_capacity(HEAD_BYTES_GUESS);
        answer_head::start(&mut head, 200, facts, now);
        head.extend_from_slice(b"content-type: text/event-stream; charset=utf-8\r\n");
        head.extend_from_slice(b"cache-control: no-cache\r\n");
        encode::end_head(&mut head);
        let mut due = Deadline::new();
        due.set_at(at);
        Self {
            due,
            head: Some(head),
            form: facts.body,
            stays_open: facts.stays_open(),
            waits,
            bytes_out: 0,
        }
    }

    /// Whether the head has gone out, or is on its way: nothing but a stream can follow.
    #[must_use]
    pub const fn has_begun(&self) -> bool {
        self.head.is_none()
    }

    /// Longest wait for a client that does not read.
    #[must_use]
    pub const fn stall_ms(&self) -> u64 {
        self.waits.stall_ms
    }

    /// When bytes are due.
    #[must_use]
    pub const fn due_at(&self) -> Option<Instant> {
        self.due.at()
    }

    /// Ready when bytes are due.
    pub fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.due.poll_expired(cx)
    }

    /// The bytes that are due.
    pub fn take_due(&mut self) -> Vec<u8> {
        let mut out = self.head.take().unwrap_or_default();
        framed(self.form, &mut out, |out| out.extend_from_slice(COMMENT));
        self.due.set_in(self.waits.ping_ms);
        out
    }
}

/// Lets `write` append a part of a body that is framed like this.
pub fn framed(form: BodyForm, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let mark = (form == BodyForm::Chunked).then(|| encode::chunk_open(out));
    write(out);
    if let Some(mark) = mark {
        encode::chunk_close(out, mark);
    }
}

const COMMENT: &[u8] = b": ping\n\n";
/// Room for a head of ours and a comment.
const HEAD_BYTES_GUESS: usize = 512;
