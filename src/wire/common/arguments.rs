//! Arguments of a tool call: a string that should hold a JSON object, as the object it holds.
//!
//! Old histories hold calls that a model wrote badly. One such call must not fail a conversation,
//! so what is no object becomes `{"_raw": "<the string>"}`, and the caller is told.

use crate::chat::request::Json;
use crate::json::error::JsonErrorKind;
use crate::json::raw::Raw;
use crate::json::scan;
use crate::json::sink::{Scalar, Sink};
use crate::json::write::Writer;
use crate::limits::ARGUMENTS_DEPTH_MAX;

/// The object that `arguments` holds, and whether it held one.
#[must_use]
pub fn to_object(arguments: Raw<'_>) -> (Json<'_>, bool) {
    if arguments.is_blank() {
        return (Json::Borrowed(b"{}"), true);
    }
    let text = arguments.decode();
    let object = text.trim_ascii();
    if is_object(object.as_bytes()) {
        let is_all = object.len() == text.len();
        let object = match is_all {
            true => text.into_bytes(),
            false => object.as_bytes().to_owned(),
        };
        return (Json::Owned(object), true);
    }
    (wrap("_raw", arguments), false)
}

/// `{"<name>": "<body>"}`
#[must_use]
pub fn wrap<'a>(name: &str, body: Raw<'_>) -> Json<'a> {
    let mut out = Vec::with_capacity(name.len() + body.bytes().len() + 8);
    let mut w = Writer::new(&mut out);
    w.open_object().name(name).raw(body).close_object();
    Json::Owned(out)
}

/// Whether `text` is one JSON object.
#[must_use]
pub fn is_object(text: &[u8]) -> bool {
    text.first() == Some(&b'{') && scan::document(text, ARGUMENTS_DEPTH_MAX, &mut Nothing).is_ok()
}

/// Hears nothing: the grammar alone is asked.
struct Nothing;

impl Sink for Nothing {
    fn name(&mut self, _: core::ops::Range<usize>, _: bool) -> Result<(), JsonErrorKind> {
        Ok(())
    }

    fn scalar(&mut self, _: Scalar, _: core::ops::Range<usize>) -> Result<(), JsonErrorKind> {
        Ok(())
    }

    fn open(&mut self, _: bool, _: usize) -> Result<bool, JsonErrorKind> {
        Ok(false)
    }

    fn close(&mut self, _: usize) -> Result<(), JsonErrorKind> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_become_objects_or_are_kept_as_text() {
        for (body, expected, whole) in [
            ("", "{}", true),
            (r" \n", "{}", true),
            ("{}", "{}", true),
            (r#"{\"a\": 1.50}"#, r#"{"a": 1.50}"#, true),
            (r#"{\"a\":\"\\ud83d\"}"#, r#"{"a":"\ud83d"}"#, true),
            (r#"{\"a\""#, r#"{"_raw":"{\"a\""}"#, false),
            ("[1]", r#"{"_raw":"[1]"}"#, false),
            (r#"\"x\""#, r#"{"_raw":"\"x\""}"#, false),
        ] {
            let (json, ok) = to_object(Raw::from_checked(body.as_bytes()));
            let json = String::from_utf8(json.into_owned()).unwrap();
            assert_eq!((json.as_str(), ok), (expected, whole), "{body}");
        }
    }
}
