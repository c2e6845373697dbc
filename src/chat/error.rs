//! An error as every wire can say it: a kind, a message, and what the client should look at.

/// What went wrong, by the classes that clients tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is at fault (400).
    InvalidRequest,
    /// No key, a wrong key, two keys (401).
    Authentication,
    /// Billing or quota is exhausted (402, OpenAI: 429 `insufficient_quota`).
    Billing,
    /// The key may not do this (403).
    Permission,
    /// No such model or path (404).
    NotFound,
    /// Wrong method for the path (405).
    MethodNotAllowed,
    /// The request was too slow to arrive (408).
    RequestTimeout,
    /// The request conflicts with another (409).
    Conflict,
    /// The body is larger than allowed (413).
    TooLarge,
    /// Too many requests (429).
    RateLimit,
    /// The provider or the gateway failed (500, 502).
    Api,
    /// Too much load (503, 529).
    Overloaded,
    /// The provider did not answer in time (504).
    Timeout,
}

impl ErrorKind {
    /// The status of an error of this class that is the gateway's own.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimit => 429,
            Self::Api => 500,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }
}

/// What can be wrong with the tool calls of a conversation, or with their results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFault {
    /// No result follows a call.
    Unanswered,
    /// A result answers no call of the turn before.
    NoCall,
    /// Two calls that wait for results have one id.
    RepeatedId,
}

/// An error to be written in a client's wire. Texts are plain, not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError<'a> {
    /// The class.
    pub kind: ErrorKind,
    /// What was expected, what was found, the cure.
    pub message: &'a str,
    /// The field at fault, as a path (`messages[2].content`).
    pub param: Option<&'a str>,
    /// The OpenAI wire's `code`, where one is known.
    pub code: Option<&'a str>,
}

/// What could be read of a provider's error. Texts are plain, not escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFacts {
    /// The class, by the error's own words; the HTTP status says more where there is one.
    pub kind: ErrorKind,
    /// The provider's message, if one was found.
    pub message: Option<String>,
    /// The field at fault, if named.
    pub param: Option<String>,
    /// The OpenAI wire's `code` (numbers as their digits), or the Anthropic wire's `type`.
    pub code: Option<String>,
}
