//! Which request headers of a client go upstream, and which `anthropic-beta` values.
//!
//! An allow-list: what it does not name stays here. Framing, hop-by-hop fields, cookies and every
//! carrier of a key stay here whatever the configuration says.
//!
//! Not here: the credential, `host` and framing of the upstream request (see `route::upstream`),
//! and the defaults of `anthropic-version`.

use crate::route::plan::glob::Glob;

/// Header names that go upstream by default, as patterns.
pub const FORWARDED: [&str; 10] = [
    "content-type",
    "accept",
    "anthropic-*",
    "openai-*",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "x-client-request-id",
    "user-agent",
    "x-stainless-*",
];

/// Header names that never go upstream from a client.
pub const WITHHELD: [&str; 24] = [
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Whether a name is framing, hop-by-hop or a carrier of keys. Expects lower case.
#[must_use]
pub fn is_withheld(name: impl AsRef<[u8]>) -> bool {
    let name = name.as_ref();
    WITHHELD.iter().any(|held| held.as_bytes() == name)
}

/// The header rules of one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardRules {
    /// Names beyond [`FORWARDED`], lower case.
    extra: Box<[Glob]>,
    /// Names that carry keys by configuration, or that the provider sets itself; lower case.
    withheld: Box<[Box<str>]>,
}

impl ForwardRules {
    /// Rules beyond the defaults. `withheld` are names that stay here beside [`WITHHELD`].
    #[must_use]
    pub fn new(extra: Vec<Glob>, withheld: Vec<Box<str>>) -> Self {
        Self {
            extra: extra.into_boxed_slice(),
            withheld: withheld.into_boxed_slice(),
        }
    }

    /// Whether a client's header goes upstream. Expects the name in lower case.
    #[must_use]
    pub fn takes(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        // None of the defaults is withheld, so only what is taken beyond them is held against that.
        let taken = FORWARDED.iter().any(|pattern| fits(pattern, name))
            || self.extra.iter().any(|glob| glob.matches(name)) && !is_withheld(name);
        taken && self.withheld.iter().all(|held| held.as_bytes() != name)
    }
}

/// What happens to the values of `anthropic-beta` on their way to one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BetaRules {
    /// Values that go on; `None`: all.
    pub allow: Option<Box<[Glob]>>,
    /// Values that are taken out.
    pub drop: Box<[Glob]>,
    /// Values that the provider knows by another name.
    pub rename: Box<[(Box<str>, Box<str>)]>,
}

impl BetaRules {
    /// What goes upstream for one value: itself, its other name, or nothing.
    #[must_use]
    pub fn apply<'v>(&'v self, value: &'v str) -> Option<&'v str> {
        if self.drop.iter().any(|glob| glob.matches(value)) {
            return None;
        }
        if let Some((_, other)) = self.rename.iter().find(|(from, _)| **from == *value) {
            return Some(other);
        }
        match &self.allow {
            None => Some(value),
            Some(globs) => globs
                .iter()
                .any(|glob| glob.matches(value))
                .then_some(value),
        }
    }

    /// Whether every value goes on as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.allow.is_none() && self.drop.is_empty() && self.rename.is_empty()
    }
}

/// A pattern with a star at its end at most.
fn fits(pattern: &str, name: &[u8]) -> bool {
    match pattern.as_bytes() {
        [start @ .., b'*'] => name.starts_with(start),
        whole => name == whole,
    }
}

#[cfg(test)]
mod tests {
    use super::{BetaRules, FORWARDED, ForwardRules};
    use crate::route::plan::glob::Glob;

    #[test]
    fn takes_by_default_only_the_documented_names() {
        let rules = ForwardRules::default();
        for pattern in FORWARDED {
            assert!(rules.takes(pattern.replace('*', "x")), "{pattern}");
        }
        for name in [
            "authorization",
            "x-api-key",
            "api-key",
            "cookie",
            "x-goog-api-key",
            "x-forwarded-for",
            "x-portkey-provider",
            "acceptx",
        ] {
            assert!(!rules.takes(name), "{name}");
        }
    }

    #[test]
    fn none_of_the_defaults_is_withheld() {
        for name in super::WITHHELD {
            assert!(
                !FORWARDED.iter().any(|p| super::fits(p, name.as_bytes())),
                "{name}"
            );
        }
    }

    #[test]
    fn takes_with_every_name_allowed_still_withholds_keys_and_framing() {
        let rules = ForwardRules::new(vec![Glob::new("*")], vec!["x-portkey-api-key".into()]);
        assert!(rules.takes("x-vendor-flag"));
        for name in super::WITHHELD {
            assert!(!rules.takes(name), "{name}");
        }
        assert!(!rules.takes("x-portkey-api-key"));
    }

    #[test]
    fn pk11_k6_beta_values_are_dropped_renamed_or_allowed_per_provider() {
        let rules = BetaRules {
            allow: Some([Glob::new("files-*")].into()),
            drop: [Glob::new("*-secret")].into(),
            rename: [("advanced-tool-use-2025-11-20".into(), "tool-search".into())].into(),
        };
        assert_eq!(
            rules.apply("files-api-2025-04-14"),
            Some("files-api-2025-04-14")
        );
        assert_eq!(rules.apply("files-secret"), None);
        assert_eq!(
            rules.apply("advanced-tool-use-2025-11-20"),
            Some("tool-search")
        );
        assert_eq!(rules.apply("context-1m-2025-08-07"), None);
        assert_eq!(BetaRules::default().apply("anything"), Some("anything"));
    }
}
