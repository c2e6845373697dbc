//! HTTP as text: building messages, and reading heads and bodies without mercy.

use core::fmt::Write as _;

/// A head: its first line and its fields as they came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// How a message's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    /// Reads a head, its empty line included, where `bytes` holds one.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let end = find(bytes, b"\r\n\r\n")?;
        let text = core::str::from_utf8(bytes.get(..end)?).unwrap();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let fields = lines.map(|field| {
            let (name, value) = field.split_once(':').expect("a field has a colon");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        let fields = fields.collect();
        Some((Self { line, fields }, end + 4))
    }

    /// The value of a field that stands at most once.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(values.len() <= 1, "{name} repeated in {self:?}");
        values.first().copied()
    }

    /// All values of a field, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The framing that the fields declare; of both at once, neither.
    pub(crate) fn framing(&self) -> Option<Framing> {
        let length = self.field("content-length");
        match (self.field("transfer-encoding"), length) {
            (Some("chunked"), None) => Some(Framing::Chunked),
            (None, Some(length)) => Some(Framing::Length(length.parse().unwrap())),
            (None, None) => None,
            both => panic!("framing {both:?}"),
        }
    }
}

/// One look at a body: its payload so far, and where it ended, if it did.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) payload: Vec<u8>,
    pub(crate) end: Option<usize>,
}

/// Reads what there is of a body; the framing itself must be flawless.
pub(crate) fn body(bytes: &[u8], framing: Framing) -> Body {
    match framing {
        Framing::None => Body {
            payload: Vec::new(),
            end: Some(0),
        },
        Framing::Length(length) => Body {
            payload: bytes[..length.min(bytes.len())].to_vec(),
            end: (bytes.len() >= length).then_some(length),
        },
        Framing::UntilClose => Body {
            payload: bytes.to_vec(),
            end: None,
        },
        Framing::Chunked => chunks(bytes),
    }
}

fn chunks(bytes: &[u8]) -> Body {
    let mut body = Body::default();
    let mut at = 0;
    while let Some(line) = find(&bytes[at..], b"\r\n") {
        let size = core::str::from_utf8(&bytes[at..at + line]).unwrap();
        let size = usize::from_str_radix(size, 16).expect("a chunk size of ours is bare hex");
        let start = at + line + 2;
        if size == 0 {
            if bytes.len() >= start + 2 {
                assert_eq!(&bytes[start..start + 2], b"\r\n", "trailers were sent on");
                body.end = Some(start + 2);
            }
            return body;
        }
        let there = bytes.len().min(start + size);
        body.payload.extend_from_slice(&bytes[start..there]);
        if bytes.len() < start + size + 2 {
            return body;
        }
        assert_eq!(&bytes[start + size..start + size + 2], b"\r\n");
        at = start + size + 2;
    }
    body
}

/// A request with a body of known length. `fields` are whole lines, each with its CRLF.
pub(crate) fn request(method: &str, target: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: gateway.test\r\n{fields}");
    if !body.is_empty() || method == "POST" {
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A JSON request by POST.
pub(crate) fn post(target: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let fields = format!("content-type: application/json\r\n{fields}");
    request("POST", target, &fields, body)
}

/// An answer with a body of known length.
pub(crate) fn answer(status: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A JSON answer with status 200.
pub(crate) fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", body)
}

/// The head of a chunked stream of events.
pub(crate) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        .to_vec()
}

/// One chunk.
pub(crate) fn chunk(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    let size = format!("{:x}\r\n", data.len());
    [size.as_bytes(), data, b"\r\n"].concat()
}

/// The chunk that ends a body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A whole chunked stream.
pub(crate) fn stream(events: impl AsRef<[u8]>) -> Vec<u8> {
    [stream_head(), chunk(events), LAST_CHUNK.to_vec()].concat()
}

pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|w| w == needle)
}
