//! A request that is rejected: what its client is told, and the word that the log has for it.
//!
//! Not here: how a wire writes it (see `codec::write_error`), failures of a provider.

use std::borrow::Cow;

use crate::chat::error::{ApiError, ErrorKind};

/// Why a request is rejected. Texts are plain, not escaped.
///
/// A box, so that a result that may be one is no larger than its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(Box<Parts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Parts {
    status: u16,
    kind: ErrorKind,
    message: Cow<'static, str>,
    param: Option<Cow<'static, str>>,
    code: Option<Cow<'static, str>>,
    fields: Cow<'static, [u8]>,
    word: &'static str,
}

impl Rejection {
    /// One of a class, its status by that class. `message`: what was expected, what was found, the cure.
    /// `word`: the log's.
    #[must_use]
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>, word: &'static str) -> Self {
        Self(Box::new(Parts {
            status: kind.status(),
            kind,
            message: message.into(),
            param: None,
            code: None,
            fields: Cow::Borrowed(b""),
            word,
        }))
    }

    /// One of a request that cannot be translated, at fault in `param`, a path (`messages[2].content`).
    #[must_use]
    #[cold]
    pub fn invalid(
        param: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(ErrorKind::InvalidRequest, message, UNTRANSLATED).with_param(param)
    }

    /// One of a body that cannot be read, whatever its members are.
    #[must_use]
    #[cold]
    pub fn unreadable(why: impl core::fmt::Display) -> Self {
        let message = format!("request body: {why}");
        Self::new(ErrorKind::InvalidRequest, message, UNTRANSLATED)
    }

    /// One for a model that there is not, or not for this key.
    #[must_use]
    #[cold]
    pub fn unknown_model(message: String) -> Self {
        Self::new(ErrorKind::NotFound, message, "unknown_model")
            .with_param("model")
            .with_code("model_not_found")
    }

    /// The same with another text.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The same with the field at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.0.param = Some(param.into());
        self
    }

    /// The same with a code of the OpenAI wire.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// The same with further field lines, each with its CRLF, behind those that it has.
    #[must_use]
    pub fn with_fields(mut self, fields: impl Into<Cow<'static, [u8]>>) -> Self {
        let fields = fields.into();
        match self.0.fields.is_empty() {
            true => self.0.fields = fields,
            false => self.0.fields.to_mut().extend_from_slice(&fields),
        }
        self
    }

    /// The same with another word for the log.
    #[must_use]
    pub fn with_word(mut self, word: &'static str) -> Self {
        self.0.word = word;
        self
    }

    /// The same, which can be tried again in a second.
    #[must_use]
    pub fn try_again(self) -> Self {
        self.with_fields(b"retry-after: 1\r\n".as_slice())
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// What was expected, what was found, the cure.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field at fault, as a path.
    #[must_use]
    pub fn param(&self) -> Option<&str> {
        self.0.param.as_deref()
    }

    /// Further field lines, each with its CRLF.
    #[must_use]
    pub fn fields(&self) -> &[u8] {
        &self.0.fields
    }

    /// The log's word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.0.word
    }

    /// The same, to be written in a wire.
    #[must_use]
    pub fn as_error(&self) -> ApiError<'_> {
        ApiError {
            kind: self.0.kind,
            message: &self.0.message,
            param: self.0.param.as_deref(),
            code: self.0.code.as_deref(),
        }
    }

    /// Whether the same request would be rejected again, however often it is sent: no further try can
    /// cure it. Not so for a client that was too slow.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self.0.status, 400..=499) && !matches!(self.0.status, 408 | 409 | 429)
    }
}

/// The log's word for a request that a target of another wire cannot be asked.
const UNTRANSLATED: &str = "refused_by_translation";
