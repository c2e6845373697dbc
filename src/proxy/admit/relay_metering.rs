//! How the use of each relayed endpoint is counted for limits and budgets: estimated before the request is
//! sent, read from the answer, or by a configured price a request.
//!
//! Not here: the estimate and the charge (`admission`), reading an answer's figures (`translate::relay_tap`).

use crate::http1::method::Method;
use crate::json::pick::Picker;
use crate::proxy::admit::relay_permissions::plain_path;

/// What is known of what a relayed request takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metering {
    /// It takes nothing: it reads, changes or removes what is there.
    Free,
    /// Nothing, or nothing that could be told before: what an answer tells is counted where
    /// `is_read`.
    Unknown {
        /// The answer's own figures are those of this request.
        is_read: bool,
    },
    /// Tokens, which are estimated before and read from the answer.
    Tokens {
        /// It gives text back.
        has_output: bool,
    },
}

impl Metering {
    /// What is known of a request to this path behind `/v1`. A provider may read a path more
    /// generously than it is written, so letters, parameters and escapes make no difference.
    #[must_use]
    pub fn of(method: Method, path: &[u8]) -> Self {
        if method != Method::Post {
            return Self::Free;
        }
        match plain_path(path).as_str() {
            "responses" | "responses/compact" | "completions" => Self::Tokens { has_output: true },
            "embeddings" => Self::Tokens { has_output: false },
            "audio/speech"
            | "audio/transcriptions"
            | "audio/translations"
            | "images/edits"
            | "images/generations"
            | "images/variations"
            | "moderations"
            | "rerank" => Self::Unknown { is_read: true },
            _ => Self::Unknown { is_read: false },
        }
    }

    /// Whether the answer's figures are looked for.
    #[must_use]
    pub const fn is_read(self) -> bool {
        match self {
            Self::Free => false,
            Self::Unknown { is_read } => is_read,
            Self::Tokens { .. } => true,
        }
    }
}

/// Tokens of output that a relayed body allows, and how many answers it asks for.
#[must_use]
pub fn asked(body: &[u8]) -> (Option<u64>, u64) {
    let mut picker = Picker::new(NAMES, "");
    picker.push(body);
    let count = |number: usize| {
        let digits = core::str::from_utf8(picker.value(number)?).ok()?;
        digits.parse().ok().or_else(|| {
            let number: f64 = digits.parse().ok()?;
            let whole = format!("{:.0}", number.max(0.0).ceil());
            Some(whole.parse().unwrap_or(u64::MAX))
        })
    };
    let said = (0..ANSWERS_AT).filter_map(count).max();
    let answers = (ANSWERS_AT..NAMES.len()).filter_map(count).max();
    (said, answers.unwrap_or(1).max(1))
}

/// Members that bound the output, and from [`ANSWERS_AT`] on those that ask for several.
const NAMES: &[&str] = &[
    "max_output_tokens",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "best_of",
];
const ANSWERS_AT: usize = 3;

#[cfg(test)]
mod tests {
    use super::{Metering, asked};
    use crate::http1::method::Method;

    #[test]
    fn endpoints_are_told_apart_however_their_paths_are_spelt() {
        let tokens = |has_output| Metering::Tokens { has_output };
        let unknown = |is_read| Metering::Unknown { is_read };
        for (path, expected) in [
            ("/responses", tokens(true)),
            ("/Respons%65s;a=b", tokens(true)),
            ("/v1/responses/", tokens(true)),
            ("/responses/compact", tokens(true)),
            ("/completions", tokens(true)),
            ("/embeddings", tokens(false)),
            ("/images/generations", unknown(true)),
            ("/responses/resp_1/cancel", unknown(false)),
            ("/chat/completions/c1", unknown(false)),
            ("/files", unknown(false)),
        ] {
            assert_eq!(Metering::of(Method::Post, path.as_bytes()), expected);
            assert_eq!(Metering::of(Method::Get, path.as_bytes()), Metering::Free);
        }
    }

    #[test]
    fn what_a_body_allows_is_found_in_its_outermost_object() {
        for (body, expected) in [
            (r#"{"input":"x"}"#, (None, 1)),
            (r#"{"max_output_tokens":7,"x":{"n":9}}"#, (Some(7), 1)),
            (r#"{"max_tokens":1e2,"n":2,"best_of":5}"#, (Some(100), 5)),
            (r#"{"max_tokens":null,"n":null}"#, (None, 1)),
            ("[]", (None, 1)),
        ] {
            assert_eq!(asked(body.as_bytes()), expected, "{body}");
        }
    }
}
