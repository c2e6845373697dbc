//! Rows of keys and tenants, as both databases have them, and what they mean.
//!
//! A row may have been edited by hand: one that makes no sense is left out and reported, and the rest
//! goes on. A key of a tenant whose row makes no sense, or is gone, is left out too: what restricts it is
//! unknown.

use std::collections::HashSet;

use crate::govern::key::client_key::{
    Former, Key, KeyDigest, Rules, Tenant, check_id, check_name, check_tenant,
};
use crate::govern::key::document::{DocumentFault, fault};

/// Everything that data threads are told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredState {
    /// Keys, in the order of their ids.
    pub keys: Vec<Key>,
    /// Tenants, in the order of their names.
    pub tenants: Vec<Tenant>,
    /// Rows that were left out, and why.
    pub skipped: Vec<Skipped>,
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Which one.
    pub which: Which,
    /// The same in words, and why.
    pub text: String,
}

/// Which row was left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Which {
    /// That of the key with this id.
    Key(Box<str>),
    /// A tenant's.
    Tenant,
    /// One that could not be read.
    Unread,
}

/// A row of `keys`. Columns stand as [`crate::store::database::sql::ALL_KEYS`] has them.
#[derive(Clone, Debug, Default)]
pub struct KeyRow {
    /// `id`
    pub id: String,
    /// `tenant`
    pub tenant: String,
    /// `name`
    pub name: String,
    /// `digest`
    pub digest: Vec<u8>,
    /// `former`
    pub former: Option<Vec<u8>>,
    /// `former_until`
    pub former_until: Option<i64>,
    /// `rules`
    pub rules: String,
    /// `created`
    pub created: i64,
    /// `expires`
    pub expires: Option<i64>,
    /// `revoked`
    pub revoked: Option<i64>,
}

/// A row of `tenants`.
#[derive(Clone, Debug, Default)]
pub struct TenantRow {
    /// `name`
    pub name: String,
    /// `rules`
    pub rules: String,
    /// `id`
    pub id: String,
}

/// A row of a page of keys.
#[derive(Debug)]
pub struct PageRow {
    /// Its id.
    pub id: String,
    /// The key, as far as it could be read.
    pub key: Result<KeyRow, String>,
    /// The row of its tenant, if there is one.
    pub tenant: Option<Result<TenantRow, String>>,
}

impl KeyRow {
    /// The row of a key.
    #[must_use]
    pub fn of(key: &Key) -> Self {
        let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        Self {
            id: key.id.to_string(),
            tenant: key.tenant.to_string(),
            name: key.name.to_string(),
            digest: key.digest.to_vec(),
            former: key.former.map(|former| former.digest.to_vec()),
            former_until: key.former.map(|former| time(former.until_ms)),
            rules: key.rules.document(),
            created: time(key.created_ms),
            expires: key.expires_ms.map(time),
            revoked: key.revoked_ms.map(time),
        }
    }

    /// The same, where an `Err` says which key it is too.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn meant(self) -> Result<Key, String> {
        let id = self.id.clone();
        self.key()
            .map_err(|fault| format!("key {}: {fault}", shown(&id)))
    }

    /// The key that the row means.
    ///
    /// # Errors
    /// It makes no sense; the text names the column.
    pub fn key(self) -> Result<Key, DocumentFault> {
        check_id(&self.id)?;
        check_tenant(&self.tenant)?;
        check_name(&self.name)?;
        let former = match (self.former, self.former_until) {
            (Some(former), Some(until)) => Some(Former {
                digest: digest("former", &former)?,
                until_ms: time("former_until", until)?,
            }),
            (None, None) => None,
            _ => {
                return Err(fault(
                    "former",
                    "expected `former_until` beside it, or neither",
                ));
            }
        };
        let optional = |name, ms: Option<i64>| ms.map(|ms| time(name, ms)).transpose();
        Ok(Key {
            digest: digest("digest", &self.digest)?,
            former,
            created_ms: time("created", self.created)?,
            expires_ms: optional("expires", self.expires)?,
            revoked_ms: optional("revoked", self.revoked)?,
            rules: rules(&self.rules)?,
            id: self.id.into(),
            tenant: self.tenant.into(),
            name: self.name.into(),
        })
    }
}

