//! Which endpoint a path names, and which methods it takes.
//!
//! Paths are compared as raw bytes, after `http1::target` has refused everything ambiguous and
//! collapsed a doubled `/v1`.

use crate::telemetry::exchange::Operation;
use crate::wire::codec;
use crate::wire::kind::Wire;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'p> {
    /// A chat, in the wire that the path names.
    Chat(Wire),
    /// The input tokens of a chat (Anthropic wire).
    CountTokens,
    /// The model list.
    Models,
    /// One model, by its id as it stands in the path.
    Model(&'p [u8]),
    /// Any other path under `/v1`.
    Relay,
    /// What others may read as one of our own paths, which it is not to the byte.
    Misspelt(&'static str),
    /// The models, for those without a key.
    Catalogue,
    /// Usage records, a page at a time.
    Usage,
    /// The usage record of the exchange with this id.
    Custody(&'p [u8]),
    /// Is the process alive.
    Healthz,
    /// Does it want traffic.
    Readyz,
    /// Nothing that is known.
    Unknown,
}

/// The endpoint of `path` (without query), `versioned` when a leading `/v1` was taken off.
#[must_use]
pub fn classify(path: &[u8], versioned: bool) -> Endpoint<'_> {
    let is_path = |own: &str| own.as_bytes() == path;
    if let Some(wire) = codec::wire_with(|it| is_path(it.chat_path)) {
        return Endpoint::Chat(wire);
    }
    if codec::wire_with(|it| it.count_path.is_some_and(is_path)).is_some() {
        return Endpoint::CountTokens;
    }
    match path {
        b"/models" => Endpoint::Models,
        b"/api/billing/models" if !versioned => Endpoint::Catalogue,
        b"/api/usage" if !versioned => Endpoint::Usage,
        b"/healthz" if !versioned => Endpoint::Healthz,
        b"/readyz" if !versioned => Endpoint::Readyz,
        _ => match path.strip_prefix(b"/models/") {
            Some(id) if !id.is_empty() => Endpoint::Model(id),
            _ if !versioned && path.starts_with(CUSTODY) => {
                Endpoint::Custody(path.get(CUSTODY.len()..).unwrap_or_default())
            }
            _ if versioned && path.len() > 1 => {
                misspelt(path).map_or(Endpoint::Relay, Endpoint::Misspelt)
            }
            _ => Endpoint::Unknown,
        },
    }
}

/// The path of ours that `path` is in other letters or with parameters (`;a=b`). Relayed, it would
/// reach a chat or a list around everything that is done for them here.
fn misspelt(path: &[u8]) -> Option<&'static str> {
    let name = |segment: &[u8]| {
        let end = memchr::memchr(b';', segment).unwrap_or(segment.len());
        segment.get(..end).unwrap_or_default().to_ascii_lowercase()
    };
    let mut segments = path.split(|&byte| byte == b'/').skip(1);
    let first = segments.next()?;
    if first != b"models" && name(first) == b"models" {
        return Some("/models");
    }
    let own = match (name(first).as_slice(), segments.next().map(name).as_deref()) {
        (b"chat", Some(b"completions")) => "/chat/completions",
        (b"messages", None) => "/messages",
        (b"messages", Some(b"count_tokens")) => "/messages/count_tokens",
        _ => return None,
    };
    segments.next().is_none().then_some(own)
}

