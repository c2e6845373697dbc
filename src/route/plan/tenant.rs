//! Tenants while the program runs: an id keeps its number, whatever becomes of the tenant's keys.

use std::collections::HashMap;
use std::sync::Arc;

use crate::govern::account::prior_spend::PriorSpend;
use crate::govern::account::usage::Account;
use crate::govern::key::allowance::Allowance;
use crate::govern::key::residency::Residency;
use crate::govern::lease::lease_queue::LeaseQueue;
use crate::govern::value::spent::BudgetUse;

/// A tenant as its keys refer to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// What its records, sums and limits go by: no other tenant ever has it.
    pub id: Box<str>,
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
pub struct AccountRegistry {
    by_id: HashMap<Box<str>, usize>,
    keys: HashMap<Box<str>, Arc<Account>>,
    tenants: HashMap<Box<str>, Arc<Account>>,
    /// What several replicas share the accounts by, where they do.
    pool: Option<Arc<LeaseQueue<Account>>>,
    /// What was spent before, for accounts that open later too. Several, where it came from several
    /// places.
    past: Vec<Arc<PriorSpend>>,
}

impl AccountRegistry {
    /// No numbers yet; accounts are shared by `pool`.
    #[must_use]
    pub fn shared_by(pool: Arc<LeaseQueue<Account>>) -> Self {
        Self {
            pool: Some(pool),
            ..Self::default()
        }
    }

    /// The number of the tenant with this id; a new one if it has none.
    pub fn of(&mut self, id: &str) -> usize {
        if let Some(number) = self.by_id.get(id) {
            return *number;
        }
        let number = self.by_id.len();
        self.by_id.insert(id.into(), number);
        number
    }

    /// The account of a key, with these bounds from now on; `None`: it has never had any. One whose
    /// bounds were taken away goes on counting, so that they do not begin anew when they come back.
    pub fn key_account(&mut self, id: &str, allowance: &Allowance) -> Option<Arc<Account>> {
        open(&mut self.keys, id, allowance, || {
            let account = account(self.pool.as_ref(), ("k", id), allowance);
            let past = self.past.iter();
            past.for_each(|past| restore(&account, past.of_key(id), past));
            account
        })
    }

    /// The account of a tenant, likewise.
    pub fn tenant_account(&mut self, id: &str, allowance: &Allowance) -> Option<Arc<Account>> {
        open(&mut self.tenants, id, allowance, || {
            let account = account(self.pool.as_ref(), ("t", id), allowance);
            let past = self.past.iter();
            past.for_each(|past| restore(&account, past.of_tenant(id), past));
            account
        })
    }

    /// Charges what was spent before, to accounts that are open and to those that will be.
    pub fn recall(&mut self, past: PriorSpend) {
        for (id, account) in &self.keys {
            restore(account, past.of_key(id), &past);
        }
        for (id, account) in &self.tenants {
            restore(account, past.of_tenant(id), &past);
        }
        self.past.push(Arc::new(past));
    }

    /// Closes the account of a key, if it has one.
    pub fn close_key(&mut self, id: &str) {
        self.keys.remove(id);
    }

    /// Closes all accounts but those of these keys and tenants, by their ids.
    pub fn keep(&mut self, has_key: impl Fn(&str) -> bool, has_tenant: impl Fn(&str) -> bool) {
        self.keys.retain(|id, _| has_key(id));
        self.tenants.retain(|id, _| has_tenant(id));
    }

    /// The keys whose accounts are open, by id.
    #[cfg(test)]
    pub(crate) fn open_keys(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self.keys.keys().map(|id| &**id).collect();
        ids.sort_unstable();
        ids
    }

    /// How many were given.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_id.len()
    }
}

fn restore(account: &Account, spent: Option<&BudgetUse>, past: &PriorSpend) {
    if let Some(spent) = spent {
        account.restore(spent, past.unix_ms());
    }
}

/// A new account; `kind` and `name` are what replicas know it by.
fn account(
    pool: Option<&Arc<LeaseQueue<Account>>>,
    (kind, name): (&str, &str),
    allowance: &Allowance,
) -> Account {
    match pool {
        Some(pool) => Account::shared(*allowance, &format!("{kind}:{name}"), pool),
        None => Account::new(*allowance),
    }
}

fn open(
    accounts: &mut HashMap<Box<str>, Arc<Account>>,
    name: &str,
    allowance: &Allowance,
    open: impl FnOnce() -> Account,
) -> Option<Arc<Account>> {
    if let Some(known) = accounts.get(name) {
        // Where the bounds were taken away it goes on counting: they may come back.
        known.allow(*allowance);
        return Some(Arc::clone(known));
    }
    if allowance.is_unbounded() {
        return None;
    }
    let account = Arc::new(open());
    account.register();
    accounts.insert(name.into(), Arc::clone(&account));
    Some(account)
}
