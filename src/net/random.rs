//! Randomness from the kernel, read in blocks: for ids that nobody may guess.
//!
//! Each thread keeps one block, so that an id costs no system call. Used bytes are wiped.
//!
//! # Panics
//!
//! Drawing panics where the kernel has no randomness at all; call [`probe`] at start and refuse to
//! run then.

use core::cell::RefCell;

#[cfg(any(test, feature = "sim"))]
use crate::net::sim::{chance::Chance, world};

thread_local! {
    static BLOCK: RefCell<Block> = const { RefCell::new(Block { bytes: [0; BLOCK_BYTES], used: BLOCK_BYTES }) };
}

struct Block {
    bytes: [u8; BLOCK_BYTES],
    /// 0 <= used <= BLOCK_BYTES.
    used: usize,
}

/// 128 random bits.
#[must_use]
pub fn id() -> u128 {
    u128::from_ne_bytes(draw())
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
    #[cfg(any(test, feature = "sim"))]
    if let Some(world) = world::current() {
        return world.draw(Chance::bytes);
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

/// 32 ids a system call.
const BLOCK_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::{id, probe, word};
    use std::collections::HashSet;

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
}
