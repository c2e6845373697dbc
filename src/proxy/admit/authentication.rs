//! Whose request this is: the key that a client presents, and where it stands.
//!
//! Keys are taken from `authorization: Bearer`, `x-api-key` and `api-key`, on every path; the
//! configured gateway-key header outranks and silences the three.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::proxy::client::unserved::Unserved;
use core::ops::Range;
use std::rc::Rc;

use crate::http1::head::RequestHead;
use crate::http1::span::Span;
use crate::route::plan::client_key::{ClientKeys, KeyHandle};

/// What a head says about its sender.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    /// The key that is held against the plan.
    pub key: Option<Range<usize>>,
    /// The key that may go to a provider in caller's-key mode; never the gateway's own.
    pub callers: Option<Range<usize>>,
    /// The caller's key came as a Bearer token.
    pub bearer: bool,
}

/// Why a request is refused: with 401, or with 503 where its key cannot be judged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// Two different keys in one request.
    Two,
    /// No key.
    Missing,
    /// A key that is not configured.
    Unknown,
    /// A key whose time has passed.
    Expired,
    /// A key that may be in the store, which has not been read yet.
    Unread,
}

impl KeyFault {
    /// What the client is told: no key, tenant or near miss is named.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Two => "two different API keys in one request; send one",
            Self::Missing => "missing API key; send it as `Authorization: Bearer` or `x-api-key`",
            Self::Unknown | Self::Expired => "invalid API key",
            Self::Unread => "API keys cannot be looked up yet; retry later",
        }
    }

    /// A word for the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Two | Self::Missing | Self::Unknown => "key",
            Self::Expired => "key_expired",
            Self::Unread => "keys_unread",
        }
    }
}

impl From<KeyFault> for Unserved {
    fn from(fault: KeyFault) -> Self {
        let (text, word) = (fault.text(), fault.word());
        Self::Rejected(match fault {
            KeyFault::Unread => Rejection::new(ErrorKind::Overloaded, text, word).try_again(),
            KeyFault::Two | KeyFault::Missing | KeyFault::Unknown | KeyFault::Expired => {
                Rejection::new(ErrorKind::Authentication, text, word)
                    .with_fields(b"www-authenticate: Bearer\r\n".as_slice())
            }
        })
    }
}

/// Finds the keys of a request.
///
/// # Errors
/// [`KeyFault::Two`]
pub fn presented(
    head: &RequestHead,
    buf: &[u8],
    gateway_header: Option<&str>,
) -> Result<Presented, KeyFault> {
    if let Some(name) = gateway_header
        && let Some(value) = one(head, buf, name)?
    {
        let key = bearer_token(value).unwrap_or(value);
        return Ok(Presented {
            key: span(buf, key),
            callers: None,
            bearer: false,
        });
    }
    let authorization = one(head, buf, "authorization")?.and_then(bearer_token);
    let carriers = [
        authorization,
        one(head, buf, "x-api-key")?,
        one(head, buf, "api-key")?,
    ];
    let mut found: Option<&[u8]> = None;
    for key in carriers.into_iter().flatten().filter(|key| !key.is_empty()) {
        match found {
            Some(known) if known != key => return Err(KeyFault::Two),
            _ => found = Some(key),
        }
    }
    let key = found.and_then(|key| span(buf, key));
    let bearer = authorization.is_some();
    Ok(Presented {
        key: key.clone(),
        callers: key,
        bearer,
    })
}

/// Holds the presented key against the table. An open gateway knows no keys. The clock is asked only
/// for a key that has an end.
///
/// # Errors
/// Why the request is refused.
pub fn authorise(
    keys: &Rc<ClientKeys>,
    presented: &mut Presented,
    buf: &[u8],
    unix_ms: impl FnOnce() -> u64,
) -> Result<Option<KeyHandle>, KeyFault> {
    if keys.is_open() {
        return Ok(None);
    }
    // With client keys configured, what is presented is a key of ours: it goes nowhere else.
    presented.callers = None;
    let text = presented.key.clone().and_then(|range| buf.get(range));
    // The look-up is made in any case, so that a missing key costs what a wrong one does.
    let key = keys.handle(text.unwrap_or_default());
    match (text, key) {
        (None, _) => Err(KeyFault::Missing),
        (Some(_), None) if keys.is_unread() => Err(KeyFault::Unread),
        (Some(_), None) => Err(KeyFault::Unknown),
        (Some(_), Some(key)) => match key.expires_ms {
            Some(end) if end <= unix_ms() => Err(KeyFault::Expired),
            _ => Ok(Some(key)),
        },
    }
}

/// The value of a field that may stand several times with one value.
fn one<'b>(head: &RequestHead, buf: &'b [u8], name: &str) -> Result<Option<&'b [u8]>, KeyFault> {
    let mut values = head.fields.values(buf, name);
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.any(|value| value != first) {
        return Err(KeyFault::Two);
    }
    Ok(Some(first))
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

fn span(buf: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let span = Span::within(buf, part);
    (!span.is_empty()).then(|| span.range())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::head::{HeadLimits, parse_request};
    use crate::limits::Limits;

    fn present(fields: &str, gateway: Option<&str>) -> Result<(String, String, bool), KeyFault> {
        let text = format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
        let mut head = RequestHead::new();
        let limits = HeadLimits::of_request(&Limits::default());
        parse_request(text.as_bytes(), 0, &limits, &mut head).unwrap();
        let found = presented(&head, text.as_bytes(), gateway)?;
        let show =
            |range: Option<Range<usize>>| range.and_then(|r| text.get(r)).unwrap_or("").to_owned();
        Ok((show(found.key), show(found.callers), found.bearer))
    }

    #[test]
    fn ni2_k5_keys_are_found_in_every_carrier_and_the_gateway_header_silences_them() {
        let key =
            |key: &str, callers: &str, bearer| Ok((key.to_owned(), callers.to_owned(), bearer));
        assert_eq!(
            present("Authorization: bEaReR  k1\r\n", None),
            key("k1", "k1", true)
        );
        assert_eq!(present("x-api-key: k2\r\n", None), key("k2", "k2", false));
        assert_eq!(
            present("api-key: k3\r\nx-api-key: k3\r\n", None),
            key("k3", "k3", false)
        );
        assert_eq!(
            present("authorization: Basic abc\r\n", None),
            key("", "", false)
        );
        assert_eq!(present("x-api-key: \r\n", None), key("", "", false));
        let both = "authorization: Bearer OPENAI_API_KEY\r\nx-portkey-api-key: pk\r\n";
        assert_eq!(
            present(both, Some("x-portkey-api-key")),
            key("pk", "", false)
        );
        assert_eq!(
            present(both, None),
            key("OPENAI_API_KEY", "OPENAI_API_KEY", true)
        );
    }

    #[test]
    fn p19_two_different_keys_are_refused() {
        for fields in [
            "authorization: Bearer a\r\nx-api-key: b\r\n",
            "x-api-key: a\r\nx-api-key: b\r\n",
            "authorization: Bearer a\r\nauthorization: Bearer b\r\n",
        ] {
            assert_eq!(present(fields, None), Err(KeyFault::Two), "{fields}");
        }
        assert!(present("authorization: Bearer a\r\nx-api-key: a\r\n", None).is_ok());
    }
}
