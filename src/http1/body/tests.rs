//! Bodies cut everywhere, against a reading of the whole.

use ringway_test_support::stride::STRIDE;

use super::*;

const LIMITS: BodyLimits = BodyLimits {
    bytes_max: 1 << 20,
    overhead_bytes_max: 64,
};

/// What became of a body: payload, bytes taken, whether it was done.
type Outcome = Result<(Vec<u8>, usize, bool), BodyFault>;

fn decode<'i>(
    framing: BodyFraming,
    limits: &BodyLimits,
    pieces: impl IntoIterator<Item = &'i [u8]>,
) -> Outcome {
    let mut decoder = BodyDecoder::new(framing, limits)?;
    let mut payload = Vec::new();
    let mut taken = 0;
    for piece in pieces {
        let mut at = 0;
        while let Some(part) = decoder.payload(piece, &mut at)? {
            assert!(!part.is_empty() && piece[..at].ends_with(part));
            assert_eq!(part.as_ptr_range().end, piece[..at].as_ptr_range().end);
            payload.extend_from_slice(part);
        }
        assert!(at == piece.len() || decoder.is_done());
        taken += at;
    }
    Ok((payload, taken, decoder.is_done()))
}

/// The same through one growing buffer.
fn decode_in_place<'i>(
    framing: BodyFraming,
    limits: &BodyLimits,
    pieces: impl IntoIterator<Item = &'i [u8]>,
) -> Result<(Vec<u8>, Vec<u8>, bool), BodyFault> {
    let mut decoder = BodyDecoder::new(framing, limits)?;
    let mut buf = Vec::new();
    let mut decoded = 0;
    let mut done = false;
    for piece in pieces {
        buf.extend_from_slice(piece);
        done = decoder.decode_in_place(&mut buf, &mut decoded)?;
        assert!(done || buf.len() == decoded);
    }
    let behind = buf.split_off(decoded);
    Ok((buf, behind, done))
}

/// Checks the outcome for the whole, for every cut in two, and byte by byte, both ways.
fn check(framing: BodyFraming, limits: &BodyLimits, input: &[u8], expected: &Outcome) {
    let name = String::from_utf8_lossy(input).into_owned();
    let in_place = expected.clone().map(|(payload, taken, done)| {
        let behind = input.get(taken..).unwrap().to_vec();
        (payload, behind, done)
    });
    let byte_by_byte = || input.chunks(1);
    assert_eq!(&decode(framing, limits, [input]), expected, "{name}");
    assert_eq!(&decode(framing, limits, byte_by_byte()), expected, "{name}");
    assert_eq!(
        decode_in_place(framing, limits, byte_by_byte()),
        in_place,
        "{name}"
    );
    for cut in 0..=input.len() {
        let (head, tail) = input.split_at(cut);
        assert_eq!(
            &decode(framing, limits, [head, tail]),
            expected,
            "{name} at {cut}"
        );
        assert_eq!(
            decode_in_place(framing, limits, [head, tail]),
            in_place,
            "{name} at {cut}"
        );
    }
}

fn whole(payload: &str, taken: usize) -> Outcome {
    Ok((payload.into(), taken, true))
}

#[test]
fn length_takes_its_bytes_and_no_more() {
    check(
        BodyFraming::Length(5),
        &LIMITS,
        b"helloGET /",
        &whole("hello", 5),
    );
    check(
        BodyFraming::Length(5),
        &LIMITS,
        b"hell",
        &Ok((b"hell".to_vec(), 4, false)),
    );
    check(BodyFraming::Length(0), &LIMITS, b"GET /", &whole("", 0));
    check(BodyFraming::None, &LIMITS, b"GET /", &whole("", 0));
}

#[test]
fn until_close_takes_everything_and_ends_with_the_connection() {
    let mut decoder = BodyDecoder::new(BodyFraming::UntilClose, &LIMITS).unwrap();
    assert_eq!(decoder.payload(b"abc", &mut 0), Ok(Some(&b"abc"[..])));
    assert!(!decoder.is_done());
    assert_eq!(decoder.remaining(), None);
    assert_eq!(decoder.end_of_input(), BodyEnd::Whole);
    assert!(decoder.is_done());
}

