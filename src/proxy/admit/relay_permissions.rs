//! Which relayed paths leave or find something at the provider, where all tenants share one account.
//!
//! Known to leave nothing are a few; everything else is taken for state, by the name of its first
//! segment, so that what providers add later is not open by mistake.

use crate::chat::error::ErrorKind;
use crate::chat::rejection::Rejection;
use crate::http1::method::Method;
use crate::http1::target::decode_id;
use crate::route::plan::client_key::ClientKey;

/// Refuses a path with state that the key may not use.
///
/// # Errors
/// It is one.
pub fn judge(key: Option<&ClientKey>, method: Method, path: &[u8]) -> Result<(), Rejection> {
    let Some(allowed) = key.and_then(|key| key.relay.as_ref()) else {
        return Ok(());
    };
    let Some(name) = state_name(method, path) else {
        return Ok(());
    };
    if allowed.iter().any(|word| **word == *name) {
        return Ok(());
    }
    let message = format!(
        "this key may not use `{name}`: what it leaves at the provider is shared with other \
         tenants; whoever manages keys allows it by `relay = [\"{name}\"]`"
    );
    let word = "relay_not_allowed";
    Err(Rejection::new(ErrorKind::Permission, message, word).with_code(word))
}

/// A path as a provider may read it: each segment decoded, in small letters and without its
/// parameters, no slash in front or behind, and no `v1`.
#[must_use]
pub fn plain_path(path: &[u8]) -> String {
    let segments = path.split(|&byte| byte == b'/').filter_map(plain);
    segments.collect::<Vec<_>>().join("/")
}

/// What a path with state is called; nothing for one without.
fn state_name(method: Method, path: &[u8]) -> Option<String> {
    let mut segments = path.split(|&byte| byte == b'/').filter_map(plain);
    let first = segments.next()?;
    let second = segments.next();
    let is_last = segments.next().is_none();
    let whole = match &second {
        Some(second) => format!("{first}/{second}"),
        None => first.clone(),
    };
    let reads_models = first == "models" && matches!(method, Method::Get | Method::Head);
    if reads_models || is_last && STATELESS.contains(&whole.as_str()) {
        return None;
    }
    Some(match whole.as_str() {
        "messages/batches" => "batches".to_owned(),
        "chat/completions" => "chat_completions".to_owned(),
        _ => first
            .chars()
            .take(NAME_CHARS_MAX)
            .filter(|c| is_word(*c))
            .collect(),
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// A segment as a provider may read it: decoded, without parameters, in small letters.
fn plain(segment: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(segment.len());
    decode_id(segment, &mut text);
    let end = memchr::memchr(b';', &text).unwrap_or(text.len());
    text.truncate(end);
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    (!text.is_empty() && text != "v1").then_some(text)
}

/// Paths that neither leave nor find anything.
const STATELESS: &[&str] = &[
    "audio/speech",
    "audio/transcriptions",
    "audio/translations",
    "completions",
    "embeddings",
    "images/edits",
    "images/generations",
    "images/variations",
    "moderations",
    "rerank",
];
/// A name that is shown is cut here.
const NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::state_name;
    use crate::http1::method::Method;

    #[test]
    fn paths_with_state_have_a_name_and_those_without_none() {
        for (path, name) in [
            ("/files", Some("files")),
            ("/files/file-1/content", Some("files")),
            ("/Files;a=b", Some("files")),
            ("/fil%65s", Some("files")),
            ("/v1/files", Some("files")),
            ("/batches", Some("batches")),
            ("/messages/batches/b/results", Some("batches")),
            ("/responses", Some("responses")),
            ("/chat/completions/c1", Some("chat_completions")),
            ("/vector_stores/v/search", Some("vector_stores")),
            ("/fine_tuning/jobs", Some("fine_tuning")),
            ("/audio/voices", Some("audio")),
            ("/embeddings/x", Some("embeddings")),
            ("/something-new", Some("something-new")),
            ("/embeddings", None),
            ("/audio/speech", None),
            ("/images/edits", None),
            ("/", None),
        ] {
            let found = state_name(Method::Post, path.as_bytes());
            assert_eq!(found.as_deref(), name, "{path}");
        }
        assert_eq!(state_name(Method::Get, b"/models/a/b"), None);
        let deleted = state_name(Method::Delete, b"/models/ft-1");
        assert_eq!(deleted.as_deref(), Some("models"));
    }
}
