//! What routing reads of a body is what another parser reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::peek::check(input));
