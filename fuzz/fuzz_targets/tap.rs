//! Looking at a stream finds the same however it is cut, and no end that did not come.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::tap::check(input));
