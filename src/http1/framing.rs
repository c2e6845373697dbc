//! How long a body is: the one decision that smuggling lives on.
//!
//! A head whose body length has more than one possible reading is refused; nothing is guessed,
//! no field overrides another.

use crate::http1::fault::HeadFault;
use crate::http1::fields::FieldTable;
use crate::http1::grammar;
use crate::http1::method::{Method, Version};

/// Where a body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyFraming {
    /// There is none.
    #[default]
    None,
    /// After so many bytes.
    Length(u64),
    /// Where the chunked coding says so.
    Chunked,
    /// Where the connection ends (answers only).
    UntilClose,
}

impl BodyFraming {
    /// Whether no byte of a body follows.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// The framing that a request's fields declare.
pub(super) fn of_request(
    buf: &[u8],
    fields: &FieldTable,
    version: Version,
) -> Result<BodyFraming, HeadFault> {
    Ok(match declared(buf, fields, version)? {
        DeclaredLength::Nothing => BodyFraming::None,
        DeclaredLength::Length(length) => BodyFraming::Length(length),
        DeclaredLength::Chunked => BodyFraming::Chunked,
    })
}

/// The framing of the answer to `method`, and whether the connection may serve again after it.
pub(super) fn of_response(
    buf: &[u8],
    fields: &FieldTable,
    version: Version,
    status: u16,
    method: Method,
) -> Result<(BodyFraming, bool), HeadFault> {
    let declared = declared(buf, fields, version)?;
    let silent = matches!(
        declared,
        DeclaredLength::Nothing | DeclaredLength::Length(0)
    );
    match status {
        100..=199 if silent => Ok((BodyFraming::None, true)),
        100..=199 => Err(HeadFault::InterimBody),
        // A body is forbidden here, so one that is announced may or may not come.
        204 => Ok((BodyFraming::None, silent)),
        304 => Ok((BodyFraming::None, true)),
        _ if method == Method::Head => Ok((BodyFraming::None, true)),
        _ => Ok(match declared {
            DeclaredLength::Nothing => (BodyFraming::UntilClose, false),
            DeclaredLength::Length(length) => (BodyFraming::Length(length), true),
            DeclaredLength::Chunked => (BodyFraming::Chunked, true),
        }),
    }
}

/// Whether the sender keeps the connection open: `close` wins, HTTP/1.0 has to ask.
pub(super) fn keeps_alive(buf: &[u8], fields: &FieldTable, version: Version) -> bool {
    if fields.has_token(buf, "connection", b"close") {
        return false;
    }
    match version {
        Version::Http11 => true,
        Version::Http10 => fields.has_token(buf, "connection", b"keep-alive"),
    }
}

enum DeclaredLength {
    Nothing,
    Length(u64),
    Chunked,
}

fn declared(
    buf: &[u8],
    fields: &FieldTable,
    version: Version,
) -> Result<DeclaredLength, HeadFault> {
    let mut lengths = fields.values(buf, "content-length");
    let mut codings = fields.values(buf, "transfer-encoding");
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(DeclaredLength::Nothing),
        (Some(_), Some(_)) => Err(HeadFault::LengthAndEncoding),
        (None, Some(_)) if version == Version::Http10 => Err(HeadFault::TransferEncodingIn10),
        (None, Some(coding)) => {
            if codings.next().is_none() && coding.eq_ignore_ascii_case(b"chunked") {
                Ok(DeclaredLength::Chunked)
            } else {
                Err(HeadFault::TransferEncoding)
            }
        }
        (Some(_), None) if lengths.next().is_some() => Err(HeadFault::LengthRepeated),
        (Some(length), None) => grammar::decimal(length)
            .map(DeclaredLength::Length)
            .ok_or(HeadFault::Length),
    }
}
