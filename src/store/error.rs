//! Why something could not be done with a store. Texts show no password.

use core::fmt;

/// What went wrong, for whoever decides what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// The store cannot be reached or used now; it may be later.
    Down,
    /// What is there already stands in the way.
    Taken,
    /// There is no such row.
    Absent,
    /// It can never be used as it stands: the configuration has to change.
    Unfit,
}

/// What went wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    /// Its kind.
    pub fault: StoreFault,
    /// What was tried and what came of it.
    pub text: String,
}

impl StoreError {
    /// The store cannot be used.
    pub fn down(text: impl Into<String>) -> Self {
        Self {
            fault: StoreFault::Down,
            text: text.into(),
        }
    }

    /// The server stands behind a pool that gives each transaction another session.
    #[must_use]
    pub fn pooled() -> Self {
        let text = "the server gives each transaction another session, as PgBouncer does with \
                    `pool_mode = transaction`; there, changes of keys are not heard: connect to \
                    PostgreSQL itself, or to a pool with `pool_mode = session`";
        Self {
            fault: StoreFault::Unfit,
            text: text.to_owned(),
        }
    }

    /// There is no such key, revoked or not.
    #[must_use]
    pub fn no_key(id: &str) -> Self {
        Self {
            fault: StoreFault::Absent,
            text: format!("no key `{id}`"),
        }
    }

    /// There is no such key that could be changed.
    #[must_use]
    pub fn absent(id: &str) -> Self {
        Self {
            fault: StoreFault::Absent,
            text: format!("no key `{id}` that is not revoked"),
        }
    }

    /// There is no such tenant.
    #[must_use]
    pub fn no_tenant(name: &str) -> Self {
        Self {
            fault: StoreFault::Absent,
            text: format!("no tenant {name:?}"),
        }
    }

    /// The tenant has keys that let somebody in.
    #[must_use]
    pub fn has_keys(name: &str) -> Self {
        Self {
            fault: StoreFault::Taken,
            text: format!("tenant {name:?} has keys that are not revoked; revoke them first"),
        }
    }

    /// There is such a row already.
    #[must_use]
    pub fn taken() -> Self {
        Self {
            fault: StoreFault::Taken,
            text: "the same key or id is there already".to_owned(),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl core::error::Error for StoreError {}
