//! Client keys by digest.
//!
//! A lookup hashes what was presented, goes to the bucket of its first bits, walks that one, which is
//! sorted by digest, in a number of steps that depends on its size alone, and compares one whole digest
//! in constant time, whether or not the key exists. Keys themselves are never held.
//!
//! A table never changes: another takes its place. One that differs by a few keys shares all buckets but
//! theirs ([`ClientKeys::changed`]), so that a change costs the same however many keys there are. Who was let in by the old one keeps it through a
//! [`KeyHandle`] until the request has ended.

use core::ops::Deref;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::govern::account::usage::{Account, Accounts};
use crate::govern::key::allowance::Allowance;
use crate::govern::key::client_key::{
    Key, KeyDigest, Tenant as ConfiguredTenant, id_of as id_of_tenant,
};
use crate::govern::key::residency::Residency;
use crate::route::plan::glob::Glob;
use crate::route::plan::policy_cache::Opened;
use crate::route::plan::tenant::{AccountRegistry, Tenant};

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
            Some(given) if given.iter().any(|word| word == "*") => None,
            Some(given) => Some(given.iter().map(|word| word.as_str().into()).collect()),
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

    /// Whether the key may ask for this id, as the client wrote it.
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
    /// By the first bits of digests, so that all of one bucket are below all of the next one. None or
    /// [`BUCKETS_MAX`] at most.
    buckets: Arc<[Bucket]>,
    /// Keys in all buckets; one that was rotated counts twice while both digests are good.
    count: usize,
    tenants: Arc<HashMap<Box<str>, Arc<Tenant>>>,
    /// The credential of a provider is shared by several tenants.
    shares: bool,
    /// A digest was given to two keys, of which the first counts.
    is_doubled: bool,
    auth_mode: AuthMode,
}

/// Keys sorted by digest.
type Bucket = Arc<[(KeyDigest, ClientKey)]>;

/// Who is let in beside those with a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// Keys are those of the configuration; without any, everybody.
    #[default]
    Configured,
    /// Keys are kept in a store: nobody.
    Stored,
    /// The same, and rows of it make no sense: whose they are is not known.
    Damaged,
    /// The same, and the store has not been read yet.
    Unread,
}

/// A key that somebody was let in with: good for as long as it is held, whatever becomes of it.
#[derive(Clone, Debug)]
pub struct KeyHandle {
    keys: Rc<ClientKeys>,
    /// Which bucket of `keys`, and where in it; both are there.
    at: (usize, usize),
}

impl Deref for KeyHandle {
    type Target = ClientKey;

    fn deref(&self) -> &ClientKey {
        &self.keys.buckets[self.at.0][self.at.1].1
    }
}