impl TenantRow {
    /// The row of a tenant.
    #[must_use]
    pub fn of(tenant: &Tenant) -> Self {
        Self {
            name: tenant.name.to_string(),
            rules: tenant.document(),
            id: tenant.id.to_string(),
        }
    }

    /// The tenant that the row means.
    ///
    /// # Errors
    /// It makes no sense; the text names the column.
    pub fn tenant(&self) -> Result<Tenant, DocumentFault> {
        check_tenant(&self.name)?;
        let id = check_tenant(&self.id);
        id.map_err(|told| fault("id", told.text))?;
        let mut tenant = Tenant::parse(&self.name, self.rules.as_bytes()).map_err(in_rules)?;
        tenant.id = self.id.as_str().into();
        Ok(tenant)
    }
}

impl StoredState {
    /// What rows mean; a row that could not even be read is an `Err` that says why.
    #[must_use]
    pub fn of(
        keys: impl IntoIterator<Item = Result<KeyRow, String>>,
        tenants: impl IntoIterator<Item = Result<TenantRow, String>>,
    ) -> Self {
        let mut state = Self::default();
        let mut known: HashSet<String> = HashSet::new();
        let mut broken: HashSet<String> = HashSet::new();
        for row in tenants {
            let which = row.as_ref().map_or(Which::Unread, |_| Which::Tenant);
            let read = row.and_then(|row| {
                let read = row.tenant();
                let text = |fault| format!("tenant {}: {fault}", shown(&row.name));
                let read = read.map_err(text);
                let seen = if read.is_ok() {
                    &mut known
                } else {
                    &mut broken
                };
                seen.insert(row.name);
                read
            });
            match read {
                Ok(tenant) => state.tenants.push(tenant),
                Err(text) => state.skipped.push(Skipped { which, text }),
            }
        }
        for row in keys {
            let which = match &row {
                Ok(row) => Which::Key(row.id.as_str().into()),
                Err(_) => Which::Unread,
            };
            let read = row.and_then(|row| {
                let name = shown(&row.id);
                if broken.contains(&row.tenant) {
                    return Err(format!("key {name}: its tenant's row makes no sense"));
                }
                // Whoever removes a tenant while rows are read removes revoked keys alone.
                if row.revoked.is_none() && !known.contains(&row.tenant) {
                    let tenant = shown(&row.tenant);
                    return Err(format!("key {name}: its tenant {tenant} has no row"));
                }
                row.meant()
            });
            match read {
                Ok(key) => state.keys.push(key),
                Err(text) => state.skipped.push(Skipped { which, text }),
            }
        }
        state.keys.sort_by(|left, right| left.id.cmp(&right.id));
        let tenants = &mut state.tenants;
        tenants.sort_by(|left, right| left.name.cmp(&right.name));
        state
    }

    /// Reports which keys have the id of one of the configuration, `given`, which outranks them. The same key in
    /// both places is nothing to report.
    pub fn note_outranked<'k>(&mut self, given: impl IntoIterator<Item = &'k Key>) {
        for given in given {
            let found = self.keys.binary_search_by(|key| key.id.cmp(&given.id));
            let key = found.ok().and_then(|at| self.keys.get(at));
            let is_other = |key: &&Key| key.revoked_ms.is_none() && key.digest != given.digest;
            if let Some(key) = key.filter(is_other) {
                let name = shown(&key.id);
                let outranked = Skipped {
                    which: Which::Key(key.id.clone()),
                    text: format!("key {name}: a key of the configuration has this id"),
                };
                if !self.skipped.contains(&outranked) {
                    self.skipped.push(outranked);
                }
            }
        }
    }
}

/// A value of a row as a notice shows it: in quotes, escaped, cut.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    format!("{cut:?}")
}

fn rules(text: &str) -> Result<Rules, DocumentFault> {
    Rules::parse(text.as_bytes()).map_err(in_rules)
}

fn in_rules(told: DocumentFault) -> DocumentFault {
    fault("rules", told.to_string())
}

