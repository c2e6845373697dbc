//! Changes of keys and tenants since the store was last read, and how a [`StoredState`] takes them over.
//!
//! A state that has taken over changes is the one that reading all rows would give; a property test holds
//! that. Where a change reaches beyond its own row, such as that of a tenant whose row makes no sense, it is
//! not taken over: then all rows are to be read.

use std::collections::{BTreeMap, HashSet};

use crate::govern::key::client_key::{Key, Tenant};
use crate::store::database::row::{KeyRow, Skipped, StoredState, TenantRow, Which};

/// Rows as they stand now, each by the id or name under which it was changed; `None`: it is gone.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Rows of keys; an `Err` could not be read.
    pub keys: BTreeMap<String, Option<Result<KeyRow, String>>>,
    /// Rows of tenants, likewise.
    pub tenants: BTreeMap<String, Option<Result<TenantRow, String>>>,
}

/// What has become of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Its id.
    pub id: Box<str>,
    /// The key as it was; `None`: there was none.
    pub before: Option<Key>,
    /// The key as it is; `None`: there is none.
    pub after: Option<Key>,
}

/// What has become of a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Keys that are not as they were.
    pub keys: Vec<KeyChange>,
    /// Names of tenants that are not as they were.
    pub tenants: Vec<Box<str>>,
    /// Rows that were left out are others now.
    pub is_skipped_new: bool,
}

impl Changed {
    /// Whether everything is as it was.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.keys.is_empty() && self.tenants.is_empty() && !self.is_skipped_new
    }
}

impl Changes {
    /// How many rows were asked for.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len() + self.tenants.len()
    }
}

impl StoredState {
    /// Takes changes over. `given` are the keys of the configuration, which outrank others of their ids.
    /// `None`: nothing was changed, and all rows are to be read.
    pub fn apply(&mut self, changes: Changes, given: &[Key]) -> Option<Changed> {
        let is_unread = |one: &Skipped| one.which == Which::Unread;
        if self.skipped.iter().any(is_unread) {
            return None;
        }
        let tenants = self.tenants_meant(changes.tenants)?;
        let keys = self.keys_meant(changes.keys, &tenants)?;
        if !self.leaves_no_orphan(&keys, &tenants) {
            return None;
        }
        let mut changed = Changed::default();
        for (name, tenant) in tenants {
            let name = name.into_boxed_str();
            if put(
                &mut self.tenants,
                &name,
                |tenant| &tenant.name,
                tenant.clone(),
            ) != tenant
            {
                changed.tenants.push(name);
            }
        }
        let touched: HashSet<Box<str>> = keys.keys().map(|id| id.as_str().into()).collect();
        let is_touched = |one: &Skipped| match &one.which {
            Which::Key(id) => touched.contains(id),
            Which::Tenant | Which::Unread => false,
        };
        let skipped = core::mem::take(&mut self.skipped).into_iter();
        let (mut before, kept): (Vec<_>, Vec<_>) = skipped.partition(is_touched);
        let kept_count = kept.len();
        self.skipped = kept;
        for (id, meant) in keys {
            let id = id.into_boxed_str();
            let after = match meant {
                Some(Ok(key)) => Some(key),
                Some(Err(text)) => {
                    let which = Which::Key(id.clone());
                    self.skipped.push(Skipped { which, text });
                    None
                }
                None => None,
            };
            let before = put(&mut self.keys, &id, |key| &key.id, after.clone());
            if before != after {
                changed.keys.push(KeyChange { id, before, after });
            }
        }
        self.note_outranked(given.iter().filter(|key| touched.contains(&key.id)));
        before.sort();
        let mut now = self.skipped.get(kept_count..).unwrap_or_default().to_vec();
        now.sort();
        changed.is_skipped_new = before != now;
        Some(changed)
    }

    /// Tenants as their rows mean them. `None` where one makes no sense, or where keys were left out that
    /// a new one may bring back.
    fn tenants_meant(
        &self,
        rows: BTreeMap<String, Option<Result<TenantRow, String>>>,
    ) -> Option<BTreeMap<String, Option<Tenant>>> {
        let mut tenants = BTreeMap::new();
        for (name, row) in rows {
            // Keys may have been left out for want of it, or be told to be left out for that now.
            let comes_or_goes = row.is_none() || self.tenant(&name).is_none();
            if comes_or_goes && !self.skipped.is_empty() {
                return None;
            }
            let tenant = match row {
                Some(row) => Some(row.ok()?.tenant().ok()?),
                None => None,
            };
            tenants.insert(name, tenant);
        }
        Some(tenants)
    }

    /// Keys as their rows mean them: an `Err` tells why it makes no sense. `None` where one cannot
    /// be read, or its tenant is not known.
    fn keys_meant(
        &self,
        rows: BTreeMap<String, Option<Result<KeyRow, String>>>,
        tenants: &BTreeMap<String, Option<Tenant>>,
    ) -> Option<BTreeMap<String, Option<Result<Key, String>>>> {
        let mut keys = BTreeMap::new();
        for (id, row) in rows {
            let key = match row {
                Some(row) => {
                    let row = row.ok()?;
                    let is_known = match tenants.get(&row.tenant) {
                        Some(tenant) => tenant.is_some(),
                        None => self.tenant(&row.tenant).is_some(),
                    };
                    if !is_known {
                        return None;
                    }
                    Some(row.meant())
                }
                None => None,
            };
            keys.insert(id, key);
        }
        Some(keys)
    }

