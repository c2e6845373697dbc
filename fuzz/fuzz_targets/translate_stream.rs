//! A stream becomes one valid stream with one end, however it is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::stream::check(input));
