//! Cutting an input.

use std::fmt;

/// Bytes of an outcome, readable where they differ.
#[derive(PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// The ways in which every input is cut: whole, byte by byte, and in pieces of several lengths.
pub fn ways(input: &[u8]) -> [Vec<&[u8]>; 3] {
    [vec![input], input.chunks(1).collect(), uneven(input)]
}

/// Pieces of 1 to 64 bytes; which ones follows from the input's length.
fn uneven(mut input: &[u8]) -> Vec<&[u8]> {
    let mut state = input.len() as u64;
    let mut pieces = Vec::new();
    while !input.is_empty() {
        state = next(state);
        let len = ((state >> 33) as usize % 64 + 1).min(input.len());
        let (piece, rest) = input.split_at(len);
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// A place in the input; which one follows from its length.
pub fn place(input: &[u8]) -> usize {
    (next(input.len() as u64) >> 33) as usize % (input.len() + 1)
}

/// Numbers that look like chance and are the same on every run.
fn next(state: u64) -> u64 {
    state
        .wrapping_mul(0x5851_F42D_4C95_7F2D)
        .wrapping_add(0x1405_7B7E_F767_814F)
}

/// Checks that `run` comes to the same however `input` is cut, and returns that.
pub fn same_in_all_ways<T: PartialEq + fmt::Debug>(input: &[u8], run: impl Fn(&[&[u8]]) -> T) -> T {
    let [whole, bytes, uneven] = ways(input);
    let expected = run(&whole);
    assert_eq!(run(&bytes), expected, "byte by byte");
    assert_eq!(
        run(&uneven),
        expected,
        "in pieces of {:?}",
        uneven.iter().map(|it| it.len())
    );
    expected
}
