//! Buffers: free lists per thread, and the process-wide budget for large ones.
//!
//! [`take`] hands out an empty `Vec<u8>` of one of three sizes, [`give`] takes it back. What a
//! thread keeps is bounded by `FREE_BUFFERS_MAX`. In steady state no read or write allocates.
//!
//! A [`Charge`] stands for what one owner really holds past 64 KiB, in steps of 64 KiB, against
//! one [`Budget`] for the process; over the budget growth is refused.
//!
//! Not here: who is refused or shed when memory is short (see `proxy`).

use core::cell::RefCell;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::limits::{
    BUSY_READ_BYTES, FREE_BUFFERS_MAX, KIB, MIDDLE_READ_BYTES, QUIET_READ_BYTES, UNCHARGED_BYTES,
};

thread_local! {
    static FREE: RefCell<[Vec<Vec<u8>>; 3]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new()]) };
}

/// A size of buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 2 KiB: what a quiet connection holds.
    Quiet,
    /// 16 KiB.
    Middle,
    /// 64 KiB: what a busy connection reads at once.
    Busy,
}

impl Class {
    /// Capacity of its buffers, at least.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Quiet => QUIET_READ_BYTES,
            Self::Middle => MIDDLE_READ_BYTES,
            Self::Busy => BUSY_READ_BYTES,
        }
    }

    /// The smallest class that holds `bytes`; the largest one if none does.
    #[must_use]
    pub const fn fitting(bytes: usize) -> Self {
        if bytes <= QUIET_READ_BYTES {
            Self::Quiet
        } else if bytes <= MIDDLE_READ_BYTES {
            Self::Middle
        } else {
            Self::Busy
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Quiet => 0,
            Self::Middle => 1,
            Self::Busy => 2,
        }
    }

    /// The class whose list a buffer of this capacity goes to: at least its size, and less than
    /// twice that, so that the lists' bound in buffers is one in bytes.
    fn of_capacity(capacity: usize) -> Option<Self> {
        [Self::Quiet, Self::Middle, Self::Busy]
            .into_iter()
            .find(|class| (class.bytes()..2 * class.bytes()).contains(&capacity))
    }
}

/// An empty buffer of at least the class's size.
#[must_use]
pub fn take(class: Class) -> Vec<u8> {
    FREE.with_borrow_mut(|free| free[class.index()].pop())
        .unwrap_or_else(|| Vec::with_capacity(class.bytes()))
}

/// Takes a buffer back. One that fits no class, or finds its list full, is freed.
pub fn give(mut buffer: Vec<u8>) {
    let Some(class) = Class::of_capacity(buffer.capacity()) else {
        return;
    };
    buffer.clear();
    FREE.with_borrow_mut(|free| {
        let list = &mut free[class.index()];
        if list.len() < FREE_BUFFERS_MAX[class.index()] {
            list.push(buffer);
        }
    });
}

/// Frees what the thread's lists hold.
pub fn trim() {
    FREE.with_borrow_mut(|free| free.iter_mut().for_each(|list| *list = Vec::new()));
}

/// Bytes that the thread's lists hold.
#[must_use]
pub fn free_bytes() -> usize {
    FREE.with_borrow(|free| free.iter().flatten().map(Vec::capacity).sum())
}

/// The process-wide bound on bytes held past 64 KiB per owner.
#[derive(Debug)]
pub struct Budget {
    /// 0 <= held <= max, but for the moment of a refused growth.
    held: AtomicUsize,
    max: usize,
}

/// The budget has no room for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget;

impl Budget {
    /// A budget of `max` bytes.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self {
            held: AtomicUsize::new(0),
            max,
        }
    }

    /// Bytes held now, in whole steps.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// The bound.
    #[must_use]
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Whether more than half is held: slow uploads are shed from here on.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        self.held() > self.max / 2
    }

    fn grow(&self, bytes: usize) -> Result<(), OverBudget> {
        let before = self.held.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.max {
            self.held.fetch_sub(bytes, Ordering::Relaxed);
            return Err(OverBudget);
        }
        Ok(())
    }

    fn shrink(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// What one owner holds of a budget; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    /// A multiple of `STEP_BYTES`.
    charged: usize,
}

