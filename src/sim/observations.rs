//! Observations of a run: what clients and providers saw.

use core::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::net::sim::socket::PeerWatch;
use crate::sim::answers::ScriptedAnswer;
use crate::sim::script::{ProviderAction, ScriptedRequest};
use crate::wire::kind::Wire;

/// All observations of a run, kept by its clients and providers and read by its checks.
pub(super) struct Observations {
    pub(super) asks: Vec<ScriptedRequest>,
    /// By exchange: what providers were asked, try after try.
    pub(super) served: RefCell<BTreeMap<usize, Vec<ProviderObservation>>>,
    /// By exchange: what the client saw.
    pub(super) seen: RefCell<BTreeMap<usize, ClientObservation>>,
    /// Connections of clients whose task was dropped.
    pub(super) killed: RefCell<BTreeSet<u64>>,
    /// The process drains.
    pub(super) is_draining: Cell<bool>,
    /// Clients that have not finished.
    pub(super) clients: Cell<usize>,
}

/// A request as a provider got it, and its answer.
pub(super) struct ProviderObservation {
    pub(super) wire: Wire,
    pub(super) action: ProviderAction,
    pub(super) answer: ScriptedAnswer,
    /// Bytes of the answer that went out.
    pub(super) sent: Cell<usize>,
    /// When it was asked and when it had no more to say: lived time.
    pub(super) asked_at: u64,
    pub(super) finished_at: Cell<Option<u64>>,
    /// When what its answer means began to go out whole: lived time.
    pub(super) said_at: Cell<Option<u64>>,
    /// The gateway's side of the connection.
    pub(super) gateway: PeerWatch,
}

/// What a client saw of an exchange.
#[derive(Debug)]
pub(super) struct ClientObservation {
    pub(super) end: ObservedEnd,
    pub(super) status: u16,
    /// The gateway's id of the exchange.
    pub(super) id: Option<String>,
    pub(super) payload: Vec<u8>,
    /// When the client left it: lived time.
    pub(super) left_at: Option<u64>,
    /// The connection.
    pub(super) connection: u64,
    /// All of the request was written.
    pub(super) is_asked: bool,
    /// The answer before it on this connection said that it was the last.
    pub(super) is_behind_last: bool,
    /// The connection ended before its turn came.
    pub(super) is_cut_off: bool,
    /// The process was draining when it was asked or answered.
    pub(super) amid_drain: bool,
}

/// How an answer ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObservedEnd {
    /// By its framing.
    Whole,
    /// The connection ended or broke amid the answer.
    Broken,
    /// No head came.
    Nothing,
    /// The client left.
    Left,
    /// What came is no HTTP.
    Nonsense,
}

impl ProviderObservation {
    /// Bytes up to `sent` have gone out, the last of them not before `now`.
    pub(super) fn note_sent(&self, sent: usize, now: u64) {
        self.sent.set(sent);
        let ScriptedAnswer {
            meant_at, bytes, ..
        } = &self.answer;
        let is_meant = *meant_at > 0 && self.answer.payload_in(sent) >= *meant_at;
        if self.said_at.get().is_none() && (is_meant || sent >= bytes.len()) {
            self.said_at.set(Some(now));
        }
    }
}

impl Observations {
    pub(super) fn new(asks: Vec<ScriptedRequest>, clients: usize) -> Rc<Self> {
        Rc::new(Self {
            asks,
            served: RefCell::default(),
            seen: RefCell::default(),
            killed: RefCell::default(),
            is_draining: Cell::new(false),
            clients: Cell::new(clients),
        })
    }
}
