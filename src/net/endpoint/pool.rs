//! Idle connections to providers, per thread.
//!
//! Last in, first out: the warmest is taken, the others grow old and are closed. A read is pending on
//! each of them, the one that will bring the next answer; where it has brought something before the
//! connection is handed out, the connection is dead or confused and is closed (P9). That costs no
//! system call, but for a connection that is wanted again within the turn that it was put here.
//! Not shared between threads.

use crate::net::connection::stream::NetStream;
use crate::net::runtime::clock::Instant;
use crate::net::runtime::loop_turn;

/// The idle connections of one thread, by the number that an endpoint has for good.
#[derive(Default)]
pub struct ConnectionPool {
    lists: Vec<Vec<IdleConnection>>,
    idle_max: usize,
    idle_timeout_ms: u64,
    counts: PoolCounts,
}

/// What a pool has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolCounts {
    /// Connections handed out again.
    pub reused: u64,
    /// Asked for one, had none.
    pub missed: u64,
    /// Closed because something was there to read.
    pub stale: u64,
    /// Closed for their age.
    pub expired: u64,
    /// Closed because the list was full.
    pub overflowed: u64,
    /// Connections lying idle now.
    pub idle: u64,
}

struct IdleConnection {
    /// In a box for as long as it lives: it goes from hand to hand with every request.
    stream: Box<NetStream>,
    since: Instant,
    /// The turn in which it was put here.
    turn: u64,
}

impl IdleConnection {
    fn is_good(&mut self) -> bool {
        self.stream.is_undisturbed(loop_turn::has_passed(self.turn))
    }
}

impl ConnectionPool {
    /// A pool of at most `idle_max` connections per endpoint, each for at most `idle_timeout_ms`.
    #[must_use]
    pub fn new(idle_max: usize, idle_timeout_ms: u64) -> Self {
        Self {
            idle_max,
            idle_timeout_ms,
            ..Self::default()
        }
    }

    /// The same with other bounds from now on; what lies idle beyond them goes as it ages.
    pub const fn set_bounds(&mut self, idle_max: usize, idle_timeout_ms: u64) {
        self.idle_max = idle_max;
        self.idle_timeout_ms = idle_timeout_ms;
    }

    /// The connection to endpoint `key` that was used last and is still good; one that was put here
    /// in this very turn only where there is no other.
    pub fn take(&mut self, key: usize, now: Instant) -> Option<Box<NetStream>> {
        let list = list_of(&mut self.lists, key);
        while let Some(mut idle) = pop(list) {
            self.counts.idle = self.counts.idle.saturating_sub(1);
            if now.ms_since(idle.since) >= self.idle_timeout_ms {
                // All below it are older.
                self.counts.expired += 1;
            } else if idle.is_good() {
                self.counts.reused += 1;
                return Some(idle.stream);
            } else {
                self.counts.stale += 1;
            }
        }
        self.counts.missed += 1;
        None
    }

    /// Keeps a connection whose exchange ended cleanly. One with a read pending or something left is
    /// closed; of a full list the oldest is.
    pub fn put(&mut self, key: usize, mut stream: Box<NetStream>, now: Instant) {
        if self.idle_max == 0 {
            self.counts.overflowed += 1;
            return;
        }
        if !stream.lay_aside() {
            self.counts.stale += 1;
            return;
        }
        let list = list_of(&mut self.lists, key);
        if list.len() >= self.idle_max {
            list.remove(0);
            self.counts.overflowed += 1;
            self.counts.idle = self.counts.idle.saturating_sub(1);
        }
        let turn = loop_turn::mark();
        list.push(IdleConnection {
            stream,
            since: now,
            turn,
        });
        self.counts.idle += 1;
    }

    /// Closes what has lain idle for too long.
    pub fn reap(&mut self, now: Instant) {
        for list in &mut self.lists {
            let kept_from = list
                .iter()
                .position(|idle| now.ms_since(idle.since) < self.idle_timeout_ms)
                .unwrap_or(list.len());
            list.drain(..kept_from);
            let count = u64::try_from(kept_from).unwrap_or(0);
            self.counts.expired += count;
            self.counts.idle = self.counts.idle.saturating_sub(count);
            if list.is_empty() {
                *list = Vec::new();
            }
        }
    }

    /// Closes all.
    pub fn clear(&mut self) {
        self.lists.clear();
        self.counts.idle = 0;
    }

    /// Idle connections to endpoint `key`.
    #[must_use]
    pub fn idle(&self, key: usize) -> usize {
        self.lists.get(key).map_or(0, Vec::len)
    }

    /// What the pool has done.
    #[must_use]
    pub const fn counts(&self) -> PoolCounts {
        self.counts
    }
}

/// The list of endpoint `key`: endpoints are numbered from nought.
fn list_of(lists: &mut Vec<Vec<IdleConnection>>, key: usize) -> &mut Vec<IdleConnection> {
    if lists.len() <= key {
        lists.resize_with(key + 1, Vec::new);
    }
    &mut lists[key]
}

/// The last one of those that were put there in turns before this one; else the last of all.
fn pop(list: &mut Vec<IdleConnection>) -> Option<IdleConnection> {
    let heard = list
        .iter()
        .rposition(|idle| loop_turn::has_passed(idle.turn));
    match heard {
        Some(place) => Some(list.remove(place)),
        None => list.pop(),
    }
}

#[cfg(test)]
mod tests;
