//! Heads as raw bytes: accepted, refused, cut everywhere, and against a second, plain reading.

use ringway_test_support::stride::STRIDE;

use super::*;

fn limits() -> HeadLimits {
    HeadLimits::of_request(&Limits::default())
}

fn read(text: &[u8], limits: &HeadLimits) -> Result<(HeadProgress, RequestHead), HeadFault> {
    let mut head = RequestHead::new();
    parse_request(text, 0, limits, &mut head).map(|parsed| (parsed, head))
}

/// The head of `text`, which is one whole head.
fn accepted(text: &str) -> RequestHead {
    let (parsed, head) = read(text.as_bytes(), &limits()).unwrap();
    let consumed = text.len();
    assert_eq!(parsed, HeadProgress::Complete { consumed }, "{text:?}");
    head
}

fn refused(text: &[u8]) -> HeadFault {
    read(text, &limits()).unwrap_err()
}

const MINIMAL: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A head with these lines between request line and the end.
fn with_fields(lines: &str) -> String {
    format!("POST /v1/messages HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn request_whole_head_is_read() {
    let text = "\r\nPOST /v1/messages?beta=true HTTP/1.1\r\nHost: a:80\r\n\
        Content-Length:\t12 \r\nExpect: 100-Continue\r\nX:  y z\t\r\nx:\r\nÜ: \r\n\r\n"
        .replace("Ü", "u");
    let head = accepted(&text);
    let buf = text.as_bytes();
    assert_eq!((head.method, head.version), (Method::Post, Version::Http11));
    assert_eq!(head.method_name(buf), b"POST");
    assert_eq!(head.target(buf), b"/v1/messages?beta=true");
    assert_eq!(head.path(buf), b"/v1/messages");
    assert_eq!(head.query(buf), Some(&b"beta=true"[..]));
    assert_eq!(head.framing, BodyFraming::Length(12));
    assert!(head.keep_alive && head.expect_continue);
    assert_eq!(head.field(buf, "x"), Some(&b"y z"[..]));
    assert_eq!(head.fields.values(buf, "X").count(), 2);
    assert_eq!(head.field(buf, "none"), None);
    let names: Vec<_> = head.fields.iter(buf).map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [&b"Host"[..], b"Content-Length", b"Expect", b"X", b"x", b"u"]
    );
}

#[test]
fn request_head_is_reused_without_a_trace_of_the_one_before() {
    let mut head = RequestHead::new();
    let first = with_fields("Content-Length: 3\r\nExpect: 100-continue\r\nA: b\r\n");
    parse_request(first.as_bytes(), 0, &limits(), &mut head).unwrap();
    let second = b"GET http://h HTTP/1.0\r\n\r\n";
    parse_request(second, 0, &limits(), &mut head).unwrap();
    assert_eq!(head.method, Method::Get);
    assert_eq!((head.path(second), head.query(second)), (&b"/"[..], None));
    assert_eq!(head.framing, BodyFraming::None);
    assert!(!head.keep_alive && !head.expect_continue);
    assert_eq!(head.fields.spans().len(), 0);
}

#[test]
fn p5_head_ends_where_the_next_request_begins() {
    let text = format!("{MINIMAL}POST / HTTP/1.1\r\n");
    let (parsed, _) = read(text.as_bytes(), &limits()).unwrap();
    let consumed = MINIMAL.len();
    assert_eq!(parsed, HeadProgress::Complete { consumed });
}

#[test]
fn p1_framing_with_one_reading_is_taken() {
    let cases = [
        ("", BodyFraming::None),
        ("Content-Length: 0\r\n", BodyFraming::Length(0)),
        ("content-length:7\r\n", BodyFraming::Length(7)),
        ("Content-Length: \t 7\t\r\n", BodyFraming::Length(7)),
        (
            "Content-Length: 18446744073709551615\r\n",
            BodyFraming::Length(u64::MAX),
        ),
        ("Transfer-Encoding: chunked\r\n", BodyFraming::Chunked),
        ("TRANSFER-ENCODING:\tChUnKeD \r\n", BodyFraming::Chunked),
    ];
    for (lines, framing) in cases {
        assert_eq!(accepted(&with_fields(lines)).framing, framing, "{lines}");
    }
}

