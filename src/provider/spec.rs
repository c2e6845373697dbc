//! What a kind of upstream service is.

use crate::wire::kind::{Dialect, Wire};

/// A kind of upstream service: everything about it that is the same for all who use it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in the configuration.
    pub name: &'static str,
    /// The wire that it speaks.
    pub wire: Wire,
    /// Its own address, as the wire's SDK takes it; `None`: the configuration must say one.
    pub base_url: Option<&'static str>,
    /// How it wants its credential.
    pub auth: AuthForm,
    /// Whether it can do without a credential.
    pub key: KeyNeed,
    /// Bare ids that are its own, as patterns: the built-in default rules.
    pub default_ids: &'static [&'static str],
    /// Its quirks.
    pub dialect: fn() -> Dialect,
}

/// Whether a service can do without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyNeed {
    /// It cannot: the configuration must say where the key comes from.
    Wanted,
    /// It often does.
    Optional,
}

/// The header that carries a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthForm {
    /// `authorization: Bearer ...`
    Bearer,
    /// `x-api-key: ...`
    XApiKey,
    /// `api-key: ...`
    ApiKey,
}

impl AuthForm {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Bearer, Self::XApiKey, Self::ApiKey];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::XApiKey => "x-api-key",
            Self::ApiKey => "api-key",
        }
    }

    /// What stands before the key in the head: name, separator, scheme.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Bearer => "authorization: Bearer ",
            Self::XApiKey => "x-api-key: ",
            Self::ApiKey => "api-key: ",
        }
    }
}
