//! Client keys by digest.
//!
//! A lookup hashes what was presented, walks a table sorted by digest in a number of steps that
//! depends on its size alone, and compares one whole digest in constant time, whether or not the
//! key exists. Keys themselves are never held.
//!
//! A table never changes: another takes its place. Who was let in by the old one keeps it through a
//! [`KeyHandle`] until the request has ended.

use core::ops::Deref;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::govern::key::{Key, KeyDigest, Tenant as SaidTenant};
use crate::govern::residency::Residency;
use crate::route::glob::Glob;
use crate::route::tenant::{Numbers, Tenant};

/// One client key and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientKey {
    /// What it is called in records.
    pub id: Box<str>,
    /// Whose requests these are.
    pub tenant: Arc<Tenant>,
    /// Ids that may be asked for, as the client says them; `None`: all.
    pub models: Option<Box<[Glob]>>,
    /// Tiers of targets that may be used; `None`: all.
    pub tiers: Option<Box<[Box<str>]>>,
    /// Where its requests may go.
    pub residency: Option<Residency>,
    /// Endpoints with state at the provider that may be used; `None`: as the gateway has it.
    pub relay: Option<Box<[Box<str>]>>,
    /// From then on it is unknown, in Unix milliseconds.
    pub expires_ms: Option<u64>,
}

impl ClientKey {
    fn new(key: &Key, tenant: Arc<Tenant>) -> Self {
        let rules = &key.rules;
        let globs = |ids: &Vec<String>| ids.iter().map(|id| Glob::new(id)).collect();
        let words = |words: &Vec<String>| words.iter().map(|word| word.as_str().into()).collect();
        Self {
            id: key.id.clone(),
            tenant,
            models: rules.models.as_ref().map(globs),
            tiers: rules.tiers.as_ref().map(words),
            residency: rules.residency.clone(),
            relay: rules.relay.as_ref().map(words),
            expires_ms: key.expires_ms,
        }
    }

    /// Whether the key may ask for this id, as the client said it.
    #[must_use]
    pub fn allows(&self, asked: &str) -> bool {
        match &self.models {
            None => true,
            Some(globs) => globs.iter().any(|glob| glob.matches(asked)),
        }
    }
}

/// All client keys. A copy is the same table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientKeys {
    /// Sorted by digest.
    sorted: Arc<[(KeyDigest, ClientKey)]>,
    /// Nobody is let in without a key, also while there is none.
    is_closed: bool,
}

/// A key that somebody was let in with: good for as long as it is held, whatever becomes of it.
#[derive(Clone, Debug)]
pub struct KeyHandle {
    keys: Rc<ClientKeys>,
    /// Below the length of `keys.sorted`.
    at: usize,
}

impl Deref for KeyHandle {
    type Target = ClientKey;

    fn deref(&self) -> &ClientKey {
        &self.keys.sorted[self.at].1
    }
}

impl ClientKeys {
    /// Takes the keys in any order. Of several with one digest the first counts, and of several
    /// tenants with one name; a tenant that is not said has no rules of its own.
    #[must_use]
    pub fn new(keys: &[Key], tenants: &[SaidTenant], numbers: &mut Numbers) -> Self {
        let mut known: HashMap<&str, Arc<Tenant>> = HashMap::with_capacity(tenants.len());
        for said in tenants {
            known
                .entry(&said.name)
                .or_insert_with(|| tenant_of(&said.name, said.residency.clone(), numbers));
        }
        let mut taken = HashSet::with_capacity(keys.len());
        let mut sorted: Vec<(KeyDigest, ClientKey)> = Vec::with_capacity(keys.len());
        for key in keys.iter().filter(|key| taken.insert(key.digest)) {
            let tenant = known
                .entry(&key.tenant)
                .or_insert_with(|| tenant_of(&key.tenant, None, numbers));
            sorted.push((key.digest, ClientKey::new(key, Arc::clone(tenant))));
        }
        sorted.sort_unstable_by_key(|(digest, _)| *digest);
        Self {
            sorted: sorted.into(),
            is_closed: false,
        }
    }

    /// The same, and nobody is let in without a key even while there is none.
    #[must_use]
    pub fn closed(mut self) -> Self {
        self.is_closed = true;
        self
    }

    /// Whether whoever can connect may use everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sorted.is_empty() && !self.is_closed
    }

    /// The key that was presented, exact and case-sensitive.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<&ClientKey> {
        self.sorted.get(self.place(presented)?).map(|(_, key)| key)
    }

    /// The same, to be held on to.
    #[must_use]
    pub fn handle(self: &Rc<Self>, presented: &[u8]) -> Option<KeyHandle> {
        let at = self.place(presented)?;
        Some(KeyHandle {
            keys: Rc::clone(self),
            at,
        })
    }

    /// Where the presented key stands.
    fn place(&self, presented: &[u8]) -> Option<usize> {
        let digest = digest_of(presented);
        let at = self.sorted.partition_point(|(known, _)| *known < digest);
        let at = at.min(self.sorted.len().saturating_sub(1));
        let (nearest, _) = self.sorted.get(at)?;
        bool::from(nearest.ct_eq(&digest)).then_some(at)
    }

    /// All keys, by digest.
    pub fn all(&self) -> impl Iterator<Item = &ClientKey> {
        self.sorted.iter().map(|(_, key)| key)
    }
}

