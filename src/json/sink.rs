//! What a scan tells of a document.

use core::ops::Range;

use crate::json::error::JsonErrorKind;

/// What a scalar is. Strings are reported without their quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string; `escaped` when it holds a backslash.
    String {
        /// Whether the body holds an escape.
        escaped: bool,
    },
    /// A number.
    Number,
    /// `true`
    True,
    /// `false`
    False,
    /// `null`
    Null,
}

/// Receives the parts of a document in order. An error from the sink ends the scan.
pub trait Sink {
    /// A member name of an object; `span` lies between the quotes.
    fn name(&mut self, span: Range<usize>, escaped: bool) -> Result<(), JsonErrorKind>;
    /// A scalar value.
    fn scalar(&mut self, scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind>;
    /// `{` or `[` at this offset. Whether what the container holds is to be told: if not, it is checked all
    /// the same, and its end comes next.
    fn open(&mut self, object: bool, at: usize) -> Result<bool, JsonErrorKind>;
    /// The matching `}` or `]`; `end` is the offset behind it.
    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind>;
}
