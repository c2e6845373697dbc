//! Where the counters stand that several replicas share, from a URL. A password in it is never shown.

use core::fmt;
use std::path::PathBuf;

use crate::config::schema::secret::Secret;

/// A Redis, and how it is come to.
#[derive(Debug)]
pub struct SharedPlace {
    /// Where it listens.
    pub address: SharedAddress,
    /// Who asks, where that is not the default user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The number of the database.
    pub database: u32,
}

/// Where a Redis listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedAddress {
    /// A port.
    Tcp {
        /// Name or address of the host.
        host: String,
        /// The port.
        port: u16,
        /// By TLS.
        tls: bool,
    },
    /// A socket of this host.
    Unix(PathBuf),
}

impl SharedPlace {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is none of a Redis; the text shows nothing of it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or(EXPECTED)?;
        let (who, rest) = match rest.rsplit_once('@') {
            Some((who, rest)) => (Some(who), rest),
            None => (None, rest),
        };
        let (user, password) = match who.map(|who| who.split_once(':').unwrap_or((who, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (String::new(), String::new()),
        };
        let (address, database) = match scheme {
            "redis" | "rediss" => tcp(rest, scheme == "rediss")?,
            "redis+unix" => unix(rest)?,
            _ => return Err(EXPECTED),
        };
        if user.contains(' ') || password.is_empty() && !user.is_empty() {
            return Err("expected a password behind the user");
        }
        Ok(Self {
            address,
            user: (!user.is_empty()).then_some(user),
            password: (!password.is_empty()).then(|| Secret::new(password.into_bytes())),
            database,
        })
    }
}

impl fmt::Display for SharedPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            SharedAddress::Tcp { host, port, tls } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                write!(out, "{scheme}://{host}:{port}/{}", self.database)
            }
            SharedAddress::Unix(path) => write!(out, "redis+unix://{}", path.display()),
        }
    }
}

fn tcp(rest: &str, tls: bool) -> Result<(SharedAddress, u32), &'static str> {
    let (address, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match address.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']').ok_or(EXPECTED)?;
            (host, after.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => return Err("expected a port from 1 to 65535 behind the host"),
            Ok(port) => port,
        },
        None => PORT,
    };
    if host.is_empty() || host.contains(['?', '#', ' ']) {
        return Err(EXPECTED);
    }
    let host = host.to_owned();
    Ok((SharedAddress::Tcp { host, port, tls }, number(database)?))
}

fn unix(rest: &str) -> Result<(SharedAddress, u32), &'static str> {
    let (path, database) = rest.split_once("?db=").unwrap_or((rest, ""));
    if !path.starts_with('/') || path.contains(['?', '\0']) {
        return Err("expected an absolute path behind `redis+unix://`");
    }
    Ok((SharedAddress::Unix(path.into()), number(database)?))
}

fn number(database: &str) -> Result<u32, &'static str> {
    match database {
        "" => Ok(0),
        given => given
            .parse()
            .map_err(|_| "expected the number of a database behind the host"),
    }
}

/// A text without `%` signs that stand for others.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(ESCAPE)?;
        out.push(u8::from_str_radix(digits, 16).map_err(|_| ESCAPE)?);
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).map_err(|_| ESCAPE)
}

const EXPECTED: &str = "expected redis://<host>, rediss://<host> or redis+unix:///<path>";
const ESCAPE: &str = "expected two hexadecimal digits behind each %";
const PORT: u16 = 6379;

#[cfg(test)]
mod tests {
    use super::SharedPlace;

    fn shown(url: &str) -> String {
        SharedPlace::parse(url).map_or_else(str::to_owned, |place| place.to_string())
    }

    #[test]
    fn p23_places_are_shown_without_what_opens_them() {
        for (url, expected) in [
            ("redis://a", "redis://a:6379/0"),
            (
                "rediss://me:se%40cret@a.example:7/3",
                "rediss://a.example:7/3",
            ),
            ("redis://:secret@[::1]:7", "redis://::1:7/0"),
            (
                "redis+unix:///run/redis.sock?db=2",
                "redis+unix:///run/redis.sock",
            ),
        ] {
            assert_eq!(shown(url), expected);
            let place = SharedPlace::parse(url).unwrap();
            let printed = format!("{place:?}");
            assert!(!printed.contains("se@cret") && !printed.contains("\"secret"));
        }
        let place = SharedPlace::parse("redis://me:se%40cret@a").unwrap();
        assert_eq!(place.user.as_deref(), Some("me"));
        assert_eq!(place.password.unwrap().expose(), b"se@cret");
    }

    #[test]
    fn what_is_no_redis_is_refused_without_being_shown() {
        for url in [
            "",
            "redis",
            "http://a",
            "redis://",
            "redis://a:port",
            "redis://a:70000",
            "redis://a:0",
            "redis://a/x",
            "redis://a/-1",
            "redis://me@a",
            "redis://:%4@a",
            "redis://:%zz@a",
            "redis://:%ff@a",
            "redis://:é%é@a",
            "redis://[::1",
            "redis://a?db=1",
            "redis+unix://run/redis.sock",
            "redis+unix:///run/redis.sock?x=1",
        ] {
            assert!(shown(url).starts_with("expected"), "{url}: {}", shown(url));
        }
    }
}
