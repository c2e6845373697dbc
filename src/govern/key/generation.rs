//! New keys, from random bytes that the caller brings.

use crate::json::hex;

/// Random bytes of a key.
pub const KEY_RANDOM_BYTES: usize = 32;
/// Random bytes of an id.
pub const ID_RANDOM_BYTES: usize = 8;

/// Random bytes of a key and its id.
#[derive(Clone, Copy, Default)]
pub struct Randomness {
    /// For the key.
    pub key: [u8; KEY_RANDOM_BYTES],
    /// For its id.
    pub id: [u8; ID_RANDOM_BYTES],
}

/// A client's key: `rw_live_` and 64 hexadecimal digits.
#[must_use]
pub fn key_text(random: &[u8; KEY_RANDOM_BYTES]) -> String {
    format!("rw_live_{}", hex::text(random))
}

/// A key's id: `key_` and 16 hexadecimal digits.
#[must_use]
pub fn key_id(random: &[u8; ID_RANDOM_BYTES]) -> String {
    format!("key_{}", hex::text(random))
}
