//! Answer heads are judged as by the twin and equal when written out again.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::http1_head::check_response(input));
