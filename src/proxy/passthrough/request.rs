//! Every other path under `/v1`: bytes both ways, streamed, all methods.
//!
//! A JSON body is held so that its `model` can choose the provider (and an alias be renamed by
//! span) and the gateway's own members be taken out; any other body goes through as it comes (see
//! `upload`), under a limit of its own. There is one attempt; of the answer no
//! more is looked at than what it tells of its use (see `metered`).

use core::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::body::BodyFault;
use crate::http1::framing::BodyFraming;
use crate::http1::head::RequestHead;
use crate::http1::target as url;
use crate::proxy::admit::admission::{Body, Cost};
use crate::proxy::admit::authentication::Presented;
use crate::proxy::admit::cost_estimate::pieces;
use crate::proxy::admit::inbound::Inbound;
use crate::proxy::admit::model_allowlist::{self, Limited};
use crate::proxy::admit::relay_metering::Metering;
use crate::proxy::admit::{policy, request_options};
use crate::proxy::answer::relay::Step;
use crate::proxy::chat::target_order;
use crate::proxy::client::downstream::Client;
use crate::proxy::client::exchange::Exchange;
use crate::proxy::client::ingress::{self, Begun, BodyEnd};
use crate::proxy::client::unserved::Unserved;
use crate::proxy::passthrough::content_sniff::{self, Label};
use crate::proxy::passthrough::target::{self, By, Others, Routed};
use crate::proxy::passthrough::upload::Upload;
use crate::proxy::shared::memory_budget::Charge;
use crate::proxy::shared::worker::Worker;
use crate::route::plan::client_key::KeyHandle;
use crate::wire::peek::body;
use crate::wire::peek::edits::{Overrides, edits_for};
use crate::wire::peek::found::Peek;
use crate::wire::peek::routed_members::{self, Known};

mod send;

/// A relayed request of which the head has been judged.
pub struct Request<'r, 'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The path behind `/v1`.
    pub path: &'r [u8],
    /// Where the body starts in the client's buffer.
    pub body_at: usize,
    /// The client's key.
    pub key: Option<KeyHandle>,
    /// What the head presented.
    pub presented: Presented,
    /// What is known of what it takes.
    pub metering: Metering,
    /// What it costs, where its tokens have no price.
    pub cost: Cost,
}

/// A request that is ready to be sent.
struct Ready<'r> {
    inbound: &'r Inbound,
    routed: Routed,
}

/// What was done with a body before it is known where it goes.
enum Way {
    /// It was read whole, and lies here.
    Held(Range<usize>),
    /// It is longer than what is held: as much was read.
    Begun(Begun),
    /// It is said to be longer than what is held.
    TooLong,
    /// It is left alone: it is no JSON.
    Unread,
}

/// How a body is taken in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Whole, before it goes on.
    Whole,
    /// Not at all, for its length.
    TooLong,
    /// Not at all, for what it is.
    Apart,
}

