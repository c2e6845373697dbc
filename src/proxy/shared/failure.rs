//! What can go wrong in an exchange, and the one table that says what follows from it.
//!
//! A [`Failure`] names who is to blame and what happened; [`Failure::verdict`] alone decides the
//! status, the class of error that the client is told, and whether another target may be tried.
//! Texts for the client are fixed: no address, key or path of ours. What a provider said in a stream
//! that had nothing else to say is told in its own words.

use crate::chat::error::{ErrorFacts, ErrorKind};
use crate::proxy::shared::health::Scope;
use crate::proxy::shared::memory_budget::Full;

/// Something that ended an attempt or an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub kind: Kind,
    /// More for the log: never payload, never a credential.
    pub detail: Option<String>,
    /// What the provider itself said, in a stream that had nothing else to say.
    pub said: Option<Box<ErrorFacts>>,
    /// What it fell on, where the provider is to blame.
    pub scope: Scope,
    /// The provider asks to be left alone for so long.
    pub retry_after_ms: Option<u64>,
    /// The connection ended before an answer, and the provider may have received the whole request.
    pub may_be_delivered: bool,
}

/// Who is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The client: never counted against a provider.
    Client,
    /// The provider or the way to it.
    Upstream,
    /// Ourselves.
    Gateway,
}

/// Makes the kinds and their verdicts from one table, a row for each kind: who is to blame and what it
/// falls on, the client's status and class of error, whether another target may be tried, the word for
/// logs and metrics, what the client is told.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident: $blame:ident $scope:ident, $status:literal $error:ident,
       $next:literal, $word:literal, $message:literal;)*) => {
        /// The kinds of failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$kind,)*];

            /// What follows from it.
            #[must_use]
            pub const fn verdict(self) -> Verdict {
                match self {
                    $(Self::$kind => Verdict {
                        blame: Blame::$blame,
                        status: $status,
                        error: ErrorKind::$error,
                        next_target: $next,
                        message: $message,
                        word: $word,
                    },)*
                }
            }

            /// What it falls on, where the provider is to blame: no connection on every model there, a
            /// refused credential on every model that is asked with it.
            const fn scope(self) -> Scope {
                match self {
                    $(Self::$kind => Scope::$scope,)*
                }
            }
        }
    };
}

