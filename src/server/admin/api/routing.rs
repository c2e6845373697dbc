//! How providers, credentials and targets stand, over HTTP.
//!
//! Credentials are told apart by their place in the configuration alone.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use crate::config::schema::file::TargetOrder;
use crate::net::runtime::clock;
use crate::proxy::shared::health::{self, Health, Scope, Slot, View};
use crate::route::plan::compiled::{Model, Plan};
use crate::route::plan::provider::Provider;
use crate::route::plan::target::Target;
use crate::server::admin::api::answer::{Credential, answer};
use crate::server::admin::api::gate::Api;

/// How providers, their credentials and the targets of models stand.
#[utoipa::path(
    get,
    path = "/api/routing",
    operation_id = "showRouting",
    responses(
        (status = 200, description = "All of them, in the order of the configuration.", body = Routing<'_>),
        Credential,
    )
)]
pub async fn show(State(api): State<Api>) -> Response {
    let report = Report {
        plan: &api.served.plan,
        health: &api.served.health,
        now_ns: clock::now().as_nanos(),
    };
    answer(StatusCode::OK, &report.routing())
}

/// How everything stands.
#[derive(Serialize, ToSchema)]
pub struct Routing<'p> {
    providers: Vec<ProviderReport<'p>>,
    models: Vec<ModelReport<'p>>,
}

/// How a circuit stands.
#[derive(Default, Serialize, ToSchema)]
pub struct Circuit {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = states)]
    state: Option<&'static str>,
    /// Until one request may go to see; where it is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    left_ms: Option<u64>,
    /// In a row; where it is not closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    failures: Option<u32>,
}

/// How a provider stands.
#[derive(Serialize, ToSchema)]
pub struct ProviderReport<'p> {
    name: &'p str,
    #[serde(flatten)]
    circuit: Circuit,
    /// By their place in the configuration; what they are is not shown.
    credentials: Vec<Circuit>,
}

/// How the targets of a model stand.
#[derive(Serialize, ToSchema)]
pub struct ModelReport<'p> {
    id: &'p str,
    #[schema(schema_with = orders)]
    order: &'static str,
    targets: Vec<TargetReport>,
}

/// How a target stands.
#[derive(Serialize, ToSchema)]
pub struct TargetReport {
    /// provider/upstream-model
    target: String,
    priority: u32,
    weight: u32,
    #[serde(flatten)]
    circuit: Circuit,
    /// This target with each of several credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    credentials: Option<Vec<Circuit>>,
    /// Measured lately, of targets that stand beside others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    first_token_us: Option<u64>,
    /// The same of each token after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    per_token_us: Option<u64>,
}

impl From<View> for Circuit {
    fn from(view: View) -> Self {
        let is_open = view.state != health::State::Closed;
        Self {
            state: Some(view.state.name()),
            left_ms: is_open.then_some(view.left_ms),
            failures: is_open.then_some(view.failures),
        }
    }
}

struct Report<'p> {
    plan: &'p Plan,
    health: &'p Health,
    now_ns: u64,
}

impl<'p> Report<'p> {
    fn routing(&self) -> Routing<'p> {
        let providers = self.plan.providers.iter().enumerate();
        let models = self.plan.models.iter();
        Routing {
            providers: providers
                .map(|(index, it)| self.provider(index, it))
                .collect(),
            models: models.map(|model| self.model(model)).collect(),
        }
    }

    fn provider(&self, index: usize, provider: &'p Provider) -> ProviderReport<'p> {
        let slot = |credential| Slot {
            provider: index,
            number: None,
            credential,
        };
        let credentials = 0..provider.secrets().len();
        ProviderReport {
            name: &provider.name,
            circuit: self.circuit(slot(0), Scope::Provider),
            credentials: credentials
                .map(|credential| self.circuit(slot(credential), Scope::Credential))
                .collect(),
        }
    }

    fn model(&self, model: &'p Model) -> ModelReport<'p> {
        let targets = model.targets.iter();
        ModelReport {
            id: &model.id,
            order: model.order.name(),
            targets: targets.map(|target| self.target(target)).collect(),
        }
    }

    fn target(&self, target: &Target) -> TargetReport {
        let provider = self.plan.provider_of(target);
        let name = provider.map_or("", |provider| &*provider.name);
        let keys = provider.map_or(1, Provider::key_count);
        let lanes = (0..keys).map(|key| self.circuit(Slot::of(target, key), Scope::Lane));
        let micros = |order| {
            let nanos = self.health.figure(order, target.number, self.now_ns)?;
            Some(nanos / 1_000)
        };
        TargetReport {
            target: format!("{name}/{}", target.model),
            priority: target.priority,
            weight: target.weight,
            circuit: self.circuit(Slot::of(target, 0), Scope::Target),
            credentials: (keys > 1).then(|| lanes.collect()),
            first_token_us: micros(TargetOrder::Latency),
            per_token_us: micros(TargetOrder::Throughput),
        }
    }

    fn circuit(&self, slot: Slot, scope: Scope) -> Circuit {
        let view = self.health.view(slot, scope, self.now_ns);
        view.map_or_else(Circuit::default, Circuit::from)
    }
}

fn orders() -> Object {
    words(TargetOrder::ALL.map(TargetOrder::name).into())
}

fn states() -> Object {
    use health::State::{Closed, HalfOpen, Open};
    words([Closed, HalfOpen, Open].map(health::State::name).into())
}

fn words(words: Vec<&'static str>) -> Object {
    let object = ObjectBuilder::new().schema_type(Type::String);
    object.enum_values(Some(words)).build()
}
