//! JSON strings: text escaped and read back is the same text, here and in another parser; what the
//! grammar takes as a string means what it means there.

use ringway::json::lexeme;
use ringway::json::raw::Raw;
use ringway::json::write::escape_into;

use crate::json;

/// Any bytes: once as text to be escaped, once as what stands between two quotes.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut escaped = vec![b'"'];
    escape_into(&text, &mut escaped);
    escaped.push(b'"');
    let source = std::str::from_utf8(&escaped).expect("escaped text is UTF-8");
    assert_eq!(json::text(source).as_deref(), Some(&*text));
    let raw = Raw::from_checked(&escaped[1..escaped.len() - 1]);
    meaning(raw, &text);

    let quoted = [b"\"", input, b"\""].concat();
    let found = lexeme::string_end(&quoted, 1);
    let end = plain_end(&quoted);
    let Ok((at, has_escape)) = found else {
        assert!(end.is_none_or(|end| !json::is_json(&quoted[..=end])));
        return;
    };
    assert_eq!(Some(at), end);
    let body = &quoted[1..at];
    assert_eq!(has_escape, body.contains(&b'\\'));
    assert!(json::is_json(&quoted[..=at]));
    let source = std::str::from_utf8(&quoted[..=at]).expect("a string is UTF-8");
    match json::text(source) {
        Some(text) => meaning(Raw::from_checked(body), &text),
        // Halves of pairs: decoded text keeps their spelling and stays UTF-8.
        None => assert!(Raw::from_checked(body).decode().contains("\\u")),
    }
}

fn meaning(raw: Raw<'_>, text: &str) {
    assert_eq!(raw.decode(), text);
    assert!(raw.is(text) && !raw.is(&format!("{text}x")));
    assert_eq!(raw.char_count(), text.chars().count());
    assert_eq!(raw.is_blank(), text.trim().is_empty());
    assert_eq!(raw.is_empty(), text.is_empty());
    assert!(raw.plain().is_none_or(|plain| plain == text));
}

/// The first quote behind the opening one that no backslash escapes.
fn plain_end(quoted: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match quoted.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
