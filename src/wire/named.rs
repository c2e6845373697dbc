//! The models that a JSON body names, wherever they stand in it.
//!
//! Some bodies name models below their outermost object: the requests of a batch, the tools of a
//! response, lists of fallbacks. [`first_forbidden`] judges every string that a member called
//! `model` or `models` holds, itself or in a list, at any depth and however its name is spelt.
//!
//! Not here: which of them routes the request (see `peek`).

use core::ops::Range;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::raw::Raw;
use crate::json::scan::{self, Scalar, Sink};
use crate::limits::Limits;

/// The first model in the document that is not allowed, unescaped.
///
/// # Errors
/// The document's own fault.
pub fn first_forbidden(
    body: &[u8],
    limits: &Limits,
    allows: &dyn Fn(&str) -> bool,
) -> Result<Option<String>, JsonError> {
    let mut judge = Judge {
        body,
        allows,
        named: false,
        forbidden: None,
    };
    scan::document(body, limits.json_depth_max, &mut judge)?;
    Ok(judge.forbidden)
}

struct Judge<'b> {
    body: &'b [u8],
    allows: &'b dyn Fn(&str) -> bool,
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
        self.named = name.is("model") || name.is("models");
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

    fn open(&mut self, object: bool, _at: usize) -> Result<(), JsonErrorKind> {
        self.named &= !object;
        Ok(())
    }

    fn close(&mut self, _end: usize) -> Result<(), JsonErrorKind> {
        self.named = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::first_forbidden;
    use crate::limits::Limits;

    fn check(body: &str, expected: Option<&str>) {
        let allows = |model: &str| model == "mine";
        let found = first_forbidden(body.as_bytes(), &Limits::default(), &allows);
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
    fn a_broken_document_is_a_fault_whatever_it_names() {
        let allows = |_: &str| true;
        assert!(first_forbidden(br#"{"model":"a""#, &Limits::default(), &allows).is_err());
        assert!(first_forbidden(b"{}{}", &Limits::default(), &allows).is_err());
    }
}
