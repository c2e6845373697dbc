use ringway_test_support::stride::STRIDE;

use super::*;

#[test]
fn decimal_has_one_spelling() {
    let good = [
        ("0", 0),
        ("7", 7),
        ("10", 10),
        ("18446744073709551615", u64::MAX),
    ];
    for (text, number) in good {
        assert_eq!(decimal(text.as_bytes()), Some(number), "{text}");
    }
    let bad = [
        "",
        "00",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1,1",
        "0x1",
        "1e3",
        "1.0",
        "a",
        "１",
        "18446744073709551616",
        "99999999999999999999999",
    ];
    for text in bad {
        assert_eq!(decimal(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn digits_are_appended_up_to_the_last_bit() {
    assert_eq!(append_digit(u64::MAX >> 4, b'f', 16), Some(u64::MAX));
    assert_eq!(append_digit((u64::MAX >> 4) + 1, b'0', 16), None);
    assert_eq!(append_digit(u64::MAX / 10, b'5', 10), Some(u64::MAX));
    assert_eq!(append_digit(u64::MAX / 10, b'6', 10), None);
    for byte in [b'g', b' ', b'-', 0xFF] {
        assert_eq!(append_digit(0, byte, 16), None);
    }
}

#[test]
fn token_and_value_bytes_are_those_of_the_standard() {
    for byte in 0..=u8::MAX {
        let delimiter = b"\"(),/:;<=>?@[\\]{}".contains(&byte);
        assert_eq!(
            is_token_byte(byte),
            byte.is_ascii_graphic() && !delimiter,
            "{byte}"
        );
        assert_eq!(
            is_value_byte(byte),
            byte == b'\t' || !byte.is_ascii_control(),
            "{byte}"
        );
    }
    assert!(!is_token(b"") && is_token(b"x-a") && is_value(b""));
}

#[test]
fn blanks_go_around_values_and_list_members() {
    assert_eq!(trim(b" \t a b\t "), b"a b");
    assert_eq!(trim(b" \t "), b"");
    let members: Vec<_> = list(b" close ,, Keep-Alive\t,x,").collect();
    assert_eq!(members, [&b"close"[..], b"Keep-Alive", b"x"]);
}

#[test]
fn is_same_is_the_comparison_of_single_bytes_without_case() {
    for pair in (0..=u16::MAX).step_by(STRIDE * STRIDE) {
        let [a, b] = pair.to_le_bytes();
        for len in [1, 3, 4, 7, 8, 9, 17] {
            for at in 0..len {
                let (mut left, mut right) = ([b'x'; 17], [b'X'; 17]);
                (left[at], right[at]) = (a, b);
                let (left, right) = (&left[..len], &right[..len]);
                assert_eq!(is_same(left, right), a.eq_ignore_ascii_case(&b), "{a} {b}");
                let mut room = [0; 17];
                let lower = lower(left, &mut room);
                assert_eq!(lower, Some(&*left.to_ascii_lowercase()), "{a}");
            }
        }
    }
    assert!(is_same(b"", b"") && !is_same(b"accept", b"accept-"));
}
