//! Numbers out of a seed: the same seed, the same numbers (splitmix64). A fuzzer gives the first of
//! them itself, so that it steers what follows.

use std::vec::IntoIter;

/// A source of numbers.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    state: u64,
    chosen: IntoIter<u8>,
}

impl SeededRandom {
    /// The numbers of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::steered(&[], seed)
    }

    /// A number for every two bytes of `chosen`, then those of `seed`.
    #[must_use]
    pub fn steered(chosen: &[u8], seed: u64) -> Self {
        Self {
            state: seed,
            chosen: Vec::from(chosen).into_iter(),
        }
    }

    /// The next number.
    pub fn word(&mut self) -> u64 {
        if let Some(low) = self.chosen.next() {
            let high = self.chosen.next().unwrap_or(0);
            return u64::from(u16::from_le_bytes([low, high]));
        }
        self.of_seed()
    }

    /// The next bytes. Nobody chooses them: an id must not come twice.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        core::array::from_fn(|_| self.of_seed().to_le_bytes()[0])
    }

    fn of_seed(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; nought where that is nought.
    pub fn below(&mut self, end: usize) -> usize {
        let end = (end as u64).max(1);
        usize::try_from(self.word() % end).unwrap_or(0)
    }

    /// A number of `range`, its end included.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// Whether something happens that happens once in `many` times; never where that is nought.
    pub fn one_in(&mut self, many: u32) -> bool {
        many > 0 && self.word().is_multiple_of(u64::from(many))
    }

    /// One of `list`, which must not be empty.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        let at = self.below(list.len());
        *list.get(at).expect("a list to pick from is not empty")
    }
}

#[cfg(test)]
mod tests {
    use super::SeededRandom;

    #[test]
    fn numbers_are_those_of_the_seed_and_within_their_bounds() {
        let (mut one, mut two) = (SeededRandom::new(7), SeededRandom::new(7));
        for _ in 0..1_000 {
            assert_eq!(one.word(), two.word());
        }
        assert_ne!(SeededRandom::new(7).word(), SeededRandom::new(8).word());
        let seen: Vec<usize> = (0..1_000).map(|_| one.between(3, 5)).collect();
        assert!([3, 4, 5].iter().all(|number| seen.contains(number)));
        assert!(seen.iter().all(|number| (3..=5).contains(number)));
        assert_eq!((one.below(0), one.one_in(0)), (0, false));
    }

    #[test]
    fn numbers_are_those_chosen_and_then_those_of_the_seed() {
        let mut random = SeededRandom::steered(&[5, 0, 1, 2, 9], 7);
        let seen: [u64; 4] = core::array::from_fn(|_| random.word());
        assert_eq!(seen, [5, 513, 9, SeededRandom::new(7).word()]);
    }

    #[test]
    fn nobody_chooses_bytes() {
        let mut random = SeededRandom::steered(&[74; 64], 7);
        let ids: [[u8; 16]; 2] = core::array::from_fn(|_| random.bytes());
        assert_ne!(ids[0], ids[1]);
        assert_eq!(random.word(), 0x4a4a);
    }
}
