//! Tenants while the program runs: a name keeps its number, whatever becomes of its keys.

use std::collections::HashMap;
use std::sync::Arc;

use crate::govern::account::Account;
use crate::govern::allowance::Allowance;
use crate::govern::pool::Pool;
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
    /// What all of its keys together may use.
    pub allowance: Allowance,
    /// What all of its keys together have used; none where nothing bounds it.
    pub account: Option<Arc<Account>>,
}

/// The numbers that were given so far, of which none is given twice, and the accounts that are open.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    by_name: HashMap<Box<str>, usize>,
    keys: HashMap<Box<str>, Arc<Account>>,
    tenants: HashMap<Box<str>, Arc<Account>>,
    /// What several replicas share the accounts by, where they do.
    pool: Option<Arc<Pool<Arc<Account>>>>,
}

impl Numbers {
    /// No numbers yet; accounts are shared by `pool`.
    #[must_use]
    pub fn shared_by(pool: Arc<Pool<Arc<Account>>>) -> Self {
        Self {
            pool: Some(pool),
            ..Self::default()
        }
    }

    /// The number of this name; a new one if it has none.
    pub fn of(&mut self, name: &str) -> usize {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.by_name.len();
        self.by_name.insert(name.into(), number);
        number
    }

    /// The account of a key, with these bounds from now on. One that has none closes.
    pub fn key_account(&mut self, id: &str, allowance: &Allowance) -> Option<Arc<Account>> {
        open((&mut self.keys, "k"), id, allowance, self.pool.as_ref())
    }

    /// The account of a tenant, likewise.
    pub fn tenant_account(&mut self, name: &str, allowance: &Allowance) -> Option<Arc<Account>> {
        open(
            (&mut self.tenants, "t"),
            name,
            allowance,
            self.pool.as_ref(),
        )
    }

    /// Closes all accounts but those of these keys and tenants.
    pub fn keep(&mut self, has_key: impl Fn(&str) -> bool, has_tenant: impl Fn(&str) -> bool) {
        self.keys.retain(|id, _| has_key(id));
        self.tenants.retain(|name, _| has_tenant(name));
    }

    /// How many were given.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_name.len()
    }
}

fn open(
    (accounts, kind): (&mut HashMap<Box<str>, Arc<Account>>, &str),
    name: &str,
    allowance: &Allowance,
    pool: Option<&Arc<Pool<Arc<Account>>>>,
) -> Option<Arc<Account>> {
    if allowance.is_unbounded() {
        accounts.remove(name);
        return None;
    }
    if let Some(known) = accounts.get(name) {
        known.allow(*allowance);
        return Some(Arc::clone(known));
    }
    let account = Arc::new(match pool {
        Some(pool) => Account::shared(*allowance, &format!("{kind}:{name}"), pool),
        None => Account::new(*allowance),
    });
    accounts.insert(name.into(), Arc::clone(&account));
    Some(account)
}
