//! A journal gives the records that were written whole, whatever became of it, and no other.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::journal::check(input));
