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
use subtle::{Choice, ConstantTimeEq};

use crate::govern::account::{Account, Accounts};
use crate::govern::allowance::Allowance;
use crate::govern::key::{Key, KeyDigest, Tenant as SaidTenant, id_of as id_of_tenant};
use crate::govern::residency::Residency;
use crate::route::glob::Glob;
use crate::route::opened::Opened;
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
    /// Endpoints with state at the provider that may be used; `None`: all.
    pub relay: Option<Box<[Box<str>]>>,
    /// From then on it is unknown, in Unix milliseconds.
    pub expires_ms: Option<u64>,
    /// What it may use.
    pub allowance: Allowance,
    /// What it has used; none where nothing bounds it.
    pub account: Option<Arc<Account>>,
    /// Targets that were found to be open to it.
    pub(crate) opened: Opened,
}

impl ClientKey {
    /// `shares`: the credential of a provider is shared with other tenants.
    fn new(key: &Key, tenant: Arc<Tenant>, account: Option<Arc<Account>>, shares: bool) -> Self {
        let rules = &key.rules;
        let relay = match &rules.relay {
            Some(said) if said.iter().any(|word| word == "*") => None,
            Some(said) => Some(said.iter().map(|word| word.as_str().into()).collect()),
            None => shares.then(Box::default),
        };
        let globs = |ids: &Vec<String>| ids.iter().map(|id| Glob::new(id)).collect();
        let words = |words: &Vec<String>| words.iter().map(|word| word.as_str().into()).collect();
        Self {
            id: key.id.clone(),
            tenant,
            models: rules.models.as_ref().map(globs),
            tiers: rules.tiers.as_ref().map(words),
            residency: rules.residency.clone(),
            relay,
            expires_ms: key.expires_ms,
            allowance: rules.allowance,
            account,
            opened: Opened::default(),
        }
    }

    /// What requests with this key are held against.
    #[must_use]
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts {
            key: self.account.as_ref(),
            tenant: self.tenant.account.as_ref(),
        }
    }

    /// Whether tokens are bounded, of the key or its tenant.
    #[must_use]
    pub fn counts_tokens(&self) -> bool {
        let counts = |it: &Allowance| it.tokens_per_minute.is_some();
        counts(&self.allowance) || counts(&self.tenant.allowance)
    }

    /// Whether money is bounded, of the key or its tenant.
    #[must_use]
    pub fn has_budget(&self) -> bool {
        self.allowance.has_budget() || self.tenant.allowance.has_budget()
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
    door: Door,
}