/// The wire whose chats a path lies beside or below, in any letters and behind any number of `/v1`.
fn wire_of_path(path: &[u8]) -> Option<Wire> {
    let mut segments = path.split(|&byte| byte == b'/').skip(1);
    let first = segments.find(|segment| !segment.eq_ignore_ascii_case(b"v1"))?;
    let name = first.split(|&byte| byte == b';').next()?;
    codec::wire_with(|it| {
        let own = it.chat_path.split('/').nth(1);
        own.is_some_and(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    })
}

impl Endpoint<'_> {
    /// The methods that the endpoint takes, as `Allow` lists them.
    #[must_use]
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Chat(_) | Self::CountTokens => "POST, OPTIONS",
            Self::Models
            | Self::Model(_)
            | Self::Catalogue
            | Self::Usage
            | Self::Custody(_)
            | Self::Healthz
            | Self::Readyz => "GET, HEAD, OPTIONS",
            Self::Relay | Self::Misspelt(_) | Self::Unknown => {
                "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
            }
        }
    }

    /// What it is called in logs and metrics.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::Chat(_) => Operation::Chat,
            Self::CountTokens => Operation::CountTokens,
            Self::Models | Self::Model(_) | Self::Catalogue => Operation::Models,
            Self::Relay => Operation::Relay,
            Self::Usage | Self::Custody(_) => Operation::Usage,
            Self::Healthz | Self::Readyz | Self::Misspelt(_) | Self::Unknown => Operation::Other,
        }
    }

    /// The wire in which its errors are told. Where its path is no chat's, that is the wire which the
    /// request's head names by a version, if any, or that of the path.
    #[must_use]
    pub fn wire(self, path: &[u8], by_version: Option<Wire>) -> Wire {
        match self {
            Self::Chat(wire) => wire,
            _ => by_version
                .or_else(|| wire_of_path(path))
                .unwrap_or_default(),
        }
    }
}

/// Where custody records are asked for, by the id behind it.
const CUSTODY: &[u8] = b"/api/usage/custody/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classify_knows_every_path_with_and_without_version() {
        let cases: [(&[u8], bool, Endpoint<'_>); 24] = [
            (b"/chat/completions", true, Endpoint::Chat(Wire::OpenAiChat)),
            (b"/messages", false, Endpoint::Chat(Wire::AnthropicMessages)),
            (b"/messages/count_tokens", true, Endpoint::CountTokens),
            (b"/messages/batches", true, Endpoint::Relay),
            (b"/models/a/b", true, Endpoint::Model(b"a/b")),
            (b"/models/", true, Endpoint::Relay),
            (
                b"/Chat/Completions",
                true,
                Endpoint::Misspelt("/chat/completions"),
            ),
            (
                b"/chat;x/completions;a=b",
                true,
                Endpoint::Misspelt("/chat/completions"),
            ),
            (b"/Messages", true, Endpoint::Misspelt("/messages")),
            (
                b"/messages/count_tokens;",
                true,
                Endpoint::Misspelt("/messages/count_tokens"),
            ),
            (b"/Models/a/b", true, Endpoint::Misspelt("/models")),
            (b"/models;a", true, Endpoint::Misspelt("/models")),
            (b"/models/a;b", true, Endpoint::Model(b"a;b")),
            (b"/Chat/Completions", false, Endpoint::Unknown),
            (b"/chat/completions/x", true, Endpoint::Relay),
            (b"/Files;a", true, Endpoint::Relay),
            (b"/responses", true, Endpoint::Relay),
            (b"/responses", false, Endpoint::Unknown),
            (b"/healthz", true, Endpoint::Relay),
            (b"/api/billing/models", false, Endpoint::Catalogue),
            (b"/api/billing/models", true, Endpoint::Relay),
            (b"/", true, Endpoint::Unknown),
            (
                b"/api/usage/custody/rw_0",
                false,
                Endpoint::Custody(b"rw_0"),
            ),
            (b"/api/usage/custody/rw_0", true, Endpoint::Relay),
        ];
        for (path, versioned, expected) in cases {
            assert_eq!(classify(path, versioned), expected);
        }
    }

    #[test]
    fn wire_of_what_is_not_ours_is_that_of_the_path() {
        for (path, wire) in [
            (&b"/messages/batches"[..], Wire::AnthropicMessages),
            (b"/Messages", Wire::AnthropicMessages),
            (b"/v1/v1/v1/messages", Wire::AnthropicMessages),
            (b"/v1/messages/", Wire::AnthropicMessages),
            (b"/messages;a=b", Wire::AnthropicMessages),
            (b"/messagesx", Wire::OpenAiChat),
            (b"/threads/messages", Wire::OpenAiChat),
            (b"/v1", Wire::OpenAiChat),
        ] {
            assert_eq!(Endpoint::Unknown.wire(path, None), wire);
        }
        let by_version = Some(Wire::AnthropicMessages);
        let wire = Endpoint::Unknown.wire(b"/", by_version);
        assert_eq!(wire, Wire::AnthropicMessages);
    }
}
