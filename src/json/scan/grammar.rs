//! The grammar of JSON: which token may follow which.
//!
//! Each token and each fault is told in the order of the text; the sink may end the scan with a fault of its
//! own. What a sink does not look into is checked by the same code.
//!
//! Not here: where tokens stand (see `tokens`), strings and numbers by themselves (see `lexeme`).

use core::ops::Range;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::lexeme::{number_end, string_end};
use crate::json::scan::tokens::Tokens;
use crate::json::sink::{Scalar, Sink};

/// A document under way. No function that is compiled by itself takes a pointer to it, so that it is kept
/// in registers.
pub(super) struct Grammar<'t, 'k, T, const DEPTH_MAX: usize> {
    text: &'t [u8],
    tokens: T,
    depth_max: u32,
    /// The last token.
    at: usize,
    /// Open containers. 0 <= depth <= DEPTH_MAX.
    depth: u32,
    /// The innermost of them is an object.
    is_object: bool,
    /// The same of what is around each.
    around: &'k mut [bool; DEPTH_MAX],
    /// What lies deeper is not told to the sink: it does not look into the container around it.
    told_depth_max: u32,
}

impl<'t, 'k, T: Tokens, const DEPTH_MAX: usize> Grammar<'t, 'k, T, DEPTH_MAX> {
    /// Before the first token.
    #[inline(always)]
    pub(super) const fn new(
        text: &'t [u8],
        tokens: T,
        depth_max: u32,
        around: &'k mut [bool; DEPTH_MAX],
    ) -> Self {
        Self {
            text,
            tokens,
            depth_max,
            at: 0,
            depth: 0,
            is_object: false,
            around,
            told_depth_max: u32::MAX,
        }
    }

    /// Reads the document.
    ///
    /// What the grammar allows next is told by the place in the code, not by a state that is looked up for
    /// each token (saves a ninth of the instructions of `json/peek-1k`).
    ///
    /// # Errors
    /// The first fault, or the sink's own.
    #[inline(always)]
    pub(super) fn document<S: Sink>(mut self, sink: &mut S) -> Result<(), JsonError> {
        let Some(first) = self.next_byte() else {
            return Err(self.fault(JsonErrorKind::Empty));
        };
        let mut byte = first;
        loop {
            // A value begins with `byte`. An object or array that is not empty goes on with what
            // it holds.
            match byte {
                b'"' => self.text(sink)?,
                b'{' => {
                    self.open(true, sink)?;
                    byte = self.some_byte()?;
                    if byte != b'}' {
                        byte = self.member(byte, sink)?;
                        continue;
                    }
                    self.close(sink)?;
                }
                b'[' => {
                    self.open(false, sink)?;
                    byte = self.some_byte()?;
                    if byte != b']' {
                        continue;
                    }
                    self.close(sink)?;
                }
                _ => self.bare(byte, sink)?,
            }
            match self.behind_value(sink)? {
                Some(next) => byte = next,
                None => return Ok(()),
            }
        }
    }

