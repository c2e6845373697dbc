//! A client's key and its tenant as plain data, wherever they are kept.
//!
//! The key itself is never held: its digest stands for it.

use crate::govern::residency::Residency;

/// SHA-256 of a client's key.
pub type KeyDigest = [u8; 32];

/// One client key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// What it is called in records and by operators: `key_` and 16 hexadecimal digits, or what the
    /// configuration says.
    pub id: Box<str>,
    /// SHA-256 of the key.
    pub digest: KeyDigest,
    /// Whose requests these are.
    pub tenant: Box<str>,
    /// From then on it is unknown, in Unix milliseconds; `None`: never.
    pub expires_ms: Option<u64>,
    /// What it may do.
    pub rules: Rules,
}

/// What a key may do; `None` restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Patterns of ids that may be asked for.
    pub models: Option<Vec<String>>,
    /// Tiers of targets that may be used.
    pub tiers: Option<Vec<String>>,
    /// Where its requests may go.
    pub residency: Option<Residency>,
    /// Endpoints with state at the provider that may be used, or `*`; `None`: as the gateway has it.
    pub relay: Option<Vec<String>>,
    /// The operator's own words about it.
    pub metadata: Vec<(String, String)>,
}

/// One tenant and what holds for all of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// Its name, as keys say it.
    pub name: Box<str>,
    /// Where its requests may go.
    pub residency: Option<Residency>,
}

/// Whether this can be a key's id: it stands in records, paths and command lines.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Longest id of a key.
pub const ID_BYTES_MAX: usize = 64;
/// Longest name of a tenant.
pub const TENANT_BYTES_MAX: usize = 128;
