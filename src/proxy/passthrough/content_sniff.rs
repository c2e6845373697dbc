//! What a relayed body is: by its content type, and by its first bytes where that is not enough.
//!
//! No rule that goes by a body's model is got past by a label: what a provider could read as a JSON
//! object is looked into like one, whatever it is called.

use core::future::poll_fn;
use core::task::Poll;

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::body::{BodyDecoder, BodyLimits};
use crate::http1::head::RequestHead;
use crate::limits::Limits;
use crate::proxy::client::downstream::{Client, Interrupt};
use crate::proxy::client::ingress::{self, BodyEnd};
use crate::wire::peek::fault::PeekFault;
use crate::wire::peek::multipart::{Finder, FormFault};

/// What a head says of the body.
#[derive(Debug)]
pub enum Label {
    /// JSON.
    Json,
    /// A form in the URL's encoding. `curl -d` says so of its JSON.
    Encoded,
    /// A form in parts, which can be read on its way.
    Form(Finder),
    /// A form in parts without a boundary that could be used.
    BrokenForm,
    /// Nothing at all.
    Unnamed,
    /// Anything else.
    Other,
}

impl Label {
    /// The label of the body behind `head`; nothing if it has several.
    #[must_use]
    pub fn of(head: &RequestHead, buf: &[u8]) -> Option<Self> {
        let mut values = head.fields.values(buf, "content-type");
        let Some(value) = values.next() else {
            return Some(Self::Unnamed);
        };
        if values.next().is_some() {
            return None;
        }
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let media = value.get(..end).unwrap_or_default().trim_ascii();
        Some(match media.to_ascii_lowercase().as_slice() {
            b"" => Self::Unnamed,
            b"application/json" => Self::Json,
            b"application/x-www-form-urlencoded" => Self::Encoded,
            b"multipart/form-data" => Finder::new(value).map_or(Self::BrokenForm, Self::Form),
            other if other.ends_with(b"+json") => Self::Json,
            _ => Self::Other,
        })
    }

    /// Whether a provider that goes by this label could read something else in a body that was read
    /// as JSON: a form, or the same bytes as other characters.
    #[must_use]
    pub fn misleads(&self, head: &RequestHead, buf: &[u8]) -> bool {
        match self {
            Self::Encoded => true,
            Self::Json | Self::Unnamed | Self::Other => {
                let value = head.field(buf, "content-type").unwrap_or_default();
                value
                    .split(|&byte| byte == b';')
                    .skip(1)
                    .any(is_other_charset)
            }
            Self::Form(_) | Self::BrokenForm => false,
        }
    }

    /// Whether the body's first bytes decide what is done with it: a provider may read JSON under
    /// any label that is none of another form.
    #[must_use]
    pub const fn is_doubtful(&self) -> bool {
        match self {
            Self::Unnamed | Self::Other => true,
            Self::Json | Self::Encoded | Self::Form(_) | Self::BrokenForm => false,
        }
    }
}

/// Whether a parameter of a content type names characters, and not plainly those of JSON.
fn is_other_charset(parameter: &[u8]) -> bool {
    let parameter = parameter.trim_ascii().to_ascii_lowercase();
    let of_json: [&[u8]; 3] = [b"charset=utf-8", b"charset=\"utf-8\"", b"charset=utf8"];
    parameter.starts_with(b"charset") && !of_json.contains(&&*parameter)
}

/// The refusal of a body with several content types.
#[must_use]
pub fn two_labels() -> Rejection {
    let message = "more than one content-type; send one";
    Rejection::new(ErrorKind::InvalidRequest, message, "content_type")
}

/// The refusal of a form in which a key that may use some models alone could hide one.
#[must_use]
pub fn unreadable_form() -> Rejection {
    let message = FormFault::Malformed.text();
    Rejection::new(ErrorKind::InvalidRequest, message, "bad_form")
}

/// The refusal of an encoded form from such a key.
#[must_use]
pub fn encoded_form() -> Rejection {
    let message = "this key may use some models alone; send the body as JSON or as \
                   multipart/form-data, where its model can be seen";
    Rejection::new(ErrorKind::InvalidRequest, message, "encoded_form").with_status(415)
}

/// The refusal of JSON that is too long to be held and whose provider its head does not name.
#[must_use]
pub fn too_long_to_read() -> Rejection {
    let message = "request body: larger than the limit for JSON that is looked into; name its \
                   provider in `x-ringway-provider`, and it is relayed unread";
    Rejection::new(ErrorKind::TooLarge, message, "body_too_large")
}

/// The refusal of JSON that is nested too deeply to be looked into, from where its model would
/// decide.
#[must_use]
pub fn too_deep_to_read(fault: &PeekFault) -> Rejection {
    let message =
        format!("{fault}; name its provider in `x-ringway-provider`, and it is relayed unread");
    Rejection::new(ErrorKind::InvalidRequest, message, "bad_body")
}

