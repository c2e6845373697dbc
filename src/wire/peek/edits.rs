//! The spans of a same-wire body that a route owns.
//!
//! Everything that is not named here goes upstream byte for byte.

use crate::json::rewrite::Edits;
use crate::wire::peek::found::Peek;
use crate::wire::peek::routed_members::{Kind, Known, OWN};

/// What a route changes in a body that stays on its wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides<'a> {
    /// The model's id at the provider, if it has another there.
    pub model: Option<&'a str>,
    /// Ask for usage in the stream.
    pub inject_usage: bool,
}

/// The edits that a route makes: gateway's own members out, the model renamed, usage asked for.
#[must_use]
pub fn edits_for(peek: &Peek, overrides: &Overrides<'_>) -> Edits {
    let mut edits = Edits::new();
    edit(peek, overrides, &mut edits);
    edits
}

/// The same in place of the edits that `edits` held before.
pub fn edit(peek: &Peek, overrides: &Overrides<'_>, edits: &mut Edits) {
    edits.clear();
    let mut own: Vec<_> = OWN.iter().filter_map(|&known| peek.member(known)).collect();
    own.sort_unstable_by_key(|member| member.index);
    edits.remove_members(&own);
    if let (Some(model), Some(span)) = (overrides.model, peek.span(Known::Model)) {
        edits.replace_string(span, model);
    }
    if overrides.inject_usage && peek.stream() && !peek.asks_usage() {
        inject_usage(peek, own.len(), edits);
    }
}

/// Asks for usage by the smallest change. A `stream_options` that is no object, or that answers
/// the question more than once, is left for the provider to judge.
fn inject_usage(peek: &Peek, removed_count: usize, edits: &mut Edits) {
    const ASK: &[u8] = br#"{"include_usage":true}"#;
    let options = peek.options();
    match (peek.kind(Known::StreamOptions), options.usage) {
        (None, _) => edits.append_member(peek.tail(), removed_count, "stream_options", ASK),
        (Some(Kind::Null), _) => {
            if let Some(span) = peek.span(Known::StreamOptions) {
                edits.replace(span, ASK);
            }
        }
        (Some(Kind::Object), None) => {
            edits.append_member(options.tail, 0, "include_usage", b"true");
        }
        (Some(Kind::Object), Some(usage)) if options.usage_count == 1 => {
            edits.replace(usage.start..usage.end, b"true");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
