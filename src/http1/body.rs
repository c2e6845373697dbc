//! Takes the framing off a body: bytes in, payload slices out.
//!
//! [`BodyDecoder::payload`] accepts input cut at any place and lends out payload that borrows from
//! it; nothing is copied and nothing is kept but a few counters. [`BodyDecoder::decode_in_place`]
//! does the same inside a growing buffer, for bodies that must lie in one piece.
//!
//! Invariants:
//! - the same payload, end and fault come out for every way of cutting the same input;
//! - a body that stops early is never done;
//! - at most `bytes_max` bytes are taken, chunk framing counted in, and at most
//!   `overhead_bytes_max` of chunk extensions and trailers.
//!
//! Not here: timeouts, and which framing a head declares (see `framing`).

use crate::http1::framing::BodyFraming;
use crate::http1::grammar;
use crate::limits::Limits;

/// The bounds of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes in all, chunk framing included.
    pub bytes_max: u64,
    /// Bytes of chunk extensions and trailers.
    pub overhead_bytes_max: u64,
}

impl BodyLimits {
    /// `bytes_max` bytes, with the chunk overhead that `limits` allows.
    #[must_use]
    pub const fn new(bytes_max: u64, limits: &Limits) -> Self {
        Self {
            bytes_max,
            overhead_bytes_max: limits.chunk_overhead_bytes_max as u64,
        }
    }

    /// Any length, for answers that are passed on as they come.
    #[must_use]
    pub const fn endless(limits: &Limits) -> Self {
        Self::new(u64::MAX, limits)
    }
}

/// Why a body is refused. The connection is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyFault {
    /// A chunk size that is not 1-16 hex digits.
    ChunkSize,
    /// A control byte in a chunk extension.
    Extension,
    /// A CR without LF, or chunk data that no CRLF follows.
    LineEnd,
    /// A trailer line that is no field.
    Trailer,
    /// More chunk extensions and trailers than the limit.
    Overhead,
    /// More bytes than the limit, declared or sent.
    TooLarge,
}

impl BodyFault {
    /// The status for the client whose request body has this fault. In an answer it is a 502.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ChunkSize | Self::Extension | Self::LineEnd | Self::Trailer | Self::Overhead => {
                400
            }
            Self::TooLarge => 413,
        }
    }

    /// What was expected or found, as a fixed text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ChunkSize => "malformed chunk size",
            Self::Extension => "control byte in a chunk extension",
            Self::LineEnd => "expected CRLF in the chunked framing",
            Self::Trailer => "malformed trailer field",
            Self::Overhead => "too many chunk extensions and trailers",
            Self::TooLarge => "body too large",
        }
    }
}

impl core::fmt::Display for BodyFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for BodyFault {}

/// What one call took and gave.
struct BodyStep<'a> {
    /// Bytes of the input that are dealt with. Zero only for empty input or a done body.
    consumed: usize,
    /// Payload among them; may be empty. It ends where `consumed` ends.
    payload: &'a [u8],
}

/// How a body stood when the connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyEnd {
    /// All of it came.
    Whole,
    /// Its framing asks for more.
    Cut,
}

/// The state of one body.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: BodyState,
    /// Bytes that may still come, framing included.
    budget: u64,
    /// Bytes of extensions and trailers that may still come.
    overhead: u64,
}

