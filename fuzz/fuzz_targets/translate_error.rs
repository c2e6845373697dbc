//! Any error becomes one valid error without a credential.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::error::check(input));
