//! Cutting an input.
//!
//! A fuzzer runs an input whole and in one other way, which follows from its bytes: what one input
//! leaves out, the next thousand cover. Everywhere else an input is cut in every way named here, so
//! that what a fuzzer has found is found again.

use std::fmt;

/// Bytes of an outcome, readable where they differ.
#[derive(PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Checks that `run` comes to the same however `input` is cut, and returns that.
pub fn same_in_all_ways<T: PartialEq + fmt::Debug>(input: &[u8], run: impl Fn(&[&[u8]]) -> T) -> T {
    let expected = run(&[input]);
    for way in ways(input) {
        assert_eq!(
            run(&way),
            expected,
            "in pieces of {:?}",
            way.iter().map(|it| it.len()).collect::<Vec<_>>()
        );
    }
    expected
}

/// Which of `count` settings an input is for. It follows from the length, which most mutations keep;
/// a fuzzer runs only that one, everyone else all of them.
pub fn settings(input: &[u8], count: usize) -> impl Iterator<Item = usize> {
    let chosen = input.len() % count;
    (0..count).filter(move |&at| !cfg!(fuzzing) || at == chosen)
}

/// A place in the input; which one follows from its bytes.
pub fn place(input: &[u8]) -> usize {
    Dice::new(input).below(input.len() + 1)
}

/// The ways in which an input is cut, beside whole.
fn ways(input: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut dice = Dice::new(input);
    if cfg!(fuzzing) {
        return vec![match dice.below(8) {
            0 => input.chunks(1).collect(),
            1..4 => uneven(input, &mut dice),
            _ => few(input, &mut dice),
        }];
    }
    let mut ways = vec![
        input.chunks(1).collect(),
        uneven(input, &mut dice),
        few(input, &mut dice),
    ];
    if input.len() <= SHORT {
        ways.extend((1..input.len()).map(|at| vec![&input[..at], &input[at..]]));
    }
    ways
}

/// Inputs of up to so many bytes are cut at each place.
const SHORT: usize = 96;

/// Pieces of 1 to 64 bytes.
fn uneven<'i>(mut input: &'i [u8], dice: &mut Dice) -> Vec<&'i [u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let (piece, rest) = input.split_at((dice.below(64) + 1).min(input.len()));
        pieces.push(piece);
        input = rest;
    }
    pieces
}

/// One to three cuts anywhere, also at the ends: a piece may be empty.
fn few<'i>(mut input: &'i [u8], dice: &mut Dice) -> Vec<&'i [u8]> {
    let mut pieces = Vec::new();
    for _ in 0..=dice.below(3) {
        let (piece, rest) = input.split_at(dice.below(input.len() + 1));
        pieces.push(piece);
        input = rest;
    }
    pieces.push(input);
    pieces
}

/// Numbers that look like chance and follow from an input's bytes.
struct Dice(u64);

impl Dice {
    fn new(input: &[u8]) -> Self {
        let mut dice = Self(input.len() as u64);
        for chunk in input.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            dice.0 = (dice.0 ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            dice.0 ^= dice.0 >> 29;
        }
        dice
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) as usize % end
    }
}
