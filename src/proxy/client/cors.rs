//! Browsers from other origins: off unless the configuration names them.

use crate::http1::encode;
use crate::proxy::client::custody;

/// The field lines that let the asking origin read the answer, `own` among its fields; where it may
/// not, at most `vary`.
#[must_use]
pub fn lines(origin: Option<&[u8]>, allowed: &[Box<str>], own: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if allowed.is_empty() {
        return out;
    }
    let any = allowed.iter().any(|each| &**each == "*");
    if !any {
        // Without it a cache could show one origin what was written for another.
        encode::field(&mut out, b"vary", b"origin");
    }
    if let Some(origin) = origin.filter(|origin| admits(origin, allowed)) {
        encode::field(
            &mut out,
            b"access-control-allow-origin",
            if any { b"*" } else { origin },
        );
        let shown = "x-request-id, request-id, x-ringway-translation, x-ringway-estimate, \
                     x-ringway-upstream-request-id, server-timing, retry-after, retry-after-ms, \
                     x-should-retry";
        let shown = [own, custody::EXPOSED, shown].join(", ");
        encode::field(&mut out, b"access-control-expose-headers", shown.as_bytes());
    }
    out
}

/// Whether this origin may read answers.
#[must_use]
pub fn admits(origin: &[u8], allowed: &[Box<str>]) -> bool {
    let is_it = |each: &str| each == "*" || each.as_bytes().eq_ignore_ascii_case(origin);
    allowed.iter().any(|each| is_it(each))
}

/// The answer to a preflight: what may be asked.
pub fn preflight(out: &mut Vec<u8>, asked: Option<&[u8]>, allow: &str) {
    encode::field(out, b"access-control-allow-methods", allow.as_bytes());
    if let Some(asked) = asked {
        encode::field(out, b"access-control-allow-headers", asked);
    }
    encode::field(out, b"access-control-max-age", b"600");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_outside_the_list_get_nothing() {
        let list: Vec<Box<str>> = vec!["https://a.example".into()];
        for origin in [Some(&b"https://b.example"[..]), None] {
            assert_eq!(lines(origin, &list, ""), b"vary: origin\r\n");
        }
        assert!(lines(Some(b"https://a.example"), &[], "").is_empty());
        let text = String::from_utf8(lines(Some(b"https://a.example"), &list, "x-a-id")).unwrap();
        assert!(text.contains("\r\naccess-control-allow-origin: https://a.example\r\n"));
        assert!(text.contains("\r\naccess-control-expose-headers: x-a-id, x-ringway-model, "));
        let any = String::from_utf8(lines(Some(b"https://b.example"), &["*".into()], "")).unwrap();
        assert!(any.starts_with("access-control-allow-origin: *\r\n"));
    }
}
