use ringway_test_support::stride::STRIDE;

use super::*;

#[test]
fn decode_joins_surrogates_and_keeps_lone_ones() {
    let cases = [
        ("plain", "plain"),
        (r"a\nb\t\\\/\u0041", "a\nb\t\\/A"),
        (r"\ud83d\ude00!", "\u{1F600}!"),
        (r"\ud83d", r"\ud83d"),
        (r"\ude00\ud83d", r"\ude00\ud83d"),
        (r"\ud83dx", r"\ud83dx"),
    ];
    for (input, expected) in cases {
        assert_eq!(
            Raw::from_checked(input.as_bytes()).decode(),
            expected,
            "{input}"
        );
    }
}

#[test]
fn is_sees_through_escapes() {
    assert!(Raw::from_checked(br"mod\u0065l").is("model"));
    assert!(!Raw::from_checked(br"mod\u0065ls").is("model"));
    assert!(!Raw::from_checked(br"mod\u0065").is("model"));
    assert!(Raw::from_checked(br"\n \t").is_blank());
    assert_eq!(
        Raw::from_checked(r"é\ud83d\ude00".as_bytes()).char_count(),
        2
    );
}

/// What another parser makes of the string `body`.
#[test]
fn is_agrees_with_decoding_for_every_pair() {
    let bodies = [
        "",
        "a",
        "ab",
        r"\u0061",
        r"\u0061b",
        r"a\u0062",
        r"\n",
        r"\\n",
        r"\ud83d",
        r"\\ud83d",
        r"\ud83d\ude00",
        "\u{1F600}",
        r"\ud83d\u0061",
    ];
    for own in bodies.map(|body| Raw::from_checked(body.as_bytes())) {
        for other in bodies {
            let texts = [
                other.to_owned(),
                Raw::from_checked(other.as_bytes()).decode(),
            ];
            for text in texts {
                assert_eq!(own.is(&text), own.decode() == text, "{own:?} {text:?}");
            }
        }
    }
}

fn decoded_elsewhere(body: &str) -> Option<String> {
    serde_json::from_str(&format!("\"{body}\"")).ok()
}

#[test]
fn decode_equals_another_parser_wherever_that_has_an_answer() {
    let parts = [
        "a",
        "é",
        "€",
        "\u{1F600}",
        r"\n",
        r"\\",
        r#"\""#,
        r"\/",
        r"\u0000",
        r"\u00e9",
        r"\uFFFF",
        r"\ud83d\ude00",
        r"\uD83D\uDE00",
        r"\b\f\r\t",
    ];
    for first in parts {
        for second in parts {
            for third in parts.into_iter().step_by(STRIDE) {
                let body = format!("{first}{second}{third}");
                let raw = Raw::from_checked(body.as_bytes());
                let text = decoded_elsewhere(&body).unwrap();
                assert_eq!(raw.decode(), text, "{body}");
                assert_eq!(raw.char_count(), text.chars().count(), "{body}");
                assert_eq!(raw.is_blank(), text.trim().is_empty(), "{body}");
                assert!(raw.is(&text), "{body}");
                assert!(!raw.is(&format!("{text}x")), "{body}");
                assert_eq!(raw.plain().is_some(), !body.contains('\\'), "{body}");
            }
        }
    }
}

#[test]
fn lone_surrogates_of_every_kind_keep_their_spelling() {
    let halves = [r"\ud800", r"\uDBFF", r"\udc00", r"\uDFFF", "x", r"\n"];
    for first in halves {
        for second in halves {
            let body = format!("{first}{second}");
            let raw = Raw::from_checked(body.as_bytes());
            let expected = decoded_elsewhere(&body).unwrap_or_else(|| body.replace(r"\n", "\n"));
            assert_eq!(raw.decode(), expected, "{body}");
        }
    }
}

#[test]
fn escape_cut_short_is_passed_as_it_stands() {
    for body in ["\\", "\\u", "\\u12", "\\uD83D\\", "\\uD83D\\uDE", "\\x"] {
        assert_eq!(Raw::from_checked(body.as_bytes()).decode(), body);
    }
}

#[test]
fn from_plain_takes_only_what_needs_no_escape() {
    assert_eq!(
        Raw::from_plain("é /").map(Raw::bytes),
        Some("é /".as_bytes())
    );
    for text in ["\"", "\\", "\n", "\u{1f}"] {
        assert!(Raw::from_plain(text).is_none());
    }
    assert!(Raw::EMPTY.is_empty() && Raw::EMPTY.is_blank() && Raw::EMPTY.is(""));
}

#[test]
fn decode_start_holds_whole_characters_and_no_more_than_was_asked() {
    let raw = Raw::from_checked(r"a\u00e9\n\ud83d\ude00b".as_bytes());
    let whole = "a\u{e9}\n\u{1f600}b";
    assert_eq!(raw.decode(), whole);
    for most in 0..=whole.len() + 1 {
        let end = whole.floor_char_boundary(most);
        assert_eq!(raw.decode_start(most), whole.get(..end).unwrap(), "{most}");
    }
}
