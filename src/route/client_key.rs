//! Client keys by digest.
//!
//! A lookup hashes what was presented, walks a table sorted by digest in a number of steps that
//! depends on its size alone, and compares one whole digest in constant time, whether or not the
//! key exists. Keys themselves are never held.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::route::glob::Glob;

/// SHA-256 of a client's key.
pub type KeyDigest = [u8; 32];

/// One client key and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKey {
    /// SHA-256 of the key.
    pub digest: KeyDigest,
    /// Whose requests these are, in logs and metrics.
    pub tenant: Box<str>,
    /// The tenant's number, the same for all of its keys.
    pub tenant_index: usize,
    /// Ids that may be asked for, as the client says them; `None`: all.
    pub models: Option<Box<[Glob]>>,
}

impl ClientKey {
    /// Whether the key may ask for this id, as the client said it.
    #[must_use]
    pub fn allows(&self, asked: &str) -> bool {
        match &self.models {
            None => true,
            Some(globs) => globs.iter().any(|glob| glob.matches(asked)),
        }
    }
}

/// All client keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientKeys {
    /// Sorted by digest.
    sorted: Box<[ClientKey]>,
}

impl ClientKeys {
    /// Takes the keys in any order; digests are expected to differ.
    #[must_use]
    pub fn new(mut keys: Vec<ClientKey>) -> Self {
        keys.sort_by_key(|key| key.digest);
        let mut tenants: Vec<Box<str>> = keys.iter().map(|key| key.tenant.clone()).collect();
        tenants.sort_unstable();
        tenants.dedup();
        for key in &mut keys {
            key.tenant_index = tenants.binary_search(&key.tenant).unwrap_or(0);
        }
        Self {
            sorted: keys.into_boxed_slice(),
        }
    }

    /// The key that was presented, exact and case-sensitive.
    #[must_use]
    pub fn find(&self, presented: &[u8]) -> Option<&ClientKey> {
        let digest = digest_of(presented);
        let at = self.sorted.partition_point(|key| key.digest < digest);
        let nearest = self
            .sorted
            .get(at.min(self.sorted.len().saturating_sub(1)))?;
        bool::from(nearest.digest.ct_eq(&digest)).then_some(nearest)
    }

    /// All keys, by digest.
    #[must_use]
    pub fn all(&self) -> &[ClientKey] {
        &self.sorted
    }
}

/// The digest under which a key is configured.
#[must_use]
pub fn digest_of(key: &[u8]) -> KeyDigest {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::{ClientKey, ClientKeys, digest_of};
    use crate::route::glob::Glob;

    fn key(text: &str) -> ClientKey {
        ClientKey {
            digest: digest_of(text.as_bytes()),
            tenant: text.into(),
            tenant_index: 0,
            models: None,
        }
    }

    #[test]
    fn find_in_tables_of_every_small_size_finds_exactly_its_keys() {
        for count in 0..40 {
            let names: Vec<String> = (0..count).map(|n| format!("rw-{n}")).collect();
            let keys = ClientKeys::new(names.iter().map(|name| key(name)).collect());
            for name in &names {
                assert_eq!(&*keys.find(name.as_bytes()).unwrap().tenant, name);
            }
            for wrong in ["", "rw-", "RW-1", "rw-1 ", "rw-400"] {
                assert_eq!(keys.find(wrong.as_bytes()), None, "{wrong}");
            }
        }
    }

    #[test]
    fn allows_with_globs_holds_them_against_the_id_as_said() {
        let mut key = key("k");
        assert!(key.allows("anything/at:all"));
        key.models = Some([Glob::new("claude-*"), Glob::new("@openai/*")].into());
        assert!(key.allows("claude-opus-4-7"));
        assert!(key.allows("@openai/gpt-4o"));
        assert!(!key.allows("anthropic/claude-opus-4-7"));
        key.models = Some([].into());
        assert!(!key.allows("claude-opus-4-7"));
    }
}
