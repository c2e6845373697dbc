//! Faults of a configuration have their place; a plan is the same each time.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::config::check(input));