    /// Closes what ends behind a value. The byte that the next one begins with, or nothing at the
    /// end of the document.
    #[inline(always)]
    fn behind_value<S: Sink>(&mut self, sink: &mut S) -> Result<Option<u8>, JsonError> {
        while self.depth > 0 {
            match (self.some_byte()?, self.is_object) {
                (b',', true) => {
                    let byte = self.some_byte()?;
                    return self.member(byte, sink).map(Some);
                }
                (b',', false) => return self.some_byte().map(Some),
                (b'}', true) | (b']', false) => self.close(sink)?,
                _ => return Err(self.unexpected()),
            }
        }
        match self.next_byte() {
            None => Ok(None),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// Whether the sink is told what stands here.
    #[inline(always)]
    const fn is_told(&self) -> bool {
        self.depth <= self.told_depth_max
    }

    /// Something stands behind a value that may not.
    #[inline(always)]
    const fn unexpected(&self) -> JsonError {
        self.fault(match (self.depth, self.is_object) {
            (0, _) => JsonErrorKind::Trailing,
            (_, true) => JsonErrorKind::ExpectedCommaOrBrace,
            (_, false) => JsonErrorKind::ExpectedCommaOrBracket,
        })
    }

    /// The next token's first byte; it stands at `at`, which is the text's end where there is none.
    #[inline(always)]
    fn next_byte(&mut self) -> Option<u8> {
        self.at = self.tokens.next().unwrap_or(self.text.len());
        self.text.get(self.at).copied()
    }

    /// The same within a document that goes on.
    #[inline(always)]
    fn some_byte(&mut self) -> Result<u8, JsonError> {
        let byte = self.next_byte();
        byte.ok_or_else(|| self.fault(JsonErrorKind::Cut))
    }

    #[inline(always)]
    const fn fault(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { kind, at: self.at }
    }

    /// The body of the string whose quote is the last token: its span, and whether it holds an escape.
    #[inline(always)]
    fn string(&mut self) -> Result<(Range<usize>, bool), JsonError> {
        let start = self.at + 1;
        match self.tokens.string(start) {
            Some((end, escaped)) => Ok((start..end, escaped)),
            None => Err(string_fault(self.text, start)),
        }
    }

    #[inline(always)]
    fn text<S: Sink>(&mut self, sink: &mut S) -> Result<(), JsonError> {
        let (span, escaped) = self.string()?;
        self.tell_scalar(Scalar::String { escaped }, span, sink)
    }

    #[inline(always)]
    fn bare<S: Sink>(&mut self, byte: u8, sink: &mut S) -> Result<(), JsonError> {
        let (scalar, end) = bare(self.text, self.at, byte)?;
        self.tell_scalar(scalar, self.at..end, sink)?;
        if self.tokens.pass(end) {
            return Ok(());
        }
        self.at = end;
        Err(self.unexpected())
    }

    #[inline(always)]
    fn tell_scalar<S: Sink>(
        &self,
        scalar: Scalar,
        span: Range<usize>,
        sink: &mut S,
    ) -> Result<(), JsonError> {
        if !self.is_told() {
            return Ok(());
        }
        let taken = sink.scalar(scalar, span);
        taken.map_err(|kind| self.fault(kind))
    }

    #[inline(always)]
    fn open<S: Sink>(&mut self, is_object: bool, sink: &mut S) -> Result<(), JsonError> {
        if self.depth >= self.depth_max {
            return Err(self.fault(JsonErrorKind::Depth));
        }
        if self.is_told() {
            let opened = sink.open(is_object, self.at);
            if !opened.map_err(|kind| self.fault(kind))? {
                self.told_depth_max = self.depth;
            }
        }
        *self.around() = core::mem::replace(&mut self.is_object, is_object);
        self.depth += 1;
        Ok(())
    }

    /// What is around the container at this depth.
    #[inline(always)]
    const fn around(&mut self) -> &mut bool {
        // The depth is always less: the compiler cannot see it.
        &mut self.around[self.depth as usize % DEPTH_MAX]
    }

    #[inline(always)]
    fn close<S: Sink>(&mut self, sink: &mut S) -> Result<(), JsonError> {
        self.depth -= 1;
        self.is_object = *self.around();
        if !self.is_told() {
            return Ok(());
        }
        self.told_depth_max = u32::MAX;
        let end = self.at + 1;
        let closed = sink.close(end);
        closed.map_err(|kind| JsonError { kind, at: end })
    }

    /// A name that begins with `byte`, and its colon. The byte that its value begins with.
    #[inline(always)]
    fn member<S: Sink>(&mut self, byte: u8, sink: &mut S) -> Result<u8, JsonError> {
        if byte != b'"' {
            return Err(self.fault(JsonErrorKind::ExpectedName));
        }
        let (span, escaped) = self.string()?;
        if self.is_told() {
            let taken = sink.name(span, escaped);
            taken.map_err(|kind| self.fault(kind))?;
        }
        if self.some_byte()? != b':' {
            return Err(self.fault(JsonErrorKind::ExpectedColon));
        }
        self.some_byte()
    }
}

/// The first fault of the string whose body begins at `start`.
#[cold]
fn string_fault(text: &[u8], start: usize) -> JsonError {
    match string_end(text, start) {
        Err(error) => error,
        Ok(_) => JsonError {
            kind: JsonErrorKind::Cut,
            at: text.len(),
        },
    }
}

/// The number or word at `at`, whose first byte is `byte`: what it is, and where it ends.
fn bare(text: &[u8], at: usize, byte: u8) -> Result<(Scalar, usize), JsonError> {
    match byte {
        b'-' | b'0'..=b'9' => number_end(text, at).map(|end| (Scalar::Number, end)),
        b't' => word(text, at, b"true").map(|end| (Scalar::True, end)),
        b'f' => word(text, at, b"false").map(|end| (Scalar::False, end)),
        b'n' => word(text, at, b"null").map(|end| (Scalar::Null, end)),
        _ => Err(JsonError {
            kind: JsonErrorKind::ExpectedValue,
            at,
        }),
    }
}

#[inline(always)]
fn word(text: &[u8], at: usize, word: &[u8]) -> Result<usize, JsonError> {
    let rest = text.get(at..).unwrap_or_default();
    if rest.starts_with(word) {
        return Ok(at + word.len());
    }
    Err(if word.starts_with(rest) {
        JsonError {
            kind: JsonErrorKind::Cut,
            at: text.len(),
        }
    } else {
        JsonError {
            kind: JsonErrorKind::ExpectedValue,
            at,
        }
    })
}
