//! Heads: as strict as the twin, the same however they arrive, and equal when written out again.

use ringway::http1::fault::HeadFault;
use ringway::http1::fields::FieldTable;
use ringway::http1::head::{
    HeadLimits, HeadProgress, RequestHead, ResponseHead, parse_request, parse_response,
};
use ringway::http1::method::{Method, Version};
use ringway::http1::target;
use ringway::limits::Limits;

use crate::pieces;
use crate::plain_http::{self, Head, Reading};

/// Small bounds, so that short inputs reach them.
const SMALL: HeadLimits = HeadLimits {
    bytes_max: 160,
    fields_max: 4,
    name_bytes_max: 20,
    value_bytes_max: 24,
    target_bytes_max: 32,
};

/// A request's head.
pub fn check_request(input: &[u8]) {
    for limits in [SMALL, HeadLimits::of_request(&Limits::default())] {
        let found = arrived(input, |buf, scanned| request(buf, scanned, &limits));
        agree(&found, plain_http::request(input, &limits));
        let Ok(Some((head, _))) = found else { continue };
        let [method, target, version] = &head.start;
        let mut again = [method, &b" "[..], target, b" ", version, b"\r\n"].concat();
        write_fields(&head, &mut again);
        let read = request(&again, 0, &limits);
        let len = again.len();
        assert_eq!(read, Ok(Step::Whole(head, len)), "{}", again.escape_ascii());
    }
}

/// A provider's answer's head.
pub fn check_response(input: &[u8]) {
    let methods = [Method::Post, Method::Get, Method::Head];
    let method = methods[input.len() % methods.len()];
    for limits in [SMALL, HeadLimits::of_response(&Limits::default())] {
        let found = arrived(input, |buf, scanned| {
            response(buf, scanned, &limits, method)
        });
        let twin = match plain_http::response(input, &limits, method) {
            Reading::Whole(mut head, end) => {
                // The reason is not kept.
                head.start[2].clear();
                Reading::Whole(head, end)
            }
            other => other,
        };
        agree(&found, twin);
        let Ok(Some((head, _))) = found else { continue };
        let [version, status, _] = &head.start;
        let mut again = [version, &b" "[..], status, b"\r\n"].concat();
        write_fields(&head, &mut again);
        let read = response(&again, 0, &limits, method);
        let len = again.len();
        assert_eq!(read, Ok(Step::Whole(head, len)), "{}", again.escape_ascii());
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Scanned(usize),
    Whole(Head, usize),
}

/// The head of an input that arrives in pieces, the same for every way of cutting it; nothing while
/// it is not whole. Which of several faults is found may depend on what has come.
fn arrived(
    input: &[u8],
    parse: impl Fn(&[u8], usize) -> Result<Step, HeadFault>,
) -> Result<Option<(Head, usize)>, ()> {
    pieces::same_in_all_ways(input, |pieces| {
        let (mut end, mut scanned) = (0, 0);
        for piece in pieces {
            end += piece.len();
            match parse(&input[..end], scanned).map_err(drop)? {
                Step::Whole(head, consumed) => return Ok(Some((head, consumed))),
                Step::Scanned(upto) => {
                    assert!(scanned <= upto && upto <= end);
                    scanned = upto;
                }
            }
        }
        Ok(None)
    })
}

fn agree(found: &Result<Option<(Head, usize)>, ()>, twin: Reading<Head>) {
    match (found, twin) {
        (Ok(Some((head, consumed))), Reading::Whole(expected, end)) => {
            assert_eq!((head, *consumed), (&expected, end));
        }
        (Err(()), Reading::Bad) | (Ok(None) | Err(()), Reading::Open) => {}
        (found, twin) => panic!("found {found:?}, twin {twin:?}"),
    }
}

fn request(buf: &[u8], scanned: usize, limits: &HeadLimits) -> Result<Step, HeadFault> {
    let mut head = RequestHead::new();
    match parse_request(buf, scanned, limits, &mut head)? {
        HeadProgress::Partial { scanned } => Ok(Step::Scanned(scanned)),
        HeadProgress::Complete { consumed } => {
            paths(&head, buf);
            let start = [head.method_name(buf), head.target(buf), name(head.version)];
            let plain = Head {
                start: start.map(<[u8]>::to_vec),
                fields: owned(&head.fields, buf),
                framing: head.framing,
                keep_alive: head.keep_alive,
                expect_continue: head.expect_continue,
            };
            Ok(Step::Whole(plain, consumed))
        }
    }
}

fn response(
    buf: &[u8],
    scanned: usize,
    limits: &HeadLimits,
    method: Method,
) -> Result<Step, HeadFault> {
    let mut head = ResponseHead::new();
    match parse_response(buf, scanned, limits, method, &mut head)? {
        HeadProgress::Partial { scanned } => Ok(Step::Scanned(scanned)),
        HeadProgress::Complete { consumed } => {
            let status = head.status.to_string().into_bytes();
            let plain = Head {
                start: [name(head.version).to_vec(), status, Vec::new()],
                fields: owned(&head.fields, buf),
                framing: head.framing,
                keep_alive: head.keep_alive,
                expect_continue: false,
            };
            Ok(Step::Whole(plain, consumed))
        }
    }
}

/// What is matched as a path has no segment that another server would resolve.
fn paths(head: &RequestHead, buf: &[u8]) {
    let (path, query) = (head.path(buf), head.query(buf));
    if let Ok(api) = target::api_path(path)
        && api.versioned
    {
        let mut decoded = Vec::new();
        target::decode_id(api.rest, &mut decoded);
        let under_models = api.rest.starts_with(b"/models/");
        let mut segments = decoded.split(|&b| b == b'/').skip(1);
        assert!(
            !decoded.contains(&0) && !decoded.contains(&b'\\'),
            "{}",
            path.escape_ascii()
        );
        let bad = |segment: &[u8]| matches!(segment, b"" | b"." | b"..");
        assert!(
            under_models || !segments.any(bad),
            "{}",
            path.escape_ascii()
        );
    }
    if let Some(query) = query
        && target::check_query(query).is_ok()
    {
        let mut decoded = Vec::new();
        target::decode_id(query, &mut decoded);
        assert!(!decoded.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')));
    }
}

fn name(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    }
}

fn owned(fields: &FieldTable, buf: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields
        .iter(buf)
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

fn write_fields(head: &Head, out: &mut Vec<u8>) {
    for (name, value) in &head.fields {
        out.extend_from_slice(&[name, &b":"[..], value, b"\r\n"].concat());
    }
    out.extend_from_slice(b"\r\n");
}
