use ringway_test_support::stride::STRIDE;

use super::{Finder, FormFault};
use crate::limits::{FORM_HEAD_BYTES_MAX, MODEL_ID_BYTES_MAX};

const TYPE: &[u8] = b"multipart/form-data; boundary=XyZ";

/// The model and its place, the same for the whole body and for every cut of it in two, and byte
/// by byte; long ones in somewhat larger pieces where each case takes long.
fn find(body: &str) -> Result<Option<String>, FormFault> {
    let run = |pieces: &[&[u8]]| {
        let mut finder = Finder::new(TYPE).unwrap();
        for piece in pieces {
            finder.push(piece)?;
            assert!(finder.carry.len() <= FORM_HEAD_BYTES_MAX + MODEL_ID_BYTES_MAX + body.len());
        }
        Ok(finder.field().cloned())
    };
    let whole = run(&[body.as_bytes()]);
    for at in (0..=body.len()).step_by(STRIDE) {
        let (one, two) = body.as_bytes().split_at(at);
        assert_eq!(run(&[one, two]), whole, "cut at {at}");
    }
    let size = if body.len() < 256 { 1 } else { STRIDE };
    let pieces: Vec<&[u8]> = body.as_bytes().chunks(size).collect();
    assert_eq!(run(&pieces), whole);
    whole.map(|field| {
        field.map(|field| {
            let span = usize::try_from(field.span.start).unwrap()
                ..usize::try_from(field.span.end).unwrap();
            assert_eq!(body.get(span), Some(field.value.as_str()));
            field.value
        })
    })
}

fn part(fields: &str, content: &str) -> String {
    format!("--XyZ\r\n{fields}\r\n\r\n{content}\r\n")
}

fn model(id: &str) -> String {
    part("Content-Disposition: form-data; name=\"model\"", id)
}

#[test]
fn model_among_other_parts_is_found_with_its_place() {
    let file = part(
        "content-disposition: form-data; name=\"file\"; filename=\"model\\\"; name=model.wav\"\r\ncontent-type: audio/wav",
        "\r\n--Xy\r\n--\r\n\r\nname=\"model\"\r\n\r\n",
    );
    let end = "--XyZ--\r\n";
    for body in [
        format!("{}{file}{end}", model("whisper-1")),
        format!("{file}{}{end}", model("whisper-1")),
        format!("a preamble\r\n{}{end}behind", model("whisper-1")),
        format!("--XyZ \t\r\nCONTENT-DISPOSITION:form-data;NAME=model\r\n\r\nwhisper-1\r\n{end}"),
        format!("--XyZ\r\n\r\nno fields\r\n{}{end}", model("whisper-1")),
        format!(
            "--XyZ\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n{}{end}",
            model("whisper-1")
        ),
    ] {
        assert_eq!(find(&body), Ok(Some("whisper-1".to_owned())), "{body}");
    }
    assert_eq!(find(&format!("{file}{end}{}", model("late"))), Ok(None));
    assert_eq!(find(""), Ok(None));
}

#[test]
fn promises_about_data_are_refused_wherever_they_stand() {
    for (name, fault) in [
        ("privacy_tier", FormFault::Tier),
        ("pii_substitution", FormFault::Promise),
    ] {
        let asked = model("x").replace("\"model\"", &format!("\"{name}\""));
        for body in [
            format!("{asked}{}--XyZ--\r\n", model("a")),
            format!("{}{asked}", model("a")),
        ] {
            assert_eq!(find(&body), Err(fault), "{body}");
        }
    }
}

#[test]
fn p14_forms_with_two_readings_are_faults() {
    let end = "--XyZ--\r\n";
    for (body, fault) in [
        (
            format!("{}{}{end}", model("a"), model("b")),
            FormFault::Repeated,
        ),
        (format!("{}{end}", model("")), FormFault::NotText),
        (
            format!(
                "{}{}{end}",
                model("").replace("\r\n\r\n\r\n", "\r\n\r\n"),
                model("a")
            ),
            FormFault::NotText,
        ),
        (format!("{}{end}", model("--XyZa")), FormFault::NotText),
        (
            format!("{}{end}", part("a: b", "--XyZa")),
            FormFault::Malformed,
        ),
        (
            format!("{}{end}", model(&"x".repeat(MODEL_ID_BYTES_MAX + 1))),
            FormFault::NotText,
        ),
        (
            "--XyZ\ncontent-disposition: form-data; name=\"model\"\n\nm\n".to_owned(),
            FormFault::Malformed,
        ),
        ("--XyZa\r\n\r\n".to_owned(), FormFault::Malformed),
        ("--XyZ\r\nno colon\r\n\r\n".to_owned(), FormFault::Malformed),
        ("--XyZ\r\na : b\r\n\r\n".to_owned(), FormFault::Malformed),
        (
            "--XyZ\r\na: b\r\n content-disposition: form-data; name=\"model\"\r\n\r\n".to_owned(),
            FormFault::Malformed,
        ),
        (
            "--XyZ\r\na: b\nc: d\r\n\r\n".to_owned(),
            FormFault::Malformed,
        ),
        (
            format!("--XyZ\r\na: {}", "x".repeat(FORM_HEAD_BYTES_MAX)),
            FormFault::Malformed,
        ),
    ] {
        assert_eq!(find(&body), Err(fault), "{body:.60}");
    }
    let longest = "x".repeat(MODEL_ID_BYTES_MAX);
    assert_eq!(
        find(&format!("{}{end}", model(&longest))),
        Ok(Some(longest))
    );
}

#[test]
fn p14_part_heads_that_could_name_two_fields_are_faults() {
    for disposition in [
        "form-data; name=\"x\"; name=\"model\"",
        "form-data; name=\"model\"; name=\"model\"",
        "form-data; name*=utf-8''model",
        "form-data; name=\"x\"; NAME*0=model",
        "form-data; name =\"model\"",
        "form-data; name= \"model\"",
        "form-data; name=\"x\" name=\"model\"",
        "form-data; name=\"x\"model",
        "form-data; name=mo\"del\"",
        "form-data; name=\"model",
        "form-data; x; name=\"model\"",
        "form-data name=\"model\"",
        "form-data; name=\"x\"\r\ncontent-disposition: form-data; name=\"model\"",
    ] {
        let body = part(&format!("content-disposition: {disposition}"), "m");
        assert_eq!(find(&body), Err(FormFault::Malformed), "{disposition}");
    }
    for disposition in [
        "form-data; name=\"file\"; filename=\"a; name=model\"; filename*=UTF-8''a%20b",
        "form-data; name=file; filename=a b.wav;",
        "form-data",
        "form-data;",
    ] {
        let body = part(&format!("content-disposition: {disposition}"), "m");
        assert_eq!(find(&body), Ok(None), "{disposition}");
    }
}

#[test]
fn content_types_without_a_boundary_or_of_other_bodies_have_no_finder() {
    for other in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"open",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary*=utf-8''a",
        "multipart/form-data; boundary =a",
        "multipart/mixed; boundary=a",
        "application/json; boundary=a",
    ] {
        assert!(Finder::new(other.as_bytes()).is_none(), "{other}");
    }
    for form in [
        "multipart/form-data; boundary=a",
        "Multipart/Form-Data ; charset=utf-8; Boundary=\"a\"",
    ] {
        assert_eq!(
            Finder::new(form.as_bytes()).unwrap().delimiter,
            b"\r\n--a",
            "{form}"
        );
    }
}
