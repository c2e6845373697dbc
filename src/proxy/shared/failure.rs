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

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The client left.
    ClientGone,
    /// The client does not read.
    ClientStalled,
    /// The provider's name has no address yet.
    Unresolved,
    /// The provider's addresses lie outside the networks that are allowed for it.
    Network,
    /// No connection to the provider.
    Connect,
    /// The connection was not up in time.
    ConnectTimeout,
    /// The TLS handshake failed: name, date, trust.
    Tls,
    /// The connection failed before the answer's head.
    Reset,
    /// A pooled connection that had died: worth one fresh try.
    Stale,
    /// No answer head in time.
    HeadTimeout,
    /// No content of a stream in the time after which another target is asked.
    FirstToken,
    /// Fewer deltas of a stream than those for which another target is asked.
    SlowStream,
    /// The answer's head or framing is malformed.
    Framing,
    /// A status that lets the next target have a try.
    Status,
    /// The provider refuses the credential that we have for it.
    Credential,
    /// The provider redirects; redirects are not followed.
    Redirect,
    /// A success that is neither JSON nor a stream.
    ContentType,
    /// A compressed answer that would have to be read.
    Compressed,
    /// A success whose body is no answer of its wire.
    NotAnAnswer,
    /// A whole answer larger than its bound.
    AnswerTooLarge,
    /// The body of an answer broke off before anything was sent on.
    BodyCut,
    /// The stream's start-up frames held an error.
    StreamError,
    /// An event of the stream is malformed.
    MalformedStream,
    /// An event of the stream, or what it holds back, is larger than its bound.
    EventTooLarge,
    /// The provider fell silent before anything was sent on.
    BodyStall,
    /// The buffer budget is used up.
    NoRoom,
    /// The process was told to end and the drain limit passed.
    DrainCut,
    /// A fault of ours.
    Bug,
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

impl Kind {
    /// The one table.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "one arm per kind")]
    pub const fn verdict(self) -> Verdict {
        use Blame::{Client, Gateway, Upstream};
        use ErrorKind::{Api, Overloaded, RequestTimeout, Timeout};
        let (blame, status, error, next_target, word, message) = match self {
            Self::ClientGone => (Client, 0, Api, false, "client_gone", ""),
            Self::ClientStalled => (
                Client,
                0,
                RequestTimeout,
                false,
                "client_stalled",
                "the client does not read",
            ),
            Self::Unresolved => (
                Upstream,
                502,
                Api,
                true,
                "unresolved",
                "upstream provider could not be resolved",
            ),
            Self::Network => (
                Upstream,
                502,
                Api,
                true,
                "network",
                "upstream provider is outside the networks that are allowed for it",
            ),
            Self::Connect => (
                Upstream,
                502,
                Api,
                true,
                "connect",
                "upstream provider could not be reached",
            ),
            Self::ConnectTimeout => (
                Upstream,
                504,
                Timeout,
                true,
                "connect_timeout",
                "connecting upstream timed out",
            ),
            Self::Tls => (
                Upstream,
                502,
                Api,
                true,
                "tls",
                "upstream TLS connection could not be made",
            ),
            Self::Reset => (
                Upstream,
                502,
                Api,
                true,
                "reset",
                "upstream connection ended before an answer",
            ),
            Self::Stale => (
                Upstream,
                502,
                Api,
                true,
                "stale",
                "upstream connection ended before an answer",
            ),
            Self::HeadTimeout => (
                Upstream,
                504,
                Timeout,
                true,
                "head_timeout",
                "upstream did not answer in time",
            ),
            Self::FirstToken => (
                Upstream,
                504,
                Timeout,
                true,
                "first_token",
                "upstream did not answer in time",
            ),
            Self::SlowStream => (
                Upstream,
                504,
                Timeout,
                true,
                "slow_stream",
                "upstream did not answer in time",
            ),
            Self::Framing => (
                Upstream,
                502,
                Api,
                true,
                "framing",
                "upstream sent a malformed answer",
            ),
            Self::Status => (
                Upstream,
                502,
                Api,
                true,
                "status",
                "upstream answered with an error",
            ),
            Self::Credential => (
                Upstream,
                502,
                Api,
                true,
                "credential",
                "upstream answered with an error",
            ),
            Self::Redirect => (
                Upstream,
                502,
                Api,
                true,
                "redirect",
                "upstream sent a redirect",
            ),
            Self::ContentType => (
                Upstream,
                502,
                Api,
                true,
                "content_type",
                "upstream sent no answer of the kind that was asked for",
            ),
            Self::Compressed => (
                Upstream,
                502,
                Api,
                true,
                "compressed",
                "upstream sent a compressed answer",
            ),
            Self::NotAnAnswer => (
                Upstream,
                502,
                Api,
                true,
                "not_an_answer",
                "upstream sent a malformed answer",
            ),
            Self::AnswerTooLarge => (
                Upstream,
                502,
                Api,
                false,
                "answer_too_large",
                "upstream answer is too large",
            ),
            Self::BodyCut => (
                Upstream,
                502,
                Api,
                true,
                "body_cut",
                "upstream answer ended early",
            ),
            Self::StreamError => (
                Upstream,
                502,
                Api,
                true,
                "stream_error",
                "upstream stream began with an error",
            ),
            Self::MalformedStream => (
                Upstream,
                502,
                Api,
                true,
                "malformed_stream",
                "upstream sent a malformed stream",
            ),
            Self::EventTooLarge => (
                Upstream,
                502,
                Api,
                false,
                "event_too_large",
                "upstream sent an event that is too large",
            ),
            Self::BodyStall => (
                Upstream,
                504,
                Timeout,
                true,
                "body_stall",
                "upstream fell silent",
            ),
            Self::NoRoom => (
                Gateway,
                503,
                Overloaded,
                false,
                "no_room",
                "too much in flight at this gateway; retry later",
            ),
            Self::DrainCut => (
                Gateway,
                503,
                Overloaded,
                false,
                "drain_cut",
                "shutting down",
            ),
            Self::Bug => (Gateway, 500, Api, false, "bug", "internal error"),
        };
        Verdict {
            blame,
            status,
            error,
            next_target,
            message,
            word,
        }
    }
}

