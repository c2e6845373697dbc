//! What the writers of every wire share.

use crate::chat::request::TextRun;
use crate::json::write::Writer;

/// Writes a text as one JSON string.
pub fn text(text: &TextRun<'_>, w: &mut Writer<'_>) {
    match text {
        TextRun::Raw(raw) => w.raw(*raw),
        TextRun::Joined(parts) => w.raw_parts(parts),
        TextRun::Plain(text) => w.string(text),
    };
}
