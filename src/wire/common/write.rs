//! What the writers of every wire share.

use crate::chat::request::Text;
use crate::json::write::Writer;

/// Writes a text as one JSON string.
pub fn text(text: &Text<'_>, w: &mut Writer<'_>) {
    match text {
        Text::Raw(raw) => w.raw(*raw),
        Text::Joined(parts) => w.raw_parts(parts),
        Text::Plain(text) => w.string(text),
    };
}