/// Who is let in beside those with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// Keys are those of the configuration; without any, everybody.
    #[default]
    Said,
    /// Keys are kept in a store: nobody.
    Stored,
    /// The same, and rows of it make no sense: whose they are is not known.
    Torn,
    /// The same, and the store has not been read yet.
    Unread,
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
    /// Takes the keys in any order; those that were revoked are left out. Of several with one digest or
    /// one id the first counts, and of several tenants with one name, whose id is the first that is said
    /// or else the name; a tenant that is not said has no rules of its own.
    #[must_use]
    pub fn new(keys: &[Key], tenants: &[SaidTenant], door: Door, numbers: &mut Numbers) -> Self {
        let live = || keys.iter().filter(|key| key.revoked_ms.is_none());
        // What a tenant without a key left at a provider is still its own.
        let said = tenants.iter().map(|tenant| &tenant.name);
        let mut names = live().map(|key| &key.tenant).chain(said);
        let first = names.next();
        let has_others = names.any(|name| Some(name) != first);
        let shares = match door {
            Door::Said | Door::Stored => has_others,
            Door::Torn | Door::Unread => true,
        };
        let mut known = tenants_of(tenants, numbers);
        let mut taken = HashSet::with_capacity(keys.len());
        let mut ids = HashSet::with_capacity(keys.len());
        let mut sorted: Vec<(KeyDigest, ClientKey)> = Vec::with_capacity(keys.len());
        for key in live() {
            // Two of one id would have one account, with the bounds of the second.
            if !ids.insert(&*key.id) {
                continue;
            }
            let tenant = known
                .entry(&key.tenant)
                .or_insert_with(|| tenant_of(&unsaid(&key.tenant), &key.tenant, numbers));
            let account = numbers.key_account(&key.id, &key.rules.allowance);
            let made = ClientKey::new(key, Arc::clone(tenant), account, shares);
            if let Some(former) = key.former.filter(|former| taken.insert(former.digest)) {
                let end = key
                    .expires_ms
                    .map_or(former.until_ms, |end| end.min(former.until_ms));
                let expires_ms = Some(end);
                sorted.push((
                    former.digest,
                    ClientKey {
                        expires_ms,
                        ..made.clone()
                    },
                ));
            }
            if taken.insert(key.digest) {
                sorted.push((key.digest, made));
            }
        }
        // Rows that make no sense now come back once they are mended: what was used counts on.
        if door != Door::Torn {
            ids.extend(keys.iter().map(|key| &*key.id));
            let tenants: HashSet<&str> = known.values().map(|tenant| &*tenant.id).collect();
            numbers.keep(|id| ids.contains(id), |id| tenants.contains(id));
        }
        sorted.sort_unstable_by_key(|(digest, _)| *digest);
        Self {
            sorted: sorted.into(),
            door,
        }
    }

    /// Whether whoever can connect may use everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.sorted.is_empty() && self.door == Door::Said
    }

    /// The tenants with a key that may not use all endpoints with state at the provider, as their rules
    /// stand now, by name.
    #[must_use]
    pub fn closed_relay(&self) -> Vec<&str> {
        let closed = self.all().filter(|key| {
            let words = key.relay.as_ref();
            words.is_some_and(|words| words.is_empty())
        });
        let mut names: Vec<&str> = closed.map(|key| &*key.tenant.name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether keys may come and go while the program runs.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.door != Door::Said
    }

    /// Whether the store that keys are kept in has not been read yet.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.door == Door::Unread
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
        is_same(nearest, &digest).then_some(at)
    }

    /// All keys, by digest.
    pub fn all(&self) -> impl Iterator<Item = &ClientKey> {
        self.sorted.iter().map(|(_, key)| key)
    }
}

/// The tenants that are said, by their names. One of several names and one id is one tenant, with the
/// first name and its rules.
fn tenants_of<'t>(said: &'t [SaidTenant], numbers: &mut Numbers) -> HashMap<&'t str, Arc<Tenant>> {
    let without = said.iter().filter(|tenant| tenant.id.is_empty());
    let without: HashSet<&str> = without.map(|tenant| &*tenant.name).collect();
    let stored = said.iter().filter(|tenant| !tenant.id.is_empty());
    let stored = stored.filter(|tenant| without.contains(&*tenant.name));
    let stored: HashMap<&str, &str> = stored.map(|it| (&*it.name, &*it.id)).collect();
    let mut by_id: HashMap<&str, Arc<Tenant>> = HashMap::with_capacity(said.len());
    let mut by_name: HashMap<&str, Arc<Tenant>> = HashMap::with_capacity(said.len());
    for tenant in said {
        if by_name.contains_key(&*tenant.name) {
            continue;
        }
        let row = stored.get(&*tenant.name).copied();
        let id = id_of_tenant(Some(tenant), row, &tenant.name);
        let made = by_id.entry(id);
        let made = made.or_insert_with(|| tenant_of(tenant, id, numbers));
        by_name.insert(&tenant.name, Arc::clone(made));
    }
    by_name
}

/// A tenant of whom nothing but the name is said.
fn unsaid(name: &str) -> SaidTenant {
    SaidTenant {
        name: name.into(),
        ..SaidTenant::default()
    }
}

fn tenant_of(said: &SaidTenant, id: &str, numbers: &mut Numbers) -> Arc<Tenant> {
    Arc::new(Tenant {
        id: id.into(),
        name: said.name.clone(),
        number: numbers.of(id),
        residency: said.residency.clone(),
        allowance: said.allowance,
        account: numbers.tenant_account(id, &said.allowance),
    })
}

