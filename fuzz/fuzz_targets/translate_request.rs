//! A request becomes a valid one of bounded size or a refusal.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::request::check(input));