#[test]
fn p1_framing_with_more_than_one_reading_is_refused() {
    use HeadFault as F;
    let cases = [
        ("Content-Length:\r\n", F::Length),
        ("Content-Length: +7\r\n", F::Length),
        ("Content-Length: -1\r\n", F::Length),
        ("Content-Length: 07\r\n", F::Length),
        ("Content-Length: 7, 7\r\n", F::Length),
        ("Content-Length: 7 7\r\n", F::Length),
        ("Content-Length: 0x7\r\n", F::Length),
        ("Content-Length: 7.0\r\n", F::Length),
        ("Content-Length: 18446744073709551616\r\n", F::Length),
        (
            "Content-Length: 7\r\nContent-Length: 8\r\n",
            F::LengthRepeated,
        ),
        (
            "Content-Length: 7\r\ncontent-length: 7\r\n",
            F::LengthRepeated,
        ),
        (
            "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n",
            F::LengthAndEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            F::LengthAndEncoding,
        ),
        ("Transfer-Encoding:\r\n", F::TransferEncoding),
        ("Transfer-Encoding: gzip\r\n", F::TransferEncoding),
        ("Transfer-Encoding: identity\r\n", F::TransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\n", F::TransferEncoding),
        (
            "Transfer-Encoding: chunked, chunked\r\n",
            F::TransferEncoding,
        ),
        ("Transfer-Encoding: chunked;q=1\r\n", F::TransferEncoding),
        ("Transfer-Encoding: xchunked\r\n", F::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"\r\n", F::TransferEncoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            F::TransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
            F::TransferEncoding,
        ),
        ("Transfer-Encoding: chun\u{a0}ked\r\n", F::TransferEncoding),
    ];
    for (lines, fault) in cases {
        assert_eq!(refused(with_fields(lines).as_bytes()), fault, "{lines}");
        assert_eq!(fault.status(), 400);
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), F::TransferEncodingIn10);
}

#[test]
fn p2_lines_end_in_crlf_alone() {
    use HeadFault as F;
    let cases: &[(&[u8], F)] = &[
        (b"GET / HTTP/1.1\nHost: a\n\n", F::LineEnd),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", F::LineEnd),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", F::LineEnd),
        (b"GET / HTTP/1.1\n", F::LineEnd),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", F::LineEnd),
        (b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", F::LineEnd),
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", F::EmptyLines),
        (b"\r\n\r", F::EmptyLines),
        (b"\r\n\n", F::EmptyLines),
    ];
    for &(text, fault) in cases {
        assert_eq!(refused(text), fault, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn p2_request_line_and_fields_have_one_spelling() {
    use HeadFault as F;
    let cases: &[(&[u8], F)] = &[
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", F::RequestLine),
        (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", F::RequestLine),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", F::RequestLine),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", F::RequestLine),
        (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", F::RequestLine),
        (b"GET /\r\n\r\n", F::RequestLine),
        (b"GET\r\n\r\n", F::RequestLine),
        (b"GET / http/1.1\r\nHost: a\r\n\r\n", F::RequestLine),
        (b"\x16\x03\x01\x02\x00", F::RequestLine),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", F::Version),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", F::Version),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", F::Version),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", F::Version),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", F::Target),
        (b"GET v1 HTTP/1.1\r\nHost: a\r\n\r\n", F::Target),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", F::Target),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", F::Connect),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", F::FieldName),
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", F::FieldName),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            F::FieldName,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n",
            F::FieldName,
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", F::FieldName),
        (b"GET / HTTP/1.1\r\nHost: a\r\nx\r\n\r\n", F::FieldName),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nx(y): z\r\n\r\n",
            F::FieldName,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nx\xC3: z\r\n\r\n",
            F::FieldName,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nx: a\0b\r\n\r\n",
            F::FieldValue,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nx: a\x1Bb\r\n\r\n",
            F::FieldValue,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nx: a\x7Fb\r\n\r\n",
            F::FieldValue,
        ),
    ];
    for &(text, fault) in cases {
        assert_eq!(refused(text), fault, "{:?}", String::from_utf8_lossy(text));
    }
    // Whatever these are called, they are refused: a CR inside a line, text behind the version.
    for text in [
        &b"GET / HTTP/1.1\r\nHost: a\r\nx: a\rb\r\n\r\n"[..],
        b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: a\r\r\n\r\n",
        b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(refused(text).status(), 400);
    }
}

