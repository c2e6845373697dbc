//! The `model` field of a form: the same however the body is cut, and the twin's.

use ringway::wire::peek::multipart::{Field, Finder, FormFault};

use crate::pieces;

/// A form's content type up to the first line end, then its body; without one, a usual type.
pub fn check(input: &[u8]) {
    let usual: &[u8] = b"multipart/form-data; boundary=b";
    let line = input.iter().position(|&b| b == b'\n');
    let (kind, body) = match line {
        Some(end) if input.starts_with(b"multipart") => (&input[..end], &input[end + 1..]),
        _ => (usual, input),
    };
    if Finder::new(kind).is_none() {
        return;
    }
    let found = pieces::same_in_all_ways(body, |pieces| search(kind, pieces));
    if let Ok(Some(field)) = &found {
        let start = usize::try_from(field.span.start).unwrap();
        let end = usize::try_from(field.span.end).unwrap();
        assert_eq!(&body[start..end], field.value.as_bytes());
    }
    if kind == usual
        && let Some(expected) = plain(body)
    {
        assert_eq!(found.map(|field| field.map(|it| it.value)), expected);
    }
}

fn search(kind: &[u8], pieces: &[&[u8]]) -> Result<Option<Field>, FormFault> {
    let mut finder = Finder::new(kind).expect("checked by the caller");
    for piece in pieces {
        finder.push(piece)?;
    }
    Ok(finder.field().cloned())
}

/// What comes of a body that is a form beyond doubt (every part one plain head line), or that is
/// one but for a first line of a part that starts with the dashes and the boundary and is no
/// delimiter, which RFC 2046 §5.1.1 forbids; nothing for any other body.
fn plain(body: &[u8]) -> Option<Result<Option<String>, FormFault>> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text
        .strip_prefix("--b\r\n")?
        .strip_suffix("\r\n--b--\r\n")?;
    let mut model = None;
    for part in text.split("\r\n--b\r\n") {
        let head = part.strip_prefix("Content-Disposition: form-data; name=\"")?;
        let (name, value) = head.split_once("\"\r\n\r\n")?;
        let is_odd = value.contains("\r\n--b") || name.contains(['"', '\\', '\r', '\n', '\0']);
        let is_promise = matches!(name, "privacy_tier" | "pii_substitution");
        if is_odd || is_promise || name.len() > 1000 {
            return None;
        }
        let line = value.strip_prefix("--b");
        if line.is_some_and(|rest| rest.is_empty() || rest.starts_with(['\r', '-', ' ', '\t'])) {
            return None;
        }
        if name == "model" {
            if model.is_some() || value.is_empty() || value.len() > 1000 {
                return None;
            }
            if line.is_some() {
                return Some(Err(FormFault::NotText));
            }
            model = Some(value.to_owned());
        } else if line.is_some() {
            return Some(Err(FormFault::Malformed));
        }
    }
    Some(Ok(model))
}
