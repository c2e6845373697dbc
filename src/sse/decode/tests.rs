//! The decoder against a line-by-line reading of the standard, cut everywhere.

use ringway_test_support::stride::STRIDE;

use super::*;

const MAX: usize = 1 << 20;

/// An item that owns its bytes; `Rest` is what [`SseDecoder::finish`] gave.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Frame(String, String),
    Comment,
    TooLong,
    Rest(String, String),
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Feeds `pieces` one after the other, then ends the stream.
fn decode<'i>(pieces: impl IntoIterator<Item = &'i [u8]>, max: usize) -> Vec<Seen> {
    let mut decoder = SseDecoder::new(max);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut frames = decoder.push(piece);
        while let Some(item) = frames.next() {
            match item {
                Ok(SseItem::Frame(frame)) => {
                    seen.push(Seen::Frame(text(frame.event), text(frame.data)));
                }
                Ok(SseItem::Comment) => seen.push(Seen::Comment),
                Err(_) => {
                    seen.push(Seen::TooLong);
                    return seen;
                }
            }
        }
    }
    if let Some(frame) = decoder.finish().unwrap() {
        seen.push(Seen::Rest(text(frame.event), text(frame.data)));
    }
    seen
}

/// The standard's own words, line by line, on the whole stream at once.
fn naive(stream: &[u8]) -> Vec<Seen> {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let stream: Vec<u8> = text(stream)
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .into();
    let stream = text(&stream);
    let mut seen = Vec::new();
    let (mut event, mut data) = (String::new(), None::<String>);
    let mut lines: Vec<&str> = stream.split('\n').collect();
    let rest = lines.pop().unwrap();
    let field = |line: &str, event: &mut String, data: &mut Option<String>| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (name, &mut *data) {
            ("event", _) => *event = value.into(),
            ("data", Some(data)) => {
                data.push('\n');
                data.push_str(value);
            }
            ("data", None) => *data = Some(value.into()),
            _ => {}
        }
    };
    for line in lines {
        if line.is_empty() {
            let event = mem::take(&mut event);
            if let Some(data) = data.take() {
                seen.push(Seen::Frame(event, data));
            }
        } else if line.starts_with(':') {
            seen.push(Seen::Comment);
        } else {
            field(line, &mut event, &mut data);
        }
    }
    if !rest.is_empty() && !rest.starts_with(':') {
        field(rest, &mut event, &mut data);
    }
    if let Some(data) = data {
        seen.push(Seen::Rest(event, data));
    }
    seen
}

/// The expected items, whole, in every two pieces, and byte by byte.
fn check(stream: &[u8], expected: &[Seen]) {
    assert_eq!(decode([stream], MAX), expected, "{}", text(stream));
    assert_eq!(naive(stream), expected, "twin: {}", text(stream));
    assert_eq!(decode(stream.chunks(1), MAX), expected, "{}", text(stream));
    for cut in (0..=stream.len()).step_by(STRIDE) {
        let (head, tail) = stream.split_at(cut);
        let seen = decode([head, tail], MAX);
        assert_eq!(seen, expected, "{:?} | {:?}", text(head), text(tail));
    }
}

fn frame(event: &str, data: &str) -> Seen {
    Seen::Frame(event.into(), data.into())
}

fn rest(event: &str, data: &str) -> Seen {
    Seen::Rest(event.into(), data.into())
}

/// The fixtures of this folder, by name.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sse");
    let mut fixtures: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    fixtures.sort();
    assert!(fixtures.len() >= 7);
    fixtures
}

fn fixture(name: &str) -> Vec<u8> {
    let (_, bytes) = fixtures()
        .into_iter()
        .find(|(each, _)| each == name)
        .unwrap();
    bytes
}

#[test]
fn j4_fixtures_cut_anywhere_give_the_items_of_the_whole() {
    for (name, stream) in fixtures() {
        let expected = naive(&stream);
        assert!(expected.len() > 1 || name.starts_with("mark"), "{name}");
        check(&stream, &expected);
        for len in [2, 3, 5, 7, 64] {
            assert_eq!(decode(stream.chunks(len), MAX), expected, "{name} by {len}");
        }
    }
}

#[test]
fn j4_short_streams_cut_in_three_give_the_items_of_the_whole() {
    let stream = b"\xEF\xBB\xBFevent: a\r\ndata: b\rdata:c\r\n\r\n:x\ndata: d";
    let expected = [frame("a", "b\nc"), Seen::Comment, rest("", "d")];
    for first in (0..=stream.len()).step_by(STRIDE.div_ceil(8)) {
        for second in first..=stream.len() {
            let pieces = [
                stream.get(..first).unwrap(),
                stream.get(first..second).unwrap(),
                stream.get(second..).unwrap(),
            ];
            assert_eq!(decode(pieces, MAX), expected, "{first} {second}");
        }
    }
}