#[test]
fn p2_host_is_one_host_where_the_version_asks_for_it() {
    use HeadFault as F;
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n", Some(F::HostMissing)),
        ("GET / HTTP/1.0\r\n\r\n", None),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Some(F::HostMalformed)),
        ("GET / HTTP/1.0\r\nHost:\r\n\r\n", Some(F::HostMalformed)),
        (
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            Some(F::HostMalformed),
        ),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", None),
        (
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            Some(F::HostMalformed),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            Some(F::HostRepeated),
        ),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
            Some(F::HostRepeated),
        ),
        ("GET / HTTP/1.1\r\nhOST: [::1]:8080\r\n\r\n", None),
        ("GET http://x/ HTTP/1.1\r\nHost: y\r\n\r\n", None),
        ("GET http://x/ HTTP/1.1\r\n\r\n", Some(F::HostMissing)),
        (
            "GET http://u@x/ HTTP/1.1\r\nHost: y\r\n\r\n",
            Some(F::Target),
        ),
    ];
    for (text, fault) in cases {
        assert_eq!(read(text.as_bytes(), &limits()).err(), fault, "{text}");
    }
}

#[test]
fn p6_expectations_are_met_or_417() {
    let body = "Content-Length: 1\r\n";
    let expects = |lines: &str| accepted(&with_fields(lines)).expect_continue;
    assert!(expects(&format!("{body}Expect: 100-continue\r\n")));
    assert!(expects(&format!("{body}EXPECT:100-CONTINUE \r\n")));
    assert!(expects(
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
    ));
    // Nothing is waited with when there is no body to wait with.
    assert!(!expects("Expect: 100-continue\r\n"));
    assert!(!expects("Content-Length: 0\r\nExpect: 100-continue\r\n"));
    let old = "POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
    assert!(!accepted(old).expect_continue);
    for value in ["200-ok", "100-continue, x", "100-continue=y", "", "x"] {
        let text = with_fields(&format!("{body}Expect: {value}\r\n"));
        let fault = refused(text.as_bytes());
        assert_eq!(
            (fault, fault.status()),
            (HeadFault::Expectation, 417),
            "{value}"
        );
    }
}

#[test]
fn connection_options_are_read_as_a_list_and_close_wins() {
    let cases = [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Keep-Alive, CLOSE\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed, not-close\r\n", true),
        ("1.1", "Connection: upgrade\r\nUpgrade: h2c\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Connection: keep\r\n", false),
    ];
    for (version, lines, keep_alive) in cases {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(accepted(&text).keep_alive, keep_alive, "{text}");
    }
}

#[test]
fn k7_fields_of_this_hop_are_told_from_those_to_pass_on() {
    let text = with_fields("Connection: X-Hop, close\r\nX-Hop: 1\r\nX-End: 1\r\nTE: trailers\r\n");
    let head = accepted(&text);
    let hop = |name: &str| head.fields.is_hop_by_hop(text.as_bytes(), name.as_bytes());
    for name in [
        "connection",
        "x-hop",
        "X-HOP",
        "te",
        "Transfer-Encoding",
        "content-length",
        "upgrade",
        "keep-alive",
        "proxy-authorization",
        "trailer",
    ] {
        assert!(hop(name), "{name}");
    }
    assert!(!hop("x-end") && !hop("content-type"));
}

/// How a head of `text` fares under `limits`, as a status; 0 for accepted.
fn status(text: &str, limits: &HeadLimits) -> u16 {
    read(text.as_bytes(), limits).map_or_else(HeadFault::status, |_| 0)
}

