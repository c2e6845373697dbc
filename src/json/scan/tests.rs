//! The grammar against the JSON test suite and against another parser.

use core::ops::Range;
use std::path::PathBuf;
use std::{env, fs};

use ringway_test_support::stride::STRIDE;

use super::*;
use crate::json::sink::Scalar;

/// Counts what passes by and checks that spans and nesting make sense.
#[derive(Default)]
struct Counter {
    names: usize,
    scalars: usize,
    depth: usize,
    last: usize,
}

impl Counter {
    fn moves_on(&mut self, span: &Range<usize>) {
        assert!(self.last <= span.start && span.start <= span.end);
        self.last = span.end;
    }
}

impl Sink for Counter {
    fn name(&mut self, span: Range<usize>, _escaped: bool) -> Result<(), JsonErrorKind> {
        self.moves_on(&span);
        self.names += 1;
        Ok(())
    }

    fn scalar(&mut self, _scalar: Scalar, span: Range<usize>) -> Result<(), JsonErrorKind> {
        self.moves_on(&span);
        self.scalars += 1;
        Ok(())
    }

    fn open(&mut self, _object: bool, at: usize) -> Result<bool, JsonErrorKind> {
        self.moves_on(&(at..at + 1));
        self.depth += 1;
        Ok(true)
    }

    fn close(&mut self, end: usize) -> Result<(), JsonErrorKind> {
        self.moves_on(&(end - 1..end));
        self.depth -= 1;
        Ok(())
    }
}

fn read(text: &[u8]) -> Result<(), JsonError> {
    let mut counter = Counter::default();
    document(text, DEPTH_MAX, &mut counter)?;
    assert_eq!(counter.depth, 0);
    Ok(())
}

/// The grammar's verdict by another parser. It knows neither encoding nor our depth limit.
fn accepted_elsewhere(text: &[u8]) -> bool {
    core::str::from_utf8(text).is_ok()
        && serde_json::from_slice::<Box<serde_json::value::RawValue>>(text).is_ok()
}

/// The suite's folder, if it is there. It must be in CI.
fn suite() -> Option<PathBuf> {
    let folder = env::var_os("RINGWAY_JSON_SUITE").map_or_else(
        || {
            PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                .join("../shared/data/JSONTestSuite/test_parsing")
        },
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        env::var_os("CI").is_none() && env::var_os("RINGWAY_JSON_SUITE").is_none(),
        "no JSON test suite at {}: set RINGWAY_JSON_SUITE to its test_parsing folder",
        folder.display()
    );
    eprintln!("json suite not checked: no folder {}", folder.display());
    None
}

#[test]
fn suite_documents_are_judged_as_the_suite_says() {
    let Some(folder) = suite() else { return };
    let mut counts = [0; 3];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let accepted = read(&fs::read(&path).unwrap()).is_ok();
        match name.get(..2).unwrap() {
            "y_" => {
                counts[0] += 1;
                assert!(accepted, "{name}");
            }
            "n_" => {
                counts[1] += 1;
                assert!(!accepted, "{name}");
            }
            "i_" => {
                counts[2] += 1;
                assert_eq!(accepted, TAKEN.contains(&name.as_str()), "{name}");
            }
            _ => {}
        }
    }
    assert_eq!(counts, [95, 188, 35]);
}

/// Of the documents that the suite leaves open: numbers of any size and lone surrogate escapes are
/// taken (the provider judges them), everything that is no UTF-8, opens with a byte order mark or
/// nests past the limit is refused.
const TAKEN: &[&str] = &[
    "i_number_double_huge_neg_exp.json",
    "i_number_huge_exp.json",
    "i_number_neg_int_huge_exp.json",
    "i_number_pos_double_huge_exp.json",
    "i_number_real_neg_overflow.json",
    "i_number_real_pos_overflow.json",
    "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
    "i_object_key_lone_2nd_surrogate.json",
    "i_string_1st_surrogate_but_2nd_missing.json",
    "i_string_1st_valid_surrogate_2nd_invalid.json",
    "i_string_incomplete_surrogate_and_escape_valid.json",
    "i_string_incomplete_surrogate_pair.json",
    "i_string_incomplete_surrogates_escape_valid.json",
    "i_string_invalid_lonely_surrogate.json",
    "i_string_invalid_surrogate.json",
    "i_string_inverted_surrogates_U+1D11E.json",
    "i_string_lone_second_surrogate.json",
];