#[test]
fn j1_lines_end_in_lf_cr_or_crlf_in_any_mixture() {
    let expected = [
        frame("a", "1"),
        frame("b", "2"),
        frame("c", "3"),
        frame("", "4"),
        frame("", "5"),
    ];
    check(&fixture("j1-crlf-and-cr.sse"), &expected);
    for end in ["\n", "\r", "\r\n"] {
        let stream = format!("event: a{end}data: 1{end}{end}data: 2{end}{end}");
        check(stream.as_bytes(), &[frame("a", "1"), frame("", "2")]);
    }
}

#[test]
fn j2_blank_behind_the_colon_is_optional_and_one() {
    let expected = [
        frame("a", r#"{"x":1}"#),
        frame("", ""),
        frame("", " two"),
        frame("", ""),
    ];
    check(&fixture("j2-no-space.sse"), &expected);
}

#[test]
fn j3_lone_cr_ends_a_line_at_once() {
    let mut decoder = SseDecoder::new(MAX);
    let mut frames = decoder.push(b"data: a\r\r");
    assert!(matches!(frames.next(), Some(Ok(SseItem::Frame(frame))) if frame.data == b"a"));
    assert!(frames.next().is_none());
    // The LF that follows belongs to that line.
    let mut frames = decoder.push(b"\ndata: b\r");
    assert!(frames.next().is_none());
    let mut frames = decoder.push(b"\n\r");
    assert!(matches!(frames.next(), Some(Ok(SseItem::Frame(frame))) if frame.data == b"b"));
    let mut frames = decoder.push(b"\n");
    assert!(frames.next().is_none());
    assert!(decoder.is_between_frames());
}

#[test]
fn j4_comments_several_lines_and_an_open_end_are_read() {
    let expected = [
        Seen::Comment,
        Seen::Comment,
        Seen::Comment,
        frame("y", "one\ntwo\n"),
        rest("", r#"{"last":true}"#),
    ];
    check(
        &fixture("j4-comments-and-several-data-lines.sse"),
        &expected,
    );
}

#[test]
fn j4_unterminated_record_is_given_as_far_as_it_came() {
    let stream = b"event: a\ndata: {\"x\":1}\n\n";
    for end in 0..stream.len() {
        let cut = stream.get(..end).unwrap();
        let seen = decode([cut], MAX);
        assert_eq!(seen, naive(cut), "{end}");
        assert!(
            !seen.iter().any(|seen| matches!(seen, Seen::Frame(..))),
            "{end}"
        );
    }
    assert_eq!(decode([&b": ping"[..]], MAX), []);
    assert_eq!(decode([&b"event: x\n"[..]], MAX), []);
    assert_eq!(decode([&b"data: a\ndata: b"[..]], MAX), [rest("", "a\nb")]);
}

#[test]
fn byte_order_mark_counts_at_the_very_start_alone() {
    check(&fixture("mark-cut-short.sse"), &[frame("", "yes")]);
    check(&fixture("marks-inside.sse"), &[frame("", "yes\u{feff}")]);
    check(b"\xEF\xBB\xBFdata: a\n\n", &[frame("", "a")]);
    check(b"\xEF\xBB\xBF", &[]);
    check(b"\xEF\xBB", &[]);
}

#[test]
fn records_without_data_are_none_and_leave_no_name_behind() {
    check(b"event: a\n\ndata: b\n\n", &[frame("", "b")]);
    check(b"event: a\nid: 1\n\n\n\ndata: b\n\n", &[frame("", "b")]);
    check(b"event: a\nevent\ndata: b\n\n", &[frame("", "b")]);
    check(b"data: a\nevent: late\n\n", &[frame("late", "a")]);
    check(b"Data: a\ndata : b\n\n", &[]);
}

#[test]
fn frames_in_one_input_are_lent_from_it() {
    let stream = b"event: a\ndata: b\n\ndata: c\n\n";
    let range = stream.as_ptr_range();
    let mut decoder = SseDecoder::new(MAX);
    let mut frames = decoder.push(stream);
    let mut count = 0;
    while let Some(Ok(SseItem::Frame(frame))) = frames.next() {
        assert!(range.contains(&frame.data.as_ptr()));
        count += 1;
    }
    assert_eq!(count, 2);
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn j5_long_event_in_small_reads_is_one_event() {
    let data = "x".repeat(1_000_000 / STRIDE);
    let stream = format!("event: e\ndata: {data}\n\ndata: next\n\n");
    let expected = [frame("e", &data), frame("", "next")];
    assert_eq!(decode(stream.as_bytes().chunks(1_024), MAX), expected);
    // In lines: each is joined once.
    let lines = "data: 0123456789\n".repeat(50_000 / STRIDE);
    let joined = vec!["0123456789"; 50_000 / STRIDE].join("\n");
    let stream = format!("{lines}\n");
    assert_eq!(
        decode(stream.as_bytes().chunks(1_000), MAX),
        [frame("", &joined)]
    );
}

#[test]
fn j6_record_limit_holds_at_and_one_past_however_cut() {
    let max = 64;
    let cases: [(&str, usize); 4] = [
        // The line `data: xx..` counts whole while it is read.
        ("data: ", max - 6),
        // So does the name beside it.
        ("event: abc\ndata: ", max - 6 - 3),
        // Lines already joined count by their values.
        ("data: abc\ndata: ", max - 6 - 3),
        (": ", max - 2),
    ];
    for (start, room) in cases {
        for (len, over) in [(room, false), (room + 1, true)] {
            let stream = format!("{start}{}\n\ndata: ok\n\n", "x".repeat(len));
            let whole = decode([stream.as_bytes()], max);
            assert_eq!(whole.contains(&Seen::TooLong), over, "{start} {len}");
            assert_eq!(decode(stream.as_bytes().chunks(1), max), whole);
            for cut in (0..stream.len()).step_by(STRIDE) {
                let (head, tail) = stream.as_bytes().split_at(cut);
                assert_eq!(decode([head, tail], max), whole, "{start} {len} {cut}");
            }
        }
    }
}

#[test]
fn j6_failed_stream_stays_failed_and_holds_no_more_than_the_limit() {
    let mut decoder = SseDecoder::new(100);
    let mut frames = decoder.push(b"data: a\n\n");
    assert!(frames.next().unwrap().is_ok());
    let long = [b'x'; 101];
    let mut frames = decoder.push(&long);
    assert_eq!(frames.next().unwrap().unwrap_err().bytes_max, 100);
    let mut frames = decoder.push(b"\n\ndata: b\n\n");
    assert!(frames.next().unwrap().is_err());
    assert!(decoder.finish().is_err());
    assert!(decoder.held_bytes() <= 200);
    assert_eq!(
        FrameTooLong { bytes_max: 1 }.to_string(),
        "sse frame longer than 1 bytes (limit event_bytes_max)"
    );
}

#[test]
fn endless_comments_and_unknown_fields_are_not_kept() {
    let mut decoder = SseDecoder::new(100);
    for _ in 0..1_000 {
        let mut frames = decoder.push(b": still here\nid: 1\nretry: 2\n");
        assert_eq!(frames.next(), Some(Ok(SseItem::Comment)));
        assert_eq!(frames.next(), None);
    }
    assert!(decoder.held_bytes() <= IDLE_FRAME_BYTES);
}

#[test]
fn end_of_input_between_frames_is_told_from_one_inside() {
    let stream = b"\xEF\xBB\xBF: c\nevent: a\ndata: b\n\nid: 1\n\ndata: x\r\n\r\n";
    for end in 0..=stream.len() {
        let seen = stream.get(..end).unwrap();
        let lines = text(seen.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(seen));
        let lines = lines.replace("\r\n", "\n").replace('\r', "\n");
        let open = lines
            .rsplit("\n\n")
            .next()
            .unwrap()
            .trim_start_matches('\n')
            .to_owned();
        // A comment is nothing, cut or whole.
        let expected = open
            .split('\n')
            .all(|line| line.is_empty() || line.starts_with(':'));
        for len in [1, end.max(1)] {
            let mut decoder = SseDecoder::new(MAX);
            for piece in seen.chunks(len) {
                let mut frames = decoder.push(piece);
                while frames.next().is_some() {}
            }
            assert_eq!(decoder.is_between_frames(), expected, "{end} {lines:?}");
        }
    }
}

#[test]
fn memory_of_a_long_record_is_given_back() {
    let mut decoder = SseDecoder::new(MAX);
    let long = format!("data: {}", "x".repeat(100_000));
    assert!(decoder.push(long.as_bytes()).next().is_none());
    assert!(decoder.held_bytes() > 100_000);
    let mut frames = decoder.push(b"\n\n");
    assert!(frames.next().is_some());
    assert!(frames.next().is_none());
    assert!(decoder.held_bytes() <= 3 * IDLE_FRAME_BYTES);
}

#[test]
fn random_streams_in_random_pieces_equal_the_twin() {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(below).unwrap()).unwrap()
    };
    let parts: [&[u8]; 16] = [
        b"data: a",
        b"data:",
        b"data",
        b"event: e",
        b"event:",
        b": c",
        b":",
        b"id: 1",
        b"x",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\xEF\xBB\xBF",
        "é".as_bytes(),
    ];
    for _ in 0..5_000 / STRIDE {
        let mut stream = Vec::new();
        for _ in 0..random(20) {
            stream.extend_from_slice(parts[random(parts.len())]);
        }
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + random(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        assert_eq!(
            decode(pieces.iter().copied(), MAX),
            naive(&stream),
            "{pieces:?}"
        );
    }
}