impl<'w> Request<'_, 'w> {
    /// The tenant's number; past all of them without a key.
    fn tenant(&self) -> usize {
        self.key
            .as_ref()
            .map_or(usize::MAX, |key| key.tenant.number)
    }

    /// Takes the body in, as far as it is held, and relays it.
    ///
    /// # Errors
    /// Why no provider answers it.
    pub async fn run(
        mut self,
        head: &mut RequestHead,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = self.worker;
        if let Some(query) = head.query(&exchange.client.input) {
            url::check_query(query).map_err(|fault| {
                Rejection::new(ErrorKind::InvalidRequest, fault.text(), "bad_query")
            })?;
            self.limited()
                .map_or(Ok(()), |rule| rule.judge_query(query))?;
        }
        self.limited().map_or(Ok(()), |rule| rule.judge_path())?;
        let label =
            Label::of(head, &exchange.client.input).ok_or_else(content_sniff::two_labels)?;
        let mut charge = Charge::new(Arc::clone(&worker.thread.shared.budget), self.tenant());
        let way = self
            .take_body(exchange.client, head, &label, &mut charge)
            .await?;
        let mut body = self.body_at..self.body_at;
        if let Way::Held(held) = &way {
            body = held.clone();
            exchange.reply.unread = false;
            exchange.record.bytes_in = body.len() as u64;
        }
        if let Some(rejection) = request_options::fault(head, &exchange.client.input) {
            return Err(rejection.into());
        }
        let mut rest = core::mem::take(&mut exchange.client.input);
        let first_part = match way {
            Way::Held(_) => rest.len(),
            Way::Begun(_) | Way::TooLong | Way::Unread => self.body_at,
        };
        let others = match way {
            Way::Begun(_) | Way::TooLong => Others::Any,
            Way::Held(_) | Way::Unread => Others::None,
        };
        let inbound = Inbound {
            bytes: Rc::new(ingress::split_front(&mut rest, first_part)),
            head: core::mem::take(head),
            body,
            wire: exchange.reply.wire,
            key: self.key.clone(),
            presented: core::mem::take(&mut self.presented),
        };
        let upload = match way {
            Way::Begun(begun) => Upload::begun(&inbound.head, begun, rest, charge),
            Way::Held(_) => {
                let done = self.relay_held(&inbound, &label, exchange).await;
                *head = inbound.head;
                return done;
            }
            Way::TooLong | Way::Unread => {
                exchange.client.input = rest;
                match self.new_upload(&inbound.head, label) {
                    Ok(upload) => upload,
                    Err(missed) => {
                        *head = inbound.head;
                        return Err(missed);
                    }
                }
            }
        };
        let done = self.relay_upload(&inbound, upload, others, exchange).await;
        *head = inbound.head;
        done
    }

    /// Takes the body in, as far as it is held.
    async fn take_body(
        &self,
        client: &mut Client,
        head: &mut RequestHead,
        label: &Label,
        charge: &mut Charge,
    ) -> Result<Way, Unserved> {
        match self.look(client, head, label).await? {
            Look::Whole => {}
            Look::TooLong => return Ok(Way::TooLong),
            Look::Apart => return Ok(Way::Unread),
        }
        let budget = &self.worker.thread.shared.budget;
        let limits = self.worker.limits();
        if self.may_be_longer(head, &client.input) {
            let read =
                ingress::read_start(client, self.body_at, head, limits, charge, budget).await;
            return Ok(match read? {
                Ok(read) => Way::Held(read.body),
                Err(begun) => Way::Begun(begun),
            });
        }
        let read = ingress::read_body(client, self.body_at, head, limits, charge, budget).await;
        let read = read.map_err(|refusal| self.too_long(refusal))?;
        Ok(Way::Held(read.body))
    }

    /// How the body is taken in. Whole before it goes on: JSON, and of a key that may use some models
    /// alone everything in which a provider could find one, but for forms that are read on their
    /// way. JSON too long to be held goes on unread where its model makes no difference.
    async fn look(
        &self,
        client: &mut Client,
        head: &mut RequestHead,
        label: &Label,
    ) -> Result<Look, Unserved> {
        let is_limited = self.limited().is_some();
        if is_limited && matches!(label, Label::BrokenForm) {
            return Err(content_sniff::unreadable_form().into());
        }
        if head.framing.is_empty() {
            return Ok(Look::Whole);
        }
        let limits = self.worker.limits();
        if !matches!(label, Label::Json | Label::Encoded) {
            let is_like_json = label.is_doubtful()
                && content_sniff::begins_like_json(client, self.body_at, head, limits).await?;
            if !is_like_json {
                return Ok(Look::Apart);
            }
        }
        match head.framing {
            BodyFraming::Length(length) if length > limits.body_bytes_max as u64 && !is_limited => {
                match self.leads_one_way(head, &client.input) {
                    true => Ok(Look::TooLong),
                    false => Err(content_sniff::too_long_to_read().into()),
                }
            }
            _ => Ok(Look::Whole),
        }
    }

    /// Whether a body whose length nobody knows may go on when it turns out too long to be held.
    fn may_be_longer(&self, head: &RequestHead, buf: &[u8]) -> bool {
        head.framing == BodyFraming::Chunked
            && self.limited().is_none()
            && self.leads_one_way(head, buf)
    }

    /// What a client is told whose body was not read; one too long to be looked into has a cure.
    fn too_long(&self, refusal: BodyEnd) -> Unserved {
        match refusal {
            BodyEnd::Fault(BodyFault::TooLarge) if self.limited().is_none() => {
                content_sniff::too_long_to_read().into()
            }
            other => other.into(),
        }
    }

    /// Whether a body that cannot be looked into has one place to go, whichever model it names.
    fn leads_one_way(&self, head: &RequestHead, buf: &[u8]) -> bool {
        request_options::names_provider(head, buf)
            || self.path == model_allowlist::BATCHES
            || self.worker.plan.leads_one_way()
    }

    /// The rule for the key, if it may use some models alone.
    fn limited(&self) -> Option<Limited<'_>> {
        Limited::of(self.key.as_deref(), &self.worker.plan, self.path)
    }

    /// A body that was read whole: its `model` decides where it goes.
    async fn relay_held(
        &self,
        inbound: &Inbound,
        label: &Label,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = self.worker;
        let body = inbound.body();
        let is_encoded = matches!(label, Label::Encoded) && !content_sniff::is_like_json(body);
        let limited = self.limited().filter(|_| !body.is_empty());
        if is_encoded && limited.is_some() {
            return Err(content_sniff::encoded_form().into());
        }
        let limits = worker.limits();
        let read = match body.is_empty() || is_encoded {
            true => None,
            false => self.read_held(inbound, label)?,
        };
        let is_read = read.is_some() || body.is_empty();
        let is_json = read.is_some() && label.misleads(&inbound.head, &inbound.bytes);
        let peek = read.unwrap_or_default();
        target_order::wish(inbound, &peek)?;
        let named = peek.kind(Known::Model) == Some(routed_members::Kind::String);
        if let Some(limited) = limited {
            limited.judge(body, named, limits)?;
        }
        let asked = named.then(|| peek.model(body).decode());
        let tier = policy::tier(&worker.plan, inbound, Some(&peek))?;
        let by = (asked.as_deref(), tier.as_deref());
        let mut beside = policy::beside(worker, inbound, by, false);
        beside.extend(self.in_head(inbound));
        let others = match is_read {
            true => Others::Named(&beside),
            false => Others::Any,
        };
        let by = By {
            model: asked.as_deref(),
            tier: tier.as_deref(),
            others,
        };
        let routed = target::route(&worker.plan, inbound, by, &mut exchange.record)?;
        let overrides = Overrides {
            model: routed.renamed.as_ref().map(|target| &*target.model),
            inject_usage: false,
        };
        let edits = edits_for(&peek, &overrides);
        let asked = Body {
            bytes: body,
            pieces: pieces(&peek),
            length: body.len() as u64,
        };
        self.admit(&routed, asked, exchange).await?;
        let ready = Ready { inbound, routed };
        self.send_held(&ready, &edits, is_json, exchange).await
    }

    /// What a body that was read whole says, where it can be read.
    fn read_held(&self, inbound: &Inbound, label: &Label) -> Result<Option<Peek>, Rejection> {
        let is_limited = self.limited().is_some();
        match body::peek_relayed(inbound.body(), self.worker.limits()) {
            Ok(peek) => Ok(Some(peek)),
            Err(fault) if fault.is_limit() && !is_limited => {
                match self.leads_one_way(&inbound.head, &inbound.bytes) {
                    true => Ok(None),
                    false => Err(content_sniff::too_deep_to_read(&fault)),
                }
            }
            // By its label it is none, and by the grammar: a generous reader may find a model in it
            // all the same.
            Err(fault) if matches!(label, Label::Other) && !is_limited && fault.is_json() => {
                Ok(None)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// A body of which nothing has come yet.
    fn new_upload(&self, head: &RequestHead, label: Label) -> Result<Upload, Unserved> {
        let form = match label {
            Label::Form(finder) => Some(finder),
            _ => None,
        };
        let must_name = self.limited().is_some_and(|rule| rule.must_name());
        if must_name && form.is_none() {
            return Err(model_allowlist::unnamed().into());
        }
        let mut upload = Upload::new(head, self.worker.limits(), form)?;
        upload.must_name = must_name;
        Ok(upload)
    }

    /// A body that goes through as it comes; of a form, the start is held until its `model` is
    /// found.
    async fn relay_upload(
        &self,
        inbound: &Inbound,
        mut upload: Upload,
        others: Others<'_>,
        exchange: &mut Exchange<'_, 'w>,
    ) -> Result<Step<'w>, Unserved> {
        let worker = self.worker;
        upload.read_ahead(exchange.client, worker.limits()).await?;
        let tier = policy::tier(&worker.plan, inbound, None)?;
        let asked = upload.model().map(str::to_owned);
        let in_head = self.in_head(inbound);
        let others = match others {
            Others::None => Others::Named(&in_head),
            Others::Named(_) | Others::Any => others,
        };
        let by = By {
            model: asked.as_deref(),
            tier: tier.as_deref(),
            others,
        };
        let routed = target::route(&worker.plan, inbound, by, &mut exchange.record)?;
        if let Some(target) = &routed.renamed {
            upload.rename(&target.model);
        }
        let length = match inbound.head.framing {
            BodyFraming::Length(length) => length,
            _ => 0,
        };
        let asked = Body {
            bytes: &[],
            pieces: (0, 0),
            length,
        };
        self.admit(&routed, asked, exchange).await?;
        let chosen = routed.asked;
        let late = |model: &str| {
            let by = By {
                model: Some(model),
                ..by
            };
            target::judge_late(&worker.plan, inbound, by, chosen)
        };
        let ready = Ready { inbound, routed };
        self.send_upload(&ready, upload, &late, exchange).await
    }

    /// The models that path and query name.
    fn in_head(&self, inbound: &Inbound) -> Vec<String> {
        let query = inbound.head.query(&inbound.bytes);
        model_allowlist::in_head(&self.worker.plan, self.path, query)
    }
}