#[test]
fn limits_hold_at_and_one_past() {
    let text = with_fields("Abc: 12345\r\nx: y\r\n");
    let wide = limits();
    type Limit<'l> = (&'l dyn Fn(usize) -> HeadLimits, usize, u16);
    let cases: [Limit<'_>; 5] = [
        (
            &|n| HeadLimits {
                bytes_max: n,
                ..wide
            },
            text.len(),
            431,
        ),
        (
            &|n| HeadLimits {
                fields_max: n,
                ..wide
            },
            3,
            431,
        ),
        (
            &|n| HeadLimits {
                name_bytes_max: n,
                ..wide
            },
            4,
            431,
        ),
        (
            &|n| HeadLimits {
                value_bytes_max: n,
                ..wide
            },
            5,
            431,
        ),
        (
            &|n| HeadLimits {
                target_bytes_max: n,
                ..wide
            },
            12,
            414,
        ),
    ];
    for (limits, needed, over) in cases {
        assert_eq!(status(&text, &limits(needed)), 0, "{needed}");
        assert_eq!(status(&text, &limits(needed - 1)), over, "{needed}");
    }
}

#[test]
fn fields_never_pass_the_ceiling() {
    let many = |count: usize| with_fields(&"a: b\r\n".repeat(count - 1));
    let wide = HeadLimits {
        fields_max: 10_000,
        ..limits()
    };
    assert_eq!(status(&many(HEAD_FIELDS_CEILING), &wide), 0);
    assert_eq!(status(&many(HEAD_FIELDS_CEILING + 1), &wide), 431);
}

#[test]
fn endless_request_line_is_414_and_endless_fields_431() {
    let limits = limits();
    let line = format!("GET /{}", "a".repeat(limits.bytes_max));
    assert_eq!(status(&line, &limits), 414);
    let fields = with_fields(&"abcdefghij: klmnopqrst\r\n".repeat(90));
    let tight = HeadLimits {
        bytes_max: 1_000,
        ..limits
    };
    assert_eq!(status(&fields, &tight), 431);
    let value = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(limits.bytes_max));
    assert_eq!(status(&value, &limits), 431);
}

#[test]
fn head_arriving_in_any_pieces_is_the_same_head() {
    let text = "\r\nPOST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    let whole = text.len() - 2;
    for cut in 0..whole {
        let mut head = RequestHead::new();
        let mut scanned = 0;
        for end in [cut, whole] {
            let buf = text.as_bytes().get(..end).unwrap();
            match parse_request(buf, scanned, &limits(), &mut head).unwrap() {
                HeadProgress::Partial { scanned: seen } => {
                    assert!(end < whole && seen <= end);
                    scanned = seen;
                }
                HeadProgress::Complete { consumed } => assert_eq!((end, consumed), (whole, whole)),
            }
        }
        assert_eq!(head.framing, BodyFraming::Length(2), "{cut}");
    }
    let mut head = RequestHead::new();
    let mut scanned = 0;
    for end in 0..whole {
        let buf = text.as_bytes().get(..end).unwrap();
        let HeadProgress::Partial { scanned: seen } =
            parse_request(buf, scanned, &limits(), &mut head).unwrap()
        else {
            panic!("complete at {end}");
        };
        scanned = seen;
    }
}

fn naive_token(text: &str) -> bool {
    let special = |c: char| "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || special(c))
}

fn naive_target(method: &str, target: &str) -> bool {
    let absolute = || {
        let rest = target.to_ascii_lowercase();
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| rest.strip_prefix(scheme))?;
        let authority = rest.split(['/', '?']).next()?.to_owned();
        host::is_host(authority.as_bytes()).then_some(())
    };
    target.chars().all(|c| c.is_ascii_graphic() && c != '#')
        && (target.starts_with('/')
            || (target == "*" && method == "OPTIONS")
            || absolute().is_some())
}