impl BodyDecoder {
    /// A decoder for a body that a head declares.
    ///
    /// # Errors
    /// [`BodyFault::TooLarge`] when the declared length is over the limit.
    pub const fn new(framing: BodyFraming, limits: &BodyLimits) -> Result<Self, BodyFault> {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => BodyState::Done,
            BodyFraming::Length(length) if length > limits.bytes_max => {
                return Err(BodyFault::TooLarge);
            }
            BodyFraming::Length(length) => BodyState::Length(length),
            BodyFraming::Chunked => BodyState::Size {
                digits: 0,
                value: 0,
            },
            BodyFraming::UntilClose => BodyState::UntilClose,
        };
        Ok(Self {
            state,
            budget: limits.bytes_max,
            overhead: limits.overhead_bytes_max,
        })
    }

    /// Whether the whole body was seen. What follows it belongs to the next message.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.state, BodyState::Done)
    }

    /// Bytes still to come, where the framing says so beforehand.
    #[must_use]
    pub const fn remaining(&self) -> Option<u64> {
        match self.state {
            BodyState::Length(left) => Some(left),
            BodyState::Done => Some(0),
            _ => None,
        }
    }

    /// The next piece of payload in `buf` behind `at`, which moves to its end; nothing once all of
    /// `buf` is dealt with or the body is done.
    ///
    /// # Errors
    /// The first fault of the framing; the decoder then stays as it is.
    #[inline]
    pub fn payload<'a>(
        &mut self,
        buf: &'a [u8],
        at: &mut usize,
    ) -> Result<Option<&'a [u8]>, BodyFault> {
        while *at < buf.len() && !self.is_done() {
            let step = self.step(buf.get(*at..).unwrap_or_default())?;
            *at += step.consumed;
            if !step.payload.is_empty() {
                return Ok(Some(step.payload));
            }
        }
        Ok(None)
    }

    /// Takes bytes from the start of `input`, up to and with one piece of payload.
    fn step<'a>(&mut self, input: &'a [u8]) -> Result<BodyStep<'a>, BodyFault> {
        let mut consumed = self.skip_plain_frame(input);
        loop {
            let rest = input.get(consumed..).unwrap_or_default();
            let wanted = match self.state {
                BodyState::Length(left) | BodyState::Data(left) => left,
                BodyState::UntilClose => u64::MAX,
                BodyState::Done => 0,
                _ => {
                    let Some(&byte) = rest.first() else {
                        break;
                    };
                    self.spend(1)?;
                    self.state = self.frame(byte)?;
                    consumed += 1;
                    continue;
                }
            };
            let len = rest
                .len()
                .min(usize::try_from(wanted).unwrap_or(usize::MAX));
            let payload = rest.get(..len).unwrap_or_default();
            self.take(len as u64)?;
            consumed += len;
            return Ok(BodyStep { consumed, payload });
        }
        Ok(BodyStep {
            consumed,
            payload: &[],
        })
    }

    /// Decodes what lies behind `decoded` in `buf` and moves the payload together, so that
    /// `buf[..decoded]` is the body so far. When the body is done, what follows it stays behind
    /// `decoded`; until then nothing does. Returns whether the body is done.
    ///
    /// # Errors
    /// The first fault of the framing; `buf` then holds nothing of use.
    pub fn decode_in_place(
        &mut self,
        buf: &mut Vec<u8>,
        decoded: &mut usize,
    ) -> Result<bool, BodyFault> {
        let mut read = *decoded;
        while let Some(len) = self.payload(buf, &mut read)?.map(<[u8]>::len) {
            if read - len != *decoded {
                buf.copy_within(read - len..read, *decoded);
            }
            *decoded += len;
        }
        if read != *decoded {
            buf.copy_within(read.., *decoded);
            buf.truncate(buf.len() - (read - *decoded));
        }
        Ok(self.is_done())
    }

    /// Tells the decoder that the connection has ended cleanly.
    #[must_use]
    pub const fn end_of_input(&mut self) -> BodyEnd {
        match self.state {
            BodyState::UntilClose | BodyState::Done => {
                self.state = BodyState::Done;
                BodyEnd::Whole
            }
            _ => BodyEnd::Cut,
        }
    }

    /// Accounts for `len` bytes of payload.
    fn take(&mut self, len: u64) -> Result<(), BodyFault> {
        match self.state {
            BodyState::Length(left) => {
                self.state = match left.saturating_sub(len) {
                    0 => BodyState::Done,
                    left => BodyState::Length(left),
                };
                Ok(())
            }
            BodyState::Data(left) => {
                self.state = match left.saturating_sub(len) {
                    0 => BodyState::DataCr,
                    left => BodyState::Data(left),
                };
                self.spend(len)
            }
            _ => self.spend(len),
        }
    }

    fn spend(&mut self, len: u64) -> Result<(), BodyFault> {
        self.budget = self.budget.checked_sub(len).ok_or(BodyFault::TooLarge)?;
        Ok(())
    }

    /// Takes what nearly always stands between two chunks in one go: the CRLF behind the one, a
    /// short size, its CRLF. Returns how many bytes that was; none where anything is out of the
    /// ordinary, which is left to [`BodyDecoder::frame`].
    fn skip_plain_frame(&mut self, input: &[u8]) -> usize {
        let line = match (self.state, input) {
            (BodyState::Size { digits: 0, .. }, line) => line,
            (BodyState::DataCr, [b'\r', b'\n', line @ ..]) => line,
            _ => return 0,
        };
        let mut value = 0;
        let mut digits = 0;
        while let Some(&byte) = line.get(digits).filter(|_| digits < PLAIN_SIZE_DIGITS_MAX) {
            let Some(more) = grammar::append_digit(value, byte, 16) else {
                break;
            };
            value = more;
            digits += 1;
        }
        let taken = input.len() - line.len() + digits + 2;
        let left = self.budget.checked_sub(taken as u64);
        match (line.get(digits..digits + 2), left) {
            (Some(b"\r\n"), Some(left)) if 0 < value && value <= left => {
                self.budget = left;
                self.state = BodyState::Data(value);
                taken
            }
            // The CRLF behind a chunk that came by itself.
            _ if line.is_empty() && self.spend(input.len() as u64).is_ok() => {
                self.state = BodyState::Size {
                    digits: 0,
                    value: 0,
                };
                input.len()
            }
            _ => 0,
        }
    }

    /// The state behind one byte of chunk framing.
    fn frame(&mut self, byte: u8) -> Result<BodyState, BodyFault> {
        match self.state {
            BodyState::Size { digits, value } => self.size(digits, value, byte),
            BodyState::Extension { value } => {
                self.spend_overhead()?;
                match byte {
                    b'\r' => Ok(BodyState::SizeLf { value }),
                    0x20..=0x7E | 0x80.. => Ok(BodyState::Extension { value }),
                    _ => Err(BodyFault::Extension),
                }
            }
            BodyState::SizeLf { value } => {
                expect(byte, b'\n', BodyFault::LineEnd)?;
                match value {
                    0 => Ok(BodyState::TrailerStart),
                    size if size > self.budget => Err(BodyFault::TooLarge),
                    size => Ok(BodyState::Data(size)),
                }
            }
            BodyState::DataCr => {
                expect(byte, b'\r', BodyFault::LineEnd).map(|()| BodyState::DataLf)
            }
            BodyState::DataLf => {
                expect(byte, b'\n', BodyFault::LineEnd)?;
                Ok(BodyState::Size {
                    digits: 0,
                    value: 0,
                })
            }
            BodyState::TrailerStart if byte == b'\r' => Ok(BodyState::EndLf),
            BodyState::TrailerStart => self.trailer_name(byte),
            BodyState::TrailerName if byte == b':' => {
                self.spend_overhead()?;
                Ok(BodyState::TrailerValue)
            }
            BodyState::TrailerName => self.trailer_name(byte),
            BodyState::TrailerValue => {
                self.spend_overhead()?;
                match byte {
                    b'\r' => Ok(BodyState::TrailerLf),
                    byte if grammar::is_value_byte(byte) => Ok(BodyState::TrailerValue),
                    _ => Err(BodyFault::Trailer),
                }
            }
            BodyState::TrailerLf => {
                expect(byte, b'\n', BodyFault::Trailer).map(|()| BodyState::TrailerStart)
            }
            BodyState::EndLf => expect(byte, b'\n', BodyFault::LineEnd).map(|()| BodyState::Done),
            state @ (BodyState::Length(_)
            | BodyState::Data(_)
            | BodyState::UntilClose
            | BodyState::Done) => Ok(state),
        }
    }

    fn size(&mut self, digits: u8, value: u64, byte: u8) -> Result<BodyState, BodyFault> {
        match byte {
            b'\r' if digits > 0 => Ok(BodyState::SizeLf { value }),
            b';' if digits > 0 => {
                self.spend_overhead()?;
                Ok(BodyState::Extension { value })
            }
            _ if digits < SIZE_DIGITS_MAX => {
                let value = grammar::append_digit(value, byte, 16).ok_or(BodyFault::ChunkSize)?;
                Ok(BodyState::Size {
                    digits: digits + 1,
                    value,
                })
            }
            _ => Err(BodyFault::ChunkSize),
        }
    }

    fn trailer_name(&mut self, byte: u8) -> Result<BodyState, BodyFault> {
        self.spend_overhead()?;
        if grammar::is_token_byte(byte) {
            Ok(BodyState::TrailerName)
        } else {
            Err(BodyFault::Trailer)
        }
    }

    fn spend_overhead(&mut self) -> Result<(), BodyFault> {
        self.overhead = self.overhead.checked_sub(1).ok_or(BodyFault::Overhead)?;
        Ok(())
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    /// So many bytes of a body with a length.
    Length(u64),
    /// Everything.
    UntilClose,
    /// A chunk size's next digit, or what ends it.
    Size { digits: u8, value: u64 },
    /// The rest of a chunk extension.
    Extension { value: u64 },
    /// The LF behind a chunk size.
    SizeLf { value: u64 },
    /// So many bytes of a chunk.
    Data(u64),
    /// The CR behind a chunk.
    DataCr,
    /// The LF behind a chunk.
    DataLf,
    /// A trailer line or the last empty line.
    TrailerStart,
    /// The rest of a trailer's name.
    TrailerName,
    /// The rest of a trailer's value.
    TrailerValue,
    /// The LF behind a trailer.
    TrailerLf,
    /// The last LF.
    EndLf,
    /// Nothing of this body.
    Done,
}

const fn expect(byte: u8, expected: u8, fault: BodyFault) -> Result<(), BodyFault> {
    if byte == expected { Ok(()) } else { Err(fault) }
}

/// Digits of a size that is taken in one go; `value > 0` means at least one.
const PLAIN_SIZE_DIGITS_MAX: usize = 6;

/// Hex digits of a chunk size: 64 bits.
const SIZE_DIGITS_MAX: u8 = 16;

#[cfg(test)]
mod tests;
