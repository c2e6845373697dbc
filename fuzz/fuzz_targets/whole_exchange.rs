//! Clients, gateway and providers in a simulated world that the input steers: every side gets its own.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let outcome = ringway::sim::run::steered(input);
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
});