/// A plain reading of a whole request head: consumed bytes, framing, keep-alive, field count.
fn naive(text: &[u8]) -> Option<(usize, BodyFraming, bool, usize)> {
    // One character per byte, so that the standard library's text tools serve.
    let all: String = text.iter().map(|&b| char::from(b)).collect();
    let all_starts_empty = all.starts_with("\r\n");
    let text = all.strip_prefix("\r\n").unwrap_or(&all);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let parts: Vec<&str> = lines.next()?.split(' ').collect();
    let [method, target, version] = parts[..] else {
        return None;
    };
    if !naive_token(method) || method == "CONNECT" || !naive_target(method, target) {
        return None;
    }
    let old = match version {
        "HTTP/1.0" => true,
        "HTTP/1.1" => false,
        _ => return None,
    };
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let clean = value
            .chars()
            .all(|c| c == '\t' || (c >= ' ' && c != '\x7f'));
        if !naive_token(name) || !clean {
            return None;
        }
        fields.push((
            name.to_ascii_lowercase(),
            value.trim_matches([' ', '\t']).to_owned(),
        ));
    }
    let all = |name: &str| -> Vec<&str> {
        let named = fields.iter().filter(|(each, _)| each == name);
        named.map(|(_, value)| value.as_str()).collect()
    };
    match all("host")[..] {
        [] if old => {}
        [host] if host.is_ascii() && host::is_host(host.as_bytes()) => {}
        _ => return None,
    }
    let framing = match (&all("content-length")[..], &all("transfer-encoding")[..]) {
        ([], []) => BodyFraming::None,
        ([length], []) => {
            let number: u64 = length.parse().ok()?;
            (number.to_string() == *length).then_some(BodyFraming::Length(number))?
        }
        ([], [coding]) if !old && coding.eq_ignore_ascii_case("chunked") => BodyFraming::Chunked,
        _ => return None,
    };
    if all("expect")
        .iter()
        .any(|value| !value.eq_ignore_ascii_case("100-continue"))
    {
        return None;
    }
    let connection = all("connection").join(",").to_ascii_lowercase();
    let has = |token: &str| {
        connection
            .split(',')
            .any(|each| each.trim_matches([' ', '\t']) == token)
    };
    let keep_alive = !has("close") && (!old || has("keep-alive"));
    let skipped = if all_starts_empty { 2 } else { 0 };
    Some((
        skipped + head.chars().count() + 4,
        framing,
        keep_alive,
        fields.len(),
    ))
}

#[test]
fn heads_broken_at_any_byte_are_judged_as_by_the_twin() {
    let seeds = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nPOST http://h:1/v1?x=%2f HTTP/1.1\r\nHost: a:80\r\nContent-Length: 10\r\n\
         Connection: close, x\r\nA:\tb c \r\n\r\nbody",
        "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
        "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nhost: [::1]\r\n\r\n0\r\n\r\n",
    ];
    let check = |text: &[u8]| {
        let read = match read(text, &limits()) {
            Ok((HeadProgress::Complete { consumed }, head)) => Some((
                consumed,
                head.framing,
                head.keep_alive,
                head.fields.spans().len(),
            )),
            _ => None,
        };
        assert_eq!(read, naive(text), "{:?}", String::from_utf8_lossy(text));
        read.is_some()
    };
    let mut accepted_count = 0;
    let splinters = b"\0\t\n\r \"#%*+,-./012:;?AHPT@[]c\\x{\x7F\x80\xC3\xFF";
    for seed in seeds.map(str::as_bytes) {
        assert!(check(seed));
        for at in (0..seed.len()).step_by(STRIDE) {
            check(seed.get(..at).unwrap());
            let mut broken = seed.to_vec();
            broken.remove(at);
            accepted_count += usize::from(check(&broken));
            for &splinter in splinters.iter().step_by(STRIDE.div_ceil(8)) {
                let mut broken = seed.to_vec();
                broken[at] = splinter;
                accepted_count += usize::from(check(&broken));
                broken.insert(at, seed[at]);
                accepted_count += usize::from(check(&broken));
            }
        }
    }
    // The twin is worth something only where it says yes as well as no.
    assert!(
        accepted_count > 3_000 / (STRIDE * STRIDE.div_ceil(8)),
        "{accepted_count}"
    );
}