impl ClientKeys {
    /// Takes the keys in any order; those that were revoked are left out. Of several with one digest or
    /// one id the first counts, and of several tenants with one name, whose id is the first that is configured
    /// or else the name; a tenant that is not configured has no rules of its own.
    #[must_use]
    pub fn new<'k>(
        keys: impl IntoIterator<Item = &'k Key, IntoIter: Clone>,
        tenants: impl IntoIterator<Item = &'k ConfiguredTenant, IntoIter: Clone>,
        auth_mode: AuthMode,
        accounts: &mut AccountRegistry,
    ) -> Self {
        let (keys, tenants) = (keys.into_iter(), tenants.into_iter());
        let live = || keys.clone().filter(|key| key.revoked_ms.is_none());
        // What a tenant without a key left at a provider is still its own.
        let given = tenants.clone().map(|tenant| &tenant.name);
        let mut names = live().map(|key| &key.tenant).chain(given);
        let first = names.next();
        let has_others = names.any(|name| Some(name) != first);
        let shares = match auth_mode {
            AuthMode::Configured | AuthMode::Stored => has_others,
            AuthMode::Damaged | AuthMode::Unread => true,
        };
        let mut known = tenants_of(tenants, accounts);
        let (mut taken, mut ids) = (HashSet::new(), HashSet::new());
        let mut sorted: Vec<(KeyDigest, ClientKey)> = Vec::new();
        let mut is_doubled = false;
        for key in live() {
            // Two of one id would have one account, with the bounds of the second.
            if !ids.insert(&*key.id) {
                continue;
            }
            let tenant = match known.get(&key.tenant) {
                Some(tenant) => Arc::clone(tenant),
                None => {
                    let tenant = tenant_of(&unconfigured(&key.tenant), &key.tenant, accounts);
                    known.insert(key.tenant.clone(), Arc::clone(&tenant));
                    tenant
                }
            };
            let account = accounts.key_account(&key.id, &key.rules.allowance);
            let made = ClientKey::new(key, tenant, account, shares);
            for (digest, key) in with_former(key, made) {
                if taken.insert(digest) {
                    sorted.push((digest, key));
                } else {
                    is_doubled = true;
                }
            }
        }
        // Rows that make no sense now come back once they are mended: what was used counts on.
        if auth_mode != AuthMode::Damaged {
            ids.extend(keys.clone().map(|key| &*key.id));
            let tenants: HashSet<&str> = known.values().map(|tenant| &*tenant.id).collect();
            accounts.keep(|id| ids.contains(id), |id| tenants.contains(id));
        }
        sorted.sort_unstable_by_key(|(digest, _)| *digest);
        Self {
            count: sorted.len(),
            buckets: buckets_of(sorted),
            tenants: Arc::new(known),
            shares,
            is_doubled,
            auth_mode,
        }
    }

    /// The table in which these keys are other ones: each as it was and as it is, of one id, with tenants
    /// and rules of tenants as they were. Buckets without them are the same. `None`: that cannot be told
    /// without all keys, and [`ClientKeys::new`] has to; accounts stand as they stand after it.
    #[must_use]
    pub fn changed<'k>(
        &self,
        changes: impl IntoIterator<Item = (Option<&'k Key>, Option<&'k Key>)>,
        outranked: impl Fn(&str) -> bool,
        accounts: &mut AccountRegistry,
    ) -> Option<Self> {
        if self.is_doubled || self.buckets.is_empty() {
            return None;
        }
        let mut open: HashMap<usize, Vec<(KeyDigest, ClientKey)>> = HashMap::new();
        let mut added = Vec::new();
        let is_live = |key: &&Key| key.revoked_ms.is_none() && !outranked(&key.id);
        for (before, after) in changes {
            for digest in before.filter(is_live).into_iter().flat_map(digests) {
                let bucket = self.open(&digest, &mut open);
                let at = bucket.binary_search_by_key(&digest, |(known, _)| *known);
                bucket.remove(at.ok()?);
            }
            if let Some(key) = after.filter(is_live) {
                let tenant = Arc::clone(self.tenants.get(&key.tenant)?);
                let account = accounts.key_account(&key.id, &key.rules.allowance);
                added.extend(with_former(
                    key,
                    ClientKey::new(key, tenant, account, self.shares),
                ));
            }
            let gone = before.filter(|key| after.is_none() && !outranked(&key.id));
            if let Some(key) = gone.filter(|_| self.auth_mode != AuthMode::Damaged) {
                accounts.close_key(&key.id);
            }
        }
        for (digest, key) in added {
            let bucket = self.open(&digest, &mut open);
            let at = bucket.binary_search_by_key(&digest, |(known, _)| *known);
            bucket.insert(at.err()?, (digest, key));
        }
        let mut buckets: Vec<Bucket> = self.buckets.to_vec();
        let mut count = self.count;
        for (at, keys) in open {
            let bucket = buckets.get_mut(at)?;
            count = count - bucket.len() + keys.len();
            *bucket = keys.into();
        }
        let is_full = count > buckets.len() * 2 * BUCKET_KEYS && buckets.len() < BUCKETS_MAX;
        let buckets = (!is_full).then(|| buckets.into())?;
        Some(Self {
            buckets,
            count,
            ..self.clone()
        })
    }

    /// The keys of this digest's bucket, to be changed.
    fn open<'o>(
        &self,
        digest: &KeyDigest,
        open: &'o mut HashMap<usize, Vec<(KeyDigest, ClientKey)>>,
    ) -> &'o mut Vec<(KeyDigest, ClientKey)> {
        let at = bucket_at(digest, self.buckets.len());
        let keys = || self.buckets.get(at).map(|keys| keys.to_vec());
        open.entry(at).or_insert_with(|| keys().unwrap_or_default())
    }

    /// How many keys may be presented.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Who is let in beside those with a key.
    #[must_use]
    pub fn auth_mode(&self) -> AuthMode {
        self.auth_mode
    }

    /// Whether whoever can connect may use everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.count == 0 && self.auth_mode == AuthMode::Configured
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
        self.auth_mode != AuthMode::Configured
    }

    /// Whether the store that keys are kept in has not been read yet.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.auth_mode == AuthMode::Unread
    }

    /// The key that was presented, exact and case-sensitive.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<&ClientKey> {
        let (bucket, at) = self.place(presented)?;
        self.buckets.get(bucket)?.get(at).map(|(_, key)| key)
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
    fn place(&self, presented: &[u8]) -> Option<(usize, usize)> {
        let digest = digest_of(presented);
        let bucket = bucket_at(&digest, self.buckets.len());
        let sorted = self.buckets.get(bucket)?;
        let at = sorted.partition_point(|(known, _)| *known < digest);
        let at = at.min(sorted.len().saturating_sub(1));
        let (nearest, _) = sorted.get(at)?;
        is_same(nearest, &digest).then_some((bucket, at))
    }

    /// All keys, by digest.
    pub fn all(&self) -> impl Iterator<Item = &ClientKey> {
        let buckets = self.buckets.iter();
        buckets.flat_map(|keys| keys.iter().map(|(_, key)| key))
    }
}

