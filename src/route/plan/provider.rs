//! One configured provider, as it is run on.
//!
//! Everything that does not vary between requests is ready as bytes: paths, the lines of the
//! upstream head, the credential line.
//!
//! Not here: connecting (see `net`), the varying part of the head (see `proxy`).

use crate::config::load::material::Credential;
use crate::config::schema::file::{TrustedRoots, UsageMode};
use crate::config::schema::secret::Secret;
use crate::provider::spec::AuthForm;
use crate::route::plan::header::{BetaRules, ForwardRules};
use crate::route::plan::ids::ProviderId;
use crate::route::plan::target::TargetFacts;
use crate::wire::kind::{Dialect, Wire};

/// A provider with its endpoint, credential and rules.
#[derive(Debug)]
pub struct Provider {
    /// The same in every plan that has this provider at this address.
    pub id: ProviderId,
    /// Its name in the configuration, also the `@slug` of clients.
    pub name: Box<str>,
    /// The kind's name: `openai`, `anthropic`, `groq`, ...
    pub kind: &'static str,
    /// The wire that it speaks.
    pub wire: Wire,
    /// Its quirks inside the wire.
    pub dialect: Dialect,
    /// Where it stands.
    pub endpoint: ProviderAddress,
    /// How it wants its credential.
    pub auth: AuthForm,
    /// Whose credential that is.
    pub credential: Credential,
    /// The certificates that are trusted.
    pub roots: TrustedRoots,
    /// Certificates that are trusted beside them, PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Ready-made pieces of the upstream head.
    pub head: HeadPieces,
    /// Client headers that go on.
    pub forward: ForwardRules,
    /// Rules for `anthropic-beta` values.
    pub betas: BetaRules,
    /// How usage is learnt.
    pub usage: UsageMode,
    /// Waits that differ per provider.
    pub timeouts: Timeouts,
    /// Deltas per second that a stream must bring before its commit; nought: any rate will do.
    pub stream_rate_min: u64,
    /// Answers that let the next target have a try.
    pub retry_on: StatusSet,
    /// Connections that each thread opens at start.
    pub warm_count: u32,
    /// What is stated of it, for every target that states nothing of its own.
    pub facts: TargetFacts,
}

impl Provider {
    /// Our credentials, where they are ours: what must not come back in an answer.
    #[must_use]
    pub fn secrets(&self) -> &[Secret] {
        match &self.credential {
            Credential::Ours(secrets) => secrets,
            Credential::Caller | Credential::None => &[],
        }
    }

    /// How many credentials there are to choose from: one where it is the caller's, or none.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.secrets().len().max(1)
    }

    /// Whether the configuration fixes a header: it is in `head.fixed_lines` already. Expects
    /// the name in lower case.
    #[must_use]
    pub fn fixes(&self, name: impl AsRef<[u8]>) -> bool {
        let (name, mut fixed) = (name.as_ref(), self.head.fixed_names.iter());
        fixed.any(|fixed| fixed.as_bytes() == name)
    }
}

/// An address as a base URL names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderAddress {
    /// `https` or `http`.
    pub scheme: Scheme,
    /// Name or address, without brackets: what is resolved and what TLS verifies.
    pub host: Box<str>,
    /// The port, the scheme's own where none was given.
    pub port: u16,
    /// Value of `host` upstream: brackets kept, default port left out.
    pub authority: Box<str>,
    /// What stands upstream in place of the client's `/v1`; no slash at its end.
    pub root: Box<str>,
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// TLS.
    Https,
    /// In clear.
    Http,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }

    /// The port where none is given.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

/// Pieces of the upstream head, each with its CRLFs.
#[derive(Debug)]
pub struct HeadPieces {
    /// Path of the provider's own chat endpoint: `{root}/chat/completions` or `{root}/messages`.
    pub chat_path: Box<str>,
    /// Path of token counting; `None` where the wire has no such endpoint.
    pub count_path: Option<Box<str>>,
    /// `host: ...` and the fixed headers of the configuration, which may hold keys too.
    pub fixed_lines: Secret,
    /// Names of the fixed headers, lower case.
    pub fixed_names: Box<[Box<str>]>,
    /// The line of each of our credentials with its CRLF; none where the key is the caller's, or
    /// there is none.
    pub credential_lines: Box<[Secret]>,
}

/// Waits of one provider, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connect.
    pub connect_ms: u64,
    /// TLS handshake.
    pub handshake_ms: u64,
    /// From the connection being up to the whole answer head.
    pub answer_head_ms: u64,
    /// Silence within a stream.
    pub stream_stall_ms: u64,
    /// To a stream's first content, while another target could take over; nought: as long as it
    /// takes.
    pub first_token_ms: u64,
}

/// A set of status codes from 400 to 599.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusSet([u64; 4]);

impl StatusSet {
    /// Adds a status; one outside 400 to 599 is not held.
    #[must_use]
    pub const fn with(mut self, status: u16) -> Self {
        if status >= 400 && status < 600 {
            let bit = (status - 400) as usize;
            self.0[bit / 64] |= 1 << (bit % 64);
        }
        self
    }

    /// Whether a status is in the set.
    #[must_use]
    pub fn contains(self, status: u16) -> bool {
        let Some(bit) = status.checked_sub(400).map(usize::from) else {
            return false;
        };
        self.0
            .get(bit / 64)
            .is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::StatusSet;

    #[test]
    fn status_set_holds_what_was_added_and_nothing_else() {
        let added = [400, 429, 463, 464, 529, 599];
        let set = added
            .iter()
            .fold(StatusSet::default(), |set, &status| set.with(status));
        for status in 0..=1000 {
            assert_eq!(set.contains(status), added.contains(&status), "{status}");
        }
        assert_eq!(
            StatusSet::default().with(200).with(600),
            StatusSet::default()
        );
    }
}
