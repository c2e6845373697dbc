//! What a request asks: its wire, whether it wants a stream, the script in its model or header.
//!
//! The body is not parsed: its first and last bytes are searched, so that a body of megabytes costs
//! the mock no more than reading it.

use ringway_test_support::http::Head;

use crate::mock::script::Script;
use crate::wire::Wire;

/// Ends of a body, as it comes.
#[derive(Default)]
pub struct Ends {
    first: Vec<u8>,
    last: Vec<u8>,
    /// How many `~` it held.
    pub tildes: u64,
}

impl Ends {
    /// Takes the next part of a body.
    pub fn push(&mut self, part: &[u8]) {
        let room = KEPT_BYTES.saturating_sub(self.first.len());
        let (first, rest) = part.split_at(room.min(part.len()));
        self.first.extend_from_slice(first);
        if rest.len() >= KEPT_BYTES {
            self.last.clear();
        }
        let from = rest.len().saturating_sub(KEPT_BYTES);
        self.last
            .extend_from_slice(rest.get(from..).unwrap_or_default());
        let over = self.last.len().saturating_sub(KEPT_BYTES);
        self.last.drain(..over);
        // Always: who asks for it in a model's name may do so at the body's end.
        self.tildes += memchr::memchr_iter(b'~', part).count() as u64;
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.first.clear();
        self.last.clear();
        self.tildes = 0;
    }

    /// What follows a member's name.
    fn value(&self, name: &str) -> Option<&[u8]> {
        [&self.first, &self.last].into_iter().find_map(|window| {
            let at = memchr::memmem::find(window, name.as_bytes())? + name.len();
            let rest = window.get(at..)?.trim_ascii_start();
            Some(rest.strip_prefix(b":")?.trim_ascii_start())
        })
    }

    /// Whether the body asks for a stream.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.value("\"stream\"")
            .is_some_and(|value| value.starts_with(b"true"))
    }

    /// The model's name, as it is written.
    #[must_use]
    pub fn model(&self) -> &str {
        let text = self.value("\"model\"").and_then(|value| {
            let value = value.strip_prefix(b"\"")?;
            value.get(..memchr::memchr(b'"', value)?)
        });
        text.and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }
}

/// The wire of a path; none that the mock serves otherwise.
#[must_use]
pub fn wire_of(path: &str) -> Option<Wire> {
    let path = path.split('?').next().unwrap_or_default();
    match path {
        path if path.ends_with("/chat/completions") => Some(Wire::Openai),
        path if path.ends_with("/messages") => Some(Wire::Anthropic),
        _ => None,
    }
}

/// The script in a model's name.
#[must_use]
pub fn script_in_model(model: &str) -> &str {
    model.strip_prefix("mock:").unwrap_or_default()
}

/// The script of a request: the flags, changed by the model's name, changed by the header.
///
/// # Errors
/// A word or a value that is not known.
pub fn script_of(head: &Head<'_>, ends: &Ends, base: &Script) -> Result<Script, String> {
    let script = base.with(script_in_model(ends.model()))?;
    script.with(head.field(HEADER).unwrap_or_default())
}

/// The header with a script.
pub const HEADER: &str = "x-mock";
/// Bytes kept of each end of a body.
const KEPT_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::{Ends, KEPT_BYTES, script_of, wire_of};
    use crate::mock::script::Script;
    use crate::wire::Wire;
    use ringway_test_support::http::head;

    fn ends(body: &str, cut: usize) -> Ends {
        let mut ends = Ends::default();
        for part in body.as_bytes().chunks(cut) {
            ends.push(part);
        }
        ends
    }

    #[test]
    fn members_are_found_at_either_end_for_any_cut() {
        let filler = "~".repeat(3 * KEPT_BYTES);
        let early = format!("{{\"model\": \"a\",\"stream\" : true,\"messages\":[\"{filler}\"]}}");
        let late = format!("{{\"messages\":[\"{filler}\"],\"stream\":true,\"model\":\"a\"}}");
        for body in [&early, &late] {
            for cut in [1, 7, KEPT_BYTES - 1, KEPT_BYTES, KEPT_BYTES + 1, body.len()] {
                let ends = ends(body, cut);
                assert!(ends.stream(), "{cut}");
                assert_eq!(ends.model(), "a", "{cut}");
                assert_eq!(ends.tildes, filler.len() as u64, "{cut}");
                assert!(ends.first.len() <= KEPT_BYTES && ends.last.len() <= KEPT_BYTES);
            }
        }
    }

    #[test]
    fn stream_options_are_no_stream() {
        let ends = ends(
            "{\"stream_options\":{\"include_usage\":true},\"stream\":false}",
            64,
        );
        assert!(!ends.stream());
    }

    #[test]
    fn header_outranks_model_and_model_the_flags() {
        let base = Script::default()
            .with("deltas=1,tools=1,thinking=1")
            .unwrap();
        let text = b"POST /v1/messages HTTP/1.1\r\nX-Mock: deltas=3\r\n\r\n";
        let head = head(text).unwrap().unwrap();
        let ends = ends("{\"model\":\"mock:deltas=2,tools=2\"}", 64);
        let script = script_of(&head, &ends, &base).unwrap();
        assert_eq!((script.deltas, script.tools, script.thinking), (3, 2, 1));
    }

    #[test]
    fn paths_have_their_wire() {
        for (path, wire) in [
            ("/v1/chat/completions", Some(Wire::Openai)),
            ("/v1/messages?beta=true", Some(Wire::Anthropic)),
            ("/v1/models", None),
        ] {
            assert_eq!(wire_of(path), wire, "{path}");
        }
    }
}