#[test]
fn end_of_input_tells_whole_from_cut() {
    let text = b"3;x\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for end in 0..=text.len() {
        let mut decoder = BodyDecoder::new(BodyFraming::Chunked, &LIMITS).unwrap();
        let mut at = 0;
        while decoder.payload(&text[..end], &mut at).unwrap().is_some() {}
        let expected = if end == text.len() {
            BodyEnd::Whole
        } else {
            BodyEnd::Cut
        };
        assert_eq!(decoder.end_of_input(), expected, "{end}");
    }
    let mut decoder = BodyDecoder::new(BodyFraming::Length(3), &LIMITS).unwrap();
    assert_eq!(decoder.remaining(), Some(3));
    decoder.payload(b"ab", &mut 0).unwrap();
    assert_eq!(
        (decoder.remaining(), decoder.end_of_input()),
        (Some(1), BodyEnd::Cut)
    );
    decoder.payload(b"c", &mut 0).unwrap();
    assert_eq!(
        (decoder.remaining(), decoder.end_of_input()),
        (Some(0), BodyEnd::Whole)
    );
}

#[test]
fn p3_chunked_bodies_are_taken_as_far_as_they_reach() {
    let cases = [
        ("0\r\n\r\n", "", ""),
        ("0\r\n\r\n", "", "GET /"),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
        ("1\r\na\r\n0002\r\nbc\r\n00\r\n\r\n", "abc", "\r\n"),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
        (
            "a;x=\"y; z\";é\r\n0123456789\r\n0;last\r\n\r\n",
            "0123456789",
            "x",
        ),
        ("1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n", "\r\n", ""),
        ("0\r\nTrailer: x\r\nb:\r\n\r\n", "", "rest"),
        ("0000000000000001\r\na\r\n0\r\n\r\n", "a", ""),
    ];
    for (body, payload, behind) in cases {
        let input = format!("{body}{behind}");
        let expected = whole(payload, body.len());
        check(BodyFraming::Chunked, &LIMITS, input.as_bytes(), &expected);
    }
}

#[test]
fn p3_chunked_framing_with_any_other_reading_is_refused() {
    use BodyFault as F;
    let cases = [
        ("\r\n", F::ChunkSize),
        ("g\r\n", F::ChunkSize),
        (" 1\r\na\r\n", F::ChunkSize),
        ("1 \r\na\r\n", F::ChunkSize),
        ("+1\r\na\r\n", F::ChunkSize),
        ("-1\r\na\r\n", F::ChunkSize),
        ("0x1\r\na\r\n", F::ChunkSize),
        (";x\r\n", F::ChunkSize),
        ("00000000000000001\r\na\r\n", F::ChunkSize),
        ("1\na\n", F::ChunkSize),
        ("1\rXa\r\n", F::LineEnd),
        ("1;x\nz\r\na\r\n", F::Extension),
        ("1;\ta\r\n", F::Extension),
        ("1;a\u{7f}\r\n", F::Extension),
        ("1;a\0\r\n", F::Extension),
        ("1;a\rb\r\n", F::LineEnd),
        ("1\r\nab\r\n", F::LineEnd),
        ("1\r\na\n\r\n", F::LineEnd),
        ("1\r\na\r\r\n", F::LineEnd),
        ("0\r\n\rX", F::LineEnd),
        ("0\r\n\n", F::Trailer),
        ("0\r\n: x\r\n\r\n", F::Trailer),
        ("0\r\nx\r\n\r\n", F::Trailer),
        ("0\r\nx : y\r\n\r\n", F::Trailer),
        ("0\r\n x: y\r\n\r\n", F::Trailer),
        ("0\r\nx: a\nb\r\n\r\n", F::Trailer),
        ("0\r\nx: a\0\r\n\r\n", F::Trailer),
        ("0\r\nx: a\rb\r\n\r\n", F::Trailer),
        ("ffffffffffffffff\r\n", F::TooLarge),
    ];
    for (input, fault) in cases {
        check(BodyFraming::Chunked, &LIMITS, input.as_bytes(), &Err(fault));
    }
}

#[test]
fn body_limit_holds_at_and_one_past_with_framing_counted() {
    let limits = |bytes_max| BodyLimits {
        bytes_max,
        ..LIMITS
    };
    let length = |bytes_max| BodyDecoder::new(BodyFraming::Length(10), &limits(bytes_max)).err();
    assert_eq!((length(10), length(9)), (None, Some(BodyFault::TooLarge)));
    let input = b"3\r\nabc\r\n0\r\n\r\n";
    check(BodyFraming::Chunked, &limits(13), input, &whole("abc", 13));
    for bytes_max in 0..13 {
        check(
            BodyFraming::Chunked,
            &limits(bytes_max),
            input,
            &Err(BodyFault::TooLarge),
        );
    }
    check(
        BodyFraming::UntilClose,
        &limits(3),
        b"abc",
        &Ok((b"abc".to_vec(), 3, false)),
    );
    check(
        BodyFraming::UntilClose,
        &limits(2),
        b"abc",
        &Err(BodyFault::TooLarge),
    );
    assert_eq!(BodyFault::TooLarge.status(), 413);
}

