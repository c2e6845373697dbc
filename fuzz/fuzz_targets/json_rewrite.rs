//! Edits on bytes equal edits on the document taken apart.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::rewrite::check(input));
