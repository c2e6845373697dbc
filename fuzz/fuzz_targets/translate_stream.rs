//! Any split of a stream comes to what the whole does, in one end, which is never invented.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringway::wire::kind::Wire;
use ringway_fuzz::streams::seen;

fuzz_target!(|input: (u8, &[u8])| {
    let (len, stream) = input;
    for from in [Wire::OpenAiChat, Wire::AnthropicMessages] {
        let whole = seen(from, [stream]);
        assert_eq!(seen(from, stream.chunks(usize::from(len).max(1))), whole);
    }
});
