//! One bound on all the large buffers of the process.
//!
//! Whoever holds more than [`UNCHARGED_BYTES`] in one place charges all of it here, in steps, by
//! what is really held. A tenant may use everything while it is alone; while another tenant holds
//! bytes, or was refused some within the last two seconds, none gets past a quarter. Past half full the slowest uploads are given up first
//! ([`Budget::is_tight`]).

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;

use crate::limits::UNCHARGED_BYTES;
use crate::net::runtime::clock;

/// The process-wide count. Shared by all workers; only large buffers touch it.
#[derive(Debug)]
pub struct Budget {
    bytes_max: usize,
    held: AtomicUsize,
    tenants: Box<[AtomicUsize]>,
    /// The tenant that was last refused its share because others hold too much (its place and one,
    /// in the upper 16 bits), and when, in milliseconds.
    waiting: AtomicU64,
}

/// What one owner has charged; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    tenant: usize,
    bytes: usize,
}

/// There is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Budget {
    /// A budget of `bytes_max` for so many tenants (the last place is for requests of none).
    #[must_use]
    pub fn new(bytes_max: usize, tenants: usize) -> Self {
        let tenants = (0..=tenants).map(|_| AtomicUsize::new(0)).collect();
        Self {
            bytes_max,
            held: AtomicUsize::new(0),
            tenants,
            waiting: AtomicU64::new(0),
        }
    }

    /// Bytes charged now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether more than half is used.
    pub fn is_tight(&self) -> bool {
        self.held() > self.bytes_max / 2
    }

    fn take(&self, tenant: usize, bytes: usize) -> Result<(), Full> {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        let own = self.tenant(tenant).fetch_add(bytes, Ordering::Relaxed);
        let past_share = own.saturating_add(bytes) > self.bytes_max / 4;
        let over_share = past_share && (before > own || self.another_waits(tenant));
        if before + bytes > self.bytes_max && !past_share {
            self.waiting
                .store(self.place(tenant) | now_ms(), Ordering::Relaxed);
        }
        if before + bytes > self.bytes_max || over_share {
            self.give(tenant, bytes);
            return Err(Full);
        }
        Ok(())
    }

    /// Whether another tenant was refused lately: it will ask again.
    fn another_waits(&self, tenant: usize) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let since = now_ms().saturating_sub(waiting & MILLIS);
        let another = waiting & !MILLIS != self.place(tenant);
        waiting != 0 && another && since <= WAITING_MS
    }

    fn place(&self, tenant: usize) -> u64 {
        let place = tenant.min(self.tenants.len() - 1) as u64 + 1;
        place << MILLIS.count_ones()
    }

    fn give(&self, tenant: usize, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
        self.tenant(tenant).fetch_sub(bytes, Ordering::Relaxed);
    }

    fn tenant(&self, tenant: usize) -> &AtomicUsize {
        let last = self.tenants.len() - 1;
        &self.tenants[tenant.min(last)]
    }
}

impl Charge {
    /// Nothing charged yet. `tenant` is its index; any number past the last stands for none.
    #[must_use]
    pub const fn new(budget: Arc<Budget>, tenant: usize) -> Self {
        Self {
            budget,
            tenant,
            bytes: 0,
        }
    }

    /// Nothing charged yet, for the same tenant.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self::new(Arc::clone(&self.budget), self.tenant)
    }

    /// Charges for `held` bytes in all.
    ///
    /// # Errors
    /// [`Full`]: nothing has changed, the owner must not grow.
    pub fn hold(&mut self, held: usize) -> Result<(), Full> {
        let wanted = if held <= UNCHARGED_BYTES {
            0
        } else {
            held.next_multiple_of(UNCHARGED_BYTES)
        };
        if wanted > self.bytes {
            self.budget.take(self.tenant, wanted - self.bytes)?;
        } else if wanted < self.bytes {
            self.budget.give(self.tenant, self.bytes - wanted);
        }
        self.bytes = wanted;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give(self.tenant, self.bytes);
        }
    }
}

/// The bytes to start from: a quarter of the memory that the process may use, 256 MiB at most.
#[must_use]
pub const fn default_bytes(memory_max: Option<usize>) -> usize {
    let most = 256 * crate::limits::MIB;
    match memory_max {
        Some(memory) if memory / 4 < most => memory / 4,
        _ => most,
    }
}

/// The process's own time, cut to what is stored.
fn now_ms() -> u64 {
    (clock::now().as_nanos() / 1_000_000) & MILLIS
}

/// The lower 48 bits.
const MILLIS: u64 = (1 << 48) - 1;
/// How long a refused tenant is waited for: clients are told to come again in a second.
const WAITING_MS: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: usize = UNCHARGED_BYTES;

    #[test]
    fn p27_charges_at_the_limit_and_not_one_step_past_it() {
        let budget = Arc::new(Budget::new(8 * STEP, 1));
        let mut charge = Charge::new(Arc::clone(&budget), 0);
        assert_eq!(charge.hold(STEP), Ok(()));
        assert_eq!(budget.held(), 0);
        assert_eq!(charge.hold(8 * STEP), Ok(()));
        assert_eq!(charge.hold(8 * STEP + 1), Err(Full));
        assert_eq!(budget.held(), 8 * STEP);
        drop(charge);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn p27_a_tenant_has_all_while_alone_and_a_quarter_beside_others() {
        let budget = Arc::new(Budget::new(16 * STEP, 2));
        let mut one = Charge::new(Arc::clone(&budget), 0);
        assert_eq!(one.hold(12 * STEP), Ok(()));
        let mut two = Charge::new(Arc::clone(&budget), 1);
        assert_eq!(two.hold(4 * STEP), Ok(()));
        assert!(budget.is_tight());
        assert_eq!(two.hold(5 * STEP), Err(Full));
        assert_eq!(one.hold(13 * STEP), Err(Full));
        assert_eq!(one.hold(2 * STEP), Ok(()));
        drop(one);
        assert_eq!(two.hold(16 * STEP), Ok(()));
    }

    #[test]
    fn p27_a_tenant_that_held_everything_gets_a_quarter_once_another_was_refused() {
        let budget = Arc::new(Budget::new(16 * STEP, 2));
        let mut many: Vec<Charge> = (0..8)
            .map(|_| Charge::new(Arc::clone(&budget), 0))
            .collect();
        for charge in &mut many {
            assert_eq!(charge.hold(2 * STEP), Ok(()));
        }
        let mut other = Charge::new(Arc::clone(&budget), 1);
        assert_eq!(other.hold(2 * STEP), Err(Full));
        // What is given back is not taken again before the other has had its turn.
        many.truncate(7);
        let mut more = Charge::new(Arc::clone(&budget), 0);
        assert_eq!(more.hold(2 * STEP), Err(Full));
        assert_eq!(other.hold(2 * STEP), Ok(()));
        many.clear();
        assert_eq!(more.hold(4 * STEP), Ok(()));
    }

    #[test]
    fn default_is_a_quarter_of_memory_and_256_mib_at_most() {
        assert_eq!(default_bytes(None), 256 << 20);
        assert_eq!(default_bytes(Some(2 << 30)), 256 << 20);
        assert_eq!(default_bytes(Some(512 << 20)), 128 << 20);
    }
}