#[test]
fn lines_of_heads_repeated_left_out_or_swapped_are_judged_as_by_the_twin() {
    let lines = [
        "Host: a",
        "Host: b",
        "Content-Length: 1",
        "Content-Length: 2",
        "Transfer-Encoding: chunked",
        "Connection: close",
        "Connection: keep-alive",
        "Expect: 100-continue",
        "Expect: x",
        "",
    ];
    for version in ["1.0", "1.1"] {
        for first in lines {
            for second in lines.into_iter().step_by(STRIDE.div_ceil(8)) {
                for third in lines.into_iter().step_by(STRIDE) {
                    let text =
                        format!("POST / HTTP/{version}\r\n{first}\r\n{second}\r\n{third}\r\n\r\n");
                    let read = match read(text.as_bytes(), &limits()) {
                        Ok((HeadProgress::Complete { consumed }, head)) => {
                            Some((consumed, head.framing, head.keep_alive))
                        }
                        _ => None,
                    };
                    let twin = naive(text.as_bytes()).map(|(a, b, c, _)| (a, b, c));
                    assert_eq!(read, twin, "{text:?}");
                }
            }
        }
    }
}

fn answer(text: &str, method: Method) -> Result<ResponseHead, HeadFault> {
    let limits = HeadLimits::of_response(&Limits::default());
    let mut head = ResponseHead::new();
    let parsed = parse_response(text.as_bytes(), 0, &limits, method, &mut head)?;
    let consumed = text.len();
    assert_eq!(parsed, HeadProgress::Complete { consumed }, "{text:?}");
    Ok(head)
}

/// Version, status, request's method, fields; then framing and whether the connection lives on.
type Answer = (&'static str, u16, Method, &'static str, BodyFraming, bool);

const ANSWERS: &[Answer] = &[
    ("1.1", 200, Method::Post, "", BodyFraming::UntilClose, false),
    (
        "1.1",
        200,
        Method::Post,
        "Content-Length: 5\r\n",
        BodyFraming::Length(5),
        true,
    ),
    (
        "1.1",
        200,
        Method::Post,
        "Transfer-Encoding: Chunked\r\n",
        BodyFraming::Chunked,
        true,
    ),
    (
        "1.1",
        200,
        Method::Post,
        "Connection: close\r\nContent-Length: 5\r\n",
        BodyFraming::Length(5),
        false,
    ),
    (
        "1.0",
        200,
        Method::Get,
        "Content-Length: 5\r\n",
        BodyFraming::Length(5),
        false,
    ),
    (
        "1.0",
        200,
        Method::Get,
        "Content-Length: 5\r\nConnection: keep-alive\r\n",
        BodyFraming::Length(5),
        true,
    ),
    ("1.0", 200, Method::Get, "", BodyFraming::UntilClose, false),
    (
        "1.1",
        200,
        Method::Head,
        "Content-Length: 5\r\n",
        BodyFraming::None,
        true,
    ),
    (
        "1.1",
        200,
        Method::Head,
        "Transfer-Encoding: chunked\r\n",
        BodyFraming::None,
        true,
    ),
    ("1.1", 204, Method::Delete, "", BodyFraming::None, true),
    (
        "1.1",
        204,
        Method::Delete,
        "Content-Length: 0\r\n",
        BodyFraming::None,
        true,
    ),
    // A body where none may be: it may or may not follow, so nothing else can.
    (
        "1.1",
        204,
        Method::Delete,
        "Content-Length: 5\r\n",
        BodyFraming::None,
        false,
    ),
    (
        "1.1",
        204,
        Method::Delete,
        "Transfer-Encoding: chunked\r\n",
        BodyFraming::None,
        false,
    ),
    (
        "1.1",
        304,
        Method::Get,
        "Content-Length: 5\r\n",
        BodyFraming::None,
        true,
    ),
    ("1.1", 100, Method::Post, "", BodyFraming::None, true),
    (
        "1.1",
        103,
        Method::Post,
        "Link: x\r\n",
        BodyFraming::None,
        true,
    ),
    (
        "1.1",
        529,
        Method::Post,
        "Content-Length: 0\r\n",
        BodyFraming::Length(0),
        true,
    ),
];

