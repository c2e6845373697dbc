//! What a watcher of a stream makes of one event.

use core::ops::Range;

use crate::chat::error::ErrorFacts;
use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::raw::Raw;
use crate::json::scan::string_end;
use crate::json::template::{Template, span_in};
use crate::limits::IDLE_FRAME_BYTES;

/// What an event was.
#[derive(Debug)]
pub enum Seen {
    /// Nothing that the client would show.
    Nothing,
    /// Content, but no delta.
    Content,
    /// A delta: text, thinking or tool arguments.
    Delta,
    /// The wire's own terminator.
    End,
    /// Not JSON.
    Malformed,
    /// The provider reports an error.
    Error(Box<ErrorFacts>),
}

/// The bytes behind `name` (quotes included) and its colon, at or behind `from`: where its value
/// starts. The name is looked for as bytes.
#[must_use]
pub fn value_of<'d>(data: &'d [u8], name: &[u8]) -> Option<&'d [u8]> {
    let mut rest = data;
    loop {
        let found = memchr::memmem::find(rest, name)?;
        rest = rest.get(found + name.len()..)?;
        let value = rest.trim_ascii_start();
        if let Some(value) = value.strip_prefix(b":") {
            return Some(value.trim_ascii_start());
        }
    }
}

/// Whether a value starts a string that holds something.
#[must_use]
pub fn is_filled(value: &[u8]) -> bool {
    matches!(value, [b'"', byte, ..] if *byte != b'"')
}

/// The delta before, so that one like it is known at once.
#[derive(Debug, Default)]
pub struct Before {
    template: Template,
    /// Which of the template's strings is the text.
    place: usize,
}

impl Before {
    /// Whether an event differs from the delta before in its text and padding only.
    #[must_use]
    pub fn is_like(&self, data: &[u8]) -> bool {
        let texts = self.template.read(data);
        let text = texts.and_then(|texts| texts.get(self.place).copied());
        text.is_some_and(|text| !text.is_empty())
    }

    /// Remembers a delta: where its text starts, and where a padding does. False where the text
    /// does not end: the delta was cut.
    pub fn learn(&mut self, data: &[u8], text: &[u8], padding: Option<&[u8]>) -> bool {
        self.template.forget();
        self.place = 0;
        let text = match string_span(data, text) {
            Ok(Some(span)) => span,
            Ok(None) => return true,
            Err(fault) => return fault.kind != JsonErrorKind::Cut,
        };
        match padding.and_then(|value| string_span(data, value).ok().flatten()) {
            None => self.template.learn(data, &[text], IDLE_FRAME_BYTES),
            Some(padding) if padding.start < text.start => {
                self.place = 1;
                self.template
                    .learn(data, &[padding, text], IDLE_FRAME_BYTES);
            }
            Some(padding) => self
                .template
                .learn(data, &[text, padding], IDLE_FRAME_BYTES),
        }
        true
    }
}

/// Where the string that `value` starts lies in `data`; nothing if it starts none.
fn string_span(data: &[u8], value: &[u8]) -> Result<Option<Range<usize>>, JsonError> {
    let Some(body) = value.strip_prefix(b"\"") else {
        return Ok(None);
    };
    let (end, _) = string_end(body, 0)?;
    let text = body.get(..end).unwrap_or_default();
    Ok(span_in(data, Raw::from_checked(text)))
}