impl Kind {
    /// What it falls on, where the provider is to blame: no connection on every model there, a
    /// refused credential on every model that is asked with it.
    const fn scope(self) -> Scope {
        match self {
            Self::Unresolved | Self::Network | Self::Connect | Self::ConnectTimeout | Self::Tls => {
                Scope::Provider
            }
            Self::Credential => Scope::Credential,
            Self::ClientGone
            | Self::ClientStalled
            | Self::Reset
            | Self::Stale
            | Self::HeadTimeout
            | Self::FirstToken
            | Self::SlowStream
            | Self::Framing
            | Self::Status
            | Self::Redirect
            | Self::ContentType
            | Self::Compressed
            | Self::NotAnAnswer
            | Self::AnswerTooLarge
            | Self::BodyCut
            | Self::StreamError
            | Self::MalformedStream
            | Self::EventTooLarge
            | Self::BodyStall
            | Self::NoRoom
            | Self::DrainCut
            | Self::Bug => Scope::Target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p15_client_faults_never_become_5xx_and_never_reach_another_target() {
        for kind in ALL {
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
        let mut words: Vec<_> = ALL.iter().map(|kind| kind.verdict().word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ALL.len());
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

    const ALL: [Kind; 28] = [
        Kind::FirstToken,
        Kind::SlowStream,
        Kind::Status,
        Kind::Credential,
        Kind::ClientGone,
        Kind::ClientStalled,
        Kind::Unresolved,
        Kind::Network,
        Kind::Connect,
        Kind::ConnectTimeout,
        Kind::Tls,
        Kind::Reset,
        Kind::Stale,
        Kind::HeadTimeout,
        Kind::Framing,
        Kind::Redirect,
        Kind::ContentType,
        Kind::Compressed,
        Kind::NotAnAnswer,
        Kind::AnswerTooLarge,
        Kind::BodyCut,
        Kind::StreamError,
        Kind::MalformedStream,
        Kind::EventTooLarge,
        Kind::BodyStall,
        Kind::NoRoom,
        Kind::DrainCut,
        Kind::Bug,
    ];
}