/// Waits for the first bytes of a body and says whether it may be a JSON object. What was read
/// stays where it is; a client that waits for a word before it sends has been given it.
///
/// # Errors
/// The body does not come, or is framed wrongly.
pub async fn begins_like_json(
    client: &mut Client,
    body_at: usize,
    head: &mut RequestHead,
    limits: &Limits,
) -> Result<bool, BodyEnd> {
    let bounds = BodyLimits::new(limits.relay_body_bytes_max, limits);
    let mut decoder = BodyDecoder::new(head.framing, &bounds).map_err(BodyEnd::Fault)?;
    let mut start = Start::default();
    let mut at = body_at;
    client.deadline.set_in(limits.body_stall_timeout_ms);
    loop {
        while let Some(payload) = decoder
            .payload(&client.input, &mut at)
            .map_err(BodyEnd::Fault)?
        {
            if let Some(verdict) = start.push(payload) {
                return Ok(verdict);
            }
        }
        if decoder.is_done() {
            return Ok(false);
        }
        if core::mem::take(&mut head.expect_continue) {
            ingress::send_continue(client, limits).await?;
            client.deadline.set_in(limits.body_stall_timeout_ms);
        }
        read_more(client).await?;
    }
}

/// Whether a body that is there may be a JSON object.
#[must_use]
pub fn is_like_json(body: &[u8]) -> bool {
    Start::default().push(body) == Some(true)
}

async fn read_more(client: &mut Client) -> Result<(), BodyEnd> {
    poll_fn(|cx| {
        if let Poll::Ready(read) = client.stream.reader.poll_read(cx, &mut client.input) {
            return Poll::Ready(match read {
                Ok(0) | Err(_) => Err(BodyEnd::Gone),
                Ok(_) => Ok(()),
            });
        }
        client.poll_expired(cx).map(|interrupt| match interrupt {
            Interrupt::Expired => Err(BodyEnd::TooSlow),
            Interrupt::Gone | Interrupt::Cut => Err(BodyEnd::Gone),
        })
    })
    .await
}

/// How far the beginning of a body was looked at.
#[derive(Debug, Default)]
struct Start {
    skipped: usize,
}

impl Start {
    /// The verdict, once the first byte is there that can stand before no object in any encoding
    /// that JSON is read in: blanks, byte order marks and the noughts of wide characters are passed
    /// over. A body that begins with nothing else for long is looked into, to be sure.
    fn push(&mut self, payload: &[u8]) -> Option<bool> {
        let passed = |byte: &u8| {
            matches!(
                byte,
                b' ' | b'\t' | b'\n' | b'\r' | 0 | 0xEF | 0xBB | 0xBF | 0xFE | 0xFF
            )
        };
        match payload.iter().find(|byte| !passed(byte)) {
            Some(first) => Some(*first == b'{'),
            None => {
                self.skipped += payload.len();
                (self.skipped > SKIPPED_BYTES_MAX).then_some(true)
            }
        }
    }
}

/// Bytes without meaning before which a body is not taken for anything but JSON.
const SKIPPED_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_read_as_an_object_is_like_json_and_files_are_not() {
        let wide: Vec<u8> = "{\"a\":1}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let wide_big: Vec<u8> = " {}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for body in [
            &b"{}"[..],
            b" \r\n\t{",
            b"\xEF\xBB\xBF{",
            b"\xFF\xFE{\0",
            &wide,
            &wide_big,
        ] {
            assert!(is_like_json(body), "{body:?}");
        }
        for body in [
            &b""[..],
            b"  ",
            b"[{}]",
            b"\"{\"",
            b"\x89PNG\r\n",
            b"\xFF\xD8\xFF\xE0{",
            b"\xFF\xFB\x90{",
            b"\0\0\0\x18ftyp{",
            b"RIFF{",
            b"ID3{",
            b"--XyZ\r\n{",
            b"%PDF-{",
            b"a=b&model={",
        ] {
            assert!(!is_like_json(body), "{body:?}");
        }
    }

    #[test]
    fn the_verdict_is_the_same_for_every_cut_and_long_emptiness_is_looked_into() {
        let body = b" \xEF\xBB\xBF\n {\"a\":1}";
        for cut in 0..body.len() {
            let mut start = Start::default();
            let (head, tail) = body.split_at(cut);
            assert_eq!(start.push(head).or_else(|| start.push(tail)), Some(true));
        }
        let mut start = Start::default();
        assert_eq!(start.push(&[b' '; SKIPPED_BYTES_MAX]), None);
        assert_eq!(start.push(b" "), Some(true));
    }
}
