//! Bodies are the twin's, however they are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::http1_body::check(input));
