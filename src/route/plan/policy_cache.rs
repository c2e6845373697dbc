//! Which targets a key was found to be open to, so that its rules are held against them once.

use core::sync::atomic::{AtomicU64, Ordering};

/// The targets of the configuration, by their numbers, that a key's own rules and its tenant's were
/// found to leave open: none of these ever changes. Targets of high numbers are judged each time.
#[derive(Debug, Default)]
pub struct Opened([AtomicU64; OPENED_WORDS]);

impl Opened {
    /// Whether the target of this number was found to be open.
    #[must_use]
    pub fn has(&self, number: Option<usize>) -> bool {
        let bit = number.and_then(|number| Some((self.0.get(number / 64)?, number % 64)));
        bit.is_some_and(|(word, bit)| word.load(Ordering::Relaxed) >> bit & 1 == 1)
    }

    /// It was.
    pub fn note(&self, number: Option<usize>) {
        let bit = number.and_then(|number| Some((self.0.get(number / 64)?, number % 64)));
        if let Some((word, bit)) = bit {
            word.fetch_or(1 << bit, Ordering::Relaxed);
        }
    }
}

/// A copy of a key finds out for itself.
impl Clone for Opened {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What was found out of a key is no part of it.
impl PartialEq for Opened {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Opened {}

/// For 256 targets.
const OPENED_WORDS: usize = 4;
