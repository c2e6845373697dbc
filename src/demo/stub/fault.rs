//! What a provider's errors look like on each wire.

use crate::json::write::Writer;
use crate::wire::kind::Wire;

/// An error, before it is put on a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The status.
    pub status: u16,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

impl Fault {
    /// An error with this status.
    #[must_use]
    pub const fn new(status: u16, message: String) -> Self {
        Self {
            status,
            message,
            param: None,
            code: None,
        }
    }

    /// 400 because of one member.
    #[must_use]
    pub fn of(param: &str, message: String) -> Self {
        Self {
            param: Some(param.to_owned()),
            ..Self::new(400, message)
        }
    }

    /// The same with a code of the OpenAI wire.
    #[must_use]
    pub fn coded(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The body, or the data of an error event.
    #[must_use]
    pub fn body(&self, wire: Wire, request_id: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.open_object();
        match wire {
            Wire::OpenAiChat => {
                let (kind, code) = openai_kind(self.status);
                w.name("error").open_object();
                w.name("message").string(&self.message);
                w.name("type").string(kind).name("param");
                text_or_null(self.param.as_deref(), &mut w);
                w.name("code");
                text_or_null(self.code.or(code), &mut w);
                w.close_object();
            }
            Wire::AnthropicMessages => {
                w.name("type").string("error").name("error").open_object();
                w.name("type").string(anthropic_kind(self.status));
                w.name("message").string(&self.message).close_object();
                w.name("request_id").string(request_id);
            }
        }
        w.close_object();
        out
    }

    /// Seconds after which the provider wants to be asked again.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self.status {
            429 | 503 | 529 => Some(1),
            _ => None,
        }
    }
}

fn text_or_null(text: Option<&str>, w: &mut Writer<'_>) {
    match text {
        Some(text) => w.string(text),
        None => w.null(),
    };
}

const fn openai_kind(status: u16) -> (&'static str, Option<&'static str>) {
    match status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("permission_error", None),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        503 => ("service_unavailable_error", None),
        500..=599 => ("server_error", None),
        _ => ("invalid_request_error", None),
    }
}

const fn anthropic_kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500..=599 => "api_error",
        _ => "invalid_request_error",
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;
    use crate::wire::kind::Wire;

    #[test]
    fn body_has_the_shape_of_its_wire() {
        let fault = Fault::of("model", "no \"x\"".to_owned());
        let openai = br#"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"model","code":null}}"#;
        assert_eq!(fault.body(Wire::OpenAiChat, "r"), openai);
        let anthropic = br#"{"type":"error","error":{"type":"invalid_request_error","message":"no \"x\""},"request_id":"r"}"#;
        assert_eq!(fault.body(Wire::AnthropicMessages, "r"), anthropic);
    }
}
