//! Where a store stands, from its URL. A password in it is never shown.

use core::fmt;
use std::path::{Path, PathBuf};

use crate::config::secret::Secret;

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
        let (address, _) = rest.split_once('?').unwrap_or((rest, ""));
        let address = address
            .rsplit_once('@')
            .map_or(address, |(_, address)| address);
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
}