/// Whether two digests are the same, in a time that does not depend on where they differ.
#[must_use]
pub fn is_same(left: &KeyDigest, right: &KeyDigest) -> bool {
    let pairs = left.as_chunks().0.iter().zip(right.as_chunks().0);
    // Eight bytes at a time: byte by byte it took 400 instructions.
    let same = pairs.fold(Choice::from(1), |same, (left, right)| {
        same & u64::from_ne_bytes(*left).ct_eq(&u64::from_ne_bytes(*right))
    });
    same.into()
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

    use super::{ClientKey, ClientKeys, Door, digest_of, id_of};
    use crate::govern::key::{Former, Key, Rules, Tenant, is_id};
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
        ClientKeys::new(&keys, &[], Door::Said, numbers)
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
            ClientKey::new(&key, Default::default(), None, false)
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
    fn a_rotated_key_is_good_under_both_digests_and_a_revoked_one_under_none() {
        let former = Former {
            digest: digest_of(b"old"),
            until_ms: 50,
        };
        let rotated = Key {
            former: Some(former),
            expires_ms: Some(90),
            ..key("new")
        };
        let revoked = Key {
            revoked_ms: Some(1),
            ..key("gone")
        };
        let both = [rotated, revoked];
        let keys = ClientKeys::new(&both, &[], Door::Stored, &mut Numbers::default());
        let (old, new) = (keys.find(b"old").unwrap(), keys.find(b"new").unwrap());
        assert_eq!((old.expires_ms, new.expires_ms), (Some(50), Some(90)));
        assert_eq!(old.id, new.id);
        assert_eq!(keys.find(b"gone"), None);
    }

    #[test]
    fn relay_is_all_with_one_tenant_and_else_what_the_key_says() {
        let with = |relay: Option<&[&str]>, tenants: &[&str], door| {
            let said = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            let mut keys: Vec<Key> = tenants.iter().map(|name| key(name)).collect();
            keys[0].rules.relay = relay.map(said);
            let keys = ClientKeys::new(&keys, &[], door, &mut Numbers::default());
            let key = keys.find(tenants[0].as_bytes()).unwrap();
            key.relay.as_ref().map(|words| words.join(" "))
        };
        let beside = |name: &str, door| {
            let tenant = Tenant {
                name: name.into(),
                ..Tenant::default()
            };
            let keys = ClientKeys::new(&[key("a")], &[tenant], door, &mut Numbers::default());
            keys.find(b"a").unwrap().relay.is_some()
        };
        for door in [Door::Said, Door::Stored] {
            assert!(beside("b", door), "b has no key any more");
            assert!(!beside("a", door));
            assert_eq!(with(None, &["a", "b"], door).unwrap(), "");
        }
        assert_eq!(with(None, &["a"], Door::Said), None);
        assert_eq!(with(None, &["a"], Door::Stored), None);
        assert_eq!(with(None, &["a", "b"], Door::Stored).unwrap(), "");
        for unknown in [Door::Torn, Door::Unread] {
            assert_eq!(with(None, &["a"], unknown).unwrap(), "");
        }
        assert_eq!(with(Some(&["files", "*"]), &["a", "b"], Door::Stored), None);
        let files = with(Some(&["files", "batches"]), &["a"], Door::Said);
        assert_eq!(files.unwrap(), "files batches");
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
    fn of_one_digest_id_or_tenant_said_twice_the_first_counts() {
        let own = Key {
            id: "own".into(),
            ..key("a")
        };
        let other = Key {
            id: "own".into(),
            ..key("b")
        };
        let tenant = Tenant {
            name: "a".into(),
            ..Tenant::default()
        };
        let keys = ClientKeys::new(
            &[own, key("a"), other],
            &[tenant.clone(), tenant],
            Door::Said,
            &mut Numbers::default(),
        );
        assert_eq!(keys.all().count(), 1);
        assert_eq!(&*keys.find(b"a").unwrap().id, "own");
    }

    #[test]
    fn a_table_of_a_store_lets_nobody_in_without_a_key() {
        assert!(ClientKeys::default().is_open());
        for door in [Door::Stored, Door::Unread] {
            let none = ClientKeys::new(&[], &[], door, &mut Numbers::default());
            assert!(!none.is_open());
            assert_eq!(none.is_unread(), door == Door::Unread);
        }
        assert!(!keys(&["a"], &mut Numbers::default()).is_open());
        assert!(is_id(&key("a").id), "{}", key("a").id);
    }
}
