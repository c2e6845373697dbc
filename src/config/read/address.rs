//! Listen addresses as people write them.

use core::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::config::schema::fault::shown;
use crate::config::schema::file::ListenAddress;

/// Reads `127.0.0.1:8080`, `[::1]:8080` or `unix:/path`; the error says what was expected.
pub fn parse(text: &str) -> Result<ListenAddress, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path);
    }
    text.parse().map(ListenAddress::Tcp).map_err(|_| {
        let port = text.rsplit_once(':').map_or("", |(_, port)| port);
        let cure = match port.parse::<u16>() {
            Ok(port) => format!("for this host alone 127.0.0.1:{port}, for all 0.0.0.0:{port}"),
            Err(_) => "such as 127.0.0.1:8080, [::1]:8080 or unix:/run/ringway.sock".to_owned(),
        };
        let found = shown(text);
        format!("expected an IP address with a port or `unix:` and a path, found `{found}`; {cure}")
    })
}

/// Whether only this host reaches the address.
#[must_use]
pub fn is_local(address: &ListenAddress) -> bool {
    match address {
        ListenAddress::Unix(_) => true,
        ListenAddress::Tcp(address) => is_loopback(address),
    }
}

fn is_loopback(address: &SocketAddr) -> bool {
    match address.ip() {
        IpAddr::V4(ip) => ip.is_loopback(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => mapped.is_loopback(),
            None => ip.is_loopback(),
        },
    }
}

fn unix(path: &str) -> Result<ListenAddress, String> {
    if !path.starts_with('/') {
        return Err(format!(
            "expected an absolute path after `unix:`, found `{}`",
            shown(path)
        ));
    }
    if path.len() > UNIX_PATH_BYTES_MAX || path.contains('\0') {
        return Err(format!(
            "expected at most {UNIX_PATH_BYTES_MAX} bytes of path after `unix:`, found {}",
            path.len()
        ));
    }
    Ok(ListenAddress::Unix(PathBuf::from(path)))
}

/// What fits into a socket address with its closing NUL.
const UNIX_PATH_BYTES_MAX: usize = 107;

#[cfg(test)]
mod tests {
    use super::{UNIX_PATH_BYTES_MAX, is_local, parse};

    #[test]
    fn parse_of_every_documented_form_is_taken() {
        for (text, local) in [
            ("127.0.0.1:8080", true),
            ("127.9.9.9:1", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("unix:/run/ringway.sock", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("[::ffff:10.0.0.1]:80", false),
            ("10.0.0.1:0", false),
        ] {
            assert_eq!(is_local(&parse(text).unwrap()), local, "{text}");
        }
    }

    #[test]
    fn parse_of_anything_else_names_the_cure() {
        for (text, cure) in [
            ("8080", "such as 127.0.0.1:8080"),
            (":8080", "for this host alone 127.0.0.1:8080"),
            ("localhost:8080", "for all 0.0.0.0:8080"),
            ("127.0.0.1", "such as"),
            ("127.0.0.1:70000", "such as"),
            ("unix:run/x", "absolute path"),
            ("unix:", "absolute path"),
            ("", "such as"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(cure), "{text}: {fault}");
        }
    }

    #[test]
    fn parse_of_unix_path_at_its_bound_is_taken_and_one_past_refused() {
        let path = |bytes: usize| format!("unix:/{}", "x".repeat(bytes - 1));
        assert!(parse(&path(UNIX_PATH_BYTES_MAX)).is_ok());
        assert!(parse(&path(UNIX_PATH_BYTES_MAX + 1)).is_err());
    }
}
