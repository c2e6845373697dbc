//! A plan with what serving it takes: where its providers stand, and who is well.
//!
//! All threads share one. The next one takes over what both have: a provider that is still the same keeps
//! its addresses, and circuits and figures go on.

use std::sync::Arc;

use crate::net::endpoint::connect::ProviderEndpoint;
use crate::proxy::shared::health::Health;
use crate::route::plan::compiled::Plan;
use crate::route::plan::provider::Provider;

/// A plan with what serving it takes.
#[derive(Clone)]
pub struct ServedPlan {
    /// What is run on.
    pub plan: Arc<Plan>,
    /// Where each provider stands, in the plan's order.
    pub endpoints: Arc<[Arc<ProviderEndpoint>]>,
    /// Who is well.
    pub health: Arc<Health>,
}

impl ServedPlan {
    /// The first plan of a process. `endpoint` makes the way to a provider.
    ///
    /// # Errors
    /// Those of `endpoint`.
    pub fn first<E>(
        plan: Arc<Plan>,
        endpoint: impl FnMut(&Provider) -> Result<ProviderEndpoint, E>,
    ) -> Result<Self, E> {
        let health = Health::new(&plan);
        Self::of(plan, health, endpoint, |_| None)
    }

    /// The plan that takes this one's place; it was compiled behind it, with its ids. `endpoint` makes the
    /// way to a provider that is new.
    ///
    /// # Errors
    /// Those of `endpoint`.
    pub fn next<E>(
        &self,
        plan: Arc<Plan>,
        endpoint: impl FnMut(&Provider) -> Result<ProviderEndpoint, E>,
    ) -> Result<Self, E> {
        let health = Health::after(&plan, (&self.plan, &self.health));
        Self::of(plan, health, endpoint, |provider| {
            let mut before = self.plan.providers.iter();
            let place = before.position(|it| it.id == provider.id)?;
            self.endpoints.get(place).map(Arc::clone)
        })
    }

    fn of<E>(
        plan: Arc<Plan>,
        health: Health,
        mut endpoint: impl FnMut(&Provider) -> Result<ProviderEndpoint, E>,
        known: impl Fn(&Provider) -> Option<Arc<ProviderEndpoint>>,
    ) -> Result<Self, E> {
        let endpoints = plan.providers.iter().map(|provider| match known(provider) {
            Some(known) => Ok(known),
            None => endpoint(provider).map(Arc::new),
        });
        Ok(Self {
            endpoints: endpoints.collect::<Result<_, E>>()?,
            health: Arc::new(health),
            plan,
        })
    }
}
