//! Model ids as clients and logs are shown them.

use crate::limits::LOGGED_ID_BYTES_MAX;

/// The text of a 404: what was asked, cut and escaped, and what was perhaps meant.
#[must_use]
pub fn unknown_model(asked: &str, near: &[&str]) -> String {
    let shown: String = bounded(asked)
        .chars()
        .flat_map(char::escape_debug)
        .collect();
    let mut message = format!("model `{shown}` does not exist or this key may not use it");
    for (rank, id) in near.iter().enumerate() {
        message.push_str(if rank == 0 { "; near ids: " } else { ", " });
        message.push_str(id);
    }
    message
}

/// An id cut to what is logged and repeated.
#[must_use]
pub fn bounded(id: &str) -> String {
    id.get(..id.floor_char_boundary(LOGGED_ID_BYTES_MAX))
        .unwrap_or_default()
        .to_owned()
}
