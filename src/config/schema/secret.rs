//! The one type that holds credentials.
//!
//! A [`Secret`] cannot be copied by accident, compared, serialised or printed: `Debug` says a
//! fixed word. Its bytes are zeroed when it is dropped.
//!
//! Not here: where credentials come from (see `config::load`).

use core::fmt;

use zeroize::Zeroize;

/// Bytes that must not be shown.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes the bytes over; what the vector held past its length is zeroed.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        let held = bytes.as_slice().into();
        bytes.zeroize();
        Self(held)
    }

    /// The bytes, for the one place that writes them into an upstream head.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(hidden)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn p23_secret_in_debug_output_is_hidden() {
        let secret = Secret::new(b"sk-very-private".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
        assert_eq!(secret.expose(), b"sk-very-private");
    }
}
