//! What a watcher of a stream makes of one event.

use core::ops::Range;
use std::sync::OnceLock;

use memchr::memmem::Finder;

use crate::chat::error::ErrorFacts;
use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::lexeme::string_end;
use crate::json::raw::Raw;
use crate::json::template::{Template, span_in};
use crate::limits::{IDLE_FRAME_BYTES, LOGGED_ID_BYTES_MAX};

/// What an event was.
#[derive(Debug)]
pub enum EventKind {
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

/// A member's name, quotes included, that is looked for as bytes. Looking is prepared once for all:
/// that costs more than the search through an event.
#[derive(Debug)]
pub struct MemberFinder {
    bytes: &'static [u8],
    finder: OnceLock<Finder<'static>>,
}

impl MemberFinder {
    /// The name that these bytes spell.
    #[must_use]
    pub const fn new(bytes: &'static [u8]) -> Self {
        Self {
            bytes,
            finder: OnceLock::new(),
        }
    }

    /// Count of its bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where it stands first, as a name or as a value.
    #[must_use]
    pub fn find(&self, data: &[u8]) -> Option<usize> {
        let finder = self.finder.get_or_init(|| Finder::new(self.bytes));
        finder.find(data)
    }

    /// The bytes behind it and its colon: where its value starts.
    #[must_use]
    pub fn value_in<'d>(&self, data: &'d [u8]) -> Option<&'d [u8]> {
        let mut rest = data;
        loop {
            let found = self.find(rest)?;
            rest = rest.get(found + self.len()..)?;
            let value = rest.trim_ascii_start();
            if let Some(value) = value.strip_prefix(b":") {
                return Some(value.trim_ascii_start());
            }
        }
    }
}

static MODEL: MemberFinder = MemberFinder::new(b"\"model\"");

/// Whether a value starts a string that holds something.
#[must_use]
pub fn is_filled(value: &[u8]) -> bool {
    matches!(value, [b'"', byte, ..] if *byte != b'"')
}

/// Whether as many containers begin among these bytes as end: what was cut at a brace is told by it.
/// Braces in a text may make it say no of what is whole.
#[must_use]
pub fn is_closed(data: &[u8]) -> bool {
    let pairs = |open: u8, close: u8| {
        let sum = data.iter().fold(0i32, |sum, &byte| {
            sum.wrapping_add(i32::from(byte == open) - i32::from(byte == close))
        });
        sum == 0
    };
    pairs(b'{', b'}') && pairs(b'[', b']')
}

/// The model that a stream names.
#[derive(Debug, Default)]
pub struct AnsweringModel {
    model: Option<Box<str>>,
    /// Events that were looked at. 0 <= looks <= [`LOOKS_MAX`].
    looks: u8,
}

impl AnsweringModel {
    /// Looks for `"model"` among an event's bytes, in the first few events until one has it.
    pub fn look(&mut self, data: &[u8]) {
        if self.model.is_some() || self.looks == LOOKS_MAX {
            return;
        }
        self.looks += 1;
        let value = MODEL.value_in(data);
        let value = value.and_then(|value| string_span(data, value).ok().flatten());
        if let Some(span) = value {
            self.keep(Raw::from_checked(data.get(span).unwrap_or_default()));
        }
    }

    /// Keeps a name that was read, the first one that is not empty.
    pub fn keep(&mut self, model: Raw<'_>) {
        if self.model.is_none() && !model.is_empty() {
            self.model = Some(model.decode_start(LOGGED_ID_BYTES_MAX).into());
        }
    }

    /// The name, cut to what is logged.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }
}

/// Some providers open with a chunk that names nothing; further back nobody begins to.
const LOOKS_MAX: u8 = 8;

/// The delta before, so that one like it is known at once.
#[derive(Debug, Default)]
pub struct LastDelta {
    template: Template,
    /// Which of the template's strings is the text.
    place: usize,
}

impl LastDelta {
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
