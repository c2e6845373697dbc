//! Where a store stands, from its URL. A password in it is never shown.

use core::fmt;
use std::path::{Path, PathBuf};

use crate::config::schema::secret::Secret;

/// A place where keys are kept.
#[derive(Debug)]
pub enum StorePlace {
    /// A file of this host.
    Sqlite(PathBuf),
    /// A server.
    Postgres {
        /// The whole URL.
        url: Secret,
        /// The URL without user, password and parameters.
        shown: String,
    },
}

impl StorePlace {
    /// Reads a URL; relative paths start at `folder`.
    ///
    /// # Errors
    /// It is of no known kind; the text shows nothing of it.
    pub fn parse(url: &str, folder: &Path) -> Result<Self, &'static str> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(['?', '\0']) {
                return Err("expected a path behind `sqlite:`");
            }
            return Ok(Self::Sqlite(folder.join(path)));
        }
        let rest = url
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "postgres" | "postgresql"));
        let Some((_, rest)) = rest else {
            return Err(EXPECTED);
        };
        let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let address = address
            .rsplit_once('@')
            .map_or(address, |(_, address)| address);
        check_ports(address.split_once('/').map_or(address, |(hosts, _)| hosts))?;
        check_parameters(parameters)?;
        Ok(Self::Postgres {
            url: Secret::new(url.as_bytes().to_vec()),
            shown: format!("postgres://{address}"),
        })
    }

    /// Whether a URL holds a password.
    #[must_use]
    pub fn has_password(url: &str) -> bool {
        let after = url.split_once("://").map_or("", |(_, rest)| rest);
        let user = after.rsplit_once('@').map_or("", |(user, _)| user);
        user.contains(':') || url.contains("password=")
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(out, "sqlite:{}", path.display()),
            Self::Postgres { shown, .. } => out.write_str(shown),
        }
    }
}

/// Holds `host:port,[::1]:port` against what a port can be.
fn check_ports(hosts: &str) -> Result<(), &'static str> {
    let is_good = hosts.split(',').all(|host| {
        let behind = host.rsplit_once(']').map_or(host, |(_, behind)| behind);
        behind.split_once(':').is_none_or(|(_, port)| is_port(port))
    });
    if is_good { Ok(()) } else { Err(PORT) }
}

fn check_parameters(parameters: &str) -> Result<(), &'static str> {
    for parameter in parameters.split('&') {
        match parameter.split_once('=') {
            Some(("port", ports)) if !ports.split(',').all(is_port) => return Err(PORT),
            Some(("sslmode", "verify-ca" | "verify-full")) => return Err(VERIFIED),
            Some(("sslmode", mode)) if !SSL_MODES.contains(&mode) => return Err(SSL_MODE),
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// What `sslmode` may be.
const SSL_MODES: [&str; 3] = ["disable", "prefer", "require"];
const SSL_MODE: &str = "expected `sslmode` to be one of disable, prefer, require";
const VERIFIED: &str = "the driver does not know that `sslmode`, and every certificate and its name \
                        are verified without it; leave `sslmode` out, or say sslmode=require";
const PORT: &str = "expected a port from 1 to 65535 behind each `:` of the host";
const EXPECTED: &str = "expected sqlite:<path> or postgres://<user>@<host>/<database>";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::StorePlace;

    fn shown(url: &str) -> String {
        let place = StorePlace::parse(url, Path::new("/etc/ringway"));
        place.map_or_else(str::to_owned, |place| place.to_string())
    }

    #[test]
    fn p23_places_are_shown_without_what_opens_them() {
        assert_eq!(shown("sqlite:a/b.db"), "sqlite:/etc/ringway/a/b.db");
        assert_eq!(shown("sqlite:/a.db"), "sqlite:/a.db");
        assert_eq!(shown("sqlite:///a.db"), "sqlite:/a.db");
        let url = "postgresql://me:se@cret@db:5432/ringway?password=secret";
        assert_eq!(shown(url), "postgres://db:5432/ringway");
        let place = StorePlace::parse(url, Path::new("")).unwrap();
        assert!(!format!("{place:?}").contains("secret"));
        assert!(StorePlace::has_password(url));
        assert!(StorePlace::has_password("postgres://db/x?password=a"));
        assert!(!StorePlace::has_password("postgres://me@db:5432/ringway"));
        for wrong in [
            "",
            "a.db",
            "mysql://a",
            "sqlite:",
            "sqlite:a?mode=ro",
            "redis://a",
        ] {
            assert!(shown(wrong).starts_with("expected"), "{wrong}");
        }
    }

    #[test]
    fn urls_of_postgres_that_no_server_could_take_are_refused() {
        for (right, expected) in [
            ("postgres://me@db:1/r", "postgres://db:1/r"),
            ("postgres://me@db:65535/r", "postgres://db:65535/r"),
            ("postgres://[::1]:5432,b/r", "postgres://[::1]:5432,b/r"),
            (
                "postgres://me@/r?host=/run/postgresql&port=1",
                "postgres:///r",
            ),
            ("postgres://db/r?sslmode=require", "postgres://db/r"),
        ] {
            assert_eq!(shown(right), expected);
        }
        for (wrong, part) in [
            ("postgres://me@db:0/r", "expected a port"),
            ("postgres://me@db:65536/r", "expected a port"),
            ("postgres://me@a:1,db:port/r", "expected a port"),
            ("postgres://[::1]:x/r", "expected a port"),
            ("postgres://db/r?port=5432,x", "expected a port"),
            ("postgres://db/r?sslmode=verify-full", "leave `sslmode` out"),
            ("postgres://db/r?sslmode=verify-ca", "leave `sslmode` out"),
            ("postgres://db/r?a=b&sslmode=allow", "expected `sslmode`"),
        ] {
            assert!(shown(wrong).contains(part), "{wrong}: {}", shown(wrong));
        }
    }
}
