//! A connection's requests are the twin's; behind a refusal nothing runs.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ringway_properties::http1_connection::check(input));
