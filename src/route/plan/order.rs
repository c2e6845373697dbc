//! In which order the targets of one model are asked: plain arithmetic on what is known of them.
//!
//! [`arrange`] sorts. Targets that are not well stand behind those that are, none is left out.
//! Within those, a lower priority stands first, and no order crosses that line. Within one priority
//! the order decides: the list itself, weights, or the better figure of two.
//!
//! Weights and sessions are one rule, weighted rendezvous hashing: each target draws a number from
//! the session (or from chance, where there is none) and from its own name, and the smallest stands
//! first. A target that falls away moves nobody but its own sessions, because no other draw changes.
//!
//! A figure is a time, to the first token or for each token, or a cost. Of times the better of two
//! drawn targets goes first (power of two choices): a herd that runs after the best one of all would
//! make it the worst. A session stays where its prompt is cached unless the other one is twice as
//! good. A cost does not rise with use: the lowest of all goes first, one that is not known last, and
//! targets that cost the same are drawn.
//!
//! Not here: who is well and what was measured (see `proxy::health`), what a request costs (see
//! `proxy::choice`).

use core::cmp::Ordering::Equal;

use crate::config::schema::file::TargetOrder;

/// One target as an order sees it.
#[derive(Clone, Copy, Debug)]
pub struct RankedTarget {
    /// Its place in the model's list.
    pub place: usize,
    /// What its name comes to, see [`identity`].
    pub identity: u64,
    /// What it has drawn: set and gone by here alone.
    pub drawn: f64,
    /// Lower ones stand first.
    pub priority: u32,
    /// Its share among those of the same priority; nought: only behind the others.
    pub weight: u32,
    /// It is cooling down.
    pub is_cooling: bool,
    /// What its order goes by, nanoseconds or nano-dollars; `None`: not known.
    pub figure: Option<u64>,
}

impl RankedTarget {
    /// Its figure as a cost; one that is not known is the highest.
    fn cost(&self) -> u64 {
        self.figure.unwrap_or(u64::MAX)
    }
}

/// What the draws of one request come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// Chance.
    Chance(u64),
    /// A session's name, hashed.
    Session(u64),
}

impl Draw {
    const fn seed(self) -> u64 {
        match self {
            Self::Chance(seed) | Self::Session(seed) => seed,
        }
    }
}

/// Sorts the targets into the order in which they are asked.
pub fn arrange(order: TargetOrder, draw: Draw, standings: &mut [RankedTarget]) {
    let first = standings.first().map_or(0, |it| it.weight);
    let is_even = first > 0 && standings.iter().all(|it| it.weight == first);
    for it in &mut *standings {
        it.drawn = match order {
            TargetOrder::Priority => 0.0,
            TargetOrder::Weighted
            | TargetOrder::Latency
            | TargetOrder::Throughput
            | TargetOrder::Cost => score((draw.seed(), is_even), it.identity, it.weight),
        };
    }
    standings.sort_by(|a, b| {
        let levels = (a.is_cooling, a.priority).cmp(&(b.is_cooling, b.priority));
        let costs = || match order {
            TargetOrder::Cost => a.cost().cmp(&b.cost()),
            TargetOrder::Priority
            | TargetOrder::Weighted
            | TargetOrder::Latency
            | TargetOrder::Throughput => Equal,
        };
        let draws = || a.drawn.total_cmp(&b.drawn);
        levels
            .then_with(costs)
            .then_with(draws)
            .then(a.place.cmp(&b.place))
    });
    if matches!(order, TargetOrder::Latency | TargetOrder::Throughput)
        && let [first, second, ..] = standings
        && (first.is_cooling, first.priority) == (second.is_cooling, second.priority)
        && second.weight > 0
        && is_better(second.figure, first.figure, draw)
    {
        core::mem::swap(first, second);
    }
}

/// Whether the second of two drawn targets goes before the first. What was not measured lately is
/// tried, but not by a session that has a home.
fn is_better(second: Option<u64>, first: Option<u64>, draw: Draw) -> bool {
    match (draw, first, second) {
        (Draw::Chance(_), first, second) => second.unwrap_or(0) < first.unwrap_or(0),
        (Draw::Session(_), Some(first), Some(second)) => second < first / 2,
        (Draw::Session(_), _, _) => false,
    }
}

/// A target's draw: exponentially distributed with its weight as the rate, so that the chance of the
/// smallest is its share of all weights. Where all weigh the same, chance itself has the same order.
fn score((seed, is_even): (u64, bool), identity: u64, weight: u32) -> f64 {
    if weight == 0 {
        return f64::INFINITY;
    }
    let bits = u32::try_from(mixed(seed ^ mixed(identity)) >> 32).unwrap_or(0);
    let chance = (f64::from(bits) + 0.5) / (f64::from(u32::MAX) + 1.0);
    if is_even {
        return -chance;
    }
    -chance.ln() / f64::from(weight)
}

/// What a target's names come to (provider, model, and what is stated of the deployment), the same in
/// every process.
pub fn identity<'n>(names: impl IntoIterator<Item = &'n str>) -> u64 {
    // Each ends with a byte that no text holds: names do not run into each other.
    let names = names.into_iter();
    hashed(names.flat_map(|name| name.bytes().chain([0xFF])))
}

/// What a session's name comes to.
#[must_use]
pub fn session(name: &[u8]) -> u64 {
    hashed(name.iter().copied())
}

/// FNV-1a, mixed: its low bits alone differ for names that differ at their end.
fn hashed(bytes: impl Iterator<Item = u8>) -> u64 {
    mixed(bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// The last step of splitmix64.
const fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests;
