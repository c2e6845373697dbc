use ringway_test_support::stride::STRIDE;

use super::*;

#[test]
fn writer_places_commas_at_every_level() {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.open_object().name("a").number(1).name("b").open_array();
    w.string("x\n\"")
        .open_object()
        .close_object()
        .null()
        .close_array();
    w.name("c")
        .open_object()
        .name("d")
        .boolean(true)
        .close_object()
        .close_object();
    assert_eq!(out, br#"{"a":1,"b":["x\n\"",{},null],"c":{"d":true}}"#);
}

#[test]
fn numbers_and_control_bytes_are_spelled_out() {
    let mut out = Vec::new();
    number_into(0, &mut out);
    out.push(b' ');
    number_into(u64::MAX, &mut out);
    escape_into("\u{1}é", &mut out);
    assert_eq!(out, "0 18446744073709551615\\u0001é".as_bytes());
}

#[test]
fn escaped_text_is_read_back_by_another_parser() {
    let every_ascii: String = (0..0x80u8).map(char::from).collect();
    for text in [
        "",
        "plain",
        "é€\u{1F600}\u{7f}\u{2028}",
        &every_ascii,
        "\\\"\\",
    ] {
        let mut out = vec![b'"'];
        escape_into(text, &mut out);
        out.push(b'"');
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

#[test]
fn what_is_json_already_is_copied_as_it_stands() {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.open_object();
    w.name_raw(Raw::from_checked(br"\u0061"))
        .raw(Raw::from_checked(br"\n\/"));
    w.name("b").value(b"1.0e0").name("c");
    w.raw_parts(&[
        Raw::from_checked(b"x"),
        Raw::EMPTY,
        Raw::from_checked(br"\t"),
    ]);
    w.close_object();
    assert_eq!(out, br#"{"\u0061":"\n\/","b":1.0e0,"c":"x\t"}"#);
}

#[test]
fn whole_numbers_of_every_length_are_spelled_as_by_the_standard_library() {
    for exponent in 0..64 {
        for number in [1u64 << exponent, (1 << exponent) - 1, u64::MAX >> exponent] {
            let mut out = Vec::new();
            number_into(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}

#[test]
fn plain_texts_are_those_that_need_no_escape_and_that_no_terminal_obeys() {
    let is_plain = |byte: u8| (b' '..0x7F).contains(&byte) && byte != b'"' && byte != b'\\';
    let at_each = |length| (0..length).map(move |at| (length, at));
    let cases = (0..20).flat_map(at_each);
    let cases = cases.flat_map(|(length, at)| (0..=u8::MAX).map(move |byte| (length, at, byte)));
    for (length, at, byte) in cases.step_by(STRIDE) {
        let mut text = vec![b'a'; length];
        text[at] = byte;
        let mut out = b">".to_vec();
        let taken = plain_into(&text, &mut out);
        assert_eq!(taken, is_plain(byte), "{byte} at {at} of {length}");
        assert_eq!(out.len(), if taken { length + 1 } else { 1 });
    }
    for length in 0..20 {
        assert!(plain_into(&vec![b'~'; length], &mut Vec::new()));
    }
}
