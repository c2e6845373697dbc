//! A client's bytes as requests: heads and bodies one after the other, as a connection reads them.
//!
//! The requests found are the twin's, however the bytes arrive, and nothing is read behind a
//! refusal or a request that closes.

use ringway::http1::body::{BodyDecoder, BodyLimits};
use ringway::http1::framing::BodyFraming;
use ringway::http1::head::{HeadLimits, HeadProgress, RequestHead, parse_request};
use ringway::limits::Limits;

use crate::pieces;
use crate::plain_http::{self, Reading};

/// The bytes of one connection.
pub fn check(input: &[u8]) {
    let limits = Limits {
        head_bytes_max: 512,
        chunk_overhead_bytes_max: 64,
        ..Limits::default()
    };
    let bounds = (
        HeadLimits::of_request(&limits),
        BodyLimits::new(256, &limits),
    );
    let found = pieces::same_in_all_ways(input, |pieces| served(pieces, &bounds));
    let expected = plain(input, &bounds);
    assert_eq!(found.requests, expected.requests);
    let early = expected.end == End::Open && found.end == End::Refused;
    assert!(
        found.end == expected.end || early,
        "{:?}, twin {:?}",
        found.end,
        expected.end
    );
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Served {
    requests: Vec<Request>,
    end: End,
}

/// Method, target, body.
type Request = [Vec<u8>; 3];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// More could come.
    #[default]
    Open,
    /// A fault: the rest is not looked at.
    Refused,
    /// A request said so: the rest is not looked at.
    Closed,
}

type Bounds = (HeadLimits, BodyLimits);

/// The connection as the gateway reads it: one growing buffer, one request at a time.
fn served(pieces: &[&[u8]], bounds: &Bounds) -> Served {
    let mut served = Served::default();
    let mut state = State::default();
    for piece in pieces {
        state.buf.extend_from_slice(piece);
        while served.end == End::Open {
            match state.step(bounds) {
                Ok(None) => break,
                Ok(Some((request, keep_alive))) => {
                    served.requests.push(request);
                    served.end = if keep_alive { End::Open } else { End::Closed };
                }
                Err(()) => served.end = End::Refused,
            }
        }
    }
    served
}

#[derive(Default)]
struct State {
    buf: Vec<u8>,
    scanned: usize,
    open: Option<Open>,
}

/// The request whose body is being read.
struct Open {
    method: Vec<u8>,
    target: Vec<u8>,
    keep_alive: bool,
    body: BodyDecoder,
    /// How much of the buffer is body.
    decoded: usize,
}

impl State {
    /// The next request, and whether another may follow; nothing while it is not whole.
    fn step(&mut self, (heads, bodies): &Bounds) -> Result<Option<(Request, bool)>, ()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                let mut head = RequestHead::new();
                match parse_request(&self.buf, self.scanned, heads, &mut head).map_err(drop)? {
                    HeadProgress::Partial { scanned } => {
                        self.scanned = scanned;
                        return Ok(None);
                    }
                    HeadProgress::Complete { consumed } => {
                        let open = Open {
                            method: head.method_name(&self.buf).to_vec(),
                            target: head.target(&self.buf).to_vec(),
                            keep_alive: head.keep_alive,
                            body: BodyDecoder::new(head.framing, bodies).map_err(drop)?,
                            decoded: 0,
                        };
                        self.buf.drain(..consumed);
                        self.scanned = 0;
                        open
                    }
                }
            }
        };
        let body = &mut open.body;
        if !body
            .decode_in_place(&mut self.buf, &mut open.decoded)
            .map_err(drop)?
        {
            self.open = Some(open);
            return Ok(None);
        }
        let rest = self.buf.split_off(open.decoded);
        let body = std::mem::replace(&mut self.buf, rest);
        Ok(Some(([open.method, open.target, body], open.keep_alive)))
    }
}

/// The same by the twins, over the whole of the bytes.
fn plain(input: &[u8], (heads, bodies): &Bounds) -> Served {
    let mut served = Served::default();
    let mut rest = input;
    while served.end == End::Open {
        let (head, end) = match plain_http::request(rest, heads) {
            Reading::Open => return served,
            Reading::Bad => {
                served.end = End::Refused;
                return served;
            }
            Reading::Whole(head, end) => (head, end),
        };
        rest = &rest[end..];
        let (body, read) = match head.framing {
            BodyFraming::None | BodyFraming::UntilClose => (Vec::new(), Reading::Whole((), 0)),
            BodyFraming::Length(len) if len > bodies.bytes_max => (Vec::new(), Reading::Bad),
            BodyFraming::Length(len) => match rest.get(..usize::try_from(len).unwrap()) {
                Some(body) => (body.to_vec(), Reading::Whole((), body.len())),
                None => (Vec::new(), Reading::Open),
            },
            BodyFraming::Chunked => plain_http::chunked(rest, bodies),
        };
        match read {
            Reading::Open => return served,
            Reading::Bad => served.end = End::Refused,
            Reading::Whole((), end) => {
                rest = &rest[end..];
                let [method, target, _] = head.start;
                served.requests.push([method, target, body]);
                if !head.keep_alive {
                    served.end = End::Closed;
                }
            }
        }
    }
    served
}
