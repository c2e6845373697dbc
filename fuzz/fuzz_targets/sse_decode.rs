//! Any split of a stream gives the items of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringway_fuzz::sse_items;

fuzz_target!(|input: (u8, &[u8])| {
    let (len, stream) = input;
    let whole = sse_items([stream]);
    assert_eq!(sse_items(stream.chunks(1)), whole);
    assert_eq!(sse_items(stream.chunks(usize::from(len).max(1))), whole);
});
