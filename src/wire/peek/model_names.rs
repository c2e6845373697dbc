//! The models that a JSON body names, wherever they stand in it.
//!
//! Some bodies name models below their outermost object: the requests of a batch, the tools of a
//! response, lists of fallbacks. [`first_forbidden`] judges every string that a member called
//! `model`, `models` or `fallbacks` holds, itself or in a list, at any depth and however its name is
//! spelt. Of a chat, what is said in it is passed over: a tool's argument may be called `model` too.
//!
//! Not here: which of them routes the request (see `peek`).

use core::ops::Range;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::raw::Raw;
use crate::json::scan;
use crate::json::sink::{Scalar, Sink};
use crate::limits::Limits;

/// The first model in the document that is not allowed, unescaped. `chat`: the body is a chat's.
///
/// # Errors
/// The document's own fault.
pub fn first_forbidden(
    body: &[u8],
    chat: bool,
    limits: &Limits,
    allows: &dyn Fn(&str) -> bool,
) -> Result<Option<String>, JsonError> {
    let mut judge = Judge {
        body,
        chat,
        allows,
        depth: 0,
        passes_over: false,
        named: false,
        forbidden: None,
    };
    scan::marked_document(body, limits.json_depth_max, &mut judge)?;
    Ok(judge.forbidden)
}

struct Judge<'b> {
    body: &'b [u8],
    chat: bool,
    allows: &'b dyn Fn(&str) -> bool,
    /// Open containers.
    depth: u32,
    /// What comes is the value of a member of a chat that is passed over.
    passes_over: bool,
    /// Strings that come now are models.
    named: bool,
    forbidden: Option<String>,
}

impl Judge<'_> {
    fn text(&self, span: Range<usize>) -> Raw<'_> {
        Raw::from_checked(self.body.get(span).unwrap_or_default())
    }
}

impl Sink for Judge<'_> {
    fn name(&mut self, span: Range<usize>, _escaped: bool) -> Result<(), JsonErrorKind> {
        let name = self.text(span);
        let is_one_of = |names: &[&str]| names.iter().any(|it| name.is(it));
        let passes_over = self.chat
            && match self.depth {
                1 => is_one_of(CHAT_CONTENT),
                TOOL_DEPTH => is_one_of(TOOL_CONTENT),
                _ => false,
            };
        let named = !passes_over && is_one_of(&["model", "models", "fallbacks"]);
        self.passes_over = passes_over;
        self.named = named;
        Ok(())
    }

    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        if self.named && self.forbidden.is_none() && matches!(scalar, Scalar::String { .. }) {
            let model = self.text(span).decode();
            if !(self.allows)(&model) {
                self.forbidden = Some(model);
            }
        }
        Ok(())
    }

    fn open(&mut self, object: bool, _at: usize) -> Result<bool, JsonErrorKind> {
        self.named &= !object;
        self.depth += 1;
        Ok(!self.passes_over)
    }

    fn close(&mut self, _end: usize) -> Result<(), JsonErrorKind> {
        self.named = false;
        self.depth -= 1;
        self.passes_over = false;
        Ok(())
    }
}

/// Members of a chat that hold what is said, promised or labelled: data, on either wire.
const CHAT_CONTENT: &[&str] = &[
    "messages",
    "system",
    "metadata",
    "prediction",
    "response_format",
    "output_config",
    "output_format",
    "functions",
];
/// Members of a tool that describe what the client runs.
const TOOL_CONTENT: &[&str] = &["function", "custom", "input_schema", "input_examples"];
/// Where the members of a tool stand: in an object, in a list, in the outermost object.
const TOOL_DEPTH: u32 = 3;

#[cfg(test)]
mod tests {
    use super::first_forbidden;
    use crate::limits::Limits;

    fn check(body: &str, expected: Option<&str>) {
        let allows = |model: &str| model == "mine";
        let found = first_forbidden(body.as_bytes(), false, &Limits::default(), &allows);
        assert_eq!(found.unwrap().as_deref(), expected, "{body}");
    }

    #[test]
    fn every_model_in_a_body_is_judged_at_any_depth() {
        let batch = r#"{"requests":[{"params":{"model":"mine"}},{"params":{"model":"other"}}]}"#;
        check(batch, Some("other"));
        check(&batch.replace("other", "mine"), None);
        check(r#"{"model":"mine","model":"other"}"#, Some("other"));
        check(
            r#"{"a":{"b":[{"m\u006fdel":"oth\u0065r"}]}}"#,
            Some("other"),
        );
        check(
            r#"{"model":"mine","models":["mine","other"]}"#,
            Some("other"),
        );
        check(r#"{"model":"mine","models":[["other"]]}"#, Some("other"));
        check(r#"{"model":""}"#, Some(""));
    }

    #[test]
    fn what_is_no_model_is_not_judged() {
        check(
            r#"{"model":{"type":"string"},"models":[1,null,{"id":"x"}]}"#,
            None,
        );
        check(r#"{"models":["mine"],"input":["model","other"]}"#, None);
        check(
            r#"{"input":"\"model\":\"other\"","Model":"x","model_":"y"}"#,
            None,
        );
        check("[]", None);
    }

    #[test]
    fn of_a_chat_only_what_the_provider_reads_as_models_is_judged() {
        let check = |member: &str, expected: Option<&str>| {
            let body = format!(r#"{{"model":"mine",{member},"z":1}}"#);
            let allows = |model: &str| model == "mine";
            let found = first_forbidden(body.as_bytes(), true, &Limits::default(), &allows);
            assert_eq!(found.unwrap().as_deref(), expected, "{member}");
        };
        for forbidden in [
            r#""models":["mine","other"]"#,
            r#""mod\u0065ls":["other"]"#,
            r#""fallbacks":["other"]"#,
            r#""fallbacks":[{"model":"other","max_tokens":1}]"#,
            r#""fallbacks":"other""#,
            r#""tools":[{"type":"advisor","model":"other"}]"#,
            r#""tools":[{"function":{"model":"x"},"model":"other"}]"#,
            r#""plugins":[{"id":"fusion","fusion":{"model":"other"}}]"#,
            r#""messages":[{"model":"x"}],"models":["other"]"#,
            r#""metadata":1,"models":["other"]"#,
        ] {
            check(forbidden, Some("other"));
        }
        for data in [
            r#""models":["mine"],"fallbacks":[{"model":"mine"}]"#,
            r#""messages":[{"content":[{"type":"tool_use","input":{"model":"other"}}]}]"#,
            r#""system":[{"model":"other"}],"metadata":{"model":"other"}"#,
            r#""tools":[{"function":{"parameters":{"model":"other"}}},{"input_schema":{"model":"other"}},{"custom":{"model":"other"}}]"#,
            r#""response_format":{"json_schema":{"schema":{"default":{"model":"other"}}}}"#,
            r#""output_config":{"format":{"model":"other"}}"#,
        ] {
            check(data, None);
        }
    }

    #[test]
    fn a_broken_document_is_a_fault_whatever_it_names() {
        let allows = |_: &str| true;
        assert!(first_forbidden(br#"{"model":"a""#, false, &Limits::default(), &allows).is_err());
        assert!(first_forbidden(b"{}{}", false, &Limits::default(), &allows).is_err());
    }
}
