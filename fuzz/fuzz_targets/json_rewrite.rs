//! Edits on the bytes equal edits on the tree; what was edited can be edited again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringway_fuzz::{edited_bytes, edited_tree};

fuzz_target!(|body: &[u8]| {
    let Some(bytes) = edited_bytes(body, "a/\"b\n") else {
        return;
    };
    assert!(edited_bytes(&bytes, "c").is_some());
    if let Some(tree) = edited_tree(body, "a/\"b\n") {
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(),
            tree
        );
    }
});
