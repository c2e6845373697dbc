//! Strings are escaped and read back the same, here and elsewhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::string::check(input));