/// Documents with every construct of the grammar, to be broken in every way below.
const SEEDS: &[&str] = &[
    r#"{"a":[1,-2.5e+3,0.10E-1,true,false,null,{}],"b\u00e9\n":"x\"\\\/\b\f\r\t\uD83D\uDE00é","":[[]]}"#,
    " [ 0 , -0 , 10 , 1e5 , \"\" , \"\u{10FFFF}\u{7FF}\u{FFFF}\" ] \r\n\t",
    "\"0123456789abcdef0123456789abcdef0123456789abcdef\u{e9}0123456789abcdef0123456789abcdef\"",
    "{\"long name that passes over more than one block of bytes .......................\":\
     \"and a long value with an escape far in, so that the blocks end early ......... \\n ..... \"}",
    "-0.0e0",
    "true",
];

/// Bytes that mean something somewhere in the grammar, or nothing anywhere.
const SPLINTERS: &[u8] = b"\0\t\n \"\\/{}[],:-+.0129eEuatfn\x7f\x80\xbf\xc3\xe2\xed\xf0\xf5\xff";

#[test]
fn documents_broken_at_any_byte_are_judged_as_by_another_parser() {
    let check = |text: &[u8]| {
        assert_eq!(
            read(text).is_ok(),
            accepted_elsewhere(text),
            "{:?}",
            String::from_utf8_lossy(text)
        );
    };
    for seed in SEEDS {
        let seed = seed.as_bytes();
        assert!(read(seed).is_ok());
        for at in (0..seed.len()).step_by(STRIDE) {
            check(seed.get(..at).unwrap());
            let mut broken = seed.to_vec();
            broken.remove(at);
            check(&broken);
            for &splinter in SPLINTERS {
                let mut broken = seed.to_vec();
                broken[at] = splinter;
                check(&broken);
                broken.insert(at + 1, seed[at]);
                check(&broken);
            }
        }
    }
}

#[test]
fn text_in_every_encoding_length_at_every_offset_is_judged_by_its_utf8() {
    // Around the block borders of the string scanner.
    for before in (0..70).step_by(STRIDE) {
        for bad in [
            &b"\xC3\xA9"[..],
            b"\xE2\x82\xAC",
            b"\xF0\x9F\x98\x80",
            b"\xC3",
            b"\xE2\x82",
            b"\xF0\x9F\x98",
            b"\xED\xA0\x80",
            b"\xC0\x80",
            b"\xF4\x90\x80\x80",
            b"\x80",
            b"\x1F",
            b"\\",
            b"\"",
            b"\x7F",
        ] {
            for after in [0, 1, 31, 40] {
                let mut text = vec![b'"'];
                text.extend(std::iter::repeat_n(b'x', before));
                text.extend_from_slice(bad);
                text.extend(std::iter::repeat_n(b'y', after));
                text.push(b'"');
                assert_eq!(read(&text).is_ok(), accepted_elsewhere(&text), "{text:?}");
            }
        }
    }
}

