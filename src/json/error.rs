//! What can be wrong with a JSON text, and where.

use core::fmt;

/// A fault of the text and the byte offset at which it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Offset of the first byte that could not be accepted.
    pub at: usize,
}

/// The faults that [`crate::json::scan`] tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// No value at all: empty, or blanks only.
    Empty,
    /// The text opens with a byte order mark.
    ByteOrderMark,
    /// Not UTF-8.
    Utf8,
    /// The text ends inside a value.
    Cut,
    /// A value was expected.
    ExpectedValue,
    /// A member name in quotes was expected.
    ExpectedName,
    /// `:` was expected.
    ExpectedColon,
    /// `,` or `}` was expected.
    ExpectedCommaOrBrace,
    /// `,` or `]` was expected.
    ExpectedCommaOrBracket,
    /// A number that the grammar does not allow.
    Number,
    /// A control byte inside a string.
    ControlByte,
    /// A backslash followed by something that is no escape.
    Escape,
    /// More bytes after the one document.
    Trailing,
    /// Nested deeper than the limit.
    Depth,
    /// More values than the limit.
    Values,
    /// The document is no object.
    NotObject,
    /// More members than the limit in the outermost object.
    Members,
}

impl JsonErrorKind {
    /// Whether a limit of ours was met: nothing is said of the text itself.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::Depth | Self::Values | Self::Members)
    }

    /// What was expected, in a few words, for a message to the client.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "expected a JSON object, found nothing",
            Self::ByteOrderMark => "expected a JSON object, found a byte order mark",
            Self::Utf8 => "invalid UTF-8",
            Self::Cut => "the document ends inside a value",
            Self::ExpectedValue => "expected a value",
            Self::ExpectedName => "expected a member name in double quotes",
            Self::ExpectedColon => "expected `:`",
            Self::ExpectedCommaOrBrace => "expected `,` or `}`",
            Self::ExpectedCommaOrBracket => "expected `,` or `]`",
            Self::Number => "malformed number",
            Self::ControlByte => "unescaped control character in a string",
            Self::Escape => "malformed escape in a string",
            Self::Trailing => "expected the end of the body after the JSON object",
            Self::Depth => "nested too deeply",
            Self::Values => "too many values",
            Self::NotObject => "expected a JSON object",
            Self::Members => "too many members in the outermost object",
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.text(), self.at)
    }
}

impl core::error::Error for JsonError {}
