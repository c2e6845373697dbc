//! The grammar of JSON: which token may follow which.
//!
//! Each token and each fault is told in the order of the text; the sink may end the scan with a fault of its
//! own.
//!
//! Not here: where tokens stand (see `tokens`), strings and numbers by themselves (see `lexeme`).

use core::ops::Range;

use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::lexeme::{number_end, string_end};
use crate::json::scan::tokens::Tokens;
use crate::json::sink::{Scalar, Sink};

/// A document under way.
pub(super) struct Grammar<'t, 's, S, T> {
    text: &'t [u8],
    tokens: T,
    sink: &'s mut S,
    depth_max: u32,
    /// The last token.
    at: usize,
    /// Open containers. 0 <= depth <= DEPTH_MAX.
    depth: u32,
    /// A bit for each of them, set for an object; that of the innermost is the lowest.
    objects: u128,
    /// What ended the scan.
    fault: Option<JsonError>,
}

/// The scan has ended with the fault that it holds: handed up in a register, where the fault itself would
/// go through memory for every token.
struct Stopped;

impl<'t, 's, S: Sink, T: Tokens> Grammar<'t, 's, S, T> {
    /// Before the first token.
    #[inline(always)]
    pub(super) const fn new(text: &'t [u8], tokens: T, depth_max: u32, sink: &'s mut S) -> Self {
        Self {
            text,
            tokens,
            sink,
            depth_max,
            at: 0,
            depth: 0,
            objects: 0,
            fault: None,
        }
    }

    /// Reads the document.
    ///
    /// # Errors
    /// The first fault, or the sink's own.
    #[inline(always)]
    pub(super) fn document(mut self) -> Result<(), JsonError> {
        match (self.run(), self.fault) {
            (Err(Stopped), Some(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// What the grammar allows next is told by the place in the code, not by a state that is looked up for
    /// each token (saves a ninth of the instructions of `json/peek-1k`).
    #[inline(always)]
    fn run(&mut self) -> Result<(), Stopped> {
        let Some(first) = self.next_byte() else {
            return Err(self.fault(JsonErrorKind::Empty));
        };
        let mut byte = first;
        loop {
            // A value begins with `byte`. An object or array that is not empty goes on with what
            // it holds.
            match byte {
                b'{' => {
                    self.open(true)?;
                    byte = self.some_byte()?;
                    if byte != b'}' {
                        byte = self.member(byte)?;
                        continue;
                    }
                    self.close()?;
                }
                b'[' => {
                    self.open(false)?;
                    byte = self.some_byte()?;
                    if byte != b']' {
                        continue;
                    }
                    self.close()?;
                }
                _ => self.scalar(byte)?,
            }
            match self.behind_value()? {
                Some(next) => byte = next,
                None => return Ok(()),
            }
        }
    }

    /// Closes what ends behind a value. The byte that the next one begins with, or nothing at the
    /// end of the document.
    #[inline(always)]
    fn behind_value(&mut self) -> Result<Option<u8>, Stopped> {
        while self.depth > 0 {
            match (self.some_byte()?, self.objects & 1 == 1) {
                (b',', true) => {
                    let byte = self.some_byte()?;
                    return self.member(byte).map(Some);
                }
                (b',', false) => return self.some_byte().map(Some),
                (b'}', true) | (b']', false) => self.close()?,
                _ => return Err(self.unexpected()),
            }
        }
        match self.next_byte() {
            None => Ok(None),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// Something stands behind a value that may not.
    #[cold]
    fn unexpected(&mut self) -> Stopped {
        self.fault(match (self.depth, self.objects & 1 == 1) {
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
    fn some_byte(&mut self) -> Result<u8, Stopped> {
        match self.next_byte() {
            Some(byte) => Ok(byte),
            None => Err(self.fault(JsonErrorKind::Cut)),
        }
    }

    #[cold]
    fn fault(&mut self, kind: JsonErrorKind) -> Stopped {
        self.stop(JsonError { kind, at: self.at })
    }

    #[cold]
    fn stop(&mut self, error: JsonError) -> Stopped {
        self.fault = Some(error);
        Stopped
    }

    /// The body of the string whose quote is the last token: its span, and whether it holds an escape.
    #[inline(always)]
    fn string(&mut self) -> Result<(Range<usize>, bool), Stopped> {
        let start = self.at + 1;
        match self.tokens.string(start) {
            Some((end, escaped)) => Ok((start..end, escaped)),
            None => Err(self.string_fault(start)),
        }
    }

    #[cold]
    fn string_fault(&mut self, start: usize) -> Stopped {
        match string_end(self.text, start) {
            Err(error) => self.stop(error),
            Ok(_) => self.fault(JsonErrorKind::Cut),
        }
    }

    #[inline(always)]
    fn scalar(&mut self, byte: u8) -> Result<(), Stopped> {
        if byte == b'"' {
            let (span, escaped) = self.string()?;
            let taken = self.sink.scalar(Scalar::String { escaped }, span);
            return taken.map_err(|kind| self.fault(kind));
        }
        let (scalar, end) = self.bare(byte)?;
        let taken = self.sink.scalar(scalar, self.at..end);
        taken.map_err(|kind| self.fault(kind))?;
        if self.tokens.pass(end) {
            return Ok(());
        }
        self.at = end;
        Err(self.unexpected())
    }

    /// A number or a word: what it is, and where it ends.
    fn bare(&mut self, byte: u8) -> Result<(Scalar, usize), Stopped> {
        match byte {
            b'-' | b'0'..=b'9' => match number_end(self.text, self.at) {
                Ok(end) => Ok((Scalar::Number, end)),
                Err(error) => Err(self.stop(error)),
            },
            b't' => self.word(b"true", Scalar::True),
            b'f' => self.word(b"false", Scalar::False),
            b'n' => self.word(b"null", Scalar::Null),
            _ => Err(self.fault(JsonErrorKind::ExpectedValue)),
        }
    }

    fn word(&mut self, word: &[u8], scalar: Scalar) -> Result<(Scalar, usize), Stopped> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            return Ok((scalar, self.at + word.len()));
        }
        Err(if word.starts_with(rest) {
            self.stop(JsonError {
                kind: JsonErrorKind::Cut,
                at: self.text.len(),
            })
        } else {
            self.fault(JsonErrorKind::ExpectedValue)
        })
    }

    #[inline(always)]
    fn open(&mut self, object: bool) -> Result<(), Stopped> {
        if self.depth >= self.depth_max {
            return Err(self.fault(JsonErrorKind::Depth));
        }
        let opened = self.sink.open(object, self.at);
        opened.map_err(|kind| self.fault(kind))?;
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        Ok(())
    }

    #[inline(always)]
    fn close(&mut self) -> Result<(), Stopped> {
        self.depth -= 1;
        self.objects >>= 1;
        let end = self.at + 1;
        let closed = self.sink.close(end);
        closed.map_err(|kind| self.stop(JsonError { kind, at: end }))
    }

    /// A name that begins with `byte`, and its colon. The byte that its value begins with.
    #[inline(always)]
    fn member(&mut self, byte: u8) -> Result<u8, Stopped> {
        if byte != b'"' {
            return Err(self.fault(JsonErrorKind::ExpectedName));
        }
        let (span, escaped) = self.string()?;
        let taken = self.sink.name(span, escaped);
        taken.map_err(|kind| self.fault(kind))?;
        if self.some_byte()? != b':' {
            return Err(self.fault(JsonErrorKind::ExpectedColon));
        }
        self.some_byte()
    }
}
