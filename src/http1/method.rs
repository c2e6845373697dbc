//! Request methods and protocol versions.

/// A request method; what the gateway gives no meaning to is `Other` and kept as bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// Any other; its bytes are in the head.
    Other,
}

impl Method {
    /// Reads a method; letters' case matters (RFC 9110 section 9.1).
    #[must_use]
    pub fn from_bytes(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"PATCH" => Self::Patch,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            _ => Self::Other,
        }
    }

    /// Whether a request of this method says how long its body is even where it has none.
    #[must_use]
    pub const fn sends_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }

    /// Whether a request that is carried out twice has the effect of one (RFC 9110 section 9.2.2).
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        matches!(
            self,
            Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options
        )
    }

    /// The method as written on the wire, if it is one of the known.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Get => Some("GET"),
            Self::Head => Some("HEAD"),
            Self::Post => Some("POST"),
            Self::Put => Some("PUT"),
            Self::Patch => Some("PATCH"),
            Self::Delete => Some("DELETE"),
            Self::Options => Some("OPTIONS"),
            Self::Other => None,
        }
    }
}

/// The version in a start line. Others are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_read_as_they_are_written_and_three_send_bodies() {
        let names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let sending: Vec<&str> = names
            .into_iter()
            .filter(|name| {
                let method = Method::from_bytes(name.as_bytes());
                assert_eq!(method.name(), Some(*name));
                method.sends_body()
            })
            .collect();
        assert_eq!(sending, ["POST", "PUT", "PATCH"]);
        for name in ["get", "", "GETS", "TRACE"] {
            let method = Method::from_bytes(name.as_bytes());
            assert_eq!((method, method.name()), (Method::Other, None), "{name}");
        }
    }
}