    /// Whether no key is left whose tenant goes.
    fn leaves_no_orphan(
        &self,
        keys: &BTreeMap<String, Option<Result<Key, String>>>,
        tenants: &BTreeMap<String, Option<Tenant>>,
    ) -> bool {
        let is_gone = |name: &str| tenants.get(name).is_some_and(Option::is_none);
        if !tenants.values().any(Option::is_none) {
            return true;
        }
        let mut left = self.keys.iter().filter(|key| !keys.contains_key(&*key.id));
        left.all(|key| !is_gone(&key.tenant))
    }

    fn tenant(&self, name: &str) -> Option<&Tenant> {
        let at = self.tenants.binary_search_by(|one| (*one.name).cmp(name));
        self.tenants.get(at.ok()?)
    }
}

/// Puts a value where those of its name stand, or takes the one away that stands there; gives that one back.
fn put<T>(
    sorted: &mut Vec<T>,
    name: &str,
    name_of: impl Fn(&T) -> &str,
    value: Option<T>,
) -> Option<T> {
    let found = sorted.binary_search_by(|one| name_of(one).cmp(name));
    match (found, value) {
        (Ok(at), Some(value)) => Some(core::mem::replace(sorted.get_mut(at)?, value)),
        (Ok(at), None) => Some(sorted.remove(at)),
        (Err(at), Some(value)) => {
            sorted.insert(at, value);
            None
        }
        (Err(_), None) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Changes, put};
    use crate::govern::key::client_key::Key;
    use crate::store::database::row::{KeyRow, StoredState, TenantRow};

    /// What a database holds.
    #[derive(Default)]
    struct Rows {
        keys: BTreeMap<String, KeyRow>,
        tenants: BTreeMap<String, TenantRow>,
    }

    impl Rows {
        fn state(&self, given: &[Key]) -> StoredState {
            let keys = self.keys.values().cloned().map(Ok);
            let mut state = StoredState::of(keys, self.tenants.values().cloned().map(Ok));
            state.note_outranked(given);
            state.skipped.sort();
            state
        }

        /// Does something of what operators do, by hand too, and notes it.
        fn edit(&mut self, random: &mut impl FnMut(usize) -> usize, changes: &mut Changes) {
            let id = format!("key_{}", random(12));
            let tenant = format!("tenant_{}", random(3));
            match random(16) {
                0 if !self.keys.values().any(|key| key.tenant == tenant) => {
                    self.tenants.remove(&tenant);
                }
                // Somebody put the references aside.
                1 if random(8) == 0 => drop(self.tenants.remove(&tenant)),
                kind @ 0..5 => {
                    let rules = if kind == 2 && random(3) == 0 {
                        "["
                    } else {
                        "{}"
                    };
                    let rules = if kind == 3 {
                        r#"{"concurrent":3}"#
                    } else {
                        rules
                    };
                    let (name, rules) = (tenant.clone(), rules.to_owned());
                    // Now and then another tenant with the name of one that is gone.
                    let id = format!("tn_{tenant}_{}", random(2));
                    self.tenants
                        .insert(tenant.clone(), TenantRow { name, rules, id });
                }
                5 | 6 => drop(self.keys.remove(&id)),
                7 => {
                    if let Some(key) = self.keys.get_mut(&id) {
                        key.revoked = Some(7);
                    }
                }
                kind => {
                    let row = KeyRow {
                        id: id.clone(),
                        tenant: tenant.clone(),
                        digest: vec![u8::try_from(random(200)).unwrap(); 32],
                        rules: if kind == 8 { "[" } else { "{}" }.to_owned(),
                        ..KeyRow::default()
                    };
                    self.keys.insert(id.clone(), row);
                }
            }
            let key = self.keys.get(&id).cloned();
            changes.keys.insert(id, key.map(Ok));
            let row = self.tenants.get(&tenant).cloned();
            changes.tenants.insert(tenant, row.map(Ok));
        }
    }

    #[test]
    fn a_state_that_took_over_changes_is_the_one_that_all_rows_give() {
        let given = [Key {
            id: "key_3".into(),
            ..Key::default()
        }];
        let (mut applied, mut seed) = (0, 1_u64);
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(seed >> 33).unwrap() % below
        };
        for _ in 0..200 {
            let mut rows = Rows::default();
            let mut state = rows.state(&given);
            for _ in 0..60 {
                let mut changes = Changes::default();
                for _ in 0..1 + random(3) {
                    rows.edit(&mut random, &mut changes);
                }
                // All that was touched stands as it stands at the end.
                for (id, row) in &mut changes.keys {
                    *row = rows.keys.get(id).cloned().map(Ok);
                }
                for (name, row) in &mut changes.tenants {
                    *row = rows.tenants.get(name).cloned().map(Ok);
                }
                let before = state.clone();
                let all = rows.state(&given);
                let Some(changed) = state.apply(changes, &given) else {
                    assert_eq!(state, before, "nothing was changed");
                    state = all;
                    continue;
                };
                applied += 1;
                state.skipped.sort();
                assert_eq!(state, all);
                // What is said to have changed leads from the one to the other.
                let mut keys = before.keys;
                for change in changed.keys {
                    assert_ne!(change.before, change.after);
                    let was = put(&mut keys, &change.id, |key| &key.id, change.after);
                    assert_eq!(was, change.before);
                }
                assert_eq!(keys, all.keys);
                assert_eq!(changed.is_skipped_new, before.skipped != all.skipped);
                let mut named = changed.tenants.iter();
                assert!(named.all(|name| {
                    let of = |state: &[_]| {
                        state
                            .iter()
                            .find(|one: &&crate::govern::key::client_key::Tenant| one.name == *name)
                            .cloned()
                    };
                    of(&before.tenants) != of(&all.tenants)
                }));
            }
        }
        assert!(applied > 4_000, "{applied}");
    }
}
