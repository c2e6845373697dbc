//! Every other path under `/v1`: bytes both ways, streamed, all methods.
//!
//! A JSON body is held so that its `model` can choose the provider (and an alias be renamed by
//! span); any other body goes through as it comes (see `upload`), under a limit of its own. There is one attempt
//! and no look into the answer.

use core::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use crate::chat::error::{ApiError, ErrorKind, Refusal};
use crate::http1::encode;
use crate::http1::head::RequestHead;
use crate::http1::target as url;
use crate::json::raw::Raw;
use crate::json::rewrite::Edits;
use crate::limits::Limits;
use crate::net::clock::{self, Instant};
use crate::proxy::answer::Delivery;
use crate::proxy::auth::Presented;
use crate::proxy::budget::Charge;
use crate::proxy::client::Client;
use crate::proxy::failure::{Failure, Kind};
use crate::proxy::ids::{bounded, unknown_model};
use crate::proxy::inbound::Inbound;
use crate::proxy::ingress::{self, BodyRefusal};
use crate::proxy::missed::{Missed, unread};
use crate::proxy::prepare::{self, no_credential};
use crate::proxy::relay::{Next, Step};
use crate::proxy::reply::{self, Refused, Voice};
use crate::proxy::upload::Upload;
use crate::proxy::upstream::{self, Outbound, Upstream};
use crate::proxy::upstream_head::{self, Facts};
use crate::proxy::wishes;
use crate::proxy::worker::Worker;
use crate::route::client_key::ClientKey;
use crate::route::target::{RelayResolution, Resolution, Target};
use crate::route::upstream::Provider;
use crate::telemetry::exchange::{Attempt, Exchange, Outcome};
use crate::wire::kind::Wire;
use crate::wire::multipart::Finder;
use crate::wire::peek;

/// A relayed request of which the head has been judged.
pub struct Request<'r, 'w> {
    /// This worker.
    pub worker: &'w Worker,
    /// The path behind `/v1`.
    pub path: &'r [u8],
    /// Where the body starts in the client's buffer.
    pub body_at: usize,
    /// How answers of ours are written.
    pub voice: Voice<'r>,
    /// The client's key.
    pub key: Option<&'r ClientKey>,
    /// What the head presented.
    pub presented: Presented,
}

/// Where a request goes.
struct Routed {
    provider: usize,
    /// The target whose name takes the place of the client's.
    renamed: Option<Target>,
}