#[test]
fn p3_extensions_and_trailers_share_one_bound() {
    let limits = |overhead_bytes_max| BodyLimits {
        overhead_bytes_max,
        ..LIMITS
    };
    // `;abc\r` twice and `k: v\r` are 16 bytes of overhead.
    let input = b"1;abc\r\nx\r\n0;abc\r\nk: v\r\n\r\n";
    check(
        BodyFraming::Chunked,
        &limits(15),
        input,
        &whole("x", input.len()),
    );
    check(
        BodyFraming::Chunked,
        &limits(14),
        input,
        &Err(BodyFault::Overhead),
    );
    // Plain framing costs none of it.
    check(
        BodyFraming::Chunked,
        &limits(0),
        b"1\r\nx\r\n0\r\n\r\n",
        &whole("x", 11),
    );
}

/// A reading of the whole with the standard library's means. None: refused or not complete.
fn naive(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut payload = Vec::new();
    let mut at = 0;
    let line = |at: usize| {
        let rest = input.get(at..)?;
        let len = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = rest.get(..len)?;
        let control = |b: &u8| *b != b'\t' && b.is_ascii_control();
        (!line.iter().any(control)).then_some((line.to_vec(), at + len + 2))
    };
    loop {
        let (size, after) = line(at)?;
        let (digits, extension) = match size.iter().position(|&b| b == b';') {
            Some(at) => (size.get(..at)?, size.get(at..)?),
            None => (&size[..], &b""[..]),
        };
        if extension.contains(&b'\t') || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        if digits.is_empty() || digits.len() > 16 {
            return None;
        }
        let size = usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()?;
        at = after;
        if size == 0 {
            break;
        }
        let end = at.checked_add(size)?;
        payload.extend_from_slice(input.get(at..end)?);
        if input.get(end..end + 2)? != b"\r\n" {
            return None;
        }
        at = end + 2;
    }
    loop {
        let (field, after) = line(at)?;
        at = after;
        if field.is_empty() {
            return Some((payload, at));
        }
        let colon = field.iter().position(|&b| b == b':')?;
        if !grammar::is_token(field.get(..colon)?) {
            return None;
        }
    }
}

#[test]
fn chunked_bodies_broken_at_any_byte_are_judged_as_by_the_twin() {
    let seeds = [
        &b"5\r\nhello\r\n0\r\n\r\n"[..],
        b"1;a=b\r\nx\r\nB\r\n0123\r\n56789\r\n0\r\nA: b\r\nC:\r\n\r\nnext",
    ];
    let check = |input: &[u8]| {
        let done = |outcome: Outcome| {
            outcome
                .ok()
                .filter(|(_, _, done)| *done)
                .map(|(payload, taken, _)| (payload, taken))
        };
        let name = String::from_utf8_lossy(input);
        let expected = naive(input);
        assert_eq!(
            done(decode(BodyFraming::Chunked, &LIMITS, [input])),
            expected,
            "{name}"
        );
        let split = decode(BodyFraming::Chunked, &LIMITS, input.chunks(1));
        assert_eq!(done(split), expected, "{name}");
    };
    for seed in seeds {
        for at in (0..seed.len()).step_by(STRIDE) {
            check(seed.get(..at).unwrap());
            let mut broken = seed.to_vec();
            broken.remove(at);
            check(&broken);
            for &splinter in b"\0\t\n\r 0 1fg;:x\x7f\xff" {
                let mut broken = seed.to_vec();
                broken[at] = splinter;
                check(&broken);
                broken.insert(at, seed[at]);
                check(&broken);
            }
        }
    }
}

#[test]
fn every_fault_has_words_of_its_own_and_a_status() {
    let faults = [
        (BodyFault::ChunkSize, 400, "chunk size"),
        (BodyFault::Extension, 400, "extension"),
        (BodyFault::LineEnd, 400, "CRLF"),
        (BodyFault::Trailer, 400, "trailer field"),
        (BodyFault::Overhead, 400, "extensions and trailers"),
        (BodyFault::TooLarge, 413, "too large"),
    ];
    for (fault, status, words) in faults {
        assert_eq!(fault.status(), status);
        assert!(fault.to_string().contains(words), "{fault}");
    }
}
