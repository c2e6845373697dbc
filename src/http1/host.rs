//! The syntax of Host: one host with an optional port (RFC 3986 section 3.2).
//!
//! Not here: any meaning. Host chooses nothing in this gateway.

use core::net::Ipv6Addr;

/// Whether `value` is one host, not empty, with an optional port.
#[must_use]
pub fn is_host(value: &[u8]) -> bool {
    match value.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = memchr::memchr(b']', rest) else {
                return false;
            };
            let (literal, after) = rest.split_at(end);
            is_ip_literal(literal) && is_port_suffix(after.get(1..).unwrap_or_default())
        }
        None => {
            let end = memchr::memchr(b':', value).unwrap_or(value.len());
            let (name, after) = value.split_at(end);
            is_registered_name(name) && is_port_suffix(after)
        }
    }
}

/// Nothing, or a colon with at most five digits that make a port.
fn is_port_suffix(suffix: &[u8]) -> bool {
    let Some((colon, digits)) = suffix.split_first() else {
        return true;
    };
    *colon == b':'
        && digits.len() <= 5
        && digits.iter().all(u8::is_ascii_digit)
        && digits
            .iter()
            .fold(0u32, |port, b| port * 10 + u32::from(b - b'0'))
            <= u32::from(u16::MAX)
}

/// Host names and IPv4 addresses.
fn is_registered_name(name: &[u8]) -> bool {
    let plain = name.iter().take_while(|&&b| NAME[b as usize]).count();
    let mut rest = name.get(plain..).unwrap_or_default();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, rest @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                rest
            }
            (byte, _) if is_name_byte(byte) => after,
            _ => return false,
        };
    }
    !name.is_empty()
}

fn is_ip_literal(literal: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = literal {
        return is_ip_future(future);
    }
    core::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

fn is_ip_future(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    match text.get(digits..) {
        Some([b'.', address @ ..]) => {
            digits > 0
                && !address.is_empty()
                && address.iter().all(|&b| b == b':' || is_name_byte(b))
        }
        _ => false,
    }
}

/// [`is_name_byte`] of every byte.
const NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = is_name_byte(byte);
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// `unreserved` and `sub-delims` of RFC 3986.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn host_forms_of_rfc_3986_are_taken_and_others_refused() {
        let good = [
            "a",
            "localhost:8080",
            "127.0.0.1",
            "a.b-c_d",
            "a:",
            "a:65535",
            "[::1]",
            "[::1]:80",
            "[v1.a:b]",
            "a%20b",
        ];
        let bad = [
            "",
            ":80",
            "a:65536",
            "a:x",
            "a b",
            "a,b c",
            "a/b",
            "a@b",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[1.2.3.4]",
            "[fe80::1%25eth0]",
            "a%2",
            "a%zz",
            "a#",
            "a?b",
            "[v.a]",
            "[v1.]",
            "é",
            "a:123456",
        ];
        for host in good {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in bad {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