kinds! {
    /// The client left.
    ClientGone: Client Target, 0 Api, false, "client_gone", "";
    /// The client does not read.
    ClientStalled: Client Target, 0 RequestTimeout, false, "client_stalled",
        "the client does not read";
    /// The provider's name has no address yet.
    Unresolved: Upstream Provider, 502 Api, true, "unresolved",
        "upstream provider could not be resolved";
    /// The provider's addresses lie outside the networks that are allowed for it.
    Network: Upstream Provider, 502 Api, true, "network",
        "upstream provider is outside the networks that are allowed for it";
    /// No connection to the provider.
    Connect: Upstream Provider, 502 Api, true, "connect", "upstream provider could not be reached";
    /// The connection was not up in time.
    ConnectTimeout: Upstream Provider, 504 Timeout, true, "connect_timeout",
        "connecting upstream timed out";
    /// The TLS handshake failed: name, date, trust.
    Tls: Upstream Provider, 502 Api, true, "tls", "upstream TLS connection could not be made";
    /// The connection failed before the answer's head.
    Reset: Upstream Target, 502 Api, true, "reset", "upstream connection ended before an answer";
    /// A pooled connection that had died: worth one fresh try.
    Stale: Upstream Target, 502 Api, true, "stale", "upstream connection ended before an answer";
    /// No answer head in time.
    HeadTimeout: Upstream Target, 504 Timeout, true, "head_timeout",
        "upstream did not answer in time";
    /// No content of a stream in the time after which another target is asked.
    FirstToken: Upstream Target, 504 Timeout, true, "first_token",
        "upstream did not answer in time";
    /// Fewer deltas of a stream than those for which another target is asked.
    SlowStream: Upstream Target, 504 Timeout, true, "slow_stream",
        "upstream did not answer in time";
    /// The answer's head or framing is malformed.
    Framing: Upstream Target, 502 Api, true, "framing", "upstream sent a malformed answer";
    /// A status that lets the next target have a try.
    Status: Upstream Target, 502 Api, true, "status", "upstream answered with an error";
    /// The provider refuses the credential that we have for it.
    Credential: Upstream Credential, 502 Api, true, "credential", "upstream answered with an error";
    /// The provider redirects; redirects are not followed.
    Redirect: Upstream Target, 502 Api, true, "redirect", "upstream sent a redirect";
    /// A success that is neither JSON nor a stream.
    ContentType: Upstream Target, 502 Api, true, "content_type",
        "upstream sent no answer of the kind that was asked for";
    /// A compressed answer that would have to be read.
    Compressed: Upstream Target, 502 Api, true, "compressed", "upstream sent a compressed answer";
    /// A success whose body is no answer of its wire.
    NotAnAnswer: Upstream Target, 502 Api, true, "not_an_answer",
        "upstream sent a malformed answer";
    /// A whole answer larger than its bound.
    AnswerTooLarge: Upstream Target, 502 Api, false, "answer_too_large",
        "upstream answer is too large";
    /// The body of an answer broke off before anything was sent on.
    BodyCut: Upstream Target, 502 Api, true, "body_cut", "upstream answer ended early";
    /// The stream's start-up frames held an error.
    StreamError: Upstream Target, 502 Api, true, "stream_error",
        "upstream stream began with an error";
    /// An event of the stream is malformed.
    MalformedStream: Upstream Target, 502 Api, true, "malformed_stream",
        "upstream sent a malformed stream";
    /// An event of the stream, or what it holds back, is larger than its bound.
    EventTooLarge: Upstream Target, 502 Api, false, "event_too_large",
        "upstream sent an event that is too large";
    /// The provider fell silent before anything was sent on.
    BodyStall: Upstream Target, 504 Timeout, true, "body_stall", "upstream fell silent";
    /// The buffer budget is used up.
    NoRoom: Gateway Target, 503 Overloaded, false, "no_room",
        "too much in flight at this gateway; retry later";
    /// The process was told to end and the drain limit passed.
    DrainCut: Gateway Target, 503 Overloaded, false, "drain_cut", "shutting down";
    /// A fault of ours.
    Bug: Gateway Target, 500 Api, false, "bug", "internal error";
}

/// What follows from a failure before commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who is to blame.
    pub blame: Blame,
    /// Status for the client; nought where there is nobody to tell.
    pub status: u16,
    /// Class of the error in the client's wire.
    pub error: ErrorKind,
    /// Another target may be tried.
    pub next_target: bool,
    /// What the client is told.
    pub message: &'static str,
    /// A word for logs and metrics.
    pub word: &'static str,
}

impl From<Full> for Failure {
    fn from(_: Full) -> Self {
        Self::new(Kind::NoRoom)
    }
}

impl Failure {
    /// A failure with nothing more to say.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            detail: None,
            said: None,
            scope: kind.scope(),
            retry_after_ms: None,
            may_be_delivered: false,
        }
    }

    /// A failure with a text for the log.
    #[must_use]
    pub fn with_detail(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..Self::new(kind)
        }
    }

    /// What follows from it.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.kind.verdict()
    }

    /// Whether it fell on one credential, so that another may do.
    #[must_use]
    pub const fn is_of_key(&self) -> bool {
        matches!(self.scope, Scope::Credential | Scope::Lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p15_client_faults_never_become_5xx_and_never_reach_another_target() {
        for kind in Kind::ALL {
            let verdict = kind.verdict();
            if verdict.blame == Blame::Client {
                assert!(verdict.status < 500, "{kind:?}");
                assert!(!verdict.next_target, "{kind:?}");
            } else {
                assert!(
                    verdict.status >= 500 && !verdict.message.is_empty(),
                    "{kind:?}"
                );
            }
        }
    }

    #[test]
    fn timeouts_are_504_and_words_are_unique() {
        let mut words: Vec<_> = Kind::ALL.iter().map(|kind| kind.verdict().word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Kind::ALL.len());
        for kind in [
            Kind::ConnectTimeout,
            Kind::HeadTimeout,
            Kind::FirstToken,
            Kind::SlowStream,
            Kind::BodyStall,
        ] {
            assert_eq!(kind.verdict().status, 504);
        }
    }
}