impl<'w> Request<'_, 'w> {
    /// Runs the request.
    pub async fn run(
        mut self,
        client: &mut Client<'_>,
        head: &mut RequestHead,
        exchange: &mut Exchange,
    ) -> Step<'w> {
        if let Some(query) = head.query(&client.input)
            && let Err(fault) = url::check_query(query)
        {
            let refused = Refused::new(ErrorKind::InvalidRequest, fault.text(), "bad_query");
            return Step::Over(reply::refuse(client, exchange, &self.voice, &refused).await);
        }
        let content_type = head.field(&client.input, "content-type");
        let json = is_json(content_type);
        let form = content_type.and_then(Finder::new);
        let mut charge = Charge::new(
            Arc::clone(&self.worker.shared.budget),
            self.key.map_or(usize::MAX, |key| key.tenant_index),
        );
        let held = json || head.framing.is_empty();
        let mut body = self.body_at..self.body_at;
        if held {
            let budget = &self.worker.shared.budget;
            let limits = self.worker.limits();
            let read =
                ingress::read_body(client, self.body_at, head, limits, &mut charge, budget).await;
            match read {
                Ok(read) => body = read.body,
                Err(refusal) => {
                    return Step::Over(self.refuse_body(client, exchange, refusal).await);
                }
            }
            self.voice.unread = false;
            exchange.bytes_in = body.len() as u64;
        }
        if let Some(refused) = wishes::fault(head, &client.input) {
            return Step::Over(reply::refuse(client, exchange, &self.voice, &refused).await);
        }
        let first_part = if held {
            client.input.len()
        } else {
            self.body_at
        };
        let rest = client.input.split_off(first_part);
        let inbound = Inbound {
            bytes: Rc::new(core::mem::replace(&mut client.input, rest)),
            head: core::mem::take(head),
            body,
            wire: self.voice.wire,
            key: self.key,
            presented: core::mem::take(&mut self.presented),
        };
        let done = if held {
            self.relay_held(client, &inbound, exchange).await
        } else {
            self.relay_upload(client, &inbound, form, exchange).await
        };
        let step = match done {
            Ok(step) => step,
            Err(missed) => Step::Over(self.tell(client, exchange, missed).await),
        };
        *head = inbound.head;
        step
    }

    /// A body that was read whole: its `model` decides where it goes.
    async fn relay_held(
        &self,
        client: &mut Client<'_>,
        inbound: &Inbound<'_>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let body = inbound.body();
        let span = model_span(body, inbound, self.worker.limits())?;
        let asked = span.as_ref().map(|span| string_at(body, span));
        let routed = self.route(inbound, asked.as_deref(), exchange)?;
        let mut edits = Edits::new();
        if let (Some(span), Some(target)) = (span, &routed.renamed) {
            edits.replace(span, target.model_json());
        }
        let index = routed.provider;
        let provider = self.worker.plan.providers.get(index).ok_or_else(bug)?;
        let started = clock::now();
        let out = held_request(inbound, provider, self.path, &edits)?;
        let upstream =
            upstream::attempt(client, self.worker, (index, started), &out, exchange).await;
        self.deliver(client, inbound, (index, started, upstream), exchange)
            .await
    }

    /// A body that goes through as it comes; of a form, the start is held until its `model` is
    /// found.
    async fn relay_upload(
        &self,
        client: &mut Client<'_>,
        inbound: &Inbound<'_>,
        form: Option<Finder>,
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let limits = self.worker.limits();
        let mut upload = Upload::new(&inbound.head, limits, form)?;
        upload.read_ahead(client, limits).await?;
        let asked = upload.model().map(str::to_owned);
        let routed = self.route(inbound, asked.as_deref(), exchange)?;
        if let Some(target) = &routed.renamed {
            upload.rename(&target.model);
        }
        let index = routed.provider;
        let provider = self.worker.plan.providers.get(index).ok_or_else(bug)?;
        let started = clock::now();
        let out = start_head(inbound, provider, self.path)?;
        let late = |model: &str| self.judge_late(inbound, model, index);
        let upstream = upload
            .run(client, (self.worker, index), out, &late, exchange)
            .await?;
        self.deliver(client, inbound, (index, started, upstream), exchange)
            .await
    }

    /// Records the attempt and delivers its answer.
    async fn deliver(
        &self,
        client: &mut Client<'_>,
        inbound: &Inbound<'_>,
        (index, started, upstream): (usize, Instant, Result<Upstream, Failure>),
        exchange: &mut Exchange,
    ) -> Result<Step<'w>, Missed> {
        let provider = self.worker.plan.providers.get(index).ok_or_else(bug)?;
        let mut record = Attempt {
            provider: index,
            ..Attempt::default()
        };
        record.nanos = u64::try_from(clock::now().since(started).as_nanos()).unwrap_or(u64::MAX);
        let upstream = match upstream {
            Ok(upstream) => upstream,
            Err(failure) => {
                record.fault = Some(failure.verdict().word);
                record.detail.clone_from(&failure.detail);
                exchange.attempts.push(record);
                return Err(Missed::Failure(failure));
            }
        };
        record.status = upstream.head.status;
        exchange.attempts.push(record);
        let unread = self.voice.unread && !upstream.sent_whole;
        let mut voice = Voice {
            unread,
            ..self.voice
        };
        voice.frame.keep_alive &= !unread;
        let scrubber = self.worker.scrubber(index, inbound.callers_key());
        let delivery = Delivery {
            worker: self.worker,
            provider,
            voice,
            method: inbound.head.method,
            answer: None,
            stream: false,
            strip_usage: false,
            has_next: false,
            wire: None,
            scrubber,
            tenant: self.key.map_or(usize::MAX, |key| key.tenant_index),
        };
        let delivered = delivery.run(client, upstream, exchange).await;
        delivered.map_err(Missed::Failure)
    }

    /// The provider, and the target whose name for the model differs.
    fn route(
        &self,
        inbound: &Inbound<'_>,
        asked: Option<&str>,
        exchange: &mut Exchange,
    ) -> Result<Routed, Missed> {
        exchange.model_asked = asked.map(bounded);
        let routed = self.find(inbound, asked)?;
        exchange.provider = Some(routed.provider);
        if let Some(asked) = asked {
            let sent = routed
                .renamed
                .as_ref()
                .map_or(asked, |target| &target.model);
            exchange.model_sent = Some(bounded(sent));
        }
        Ok(routed)
    }

    fn find(&self, inbound: &Inbound<'_>, asked: Option<&str>) -> Result<Routed, Missed> {
        let anthropic = inbound.wire == Wire::AnthropicMessages;
        let header = inbound.provider_header();
        match self.worker.plan.relay(asked, header, anthropic, self.key) {
            RelayResolution::Provider(provider) => Ok(Routed {
                provider,
                renamed: None,
            }),
            RelayResolution::Model(Resolution::Found(targets)) => {
                let target = targets.first().ok_or_else(bug)?;
                let renames = asked.is_some_and(|asked| target.renames(asked));
                Ok(Routed {
                    provider: target.provider,
                    renamed: renames.then(|| target.clone()),
                })
            }
            RelayResolution::Model(Resolution::Unknown { near }) => Err(Missed::Refusal(Refusal {
                kind: ErrorKind::NotFound,
                message: unknown_model(asked.unwrap_or_default(), &near),
                param: Some("model".to_owned()),
                code: Some("model_not_found"),
            })),
            RelayResolution::Model(Resolution::UnknownProvider)
            | RelayResolution::UnknownProvider => Err(Missed::Refused(reply::UNKNOWN_PROVIDER)),
            RelayResolution::NoProvider => Err(Missed::Refused(Refused::new(
                ErrorKind::NotFound,
                "no provider of this wire is configured; name one in `x-ringway-provider`",
                "no_provider",
            ))),
        }
    }

    /// A form's `model` that came after its provider was chosen: it must be one that the key may
    /// use, and lead to the same place under the same name.
    fn judge_late(&self, inbound: &Inbound<'_>, model: &str, chosen: usize) -> Result<(), Missed> {
        let routed = self.find(inbound, Some(model))?;
        if routed.provider == chosen && routed.renamed.is_none() {
            return Ok(());
        }
        let message = "model: this field stands behind too much else; send it before the file";
        let refused = Refused::new(ErrorKind::InvalidRequest, message, "late_model");
        Err(Missed::Refused(refused.param("model")))
    }

    async fn tell(&self, client: &mut Client<'_>, exchange: &mut Exchange, missed: Missed) -> Next {
        match missed {
            Missed::Gone => {
                exchange.outcome = Outcome::Cancelled;
                exchange.fault = Some(Kind::ClientGone.verdict().word);
                Next::Abort
            }
            Missed::Failure(failure) => {
                reply::refuse_failure(client, exchange, &self.voice, &failure).await
            }
            Missed::Refused(refused) => {
                reply::refuse(client, exchange, &self.voice, &refused).await
            }
            Missed::Refusal(refusal) => {
                let refused = Refused {
                    status: reply::status_of(refusal.kind),
                    error: ApiError {
                        kind: refusal.kind,
                        message: &refusal.message,
                        param: refusal.param.as_deref(),
                        code: refusal.code,
                    },
                    fields: b"",
                    word: "refused",
                };
                reply::refuse(client, exchange, &self.voice, &refused).await
            }
        }
    }

    async fn refuse_body(
        &self,
        client: &mut Client<'_>,
        exchange: &mut Exchange,
        refusal: BodyRefusal,
    ) -> Next {
        self.tell(client, exchange, unread(refusal)).await
    }
}