fn tenant_of(name: &str, residency: Option<Residency>, numbers: &mut Numbers) -> Arc<Tenant> {
    Arc::new(Tenant {
        name: name.into(),
        number: numbers.of(name),
        residency,
    })
}

/// The digest under which a key is configured.
#[must_use]
pub fn digest_of(key: &[u8]) -> KeyDigest {
    Sha256::digest(key).into()
}

/// The id of a key that was given none: from its digest, and no way back.
#[must_use]
pub fn id_of(digest: &KeyDigest) -> Box<str> {
    let [a, b, c, d, e, f, g, h, ..] = digest_of(digest);
    format!("key_{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h])).into()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::{ClientKey, ClientKeys, digest_of, id_of};
    use crate::govern::key::{Key, Rules, Tenant, is_id};
    use crate::route::tenant::Numbers;

    fn key(text: &str) -> Key {
        let digest = digest_of(text.as_bytes());
        Key {
            id: id_of(&digest),
            digest,
            tenant: text.into(),
            ..Key::default()
        }
    }

    fn keys(names: &[&str], numbers: &mut Numbers) -> ClientKeys {
        let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
        ClientKeys::new(&keys, &[], numbers)
    }

    #[test]
    fn p19_find_in_tables_of_every_small_size_finds_exactly_its_keys() {
        for count in 0..40 {
            let names: Vec<String> = (0..count).map(|n| format!("rw-{n}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let keys = keys(&names, &mut Numbers::default());
            for name in &names {
                assert_eq!(&*keys.find(name.as_bytes()).unwrap().tenant.name, *name);
            }
            for wrong in ["", "rw-", "RW-1", "rw-1 ", "rw-400"] {
                assert_eq!(keys.find(wrong.as_bytes()), None, "{wrong}");
            }
        }
    }

    #[test]
    fn allows_with_globs_holds_them_against_the_id_as_said() {
        let with = |models: Option<&[&str]>| {
            let models = models.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
            let key = Key {
                rules: Rules {
                    models,
                    ..Rules::default()
                },
                ..key("k")
            };
            ClientKey::new(&key, Default::default())
        };
        assert!(with(None).allows("anything/at:all"));
        let some = with(Some(&["claude-*", "@openai/*"]));
        assert!(some.allows("claude-opus-4-7"));
        assert!(some.allows("@openai/gpt-4o"));
        assert!(!some.allows("anthropic/claude-opus-4-7"));
        assert!(!with(Some(&[])).allows("claude-opus-4-7"));
    }

    #[test]
    fn tenants_keep_their_numbers_while_tables_are_replaced() {
        let mut numbers = Numbers::default();
        let number =
            |keys: &ClientKeys, name: &str| keys.find(name.as_bytes()).unwrap().tenant.number;
        let first = keys(&["a", "b"], &mut numbers);
        let second = keys(&["c", "b"], &mut numbers);
        let third = keys(&["d", "a"], &mut numbers);
        assert_eq!(number(&first, "b"), number(&second, "b"));
        assert_eq!(number(&first, "a"), number(&third, "a"));
        assert_eq!(number(&third, "d"), 3, "a number is given once");
        assert_eq!(numbers.count(), 4);
    }

    #[test]
    fn a_handle_outlives_the_table_that_it_came_from() {
        let mut numbers = Numbers::default();
        let table = Rc::new(keys(&["a", "b"], &mut numbers));
        let held = table.handle(b"a").unwrap();
        assert!(table.handle(b"x").is_none());
        drop(table);
        assert_eq!(&*held.tenant.name, "a");
    }

    #[test]
    fn of_one_digest_or_tenant_said_twice_the_first_counts() {
        let own = Key {
            id: "own".into(),
            ..key("a")
        };
        let tenant = Tenant {
            name: "a".into(),
            residency: None,
        };
        let keys = ClientKeys::new(
            &[own, key("a")],
            &[tenant.clone(), tenant],
            &mut Numbers::default(),
        );
        assert_eq!(keys.all().count(), 1);
        assert_eq!(&*keys.find(b"a").unwrap().id, "own");
    }

    #[test]
    fn a_table_that_is_closed_lets_nobody_in_without_a_key() {
        assert!(ClientKeys::default().is_open());
        assert!(!ClientKeys::default().closed().is_open());
        assert!(!keys(&["a"], &mut Numbers::default()).is_open());
        assert!(is_id(&key("a").id), "{}", key("a").id);
    }
}
