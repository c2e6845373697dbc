//! What keys and tenants had spent before this process, by what was recorded.
//!
//! Sums are those of one moment: of its day and of its month. What lies before adds nothing.

use std::collections::HashMap;

use crate::govern::account::{Spent, day_of, month_of};
use crate::http1::date::{civil, days};

/// A charge, or the sum of some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// The day, since 1970.
    pub day: u64,
    /// The tenant; empty where it has none.
    pub tenant: String,
    /// The key's id, likewise.
    pub key_id: String,
    /// Nano-dollars.
    pub nanos: u64,
}

/// Sums at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    unix_ms: u64,
    keys: HashMap<Box<str>, Spent>,
    tenants: HashMap<Box<str>, Spent>,
}

impl Past {
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
    pub fn add(&mut self, charge: &Charge) {
        self.each(charge, u64::saturating_add);
    }

    /// Takes a charge back that was counted elsewhere too.
    pub fn take_back(&mut self, charge: &Charge) {
        self.each(charge, u64::saturating_sub);
    }

    fn each(&mut self, charge: &Charge, change: impl Fn(u64, u64) -> u64) {
        let (day, month) = (day_of(self.unix_ms), month_of(self.unix_ms));
        if charge.day < self.first_day() || charge.day > day {
            return;
        }
        for (sums, name) in [
            (&mut self.keys, &charge.key_id),
            (&mut self.tenants, &charge.tenant),
        ] {
            if name.is_empty() {
                continue;
            }
            let spent = sums.entry(name.as_str().into()).or_default();
            (spent.day, spent.month) = (day, month);
            spent.in_month = change(spent.in_month, charge.nanos);
            if charge.day == day {
                spent.on_day = change(spent.on_day, charge.nanos);
            }
        }
    }

    /// What a key had spent.
    #[must_use]
    pub fn of_key(&self, id: &str) -> Option<&Spent> {
        self.keys.get(id)
    }

    /// What a tenant had.
    #[must_use]
    pub fn of_tenant(&self, name: &str) -> Option<&Spent> {
        self.tenants.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::{Charge, Past};
    use crate::govern::date;

    #[test]
    fn sums_are_those_of_the_day_and_the_month() {
        let at = |text: &str| date::parse(text).unwrap();
        let mut past = Past::new(at("2027-03-31T12:00:00Z"));
        let charge = |text: &str, key_id: &str, nanos| Charge {
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
        past.take_back(&charge("2027-03-31", "b", 400));
        let sums = |spent: Option<&super::Spent>| spent.map(|it| (it.on_day, it.in_month));
        assert_eq!(sums(past.of_key("a")), Some((100, 110)));
        assert_eq!(sums(past.of_key("b")), Some((600, 600)));
        assert_eq!(sums(past.of_key("")), None);
        assert_eq!(sums(past.of_tenant("blue")), Some((10_700, 10_710)));
        assert_eq!(past.first_day(), at("2027-03-01") / 86_400_000);
    }
}
