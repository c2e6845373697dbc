//! A whole answer becomes a valid one or a fault.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::answer::check(input));
