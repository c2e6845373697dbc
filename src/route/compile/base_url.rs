//! Base URLs: what a wire's own SDK takes, and what is wrong with others.
//!
//! The OpenAI SDKs take a base URL with `/v1`, the Anthropic ones without. Any path prefix may
//! stand before it. No credentials, query or fragment; the texts of faults repeat nothing of the
//! URL but its path, because people do paste keys into URLs.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::schema::fault::shown;
use crate::config::schema::file::ListenAddress;
use crate::config::schema::network::Network;
use crate::route::plan::provider::{ProviderAddress, Scheme};
use crate::wire::codec;
use crate::wire::kind::Wire;

/// Reads a base URL; the error says what is wrong and the cure.
pub fn parse(url: &str, wire: Wire) -> Result<ProviderAddress, String> {
    let (scheme, rest) = scheme_of(url)?;
    if rest.contains(['?', '#']) {
        return Err("holds a query or a fragment; keep scheme, host and path".to_owned());
    }
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("holds credentials; put the key into key_file or key_env".to_owned());
    }
    let (host, port) = host_and_port(authority)?;
    let prefix = path.trim_end_matches('/');
    check_path(prefix)?;
    let root = root(prefix, wire)?;
    let port = port.unwrap_or_else(|| scheme.default_port());
    Ok(ProviderAddress {
        scheme,
        authority: authority_of(&host, port, scheme).into(),
        host: host.into(),
        port,
        root: root.into(),
    })
}

/// What is probably not meant with an address that should have a version in its path: none.
#[must_use]
pub fn lacks_version(endpoint: &ProviderAddress, wire: Wire) -> bool {
    let is_version = |segment: &str| {
        let digits = segment.strip_prefix('v').unwrap_or_default();
        digits.starts_with(|c: char| c.is_ascii_digit())
    };
    codec::conventions(wire).base_has_version && !endpoint.root.split('/').any(is_version)
}

/// Whether only this host is reached.
#[must_use]
pub fn is_local(endpoint: &ProviderAddress) -> bool {
    let host = &*endpoint.host;
    let is_v4 = host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    let is_v6 = host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    is_v4 || is_v6 || host == "localhost"
}

/// Whether the host is an address, and in none of the networks.
#[must_use]
pub fn is_outside(endpoint: &ProviderAddress, networks: &[Network]) -> bool {
    let address = endpoint.host.parse::<IpAddr>();
    address.is_ok_and(|address| !networks.iter().any(|network| network.holds(address)))
}

/// Whether it is an address of this host that is listened on; names but `localhost` are not resolved.
#[must_use]
pub fn leads_to(endpoint: &ProviderAddress, listen: &ListenAddress) -> bool {
    let ListenAddress::Tcp(listen) = listen else {
        return false;
    };
    let on_all = listen.ip().is_unspecified();
    let is_met = match endpoint.host.parse::<IpAddr>() {
        Ok(ip) => ip == listen.ip() || (on_all && is_local(endpoint)),
        Err(_) => is_local(endpoint) && (on_all || listen.ip().is_loopback()),
    };
    endpoint.port == listen.port() && is_met
}

fn scheme_of(url: &str) -> Result<(Scheme, &str), String> {
    let missing = || "expected a URL that starts with https:// or http://".to_owned();
    let (scheme, rest) = url.split_once("://").ok_or_else(missing)?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Ok((Scheme::Https, rest)),
        "http" => Ok((Scheme::Http, rest)),
        _ => Err(missing()),
    }
}

fn host_and_port(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or("`[` of the host is never closed")?;
            host.parse::<Ipv6Addr>()
                .map_err(|_| "expected an IPv6 address between `[` and `]`")?;
            let port = match after.strip_prefix(':') {
                Some(port) => Some(port),
                None if after.is_empty() => None,
                None => return Err("expected `:` and a port after `]`".to_owned()),
            };
            (host, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    check_host(host)?;
    let port = port.map(port_of).transpose()?;
    Ok((host.to_ascii_lowercase(), port))
}

fn check_host(host: &str) -> Result<(), String> {
    let is_named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if host.is_empty() {
        return Err("has no host".to_owned());
    }
    let is_label = |label: &str| {
        let is_edged = label.starts_with('-') || label.ends_with('-');
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && !is_edged && label.chars().all(is_named)
    };
    let is_v6 = host.contains(':');
    if host.len() > HOST_BYTES_MAX || !(is_v6 || host.split('.').all(is_label)) {
        return Err("expected a host of letters, digits, `.` and `-` (punycode for others)".into());
    }
    Ok(())
}

fn port_of(text: &str) -> Result<u16, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text
        .parse::<u16>()
        .ok()
        .filter(|&port| port > 0 && is_plain);
    port.ok_or_else(|| "expected a port from 1 to 65535".to_owned())
}

fn check_path(prefix: &str) -> Result<(), String> {
    let is_plain = |byte: u8| matches!(byte, 0x21..=0x7E) && !b"\"<>\\^`{|}".contains(&byte);
    if !prefix.bytes().all(is_plain) {
        return Err("holds a byte in its path that must be percent-encoded".to_owned());
    }
    let segments = prefix.split('/').skip(1);
    let odd = |segment: &str| matches!(segment, "" | "." | "..");
    if segments.clone().any(odd) {
        return Err(format!(
            "has an empty, `.` or `..` segment in its path {}",
            shown(prefix)
        ));
    }
    Ok(())
}

