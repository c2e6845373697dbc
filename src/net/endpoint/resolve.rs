//! Resolving providers' names, on the control thread.
//!
//! Every name is resolved at start and again every 30 s, or when a worker asks for it, yet at most
//! once a second; one look-up per name at a time. A failed look-up leaves the last good answer. The
//! two address families are interleaved, the resolver's own first choice in front.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::limits::{ADDRESSES_MAX, RESOLVE_PAUSE, RESOLVE_REFRESH};
use crate::net::endpoint::connect::ProviderEndpoint;
use crate::net::runtime::clock::{Instant, now};

/// Keeps the addresses of some endpoints fresh.
#[derive(Debug)]
pub struct Resolver {
    names: Vec<ResolvedName>,
    asked: Arc<Notify>,
}

#[derive(Debug)]
struct ResolvedName {
    endpoint: Arc<ProviderEndpoint>,
    /// When the last look-up began.
    begun: Option<Instant>,
    is_running: bool,
}

impl Resolver {
    /// A resolver for those of `endpoints` that are names. From now on it is the one that they ask.
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = Arc<ProviderEndpoint>>) -> Self {
        let asked = Arc::new(Notify::new());
        let names = endpoints
            .into_iter()
            .filter(|endpoint| endpoint.needs_resolver());
        let names = names
            .map(|endpoint| {
                endpoint.attach(&asked);
                ResolvedName {
                    endpoint,
                    begun: None,
                    is_running: false,
                }
            })
            .collect();
        Self { names, asked }
    }

    /// Resolves for ever. Runs on tokio; dropping it ends it.
    pub async fn run(&mut self) {
        // Look-ups of a run before this one ended with it.
        self.end(None);
        let mut running = JoinSet::new();
        loop {
            let at = now();
            for (index, name) in self.names.iter_mut().enumerate() {
                if name.is_due(at) {
                    name.begun = Some(at);
                    name.is_running = true;
                    running.spawn(look_up(index, Arc::clone(&name.endpoint)));
                }
            }
            tokio::select! {
                Some(ended) = running.join_next() => self.end(ended.ok()),
                () = self.asked.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(RESOLVE_PAUSE) => {}
            }
        }
    }

    fn end(&mut self, ended: Option<usize>) {
        match ended.and_then(|index| self.names.get_mut(index)) {
            Some(name) => name.is_running = false,
            // A look-up that panicked names no index: let all be tried again.
            None => self
                .names
                .iter_mut()
                .for_each(|name| name.is_running = false),
        }
    }
}

impl ResolvedName {
    fn is_due(&self, at: Instant) -> bool {
        if self.is_running {
            return false;
        }
        let Some(begun) = self.begun else {
            return true;
        };
        let age = at.since(begun);
        age >= RESOLVE_REFRESH || (age >= RESOLVE_PAUSE && self.endpoint.take_ask())
    }
}

async fn look_up(index: usize, endpoint: Arc<ProviderEndpoint>) -> usize {
    let found = tokio::net::lookup_host((endpoint.host(), endpoint.port())).await;
    let list = found
        .map(|list| interleave(&list.collect::<Vec<_>>()))
        .unwrap_or_default();
    endpoint.resolved(list);
    index
}

/// Takes turns between the families, beginning with that of the first address; without doubles.
fn interleave(list: &[SocketAddr]) -> Vec<SocketAddr> {
    let starts_v6 = list.first().is_some_and(SocketAddr::is_ipv6);
    let mut first = list.iter().filter(|address| address.is_ipv6() == starts_v6);
    let mut second = list.iter().filter(|address| address.is_ipv6() != starts_v6);
    let mut out: Vec<SocketAddr> = Vec::new();
    loop {
        let turn = [first.next(), second.next()];
        if turn == [None, None] || out.len() >= ADDRESSES_MAX {
            out.truncate(ADDRESSES_MAX);
            return out;
        }
        for address in turn.into_iter().flatten() {
            if !out.contains(address) {
                out.push(*address);
            }
        }
    }
}

/// Asks of several workers come together.
const GATHER: core::time::Duration = core::time::Duration::from_millis(1);

#[cfg(test)]
mod tests;
