//! Randomness from the kernel, read in blocks: for ids that nobody may guess.
//!
//! Each thread keeps one block, so that an id costs no system call. Used bytes are wiped.
//!
//! # Panics
//!
//! Drawing panics where the kernel has no randomness at all; call [`probe`] at start and refuse to
//! run then.

use core::cell::RefCell;

use crate::net::runtime::clock::Instant;
use crate::net::sim::world;

thread_local! {
    static BLOCK: RefCell<RandomBlock> = const { RefCell::new(RandomBlock { bytes: [0; BLOCK_BYTES], used: BLOCK_BYTES }) };
}

struct RandomBlock {
    bytes: [u8; BLOCK_BYTES],
    /// 0 <= used <= BLOCK_BYTES.
    used: usize,
}

/// An id: 48 bits of the milliseconds since 1970 at `now`, then 80 random ones. So later ids are
/// larger, and whoever keeps them in their order appends.
#[must_use]
pub fn id(now: Instant) -> u128 {
    let random: [u8; RANDOM_BYTES] = draw();
    let mut bytes = [0; size_of::<u128>()];
    bytes[size_of::<u128>() - RANDOM_BYTES..].copy_from_slice(&random);
    u128::from(now.unix_ms()) << (8 * RANDOM_BYTES) | u128::from_be_bytes(bytes)
}

/// 64 random bits.
#[must_use]
pub fn word() -> u64 {
    u64::from_ne_bytes(draw())
}

/// Whether the kernel has randomness to give.
#[must_use]
pub fn probe() -> bool {
    getrandom::fill(&mut [0; 1]).is_ok()
}

fn draw<const N: usize>() -> [u8; N] {
    if let Some(world) = world::current() {
        return world.random_bytes();
    }
    BLOCK.with_borrow_mut(|block| {
        if BLOCK_BYTES - block.used < N {
            getrandom::fill(&mut block.bytes).expect("the kernel had randomness at start");
            block.used = 0;
        }
        let mut out = [0; N];
        if let Some(fresh) = block.bytes.get_mut(block.used..block.used + N) {
            out.copy_from_slice(fresh);
            fresh.fill(0);
        }
        block.used += N;
        out
    })
}

/// Random bytes of an id.
const RANDOM_BYTES: usize = 10;
/// 51 ids a system call.
const BLOCK_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{probe, word};
    use crate::net::runtime::clock::{self, Instant};

    fn id() -> u128 {
        super::id(clock::now())
    }

    #[test]
    fn ids_over_many_blocks_are_all_different() {
        assert!(probe());
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            assert!(seen.insert(id()));
            assert!(seen.insert(u128::from(word())));
        }
        assert!(!seen.contains(&0));
    }

    #[test]
    fn ids_of_two_threads_differ() {
        let other = std::thread::spawn(id).join().expect("thread ran");
        assert_ne!(other, id());
    }

    #[test]
    fn ids_begin_with_their_milliseconds_and_stand_in_their_order() {
        let first = clock::now();
        let ids: Vec<u128> = (0..200).map(|ms| super::id(first.plus_ms(ms))).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        let ms: Vec<u128> = ids.iter().map(|id| id >> 80).collect();
        let base = u128::from(first.unix_ms());
        assert_eq!(ms, (base..base + 200).collect::<Vec<_>>());
    }

    #[test]
    fn ids_of_one_moment_differ_in_eighty_bits() {
        let ids: Vec<u128> = (0..1_000).map(|_| super::id(Instant::default())).collect();
        let differ = ids.iter().fold(0, |bits, id| bits | (id ^ ids[0]));
        assert_eq!(differ, (1 << 80) - 1);
    }
}