/// What stands upstream in place of the client's `/v1`.
fn root(prefix: &str, wire: Wire) -> Result<String, String> {
    if codec::conventions(wire).base_has_version {
        return match prefix.strip_suffix("/v1/v1") {
            Some(before) => Err(format!(
                "says /v1 twice; make its path {}/v1",
                shown(before)
            )),
            None => Ok(prefix.to_owned()),
        };
    }
    match prefix.strip_suffix("/v1") {
        Some(before) => {
            let before = if before.is_empty() { "/" } else { before };
            Err(format!(
                "ends in /v1, which this wire adds itself (requests would go to /v1/v1); make its \
                 path {}",
                shown(before)
            ))
        }
        None => Ok(format!("{prefix}/v1")),
    }
}

fn authority_of(host: &str, port: u16, scheme: Scheme) -> String {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    if port == scheme.default_port() {
        return host;
    }
    format!("{host}:{port}")
}

/// Longest name of the domain system.
const HOST_BYTES_MAX: usize = 253;

/// Longest part of such a name between two dots.
const LABEL_BYTES_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use super::{is_local, lacks_version, parse};
    use crate::wire::kind::Wire::{self, AnthropicMessages, OpenAiChat};

    fn check(url: &str, wire: Wire, authority: &str, port: u16, root: &str) {
        let endpoint = parse(url, wire).unwrap();
        let found = (&*endpoint.authority, endpoint.port, &*endpoint.root);
        assert_eq!(found, (authority, port, root), "{url}");
    }

    #[test]
    fn parse_of_what_sdks_take_gives_the_root_of_the_wire() {
        let a = AnthropicMessages;
        check(
            "https://api.openai.com/v1",
            OpenAiChat,
            "api.openai.com",
            443,
            "/v1",
        );
        check(
            "https://api.openai.com/v1/",
            OpenAiChat,
            "api.openai.com",
            443,
            "/v1",
        );
        check(
            "HTTPS://API.openai.com:443/v1",
            OpenAiChat,
            "api.openai.com",
            443,
            "/v1",
        );
        check(
            "http://h:8000/a/b/v1",
            OpenAiChat,
            "h:8000",
            8000,
            "/a/b/v1",
        );
        check("http://h:443/v1", OpenAiChat, "h:443", 443, "/v1");
        check("http://[::1]:80/v1", OpenAiChat, "[::1]", 80, "/v1");
        check("http://[::1]:81", OpenAiChat, "[::1]:81", 81, "");
        check(
            "https://api.anthropic.com",
            a,
            "api.anthropic.com",
            443,
            "/v1",
        );
        check(
            "https://api.anthropic.com/",
            a,
            "api.anthropic.com",
            443,
            "/v1",
        );
        check("https://h/anthropic", a, "h", 443, "/anthropic/v1");
    }

    #[test]
    fn parse_of_anything_odd_says_what_and_the_cure() {
        for (url, wire, text) in [
            ("api.openai.com/v1", OpenAiChat, "starts with https://"),
            ("ftp://h/v1", OpenAiChat, "starts with https://"),
            ("https://sk-key@h/v1", OpenAiChat, "holds credentials"),
            ("https://h/v1?key=1", OpenAiChat, "holds a query"),
            ("https://h/v1#x", OpenAiChat, "holds a query or a fragment"),
            ("https://", OpenAiChat, "has no host"),
            ("https://:80/", OpenAiChat, "has no host"),
            ("https://h:0/v1", OpenAiChat, "port from 1"),
            ("https://h:+80/v1", OpenAiChat, "port from 1"),
            ("https://h:99999/v1", OpenAiChat, "port from 1"),
            ("https://h h/v1", OpenAiChat, "expected a host"),
            ("https://-h/v1", OpenAiChat, "expected a host"),
            ("https://a..b/v1", OpenAiChat, "expected a host"),
            ("https://[::1/v1", OpenAiChat, "never closed"),
            ("https://[x]/v1", OpenAiChat, "IPv6"),
            ("https://[::1]x/v1", OpenAiChat, "after `]`"),
            ("https://h/a//v1", OpenAiChat, "empty, `.` or `..`"),
            ("https://h/../v1", OpenAiChat, "empty, `.` or `..`"),
            ("https://h/a b", OpenAiChat, "percent-encoded"),
            ("https://h/v1/v1", OpenAiChat, "make its path /v1"),
            ("https://h/x/v1/v1/", OpenAiChat, "make its path /x/v1"),
            ("https://h/v1", AnthropicMessages, "make its path /"),
            ("https://h/x/v1", AnthropicMessages, "make its path /x"),
        ] {
            let fault = parse(url, wire).unwrap_err();
            assert!(fault.contains(text), "{url}: {fault}");
            assert!(!fault.contains("sk-key"), "{fault}");
        }
    }

    #[test]
    fn lacks_version_only_where_no_segment_is_one() {
        for (url, wire, expected) in [
            ("https://h", OpenAiChat, true),
            ("https://h/openai", OpenAiChat, true),
            ("https://h/vision", OpenAiChat, true),
            ("https://h/v1", OpenAiChat, false),
            ("https://h/v1beta/openai", OpenAiChat, false),
            ("https://h/api/v3", OpenAiChat, false),
            ("https://h", AnthropicMessages, false),
        ] {
            let endpoint = parse(url, wire).unwrap();
            assert_eq!(lacks_version(&endpoint, wire), expected, "{url}");
        }
    }

    #[test]
    fn is_local_for_loopback_alone() {
        for (url, expected) in [
            ("http://localhost:1", true),
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.com", false),
        ] {
            assert_eq!(
                is_local(&parse(url, OpenAiChat).unwrap()),
                expected,
                "{url}"
            );
        }
    }
}
