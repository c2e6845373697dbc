//! Tenants while the program runs: a name keeps its number, whatever becomes of its keys.

use std::collections::HashMap;

use crate::govern::residency::Residency;

/// A tenant as its keys refer to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// Its name, in logs and records.
    pub name: Box<str>,
    /// Its number: the same for as long as the program runs.
    pub number: usize,
    /// Where its requests may go.
    pub residency: Option<Residency>,
}

/// The numbers that were given so far. None is given twice.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    by_name: HashMap<Box<str>, usize>,
}

impl Numbers {
    /// The number of this name; a new one if it has none.
    pub fn of(&mut self, name: &str) -> usize {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.by_name.len();
        self.by_name.insert(name.into(), number);
        number
    }

    /// How many were given.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_name.len()
    }
}