#[test]
fn faults_tell_kind_and_offset() {
    use JsonErrorKind as K;
    let cases: &[(&[u8], K, usize)] = &[
        (b"", K::Empty, 0),
        (b" \n", K::Empty, 2),
        (b"\xEF\xBB\xBF{}", K::ByteOrderMark, 0),
        (b"\"a\xFFb\"", K::Utf8, 2),
        (b"\"\xC3\xA9\xE2\x82\"", K::Utf8, 3),
        (b"[\"ok\", \"\xE9\"]", K::Utf8, 8),
        (b"{\"\xC3\":1}", K::Utf8, 2),
        (b"[1,2", K::Cut, 4),
        (b"\"abc", K::Cut, 4),
        (b"\"\\u12", K::Cut, 5),
        (b"tru", K::Cut, 3),
        (b"-", K::Cut, 1),
        (b"[1 2]", K::ExpectedCommaOrBracket, 3),
        (b"{\"a\":1 \"b\":2}", K::ExpectedCommaOrBrace, 7),
        (b"{\"a\" 1}", K::ExpectedColon, 5),
        (b"{a:1}", K::ExpectedName, 1),
        (b"{\"a\":1,}", K::ExpectedName, 7),
        (b"[1,]", K::ExpectedValue, 3),
        (b"[trux]", K::ExpectedValue, 1),
        (b"[01]", K::Number, 2),
        (b"[1.]", K::Number, 3),
        (b"[1e+]", K::Number, 4),
        (b"[\"a\nb\"]", K::ControlByte, 3),
        (b"[\"\\x\"]", K::Escape, 3),
        (b"[\"\\u12G4\"]", K::Escape, 6),
        (b"{}{}", K::Trailing, 2),
        (b"{} x", K::Trailing, 3),
        (b"\xC3\xA9", K::ExpectedValue, 0),
        (b"{}\xFF", K::Utf8, 2),
    ];
    for &(text, kind, at) in cases {
        let name = String::from_utf8_lossy(text);
        assert_eq!(read(text), Err(JsonError { kind, at }), "{name}");
    }
}

#[test]
fn depth_holds_at_the_limit_and_breaks_one_past() {
    for limit in [1, 5, DEPTH_MAX] {
        let depth = limit as usize;
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
            let mut counter = Counter::default();
            assert!(document(nested(depth).as_bytes(), limit, &mut counter).is_ok());
            let mut counter = Counter::default();
            let error = document(nested(depth + 1).as_bytes(), limit, &mut counter).unwrap_err();
            assert_eq!(error.kind, JsonErrorKind::Depth);
            assert_eq!(error.at, depth * open.len());
        }
    }
    // No caller gets more than the word that keeps the open containers has bits.
    let deep = "[".repeat(129) + &"]".repeat(129);
    assert!(document(deep.as_bytes(), u32::MAX, &mut Counter::default()).is_err());
}

#[test]
fn closing_brackets_are_held_against_their_opening_ones() {
    for text in ["[}", "{]", "[{]}", "{\"a\":[}]", "[[}]", "{\"a\":{]}"] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn sink_hears_everything_once_and_may_end_the_scan() {
    let mut counter = Counter::default();
    document(br#"{"a":[1,{"b":"c"}],"d":null}"#, 8, &mut counter).unwrap();
    assert_eq!((counter.names, counter.scalars), (3, 3));

    struct Refuses;
    impl Sink for Refuses {
        fn name(&mut self, _: Range<usize>, _: bool) -> Result<(), JsonErrorKind> {
            Ok(())
        }
        fn scalar(&mut self, _: Scalar, _: Range<usize>) -> Result<(), JsonErrorKind> {
            Err(JsonErrorKind::Values)
        }
        fn open(&mut self, _: bool, _: usize) -> Result<bool, JsonErrorKind> {
            Ok(true)
        }
        fn close(&mut self, _: usize) -> Result<(), JsonErrorKind> {
            Ok(())
        }
    }
    let error = document(b"[ 7, x", 8, &mut Refuses).unwrap_err();
    assert_eq!(
        error,
        JsonError {
            kind: JsonErrorKind::Values,
            at: 2
        }
    );
}

#[test]
fn trimmed_takes_the_blanks_of_json_alone() {
    for (text, rest) in [
        (&b" \t\r\n{ }\n "[..], &b"{ }"[..]),
        (b"{}\x0c", b"{}\x0c"),
        (b"\x0c {}", b"\x0c {}"),
        (b" \n", b""),
        (b"", b""),
    ] {
        assert_eq!(trimmed(text), rest);
    }
}