/// The tenants that are configured, by their names. One of several names and one id is one tenant, with the
/// first name and its rules.
fn tenants_of<'t>(
    given: impl Iterator<Item = &'t ConfiguredTenant> + Clone,
    accounts: &mut AccountRegistry,
) -> HashMap<Box<str>, Arc<Tenant>> {
    let without = given.clone().filter(|tenant| tenant.id.is_empty());
    let without: HashSet<&str> = without.map(|tenant| &*tenant.name).collect();
    let stored = given.clone().filter(|tenant| !tenant.id.is_empty());
    let stored = stored.filter(|tenant| without.contains(&*tenant.name));
    let stored: HashMap<&str, &str> = stored.map(|it| (&*it.name, &*it.id)).collect();
    let mut by_id: HashMap<&str, Arc<Tenant>> = HashMap::new();
    let mut by_name: HashMap<Box<str>, Arc<Tenant>> = HashMap::new();
    for tenant in given {
        if by_name.contains_key(&*tenant.name) {
            continue;
        }
        let row = stored.get(&*tenant.name).copied();
        let id = id_of_tenant(Some(tenant), row, &tenant.name);
        let made = by_id.entry(id);
        let made = made.or_insert_with(|| tenant_of(tenant, id, accounts));
        by_name.insert(tenant.name.clone(), Arc::clone(made));
    }
    by_name
}

/// The digests that a key may be presented under: the one before it was rotated, and its own.
fn digests(key: &Key) -> impl Iterator<Item = KeyDigest> + use<> {
    let former = key.former.map(|former| former.digest);
    former.into_iter().chain([key.digest])
}

/// `made` of a key under each of its digests: the one before it was rotated is good for a while.
fn with_former(key: &Key, made: ClientKey) -> impl Iterator<Item = (KeyDigest, ClientKey)> + use<> {
    let former = key.former.map(|former| {
        let until = made.expires_ms.unwrap_or(former.until_ms);
        let expires_ms = Some(until.min(former.until_ms));
        let made = made.clone();
        (former.digest, ClientKey { expires_ms, ..made })
    });
    former.into_iter().chain([(key.digest, made)])
}

/// The bucket of a digest among so many: in the order of digests.
fn bucket_at(digest: &KeyDigest, buckets: usize) -> usize {
    let [first, second, ..] = *digest;
    (usize::from(u16::from_be_bytes([first, second])) * buckets) >> 16
}

/// Sorted keys in as many buckets as suit their number.
fn buckets_of(sorted: Vec<(KeyDigest, ClientKey)>) -> Arc<[Bucket]> {
    let count = (sorted.len() / BUCKET_KEYS).next_power_of_two();
    let count = count.min(BUCKETS_MAX);
    let mut sorted = sorted.into_iter().peekable();
    let buckets = (0..count).map(|at| {
        let is_in = |(digest, _): &(KeyDigest, ClientKey)| bucket_at(digest, count) == at;
        let mut keys = Vec::new();
        while let Some(key) = sorted.next_if(is_in) {
            keys.push(key);
        }
        keys.into()
    });
    buckets.collect()
}

/// A tenant of which nothing but the name is configured.
fn unconfigured(name: &str) -> ConfiguredTenant {
    ConfiguredTenant {
        name: name.into(),
        ..ConfiguredTenant::default()
    }
}

fn tenant_of(given: &ConfiguredTenant, id: &str, accounts: &mut AccountRegistry) -> Arc<Tenant> {
    Arc::new(Tenant {
        id: id.into(),
        name: given.name.clone(),
        number: accounts.of(id),
        residency: given.residency.clone(),
        allowance: given.allowance,
        account: accounts.tenant_account(id, &given.allowance),
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

/// Keys of a bucket, when it is made; it is copied when one of them changes.
const BUCKET_KEYS: usize = 64;
/// Of 2^16 at most, which two bytes of a digest tell apart; all are named again when a key changes.
const BUCKETS_MAX: usize = 4_096;

#[cfg(test)]
mod tests;
