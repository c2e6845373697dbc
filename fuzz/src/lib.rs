//! Plain twins that the fuzz targets hold the codecs against.

pub mod streams;

use ringway::limits::Limits;
use ringway::sse::decode::{Decoder, Item};
use ringway::wire::kind::Wire;
use ringway::wire::peek::peek;
use ringway::wire::peek_edits::{Overrides, edits_for};
use serde_json::Value;

/// The items of a stream that arrives in `pieces`: (event, data), a comment as (`:`, nothing), an
/// unterminated end as (`...`, data).
pub fn sse_items<'i>(pieces: impl IntoIterator<Item = &'i [u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut decoder = Decoder::new(1 << 10);
    let mut items = Vec::new();
    for piece in pieces {
        let mut frames = decoder.push(piece);
        while let Some(item) = frames.next() {
            match item {
                Ok(Item::Frame(frame)) => items.push((frame.event.to_vec(), frame.data.to_vec())),
                Ok(Item::Comment) => items.push((b":".to_vec(), Vec::new())),
                Err(_) => return items,
            }
        }
        assert!(decoder.held_bytes() <= 8 << 10);
    }
    if let Ok(Some(frame)) = decoder.finish() {
        items.push((b"...".to_vec(), frame.data.to_vec()));
    }
    items
}

/// `body` with a route's edits made on its bytes, if it is a body that can be routed.
pub fn edited_bytes(body: &[u8], model: &str) -> Option<Vec<u8>> {
    let peek = peek(body, Wire::OpenAiChat, &Limits::default()).ok()?;
    let overrides = Overrides {
        model: Some(model),
        inject_usage: true,
    };
    let edits = edits_for(&peek, &overrides);
    let mut out = Vec::new();
    edits.apply(body, &mut out);
    assert_eq!(out.len(), edits.len_after(body.len()));
    Some(out)
}

/// The same edits made on the tree; nothing where the tree cannot hold the document, or where the
/// two readings of a repeated member differ by design.
pub fn edited_tree(body: &[u8], model: &str) -> Option<Value> {
    let mut tree: Value = serde_json::from_slice(body).ok()?;
    let members = tree.as_object_mut()?;
    for own in [
        "allow_fallbacks",
        "routing",
        "privacy_tier",
        "pii_substitution",
    ] {
        members.shift_remove(own);
    }
    *members.get_mut("model")? = model.into();
    if members.get("stream") == Some(&Value::Bool(true)) {
        let options = members.entry("stream_options").or_insert(Value::Null);
        if options.is_null() {
            *options = serde_json::json!({});
        }
        if let Some(options) = options.as_object_mut() {
            let asked = body.windows(13).filter(|at| at == b"include_usage").count();
            if asked > 1 || body.windows(2).any(|at| at == b"\\u") {
                return None;
            }
            options.insert("include_usage".into(), true.into());
        }
    }
    Some(tree)
}
