//! How fast something that replicas lease is used, what is needed of it next, and what is given back.

use crate::govern::order::Needs;

/// How fast something is used, and who waits for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flow {
    /// Since the last order.
    pub(super) spent: u64,
    /// The same of orders before, fading.
    pace: u64,
    /// What is kept ready.
    pub(super) target: u64,
    /// What those need who wait.
    pub(super) wanted: u64,
    least: u64,
}

impl Flow {
    pub(super) fn need(&mut self, amount: u64) {
        self.least = match self.wanted {
            0 => amount,
            _ => self.least.min(amount),
        };
        self.wanted = self.wanted.saturating_add(amount);
    }

    /// What is needed beside what is there; begins anew.
    pub(super) fn order(&mut self, available: u64, most: u64, owed: u64) -> Needs {
        self.pace = self.spent.max(self.pace - self.pace.div_ceil(4));
        self.target = self.pace.saturating_mul(2).min(most);
        let wanted = core::mem::take(&mut self.wanted);
        let least = core::mem::take(&mut self.least);
        self.spent = 0;
        Needs {
            want: wanted.saturating_add(self.target).saturating_sub(available),
            least: least.saturating_sub(available),
            owed,
        }
    }
}

/// Adds to what is given back, by what it belongs to.
pub(super) fn give(back: &mut Vec<(u64, u64)>, of: u64, amount: u64) {
    if amount == 0 {
        return;
    }
    if let Some((_, known)) = back.iter_mut().find(|(known, _)| *known == of) {
        *known = known.saturating_add(amount);
    } else if back.len() < BACK_MAX {
        back.push((of, amount));
    }
    // What is left out stays used.
}

/// Life of a lease of a rate, and of money that nobody takes; between two words about places.
pub(super) const LIFE_NANOS: u64 = 1_000_000_000;
/// How long a grant of money or places is left to those whom it was for.
pub(super) const SETTLED_NANOS: u64 = 250_000_000;
/// Seconds or days that something is given back to at a time.
const BACK_MAX: usize = 64;