fn digest(column: &str, bytes: &[u8]) -> Result<KeyDigest, DocumentFault> {
    let found = bytes.len();
    let wrong = |_| fault(column, format!("expected 32 bytes, found {found}"));
    KeyDigest::try_from(bytes).map_err(wrong)
}

fn time(column: &str, ms: i64) -> Result<u64, DocumentFault> {
    u64::try_from(ms).map_err(|_| fault(column, "expected Unix milliseconds, found less than none"))
}

/// Where the columns of the tenant begin in a row of a page of keys.
pub const TENANT_AT: usize = 10;
/// Longest value of a row that a notice shows.
const SHOWN_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{KeyRow, StoredState, TenantRow};
    use crate::govern::key::client_key::{Former, Key, Rules};

    fn key() -> Key {
        Key {
            id: "key_1".into(),
            digest: [7; 32],
            former: Some(Former {
                digest: [8; 32],
                until_ms: 9,
            }),
            tenant: "blue".into(),
            name: "laptop".into(),
            created_ms: 5,
            expires_ms: Some(6),
            revoked_ms: None,
            rules: Rules {
                models: Some(vec!["a*".to_owned()]),
                ..Rules::default()
            },
        }
    }

    #[test]
    fn a_key_comes_back_from_its_row() {
        assert_eq!(KeyRow::of(&key()).key().unwrap(), key());
    }

    fn tenant(name: &str, rules: &str) -> Result<TenantRow, String> {
        Ok(TenantRow {
            name: name.into(),
            rules: rules.into(),
            id: name.into(),
        })
    }

    #[test]
    fn rows_that_make_no_sense_are_left_out_and_reported_and_the_rest_stays() {
        let good = KeyRow::of(&key());
        let changed = |change: fn(&mut KeyRow)| {
            let mut row = good.clone();
            change(&mut row);
            row
        };
        let wrong: [(KeyRow, &str); 6] = [
            (changed(|row| row.id = "a b".into()), "key \"a b\": id: "),
            (
                changed(|row| row.digest = vec![1; 31]),
                "key \"key_1\": digest: expected 32 bytes, found 31",
            ),
            (changed(|row| row.former = None), "key \"key_1\": former: "),
            (
                changed(|row| row.rules = "{".into()),
                "key \"key_1\": rules: expected JSON",
            ),
            (
                changed(|row| row.rules = "{\"a\":1}".into()),
                "key \"key_1\": rules: a: unknown member",
            ),
            (
                changed(|row| row.expires = Some(-1)),
                "key \"key_1\": expires: ",
            ),
        ];
        let rows = wrong.iter().map(|(row, _)| Ok(row.clone()));
        let rows = rows.chain([Ok(good.clone()), Err("key 3: cannot be read".to_owned())]);
        let state = StoredState::of(rows, [tenant("blue", "{}")]);
        assert_eq!(state.keys, [key()]);
        assert_eq!(state.skipped.len(), wrong.len() + 1, "{:?}", state.skipped);
        for (at, (_, text)) in wrong.iter().enumerate() {
            let given = &state.skipped[at].text;
            assert!(given.starts_with(text), "{text}: {given}");
        }
    }

    #[test]
    fn keys_of_a_tenant_whose_row_makes_no_sense_or_is_gone_are_left_out() {
        let of = |name: &str, revoked| KeyRow {
            tenant: name.into(),
            revoked,
            ..KeyRow::of(&key())
        };
        let keys = [of("red", None), of("gone", None), of("gone", Some(7))];
        let state = StoredState::of(keys.map(Ok), [tenant("red", "[]"), tenant("blue", "{}")]);
        assert_eq!(state.tenants.len(), 1);
        assert_eq!(state.keys.len(), 1, "a revoked one lets nobody in");
        let expected = [
            "tenant \"red\": rules: expected an object",
            "key \"key_1\": its tenant's row makes no sense",
            "key \"key_1\": its tenant \"gone\" has no row",
        ];
        let told: Vec<&str> = state.skipped.iter().map(|one| &*one.text).collect();
        assert_eq!(told, expected);
    }
}