impl Charge {
    /// A charge of nothing.
    #[must_use]
    pub fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            charged: 0,
        }
    }

    /// Says that the owner holds `bytes` in all: charges or gives back what lies past 64 KiB.
    ///
    /// # Errors
    ///
    /// When it would have to grow past the budget; the charge is unchanged then.
    pub fn hold(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let past = bytes.saturating_sub(UNCHARGED_BYTES);
        let wanted = past
            .checked_next_multiple_of(STEP_BYTES)
            .ok_or(OverBudget)?;
        if wanted > self.charged {
            self.budget.grow(wanted - self.charged)?;
        } else {
            self.budget.shrink(self.charged - wanted);
        }
        self.charged = wanted;
        Ok(())
    }

    /// Bytes charged now.
    #[must_use]
    pub const fn charged(&self) -> usize {
        self.charged
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.shrink(self.charged);
    }
}

/// Charges move in steps, so that a growing body touches the shared counter seldom.
const STEP_BYTES: usize = 64 * KIB;

#[cfg(test)]
mod tests {
    use super::{Budget, Charge, Class, OverBudget, free_bytes, give, take, trim};
    use crate::limits::{FREE_BUFFERS_MAX, KIB};
    use std::sync::Arc;

    #[test]
    fn take_after_give_returns_same_memory_emptied() {
        let mut first = take(Class::Quiet);
        first.extend_from_slice(b"left over");
        let place = first.as_ptr();
        give(first);
        let second = take(Class::Quiet);
        assert_eq!(second.as_ptr(), place);
        assert!(second.is_empty());
        assert!(second.capacity() >= Class::Quiet.bytes());
    }

    #[test]
    fn give_over_the_bound_frees() {
        trim();
        for class in [Class::Quiet, Class::Middle, Class::Busy] {
            let many: Vec<_> = (0..300).map(|_| take(class)).collect();
            many.into_iter().for_each(give);
        }
        let bound = FREE_BUFFERS_MAX[0] * Class::Quiet.bytes()
            + FREE_BUFFERS_MAX[1] * Class::Middle.bytes()
            + FREE_BUFFERS_MAX[2] * Class::Busy.bytes();
        assert_eq!(free_bytes(), bound);
        trim();
        assert_eq!(free_bytes(), 0);
    }

    #[test]
    fn give_of_odd_capacity_is_kept_only_near_a_class() {
        trim();
        give(Vec::new());
        give(Vec::with_capacity(1000));
        give(Vec::with_capacity(5 * KIB));
        give(Vec::with_capacity(200 * KIB));
        assert_eq!(free_bytes(), 0);
        give(Vec::with_capacity(3 * KIB));
        assert_eq!(free_bytes(), 3 * KIB);
        trim();
    }

    #[test]
    fn charge_counts_only_past_64_kib_in_steps() {
        let budget = Arc::new(Budget::new(256 * KIB));
        let mut charge = Charge::new(&budget);
        charge.hold(64 * KIB).expect("uncharged");
        assert_eq!(budget.held(), 0);
        charge.hold(64 * KIB + 1).expect("one step");
        assert_eq!(budget.held(), 64 * KIB);
        charge.hold(128 * KIB).expect("same step");
        assert_eq!(budget.held(), 64 * KIB);
        charge.hold(10).expect("shrinks");
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn charge_at_the_budget_holds_and_one_past_is_refused() {
        let budget = Arc::new(Budget::new(128 * KIB));
        let mut first = Charge::new(&budget);
        first.hold(192 * KIB).expect("exactly the budget");
        assert!(budget.is_half_full());
        assert_eq!(first.hold(192 * KIB + 1), Err(OverBudget));
        assert_eq!(first.charged(), 128 * KIB);
        let mut second = Charge::new(&budget);
        assert_eq!(second.hold(65 * KIB), Err(OverBudget));
        assert_eq!(second.hold(usize::MAX), Err(OverBudget));
        drop(first);
        assert_eq!(budget.held(), 0);
        second.hold(65 * KIB).expect("room again");
    }

    #[test]
    fn charges_of_many_threads_end_at_zero() {
        let budget = Arc::new(Budget::new(1024 * KIB));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let budget = Arc::clone(&budget);
                std::thread::spawn(move || {
                    for size in 0..1000 {
                        let mut charge = Charge::new(&budget);
                        let _ = charge.hold(size * 2 * KIB);
                        assert!(budget.held() <= 8 * 1024 * KIB);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(budget.held(), 0);
    }
}
