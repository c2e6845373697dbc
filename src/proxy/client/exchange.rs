//! One request with its answer: the value that every stage works on.
//!
//! It is made when a head has been read and is gone when the answer has ended, however it did: the
//! client's connection, the worker, what heads and errors of ours are written from, and the record.

use crate::http1::method::Version;
use crate::net::runtime::clock::{self, Instant};
use crate::proxy::client::answer_head::{self, BodyForm, HeadFacts};
use crate::proxy::client::custody;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::early_head::{EarlyHead, Waits};
use crate::proxy::client::rate_limit_headers::OwnLimits;
use crate::proxy::shared::drain::Phase;
use crate::proxy::shared::worker::Worker;
use crate::telemetry::exchange::ExchangeRecord;
use crate::wire::kind::Wire;

/// One request with its answer.
pub struct Exchange<'c, 'w> {
    /// The client's connection.
    pub client: &'c mut Client,
    /// This worker.
    pub worker: &'w Worker,
    /// What heads and errors of ours are written from.
    pub reply: ReplySettings,
    /// What is told of it in the end.
    pub record: ExchangeRecord,
}

/// What heads and errors of ours are written from, as far as the request decides it.
#[derive(Debug)]
pub struct ReplySettings {
    /// The wire in which errors are told.
    pub wire: Wire,
    /// The client's version.
    pub version: Version,
    /// Whether the connection stays open afterwards, as far as the client and its request go.
    pub keep_alive: bool,
    /// The request was HEAD: the body is counted but not sent.
    pub head_only: bool,
    /// Part of the request's body was not read: the connection ends after the answer.
    pub unread: bool,
    /// Whole field lines that go along: cross-origin rules, the key's rates.
    pub fields: Vec<u8>,
    /// Rates that `fields` tells, and a provider's fields do not.
    pub own_limits: OwnLimits,
}

impl ReplySettings {
    /// Of a request of which only the wire is known: the connection ends behind the answer.
    #[must_use]
    pub const fn unread(wire: Wire) -> Self {
        Self {
            wire,
            version: Version::Http11,
            keep_alive: false,
            head_only: false,
            unread: true,
            fields: Vec::new(),
            own_limits: OwnLimits {
                requests: false,
                tokens: false,
            },
        }
    }

    /// How a body of unknown length is framed for this client.
    #[must_use]
    pub const fn streamed(&self) -> BodyForm {
        match self.version {
            Version::Http11 => BodyForm::Chunked,
            Version::Http10 => BodyForm::UntilClose,
        }
    }
}

impl<'c, 'w> Exchange<'c, 'w> {
    /// An exchange of which nothing is known but what may be its wire.
    #[must_use]
    pub fn new(client: &'c mut Client, worker: &'w Worker, wire: Wire) -> Self {
        Self {
            client,
            worker,
            reply: ReplySettings::unread(wire),
            record: ExchangeRecord::default(),
        }
    }
}

impl Exchange<'_, '_> {
    /// What a head that is written now says, with its body framed like this. While the process ends,
    /// a head says that its connection does.
    #[must_use]
    pub fn head_facts(&self, body: BodyForm) -> HeadFacts<'_> {
        let Self { worker, reply, .. } = self;
        HeadFacts {
            id: self.record.id,
            version: reply.version,
            keep_alive: reply.keep_alive && worker.thread.drain.phase() < Phase::Closing,
            body,
            fields: &reply.fields,
            custody: &worker.plan.custody,
            dates: &worker.thread.dates,
            own_limits: reply.own_limits,
        }
    }

    /// Appends where the request went, and how long it took where that is told.
    pub fn custody_fields(&self, out: &mut Vec<u8>, now: Instant) {
        let plan = &self.worker.plan;
        custody::fields(out, &plan.custody, &self.record);
        if plan.server.server_timing {
            answer_head::server_timing(out, &self.record, now);
        }
    }

    /// Longest wait for a client that does not read.
    #[must_use]
    pub fn stall_ms(&self) -> u64 {
        self.worker.limits().write_stall_timeout_ms
    }

    /// When the request had been read.
    #[must_use]
    pub const fn read_at(&self) -> Instant {
        Instant::from_nanos(self.record.request_at)
    }

    /// Makes an early head ready, to go out so long after the request was read.
    pub fn arm_early_head(&mut self, ms: u64) {
        let at = self.read_at().plus_ms(ms);
        let waits = Waits {
            ping_ms: self.worker.limits().ping_interval_ms,
            stall_ms: self.stall_ms(),
        };
        let facts = self.head_facts(self.reply.streamed());
        let early = EarlyHead::new(&facts, at, clock::now(), waits);
        self.client.early = Some(Box::new(early));
    }
}
