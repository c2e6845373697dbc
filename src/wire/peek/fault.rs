//! Why a request's body cannot be routed.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use core::fmt;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::wire::kind::Wire;
use crate::wire::peek::routed_members::{Kind, Known};

/// Why a body cannot be routed: a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeekFault {
    /// What is wrong.
    pub kind: PeekFaultKind,
    /// The member at fault; none if the document as a whole is.
    pub param: Option<Param>,
    /// Byte offset.
    pub at: usize,
}

/// The path of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// A member of the outermost object.
    Top(&'static str),
    /// `list[index].name`
    Item {
        /// Name of the outermost member.
        list: &'static str,
        /// Which element.
        index: u32,
        /// The element's member.
        name: &'static str,
    },
}

impl From<PeekFault> for Rejection {
    fn from(fault: PeekFault) -> Self {
        let rejection = Self::new(ErrorKind::InvalidRequest, fault.to_string(), "bad_body");
        match fault.param {
            Some(param) => rejection.with_param(param.to_string()),
            None => rejection,
        }
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top(name) => f.write_str(name),
            Self::Item { list, index, name } => write!(f, "{list}[{index}].{name}"),
        }
    }
}

/// What can be wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeekFaultKind {
    /// It is no JSON object within limits.
    Json(JsonErrorKind),
    /// A required member is absent.
    Missing,
    /// Something else than a non-empty string.
    NotText,
    /// Something else than a non-empty array.
    NotList,
    /// Something else than a boolean.
    NotBool,
    /// A member that may stand only once stands twice.
    Repeated,
    /// The body has the form of this wire, not of the endpoint that it was sent to.
    WrongEndpoint(Wire),
    /// It asks for a promise about data that is not kept yet.
    Promise,
}

impl PeekFaultKind {
    /// What was expected or found, as a fixed text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Json(kind) => kind.text(),
            Self::Missing => "this member is required",
            Self::NotText => "expected a non-empty string",
            Self::NotList => "expected a non-empty array",
            Self::NotBool => "expected a boolean",
            Self::Repeated => "this member is repeated",
            Self::WrongEndpoint(Wire::OpenAiChat) => {
                "this is the form of OpenAI Chat Completions; send it to /v1/chat/completions"
            }
            Self::WrongEndpoint(Wire::AnthropicMessages) => {
                "this is the form of Anthropic Messages; send it to /v1/messages"
            }
            Self::Promise => {
                "this gateway does not keep this promise about data yet; leave the member out to \
                 send the request without it"
            }
        }
    }
}

impl PeekFault {
    /// Whether it is the document's own fault: it is no JSON, or met a limit of ours.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        matches!(self.kind, PeekFaultKind::Json(_))
    }

    /// Whether the document met a limit of ours: nothing is said of it otherwise.
    #[must_use]
    pub const fn is_limit(&self) -> bool {
        matches!(self.kind, PeekFaultKind::Json(kind) if kind.is_limit())
    }
}

impl fmt::Display for PeekFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.param {
            Some(param) => write!(f, "{param}: {} (at byte {})", self.kind.text(), self.at),
            None => write!(f, "request body: {} at byte {}", self.kind.text(), self.at),
        }
    }
}

impl core::error::Error for PeekFault {}

impl From<JsonError> for PeekFault {
    fn from(error: JsonError) -> Self {
        Self {
            kind: PeekFaultKind::Json(error.kind),
            param: None,
            at: error.at,
        }
    }
}

/// What is wrong with the value of a known member, if anything. `is_empty` is asked of texts alone.
pub(in crate::wire) fn of_known(
    known: Known,
    (kind, is_empty): (Kind, bool),
    wire: Option<Wire>,
) -> Option<PeekFaultKind> {
    let set = kind != Kind::Null;
    match known {
        Known::Model if wire.is_none() && !set => None,
        Known::Model => (kind != Kind::String || is_empty).then_some(PeekFaultKind::NotText),
        Known::Messages => (kind != Kind::Array).then_some(PeekFaultKind::NotList),
        Known::Stream | Known::AllowFallbacks => {
            (set && !matches!(kind, Kind::Bool(_))).then_some(PeekFaultKind::NotBool)
        }
        Known::PiiSubstitution => match kind {
            Kind::Null | Kind::Bool(false) => None,
            Kind::Bool(true) => Some(PeekFaultKind::Promise),
            _ => Some(PeekFaultKind::NotBool),
        },
        Known::PrivacyTier => {
            let is_text = kind == Kind::String && !is_empty;
            (set && !is_text).then_some(PeekFaultKind::NotText)
        }
        Known::System => (set && wire == Some(Wire::OpenAiChat))
            .then_some(PeekFaultKind::WrongEndpoint(Wire::AnthropicMessages)),
        Known::MaxCompletionTokens => (set && wire == Some(Wire::AnthropicMessages))
            .then_some(PeekFaultKind::WrongEndpoint(Wire::OpenAiChat)),
        Known::StreamOptions
        | Known::MaxTokens
        | Known::AnthropicBeta
        | Known::Tools
        | Known::Functions
        | Known::Routing
        | Known::PromptCacheKey
        | Known::User
        | Known::Metadata
        | Known::N => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_member_its_place_and_the_cure() {
        let item = Param::Item {
            list: "messages",
            index: 3,
            name: "role",
        };
        let json = JsonErrorKind::Cut;
        for (kind, param, text) in [
            (
                PeekFaultKind::Missing,
                Some(Param::Top("model")),
                "model: this member is required (at byte 7)".to_owned(),
            ),
            (
                PeekFaultKind::Repeated,
                Some(item),
                "messages[3].role: this member is repeated (at byte 7)".to_owned(),
            ),
            (
                PeekFaultKind::NotBool,
                Some(Param::Top("stream")),
                "stream: expected a boolean (at byte 7)".to_owned(),
            ),
            (
                PeekFaultKind::Json(json),
                None,
                format!("request body: {} at byte 7", json.text()),
            ),
        ] {
            let fault = PeekFault { kind, param, at: 7 };
            assert_eq!(fault.to_string(), text);
            assert_eq!(fault.is_json(), param.is_none());
            let rejection = Rejection::from(fault);
            assert_eq!(rejection.message(), text);
            assert_eq!(
                rejection.param().map(str::to_owned),
                param.map(|it| it.to_string())
            );
        }
        for (wire, path) in [
            (Wire::OpenAiChat, "/v1/chat/completions"),
            (Wire::AnthropicMessages, "/v1/messages"),
        ] {
            assert!(PeekFaultKind::WrongEndpoint(wire).text().ends_with(path));
        }
        assert!(
            PeekFaultKind::Promise
                .text()
                .contains("leave the member out")
        );
    }
}