#[test]
fn p8_answers_are_framed_by_status_method_and_fields() {
    for &(version, status, method, lines, framing, keep_alive) in ANSWERS {
        let text = format!("HTTP/{version} {status} Some Reason\r\n{lines}\r\n");
        let head = answer(&text, method).unwrap();
        assert_eq!(
            (head.framing, head.keep_alive),
            (framing, keep_alive),
            "{text:?}"
        );
        assert_eq!((head.status, head.is_interim()), (status, status < 200));
    }
    for line in ["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 200 \u{e9}"] {
        assert_eq!(
            answer(&format!("{line}\r\n\r\n"), Method::Get)
                .unwrap()
                .status,
            200
        );
    }
}

#[test]
fn p8_answers_with_more_than_one_reading_are_refused() {
    use HeadFault as F;
    let ok = "HTTP/1.1 200 OK\r\n";
    let cases = [
        (
            format!("{ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
            F::LengthRepeated,
        ),
        (format!("{ok}Content-Length: 5, 5\r\n\r\n"), F::Length),
        (format!("{ok}Content-Length: -5\r\n\r\n"), F::Length),
        (
            format!("{ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
            F::LengthAndEncoding,
        ),
        (
            format!("{ok}Transfer-Encoding: gzip, chunked\r\n\r\n"),
            F::TransferEncoding,
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            F::TransferEncodingIn10,
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".into(),
            F::SwitchingProtocols,
        ),
        (
            "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n".into(),
            F::InterimBody,
        ),
        ("HTTP/1.1 099 X\r\n\r\n".into(), F::Status),
        ("HTTP/1.1 600 X\r\n\r\n".into(), F::Status),
        ("HTTP/1.1 000 X\r\n\r\n".into(), F::Status),
        ("HTTP/1.1 2000 X\r\n\r\n".into(), F::StatusLine),
        ("HTTP/1.1 20 X\r\n\r\n".into(), F::StatusLine),
        ("HTTP/1.1  200 X\r\n\r\n".into(), F::StatusLine),
        ("HTTP/1.2 200 X\r\n\r\n".into(), F::StatusLine),
        ("HTTP/2 200\r\n\r\n".into(), F::StatusLine),
        ("<html>".into(), F::StatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n".into(), F::StatusLine),
        ("HTTP/1.1 200 OK\nContent-Length: 5\n\n".into(), F::LineEnd),
        (format!("{ok}X : y\r\n\r\n"), F::FieldName),
        (format!("{ok}X: y\r\n z\r\n\r\n"), F::FieldName),
        (format!("{ok}X: \0\r\n\r\n"), F::FieldValue),
    ];
    for (text, fault) in cases {
        assert_eq!(answer(&text, Method::Post).err(), Some(fault), "{text:?}");
    }
}

#[test]
fn answer_heads_arriving_byte_by_byte_are_scanned_once() {
    let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    let limits = HeadLimits::of_response(&Limits::default());
    let mut head = ResponseHead::new();
    let mut scanned = 0;
    for end in 0..text.len() {
        let buf = text.get(..end).unwrap();
        let parsed = parse_response(buf, scanned, &limits, Method::Post, &mut head).unwrap();
        assert_eq!(parsed, HeadProgress::Partial { scanned: end });
        scanned = end;
    }
    let consumed = text.len();
    let parsed = parse_response(text, scanned, &limits, Method::Post, &mut head).unwrap();
    assert_eq!(parsed, HeadProgress::Complete { consumed });
    assert_eq!(head.field(text, "content-length"), Some(&b"2"[..]));
}

#[test]
fn faults_say_what_they_are_without_the_bytes() {
    assert_eq!(HeadFault::Length.to_string(), "malformed Content-Length");
    assert_eq!(HeadFault::Version.status(), 505);
    assert_eq!(HeadFault::HeadTooLarge.status(), 431);
    assert_eq!(HeadFault::TargetTooLong.status(), 414);
    assert_eq!(HeadFault::Connect.status(), 405);
}