fn bug() -> Missed {
    Missed::Failure(Failure::new(Kind::Bug))
}

fn held_request(
    inbound: &Inbound<'_>,
    provider: &Provider,
    path: &[u8],
    edits: &Edits,
) -> Result<Outbound, Missed> {
    let mut head = start_head(inbound, provider, path)?;
    let body = inbound.body();
    if !inbound.head.framing.is_empty() || inbound.head.method.sends_body() {
        encode::field_number(
            &mut head,
            "content-length",
            edits.len_after(body.len()) as u64,
        );
    }
    encode::end_head(&mut head);
    let pieces = prepare::gather(head, inbound, edits);
    Ok(Outbound {
        method: inbound.head.method,
        pieces,
    })
}

/// Request line and fields, without framing.
fn start_head(inbound: &Inbound<'_>, provider: &Provider, path: &[u8]) -> Result<Vec<u8>, Missed> {
    let mut head = Vec::with_capacity(1024);
    let root = provider.endpoint.root.as_bytes();
    let (mark, query): (&[u8], &[u8]) = match inbound.head.query(&inbound.bytes) {
        Some(query) => (b"?", query),
        None => (b"", b""),
    };
    let method = inbound.head.method_name(&inbound.bytes);
    if !encode::request_line(&mut head, method, &[root, path, mark, query]) {
        return Err(bug());
    }
    let facts = Facts {
        provider,
        translated: false,
        body_beta: None,
        fallback: false,
    };
    upstream_head::fields(&mut head, inbound, &facts)
        .map_err(|_| Missed::Refusal(no_credential(&provider.name)))?;
    Ok(head)
}

/// Whether a body of this type is held and its `model` looked for. `curl -d` says that its JSON
/// is a form.
fn is_json(content_type: Option<&[u8]>) -> bool {
    let Some(value) = content_type else {
        return false;
    };
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let media = value.get(..end).unwrap_or_default().trim_ascii();
    let media = media.to_ascii_lowercase();
    matches!(media.as_slice(), b"application/json" | URLENCODED) || media.ends_with(b"+json")
}

/// Where the body's `model` stands.
fn model_span(
    body: &[u8],
    inbound: &Inbound<'_>,
    limits: &Limits,
) -> Result<Option<Range<usize>>, Missed> {
    let form = inbound
        .field("content-type")
        .is_some_and(|value| value.to_ascii_lowercase().starts_with(URLENCODED));
    if body.is_empty() || (form && !body.trim_ascii_start().starts_with(b"{")) {
        return Ok(None);
    }
    peek::peek_model_only(body, limits).map_err(|fault| {
        Missed::Refusal(Refusal {
            kind: ErrorKind::InvalidRequest,
            message: fault.to_string(),
            param: fault.param.map(|param| param.to_string()),
            code: None,
        })
    })
}

const URLENCODED: &[u8] = b"application/x-www-form-urlencoded";

/// The string whose quotes lie at the ends of `span`, decoded.
fn string_at(body: &[u8], span: &Range<usize>) -> String {
    let inner = body
        .get(span.start + 1..span.end.saturating_sub(1))
        .unwrap_or_default();
    Raw::from_checked(inner).decode()
}
