//! An answer's body is transformed into the same however it is cut, without a credential.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::transforms::check(input));
