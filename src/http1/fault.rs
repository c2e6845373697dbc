//! What can be wrong with a head, and which status says so.

/// Why a head is refused. After any of these the connection is not read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadFault {
    /// More than one empty line before the request line.
    EmptyLines,
    /// A line that ends in a bare LF, or a CR that no LF follows.
    LineEnd,
    /// Not `method SP target SP version`.
    RequestLine,
    /// Not `version SP status SP reason`.
    StatusLine,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    Version,
    /// CONNECT: tunnels are not spoken.
    Connect,
    /// Bytes outside 0x21-0x7E, a fragment, or no form that the method allows.
    Target,
    /// The target is longer than its limit.
    TargetTooLong,
    /// The head is longer than its limit.
    HeadTooLarge,
    /// More fields than the limit.
    TooManyFields,
    /// A field name longer than its limit.
    NameTooLong,
    /// A field value longer than its limit.
    ValueTooLong,
    /// An empty field name, one with a byte that is none of a token's, or a folded line.
    FieldName,
    /// A control byte in a field value.
    FieldValue,
    /// HTTP/1.1 without Host.
    HostMissing,
    /// More than one Host.
    HostRepeated,
    /// Host is not one host with an optional port.
    HostMalformed,
    /// Content-Length is not one plain decimal.
    Length,
    /// More than one Content-Length.
    LengthRepeated,
    /// Content-Length beside Transfer-Encoding.
    LengthAndEncoding,
    /// Transfer-Encoding is not exactly `chunked`.
    TransferEncoding,
    /// Transfer-Encoding in HTTP/1.0.
    TransferEncodingIn10,
    /// An expectation other than `100-continue`.
    Expectation,
    /// A status outside 100-599.
    Status,
    /// 101: nothing asked for another protocol.
    SwitchingProtocols,
    /// A 1xx answer that claims a body.
    InterimBody,
}

impl HeadFault {
    /// The status for the client whose request head has this fault. A response head with any fault
    /// is a 502, whatever this says.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Version => 505,
            Self::Connect => 405,
            Self::TargetTooLong => 414,
            Self::HeadTooLarge | Self::TooManyFields | Self::NameTooLong | Self::ValueTooLong => {
                431
            }
            Self::Expectation => 417,
            Self::StatusLine | Self::Status | Self::SwitchingProtocols | Self::InterimBody => 502,
            Self::EmptyLines
            | Self::LineEnd
            | Self::RequestLine
            | Self::Target
            | Self::FieldName
            | Self::FieldValue
            | Self::HostMissing
            | Self::HostRepeated
            | Self::HostMalformed
            | Self::Length
            | Self::LengthRepeated
            | Self::LengthAndEncoding
            | Self::TransferEncoding
            | Self::TransferEncodingIn10 => 400,
        }
    }

    /// What was expected or found, as a fixed text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::EmptyLines => "expected a request line, found empty lines",
            Self::LineEnd => "expected lines that end in CRLF",
            Self::RequestLine => "malformed request line",
            Self::StatusLine => "malformed status line",
            Self::Version => "expected HTTP/1.0 or HTTP/1.1",
            Self::Connect => "CONNECT is not supported",
            Self::Target => "malformed request target",
            Self::TargetTooLong => "request target too long",
            Self::HeadTooLarge => "header section too large",
            Self::TooManyFields => "too many header fields",
            Self::NameTooLong => "header field name too long",
            Self::ValueTooLong => "header field value too long",
            Self::FieldName => "malformed header field name",
            Self::FieldValue => "control byte in a header field value",
            Self::HostMissing => "missing Host header",
            Self::HostRepeated => "repeated Host header",
            Self::HostMalformed => "malformed Host header",
            Self::Length => "malformed Content-Length",
            Self::LengthRepeated => "repeated Content-Length",
            Self::LengthAndEncoding => "both Content-Length and Transfer-Encoding",
            Self::TransferEncoding => "expected Transfer-Encoding to be chunked",
            Self::TransferEncodingIn10 => "Transfer-Encoding in HTTP/1.0",
            Self::Expectation => "expected no expectation but 100-continue",
            Self::Status => "status outside 100-599",
            Self::SwitchingProtocols => "unexpected switch of protocols",
            Self::InterimBody => "interim response with a body",
        }
    }
}

impl core::fmt::Display for HeadFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for HeadFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_words_of_its_own_and_a_status() {
        use HeadFault as F;
        let by_status: [(u16, &[F]); 7] = [
            (
                400,
                &[
                    F::EmptyLines,
                    F::LineEnd,
                    F::RequestLine,
                    F::Target,
                    F::FieldName,
                    F::FieldValue,
                    F::HostMissing,
                    F::HostRepeated,
                    F::HostMalformed,
                    F::Length,
                    F::LengthRepeated,
                    F::LengthAndEncoding,
                    F::TransferEncoding,
                    F::TransferEncodingIn10,
                ],
            ),
            (405, &[F::Connect]),
            (414, &[F::TargetTooLong]),
            (417, &[F::Expectation]),
            (
                431,
                &[
                    F::HeadTooLarge,
                    F::TooManyFields,
                    F::NameTooLong,
                    F::ValueTooLong,
                ],
            ),
            (
                502,
                &[
                    F::StatusLine,
                    F::Status,
                    F::SwitchingProtocols,
                    F::InterimBody,
                ],
            ),
            (505, &[F::Version]),
        ];
        let mut texts = Vec::new();
        for (status, faults) in by_status {
            for fault in faults {
                assert_eq!(fault.status(), status, "{fault:?}");
                texts.push(fault.to_string());
            }
        }
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 26);
    }
}
