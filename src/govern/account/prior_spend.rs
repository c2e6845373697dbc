//! What keys and tenants had spent before this process, by what was recorded.
//!
//! Sums are those of one moment: of its day and of its month. What lies before adds nothing.

use std::collections::HashMap;

use crate::govern::account::usage::{day_of, month_of};
use crate::govern::value::spent::BudgetUse;
use crate::http1::date::{civil, days};

/// A charge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriorCharge {
    /// The day, since 1970.
    pub day: u64,
    /// The tenant's id; empty where it has none.
    pub tenant: String,
    /// The key's id, likewise.
    pub key_id: String,
    /// Nano-dollars.
    pub nanos: u64,
}

/// What a tenant's key has spent in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spending {
    /// The tenant; empty where it has none.
    pub tenant: String,
    /// The key's id, likewise.
    pub key_id: String,
    /// Nano-dollars.
    pub nanos: u64,
}

/// Sums at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriorSpend {
    unix_ms: u64,
    keys: HashMap<Box<str>, BudgetUse>,
    tenants: HashMap<Box<str>, BudgetUse>,
}

impl PriorSpend {
    /// Nothing spent, at this moment.
    #[must_use]
    pub fn new(unix_ms: u64) -> Self {
        Self {
            unix_ms,
            ..Self::default()
        }
    }

    /// The moment.
    #[must_use]
    pub const fn unix_ms(&self) -> u64 {
        self.unix_ms
    }

    /// The first day that counts.
    #[must_use]
    pub const fn first_day(&self) -> u64 {
        let (year, month, _) = civil(day_of(self.unix_ms));
        days(year, month, 1)
    }

    /// Adds a charge.
    pub fn add(&mut self, charge: &PriorCharge) {
        let day = day_of(self.unix_ms);
        if charge.day < self.first_day() || charge.day > day {
            return;
        }
        self.each_of(&charge.tenant, &charge.key_id, |spent| {
            spent.in_month = spent.in_month.saturating_add(charge.nanos);
            if charge.day == day {
                spent.on_day = spent.on_day.saturating_add(charge.nanos);
            }
        });
    }

    /// Adds a sum of the day.
    pub fn add_day(&mut self, sum: &Spending) {
        self.each_of(&sum.tenant, &sum.key_id, |spent| {
            spent.on_day = spent.on_day.saturating_add(sum.nanos);
        });
    }

    /// Adds a sum of the month, which that of the day is a part of.
    pub fn add_month(&mut self, sum: &Spending) {
        self.each_of(&sum.tenant, &sum.key_id, |spent| {
            spent.in_month = spent.in_month.saturating_add(sum.nanos);
        });
    }

    /// Takes back what was counted elsewhere too, at the same moment.
    pub fn take_all_back(&mut self, other: &Self) {
        for (sums, others) in [
            (&mut self.keys, &other.keys),
            (&mut self.tenants, &other.tenants),
        ] {
            for (name, other) in others {
                if let Some(spent) = sums.get_mut(name) {
                    spent.on_day = spent.on_day.saturating_sub(other.on_day);
                    spent.in_month = spent.in_month.saturating_sub(other.in_month);
                }
            }
        }
    }

    fn each_of(&mut self, tenant: &str, key_id: &str, change: impl Fn(&mut BudgetUse)) {
        let (day, month) = (day_of(self.unix_ms), month_of(self.unix_ms));
        for (sums, name) in [(&mut self.keys, key_id), (&mut self.tenants, tenant)] {
            if name.is_empty() {
                continue;
            }
            // Nearly all of a tenant's are there, and need no name of their own.
            if let Some(spent) = sums.get_mut(name) {
                change(spent);
                continue;
            }
            let spent = sums.entry(name.into()).or_default();
            (spent.day, spent.month) = (day, month);
            change(spent);
        }
    }

    /// What a key had spent.
    #[must_use]
    pub fn of_key(&self, id: &str) -> Option<&BudgetUse> {
        self.keys.get(id)
    }

    /// What a tenant had.
    #[must_use]
    pub fn of_tenant(&self, id: &str) -> Option<&BudgetUse> {
        self.tenants.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::{PriorCharge, PriorSpend, Spending};
    use crate::govern::value::date;

    #[test]
    fn sums_are_those_of_the_day_and_the_month() {
        let at = |text: &str| date::parse(text).unwrap();
        let mut past = PriorSpend::new(at("2027-03-31T12:00:00Z"));
        let charge = |text: &str, key_id: &str, nanos| PriorCharge {
            day: at(text) / 86_400_000,
            tenant: "blue".to_owned(),
            key_id: key_id.to_owned(),
            nanos,
        };
        for charge in [
            charge("2027-02-28", "a", 1),
            charge("2027-03-01", "a", 10),
            charge("2027-03-31", "a", 100),
            charge("2027-03-31", "b", 1_000),
            charge("2027-03-31", "", 10_000),
            charge("2027-04-01", "a", 100_000),
        ] {
            past.add(&charge);
        }
        let mut other = PriorSpend::new(past.unix_ms());
        other.add(&charge("2027-03-31", "b", 400));
        past.take_all_back(&other);
        let sums = |spent: Option<&super::BudgetUse>| spent.map(|it| (it.on_day, it.in_month));
        assert_eq!(sums(past.of_key("a")), Some((100, 110)));
        assert_eq!(sums(past.of_key("b")), Some((600, 600)));
        assert_eq!(sums(past.of_key("")), None);
        assert_eq!(sums(past.of_tenant("blue")), Some((10_700, 10_710)));
        assert_eq!(past.first_day(), at("2027-03-01") / 86_400_000);
        let mut read = PriorSpend::new(past.unix_ms());
        let sum = |tenant: &str, key_id: &str, nanos| Spending {
            tenant: tenant.to_owned(),
            key_id: key_id.to_owned(),
            nanos,
        };
        for (key_id, month, day) in [("a", 110, 100), ("b", 600, 600), ("", 10_000, 10_000)] {
            read.add_month(&sum("blue", key_id, month));
            read.add_day(&sum("blue", key_id, day));
        }
        assert_eq!(sums(read.of_key("a")), sums(past.of_key("a")));
        assert_eq!(sums(read.of_tenant("blue")), Some((10_700, 10_710)));
    }
}
