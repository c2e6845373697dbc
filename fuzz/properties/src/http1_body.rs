//! Bodies: the payload that the twin finds, however they are cut, within their bounds.

use ringway::http1::body::{BodyDecoder, BodyFault, BodyLimits};
use ringway::http1::framing::BodyFraming;
use ringway::limits::Limits;

use crate::pieces;
use crate::plain_http::{self, Reading};

/// Small bounds, so that short inputs reach them.
const SMALL: BodyLimits = BodyLimits {
    bytes_max: 96,
    overhead_bytes_max: 16,
};

/// A chunked body; then the same bytes as a body with a length.
pub fn check(input: &[u8]) {
    for limits in [SMALL, BodyLimits::new(1 << 20, &Limits::default())] {
        let streamed = pieces::same_in_all_ways(input, |pieces| {
            decode(BodyFraming::Chunked, &limits, pieces)
        });
        let in_place = pieces::same_in_all_ways(input, |pieces| {
            decode_in_place(BodyFraming::Chunked, &limits, pieces)
        });
        let (payload, twin) = plain_http::chunked(input, &limits);
        let found = match (&streamed, twin) {
            (Ok(found), Reading::Whole((), end)) => Some((found, Some(end))),
            (Ok(found), Reading::Open) => Some((found, None)),
            (Err(_), Reading::Bad | Reading::Open) => None,
            (found, twin) => panic!("found {found:?}, twin {twin:?}"),
        };
        if let Some((body, end)) = found {
            assert_eq!((&body.payload, body.is_done), (&payload, end.is_some()));
            assert!(end.is_none_or(|end| input[end..] == body.behind));
        }
        assert_eq!(in_place, streamed);
    }
    let length = input.len() as u64 / 2;
    let limits = BodyLimits::new(1 << 20, &Limits::default());
    let body = pieces::same_in_all_ways(input, |pieces| {
        decode(BodyFraming::Length(length), &limits, pieces)
    });
    let (payload, behind) = input.split_at(input.len() / 2);
    let expected = Body {
        payload: payload.to_vec(),
        behind: behind.to_vec(),
        is_done: true,
    };
    assert_eq!(body, Ok(expected));
}

/// What a body came to.
#[derive(Debug, PartialEq, Eq)]
struct Body {
    payload: Vec<u8>,
    behind: Vec<u8>,
    is_done: bool,
}

fn decode(framing: BodyFraming, limits: &BodyLimits, pieces: &[&[u8]]) -> Result<Body, BodyFault> {
    let mut decoder = BodyDecoder::new(framing, limits)?;
    let (mut payload, mut behind) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut at = 0;
        while let Some(part) = decoder.payload(piece, &mut at)? {
            assert!(!part.is_empty(), "every call gets on");
            payload.extend_from_slice(part);
        }
        assert!(at == piece.len() || decoder.is_done());
        behind.extend_from_slice(&piece[at..]);
    }
    Ok(Body {
        payload,
        behind,
        is_done: decoder.is_done(),
    })
}

fn decode_in_place(
    framing: BodyFraming,
    limits: &BodyLimits,
    pieces: &[&[u8]],
) -> Result<Body, BodyFault> {
    let mut decoder = BodyDecoder::new(framing, limits)?;
    let (mut payload, mut decoded) = (Vec::new(), 0);
    for piece in pieces {
        payload.extend_from_slice(piece);
        decoder.decode_in_place(&mut payload, &mut decoded)?;
    }
    let behind = payload.split_off(decoded);
    Ok(Body {
        payload,
        behind,
        is_done: decoder.is_done(),
    })
}
