//! A form's model is the same however the form is cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::form::check(input));
